/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The path of a packet at a container's veth, up to its reason: for the attached programs, which commit what follows from it, and
 * for the explain programs, which commit nothing. There is one decision code.
 */
#ifndef DNETBPF_JUDGE_BPF_H
#define DNETBPF_JUDGE_BPF_H

#include "exit.bpf.h"
#include "flow.bpf.h"
#include "fragment.bpf.h"
#include "guard.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "policy.bpf.h"

/* skb->pkt_type */
#define PKT_HOST 0
#define PKT_OUTGOING 4

static __always_inline struct dnet_state *the_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&state, &zero);
}

/*
 * Did the bridge forward it from another port? A packet that explain makes up has its type from the interface's MAC address
 * (eth_type_trans()), which is not what the way it is asked about would give it: whoever asks says so in cb[0].
 */
static __always_inline bool is_bridged(const struct __sk_buff *skb, const bool commit)
{
	return commit ? skb->pkt_type != PKT_HOST && skb->pkt_type != PKT_OUTGOING : skb->cb[0] != 0;
}

/*
 * Address resolution: what whoever is not identified yet may take part in, or an answer would be lost that nobody repeats. It stays on
 * the link: a solicitation to a unicast address must be for somebody on a Docker network or for this host, because what
 * goes elsewhere is routed, and would carry data past the policy.
 */
static __always_inline bool is_neighbor(const struct packet *packet)
{
	__u32 place;

	if (packet->flags & PACKET_ARP)
		return true;
	if (!(packet->flags & PACKET_NEIGHBOR))
		return false;
	if (packet->flags & PACKET_GROUP || link_local(&packet->dst))
		return true;
	place = place_of(&packet->dst);
	return place == DNET_PLACE_HOST || place == DNET_PLACE_DOCKER;
}

/*
 * Does it ask for somebody's address? Who asks keeps the packets that are to go there, and asks again after a second. Announcements and
 * probes for a duplicate, of which nobody waits for the answer, do not.
 */
static __noinline bool solicits(struct __sk_buff *skb, const struct packet *packet)
{
	struct {
		__be16 operation;
		__u8 sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
	} arp;	/* RFC 826, from its byte 6 on */
	__be32 sender, target;

	if (!(packet->flags & PACKET_ARP))
		return packet->flags & PACKET_NEIGHBOR && packet->icmp_type == 135 && !addr_unspecified(&packet->src);
	if (bpf_skb_load_bytes(skb, sizeof(struct ethhdr) + 6, &arp, sizeof(arp)) < 0)
		return false;
	__builtin_memcpy(&sender, arp.sender_ip, 4);
	__builtin_memcpy(&target, arp.target_ip, 4);
	return arp.operation == bpf_htons(1) && sender && sender != target;
}

/* From a port without our programs. On a sealed bridge that is a container's which is about to have them: pending, in other words. */
static __always_inline bool denies_unknown(struct __sk_buff *skb, const struct packet *packet, bool unknown_deny, bool sealed)
{
	return is_neighbor(packet) ? sealed && solicits(skb, packet) : sealed || unknown_deny;
}

static __always_inline bool for_my_mac(const struct packet *packet, const struct dnet_endpoint *endpoint)
{
	return packet->mac_dst[0] & 1 || mac_same(packet->mac_dst, endpoint->mac);
}

static __always_inline bool bridge_sealed(__u32 ifindex)
{
	return bridge_flags(ifindex) & DNET_BRIDGE_SEALED;
}

/* Bridged here from another port of the bridge, which carries no program of ours. */
static __always_inline bool from_unknown_port(const struct __sk_buff *skb, const bool commit)
{
	__u32 slot;

	return is_bridged(skb, commit) && skb->ingress_ifindex && !endpoint_of(skb->ingress_ifindex, &slot) &&
	       !bridge_flags(skb->ingress_ifindex);
}

/* In audit mode these are reported and pass. Spoofing and packets that cannot be judged are not the policy's to forgive, and what
 * the host's rules deny no container's mode lifts. */
