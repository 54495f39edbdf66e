/* SPDX-License-Identifier: GPL-2.0 */
/* The class of an address in a family's table of sets, or of countries. The layout is in dnetbpf/set.h. */
#ifndef DNETBPF_SET_BPF_H
#define DNETBPF_SET_BPF_H

#include "maps.bpf.h"
#include "packet.bpf.h"

#define SET_STEPS 22
_Static_assert(DNET_MAX_SET_RANGES + 1 <= 1 << SET_STEPS, "the search in a table of sets is too short");

static __always_inline bool set_word(void *table, __u32 index, __u64 *ret)
{
	__u64 *word = bpf_map_lookup_elem(table, &index);

	if (!word)
		return false;
	*ret = *word;
	return true;
}

static __always_inline bool set_index(void *table, __u32 top, __u32 *ret)
{
	__u64 word;

	if (!set_word(table, DNET_SET_INDEX + top / 2, &word))
		return false;
	*ret = top & 1 ? word >> 32 : word;
	return true;
}

/* @table_number: the arena, or DNET_TABLE_COUNTRIES. 0 and *ret, or -1: the table is missing or damaged. A global function: the verifier walks its loop once. */
__noinline int set_class_find(const struct dnet_addr *addr, __u32 table_number, __u32 *ret)
{
	__u32 slot, base, end, left, words;
	__u64 high, low, count, word;
	bool v4;
	void *table;

	if (!addr || !ret)
		return -1;
	v4 = addr_v4_mapped(addr);
	slot = table_number * DNET_SET_FAMILIES + (v4 ? DNET_SET_V4 : DNET_SET_V6);
	words = v4 ? DNET_SET_V4_WORDS : DNET_SET_V6_WORDS;
	/* As the first word of a range has it: IPv4 in its upper half, IPv6 with a second word. */
	high = v4 ? (__u64)bpf_ntohl(addr->word_be[3]) << 32 : bpf_be64_to_cpu(addr->quad[0]);
	low = bpf_be64_to_cpu(addr->quad[1]);
	table = bpf_map_lookup_elem(&sets, &slot);
	if (!table || !set_word(table, 0, &count) || !set_index(table, high >> 48, &base) || !set_index(table, (high >> 48) + 1, &end))
		return -1;
	/* The range `end` begins with the next top bits or before; behind the last one there is none. */
	left = end - base + (end < count);
	for (int i = 0; i < SET_STEPS; i++) {
		__u32 half = left / 2, at;
		bool beyond;

		if (!half)
			break;
		at = DNET_SET_RANGES + (base + half) * words;
		if (!set_word(table, at, &word))
			return -1;
		if (v4) {
			beyond = word >> 32 > high >> 32;
		} else {
			beyond = word > high;
			if (word == high) {
				if (!set_word(table, at + 1, &word))
					return -1;
				beyond = word > low;
			}
		}
		if (!beyond)
			base += half;
		left -= half;
	}
	if (!set_word(table, DNET_SET_RANGES + base * words + words - 1, &word))
		return -1;
	*ret = word;
	return 0;
}

#endif
