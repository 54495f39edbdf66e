/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only place that decides. Everything else only says that something changed; here what should be is computed from the
 * links, the inventory and the policy, compared with what is, and repaired. It may be called at any time and twice.
 *
 * Lifecycle of a container's interface:
 *   (none)      -> pending     its link joined a Docker bridge; programs are on it, `links` has no entry
 *   pending     -> identified  live_identify() knows the container; enforce.c writes it in this order: tables, addresses,
 *                              slot, `links` (not before its programs are on it), generation
 *   identified  -> (none)      the link is gone: `links`, addresses, peers, then its flows
 * An interface that was there before the first daemon goes from (none) to identified at once: its programs come last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "compile/arena.h"
#include "daemon/reconcile.h"

#define TEXT_OF(text) #text
#define TEXT(macro) TEXT_OF(macro)
#define HINT_FIRST_NS 2000000ull	/* a pending link asks the inventory again after this, doubling */
#define HINT_LAST_NS 250000000ull

void reconcile_soon(struct daemon *daemon)
{
	event_active(daemon->reconcile_event, EV_TIMEOUT, 0);
}

/* Something is not as it should be. Said in the log when it begins, and in `status` as long as it lasts. */
void problem(struct daemon *daemon, const char *text)
{
	bool known = false;

	for (size_t i = 0; i < daemon->old_problem_count && !known; i++)
		known = strcmp(daemon->old_problems[i], text) == 0;
	if (!known)
		log_error("%s", text);
	if (daemon->problem_count < MAX_PROBLEMS) {
		daemon->problems[daemon->problem_count] = strdup(text);
		daemon->problem_count += daemon->problems[daemon->problem_count] != NULL;
	}
}

static void begin_problems(struct daemon *daemon)
{
	while (daemon->old_problem_count)
		free(daemon->old_problems[--daemon->old_problem_count]);
	memcpy(daemon->old_problems, daemon->problems, sizeof(daemon->problems));
	daemon->old_problem_count = daemon->problem_count;
	daemon->problem_count = 0;
}

static struct netlink_link *link_of(const struct daemon *daemon, int ifindex)
{
	uintptr_t place = index_get(&daemon->link_index, ifindex);

	return place ? &daemon->links[place - 1] : NULL;
}

/* --- links --------------------------------------------------------------- */

static void remove_live(struct daemon *daemon, struct live *live)
{
	uint32_t key = live->link.ifindex;

	if (live->linked)
		map_delete(daemon->dataplane->links_fd, &key);
	if (live->id) {
		const struct timeval soon = { .tv_usec = 20000 };

		if (live->identified)
			past_remember(daemon, live);
		slot_give(daemon, live);
		evtimer_add(daemon->purge_timer, &soon);
	}
	live_remove(&daemon->live, live);
}

bool bridge_is_ours(const struct daemon *daemon, const struct netlink_link *link)
{
	if (strcmp(link->kind, "bridge") != 0)
		return false;
	if (daemon->inventory && inventory_network_of_bridge(daemon->inventory, link->name))
		return true;
	return !daemon->is_static && attacher_is_docker_name(link->name);
}

static void drop_bridge(void *context, const void *key)
{
	const struct daemon *daemon = context;
	uint32_t ifindex;

	memcpy(&ifindex, key, sizeof(ifindex));
	if (!link_of(daemon, (int)ifindex))
		map_delete(daemon->dataplane->bridges_fd, key);
}

static int compare_interface(const void *name, const void *attachment)
{
	return strcmp(name, (*(const struct attachment *const *)attachment)->interface);
}

/* Of a static inventory: what it says of this interface, or NULL. */
static const struct attachment *static_attachment(const struct daemon *daemon, const char *name)
{
	const struct attachment **found = daemon->static_interfaces ?
					  bsearch(name, daemon->static_interfaces, daemon->static_inventory.attachment_count,
						  sizeof(*found), compare_interface) : NULL;

	return found ? *found : NULL;
}

/* Does a static inventory name this interface? What it named once it names for ever. */
static bool static_interface(const struct daemon *daemon, const struct netlink_link *link)
{
	const struct live *live = live_find(&daemon->live, link->ifindex);

	return (live && strcmp(live->link.name, link->name) == 0) || static_attachment(daemon, link->name);
}

/* The daemon leaves it to the attacher's thread and goes on; --once has to be done when it returns. */
static void attach_soon(struct daemon *daemon, int ifindex, bool bridge)
{
	struct error error = {};

	if (!daemon->options->once)
		attacher_request(daemon->attacher, ifindex, bridge);
	else if (attacher_ensure(daemon->attacher, ifindex, bridge, &error) < 0)
		problem(daemon, error.text);
}

static bool in_baseline(const struct daemon *daemon, int ifindex)
{
	return index_get(&daemon->baseline, ifindex) != 0;
}

