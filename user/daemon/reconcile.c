/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only place that decides. Everything else only says that something changed; here what should be is computed from the
 * links, the inventory and the policy, compared with what is, and repaired. It may be called at any time and twice.
 *
 * Lifecycle of a container's interface:
 *   (none)      -> pending     its link joined a Docker bridge; programs are on it, `links` has no entry
 *   pending     -> identified  live_identify() knows the container; the next lines write it in this order:
 *                              tables, addresses, slot, `links`, generation
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
#include "compile/ruleset.h"
#include "config/labels.h"
#include "daemon/places.h"
#include "daemon/state.h"

#define HINT_FIRST_NS 2000000ull	/* a pending link asks the inventory again after this, doubling */
#define HINT_LAST_NS 250000000ull

void reconcile_soon(struct daemon *daemon)
{
	event_active(daemon->reconcile_event, EV_TIMEOUT, 0);
}

/* Something is not as it should be. Said in the log when it begins, and in `status` as long as it lasts. */
static void problem(struct daemon *daemon, const char *text)
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

/* --- slots and names ----------------------------------------------------- */

static uint32_t slot_take(struct daemon *daemon)
{
	uint64_t now = monotonic_ns();
	uint32_t best = 0;

	for (uint32_t slot = 1; slot < DNET_MAX_ENDPOINTS; slot++) {
		if (daemon->slot_used[slot] || (daemon->slot_free_ns[slot] && now - daemon->slot_free_ns[slot] < SLOT_REST_NS))
			continue;
		best = slot;
		break;
	}
	if (best) {
		daemon->slot_used[best] = true;
		dataplane_clear_slot(daemon->dataplane, best);
	}
	return best;
}

static void slot_give(struct daemon *daemon, uint32_t slot)
{
	daemon->slot_used[slot] = false;
	daemon->slot_free_ns[slot] = monotonic_ns();
}

static void past_clear(struct past_endpoint *past)
{
	free(past->container);
	free(past->service);
	free(past->network);
	free(past->policies);
	free(past->interface);
	memset(past, 0, sizeof(*past));
}

/* Events of an endpoint can still be in the ring when it is gone. */
static void remember(struct daemon *daemon, const struct live *live)
{
	const struct container *container = daemon->inventory ? inventory_container(daemon->inventory, live->container_id) : NULL;
	const struct network *network = daemon->inventory ? inventory_network(daemon->inventory, live->network_id) : NULL;
	char service[CONTAINER_SERVICE_SIZE];
	struct past_endpoint *past = &daemon->past[daemon->past_next++ % MAX_PAST];

	past_clear(past);
	past->id = live->id;
	past->container = strdup(container ? container->name : live->container_id);
	past->service = strdup(container_service(container, service));
	past->network = strdup(network ? network->name : "");
	past->policies = strdup(live->verdict.policies ? live->verdict.policies : "");
	past->interface = strdup(live->link.name);
}

static uint32_t rule_counter(void *context, const char *policy, const struct rule *rule)
{
	struct daemon *daemon = context;
	uint64_t key = text_hash(text_hash(text_hash(TEXT_HASH_SEED, policy), "\n"), rule->name);
	struct rule_name *name;
	uint32_t counter;

	if (map_get(daemon->dataplane->rule_ids_fd, &key, &counter) < 0) {
		if (daemon->next_rule_counter >= DNET_MAX_RULE_COUNTERS)
			return DNET_NO_RULE;
		counter = daemon->next_rule_counter;
		if (map_set(daemon->dataplane->rule_ids_fd, &key, &counter) < 0)
			return DNET_NO_RULE;
		daemon->next_rule_counter++;
	}
	if (counter >= DNET_MAX_RULE_COUNTERS)
		return DNET_NO_RULE;
	name = &daemon->rule_names[counter];
	if (!name->policy) {
		name->policy = strdup(policy);
		name->rule = strdup(rule->name);
		if (rule->origin.line) {
			if (asprintf(&name->origin, "%s:%u", rule->origin.file, rule->origin.line) < 0)
				name->origin = NULL;
		} else {
			name->origin = strdup(rule->origin.file ? rule->origin.file : "");
		}
	}
	return counter;
}

/* --- adoption ------------------------------------------------------------ */

struct adoption {
	struct daemon *daemon;
	const struct netlink_link *links;
	size_t count;
	unsigned int kept, gone;
};

static const struct netlink_link *link_of(const struct netlink_link *links, size_t count, int ifindex)
{
	for (size_t i = 0; i < count; i++)
		if (links[i].ifindex == ifindex)
			return &links[i];
	return NULL;
}

