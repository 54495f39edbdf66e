/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a packet says of itself. Headers are copied out by packet_load() or, where they are rare, by bpf_skb_load_bytes(): both
 * check every length against the packet, and nothing past its end is ever read, linear or not.
 */
#ifndef DNETBPF_PACKET_BPF_H
#define DNETBPF_PACKET_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/icmpv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <dnetbpf/address.h>
#include <dnetbpf/limits.h>
#include <dnetbpf/policy.h>
#include <dnetbpf/reason.h>

#define PACKET_IP		(1u << 0)
#define PACKET_ARP		(1u << 1)
#define PACKET_V6		(1u << 2)
#define PACKET_FIRST_FRAGMENT	(1u << 3)
#define PACKET_LATER_FRAGMENT	(1u << 4)
#define PACKET_ICMP_ERROR	(1u << 5)
#define PACKET_NEIGHBOR		(1u << 6)	/* ICMPv6 RS, NS, NA, MLD on the link; IGMP to a group */
#define PACKET_ROUTER_MESSAGE	(1u << 7)	/* RA, redirect; of both families */
#define PACKET_GROUP		(1u << 8)	/* its destination is one, see addr_group() */

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define IPPROTO_IPV6_HOPOPTS	0
#define IPPROTO_IPV6_ROUTING	43
#define IPPROTO_IPV6_FRAGMENT	44
#define IPPROTO_IPV6_AH		51
#define IPPROTO_IPV6_DSTOPTS	60
#define IPPROTO_SCTP_		132

struct packet {
	struct dnet_addr src, dst;
	__u8 mac_dst[6], mac_src[6];
	__be16 ethertype_be;
	__be16 src_port_be, dst_port_be;	/* ICMP: see icmp_ports() */
	__u16 l4_offset;	/* from the start of the frame */
	__u16 header_bytes;	/* up to the payload: what GSO repeats in each segment */
	__u32 flags;
	__u32 fragment_id;
	__u32 selector;		/* of a flow that this packet would begin */
	__u32 tcp_sequence, tcp_acknowledged;
	__u8 proto;
	__u8 hop_limit;		/* IPv6 */
	__u8 tcp_flags;
	__u8 icmp_type, icmp_code;
};

/*
 * Copy @size bytes at @offset out of the packet; negative when it is too short. Headers are nearly always in the linear part, where
 * that takes no call: a fifth of what a packet of a known connection costs. The mask is for the verifier, which needs a bound.
 */
#define PACKET_DEEPEST 0xfff

static __always_inline long packet_load(struct __sk_buff *skb, __u32 offset, void *to, const __u32 size)
{
	void *end = (void *)(long)skb->data_end, *from = (void *)(long)skb->data + (offset & PACKET_DEEPEST);

	if (offset <= PACKET_DEEPEST && from + size <= end) {
		__builtin_memcpy(to, from, size);
		return 0;
	}
	return bpf_skb_load_bytes(skb, offset, to, size);
}

static __always_inline void addr_from_v4(struct dnet_addr *addr, __be32 v4)
{
	addr->quad[0] = 0;
	addr->word_be[2] = bpf_htonl(0xffff);
	addr->word_be[3] = v4;
}

static __always_inline bool addr_same(const struct dnet_addr *a, const struct dnet_addr *b)
{
	return a->quad[0] == b->quad[0] && a->quad[1] == b->quad[1];
}

static __always_inline bool addr_v4_mapped(const struct dnet_addr *addr)
{
	return addr->quad[0] == 0 && addr->word_be[2] == bpf_htonl(0xffff);
}

/* Multicast of both families, IPv4 limited broadcast. */
static __always_inline bool addr_group(const struct dnet_addr *addr)
{
	return addr->byte[0] == 0xff ||
	       (addr_v4_mapped(addr) && ((addr->byte[12] & 0xf0) == 224 || addr->word_be[3] == 0xffffffff));
}

static __always_inline bool addr_unspecified(const struct dnet_addr *addr)
{
	return addr->quad[0] == 0 && (addr->quad[1] == 0 ||
	       (addr->word_be[2] == bpf_htonl(0xffff) && addr->word_be[3] == 0));
}

/*
 * ICMP as if it had ports: the asker's is the identifier, the answerer's is the type of the question. So an answer has the key
 * of its question, and a question from the other side, or of another type, is another flow.
 */
static __always_inline void icmp_ports(__u8 proto, __u8 type, __be16 id, __be16 *src_port_be, __be16 *dst_port_be)
{
	bool answer = false, paired = false;

	if (proto == IPPROTO_ICMP) {
		/* echo, timestamp, information, address mask: RFC 792, RFC 950 */
		paired = type == 0 || type == 8 || (type >= 13 && type <= 18);
		answer = type == 0 || (paired && type != 8 && !(type & 1));
		if (answer)
			type = type == 0 ? 8 : type - 1;
	} else {
		paired = type == 128 || type == 129;
		answer = type == 129;
		if (answer)
			type = 128;
	}
	if (!paired)
		id = 0;
	*src_port_be = answer ? bpf_htons(type) : id;
	*dst_port_be = answer ? id : bpf_htons(type);
}