/* Is the port a container's that carries our programs, or one that came after us and is about to? */
static bool port_is_ours(struct daemon *daemon, const struct netlink_link *link)
{
	bool ours = daemon->is_static ? static_interface(daemon, link) : strcmp(link->kind, "veth") == 0;

	return ours && (!in_baseline(daemon, link->ifindex) || attacher_has(daemon->attacher, link->ifindex));
}

/* Note which bridges are Docker's, and put the safety net on them. */
static void update_bridges(struct daemon *daemon)
{
	struct index unsealed = {};	/* bridges with a port of another kind */
	bool complete = true;

	for (size_t i = 0; i < daemon->link_count; i++)
		if (daemon->links[i].master && !port_is_ours(daemon, &daemon->links[i]))
			complete = index_set(&unsealed, daemon->links[i].master, 1) == 0 && complete;
	for (size_t i = 0; i < daemon->link_count; i++) {
		const struct netlink_link *link = &daemon->links[i];
		uint32_t key = link->ifindex, flags = DNET_BRIDGE_KNOWN, old = 0;

		if (!bridge_is_ours(daemon, link))
			continue;
		if (!attacher_has(daemon->attacher, link->ifindex)) {
			attacher_add_bridge(daemon->attacher, link->ifindex);
			attach_soon(daemon, link->ifindex, true);
		}
		if (complete && !index_get(&unsealed, key))
			flags |= DNET_BRIDGE_SEALED;
		if (map_get(daemon->dataplane->bridges_fd, &key, &old) < 0 || old != flags)
			map_set(daemon->dataplane->bridges_fd, &key, &flags);
	}
	index_clear(&unsealed);
	map_for_each_key(daemon->dataplane->bridges_fd, sizeof(uint32_t), drop_bridge, daemon);
}

/* Returns the live interface of a link that is ours to guard, made when it is new; NULL for all others. */
static struct live *live_of_link(struct daemon *daemon, const struct netlink_link *link)
{
	const struct netlink_link *master = link->master ? link_of(daemon, link->master) : NULL;
	bool ours = daemon->is_static ? static_interface(daemon, link) :
		    strcmp(link->kind, "veth") == 0 && master && bridge_is_ours(daemon, master);
	struct live *live;

	if (!ours)
		return NULL;
	live = live_find(&daemon->live, link->ifindex);
	if (!live) {
		live = calloc(1, sizeof(*live));
		if (!live)
			return NULL;
		live->link = *link;
		if (live_add(&daemon->live, live) < 0) {
			free(live);
			return NULL;
		}
		live->seen_ns = monotonic_ns();
		live->preexisting = in_baseline(daemon, link->ifindex);
	}
	/* Its other end has joined a namespace: the engine knows whose, and a container sends soon after that. */
	if (live->link.nsid != link->nsid)
		live->retry_ns = live->next_hint_ns = 0;
	live->link = *link;
	daemon->live.moved |= live->bridge_ifindex != link->master;
	live->bridge_ifindex = link->master;
	snprintf(live->bridge, sizeof(live->bridge), "%s", master ? master->name : "");
	return live;
}

static void follow(struct daemon *daemon, const struct netlink_link *was, const struct netlink_link *link)
{
	if (daemon->peers_fd >= 0 && veth_peers_follow(&daemon->peers, was, link) < 0)
		log_debug("out of memory: the other end of %s has to be asked for what it is", link->name);
}

static void set_peer(struct daemon *daemon, struct netlink_link *link, int nsid, int ifindex)
{
	struct netlink_link moved = *link;

	moved.nsid = nsid;
	moved.peer_ifindex = ifindex;
	follow(daemon, link, &moved);
	*link = moved;
}

/*
 * One end of a veth has left for the namespace of a container, or has come back. The end that stays says so itself only when its
 * carrier changes: by then the container can send, or another namespace can have the nsid of the one that was left.
 */
static void peer_moved(struct daemon *daemon, const struct netlink_event *event)
{
	bool here = event->kind == NETLINK_LINK_NEW;
	struct netlink_link *link = strcmp(event->link.kind, "veth") == 0 && event->link.nsid == NETLINK_NSID_NONE ?
				    link_of(daemon, event->link.peer_ifindex) : NULL;

	if (!link)
		return;
	if (here && link->nsid != NETLINK_NSID_NONE)
		set_peer(daemon, link, NETLINK_NSID_NONE, event->link.ifindex);
	else if (!here && link->nsid == NETLINK_NSID_NONE && link->peer_ifindex == event->link.ifindex)
		set_peer(daemon, link, event->moved_nsid, event->moved_ifindex);
}

/*
 * A namespace has gone, before its links have, and maybe another one has its nsid: who was in it is nobody's neighbour. The kernel frees
 * the nsid first and says so then, so a new owner can be told of before: whoever is identified by then is not the new one's.
 */
