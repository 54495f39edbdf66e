/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ids are never reused, so a bucket never passes to another limit. The map from a limit's name to its id is bounded: when it is
 * full, the names that nobody in force has are forgotten, and a limit that comes back begins anew. So does, at the next reload, a
 * limit that finds no room even then.
 */
#include "daemon/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "compile/arena.h"
#include "compile/limits.h"
#include "daemon/state.h"

void limit_names_clear(struct limit_names *names)
{
	index_clear(&names->places);
	free(names->items);
	memset(names, 0, sizeof(*names));
}

static int name_add(struct limit_names *names, const struct limit_name *name)
{
	if (index_get(&names->places, name->id))
		return 0;
	if (array_grow((void **)&names->items, &names->room, names->count, sizeof(*names->items)) < 0 ||
	    index_set(&names->places, name->id, names->count + 1) < 0)
		return -ENOMEM;
	names->items[names->count++] = *name;
	return 0;
}

const struct limit_name *limits_name(const struct daemon *daemon, uint32_t id)
{
	uintptr_t place = index_get(&daemon->limit_names.places, id);

	return place ? &daemon->limit_names.items[place - 1] : NULL;
}

/* --- ids */

struct forgetting {
	struct daemon *daemon;
	struct index in_force;	/* ids of the limits in the arena in force */
	size_t count;
};

static void forget_id(void *context, const void *entry)
{
	struct forgetting *forgetting = context;
	struct daemon *daemon = forgetting->daemon;
	uint64_t key;
	uint32_t id;

	memcpy(&key, entry, sizeof(key));
	if (map_get(daemon->dataplane->limit_ids_fd, &key, &id) == 0 && (limits_name(daemon, id) || index_get(&forgetting->in_force, id)))
		return;
	map_delete(daemon->dataplane->limit_ids_fd, &key);
	index_remove(&daemon->limit_ids, key);
	forgetting->count++;
}

/* While another version is built, the names are the new one's: what is in force is known from the kernel's table. */
static void forget_unused(struct daemon *daemon)
{
	const struct dnet_limit *limits = daemon->dataplane->limits + daemon->install.arena * DNET_MAX_LIMITS;
	struct forgetting forgetting = { .daemon = daemon };
	int r = 0;

	for (size_t i = 1; i < daemon->install.limits && r == 0; i++)
		r = index_set(&forgetting.in_force, limits[i].id, 1);
	if (r == 0)
		map_for_each_key(daemon->dataplane->limit_ids_fd, sizeof(uint64_t), forget_id, &forgetting);
	index_clear(&forgetting.in_force);
	daemon->limit_names.ids_full = !forgetting.count;
	log_debug("forgot the ids of %zu limits that are in force no more", forgetting.count);
}

static uint32_t give_id(struct daemon *daemon, uint64_t key)
{
	uint32_t *next = &daemon->dataplane->state->next_limit_id, id;
	int r;

	if (!*next)
		*next = 1;
	if (*next == UINT32_MAX)
		return 0;
	/* Before it is used: a daemon that ends here must not give it out again. */
	id = (*next)++;
	if (daemon->limit_names.ids_full)
		return id;
	r = map_set(daemon->dataplane->limit_ids_fd, &key, &id);
	if (r < 0) {
		forget_unused(daemon);
		r = map_set(daemon->dataplane->limit_ids_fd, &key, &id);
	}
	if (r == 0 && index_set(&daemon->limit_ids, key, id) < 0)
		map_delete(daemon->dataplane->limit_ids_fd, &key);
	return id;
}

uint32_t limits_id(void *context, const char *policy, const struct rule *rule, const struct limit *limit)
{
	struct daemon *daemon = context;
	char text[LIMIT_TEXT_SIZE];
	uint64_t key = text_hash(text_hash(text_hash(TEXT_HASH_SEED, policy), "\n"), rule->name);
	struct limit_name name = { .policy = policy, .rule = rule, .limit = limit };

	key = text_hash(text_hash(key, "\n"), limit_text(limit, text));
	name.id = (uint32_t)index_get(&daemon->limit_ids, key);
	if (!name.id)
		name.id = give_id(daemon, key);
	return name.id && name_add(&daemon->limit_names, &name) == 0 ? name.id : 0;
}

