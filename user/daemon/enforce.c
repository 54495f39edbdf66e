/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From policies and identified interfaces to what is in force: slots, rules' counters, labels, compiling, and writing endpoints.
 *
 * Another policy set, or an arena that is full, means everything anew in the next arena, beside what is in force:
 *  1. classes of sets, compiler, labels: in this process alone;
 *  2. when no program can be reading the next arena any more: its tables, set tables included; the tables of countries, if they are
 *     others, which both versions see;
 *  3. rulesets of that arena for every endpoint; flags as they may be under both versions (see flags_between());
 *  4. one flip;
 *  5. flags as they are to be, new endpoints are linked, flows that were judged in between are judged again.
 * Until 4 every failure leaves what is in force as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "compile/arena.h"
#include "daemon/policies.h"
#include "daemon/reconcile.h"

/* --- slots and names ----------------------------------------------------- */

uint32_t slot_take(struct daemon *daemon)
{
	uint64_t now = monotonic_ns();
	uint32_t best = 0;

	for (uint32_t slot = 1; slot < DNET_ENDPOINT_SLOTS; slot++) {
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

void slot_give(struct daemon *daemon, struct live *live)
{
	daemon->slot_used[live->slot] = false;
	daemon->slot_free_ns[live->slot] = monotonic_ns();
	live->linked = live->kept = false;
	live->slot = 0;
	live_set_id(&daemon->live, live, 0);
}

void past_clear(struct past_endpoint *past)
{
	free(past->container);
	free(past->service);
	free(past->network);
	free(past->policies);
	free(past->interface);
	memset(past, 0, sizeof(*past));
}

/* Events of an endpoint can still be in the ring when it is gone. */
void past_remember(struct daemon *daemon, const struct live *live)
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

/* --- what is made from a policy set ------------------------------------------ */

/* What belongs together: the fields of the same names in struct daemon. */
struct enforcement {
	struct policy_set *policies;
	struct country_database countries;
	struct set_classes *sets;
	uint64_t set_tag;
	struct compiler *compiler;
	struct cached_labels **labels;
	size_t label_count, label_room;
	struct rule_name *rule_names;
	struct limit_names limit_names;
};

#define SWAP(a, b) do { typeof(a) swapped_ = (a); (a) = (b); (b) = swapped_; } while (0)

static void exchange(struct daemon *daemon, struct enforcement *other)
{
	SWAP(daemon->policies, other->policies);
	SWAP(daemon->countries.now, other->countries);
	SWAP(daemon->sets, other->sets);
	SWAP(daemon->set_tag, other->set_tag);
	SWAP(daemon->compiler, other->compiler);
	SWAP(daemon->labels, other->labels);
	SWAP(daemon->label_count, other->label_count);
	SWAP(daemon->label_room, other->label_room);
	SWAP(daemon->rule_names, other->rule_names);
	SWAP(daemon->limit_names, other->limit_names);
}

/* All but the policies and countries: they are the caller's. @keep: sets that somebody else has, too. */
static void enforcement_clear(struct enforcement *enforcement, const struct set_classes *keep)
{
	compiler_free(enforcement->compiler);
	label_cache_free(enforcement->labels, enforcement->label_room);
	free(enforcement->rule_names);
	limit_names_clear(&enforcement->limit_names);
	if (enforcement->sets && enforcement->sets != keep)
		set_classes_free(enforcement->sets);
	memset(enforcement, 0, sizeof(*enforcement));
}

void enforce_clear(struct daemon *daemon)
{
	struct enforcement last = {};

	exchange(daemon, &last);
	if (last.policies)
		policy_set_clear(last.policies);
	free(last.policies);
	enforcement_clear(&last, NULL);
	for (int i = 0; i < DNET_ARENAS; i++)
		install_clear(&daemon->retired[i]);
	install_clear(&daemon->install);
	index_clear(&daemon->rule_counters);
	index_clear(&daemon->limit_ids);
}

static uint32_t rule_counter(void *context, const char *policy, const struct rule *rule)
{
	struct daemon *daemon = context;
	uint64_t key = text_hash(text_hash(text_hash(TEXT_HASH_SEED, policy), "\n"), rule->name);
	uintptr_t known = index_get(&daemon->rule_counters, key);
	uint32_t counter = known ? known - 1 : daemon->next_rule_counter;

	if (!known) {
		if (counter >= DNET_MAX_RULE_COUNTERS || index_set(&daemon->rule_counters, key, (uintptr_t)counter + 1) < 0)
			return DNET_NO_RULE;
		if (map_set(daemon->dataplane->rule_ids_fd, &key, &counter) < 0) {
			index_remove(&daemon->rule_counters, key);
			return DNET_NO_RULE;
		}
		daemon->next_rule_counter++;
	}
	if (counter >= DNET_MAX_RULE_COUNTERS)
		return DNET_NO_RULE;
	if (!daemon->rule_names[counter].policy)
		daemon->rule_names[counter] = (struct rule_name){ policy, rule };
	return counter;
}

/* --- compiling ------------------------------------------------------------ */

struct compilation {
	struct live **live;	/* parallel to endpoints */
	struct compile_endpoint *endpoints;
	struct compile_verdict *verdicts;
	size_t count;
	struct compile_interface *interfaces;
	size_t interface_count;
	struct index guards;	/* from a bridge to the guard's flags of its endpoints + 1 */
};

static void compilation_clear(struct compilation *compilation)
{
	for (size_t i = 0; i < compilation->count; i++)
		compile_verdict_clear(&compilation->verdicts[i]);
	free(compilation->live);
	free(compilation->endpoints);
	free(compilation->verdicts);
	free(compilation->interfaces);
	index_clear(&compilation->guards);
	memset(compilation, 0, sizeof(*compilation));
}

bool enforce_endpoint(struct daemon *daemon, const struct live *live, struct compile_endpoint *ret)
{
	const struct container *container;
	const struct network *network;

	if (!daemon->inventory || !live->identified || !live->id)
		return false;
	container = inventory_container(daemon->inventory, live->container_id);
	network = inventory_network(daemon->inventory, live->network_id);
	/* It is being removed: what was in force for it stays until its link goes. */
	if (!container || !network)
		return false;
	*ret = (struct compile_endpoint){
		.id = live->id, .container = container, .network = network, .network_names = (const char *const *)live->network_names,
		.labels = daemon->policies->labels_ignore ? NULL : reconcile_labels(daemon, container),
		.resolvers = container->resolver_count ? container->resolvers : daemon->resolvers.addresses,
		.resolver_count = container->resolver_count ? container->resolver_count : daemon->resolvers.count,
	};
	return true;
}

/* What `iface:` can name: interfaces that are neither Docker's bridges nor containers'. */
static void list_interfaces(const struct daemon *daemon, struct compilation *compilation)
{
	for (size_t i = 0; i < daemon->link_count; i++) {
		const struct netlink_link *link = &daemon->links[i];

		if (!live_find(&daemon->live, link->ifindex) && !bridge_is_ours(daemon, link))
			compilation->interfaces[compilation->interface_count++] =
				(struct compile_interface){ .name = link->name, .ifindex = link->ifindex };
	}
}

static int compilation_run(struct daemon *daemon, struct compilation *compilation, struct error *error)
{
	size_t room = daemon->live.count + 1;

	compilation->live = calloc(room, sizeof(*compilation->live));
	compilation->endpoints = calloc(room, sizeof(*compilation->endpoints));
	compilation->verdicts = calloc(room, sizeof(*compilation->verdicts));
	compilation->interfaces = calloc(daemon->link_count + 1, sizeof(*compilation->interfaces));
	if (!compilation->live || !compilation->endpoints || !compilation->verdicts || !compilation->interfaces)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < daemon->live.count; i++) {
		struct live *live = daemon->live.items[i];

		if (live->identified && live_update_networks(live, daemon->inventory, daemon->inventory_serial) < 0)
			return error_set(error, -ENOMEM, "out of memory");
		if (!enforce_endpoint(daemon, live, &compilation->endpoints[compilation->count]))
			continue;
		compilation->live[compilation->count++] = live;
	}
	list_interfaces(daemon, compilation);
	return compiler_run(daemon->compiler, compilation->endpoints, compilation->count, compilation->interfaces,
			    compilation->interface_count, compilation->verdicts, error);
}

/* The layer-2 guard is on for a whole bridge as soon as one of its containers is selected: names must not be spoofed. While all
 * of these are in audit mode, so is the guard. */
static int find_guards(struct compilation *compilation)
{
	for (size_t i = 0; i < compilation->count; i++) {
		const struct compile_verdict *verdict = &compilation->verdicts[i];
		uint64_t bridge = compilation->live[i]->bridge_ifindex;

		if ((!verdict->selected && !verdict->invalid) || (verdict->audit && index_get(&compilation->guards, bridge)))
			continue;
		if (index_set(&compilation->guards, bridge,
			      1 + (DNET_ENDPOINT_GUARD | (verdict->audit ? DNET_ENDPOINT_GUARD_AUDIT : 0))) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- endpoints ----------------------------------------------------------- */

static void store(uint32_t *word, uint32_t value)
{
	if (__atomic_load_n(word, __ATOMIC_RELAXED) != value)
		__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static uint32_t wanted_flags(const struct daemon *daemon, const struct compilation *compilation, size_t i)
{
	const struct compile_verdict *verdict = &compilation->verdicts[i];
	uintptr_t guard = index_get(&compilation->guards, compilation->live[i]->bridge_ifindex);

	return (guard ? guard - 1 : 0) | (verdict->tracked ? DNET_ENDPOINT_TRACKED : 0) | (verdict->audit ? DNET_ENDPOINT_AUDIT : 0) |
	       (verdict->invalid ? DNET_ENDPOINT_INVALID : 0) | (daemon->policies->fail_open ? DNET_ENDPOINT_FAIL_OPEN : 0) |
	       (verdict->bans ? DNET_ENDPOINT_PROVES : 0);
}

/*
 * Flags are not versioned as rulesets are. While the version flips they are such that whatever the rulesets say, the verdict is that of
 * one of the versions: where one of them denies all (INVALID), that; where one lets all pass (AUDIT, not TRACKED), that. Only the
 * guard, which the rules do not know of, is the stricter one; honest packets pass it under both. What one of them needs to know is noted.
 */
static uint32_t flags_between(uint32_t old, uint32_t new)
{
	uint32_t guard = (old | new) & DNET_ENDPOINT_GUARD;
	bool strict = (old & (DNET_ENDPOINT_GUARD | DNET_ENDPOINT_GUARD_AUDIT)) == DNET_ENDPOINT_GUARD ||
		      (new & (DNET_ENDPOINT_GUARD | DNET_ENDPOINT_GUARD_AUDIT)) == DNET_ENDPOINT_GUARD;

	return guard | (guard && !strict ? DNET_ENDPOINT_GUARD_AUDIT : 0) |
	       ((old | new) & (DNET_ENDPOINT_AUDIT | DNET_ENDPOINT_INVALID | DNET_ENDPOINT_PROVES)) |
	       (old & new & (DNET_ENDPOINT_TRACKED | DNET_ENDPOINT_FAIL_OPEN));
}

/* Everything but the flags and the link. @flags: those that are wanted. Returns whether flows must be judged again for it. */
static bool write_endpoint(struct daemon *daemon, struct live *live, const struct compile_verdict *verdict, uint32_t flags)
{
	struct dnet_endpoint *endpoint = &daemon->dataplane->endpoints[live->slot];
	uint32_t arena = daemon->install.arena;
	bool changed = !live->linked, was_tracked = live->linked && endpoint->flags & DNET_ENDPOINT_TRACKED;

	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (int layer = 0; layer < DNET_LAYERS; layer++) {
			uint32_t *word = &endpoint->ruleset[arena][direction][layer];

			changed = changed || *word != verdict->ruleset[direction][layer];
			store(word, verdict->ruleset[direction][layer]);
		}
	if (!live->linked) {
		endpoint->id = live->id;
		endpoint->ifindex = live->link.ifindex;
		endpoint->identity = live->identity;
		endpoint->container = live->container;
		endpoint->grace_until_ns = 0;
		store(&endpoint->bridge_ifindex, live->bridge_ifindex);
		/* A program that read the version before the flip must not find it ungoverned: there is no such ruleset. */
		for (uint32_t other = 0; other < DNET_ARENAS; other++)
			for (int i = 0; other != arena && i < DNET_DIRECTIONS * DNET_LAYERS; i++)
				endpoint->ruleset[other][i / DNET_LAYERS][i % DNET_LAYERS] = DNET_MAX_RULESETS - 1;
	}
	if (memcmp(endpoint->mac, live->mac, 6) != 0)
		memcpy(endpoint->mac, live->mac, 6);
	/* Connections that began before anybody tracked them show themselves within the grace period, or are cut. */
	if (flags & DNET_ENDPOINT_TRACKED && !was_tracked && (live->linked || live->preexisting))
		__atomic_store_n(&endpoint->grace_until_ns, monotonic_ns() + GRACE_SECONDS * 1000000000ull, __ATOMIC_RELEASE);
	return changed || endpoint->flags != flags;
}

/* Returns whether flows must be judged again for it. */
static bool finish_endpoint(struct daemon *daemon, struct live *live, uint32_t flags)
{
	struct dnet_endpoint *endpoint = &daemon->dataplane->endpoints[live->slot];
	uint32_t key = live->link.ifindex;
	bool changed = endpoint->flags != flags;

	store(&endpoint->flags, flags);
	/* Others take a linked interface's packets for judged: so not before its own programs judge them. What was there before
	 * us is the exception: it is linked first and attached last, so that it is never pending. */
	if (!live->linked && (live->preexisting || attacher_has(daemon->attacher, live->link.ifindex)) &&
	    map_set(daemon->dataplane->links_fd, &key, &live->slot) == 0)
		live->linked = true;
	return changed;
}

static void take_verdicts(struct compilation *compilation)
{
	for (size_t i = 0; i < compilation->count; i++) {
		struct live *live = compilation->live[i];

		compile_verdict_clear(&live->verdict);
		live->verdict = compilation->verdicts[i];
		memset(&compilation->verdicts[i], 0, sizeof(compilation->verdicts[i]));
	}
}

static bool update_addresses(struct daemon *daemon)
{
	struct error error = {};
	int r;

	if (!daemon->live.moved)
		return false;
	r = addresses_update(daemon->dataplane, &daemon->endpoint_addresses, &daemon->live, &error);
	if (r < 0)
		problem(daemon, error.text);
	else
		daemon->live.moved = false;
	return r > 0;
}

/* Into the arena in force. */
static void write_endpoints(struct daemon *daemon, struct compilation *compilation)
{
	bool changed = update_addresses(daemon);

	for (size_t i = 0; i < compilation->count; i++) {
		uint32_t flags = wanted_flags(daemon, compilation, i);

		changed |= write_endpoint(daemon, compilation->live[i], &compilation->verdicts[i], flags);
		changed |= finish_endpoint(daemon, compilation->live[i], flags);
	}
	take_verdicts(compilation);
	if (changed)
		dataplane_raise_generation(daemon->dataplane);
}

/* Endpoints that the new policies do not know: they must not fall out of every ruleset when the version flips. */
static void unlink_unknown(struct daemon *daemon, const struct compilation *compilation)
{
	/* Both are in the same order. */
	for (size_t i = 0, known = 0; i < daemon->live.count; i++) {
		struct live *live = daemon->live.items[i];
		uint32_t key = live->link.ifindex;

		if (known < compilation->count && compilation->live[known] == live) {
			known++;
			continue;
		}
		if (!live->linked)
			continue;
		map_delete(daemon->dataplane->links_fd, &key);
		slot_give(daemon, live);
		live->seen_ns = monotonic_ns();
		live_unidentify(live);
	}
}

/* Steps 3 to 5 of the comment above. daemon->install is the new one. */
static void flip(struct daemon *daemon, struct compilation *compilation)
{
	uint32_t *unknown_deny = &daemon->dataplane->state->unknown_deny;
	bool again = false;

	update_addresses(daemon);
	for (size_t i = 0; i < compilation->count; i++) {
		struct live *live = compilation->live[i];
		uint32_t *flags = &daemon->dataplane->endpoints[live->slot].flags, wanted = wanted_flags(daemon, compilation, i);

		write_endpoint(daemon, live, &compilation->verdicts[i], wanted);
		store(flags, live->linked ? flags_between(*flags, wanted) : wanted);
	}
	store(unknown_deny, *unknown_deny || daemon->policies->unknown_deny);
	unlink_unknown(daemon, compilation);
	dataplane_flip(daemon->dataplane);
	for (size_t i = 0; i < compilation->count; i++)
		again |= finish_endpoint(daemon, compilation->live[i], wanted_flags(daemon, compilation, i));
	store(unknown_deny, daemon->policies->unknown_deny);
	dataplane_set_timeouts(daemon->dataplane, daemon->policies->timeout_sec);
	take_verdicts(compilation);
	if (again)
		dataplane_raise_generation(daemon->dataplane);
}

/* --- another version ------------------------------------------------------- */

#define NO_SETS_TAG 1	/* of the tables of no sets at all */

static int make_sets(struct daemon *daemon, struct enforcement *next, struct error *error)
{
	struct dnet_state *state = daemon->dataplane->state;
	int r;

	if (next->policies == daemon->policies) {
		next->sets = daemon->sets;
		next->set_tag = daemon->set_tag;
	}
	if (next->set_tag)
		return 0;
	next->set_tag = NO_SETS_TAG;
	if (!next->policies->set_count)
		return 0;
	if (!state->next_set_class)
		state->next_set_class = 1;
	r = set_classes_new(next->policies, daemon->sets, &state->next_set_class, &next->sets, error);
	if (r < 0)
		return r;
	if (daemon->next_set_tag <= NO_SETS_TAG)
		daemon->next_set_tag = NO_SETS_TAG + 1;
	next->set_tag = daemon->sets && set_classes_equal(daemon->sets, next->sets) ? daemon->set_tag : daemon->next_set_tag++;
	return 0;
}

static int install_sets(struct daemon *daemon, uint32_t arena, struct error *error)
{
	int r = 0;

	for (int family = 0; family < DNET_SET_FAMILIES && r == 0; family++) {
		const uint64_t *words = NULL;
		size_t count = daemon->sets ? set_classes_words(daemon->sets, family, &words) : 0;

		r = dataplane_set_table(daemon->dataplane, arena, family, count ? words : NULL, count, daemon->set_tag, error);
	}
	return r;
}

/* Steps 1 and 2. What is to be in force stands in @daemon already. */
static int build(struct daemon *daemon, struct compilation *compilation, struct install *next, uint64_t now_unix_ns,
		 struct error *error)
{
	struct compile_input input = {
		.arena = next->arena, .policies = daemon->policies, .sets = daemon->sets, .has_countries = daemon->countries.now.geo,
		.audit = daemon->options->audit, .now_unix_ns = now_unix_ns, .counter = rule_counter, .limit = limits_id, .context = daemon,
	};
	int r = compiler_new(&input, &daemon->compiler, error);

	if (r == 0)
		r = compilation_run(daemon, compilation, error);
	if (r == 0 && find_guards(compilation) < 0)
		r = error_set(error, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	dataplane_wait_for_next_arena(daemon->dataplane);
	install_withdraw(&daemon->retired[next->arena], daemon->dataplane);
	r = install_apply(next, daemon->dataplane, daemon->compiler, error);
	if (r == 0)
		r = install_sets(daemon, next->arena, error);
	if (r < 0)
		daemon->retired[next->arena] = *next;
	return r;
}

struct in_force enforce_now(const struct daemon *daemon)
{
	return (struct in_force){ .policies = daemon->policies, .countries = daemon->countries.now };
}

int enforce_switch(struct daemon *daemon, const struct in_force *wanted, struct in_force *ret_before, struct error *error)
{
	_cleanup_(compilation_clear) struct compilation compilation = {};
	struct install next = { .arena = dataplane_next_arena(daemon->dataplane) };
	struct enforcement other = { .policies = wanted->policies, .countries = wanted->countries };	/* the new one first, then the old one */
	struct error undoing = {};
	uint64_t now = unix_ns();
	int r = make_sets(daemon, &other, error);

	if (r < 0)
		return r;
	if (daemon->inventory) {
		other.rule_names = calloc(DNET_MAX_RULE_COUNTERS, sizeof(*other.rule_names));
		if (!other.rule_names) {
			enforcement_clear(&other, daemon->sets);
			return error_set(error, -ENOMEM, "out of memory");
		}
		/* Rules of the old version still have their names now. */
		if (daemon->ring)
			dataplane_events_read(daemon->ring);
	}
	exchange(daemon, &other);
	if (daemon->inventory)
		r = build(daemon, &compilation, &next, now, error);
	if (r == 0) {
		/* Before the flip, because it can fail. A country's number means the same in both versions. */
		r = countries_install(daemon, error);
		if (r < 0 && daemon->inventory)
			daemon->retired[next.arena] = next;
	}
	if (r < 0) {
		exchange(daemon, &other);
		if (countries_install(daemon, &undoing) < 0)
			log_error("the countries that were in force cannot be put back: %s", undoing.text);
		enforcement_clear(&other, daemon->sets);
		return r;
	}
	if (daemon->inventory) {
		daemon->retired[daemon->install.arena] = daemon->install;
		daemon->install = next;
		flip(daemon, &compilation);
		if (!daemon->countries.now.geo)
			countries_remove(daemon);
	}
	daemon->policy.compiled_unix_ns = now;
	*ret_before = (struct in_force){};
	if (other.policies != wanted->policies)
		ret_before->policies = other.policies;
	if (other.countries.geo != wanted->countries.geo)
		ret_before->countries = other.countries;
	enforcement_clear(&other, daemon->sets);
	return 0;
}

void enforce_withdraw_retired(struct daemon *daemon)
{
	uint64_t now = monotonic_ns();

	for (uint32_t arena = 0; arena < DNET_ARENAS; arena++)
		if (arena != dataplane_arena(daemon->dataplane) && now - daemon->dataplane->left_ns[arena] > 1000000000ull)
			install_withdraw(&daemon->retired[arena], daemon->dataplane);
}

void enforce(struct daemon *daemon)
{
	_cleanup_(compilation_clear) struct compilation compilation = {};
	struct in_force now = enforce_now(daemon), before;
	struct error error = {};
	int r = -ENOSPC;

	if (daemon->compiler) {
		r = compilation_run(daemon, &compilation, &error);
		if (r == 0)
			r = install_apply(&daemon->install, daemon->dataplane, daemon->compiler, &error);
		if (r == 0 && find_guards(&compilation) < 0)
			r = error_set(&error, -ENOMEM, "out of memory");
		if (r == 0)
			write_endpoints(daemon, &compilation);
	}
	/* Full of what containers that are gone needed: once more, into the next arena. */
	if (r == -ENOSPC)
		r = enforce_switch(daemon, &now, &before, &error);
	if (r < 0) {
		error_prefix(&error, r, "what is in force stays");
		problem(daemon, error.text);
	}
}
