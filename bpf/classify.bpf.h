/* SPDX-License-Identifier: GPL-2.0 */
/* From a ruleset and a question to the first matching rule. Reads tables, writes nothing but the answer. */
#ifndef DNETBPF_CLASSIFY_BPF_H
#define DNETBPF_CLASSIFY_BPF_H

#include "maps.bpf.h"
#include "packet.bpf.h"
#include "place.bpf.h"
#include "set.bpf.h"

/* Rows whose OR is "the peer matches", and the port's. */
enum {
	ROW_CLASS,
	ROW_GROUP,
	ROW_ENDPOINT,
	ROW_INTERFACE,
	ROW_PREFIX,
	ROW_SET,
	ROW_COUNTRY,
	ROW_SELECTOR,
	ROW_COUNT,
};

struct question {
	/* Asked. */
	struct dnet_addr peer;
	__u32 selector;
	__u32 arena;
	__u32 origin_ifindex;		/* that the initiator's packet came from, or DNET_ORIGIN_UNKNOWN */
	__u8 origin_bridged;		/* the bridge forwarded it from another port */
	__u8 asked;			/* enum dnet_direction: whose rules answer */
	__u8 group;			/* the flow's first packet is addressed to a group */
	/* What the peer is. */
	__u8 peer_class;		/* enum dnet_peer_class */
	__u8 scope_known, set_known, country_known;	/* looked up already */
	/* Answered. */
	__u8 layer;			/* enum dnet_layer that denied, or the last that governs */
	__u32 peer_endpoint;		/* id, 0: none */
	__u32 peer_ifindex;		/* that `iface:` may name, 0: none */
	__u32 peer_set_class;		/* valid with set_known */
	__u32 peer_country;		/* valid with country_known */
	__u32 ruleset[DNET_LAYERS];	/* index over all arenas, 0: the layer does not govern */
	__u32 rule[DNET_LAYERS];	/* entry in `rules` that answered, or DNET_NO_RULE */
	__u32 row[ROW_COUNT];		/* of the ruleset at work; not a local variable, whose values the verifier would follow */
	/* Of the limits of the rules, see limits_walk(). */
	__u32 counted[DNET_FLOW_LIMITS];
	__u32 packets_limit[DNET_FLOW_LIMITS];
	__u32 stop;			/* which of them refused, counted through; LIMIT_STEPS: none */
	__u32 refused;			/* index in `limits` of that one */
};

/*
 * What a run knows of its packet, and asks. Not on the stack, which is 512 bytes for all functions that call each other. An attached
 * program runs with bottom halves disabled, so that no other comes between on its CPU; one that explains can be interrupted by them,
 * and has a place of its own.
 */
struct scratch {
	struct packet packet;
	struct question question;
	struct question never;	/* another, that is asked meanwhile: see never_blocked() */
};

enum { SCRATCH_ATTACHED, SCRATCH_EXPLAIN, SCRATCH_COUNT };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_COUNT);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *scratch_of(__u32 whose)
{
	return bpf_map_lookup_elem(&scratches, &whose);
}

/* Index of the lowest set bit of @word, which is not 0. Leiserson, Prokop, Randall, "Using de Bruijn sequences to index a 1
 * in a computer word", 1998; clang 14 has no count-trailing-zeros for BPF. */
static const __u8 de_bruijn_index[64] = {
	0, 1, 48, 2, 57, 49, 28, 3, 61, 58, 50, 42, 38, 29, 17, 4, 62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5,
	63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9, 13, 8, 7, 6,
};

static __always_inline __u32 first_bit(__u64 word)
{
	return de_bruijn_index[((word & -word) * 0x03f79d71b4cb0a89ull) >> 58 & 63];
}

static __always_inline __u64 row_word(__u32 row, __u32 word)
{
	__u32 index = row + word;
	__u64 *value = bpf_map_lookup_elem(&rows, &index);

	return value ? *value : 0;
}

static __always_inline struct dnet_limit *limit_at(__u32 index)
{
	return bpf_map_lookup_elem(&limits, &index);
}

#define SELECTOR_STEPS 19
_Static_assert(DNET_MAX_BOUNDS <= 1 << SELECTOR_STEPS, "the search for a port is too short");

/*
 * The row of a selector: the last bound that is not above it. Bound 0 of a ruleset starts at selector 0, so there is one.
 * Written so that what remains shrinks in the same way on both branches: with low and high the verifier would walk every
 * one of the 2^19 paths.
 */
static __always_inline long selector_row(const struct dnet_ruleset *ruleset, __u32 selector)
{
	__u32 base = ruleset->bound_base, left = ruleset->bound_count, index;
	struct dnet_bound *bound;

	for (int i = 0; i < SELECTOR_STEPS; i++) {
		__u32 half = left / 2;

		if (!half)
			break;
		index = base + half;
		bound = bpf_map_lookup_elem(&bounds, &index);
		if (!bound)
			return -1;
		if (bound->first <= selector)
			base += half;
		left -= half;
	}
	index = base;
	bound = bpf_map_lookup_elem(&bounds, &index);
	return bound ? bound->row : -1;
}

/* Which of the three OUTSIDE classes. What has no place is globally reachable. */
static __always_inline __u32 scope_of_place(__u32 place)
{
	return place == DNET_PLACE_NONE ? DNET_PEER_INTERNET : place == DNET_PLACE_LAN ? DNET_PEER_LAN : DNET_PEER_OUTSIDE;
}

