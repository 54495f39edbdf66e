/* SPDX-License-Identifier: GPL-2.0 */
#include "dataplane/counts.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "dataplane/clock.h"

#define BATCH 2048
#define PLACES (DNET_BUCKET_GROUPS * DNET_BUCKET_WAYS)	/* a place is 1 + group * DNET_BUCKET_WAYS + way */

int flows_walk(const struct dataplane *dataplane, void (*flow)(void *context, const struct dnet_flow_key *key, const struct dnet_flow *flow),
	       void *context)
{
	_cleanup_free_ struct dnet_flow_key *keys = calloc(BATCH, sizeof(*keys));
	_cleanup_free_ struct dnet_flow *flows = calloc(BATCH, sizeof(*flows));
	uint32_t token = 0, count;
	bool first = true;
	int r;

	if (!keys || !flows)
		return -ENOMEM;
	do {
		count = BATCH;
		r = bpf_map_lookup_batch(dataplane->flows_fd, first ? NULL : &token, &token, keys, flows, &count, NULL) < 0 ? -errno : 0;
		if (r < 0 && r != -ENOENT)
			return r;
		first = false;
		for (uint32_t i = 0; i < count; i++)
			flow(context, &keys[i], &flows[i]);
	} while (r == 0);
	return 0;
}

/* The kernel's program does it, because a bucket may only be changed under its lock: see count_correct() in bpf/limit.bpf.h. */
static bool correct(const struct dataplane *dataplane, uint32_t place, uint32_t expected, uint32_t count)
{
	static const uint8_t frame[64];	/* there must be one */
	struct __sk_buff context = { .cb = { place, expected, count } };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context));

	return bpf_prog_test_run_opts(dataplane->program_fd[PROGRAM_RECOUNT], &options) == 0 && options.retval == 1;
}

void counts_give_back(struct dataplane *dataplane, const struct dnet_flow *flow)
{
	for (int end = 0; end < 2; end++)
		for (int i = 0; i < DNET_FLOW_LIMITS; i++)
			if (flow->end[end].counted[i])
				correct(dataplane, flow->end[end].counted[i], 0, 0);
}

/* Calls @bucket for each that is not empty. */
static int buckets_walk(const struct dataplane *dataplane, void (*bucket)(void *context, uint32_t place, uint64_t word), void *context)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = BPF_F_LOCK);
	_cleanup_free_ struct dnet_bucket_group *groups = calloc(BATCH, sizeof(*groups));
	_cleanup_free_ uint32_t *keys = calloc(BATCH, sizeof(*keys));
	uint32_t token = 0, count;
	bool first = true;
	int r;

	if (!groups || !keys)
		return -ENOMEM;
	do {
		count = BATCH;
		r = bpf_map_lookup_batch(dataplane->buckets_fd, first ? NULL : &token, &token, keys, groups, &count, &options) < 0 ? -errno : 0;
		if (r < 0 && r != -ENOENT)
			return r;
		first = false;
		for (uint32_t i = 0; i < count; i++)
			for (uint32_t way = 0; way < DNET_BUCKET_WAYS; way++)
				if (groups[i].bucket[way].tag)
					bucket(context, 1 + keys[i] * DNET_BUCKET_WAYS + way, groups[i].bucket[way].word);
	} while (r == 0);
	return 0;
}

struct usage {
	uint64_t now_ns;
	size_t used;
};

static void add_usage(void *context, uint32_t place, uint64_t word)
{
	struct usage *usage = context;

	(void)place;
	/* A count of 0 is an empty bucket, and a time that has come is a rate that is full again. */
	usage->used += word > usage->now_ns;
}

size_t dataplane_buckets_in_use(const struct dataplane *dataplane)
{
	struct usage usage = { .now_ns = clock_ns(CLOCK_MONOTONIC) };

	buckets_walk(dataplane, add_usage, &usage);
	return usage.used;
}

/* One look at everything; by place. */
struct look {
	uint32_t *counts;	/* what the bucket says; 0: it is none of a count */
	uint32_t *flows;	/* what the flows say */
	size_t count_buckets;
};

static void see_bucket(void *context, uint32_t place, uint64_t word)
{
	struct look *look = context;

	if (!(word & DNET_BUCKET_IS_COUNT))
		return;
	look->counts[place] = (uint32_t)word;
	look->count_buckets++;
}

static void see_flow(void *context, const struct dnet_flow_key *key, const struct dnet_flow *flow)
{
	struct look *look = context;

	(void)key;
	for (int end = 0; end < 2; end++)
		for (int i = 0; i < DNET_FLOW_LIMITS; i++)
			if (flow->end[end].counted[i] && flow->end[end].counted[i] <= PLACES)
				look->flows[flow->end[end].counted[i]]++;
}

static void look_free(struct look *look)
{
	free(look->counts);
	free(look->flows);
}

static int look_new(struct look *ret)
{
	*ret = (struct look){ .counts = calloc(PLACES + 1, sizeof(*ret->counts)), .flows = calloc(PLACES + 1, sizeof(*ret->flows)) };
	return ret->counts && ret->flows ? 0 : -ENOMEM;
}

/* Is the count wrong, by these looks? Connections that come and go between two of them move it; then it may be right. */
static bool is_wrong(const struct look *looks, int count, uint32_t place)
{
	for (int i = 1; i < count; i++)
		if (looks[i].counts[place] != looks[0].counts[place] || (i > 1 && looks[i].flows[place] != looks[1].flows[place]))
			return false;
	return looks[0].counts[place] && looks[1].flows[place] != looks[0].counts[place];
}

/*
 * Three looks at the buckets, and between them two at the flows: only what stands still and is wrong both times is corrected, and only
 * if the bucket has not moved when the correction arrives.
 */
size_t counts_heal(struct dataplane *dataplane)
{
	struct look looks[3] = {};
	size_t wrong = 0, healed = 0;
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++) {
		r = look_new(&looks[i]);
		if (r == 0 && i > 0)
			r = flows_walk(dataplane, see_flow, &looks[i]);
		if (r == 0)
			r = buckets_walk(dataplane, see_bucket, &looks[i]);
		if (r < 0 || !looks[0].count_buckets)
			break;
		wrong = 0;
		for (uint32_t place = 1; place <= PLACES && i > 0; place++)
			wrong += is_wrong(looks, i + 1, place);
		if (i > 0 && !wrong)
			break;
	}
	for (uint32_t place = 1; place <= PLACES && r == 0 && wrong; place++)
		if (is_wrong(looks, 3, place))
			healed += correct(dataplane, place, looks[0].counts[place], looks[1].flows[place]);
	for (int i = 0; i < 3; i++)
		look_free(&looks[i]);
	return healed;
}