void reconcile_nsid(struct daemon *daemon, int nsid, bool gone)
{
	for (size_t i = 0; i < daemon->link_count; i++) {
		const struct live *live = live_find(&daemon->live, daemon->links[i].ifindex);

		if (daemon->links[i].nsid != nsid || (!gone && !(live && live->identified)))
			continue;
		set_peer(daemon, &daemon->links[i], NETLINK_NSID_NONE, 0);
		/* A link that is newer than the event, because it was dumped or told of out of order, is found by looking again. */
		daemon->sweeps = DUMP_SWEEPS - 1;
	}
}

void reconcile_link(struct daemon *daemon, const struct netlink_event *event)
{
	struct netlink_link *known = link_of(daemon, event->link.ifindex);
	bool added = false;

	if (event->kind == NETLINK_LINK_GONE) {
		if (event->moved_nsid != NETLINK_NSID_NONE)
			peer_moved(daemon, event);
		if (known) {
			veth_peers_follow(&daemon->peers, known, NULL);
			index_remove(&daemon->link_index, event->link.ifindex);
			*known = daemon->links[--daemon->link_count];
			if (known != &daemon->links[daemon->link_count])
				index_set(&daemon->link_index, known->ifindex, known - daemon->links + 1);
		}
		return;
	}
	if (!known) {
		if (array_grow((void **)&daemon->links, &daemon->link_room, daemon->link_count, sizeof(*daemon->links)) < 0 ||
		    index_set(&daemon->link_index, event->link.ifindex, daemon->link_count + 1) < 0) {
			daemon->links_lost = true;
			return;
		}
		known = &daemon->links[daemon->link_count++];
		added = true;
	}
	follow(daemon, added ? NULL : known, &event->link);
	*known = event->link;
	peer_moved(daemon, event);
}

static void dump_links(struct daemon *daemon)
{
	struct error error = {};
	struct netlink_link *links;
	size_t count;

	if (netlink_dump_links(&links, &count, &error) < 0) {
		problem(daemon, error.text);
		return;
	}
	free(daemon->links);
	index_clear(&daemon->link_index);
	daemon->links = links;
	daemon->link_count = daemon->link_room = count;
	daemon->links_lost = false;
	for (size_t i = 0; i < count; i++)
		if (index_set(&daemon->link_index, links[i].ifindex, i + 1) < 0)
			daemon->links_lost = true;
}

static void update_links(struct daemon *daemon)
{
	if (daemon->links_lost)
		dump_links(daemon);
	update_bridges(daemon);
	for (size_t i = 0; i < daemon->link_count; i++)
		live_of_link(daemon, &daemon->links[i]);
	for (size_t i = daemon->live.count; i-- > 0;) {
		struct live *live = daemon->live.items[i];
		const struct netlink_link *link = link_of(daemon, live->link.ifindex);
		const struct netlink_link *master = link && link->master ? link_of(daemon, link->master) : NULL;
		bool ours = link && (daemon->is_static ? static_interface(daemon, link) :
							 master && bridge_is_ours(daemon, master));

		/* Before the first inventory a bridge with a name of its own is not known to be Docker's. */
		if (ours || (link && live->kept && !daemon->inventory))
			continue;
		if (link)
			attacher_release(daemon->attacher, live->link.ifindex);
		remove_live(daemon, live);
	}
}

/* --- identities ---------------------------------------------------------- */

static void hint(struct daemon *daemon, struct live *live, uint64_t now)
{
	if (!daemon->docker || now < live->next_hint_ns)
		return;
	live->retry_ns = live->retry_ns ? live->retry_ns * 2 : HINT_FIRST_NS;
	if (live->retry_ns > HINT_LAST_NS)
		live->retry_ns = HINT_LAST_NS;
	live->next_hint_ns = now + live->retry_ns;
	docker_hint_bridge(daemon->docker, live->bridge);
}

/* A slot and an id for an interface that has just been identified; an adopted one keeps its own. */
static void give_slot(struct daemon *daemon, struct live *live)
{
	uint64_t identity = live_identity(live->container_id, live->network_id);
	uint32_t key = live->link.ifindex;

	if (live->id && live->identity == identity) {
		live->kept = false;
		daemon->live.moved = true;
		return;
	}
	if (live->id) {
		map_delete(daemon->dataplane->links_fd, &key);
		slot_give(daemon, live);
	}
	live->slot = slot_take(daemon);
	if (!live->slot) {
		problem(daemon, "there are more container interfaces than can be under enforcement at once (" TEXT(DNET_MAX_ENDPOINTS)
			"): those that came last are denied everything");
		return;
	}
	live->identity = identity;
	live->container = live_container(live->container_id);
	live_set_id(&daemon->live, live, daemon->dataplane->state->next_endpoint_id++);
}

