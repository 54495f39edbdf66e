/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits of rules: buckets, what a new connection is charged, what a packet is charged. The contract is in dnetbpf/limit.h.
 *
 * What loops is a global function, which the verifier checks once. A bucket is only touched under its group's lock, and under that
 * no function can be called: the hash and the time come first.
 */
#ifndef DNETBPF_LIMIT_BPF_H
#define DNETBPF_LIMIT_BPF_H

#include "classify.bpf.h"
#include "maps.bpf.h"

#define BUCKET_COUNT_MASK (DNET_BUCKET_IS_COUNT - 1)

enum bucket_act {
	BUCKET_ASK,	/* would it conform? Nothing changes. */
	BUCKET_CHARGE,	/* if it conforms */
	BUCKET_FORCE,	/* count without asking */
	BUCKET_UNDO,	/* take a charge back */
};

/* What is done stands in the low byte; in the upper half how many packets a `packets` limit is charged for: a GSO packet is as many on
 * the wire, and conforms or not as one, because else one larger than the burst never would. */
#define ACT_PACKETS(count) ((count) << 16)
#define ACT(word) ((word) & 0xff)

static __always_inline __u64 rotate_left(__u64 word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static __always_inline void sip_round(__u64 v[4])
{
	v[0] += v[1];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[3];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[2] = rotate_left(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein, 2012) of three words. 0 stands for an empty bucket, and is none's. */
static __always_inline __u64 bucket_tag(const __u64 seed[2], __u64 first, __u64 second, __u64 third)
{
	__u64 v[4] = { seed[0] ^ 0x736f6d6570736575ull, seed[1] ^ 0x646f72616e646f6dull, seed[0] ^ 0x6c7967656e657261ull,
		       seed[1] ^ 0x7465646279746573ull };
	const __u64 words[4] = { first, second, third, 24ull << 56 };
	__u64 tag;

#pragma unroll
	for (int i = 0; i < 4; i++) {
		v[3] ^= words[i];
		sip_round(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
#pragma unroll
	for (int i = 0; i < 3; i++)
		sip_round(v);
	tag = v[0] ^ v[1] ^ v[2] ^ v[3];
	return tag ? tag : 1;
}

/* The first @bits bits of a quad of an address. */
static __always_inline __u64 masked(__u64 quad, __u32 bits)
{
	return bits >= 64 ? quad : bits ? quad & bpf_cpu_to_be64(~0ull << (64 - bits)) : 0;
}

static __always_inline enum dnet_reason limit_reason(__u8 kind)
{
	return kind == DNET_LIMIT_CONNS ? DNET_REASON_TOO_MANY_CONNECTIONS :
	       kind == DNET_LIMIT_PACKETS ? DNET_REASON_PACKET_RATE : DNET_REASON_RATE_LIMITED;
}

/* This and the next are functions of their own so that what they hold is on nobody else's stack, see decide(). */
static __noinline __u64 tag_of(const struct dnet_limit *limit, const struct dnet_addr *peer, __u32 endpoint_id)
{
	__u64 first = 0, second = 0;
	__u32 zero = 0;
	struct dnet_state *current = bpf_map_lookup_elem(&state, &zero);

	if (!current)
		return 0;
	if (limit->flags & DNET_LIMIT_PER_PEER) {
		__u32 bits = addr_v4_mapped(peer) ? DNET_V4_PREFIX_OFFSET + limit->v4_len : limit->v6_len;

		first = masked(peer->quad[0], bits);
		second = masked(peer->quad[1], bits > 64 ? bits - 64 : 0);
	}
	return bucket_tag(current->bucket_seed, first, second, (__u64)endpoint_id << 32 | limit->id);
}

static __noinline void count_exceeded(__u32 endpoint_id, __u32 limit_id)
{
	struct dnet_exceeded_key key = { .endpoint_id = endpoint_id, .limit_id = limit_id };
	__u64 none = 0, *count = bpf_map_lookup_elem(&limit_exceeded, &key);

	if (!count) {
		bpf_map_update_elem(&limit_exceeded, &key, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&limit_exceeded, &key);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
}

/*
 * The bucket with a tag, for a limit. Returns its place, 1 + group * DNET_BUCKET_WAYS + way, which is 0 when there was nothing to undo;
 * or minus the reason why not.
 */
__noinline int bucket_use(const struct dnet_limit *limit, __u64 tag, __u32 word_of_act)
{
	__u32 act = ACT(word_of_act), packets = word_of_act >> 16, zero = 0, index = tag & (DNET_BUCKET_GROUPS - 1), victim = 0;
	__u64 now = 0, word, cost, least = ~0ull;
	struct dnet_bucket_group *group = bpf_map_lookup_elem(&buckets, &index);
	struct dnet_state *writable;
	bool is_count, found = false, refused = false, evicted = false;

	if (!limit || !group)
		return -DNET_REASON_TABLE_MISSING;
	is_count = limit->kind == DNET_LIMIT_CONNS;
	cost = limit->period_ns * (limit->kind == DNET_LIMIT_PACKETS && packets ? packets : 1);
	if (!is_count)
		now = bpf_ktime_get_ns();

	bpf_spin_lock(&group->lock);
	for (__u32 way = 0; way < DNET_BUCKET_WAYS; way++) {
		__u64 weight = group->bucket[way].tag ? group->bucket[way].word : 0;

		if (group->bucket[way].tag == tag) {
			found = true;
			victim = way;
			break;
		}
		/* Empty ones first, then the smallest time of arrival, which a rate that is full again has; counts are larger than all. */
		if (weight < least) {
			least = weight;
			victim = way;
		}
	}
	victim &= DNET_BUCKET_WAYS - 1;
	word = found ? group->bucket[victim].word : is_count ? DNET_BUCKET_IS_COUNT : 0;
	if (!found && act == BUCKET_UNDO)
		goto nothing;
	if (!found && least >= DNET_BUCKET_IS_COUNT)
		goto full;
	if (is_count) {
		refused = act != BUCKET_FORCE && (word & BUCKET_COUNT_MASK) >= limit->most;
		word++;
	} else if (act == BUCKET_UNDO) {
		word -= cost;
	} else {
		refused = word > now && word - now > limit->tolerance_ns;
		word = (word > now ? word : now) + cost;
	}
	if (!refused && act != BUCKET_ASK) {
		evicted = !found && least;
		group->bucket[victim].tag = tag;
		group->bucket[victim].word = word;
	}
	bpf_spin_unlock(&group->lock);

	/* A count has not asked for the time before. */
	if (evicted && least > (is_count ? bpf_ktime_get_ns() : now)) {
		writable = bpf_map_lookup_elem(&state, &zero);
		if (writable)
			__sync_fetch_and_add(&writable->bucket_evictions, 1);
	}
	return refused ? -(int)limit_reason(limit->kind) : (int)(1 + index * DNET_BUCKET_WAYS + victim);
nothing:
	bpf_spin_unlock(&group->lock);
	return 0;
full:
	bpf_spin_unlock(&group->lock);
	return -DNET_REASON_LIMIT_TABLE_FULL;
}

/*
 * Correct the count at a place (see bucket_use()): to @count if it is @expected now; with @expected 0, take one connection out. A
 * count of 0 is an empty bucket. Returns 1 if it changed something.
 */
__noinline int count_correct(__u32 place, __u32 expected, __u32 count)
{
	__u32 index = (place - 1) / DNET_BUCKET_WAYS, way = (place - 1) % DNET_BUCKET_WAYS;
	struct dnet_bucket_group *group;
	__u64 word;
	int changed = 0;

	if (!place)
		return 0;
	group = bpf_map_lookup_elem(&buckets, &index);
	if (!group)
		return 0;
	way &= DNET_BUCKET_WAYS - 1;
	bpf_spin_lock(&group->lock);
	word = group->bucket[way].word;
	if (word & DNET_BUCKET_IS_COUNT && (expected ? word == (DNET_BUCKET_IS_COUNT | expected) : (word & BUCKET_COUNT_MASK) != 0)) {
		word = expected ? DNET_BUCKET_IS_COUNT | count : word - 1;
		if (!(word & BUCKET_COUNT_MASK))
			group->bucket[way].tag = word = 0;
		group->bucket[way].word = word;
		changed = 1;
	}
	bpf_spin_unlock(&group->lock);
	return changed;
}

static __always_inline void count_give_back(__u32 place)
{
	if (place)
		count_correct(place, 0, 0);
}

/* A limit for a peer of an endpoint: as bucket_use(). What is refused is counted, but for what is only asked. */
static __always_inline int limit_use(const struct dnet_limit *limit, const struct dnet_addr *peer, __u32 endpoint_id, __u32 act)
{
	int place = bucket_use(limit, tag_of(limit, peer, endpoint_id), act);

	if (place < 0 && ACT(act) == BUCKET_CHARGE)
		count_exceeded(endpoint_id, limit->id);
	return place;
}

/* Take a connection out of all counts that it is in. Only who gets a place by exchange gives it back. */
static __noinline bool flow_give_back(struct dnet_flow *flow)
{
	bool counted = false;

	for (int end = 0; end < 2; end++)
		for (int i = 0; i < DNET_FLOW_LIMITS; i++) {
			__u32 place = flow->end[end].counted[i];

			if (!place)	/* what most have: leave the line clean */
				continue;
			place = __sync_lock_test_and_set(&flow->end[end].counted[i], 0);
			count_give_back(place);
			counted = true;
		}
	return counted;
}

/*
 * Charge a packet of a known connection. @first, @second: `packets` limits, 0: none; @act: BUCKET_ASK or
 * BUCKET_CHARGE, and ACT_PACKETS(). 0; or why not, with PACKETS_SECOND when it was the second.
 */
#define PACKETS_SECOND 0x100
__noinline int packets_ask(__u32 first, __u32 second, const struct dnet_addr *peer, __u32 endpoint_id, __u32 act)
{
	int refused = 0;

	if (!peer)
		return DNET_REASON_TABLE_MISSING;
#pragma clang loop unroll(disable)
	for (int i = 0; i < DNET_FLOW_LIMITS + 1; i++) {
		/* The third time, what the first was charged is taken back: the second has refused. */
		__u32 index = i == 1 ? second : first;
		struct dnet_limit *limit;
		int place;

		if (!index || (i == 2 && (!refused || ACT(act) != BUCKET_CHARGE)))
			continue;
		limit = limit_at(index);
		if (!limit)
			return DNET_REASON_TABLE_MISSING;
		place = limit_use(limit, peer, endpoint_id, i == 2 ? (act & ~0xffu) | BUCKET_UNDO : act);
		if (place < 0 && i == 0)
			return -place;
		if (place < 0 && i == 1)
			refused = -place | PACKETS_SECOND;
	}
	return refused;
}

enum limits_act {
	LIMITS_ASK,	/* of a new connection, for explain */
	LIMITS_CHARGE,	/* a new connection: all or nothing */
	LIMITS_COUNT,	/* one that is judged again: it is counted and cannot be refused */
	LIMITS_NOTE,	/* only note its `packets` limits */
	LIMITS_UNDO,	/* take back what LIMITS_CHARGE did up to question->stop */
};
#define LIMITS_PACKET 0x100u	/* the packet is the initiator's: `packets` asks too, see ACT_PACKETS() */

#define LIMIT_STEPS (DNET_FLOW_LIMITS * DNET_MAX_RULE_LIMITS)

/* A rule by hand stands in the file's list and in the labels', and is asked once. */
static __always_inline bool same_rule(const struct question *question)
{
	__u32 file = question->rule[DNET_LAYER_FILE], labels = question->rule[DNET_LAYER_LABELS];
	struct dnet_rule *a = bpf_map_lookup_elem(&rules, &file), *b = bpf_map_lookup_elem(&rules, &labels);

	return a && b && a->counter != DNET_NO_RULE && a->counter == b->counter;
}

/* The limit of a step, or NULL. Steps 0 to 2 are the file's rule, the others the labels'. */
static __always_inline struct dnet_limit *step_limit(const struct question *question, __u32 step, __u32 *ret_index)
{
	__u32 labels = step >= DNET_MAX_RULE_LIMITS, number = labels ? step - DNET_MAX_RULE_LIMITS : step;
	__u32 index = question->rule[labels ? DNET_LAYER_LABELS : DNET_LAYER_FILE];
	struct dnet_rule *rule = bpf_map_lookup_elem(&rules, &index);	/* DNET_NO_RULE is beyond its end */

	if (!rule || number >= rule->limit_count)
		return NULL;
	index = rule->limit_base + number;
	*ret_index = index;
	return bpf_map_lookup_elem(&limits, &index);
}

/*
 * The limits of the rules that let the question pass, in order; charges are taken back by a second call, with LIMITS_UNDO, after one was
 * refused (each bucket is exact, and what is refused costs nothing). Notes in the question what the flow's end is to remember.
 * 0, or why not.
 */
__noinline int limits_walk(struct question *question, __u32 endpoint_id, __u32 act)
{
	__u32 does = ACT(act), steps = LIMIT_STEPS;

	if (!question)
		return DNET_REASON_TABLE_MISSING;
	if (does == LIMITS_UNDO) {
		steps = question->stop;
		count_give_back(question->counted[0]);
		count_give_back(question->counted[1]);
	} else {
		question->packets_limit[0] = question->packets_limit[1] = 0;
		question->stop = LIMIT_STEPS;
	}
	question->counted[0] = question->counted[1] = 0;
	if (steps > DNET_MAX_RULE_LIMITS && same_rule(question))
		steps = DNET_MAX_RULE_LIMITS;
	for (__u32 step = 0; step < LIMIT_STEPS; step++) {
		__u32 index = 0, slot = step >= DNET_MAX_RULE_LIMITS, use = BUCKET_CHARGE;
		struct dnet_limit *limit;
		int place;

		/* Else the compiler makes a loop for each act, which needs twice the stack. */
		asm volatile("" : "+r"(act));
		if (step >= steps)
			break;
		limit = step_limit(question, step, &index);
		if (!limit)
			continue;
		does = ACT(act);
		if (limit->kind == DNET_LIMIT_PACKETS) {
			question->packets_limit[slot] = index;
			if (!(act & LIMITS_PACKET))
				continue;
		}
		if (does == LIMITS_NOTE || (does == LIMITS_COUNT && limit->kind != DNET_LIMIT_CONNS) ||
		    (does == LIMITS_UNDO && limit->kind == DNET_LIMIT_CONNS))
			continue;
		if (does == LIMITS_ASK)
			use = BUCKET_ASK;
		if (does == LIMITS_COUNT)
			use = BUCKET_FORCE;
		if (does == LIMITS_UNDO)
			use = BUCKET_UNDO;
		use |= act & ~0xffffu;
		place = limit_use(limit, &question->peer, endpoint_id, use);
		if (place >= 0 && limit->kind == DNET_LIMIT_CONNS && ACT(use) != BUCKET_ASK)
			question->counted[slot] = place;
		if (place < 0 && ACT(use) != BUCKET_FORCE) {
			question->stop = step;
			question->refused = index;
			question->layer = slot ? DNET_LAYER_LABELS : DNET_LAYER_FILE;
			return -place;
		}
	}
	return 0;
}

#endif
