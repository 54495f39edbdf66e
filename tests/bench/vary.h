/* SPDX-License-Identifier: GPL-2.0 */
/* Which connection a repetition is: for the programs that make the packets, and for the set that their sources are in. */
#ifndef DNETBPF_TESTS_VARY_H
#define DNETBPF_TESTS_VARY_H

#include <linux/types.h>

/* Odd, and no factor of the counts that it is taken modulo: every number once, in an order that no cache likes. */
#define VARY_STRIDE 40503u
#define VARY_SCATTER 2654435761u	/* odd: a permutation of the 32-bit numbers */

/* Of a connection: each of 64,512 has another one. */
static inline __u16 vary_port(__u32 number)
{
	return 1024 + number * 7919u % 64512;
}

/* Member @number of a set of IPv4 addresses that is spread over all of them; host byte order. */
static inline __u32 vary_v4(__u32 number)
{
	return (number + 1) * VARY_SCATTER;
}

/* Member @number of a set of IPv6 prefixes, /48: its upper half. Over 32 values of the first 16 bits, as registries give them out. */
static inline __u64 vary_v6(__u32 number)
{
	return (__u64)(0x2a00 + (number & 31)) << 48 | (__u64)((number + 1) * VARY_SCATTER) << 16;
}

#endif