static bool identify(struct daemon *daemon, struct live *live)
{
	const struct attachment *attachment;

	if (!daemon->is_static)
		return live_identify(live, &daemon->live, daemon->inventory, &daemon->peers);
	attachment = static_attachment(daemon, live->link.name);
	return attachment && live_identify_static(live, attachment);
}

static void update_identities(struct daemon *daemon)
{
	uint64_t now = monotonic_ns(), next = 0;

	for (size_t i = 0; i < daemon->live.count; i++) {
		struct live *live = daemon->live.items[i];

		if (live->identified && !daemon->is_static)
			daemon->live.moved |= live_refresh(live, daemon->inventory, &daemon->peers);
		if (!live->identified) {
			if (identify(daemon, live)) {
				live->retry_ns = live->next_hint_ns = 0;
				daemon->live.moved = true;
			} else {
				hint(daemon, live, now);
				if (!next || live->next_hint_ns < next)
					next = live->next_hint_ns;
			}
		}
		if (live->identified && (!live->id || live->kept))
			give_slot(daemon, live);
	}
	if (next) {
		uint64_t pause = next > now ? next - now : 1000000;
		const struct timeval timeout = { .tv_sec = pause / 1000000000ull, .tv_usec = pause % 1000000000ull / 1000 + 1 };

		evtimer_add(daemon->retry_timer, &timeout);
	}
}

/* --- all of it ------------------------------------------------------------ */

/* Programs for what was there before us comes last: the container is known, its policy is in the tables. */
static void attach_all(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->live.count; i++) {
		struct live *live = daemon->live.items[i];

		if (attacher_has(daemon->attacher, live->link.ifindex))
			continue;
		/* A container that nobody can name stays as it was for ten seconds, then it is pending like any other. */
		if (!live->linked && live->preexisting && monotonic_ns() - live->seen_ns < 10 * 1000000000ull)
			continue;
		attach_soon(daemon, live->link.ifindex, false);
	}
}

static bool networks_changed(struct daemon *daemon)
{
	uint64_t hash = TEXT_HASH_SEED;
	char text[TEXT_PREFIX_SIZE];

	for (size_t i = 0; daemon->inventory && i < daemon->inventory->network_count; i++) {
		const struct network *network = &daemon->inventory->networks[i];

		hash = text_hash(hash, network->bridge ? network->bridge : "-");
		for (size_t j = 0; j < network->subnet_count; j++)
			hash = text_hash(hash, text_prefix(&network->subnets[j].addr, network->subnets[j].prefix_len, text));
	}
	if (hash == daemon->networks_hash)
		return false;
	daemon->networks_hash = hash;
	return true;
}

static bool endpoint_alive(void *context, uint32_t endpoint_id)
{
	return live_find_id(&((struct daemon *)context)->live, endpoint_id) != NULL;
}

void reconcile_sweep(struct daemon *daemon, uint64_t age_ns)
{
	uint64_t now = monotonic_ns();

	if (daemon->swept_ns && now - daemon->swept_ns < age_ns)
		return;
	daemon->swept_ns = now;
	enforce_withdraw_retired(daemon);
	daemon->flows_standing = dataplane_sweep_flows(daemon->dataplane, endpoint_alive, daemon);
	daemon->buckets_standing = dataplane_buckets_in_use(daemon->dataplane);
	limits_sweep(daemon);
	blocks_sweep(daemon);
}

void reconcile(struct daemon *daemon)
{
	uint64_t start = monotonic_ns();
	struct error error = {};

	begin_problems(daemon);
	__atomic_store_n(&daemon->dataplane->state->unknown_deny, daemon->policies->unknown_deny, __ATOMIC_RELAXED);
	resolvers_update(&daemon->resolvers);
	update_links(daemon);
	if (daemon->addresses_stale || networks_changed(daemon)) {
		daemon->addresses_stale = false;
		if (places_update(daemon->dataplane, &daemon->places, daemon->addresses, daemon->address_count, daemon->inventory,
				  &error) < 0)
			problem(daemon, error.text);
	}
	if (daemon->inventory) {
		update_identities(daemon);
		enforce(daemon);
		attach_all(daemon);
	}
	metrics_observe(&daemon->reconcile_histogram, (double)(monotonic_ns() - start) / 1e9);
}

void reconcile_clear(struct daemon *daemon)
{
	enforce_clear(daemon);
	live_set_clear(&daemon->live);
	mirror_clear(&daemon->places);
	mirror_clear(&daemon->endpoint_addresses);
	veth_peers_clear(&daemon->peers);
	index_clear(&daemon->link_index);
	index_clear(&daemon->baseline);
	free(daemon->links);
	free(daemon->addresses);
	for (size_t i = 0; i < MAX_PAST; i++)
		past_clear(&daemon->past[i]);
	begin_problems(daemon);
	begin_problems(daemon);
}
