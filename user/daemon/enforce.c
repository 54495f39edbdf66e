/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From identified interfaces to what is in force: slots, rules' counters, labels, compiling, and writing endpoints. Called by
 * reconcile.c alone, in the order that its comment gives.
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
#include "daemon/reconcile.h"

/* --- slots and names ----------------------------------------------------- */

uint32_t slot_take(struct daemon *daemon)
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

void slot_give(struct daemon *daemon, uint32_t slot)
{
	daemon->slot_used[slot] = false;
	daemon->slot_free_ns[slot] = monotonic_ns();
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

void enforce_clear(struct daemon *daemon)
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
		enforce_clear(daemon);
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
		enforce_clear(daemon);
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
	/* Others take a linked interface's packets for judged: so not before its own programs judge them. What was there before
	 * us is the exception: it is linked first and attached last, so that it is never pending. */
	if (!live->linked && (live->preexisting || attacher_has(daemon->attacher, live->link.ifindex)) &&
	    map_set(daemon->dataplane->links_fd, &key, &live->slot) == 0)
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

void enforce(struct daemon *daemon)
{
	_cleanup_(compilation_clear) struct compilation compilation = {};
	struct error error = {};
	bool flip;

	if (compile(daemon, &compilation, &flip, &error) < 0) {
		problem(daemon, error.text);
		log_error("the policy in force stays: %s", error.text);
		return;
	}
	write_endpoints(daemon, &compilation, flip);
}