/* The transport header at @offset of @skb; IP fields of @packet are filled already. */
static __always_inline enum dnet_reason parse_transport(struct __sk_buff *skb, __u32 offset, struct packet *packet)
{
	packet->l4_offset = offset;
	packet->header_bytes = offset;
	switch (packet->proto) {
	case IPPROTO_TCP: {
		struct { __be16 src, dst; __be32 seq, ack; __u8 data_offset, flags; } tcp;

		if (packet_load(skb, offset, &tcp, 14) < 0)
			return DNET_REASON_MALFORMED;
		if ((tcp.data_offset >> 4) < 5)
			return DNET_REASON_MALFORMED;
		packet->src_port_be = tcp.src;
		packet->dst_port_be = tcp.dst;
		packet->tcp_flags = tcp.flags;
		packet->tcp_sequence = bpf_ntohl(tcp.seq);
		packet->tcp_acknowledged = bpf_ntohl(tcp.ack);
		packet->header_bytes = offset + (tcp.data_offset >> 4) * 4;
		packet->selector = DNET_SELECTOR(IPPROTO_TCP, bpf_ntohs(tcp.dst));
		return 0;
	}
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP_: {
		struct { __be16 src, dst; __be32 rest; } ports;

		if (packet_load(skb, offset, &ports, sizeof(ports)) < 0)
			return DNET_REASON_MALFORMED;
		packet->src_port_be = ports.src;
		packet->dst_port_be = ports.dst;
		packet->header_bytes = offset + 8;
		packet->selector = DNET_SELECTOR(packet->proto, packet->proto == IPPROTO_UDPLITE ? 0 : bpf_ntohs(ports.dst));
		return 0;
	}
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: {
		struct { __u8 type, code; __be16 checksum, id, sequence; } icmp;

		/* MLD and others are at least 8 bytes too. */
		if (bpf_skb_load_bytes(skb, offset, &icmp, sizeof(icmp)) < 0)
			return DNET_REASON_MALFORMED;
		/* An ICMP of the other family is not what its number says. */
		if ((packet->proto == IPPROTO_ICMPV6) != !!(packet->flags & PACKET_V6))
			break;
		packet->icmp_type = icmp.type;
		packet->icmp_code = icmp.code;
		packet->header_bytes = offset + 8;
		packet->selector = DNET_SELECTOR(packet->proto, icmp.type << 8 | icmp.code);
		icmp_ports(packet->proto, icmp.type, icmp.id, &packet->src_port_be, &packet->dst_port_be);
		if (packet->proto == IPPROTO_ICMP) {
			if (icmp.type == 3 || icmp.type == 4 || icmp.type == 5 || icmp.type == 11 || icmp.type == 12)
				packet->flags |= PACKET_ICMP_ERROR;
			if (icmp.type == 5 || icmp.type == 9)
				packet->flags |= PACKET_ROUTER_MESSAGE;
			return 0;
		}
		if (icmp.type < 128)
			packet->flags |= PACKET_ICMP_ERROR;
		else if (icmp.type == 134 || icmp.type == 137)
			packet->flags |= PACKET_ROUTER_MESSAGE;
		/* On the link only, as their RFCs have it (4861: hop limit 255; 2710, 3810: 1, to a group of the link): else they
		 * would be a way around every policy. */
		else if ((icmp.type == 133 || icmp.type == 135 || icmp.type == 136) && packet->hop_limit == 255)
			packet->flags |= PACKET_NEIGHBOR;
		else if (((icmp.type >= 130 && icmp.type <= 132) || icmp.type == 143) && packet->hop_limit == 1 &&
			 packet->dst.byte[0] == 0xff && (packet->dst.byte[1] & 0x0f) <= 2)
			packet->flags |= PACKET_NEIGHBOR;
		return 0;
	}
	}
	packet->selector = DNET_SELECTOR(packet->proto, 0);
	return 0;
}

static __always_inline enum dnet_reason parse_v4(struct __sk_buff *skb, __u32 offset, struct packet *packet)
{
	struct iphdr ip;
	__u32 header;
	__u16 fragment;

	if (packet_load(skb, offset, &ip, sizeof(ip)) < 0)
		return DNET_REASON_MALFORMED;
	header = ip.ihl * 4;
	if (ip.version != 4 || header < sizeof(ip) || bpf_ntohs(ip.tot_len) < header)
		return DNET_REASON_MALFORMED;
	addr_from_v4(&packet->src, ip.saddr);
	addr_from_v4(&packet->dst, ip.daddr);
	packet->flags |= PACKET_IP;
	if (addr_group(&packet->dst))
		packet->flags |= PACKET_GROUP;
	packet->proto = ip.protocol;
	packet->l4_offset = offset + header;
	packet->header_bytes = packet->l4_offset;
	/* IGMP to a group is to IPv4 what MLD is to IPv6. */
	if (ip.protocol == IPPROTO_IGMP && packet->flags & PACKET_GROUP)
		packet->flags |= PACKET_NEIGHBOR;
	fragment = bpf_ntohs(ip.frag_off);
	if (fragment & 0x3fff) {	/* more fragments, or an offset */
		packet->fragment_id = bpf_ntohs(ip.id);
		if (fragment & 0x1fff) {
			packet->flags |= PACKET_LATER_FRAGMENT;
			packet->selector = DNET_SELECTOR(ip.protocol, 0);
			return 0;
		}
		packet->flags |= PACKET_FIRST_FRAGMENT;
	}
	return parse_transport(skb, offset + header, packet);
}