static void adopt_link(void *context, const void *entry)
{
	struct adoption *adoption = context;
	struct daemon *daemon = adoption->daemon;
	const struct netlink_link *link;
	struct live *live;
	uint32_t ifindex, slot;

	memcpy(&ifindex, entry, sizeof(ifindex));
	if (map_get(daemon->dataplane->links_fd, entry, &slot) < 0)
		return;
	link = link_of(adoption->links, adoption->count, (int)ifindex);
	live = link && slot && slot < DNET_MAX_ENDPOINTS && daemon->dataplane->endpoints[slot].ifindex == ifindex ?
	       calloc(1, sizeof(*live)) : NULL;
	if (!live || live_add(&daemon->live, live) < 0) {
		free(live);
		map_delete(daemon->dataplane->links_fd, entry);
		adoption->gone++;
		return;
	}
	live->link = *link;
	live->seen_ns = monotonic_ns();
	live->slot = slot;
	live->id = daemon->dataplane->endpoints[slot].id;
	live->identity = daemon->dataplane->endpoints[slot].identity;
	live->linked = live->kept = true;
	live->preexisting = true;
	daemon->slot_used[slot] = true;
	adoption->kept++;
}

static void adopt_programs(void *context, const void *entry)
{
	struct adoption *adoption = context;
	struct daemon *daemon = adoption->daemon;
	struct error error = {};
	uint32_t ifindex, flags = 0;

	memcpy(&ifindex, entry, sizeof(ifindex));
	if (map_get(daemon->dataplane->attached_fd, entry, &flags) < 0)
		return;
	if (!link_of(adoption->links, adoption->count, (int)ifindex))
		attach_forget(daemon->dataplane, (int)ifindex);
	/* This version's programs take the place of the former's, in one step for each hook. */
	else if (attacher_ensure(daemon->attacher, (int)ifindex, flags & DNET_ATTACHED_BRIDGE, &error) < 0)
		log_error("cannot renew the programs on interface %u: %s", ifindex, error.text);
}

static void count_rule_id(void *context, const void *key)
{
	struct daemon *daemon = context;
	uint32_t counter;

	if (map_get(daemon->dataplane->rule_ids_fd, key, &counter) == 0 && counter >= daemon->next_rule_counter)
		daemon->next_rule_counter = counter + 1;
}

void reconcile_adopt(struct daemon *daemon, const struct netlink_link *links, size_t count)
{
	struct adoption adoption = { .daemon = daemon, .links = links, .count = count };

	daemon->baseline = calloc(count + 1, sizeof(*daemon->baseline));
	for (size_t i = 0; daemon->baseline && i < count; i++)
		daemon->baseline[daemon->baseline_count++] = links[i].ifindex;
	map_for_each_key(daemon->dataplane->rule_ids_fd, sizeof(uint64_t), count_rule_id, daemon);
	map_for_each_key(daemon->dataplane->links_fd, sizeof(uint32_t), adopt_link, &adoption);
	map_for_each_key(daemon->dataplane->attached_fd, sizeof(uint32_t), adopt_programs, &adoption);
	if (adoption.kept || adoption.gone)
		log_info("adopted %u container interfaces that were under enforcement; %u were gone", adoption.kept, adoption.gone);
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
			remember(daemon, live);
		slot_give(daemon, live->slot);
		evtimer_add(daemon->purge_timer, &soon);
	}
	live_remove(&daemon->live, live);
}

static bool bridge_is_ours(const struct daemon *daemon, const struct netlink_link *link)
{
	if (strcmp(link->kind, "bridge") != 0)
		return false;
	if (daemon->inventory && inventory_network_of_bridge(daemon->inventory, link->name))
		return true;
	return !daemon->is_static && attacher_is_docker_name(link->name);
}

struct bridge_check {
	struct daemon *daemon;
	const struct netlink_link *links;
	size_t count;
};

static void drop_bridge(void *context, const void *key)
{
	const struct bridge_check *check = context;
	uint32_t ifindex;

	memcpy(&ifindex, key, sizeof(ifindex));
	if (!link_of(check->links, check->count, (int)ifindex))
		map_delete(check->daemon->dataplane->bridges_fd, key);
}

static bool static_interface(const struct daemon *daemon, const char *name)
{
	for (size_t i = 0; i < daemon->static_inventory.attachment_count; i++)
		if (strcmp(daemon->static_inventory.attachments[i].interface, name) == 0)
			return true;
	return false;
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
	for (size_t i = 0; i < daemon->baseline_count; i++)
		if (daemon->baseline[i] == ifindex)
			return true;
	return false;
}

