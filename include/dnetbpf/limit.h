/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits of rules. They are asked when every layer allows, and only then charged.
 *
 * `rate` and `packets` are GCRA (ITU-T I.371) on one word, the theoretical arrival time: something that comes at @now conforms when
 * tat <= now + tolerance, and then tat = max(tat, now) + period. period = unit / count, tolerance = (burst - 1) * period, so that
 * it is a token bucket of @burst tokens that is full at first and gets one token each period, as hashlimit's is.
 * `conns` is a count of the connections that are open.
 */
#ifndef DNETBPF_LIMIT_H
#define DNETBPF_LIMIT_H

#include <linux/bpf.h>

#include <dnetbpf/abi.h>
#include <dnetbpf/limits.h>

enum dnet_limit_kind {
	DNET_LIMIT_RATE = 0,	/* new connections */
	DNET_LIMIT_CONNS = 1,	/* connections at once */
	DNET_LIMIT_PACKETS = 2,	/* packets of the initiator, inside and outside of connections */
};

#define DNET_LIMIT_PER_PEER	(1u << 0)	/* one bucket for each source (ingress) or destination (egress) prefix; else one for all */
#define DNET_LIMIT_BAN_HOST	(1u << 1)	/* the ban holds at every endpoint, not at this one alone */

/* Map `limits`, an array: index = arena * DNET_MAX_LIMITS + local; local 0 is not used. Those of a rule stand together. */
struct dnet_limit {
	__u64 period_ns;	/* RATE, PACKETS */
	__u64 tolerance_ns;
	__u32 most;		/* CONNS */
	__u32 id;		/* names the limit over reloads and restarts, and with it its buckets; from 1, never reused */
	__u8 kind;		/* enum dnet_limit_kind */
	__u8 flags;
	__u8 v4_len, v6_len;	/* bits of the address that share a bucket, with PER_PEER, and a ban: 0 to 32, 0 to 128 */
	__u32 ban_sec;		/* who exceeds it is banned for so long, see dnetbpf/block.h; 0: is only refused */
	__u32 rule_counter;	/* of its rule, as in dnet_rule */
	__u8 layer;		/* enum dnet_layer of its rule */
	__u8 reserved[3];
};
DNET_ASSERT_SIZE(struct dnet_limit, 40);

#define DNET_MAX_RULE_LIMITS 3	/* each kind once */

/*
 * Map `buckets`, an array of groups of DNET_BUCKET_WAYS. A bucket belongs to (endpoint id, limit id, masked address), by a keyed
 * 64-bit hash (dnet_state.bucket_seed) whose low bits choose the group; the hash is its tag, 0 is an empty one. Everything in a
 * group is read and written under its lock.
 *
 * Who is forgotten when a group is full: first an empty one, then a rate's bucket that is full again (tat <= now: nothing is lost),
 * then the rate's bucket with the least debt, which is counted as an eviction. Counts that are not 0 are never given up: when
 * nothing else is there, the reason is LIMIT_TABLE_FULL.
 */
#define DNET_BUCKET_WAYS 8
#define DNET_BUCKET_IS_COUNT (1ull << 63)	/* in `word`: a count and no arrival time */

struct dnet_bucket {
	__u64 tag;
	__u64 word;	/* theoretical arrival time, CLOCK_MONOTONIC ns; or DNET_BUCKET_IS_COUNT | count */
};

struct dnet_bucket_group {
	struct bpf_spin_lock lock;
	__u32 reserved;
	struct dnet_bucket bucket[DNET_BUCKET_WAYS];
};
DNET_ASSERT_SIZE(struct dnet_bucket_group, 8 + DNET_BUCKET_WAYS * 16);

/* Map `limit_exceeded`, a hash: how often a limit has refused at an endpoint, or would have under audit. The value is a u64. */
struct dnet_exceeded_key {
	__u32 endpoint_id;
	__u32 limit_id;
};
DNET_ASSERT_SIZE(struct dnet_exceeded_key, 8);

#endif