static __always_inline enum dnet_reason parse_v6(struct __sk_buff *skb, __u32 offset, struct packet *packet)
{
	struct ipv6hdr ip;
	__u8 next;

	if (packet_load(skb, offset, &ip, sizeof(ip)) < 0 || ip.version != 6)
		return DNET_REASON_MALFORMED;
	__builtin_memcpy(&packet->src, &ip.saddr, sizeof(packet->src));
	__builtin_memcpy(&packet->dst, &ip.daddr, sizeof(packet->dst));
	packet->flags |= PACKET_IP | PACKET_V6;
	packet->hop_limit = ip.hop_limit;
	/* No such packet is valid on a wire (RFC 4942, 2.2), and here it would be taken for IPv4. */
	if (addr_v4_mapped(&packet->src) || addr_v4_mapped(&packet->dst))
		return DNET_REASON_MALFORMED;
	if (addr_group(&packet->dst))
		packet->flags |= PACKET_GROUP;
	next = ip.nexthdr;
	offset += sizeof(ip);
	/* Unrolled: the compiler may make the loop's back edge a fall-through, which the verifier of 6.1 refuses. */
#pragma clang loop unroll(full)
	for (int i = 0; i <= DNET_MAX_IPV6_EXTENSIONS; i++) {
		struct { __u8 next, length; __be16 fragment; __be32 id; } extension;

		if (next != IPPROTO_IPV6_HOPOPTS && next != IPPROTO_IPV6_ROUTING && next != IPPROTO_IPV6_FRAGMENT &&
		    next != IPPROTO_IPV6_AH && next != IPPROTO_IPV6_DSTOPTS) {
			packet->proto = next;
			packet->l4_offset = offset;
			packet->header_bytes = offset;
			return parse_transport(skb, offset, packet);
		}
		if (i == DNET_MAX_IPV6_EXTENSIONS)
			break;
		if (bpf_skb_load_bytes(skb, offset, &extension, sizeof(extension)) < 0)
			return DNET_REASON_MALFORMED;
		if (next == IPPROTO_IPV6_FRAGMENT) {
			packet->fragment_id = bpf_ntohl(extension.id);
			if (bpf_ntohs(extension.fragment) & 0xfff8) {
				packet->flags |= PACKET_LATER_FRAGMENT;
				packet->proto = extension.next;
				packet->l4_offset = offset + 8;
				packet->header_bytes = offset + 8;
				packet->selector = DNET_SELECTOR(extension.next, 0);
				return 0;
			}
			if (bpf_ntohs(extension.fragment) & 1)
				packet->flags |= PACKET_FIRST_FRAGMENT;
			offset += 8;
		} else if (next == IPPROTO_IPV6_AH) {
			offset += (extension.length + 2) * 4;	/* RFC 4302: in words, minus 2 */
		} else {
			offset += (extension.length + 1) * 8;
		}
		next = extension.next;
	}
	return DNET_REASON_HEADERS_TOO_DEEP;
}

/* @packet begins as zeros. 0: parsed (an unknown ethertype too: neither PACKET_IP nor PACKET_ARP is set); else a FAIL reason. What
 * was understood before a failure is in @packet, for the report. A global function, so that the verifier walks the loop over extension
 * headers once and not for every path behind it. */
__noinline int parse_packet(struct __sk_buff *skb, struct packet *packet)
{
	struct ethhdr eth;

	if (!packet)
		return DNET_REASON_MALFORMED;
	if (packet_load(skb, 0, &eth, sizeof(eth)) < 0)
		return DNET_REASON_MALFORMED;
	__builtin_memcpy(packet->mac_dst, eth.h_dest, 6);
	__builtin_memcpy(packet->mac_src, eth.h_source, 6);
	packet->ethertype_be = eth.h_proto;
	packet->header_bytes = sizeof(eth);
	if (eth.h_proto == bpf_htons(ETH_P_IP))
		return parse_v4(skb, sizeof(eth), packet);
	if (eth.h_proto == bpf_htons(ETH_P_IPV6))
		return parse_v6(skb, sizeof(eth), packet);
	if (eth.h_proto == bpf_htons(ETH_P_ARP))
		packet->flags |= PACKET_ARP;
	return 0;
}

#endif