/* Is every port of the bridge a container's that carries our programs, or one that came after us and is about to? */
static bool all_ports_are_ours(struct daemon *daemon, const struct netlink_link *links, size_t count, int bridge)
{
	for (size_t i = 0; i < count; i++) {
		bool ours = daemon->is_static ? static_interface(daemon, links[i].name) : strcmp(links[i].kind, "veth") == 0;

		if (links[i].master == bridge &&
		    (!ours || (in_baseline(daemon, links[i].ifindex) && !attacher_has(daemon->attacher, links[i].ifindex))))
			return false;
	}
	return true;
}

/* Note which bridges are Docker's, and put the safety net on them. */
static void update_bridges(struct daemon *daemon, const struct netlink_link *links, size_t count)
{
	struct bridge_check check = { .daemon = daemon, .links = links, .count = count };

	for (size_t i = 0; i < count; i++) {
		uint32_t key = links[i].ifindex, flags = DNET_BRIDGE_KNOWN, old = 0;

		if (!bridge_is_ours(daemon, &links[i]))
			continue;
		if (!attacher_has(daemon->attacher, links[i].ifindex)) {
			attacher_add_bridge(daemon->attacher, links[i].ifindex);
			attach_soon(daemon, links[i].ifindex, true);
		}
		if (all_ports_are_ours(daemon, links, count, links[i].ifindex))
			flags |= DNET_BRIDGE_SEALED;
		if (map_get(daemon->dataplane->bridges_fd, &key, &old) < 0 || old != flags)
			map_set(daemon->dataplane->bridges_fd, &key, &flags);
	}
	map_for_each_key(daemon->dataplane->bridges_fd, sizeof(uint32_t), drop_bridge, &check);
}

/* Returns the live interface of a link that is ours to guard, made when it is new; NULL for all others. */
static struct live *live_of_link(struct daemon *daemon, const struct netlink_link *links, size_t count,
				 const struct netlink_link *link)
{
	const struct netlink_link *master = link->master ? link_of(links, count, link->master) : NULL;
	struct live *live = live_find(&daemon->live, link->ifindex);
	bool ours = daemon->is_static ? static_interface(daemon, link->name) :
		    strcmp(link->kind, "veth") == 0 && master && bridge_is_ours(daemon, master);

	if (!ours)
		return NULL;
	if (!live) {
		live = calloc(1, sizeof(*live));
		if (!live || live_add(&daemon->live, live) < 0) {
			free(live);
			return NULL;
		}
		live->seen_ns = monotonic_ns();
		live->preexisting = in_baseline(daemon, link->ifindex);
	}
	live->link = *link;
	live->bridge_ifindex = link->master;
	snprintf(live->bridge, sizeof(live->bridge), "%s", master ? master->name : "");
	return live;
}

void reconcile_link(struct daemon *daemon, const struct netlink_event *event)
{
	struct netlink_link *known = (struct netlink_link *)link_of(daemon->links, daemon->link_count, event->link.ifindex);

	if (event->kind == NETLINK_LINK_GONE) {
		if (known)
			*known = daemon->links[--daemon->link_count];
		return;
	}
	if (!known) {
		if (array_grow((void **)&daemon->links, &daemon->link_room, daemon->link_count, sizeof(*daemon->links)) < 0) {
			daemon->links_lost = true;
			return;
		}
		known = &daemon->links[daemon->link_count++];
	}
	*known = event->link;
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
	daemon->links = links;
	daemon->link_count = daemon->link_room = count;
	daemon->links_lost = false;
}

static void update_links(struct daemon *daemon)
{
	const struct netlink_link *links;
	size_t count;

	if (daemon->links_lost)
		dump_links(daemon);
	links = daemon->links;
	count = daemon->link_count;
	update_bridges(daemon, links, count);
	for (size_t i = 0; i < count; i++)
		live_of_link(daemon, links, count, &links[i]);
	for (size_t i = daemon->live.count; i-- > 0;) {
		struct live *live = daemon->live.items[i];
		const struct netlink_link *link = link_of(links, count, live->link.ifindex);
		const struct netlink_link *master = link && link->master ? link_of(links, count, link->master) : NULL;
		bool ours = link && (daemon->is_static ? static_interface(daemon, link->name) : master && bridge_is_ours(daemon, master));

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
		return;
	}
	if (live->id) {
		map_delete(daemon->dataplane->links_fd, &key);
		slot_give(daemon, live->slot);
		live->linked = live->kept = false;
		live->id = live->slot = 0;
	}
	live->slot = slot_take(daemon);
	if (!live->slot)
		return;
	live->identity = identity;
	live->id = daemon->dataplane->state->next_endpoint_id++;
}

