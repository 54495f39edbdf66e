/* SPDX-License-Identifier: GPL-2.0 */
/* Buckets of limits: seen and changed by hand, and hammered by two CPUs. */
#include "packet.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

/* Read all buckets, let @change change them, and write them back. Nobody else is at work here. */
static bool change_buckets(struct world *world, bool (*change)(struct dnet_bucket *bucket, uint32_t way, uint64_t argument),
			   uint64_t argument)
{
	static struct dnet_bucket_group groups[DNET_BUCKET_GROUPS];
	static uint32_t keys[DNET_BUCKET_GROUPS];
	uint32_t token = 0, count = DNET_BUCKET_GROUPS;
	bool changed = false;

	if (bpf_map_lookup_batch(world->dataplane->buckets_fd, NULL, &token, keys, groups, &count, NULL) < 0 && errno != ENOENT)
		return false;
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t way = 0; way < DNET_BUCKET_WAYS; way++)
			changed |= change(&groups[i].bucket[way], way, argument);
	return !changed || bpf_map_update_batch(world->dataplane->buckets_fd, keys, groups, &count, NULL) == 0;
}

static bool empty(struct dnet_bucket *bucket, uint32_t way, uint64_t argument)
{
	bool used = bucket->tag;

	(void)way;
	(void)argument;
	bucket->tag = bucket->word = 0;
	return used;
}

static bool older(struct dnet_bucket *bucket, uint32_t way, uint64_t age_ns)
{
	(void)way;
	if (!bucket->tag || bucket->word & DNET_BUCKET_IS_COUNT)
		return false;
	bucket->word = bucket->word > age_ns ? bucket->word - age_ns : 1;	/* the machine may be younger than that */
	return true;
}

static bool drift(struct dnet_bucket *bucket, uint32_t way, uint64_t count)
{
	(void)way;
	if (!bucket->tag || !(bucket->word & DNET_BUCKET_IS_COUNT))
		return false;
	bucket->word = DNET_BUCKET_IS_COUNT | count;
	return true;
}

/* @until 0: with counts alone; else way 3 gets a rate that is full again at that time. The tags are nobody's. */
static bool fill(struct dnet_bucket *bucket, uint32_t way, uint64_t until)
{
	bucket->tag = way + 1;
	bucket->word = until && way == 3 ? until : DNET_BUCKET_IS_COUNT | 1;
	return true;
}

static uint64_t open_count;

static bool add_open(struct dnet_bucket *bucket, uint32_t way, uint64_t argument)
{
	(void)way;
	(void)argument;
	if (bucket->tag && bucket->word & DNET_BUCKET_IS_COUNT)
		open_count += bucket->word & ~DNET_BUCKET_IS_COUNT;
	return false;
}

static void delete_key(void *context, const void *key)
{
	map_delete(*(const int *)context, key);
}

void limits_reset(struct world *world)
{
	/* All buckets are many, and most policies have no limits. */
	if (!world->limited)
		return;
	world->limited = world->limits_in_force;
	change_buckets(world, empty, 0);
	map_for_each_key(world->dataplane->limit_exceeded_fd, sizeof(struct dnet_exceeded_key), delete_key, &world->dataplane->limit_exceeded_fd);
	world->evictions = world->dataplane->state->bucket_evictions;
}

void limits_age(struct world *world, unsigned int seconds)
{
	change_buckets(world, older, seconds * 1000000000ull);
}

static bool is(const char *what, uint64_t value, const char *argument)
{
	if (value == strtoull(argument, NULL, 10))
		return true;
	printf("# %s: %llu, not %s\n", what, (unsigned long long)value, argument);
	return false;
}

bool act_open(struct world *world, const char *argument)
{
	open_count = 0;
	return change_buckets(world, add_open, 0) && is("open", open_count, argument);
}

struct sum {
	int fd;
	uint64_t total;
};

static void add_exceeded(void *context, const void *key)
{
	struct sum *sum = context;
	uint64_t value = 0;

	map_get(sum->fd, key, &value);
	sum->total += value;
}

bool act_exceeded(struct world *world, const char *argument)
{
	struct sum sum = { .fd = world->dataplane->limit_exceeded_fd };

	map_for_each_key(sum.fd, sizeof(struct dnet_exceeded_key), add_exceeded, &sum);
	return is("exceeded", sum.total, argument);
}

bool act_evicted(struct world *world, const char *argument)
{
	return is("evicted", world->dataplane->state->bucket_evictions - world->evictions, argument);
}

bool act_drift(struct world *world, const char *argument)
{
	return change_buckets(world, drift, strtoull(argument, NULL, 10));
}

bool act_fill_counts(struct world *world, const char *argument)
{
	(void)argument;
	return change_buckets(world, fill, 0);
}

bool act_fill_rates(struct world *world, const char *argument)
{
	return change_buckets(world, fill, monotonic_ns() + (uint64_t)(atoll(argument) * 1000000000ll));
}

static bool but_this(void *context, uint32_t endpoint_id)
{
	return endpoint_id != *(const uint32_t *)context;
}