static void adopt_id(void *context, const void *entry)
{
	struct daemon *daemon = context;
	uint32_t *next = &daemon->dataplane->state->next_limit_id, id;
	uint64_t key;

	memcpy(&key, entry, sizeof(key));
	if (map_get(daemon->dataplane->limit_ids_fd, &key, &id) < 0 || !id || id == UINT32_MAX)
		return;
	index_set(&daemon->limit_ids, key, id);
	if (id >= *next)
		*next = id + 1;
}

void limits_adopt(struct daemon *daemon)
{
	map_for_each_key(daemon->dataplane->limit_ids_fd, sizeof(uint64_t), adopt_id, daemon);
}

/* --- hits */

static void sweep_key(void *context, const void *entry)
{
	const struct daemon *daemon = context;
	struct dnet_exceeded_key key;

	memcpy(&key, entry, sizeof(key));
	if (!live_find_id(&daemon->live, key.endpoint_id) || !limits_name(daemon, key.limit_id))
		map_delete(daemon->dataplane->limit_exceeded_fd, &key);
}

void limits_sweep(struct daemon *daemon)
{
	/* Before the first inventory the names of an earlier daemon's limits are not known yet. */
	if (daemon->compiler)
		map_for_each_key(daemon->dataplane->limit_exceeded_fd, sizeof(struct dnet_exceeded_key), sweep_key, daemon);
}

uint64_t limits_exceeded(const struct daemon *daemon, uint32_t endpoint_id, uint32_t limit)
{
	struct dnet_exceeded_key key = { .endpoint_id = endpoint_id, .limit_id = daemon->dataplane->limits[limit].id };
	uint64_t hits = 0;

	return map_get(daemon->dataplane->limit_exceeded_fd, &key, &hits) < 0 ? 0 : hits;
}

struct sample {
	const char *container;
	const struct limit_name *name;
	uint64_t hits;
};

struct samples {
	const struct daemon *daemon;
	struct sample *items;	/* owned */
	size_t count, room;
};

static void samples_clear(struct samples *samples)
{
	free(samples->items);
}

static void add_sample(void *context, const void *entry)
{
	struct samples *samples = context;
	const struct daemon *daemon = samples->daemon;
	struct dnet_exceeded_key key;
	const struct container *container;
	struct sample sample = {};
	const struct live *live;

	memcpy(&key, entry, sizeof(key));
	live = live_find_id(&daemon->live, key.endpoint_id);
	sample.name = limits_name(daemon, key.limit_id);
	container = live && live->identified && daemon->inventory ? inventory_container(daemon->inventory, live->container_id) : NULL;
	if (!container || !sample.name || map_get(daemon->dataplane->limit_exceeded_fd, &key, &sample.hits) < 0)
		return;
	sample.container = container->name;
	if (array_grow((void **)&samples->items, &samples->room, samples->count, sizeof(sample)) == 0)
		samples->items[samples->count++] = sample;
}

static int compare_samples(const void *x, const void *y)
{
	const struct sample *a = x, *b = y;
	int order = strcmp(a->container, b->container);

	return order ? order : a->name->id < b->name->id ? -1 : a->name->id > b->name->id;
}

/* A container on two networks has two endpoints, and one series. */
void limits_metrics(const struct daemon *daemon, struct metrics *metrics)
{
	static const char family[] = "dnetbpf_limit_exceeded_total";
	_cleanup_(samples_clear) struct samples samples = { .daemon = daemon };
	char text[LIMIT_TEXT_SIZE];

	metrics_family(metrics, family, "counter", "Packets that were refused, or would have been in audit mode, for a limit of a rule.");
	map_for_each_key(daemon->dataplane->limit_exceeded_fd, sizeof(struct dnet_exceeded_key), add_sample, &samples);
	if (samples.count)
		qsort(samples.items, samples.count, sizeof(*samples.items), compare_samples);
	for (size_t i = 0; i < samples.count;) {
		const struct sample *first = &samples.items[i];
		uint64_t hits = 0;

		for (; i < samples.count && compare_samples(first, &samples.items[i]) == 0; i++)
			hits += samples.items[i].hits;
		metrics_sample_u64(metrics, family, hits, "container", first->container, "policy", first->name->policy, "rule",
				   first->name->rule->name, "limit", limit_text(first->name->limit, text), NULL);
	}
}
