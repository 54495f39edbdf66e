/* SPDX-License-Identifier: GPL-2.0 */
/* From a ruleset and a question to the first matching rule. Reads tables, writes nothing. */
#ifndef DNETBPF_CLASSIFY_BPF_H
#define DNETBPF_CLASSIFY_BPF_H

#include "maps.bpf.h"
#include "packet.bpf.h"

struct question {
	struct dnet_addr peer;
	__u32 selector;
	__u32 peer_endpoint;		/* id, 0: none */
	__u32 peer_class;		/* enum dnet_peer_class */
	__u32 ruleset[DNET_LAYERS];	/* index over both arenas, 0: the layer does not govern */
	/* Beside the answer: */
	__u32 layer;			/* that denied, or the last that governs */
	__u32 rule_counter[DNET_LAYERS];	/* of the rule that a layer answered with, or DNET_NO_RULE */
};

#define CLASSIFY_NO_MATCH (-1)
#define CLASSIFY_BROKEN (-2)

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

/*
 * The row of a selector: the last bound that is not above it. Bound 0 of a ruleset starts at selector 0, so there is one.
 * Written so that what remains shrinks in the same way on both branches: with low and high the verifier would walk every
 * one of the 2^18 paths.
 */
static __always_inline long selector_row(const struct dnet_ruleset *ruleset, __u32 selector)
{
	__u32 base = ruleset->bound_base, left = ruleset->bound_count, index;
	struct dnet_bound *bound;

	for (int i = 0; i < 18; i++) {	/* 2^18 = DNET_MAX_BOUNDS */
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

/* Rule index within the ruleset, CLASSIFY_NO_MATCH or CLASSIFY_BROKEN. */
static __always_inline int classify(const struct question *question, const struct dnet_ruleset *ruleset, __u32 index)
{
	__u32 endpoint_row = 0, prefix_row = 0;
	__u32 class_row;
	long port_row;

	if (!ruleset->words)
		return CLASSIFY_BROKEN;
	port_row = selector_row(ruleset, question->selector);
	if (port_row < 0)
		return CLASSIFY_BROKEN;
	class_row = ruleset->class_row[question->peer_class & (DNET_PEER_CLASSES - 1)];
	if (ruleset->flags & DNET_RULESET_HAS_ENDPOINTS && question->peer_endpoint) {
		struct dnet_peer_key key = { .ruleset = index, .endpoint_id = question->peer_endpoint };
		__u32 *row = bpf_map_lookup_elem(&peer_rows, &key);

		endpoint_row = row ? *row : 0;
	}
	if (ruleset->flags & DNET_RULESET_HAS_PREFIXES) {
		struct dnet_prefix_key key = { .prefix_len = 32 + 128, .ruleset_be = bpf_htonl(index), .addr = question->peer };
		__u32 *row = bpf_map_lookup_elem(&prefix_rows, &key);

		prefix_row = row ? *row : 0;
	}
	/* Row 0 is never given out: it stands for "none". */
	for (__u32 word = 0; word < DNET_ROW_WORDS; word++) {
		__u64 peers, match;

		if (word >= ruleset->words)
			break;
		peers = row_word(class_row, word);
		if (endpoint_row)
			peers |= row_word(endpoint_row, word);
		if (prefix_row)
			peers |= row_word(prefix_row, word);
		match = peers & row_word(port_row, word);
		if (match)
			return word * 64 + first_bit(match);
	}
	return CLASSIFY_NO_MATCH;
}

#endif
