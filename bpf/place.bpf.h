/* SPDX-License-Identifier: GPL-2.0 */
/* Whose an interface or an address is. */
#ifndef DNETBPF_PLACE_BPF_H
#define DNETBPF_PLACE_BPF_H

#include "maps.bpf.h"
#include "packet.bpf.h"

static __always_inline const struct dnet_endpoint *endpoint_of(__u32 ifindex, __u32 *ret_slot)
{
	struct dnet_endpoint *endpoint;
	__u32 *slot = bpf_map_lookup_elem(&links, &ifindex);

	*ret_slot = 0;
	if (!slot)
		return NULL;
	endpoint = bpf_map_lookup_elem(&endpoints, slot);
	if (!endpoint || endpoint->ifindex != ifindex)
		return NULL;
	*ret_slot = *slot;
	return endpoint;
}

/* DNET_BRIDGE_*; 0: it is no Docker bridge. */
static __always_inline __u32 bridge_flags(__u32 ifindex)
{
	__u32 *flags = bpf_map_lookup_elem(&bridges, &ifindex);

	return flags ? *flags | DNET_BRIDGE_KNOWN : 0;
}

/* The endpoint with this address, by id; 0: none. */
static __always_inline __u32 owner_of(const struct dnet_addr *addr, __u32 bridge_ifindex)
{
	struct dnet_address_key key = { .addr = *addr, .bridge_ifindex = bridge_ifindex };
	__u32 *id = bpf_map_lookup_elem(&addresses, &key);

	return id ? *id : 0;
}

static __always_inline __u32 place_of(const struct dnet_addr *addr)
{
	struct dnet_place_key key = { .prefix_len = 128, .addr = *addr };
	__u32 *place = bpf_map_lookup_elem(&places, &key);

	return place ? *place : DNET_PLACE_NONE;
}

#endif