static __always_inline void find_scope(struct question *question)
{
	if (question->peer_class == DNET_PEER_OUTSIDE && !question->scope_known)
		question->peer_class = scope_of_place(place_of(&question->peer));
	question->scope_known = 1;
}

static __always_inline void find_set(struct question *question)
{
	if (!question->set_known)
		question->set_known = set_class_find(&question->peer, question->arena, &question->peer_set_class) == 0;
}

static __always_inline void find_country(struct question *question)
{
	if (!question->country_known)
		question->country_known = set_class_find(&question->peer, DNET_TABLE_COUNTRIES, &question->peer_country) == 0;
}

static __always_inline __u32 peer_row(__u32 ruleset, __u32 kind, __u32 id)
{
	struct dnet_peer_key key = { .ruleset = ruleset, .kind = kind, .id = id };
	__u32 *row = bpf_map_lookup_elem(&peer_rows, &key);

	return row ? *row : 0;
}

/* All rows of the question in this ruleset. Row 0 is never given out: it stands for "none". 0, or -1: a table is missing. */
static __always_inline int find_rows(struct question *question, const struct dnet_ruleset *ruleset, __u32 index)
{
	__u32 flags = ruleset->flags;
	long selector;

	selector = selector_row(ruleset, question->selector);
	if (selector < 0)
		return -1;
	question->row[ROW_SELECTOR] = selector;
	question->row[ROW_CLASS] = ruleset->class_row[question->peer_class & (DNET_PEER_CLASSES - 1)];
	question->row[ROW_GROUP] = question->group ? ruleset->class_row[DNET_PEER_GROUP] : 0;
	question->row[ROW_ENDPOINT] = question->row[ROW_INTERFACE] = question->row[ROW_PREFIX] = question->row[ROW_SET] =
		question->row[ROW_COUNTRY] = 0;
	if (flags & DNET_RULESET_HAS_ENDPOINTS && question->peer_endpoint)
		question->row[ROW_ENDPOINT] = peer_row(index, DNET_PEER_KIND_ENDPOINT, question->peer_endpoint);
	if (flags & DNET_RULESET_HAS_INTERFACES && question->peer_ifindex)
		question->row[ROW_INTERFACE] = peer_row(index, DNET_PEER_KIND_INTERFACE, question->peer_ifindex);
	if (flags & DNET_RULESET_HAS_PREFIXES) {
		struct dnet_prefix_key key = { .prefix_len = 32 + 128, .ruleset_be = bpf_htonl(index), .addr = question->peer };
		__u32 *row = bpf_map_lookup_elem(&prefix_rows, &key);

		if (row)
			question->row[ROW_PREFIX] = *row;
	}
	if (flags & DNET_RULESET_HAS_SETS) {
		if (!question->set_known)
			return -1;
		if (question->peer_set_class)
			question->row[ROW_SET] = peer_row(index, DNET_PEER_KIND_SET_CLASS, question->peer_set_class);
	}
	if (flags & DNET_RULESET_HAS_COUNTRIES) {
		if (!question->country_known)
			return -1;
		if (question->peer_country)
			question->row[ROW_COUNTRY] = peer_row(index, DNET_PEER_KIND_COUNTRY, question->peer_country);
	}
	return 0;
}

/*
 * What a layer's ruleset says: enum dnet_reason. A global function: the verifier checks it once, by itself, and not once for
 * each layer and each path that leads here.
 */
__noinline int decide_layer(struct question *question, __u32 layer)
{
	struct dnet_ruleset *ruleset;
	struct dnet_rule *rule;
	__u32 index, rule_index;

	if (!question || layer >= DNET_LAYERS)
		return DNET_REASON_TABLE_MISSING;
	index = question->ruleset[layer];
	ruleset = bpf_map_lookup_elem(&rulesets, &index);
	if (!ruleset || !ruleset->words || find_rows(question, ruleset, index) < 0)
		return DNET_REASON_TABLE_MISSING;
	for (__u32 word = 0; word < DNET_ROW_WORDS; word++) {
		__u64 match, peers;

		if (word >= ruleset->words)
			break;
		match = row_word(question->row[ROW_SELECTOR], word);
		if (!match)
			continue;
		peers = row_word(question->row[ROW_CLASS], word);
		if (question->row[ROW_GROUP])
			peers |= row_word(question->row[ROW_GROUP], word);
		if (question->row[ROW_ENDPOINT])
			peers |= row_word(question->row[ROW_ENDPOINT], word);
		if (question->row[ROW_INTERFACE])
			peers |= row_word(question->row[ROW_INTERFACE], word);
		if (question->row[ROW_PREFIX])
			peers |= row_word(question->row[ROW_PREFIX], word);
		if (question->row[ROW_SET])
			peers |= row_word(question->row[ROW_SET], word);
		if (question->row[ROW_COUNTRY])
			peers |= row_word(question->row[ROW_COUNTRY], word);
		match &= peers;
		if (!match)
			continue;
		rule_index = ruleset->rule_base + word * 64 + first_bit(match);
		rule = bpf_map_lookup_elem(&rules, &rule_index);
		if (!rule)
			return DNET_REASON_TABLE_MISSING;
		question->rule[layer] = rule_index;
		return rule->action == DNET_RULE_ALLOW ? DNET_REASON_POLICY_ALLOWED : DNET_REASON_POLICY_DENIED;
	}
	return DNET_REASON_DEFAULT_DENIED;
}

#endif
