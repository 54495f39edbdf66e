/* SPDX-License-Identifier: GPL-2.0 */
/* Connections: keys, life, and what TCP says of them. */
#ifndef DNETBPF_FLOW_BPF_H
#define DNETBPF_FLOW_BPF_H

#include "limit.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"

/* The smaller (address, port) first. Returns the index of the source in the key. */
static __always_inline __u32 flow_key(struct dnet_flow_key *key, const struct dnet_addr *src, __be16 src_port_be,
				      const struct dnet_addr *dst, __be16 dst_port_be, __u8 proto)
{
	bool source_first;

	if (src->quad[0] != dst->quad[0])
		source_first = src->quad[0] < dst->quad[0];
	else if (src->quad[1] != dst->quad[1])
		source_first = src->quad[1] < dst->quad[1];
	else
		source_first = src_port_be <= dst_port_be;
	__builtin_memset(key, 0, sizeof(*key));
	key->proto = proto;
	if (source_first) {
		key->addr[0] = *src;
		key->addr[1] = *dst;
		key->port_be[0] = src_port_be;
		key->port_be[1] = dst_port_be;
		return 0;
	}
	key->addr[0] = *dst;
	key->addr[1] = *src;
	key->port_be[0] = dst_port_be;
	key->port_be[1] = src_port_be;
	return 1;
}

/* Not static: the compiler would put 32 constant bytes into a section that libbpf 1.1 does not know. */
const __u32 timeout_standard[DNET_TIMEOUT_COUNT] = {
#define X(NAME, key, seconds) [DNET_TIMEOUT_##NAME] = seconds,
	DNET_TIMEOUTS(X)
#undef X
};

static __always_inline bool flow_expired(const struct dnet_flow *flow, __u8 proto, const struct dnet_state *current, __u64 now)
{
	__u32 which = dnet_flow_timeout(proto, flow->state, flow->fin_seen);
	__u32 seconds = current->timeout_sec[which];

	if (!seconds)
		seconds = timeout_standard[which];
	return (__s64)(now - flow->last_seen_ns) > (__s64)(seconds * 1000000000ull);
}

/*
 * Has a connection that a RST closed gone on? Its receiver disregards a RST outside of its window (RFC 9293, 3.10.7.4; RFC 5961), as
 * one that a stranger made up: when it then sends something else, the connection is established again. If it was counted, both
 * ends judge it once more, which counts it again.
 */
static __noinline void flow_revive(struct dnet_flow *flow, const struct packet *packet, __u32 sender, __u32 generation)
{
	if (flow->fin_seen == 3 || packet->tcp_flags & TCP_RST ||
	    flow->heard & DNET_HEARD_RST(sender & 1) || !(flow->heard & DNET_HEARD_RST(!sender)))
		return;
	flow->state = DNET_FLOW_ESTABLISHED;
	if (flow->heard & DNET_HEARD_COUNTED)
		flow->end[0].generation = flow->end[1].generation = generation - 1;
	flow->heard = 3;
}

/* A connection that closes gives its counts back. @rst: and may come to life again. */
static __always_inline void flow_close(struct dnet_flow *flow, bool rst)
{
	if (flow->state == DNET_FLOW_CLOSING)
		return;
	flow->state = DNET_FLOW_CLOSING;
	if (flow_give_back(flow) && rst)
		flow->heard |= DNET_HEARD_COUNTED;
}

/* Account a packet of a flow that passes. @sender: index of its source in the key. */
static __always_inline void flow_heard(struct dnet_flow *flow, const struct packet *packet, __u32 sender, __u64 now)
{
	__u8 bit = 1 << (sender & 1);

	/* Both ends of a connection write here, each on its own CPU: do not dirty the line for nothing. */
	if (now != flow->last_seen_ns)
		flow->last_seen_ns = now;
	if (!(flow->heard & bit))
		flow->heard |= bit;
	if (packet->proto == IPPROTO_TCP) {
		if (packet->tcp_flags & TCP_FIN && !(flow->fin_seen & bit))
			flow->fin_seen |= bit;
		if (packet->tcp_flags & TCP_RST)
			flow->heard |= DNET_HEARD_RST(sender & 1);
		if (packet->tcp_flags & TCP_RST || flow->fin_seen == 3)
			flow_close(flow, flow->fin_seen != 3);
	}
	if (flow->state == DNET_FLOW_NEW && (flow->heard & 3) == 3)
		flow->state = DNET_FLOW_ESTABLISHED;
}

static __always_inline void flow_begin(struct dnet_flow *flow, __u32 selector, __u32 initiator, __u64 now)
{
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->last_seen_ns = now;
	flow->selector = selector;
	flow->initiator = initiator;
}

/*
 * The flow that an ICMP error quotes: RFC 792, RFC 4443. The quoted packet went the other way: the error's receiver had
 * sent it, so it must go to the quoted source: else a container could send anything to anybody behind a quoted header.
 * *ret_own: index of the side that had sent the quoted packet.
 */
static __noinline struct dnet_flow *flow_of_icmp_error(struct __sk_buff *skb, const struct packet *packet, __u32 *ret_own,
							    __u8 *ret_proto)
{
	struct { __be16 src, dst; __be16 id, rest; } ports;
	struct dnet_flow_key key;
	struct dnet_addr src, dst;
	__u32 offset = packet->l4_offset + 8;
	__be16 src_port_be, dst_port_be;
	__u8 proto;

	if (packet->flags & PACKET_V6) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) < 0)
			return NULL;
		__builtin_memcpy(&src, &ip.saddr, sizeof(src));
		__builtin_memcpy(&dst, &ip.daddr, sizeof(dst));
		proto = ip.nexthdr;
		offset += sizeof(ip);
	} else {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) < 0 || ip.ihl < 5 || ip.frag_off & bpf_htons(0x1fff))
			return NULL;
		addr_from_v4(&src, ip.saddr);
		addr_from_v4(&dst, ip.daddr);
		proto = ip.protocol;
		offset += ip.ihl * 4;
	}
	if (!addr_same(&src, &packet->dst) || bpf_skb_load_bytes(skb, offset, &ports, sizeof(ports)) < 0)
		return NULL;
	switch (proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP_:
		src_port_be = ports.src;
		dst_port_be = ports.dst;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:	/* the type is the first byte, an identifier the fifth and sixth */
		icmp_ports(proto, bpf_ntohs(ports.src) >> 8, ports.id, &src_port_be, &dst_port_be);
		break;
	default:
		src_port_be = dst_port_be = 0;
	}
	*ret_own = flow_key(&key, &src, src_port_be, &dst, dst_port_be, proto);
	*ret_proto = proto;
	return bpf_map_lookup_elem(&flows, &key);
}

#endif
