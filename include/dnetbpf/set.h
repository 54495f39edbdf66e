/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which sets an address is in. The sets of a policy divide the addresses into ranges; all addresses of a range are in the same
 * sets, which is their class. A class is a number that stands for one combination of sets and is never given out again while
 * the pins live; 0 is "in none". Rulesets map classes to rows (`peer_rows`, kind SET_CLASS).
 *
 * Map `sets`, an array of maps: index = table * DNET_SET_FAMILIES + family. Table number is the arena for sets; DNET_TABLE_COUNTRIES has the
 * countries, for every policy, and the class of an address there is dnet_country(), 0: unknown. Each inner map is an array of 64-bit words that is
 * written once, before it is entered, and then never changes:
 *   word 0		how many ranges there are, at least 1
 *   DNET_SET_INDEX	65,537 32-bit numbers, two a word, low half first: for the top 16 bits of an address (host byte order),
 *			the number of the range that holds the first address with these bits; the last one is the count
 *   DNET_SET_RANGES	the ranges, sorted; the first begins with address 0, each ends where the next begins:
 *			IPv4: one word, first address << 32 | class; IPv6: three words, first address (high, low), class
 * So a lookup is a binary search among the ranges index[top] .. index[top + 1]. (Direct index and ranges: DXR, Zec, Rizzo,
 * Mikuc, CCR 2012.)
 */
#ifndef DNETBPF_SET_H
#define DNETBPF_SET_H

#include <linux/bpf.h>

#include <dnetbpf/abi.h>
#include <dnetbpf/limits.h>
#include <dnetbpf/policy.h>

enum dnet_set_family {
	DNET_SET_V4 = 0,
	DNET_SET_V6 = 1,
	DNET_SET_FAMILIES = 2,
};

#define DNET_TABLE_COUNTRIES DNET_ARENAS
#define DNET_TABLES (DNET_ARENAS + 1)

/* Two capital letters (ISO 3166-1 alpha-2). */
static inline __u32 dnet_country(const char *code)
{
	return (__u32)(unsigned char)code[0] << 8 | (unsigned char)code[1];
}

/* Of each inner map; the kernel enters none with others. */
#define DNET_SET_MAP_FLAGS	(BPF_F_MMAPABLE | BPF_F_INNER_MAP)

#define DNET_SET_INDEX		1
#define DNET_SET_RANGES		(DNET_SET_INDEX + 65538 / 2)
#define DNET_SET_V4_WORDS	1
#define DNET_SET_V6_WORDS	3

static inline __u32 dnet_set_words(__u32 family, __u32 ranges)
{
	return DNET_SET_RANGES + ranges * (family == DNET_SET_V4 ? DNET_SET_V4_WORDS : DNET_SET_V6_WORDS);
}

#endif
