/* SPDX-License-Identifier: GPL-2.0 */
/* Counters. Packets and bytes are those of the wire: a GSO packet counts its segments and their headers. */
#ifndef DNETBPF_COUNTER_H
#define DNETBPF_COUNTER_H

#include <dnetbpf/abi.h>
#include <dnetbpf/direction.h>
#include <dnetbpf/flow.h>
#include <dnetbpf/reason.h>

struct dnet_counter {
	__u64 packets;
	__u64 bytes;
};
DNET_ASSERT_SIZE(struct dnet_counter, 16);

/*
 * Map `pass_counters`, a per-CPU array by endpoint slot: packets that pass, every one. Slot 0 counts interfaces without an
 * endpoint. Ids of class PASS are below DNET_PASS_SPAN.
 */
#define DNET_PASS_SPAN 16
static inline __u32 dnet_pass_index(__u32 slot, __u32 direction, __u32 reason)
{
	return (slot * DNET_DIRECTIONS + direction) * DNET_PASS_SPAN + reason;
}

/*
 * Map `deny_counters`, an array with atomic adds: what the other classes count. One for all CPUs, because a copy per CPU of
 * every reason would take gigabytes on a large host. The second half holds would_deny and, for FAIL, what on-failure: open
 * let pass.
 */
#define DNET_DENY_SPAN (DNET_REASON_SPAN - DNET_PASS_SPAN)
static inline __u32 dnet_deny_index(__u32 slot, __u32 direction, __u32 verdict, __u32 reason)
{
	return ((slot * DNET_DIRECTIONS + direction) * 2 + (verdict != DNET_DENY)) * DNET_DENY_SPAN + reason - DNET_PASS_SPAN;
}

/* Map `event_budgets`, an array by endpoint slot. The bucket is one GCRA word: the theoretical arrival time. */
struct dnet_event_budget {
	__u64 theoretical_arrival_ns;
	__u64 suppressed;	/* events that the budget held back */
	__u64 sent;
};
DNET_ASSERT_SIZE(struct dnet_event_budget, 24);

/* Map `state`, an array of one. Written by the user side, where it does not say otherwise. */
struct dnet_state {
	/* What every packet reads, in one cache line. */
	__u32 abi_version;
	__u32 version;		/* the arena in force is version % DNET_ARENAS */
	__u32 generation;	/* raised when endpoints or policies change: flows are judged again */
	__u32 unknown_deny;	/* defaults.unknown */
	__u32 block_epoch;	/* see dnetbpf/block.h; raised by both sides */
	__u32 next_endpoint_id;
	__u64 blocked_until_ns;	/* see dnetbpf/block.h; raised by both sides, lowered by the user side */
	__u32 timeout_sec[DNET_TIMEOUT_COUNT];	/* idle times of flows; 0: the standard one of DNET_TIMEOUTS */
	/* The second line. */
	__u64 netns_cookie;	/* of the network namespace that is enforced */
	__u64 bucket_seed[2];	/* random, made with the pins: nobody outside can aim at a bucket */
	__u32 next_set_class;	/* classes of sets below it have been given out, see dnetbpf/set.h; at least 1 */
	__u32 next_limit_id;	/* ids of limits below it have been given out; at least 1 */
	__u64 reserved[4];
	/* Written by the kernel side, in a line of their own. */
	__u64 events_lost;	/* the ring buffer was full */
	__u64 flow_inserts;	/* entries ever made in `flows` */
	__u64 bucket_evictions;	/* buckets with debt that were given up for others */
	__u64 bans;		/* that were set */
	__u64 bans_refused;	/* the table of blocks was full */
};
_Static_assert(__builtin_offsetof(struct dnet_state, events_lost) % 64 == 0, "counters share a cache line with what every packet reads");
DNET_ASSERT_SIZE(struct dnet_state, 168);

#endif
