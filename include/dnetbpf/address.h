/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses are 16 bytes in network order; IPv4 as ::ffff:a.b.c.d, so that there is one path for both families. */
#ifndef DNETBPF_ADDRESS_H
#define DNETBPF_ADDRESS_H

#include <dnetbpf/abi.h>

#define DNET_V4_PREFIX_OFFSET 96	/* an IPv4 prefix /n is /(n + 96) here */

struct dnet_addr {
	union {
		__u8 byte[16];
		__be16 half_be[8];
		__be32 word_be[4];
		__u64 quad[2] __attribute__((packed, aligned(4)));	/* for comparison only: the order is the machine's. Keys pack an address at offset 4 */
	};
};
DNET_ASSERT_SIZE(struct dnet_addr, 16);

/*
 * Map `addresses`: which endpoint has an address. Each address is entered under its own bridge, and under bridge 0 if no
 * other endpoint has the same address (then it can be found from other networks and from the host).
 */
struct dnet_address_key {
	struct dnet_addr addr;
	__u32 bridge_ifindex;
};
DNET_ASSERT_SIZE(struct dnet_address_key, 20);

/* Map `places` (LPM): what an address is that is no endpoint's. The host and Docker come first: an entry of the registries
 * inside a Docker subnet is left out. What has no entry at all is globally reachable. */
enum dnet_place {
	DNET_PLACE_NONE = 0,
	DNET_PLACE_HOST = 1,	/* an address of this host, every bridge's gateway address included */
	DNET_PLACE_DOCKER = 2,	/* inside the subnet of a Docker network */
	DNET_PLACE_LAN = 3,	/* private-use, shared (CGNAT), link-local, unique-local; without metadata addresses */
	DNET_PLACE_SPECIAL = 4,	/* not globally reachable by IANA's special-purpose registries, or a metadata address */
};

struct dnet_place_key {
	__u32 prefix_len;	/* 0 to 128 */
	struct dnet_addr addr;
};
DNET_ASSERT_SIZE(struct dnet_place_key, 20);

#endif