bool act_sweep(struct world *world, const char *argument)
{
	const struct live *live = argument[0] ? world_endpoint(world, argument) : NULL;
	uint32_t gone = live ? live->id : 0;

	if (argument[0] && !live)
		return false;
	dataplane_sweep_flows(world->dataplane, but_this, &gone);
	return true;
}

bool act_lose_flows(struct world *world, const char *argument)
{
	(void)argument;
	map_for_each_key(world->dataplane->flows_fd, sizeof(struct dnet_flow_key), delete_key, &world->dataplane->flows_fd);
	return true;
}

/* --- two CPUs at one bucket */

#define HAMMERS 2
#define STROKES 5000	/* by each; the policy `hammer` allows as many in all */

struct hammer {
	struct world *world;
	pthread_t thread;
	pthread_barrier_t *start;
	struct frame frame;
	uint32_t ifindex, origin;
	int cpu, error;
	unsigned int accepted;
	bool one_source;	/* every packet is of the same connection */
};

static void *strike(void *context)
{
	struct hammer *hammer = context;
	struct __sk_buff at = { .ifindex = hammer->ifindex, .ingress_ifindex = hammer->origin };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = hammer->frame.bytes, .data_size_in = (uint32_t)hammer->frame.length,
		    .ctx_in = &at, .ctx_size_in = sizeof(at));
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)hammer->cpu, &cpus);
	if (pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus) != 0)
		hammer->error = ENOSYS;
	pthread_barrier_wait(hammer->start);
	for (unsigned int i = 0; i < STROKES && !hammer->error; i++) {
		unsigned int port = 1000 + i * HAMMERS + (unsigned int)hammer->cpu;

		if (!hammer->one_source) {	/* behind Ethernet and an IPv4 header without options */
			hammer->frame.bytes[34] = (uint8_t)(port >> 8);
			hammer->frame.bytes[35] = (uint8_t)port;
		}
		options.data_out = NULL;
		if (bpf_prog_test_run_opts(hammer->world->dataplane->program_fd[PROGRAM_INGRESS], &options) < 0)
			hammer->error = errno;
		hammer->accepted += options.retval != TC_ACT_SHOT;
	}
	return NULL;
}

static bool hammer_with(struct world *world, const char *packet, bool one_source, unsigned int *ret_accepted, char *problem, size_t size)
{
	static const uint8_t web_mac[6] = { 2, 0, 0, 0, 0, 2 }, bridge_mac[6] = { 2, 0, 0, 0, 0xff, 1 };
	struct hammer hammers[HAMMERS] = {};
	pthread_barrier_t start;

	*ret_accepted = 0;
	pthread_barrier_init(&start, NULL, HAMMERS);
	for (int i = 0; i < HAMMERS; i++) {
		hammers[i] = (struct hammer){ .world = world, .start = &start, .cpu = i, .one_source = one_source,
					      .ifindex = if_nametoindex("web"), .origin = if_nametoindex("uplink") };
		if (!frame_build(packet, bridge_mac, web_mac, &hammers[i].frame, problem))
			return false;
	}
	for (int i = 0; i < HAMMERS; i++)
		if (pthread_create(&hammers[i].thread, NULL, strike, &hammers[i]) != 0)
			abort();
	for (int i = 0; i < HAMMERS; i++) {
		pthread_join(hammers[i].thread, NULL);
		*ret_accepted += hammers[i].accepted;
		if (hammers[i].error)
			snprintf(problem, size, "BPF_PROG_RUN on CPU %d: %s", i, strerror(hammers[i].error));
	}
	pthread_barrier_destroy(&start);
	return !problem[0];
}

static void hammer(struct world *world, const char *name, const char *packet, bool one_source, const char *open, const char *end)
{
	char problem[512] = "";
	struct error error = {};
	unsigned int accepted;

	if (!world_policy(world, "hammer", &error))
		snprintf(problem, sizeof(problem), "%s", error.text);
	world_reset(world);
	if (!problem[0] && hammer_with(world, packet, one_source, &accepted, problem, sizeof(problem)) && accepted != STROKES)
		snprintf(problem, sizeof(problem), "%u were accepted, not %u", accepted, STROKES);
	if (!problem[0] && !act_open(world, open))
		snprintf(problem, sizeof(problem), "%s connections are not counted", open);
	if (!problem[0] && end && hammer_with(world, end, one_source, &accepted, problem, sizeof(problem)) && !act_open(world, "0"))
		snprintf(problem, sizeof(problem), "connections that have ended are counted");
	tap(!problem[0], name, "%s", problem);
}

void run_limits(struct world *world)
{
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (!CPU_ISSET(0, &cpus) || !CPU_ISSET(1, &cpus)) {
		printf("# skipped: two CPUs at one bucket: there are none\n");
		return;
	}
	hammer(world, "two CPUs at one rate: accepted is what is allowed, to the packet", "192.0.2.9:1 -> 198.18.0.2:80 tcp S", false, "0", NULL);
	hammer(world, "two CPUs at one count of connections, up and down", "192.0.2.9:1 -> 198.18.0.2:81 tcp S", false, "5000",
	       "192.0.2.9:1 -> 198.18.0.2:81 tcp R");
	hammer(world, "two CPUs at one rate of packets, in one connection", "192.0.2.9:1 -> 198.18.0.2:82 udp", true, "0", NULL);
}
