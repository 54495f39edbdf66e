/* SPDX-License-Identifier: GPL-2.0 */
/* The layer-2 guard: what a container sends must come from itself, or names could be spoofed. */
#ifndef DNETBPF_GUARD_BPF_H
#define DNETBPF_GUARD_BPF_H

#include "maps.bpf.h"
#include "packet.bpf.h"
#include "place.bpf.h"

static __always_inline bool mac_same(const __u8 *a, const __u8 *b)
{
	return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) | (a[5] ^ b[5])) == 0;
}

static __always_inline bool link_local(const struct dnet_addr *addr)
{
	return addr->byte[0] == 0xfe && (addr->byte[1] & 0xc0) == 0x80;
}

/* A v6 link-local address is not Docker's: it may be used as long as nobody else owns it. */
static __always_inline bool owns(const struct dnet_endpoint *endpoint, const struct dnet_addr *addr)
{
	__u32 owner = owner_of(addr, endpoint->bridge_ifindex);

	if (owner)
		return owner == endpoint->id;
	return link_local(addr) && place_of(addr) != DNET_PLACE_HOST;
}

static __noinline enum dnet_reason guard_arp(struct __sk_buff *skb, const struct dnet_endpoint *endpoint)
{
	struct {
		__be16 hardware, protocol;
		__u8 hardware_len, protocol_len;
		__be16 operation;
		__u8 sender_mac[6], sender_ip[4];
	} arp;	/* RFC 826, Ethernet and IPv4 */
	struct dnet_addr sender;
	__be32 v4;

	if (bpf_skb_load_bytes(skb, sizeof(struct ethhdr), &arp, 18) < 0 || arp.hardware_len != 6 || arp.protocol_len != 4)
		return DNET_REASON_MALFORMED;
	if (!mac_same(arp.sender_mac, endpoint->mac))
		return DNET_REASON_SPOOFED_NEIGHBOR;
	__builtin_memcpy(&v4, arp.sender_ip, 4);
	if (v4 == 0)	/* a probe: RFC 5227 */
		return 0;
	addr_from_v4(&sender, v4);
	return owns(endpoint, &sender) ? 0 : DNET_REASON_SPOOFED_NEIGHBOR;
}

/* A neighbor advertisement, or a solicitation that probes for a duplicate (source ::), claims its target. */
static __noinline enum dnet_reason guard_neighbor(struct __sk_buff *skb, const struct packet *packet,
						       const struct dnet_endpoint *endpoint)
{
	struct dnet_addr target;
	__u32 owner;

	if (packet->icmp_type != 136 && !(packet->icmp_type == 135 && addr_unspecified(&packet->src)))
		return 0;
	if (bpf_skb_load_bytes(skb, packet->l4_offset + 8, &target, sizeof(target)) < 0)
		return DNET_REASON_MALFORMED;
	owner = owner_of(&target, endpoint->bridge_ifindex);
	if ((owner && owner != endpoint->id) || place_of(&target) == DNET_PLACE_HOST)
		return DNET_REASON_SPOOFED_NEIGHBOR;
	return 0;
}

/* 0: the sender is who it says. */
static __always_inline enum dnet_reason guard(struct __sk_buff *skb, const struct packet *packet,
					      const struct dnet_endpoint *endpoint)
{
	if (!mac_same(packet->mac_src, endpoint->mac))
		return DNET_REASON_SPOOFED_MAC;
	if (packet->flags & PACKET_ARP)
		return guard_arp(skb, endpoint);
	if (!(packet->flags & PACKET_IP))
		return DNET_REASON_ETHERTYPE;
	if (packet->flags & PACKET_ROUTER_MESSAGE)
		return DNET_REASON_ROUTER_MESSAGE;
	if (packet->flags & PACKET_NEIGHBOR) {
		enum dnet_reason reason = guard_neighbor(skb, packet, endpoint);

		if (reason)
			return reason;
		/* Before it has an address a host solicits and joins groups from "::". */
		if (addr_unspecified(&packet->src))
			return 0;
	}
	return owns(endpoint, &packet->src) ? 0 : DNET_REASON_SPOOFED_SOURCE;
}

#endif