static __always_inline bool audited(const struct run *run, enum dnet_reason reason)
{
	if (!(run->endpoint->flags & DNET_ENDPOINT_AUDIT) || (run->asked && run->question.layer == DNET_LAYER_HOST))
		return false;
	return reason == DNET_REASON_POLICY_DENIED || reason == DNET_REASON_DEFAULT_DENIED || reason == DNET_REASON_FLOW_REVOKED ||
	       reason == DNET_REASON_NO_FLOW || reason == DNET_REASON_ICMP_UNRELATED || reason == DNET_REASON_ETHERTYPE;
}

/* Ask the endpoint's policy about a flow. @initiated_here: this endpoint began it (its egress rules answer), else its
 * ingress rules do. @origin: where the initiator's packets come from, or DNET_ORIGIN_UNKNOWN. */
static __always_inline enum dnet_reason ask(struct run *run, __u32 arena, __u32 selector, bool initiated_here, __u32 origin, bool bridged)
{
	const struct packet *packet = &run->packet;
	bool egress = run->direction == DNET_EGRESS;
	struct question *question = &run->question;

	__builtin_memset(question, 0, sizeof(*question));
	question->peer = egress ? packet->dst : packet->src;
	question->selector = selector;
	question->asked = initiated_here ? DNET_EGRESS : DNET_INGRESS;
	question->arena = arena;
	question->origin_ifindex = origin;
	question->origin_bridged = bridged;
	question->group = addr_group(egress == initiated_here ? &packet->dst : &packet->src);
	run->asked = true;
	return decide(question, run->endpoint);
}

/* The selector of the flow if the other side had begun it. */
static __always_inline __u32 reverse_selector(const struct packet *packet)
{
	switch (packet->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP_:
		return DNET_SELECTOR(packet->proto, bpf_ntohs(packet->src_port_be));
	}
	return packet->selector;
}

static __always_inline __u32 packet_flow_key(const struct packet *packet, struct dnet_flow_key *key)
{
	return flow_key(key, &packet->src, packet->src_port_be, &packet->dst, packet->dst_port_be, packet->proto);
}

/* The entry of a packet's connection, or NULL. *ret_sender: index of its source in the key. This function and the next are none of
 * the caller's code so that the key is not on its stack, see decide(). */
static __noinline struct dnet_flow *find_flow(const struct packet *packet, __u32 *ret_sender)
{
	struct dnet_flow_key key;

	*ret_sender = packet_flow_key(packet, &key);
	return bpf_map_lookup_elem(&flows, &key);
}

/* @expired: the dead entry of this connection, to be reused in place (the other end must judge anew as well), or NULL. */
static __noinline struct dnet_flow *make_flow(struct dnet_flow *expired, const struct packet *packet, __u32 selector, __u32 initiator,
					      __u64 now)
{
	struct dnet_state *writable = the_state();
	struct dnet_flow_key key;
	struct dnet_flow fresh;

	if (expired) {
		flow_begin(expired, selector, initiator, now);
		return expired;
	}
	packet_flow_key(packet, &key);
	flow_begin(&fresh, selector, initiator, now);
	if (bpf_map_update_elem(&flows, &key, &fresh, BPF_NOEXIST) == 0 && writable)
		__sync_fetch_and_add(&writable->flow_inserts, 1);
	/* Inserted, or lost to another CPU that inserted the same: look again. */
	return bpf_map_lookup_elem(&flows, &key);
}