static void update_identities(struct daemon *daemon)
{
	uint64_t now = monotonic_ns(), next = 0;

	for (size_t i = 0; i < daemon->live.count; i++) {
		struct live *live = daemon->live.items[i];

		if (live->identified && !daemon->is_static)
			live_refresh(live, daemon->inventory);
		if (!live->identified) {
			if (live_identify(live, &daemon->live, daemon->inventory, daemon->is_static)) {
				live->retry_ns = live->next_hint_ns = 0;
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

/* --- policy -------------------------------------------------------------- */

const struct label_policy *reconcile_labels(struct daemon *daemon, const struct container *container)
{
	_cleanup_free_ char *key = strdup("");
	struct cached_labels *cached;

	for (size_t i = 0; key && i < container->label_count; i++) {
		char *longer;

		if (strncmp(container->labels[i].key, "dnetbpf.", 8) != 0)
			continue;
		if (asprintf(&longer, "%s%s\1%s\2", key, container->labels[i].key, container->labels[i].value) < 0)
			return NULL;
		free(key);
		key = longer;
	}
	if (!key || !*key)
		return NULL;
	for (size_t i = 0; i < daemon->label_count; i++)
		if (strcmp(daemon->labels[i]->key, key) == 0)
			return &daemon->labels[i]->labels;
	cached = calloc(1, sizeof(*cached));
	if (!cached || array_grow((void **)&daemon->labels, &daemon->label_room, daemon->label_count, sizeof(*daemon->labels)) < 0) {
		free(cached);
		return NULL;
	}
	cached->key = TAKE_PTR(key);
	label_policy_parse(container, &daemon->policies, &cached->labels);
	daemon->labels[daemon->label_count++] = cached;
	if (cached->labels.invalid)
		log_error("container %s is denied everything: %s", container->name, cached->labels.problem);
	return &cached->labels;
}

static void clear_compiler(struct daemon *daemon)
{
	compiler_free(daemon->compiler);
	daemon->compiler = NULL;
	for (size_t i = 0; i < daemon->label_count; i++) {
		label_policy_clear(&daemon->labels[i]->labels);
		free(daemon->labels[i]->key);
		free(daemon->labels[i]);
	}
	daemon->label_count = 0;
}

static const char **networks_of(const struct inventory *inventory, const char *container_id)
{
	const char **names = calloc(inventory->attachment_count + 1, sizeof(*names));
	size_t count = 0;

	for (size_t i = 0; names && i < inventory->attachment_count; i++) {
		const struct network *network;

		if (strcmp(inventory->attachments[i].container_id, container_id) != 0)
			continue;
		network = inventory_network(inventory, inventory->attachments[i].network_id);
		if (network)
			names[count++] = network->name;
	}
	return names;
}

struct compilation {
	struct live **live;	/* parallel to endpoints */
	struct compile_endpoint *endpoints;
	struct compile_verdict *verdicts;
	size_t count;
};

static void compilation_clear(struct compilation *compilation)
{
	for (size_t i = 0; i < compilation->count; i++) {
		free((void *)compilation->endpoints[i].network_names);
		compile_verdict_clear(&compilation->verdicts[i]);
	}
	free(compilation->live);
	free(compilation->endpoints);
	free(compilation->verdicts);
	memset(compilation, 0, sizeof(*compilation));
}

static int compilation_prepare(struct daemon *daemon, struct compilation *compilation)
{
	size_t room = daemon->live.count + 1;

	compilation->live = calloc(room, sizeof(*compilation->live));
	compilation->endpoints = calloc(room, sizeof(*compilation->endpoints));
	compilation->verdicts = calloc(room, sizeof(*compilation->verdicts));
	if (!compilation->live || !compilation->endpoints || !compilation->verdicts)
		return -ENOMEM;
	for (size_t i = 0; i < daemon->live.count; i++) {
		struct live *live = daemon->live.items[i];
		const struct container *container;
		const struct network *network;

		if (!live->identified || !live->id)
			continue;
		container = inventory_container(daemon->inventory, live->container_id);
		network = inventory_network(daemon->inventory, live->network_id);
		/* It is being removed: what was in force for it stays until its link goes. */
		if (!container || !network)
			continue;
		compilation->live[compilation->count] = live;
		compilation->endpoints[compilation->count++] = (struct compile_endpoint){
			.id = live->id, .container = container, .network = network,
			.network_names = networks_of(daemon->inventory, live->container_id),
			.labels = daemon->policies.labels_ignore ? NULL : reconcile_labels(daemon, container),
		};
	}
	return 0;
}

/*
 * Compile into the arena in force, or, when there is no compiler yet or the arena is full, into the other one.
 * *ret_flip: it was the other one, and the version is to flip when all endpoints have their rulesets.
 */
static int compile(struct daemon *daemon, struct compilation *compilation, bool *ret_flip, struct error *error)
{
	uint32_t arena;
	int r;

	*ret_flip = false;
	r = compilation_prepare(daemon, compilation);
	if (r < 0)
		return error_set(error, r, "out of memory");
	if (daemon->compiler) {
		r = compiler_run(daemon->compiler, compilation->endpoints, compilation->count, compilation->verdicts, error);
		if (r == 0)
			r = install_apply(&daemon->install, daemon->compiler, error);
		if (r != -ENOSPC)
			return r;
		/* Full of what containers that are gone needed: once more, into the other arena. */
		compilation_clear(compilation);
		clear_compiler(daemon);
		r = compilation_prepare(daemon, compilation);
		if (r < 0)
			return error_set(error, r, "out of memory");
	}
	arena = (dataplane_arena(daemon->dataplane) + 1) % DNET_ARENAS;
	r = compiler_new(arena, &daemon->policies, daemon->options->audit, rule_counter, daemon, &daemon->compiler, error);
	if (r < 0)
		return r;
	install_begin(&daemon->install, daemon->dataplane, arena);
	r = compiler_run(daemon->compiler, compilation->endpoints, compilation->count, compilation->verdicts, error);
	if (r == 0)
		r = install_apply(&daemon->install, daemon->compiler, error);
	if (r < 0) {
		clear_compiler(daemon);
		return r;
	}
	*ret_flip = true;
	return 0;
}

/* --- endpoints ----------------------------------------------------------- */

static void store(uint32_t *word, uint32_t value)
{
	if (__atomic_load_n(word, __ATOMIC_RELAXED) != value)
		__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The layer-2 guard is on for a whole bridge as soon as one of its containers is selected: names must not be spoofed. While all
 * of these are in audit mode, so is the guard. */
static uint32_t guard_flags(const struct compilation *compilation, int bridge_ifindex)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < compilation->count; i++) {
		const struct compile_verdict *verdict = &compilation->verdicts[i];

		if (compilation->live[i]->bridge_ifindex != bridge_ifindex || (!verdict->selected && !verdict->invalid))
			continue;
		if (!verdict->audit)
			return DNET_ENDPOINT_GUARD;
		flags = DNET_ENDPOINT_GUARD | DNET_ENDPOINT_GUARD_AUDIT;
	}
	return flags;
}

/* @flags: the guard's. Returns whether something changed that flows must be judged again for. */
static bool write_endpoint(struct daemon *daemon, struct live *live, const struct compile_verdict *verdict, uint32_t flags)
{
	struct dnet_endpoint *endpoint = &daemon->dataplane->endpoints[live->slot];
	uint32_t key = live->link.ifindex, arena = daemon->install.arena;
	bool changed = !live->linked, was_tracked = live->linked && endpoint->flags & DNET_ENDPOINT_TRACKED;
	uint64_t now = monotonic_ns();

	if (verdict->tracked)
		flags |= DNET_ENDPOINT_TRACKED;
	if (verdict->audit)
		flags |= DNET_ENDPOINT_AUDIT;
	if (verdict->invalid)
		flags |= DNET_ENDPOINT_INVALID;
	if (daemon->policies.fail_open)
		flags |= DNET_ENDPOINT_FAIL_OPEN;
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (int layer = 0; layer < DNET_LAYERS; layer++) {
			uint32_t *word = &endpoint->ruleset[arena][direction][layer];

			changed = changed || *word != verdict->ruleset[direction][layer];
			store(word, verdict->ruleset[direction][layer]);
		}
	if (!live->linked) {
		endpoint->id = live->id;
		endpoint->ifindex = key;
		endpoint->identity = live->identity;
		endpoint->grace_until_ns = 0;
		store(&endpoint->bridge_ifindex, live->bridge_ifindex);
	}
	if (memcmp(endpoint->mac, live->mac, 6) != 0)
		memcpy(endpoint->mac, live->mac, 6);
	/* Connections that began before anybody tracked them show themselves within the grace period, or are cut. */
	if (verdict->tracked && !was_tracked && (live->linked || live->preexisting))
		__atomic_store_n(&endpoint->grace_until_ns, now + GRACE_SECONDS * 1000000000ull, __ATOMIC_RELEASE);
	changed = changed || endpoint->flags != flags;
	store(&endpoint->flags, flags);
	if (!live->linked && map_set(daemon->dataplane->links_fd, &key, &live->slot) == 0)
		live->linked = true;
	return changed;
}

/* Endpoints that the new policies do not know: they must not fall out of every ruleset when the version flips. */
static void unlink_unknown(struct daemon *daemon, const struct compilation *compilation)
{
	for (size_t i = 0; i < daemon->live.count; i++) {
		struct live *live = daemon->live.items[i];
		uint32_t key = live->link.ifindex;
		bool known = false;

		for (size_t j = 0; j < compilation->count && !known; j++)
			known = compilation->live[j] == live;
		if (known || !live->linked)
			continue;
		map_delete(daemon->dataplane->links_fd, &key);
		slot_give(daemon, live->slot);
		live->linked = live->kept = false;
		live->id = live->slot = 0;
		live->seen_ns = monotonic_ns();
		live_unidentify(live);
	}
}

static void write_endpoints(struct daemon *daemon, struct compilation *compilation, bool flip)
{
	bool changed = false;
	int r;
	struct error error = {};

	r = addresses_update(daemon->dataplane, &daemon->live, &error);
	if (r < 0)
		problem(daemon, error.text);
	changed = r > 0;
	for (size_t i = 0; i < compilation->count; i++) {
		struct live *live = compilation->live[i];

		changed = write_endpoint(daemon, live, &compilation->verdicts[i], guard_flags(compilation, live->bridge_ifindex)) ||
			  changed;
	}
	for (size_t i = 0; i < compilation->count; i++) {
		struct live *live = compilation->live[i];

		compile_verdict_clear(&live->verdict);
		live->verdict = compilation->verdicts[i];
		memset(&compilation->verdicts[i], 0, sizeof(compilation->verdicts[i]));
	}
	if (flip) {
		unlink_unknown(daemon, compilation);
		dataplane_flip(daemon->dataplane);
		install_remove_arena(daemon->dataplane, (daemon->install.arena + 1) % DNET_ARENAS);
	} else if (changed) {
		dataplane_raise_generation(daemon->dataplane);
	}
}

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
	daemon->flows_standing = dataplane_sweep_flows(daemon->dataplane, endpoint_alive, daemon);
}

void reconcile(struct daemon *daemon)
{
	_cleanup_(compilation_clear) struct compilation compilation = {};
	uint64_t start = monotonic_ns();
	bool flip;
	struct error error = {};

	begin_problems(daemon);
	store(&daemon->dataplane->state->unknown_deny, daemon->policies.unknown_deny);
	update_links(daemon);
	if (daemon->addresses_stale || networks_changed(daemon)) {
		daemon->addresses_stale = false;
		if (places_update(daemon->dataplane, daemon->addresses, daemon->address_count, daemon->inventory, &error) < 0)
			problem(daemon, error.text);
	}
	if (daemon->inventory) {
		update_identities(daemon);
		if (compile(daemon, &compilation, &flip, &error) < 0) {
			problem(daemon, error.text);
			log_error("the policy in force stays: %s", error.text);
		} else {
			write_endpoints(daemon, &compilation, flip);
		}
		attach_all(daemon);
	}
	metrics_observe(&daemon->reconcile_histogram, (double)(monotonic_ns() - start) / 1e9);
}

void reconcile_clear(struct daemon *daemon)
{
	clear_compiler(daemon);
	free(daemon->labels);
	install_clear(&daemon->install);
	live_set_clear(&daemon->live);
	free(daemon->baseline);
	free(daemon->links);
	free(daemon->addresses);
	for (size_t i = 0; i < MAX_PAST; i++)
		past_clear(&daemon->past[i]);
	begin_problems(daemon);
	begin_problems(daemon);
	for (size_t i = 0; daemon->rule_names && i < DNET_MAX_RULE_COUNTERS; i++) {
		free(daemon->rule_names[i].policy);
		free(daemon->rule_names[i].rule);
		free(daemon->rule_names[i].origin);
	}
	free(daemon->rule_names);
}