/* With @commit the connection is entered and accounted; without, nothing is touched. */
static __always_inline enum dnet_reason judge_flow(struct __sk_buff *skb, struct run *run, const struct dnet_state *current, __u64 now,
						   const bool commit)
{
	const struct packet *packet = &run->packet;
	const struct dnet_endpoint *endpoint = run->endpoint;
	bool egress = run->direction == DNET_EGRESS, known, mine = false, bridged = false;
	bool begins = packet->proto != IPPROTO_TCP ||
		      (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	__u32 generation, arena, sender, own, initiator, selector = packet->selector, origin = DNET_ORIGIN_UNKNOWN;
	enum dnet_reason reason;
	struct dnet_flow *flow;
	struct dnet_flow_end *end;

	/* In this order: whoever raises them raises the version first, so that no verdict of the old one is noted as the new one's. */
	generation = *(const volatile __u32 *)&current->generation;
	arena = *(const volatile __u32 *)&current->version % DNET_ARENAS;
	/* What this packet shows of where the initiator's come from, should it be one of them. */
	if (!egress) {
		origin = skb->ingress_ifindex;
		bridged = is_bridged(skb, commit);
	}
	flow = find_flow(packet, &sender);
	initiator = sender;
	own = egress ? sender : !sender;
	known = flow && !flow_expired(flow, packet->proto, current, now);
	/* A SYN on a closed connection begins a new one; so does one from the side that had not begun. */
	if (known && packet->proto == IPPROTO_TCP && begins &&
	    (flow->state == DNET_FLOW_CLOSING || (flow->state == DNET_FLOW_ESTABLISHED && flow->initiator != sender)))
		known = false;

	if (known) {
		end = &flow->end[own & 1];
		mine = end->endpoint_id == endpoint->id;
		/* A connection that we met in its middle is judged once more when a packet shows where it comes from. */
		if (mine && end->generation == generation && (egress || end->origin_ifindex != DNET_ORIGIN_UNKNOWN)) {
			if (commit)
				flow_heard(flow, packet, sender, now);
			return DNET_REASON_ESTABLISHED;
		}
		/* Judge again what was judged, or judge at this end what the other end let pass: as the flow began. */
		initiator = flow->initiator;
		selector = flow->selector;
		if (mine && egress) {
			origin = end->origin_ifindex;
			bridged = end->origin_bridged;
		}
	} else if (!begins && now >= endpoint->grace_until_ns) {
		run->would = audited(run, DNET_REASON_NO_FLOW);
		return DNET_REASON_NO_FLOW;
	}
	reason = ask(run, arena, selector, initiator == own, origin, bridged);
	if (!known && !begins && dnet_reason_class(reason) != DNET_CLASS_PASS) {
		/* A connection older than our presence here is judged as if new, and we cannot know who began it. */
		initiator = !sender;
		selector = reverse_selector(packet);
		origin = DNET_ORIGIN_UNKNOWN;
		bridged = false;
		reason = ask(run, arena, selector, initiator == own, origin, bridged);
	}
	if (dnet_reason_class(reason) != DNET_CLASS_PASS) {
		if (mine && dnet_reason_class(reason) == DNET_CLASS_DENY)
			reason = DNET_REASON_FLOW_REVOKED;
		run->would = audited(run, reason);
		if (!run->would)
			return reason;
	} else if (mine) {
		reason = DNET_REASON_ESTABLISHED;
	}
	if (!commit)
		return reason;
	if (!known) {
		flow = make_flow(flow, packet, selector, initiator, now);
		if (!flow) {
			run->would = false;
			return DNET_REASON_FLOW_TABLE_FULL;
		}
	}
	end = &flow->end[own & 1];
	end->origin_ifindex = initiator == own ? 0 : origin;
	end->origin_bridged = initiator != own && bridged;
	end->endpoint_id = endpoint->id;
	end->generation = generation;
	flow_heard(flow, packet, sender, now);
	return reason;
}

/* An ICMP error passes with the connection that it quotes, when this end lets that connection pass. */
static __always_inline enum dnet_reason judge_icmp_error(struct __sk_buff *skb, struct run *run, const struct dnet_state *current,
							 __u64 now)
{
	struct dnet_flow *flow;
	struct dnet_flow_end *end;
	__u32 quoted_sender;
	__u8 proto;

	flow = flow_of_icmp_error(skb, &run->packet, &quoted_sender, &proto);
	if (!flow || flow_expired(flow, proto, current, now))
		return DNET_REASON_ICMP_UNRELATED;
	/* Received: we had sent the quoted packet. Sent: we had received it. */
	end = &flow->end[(run->direction == DNET_INGRESS ? quoted_sender : !quoted_sender) & 1];
	if (end->endpoint_id != run->endpoint->id || end->generation != current->generation)
		return DNET_REASON_ICMP_UNRELATED;
	return DNET_REASON_ICMP_RELATED;
}

static __always_inline enum dnet_reason judge_packet(struct __sk_buff *skb, struct run *run, const bool commit)
{
	const struct packet *packet = &run->packet;
	const struct dnet_endpoint *endpoint;
	const struct dnet_state *current;
	bool egress = run->direction == DNET_EGRESS;
	enum dnet_reason reason;
	__u64 now;

	endpoint = endpoint_of(skb->ifindex, &run->slot);
	run->endpoint = endpoint;
	reason = parse_packet(skb, &run->packet);
	/* Could it be resolved, packets would follow that are lost. So they wait, with whoever sends them, until it is identified. */
	if (!endpoint)
		return !reason && is_neighbor(packet) && !solicits(skb, packet) ? DNET_REASON_NEIGHBOR : DNET_REASON_PENDING;
	current = the_state();
	if (!current)
		return DNET_REASON_TABLE_MISSING;
	if (!egress && from_unknown_port(skb, commit) &&
	    denies_unknown(skb, packet, current->unknown_deny, bridge_sealed(endpoint->bridge_ifindex)))
		return DNET_REASON_UNKNOWN_ENDPOINT;
	if (!(endpoint->flags & (DNET_ENDPOINT_GUARD | DNET_ENDPOINT_TRACKED | DNET_ENDPOINT_INVALID)))
		return DNET_REASON_UNSELECTED;
	/* On a guarded bridge an unselected container's own packets are judged by the guard, what it receives is its own affair. */
	if (reason)
		return egress || endpoint->flags & (DNET_ENDPOINT_TRACKED | DNET_ENDPOINT_INVALID) ? reason : DNET_REASON_UNSELECTED;
	if (endpoint->flags & DNET_ENDPOINT_GUARD) {
		if (!egress && !for_my_mac(packet, endpoint))
			return DNET_REASON_FLOODED;
		if (egress)
			reason = skb->vlan_present ? DNET_REASON_VLAN : guard(skb, packet, endpoint);
		if (reason) {
			run->would = endpoint->flags & DNET_ENDPOINT_GUARD_AUDIT && dnet_reason_class(reason) == DNET_CLASS_DENY;
			return reason;
		}
	}
	if (is_neighbor(packet))
		return DNET_REASON_NEIGHBOR;
	if (endpoint->flags & DNET_ENDPOINT_INVALID)
		return DNET_REASON_POLICY_INVALID;
	if (!(endpoint->flags & DNET_ENDPOINT_TRACKED))
		return DNET_REASON_UNSELECTED;
	if (!(packet->flags & PACKET_IP)) {
		run->would = audited(run, DNET_REASON_ETHERTYPE);
		return DNET_REASON_ETHERTYPE;
	}
	/* From a container the guard has refused it. Towards one it comes from the host itself, which the hop limit proves
	 * (RFC 4861, 6.1.2 and 8.1); what was routed here is the policy's to judge. */
	if (!egress && packet->flags & PACKET_ROUTER_MESSAGE && packet->hop_limit == 255)
		return DNET_REASON_NEIGHBOR;
	now = bpf_ktime_get_coarse_ns();
	if (packet->flags & PACKET_LATER_FRAGMENT)
		return fragment_later(packet, skb->ifindex, run->direction, now);
	if (packet->flags & PACKET_ICMP_ERROR) {
		reason = judge_icmp_error(skb, run, current, now);
		run->would = audited(run, reason);
		return reason;
	}
	reason = judge_flow(skb, run, current, now, commit);
	if (commit && packet->flags & PACKET_FIRST_FRAGMENT && (run->would || dnet_reason_class(reason) == DNET_CLASS_PASS))
		fragment_first_passed(packet, skb->ifindex, run->direction, now);
	return reason;
}

#endif
