/* SPDX-License-Identifier: GPL-2.0 */
/* The TC programs: one for each direction of a container's veth, one for the bridges. README.md has the path of a packet. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <dnetbpf/direction.h>

#include "exit.bpf.h"
#include "flow.bpf.h"
#include "fragment.bpf.h"
#include "guard.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "policy.bpf.h"

char _license[] SEC("license") = "GPL";

static __always_inline struct dnet_state *the_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&state, &zero);
}

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

/*
 * Address resolution must work for whoever is not identified yet, or an answer would be lost that nobody repeats. It stays on
 * the link: a solicitation to a unicast address must be for somebody on a Docker network or for this host, because what
 * goes elsewhere is routed, and would carry data past the policy.
 */
static __always_inline bool is_neighbor(const struct packet *packet)
{
	if (packet->flags & PACKET_ARP)
		return true;
	if (!(packet->flags & PACKET_NEIGHBOR))
		return false;
	return packet->flags & PACKET_MULTICAST || link_local(&packet->dst) || place_of(&packet->dst) != DNET_PLACE_NONE;
}

static __always_inline bool for_my_mac(const struct packet *packet, const struct dnet_endpoint *endpoint)
{
	return packet->mac_dst[0] & 1 || mac_same(packet->mac_dst, endpoint->mac);
}

static __always_inline bool bridge_sealed(__u32 ifindex)
{
	__u32 *flags = bpf_map_lookup_elem(&bridges, &ifindex);

	return flags && *flags & DNET_BRIDGE_SEALED;
}

/* Bridged here from another port of the bridge, which carries no program of ours. */
static __always_inline bool from_unknown_port(const struct __sk_buff *skb)
{
	struct question question = {};
	struct dnet_addr nobody = {};

	return skb->pkt_type != PKT_HOST && skb->pkt_type != PKT_OUTGOING &&
	       peer_by_origin(&question, &nobody, skb->ingress_ifindex, true) == ORIGIN_UNKNOWN_PORT;
}

/* In audit mode these are reported and pass. Spoofing and packets that cannot be judged are not the policy's to forgive. */
static __always_inline bool audited(const struct dnet_endpoint *endpoint, enum dnet_reason reason)
{
	return endpoint->flags & DNET_ENDPOINT_AUDIT &&
	       (reason == DNET_REASON_POLICY_DENIED || reason == DNET_REASON_DEFAULT_DENIED ||
		reason == DNET_REASON_FLOW_REVOKED || reason == DNET_REASON_NO_FLOW ||
		reason == DNET_REASON_ICMP_UNRELATED || reason == DNET_REASON_ETHERTYPE);
}

/*
 * Ask the endpoint's policy about a flow. @initiated_here: this endpoint began it (its egress rules answer), else its
 * ingress rules do. @origin_known: @origin_ifindex is where the initiator's packet came from.
 */
static __always_inline enum dnet_reason judge(struct run *run, const struct dnet_endpoint *endpoint, __u32 arena,
					      __u32 selector, bool initiated_here, bool origin_known, __u32 origin_ifindex,
					      bool bridged)
{
	__u32 asked = initiated_here ? DNET_EGRESS : DNET_INGRESS, counter;
	struct question question = { .selector = selector };
	enum dnet_reason reason;

	question.peer = run->direction == DNET_EGRESS ? run->packet.dst : run->packet.src;
	if (!initiated_here && origin_known)
		peer_by_origin(&question, &question.peer, origin_ifindex, bridged);
	else
		peer_by_address(&question, &question.peer, endpoint->bridge_ifindex);
	question.ruleset[DNET_LAYER_FILE] = ruleset_of(endpoint, arena, asked, DNET_LAYER_FILE);
	question.ruleset[DNET_LAYER_LABELS] = ruleset_of(endpoint, arena, asked, DNET_LAYER_LABELS);
	reason = decide(&question);
	run->layer = question.layer;
	run->rule_counter = question.rule_counter[DNET_LAYER_FILE];
	counter = question.rule_counter[DNET_LAYER_LABELS];
	if (run->rule_counter != DNET_NO_RULE)
		count_rule(run->rule_counter);
	if (counter != DNET_NO_RULE)
		count_rule(counter);
	if (question.layer == DNET_LAYER_LABELS)
		run->rule_counter = counter;
	return reason;
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

/* @expired: the dead entry that has this key, to be reused in place (the other end must judge anew as well), or NULL. */
static __always_inline struct dnet_flow *make_flow(struct dnet_flow *expired, const struct dnet_flow_key *key, __u32 selector,
						   __u32 initiator, __u64 now)
{
	struct dnet_state *writable = the_state();
	struct dnet_flow fresh;

	if (expired) {
		flow_begin(expired, selector, initiator, now);
		return expired;
	}
	flow_begin(&fresh, selector, initiator, now);
	if (bpf_map_update_elem(&flows, key, &fresh, BPF_NOEXIST) == 0 && writable)
		__sync_fetch_and_add(&writable->flow_inserts, 1);
	/* Inserted, or lost to another CPU that inserted the same: look again. */
	return bpf_map_lookup_elem(&flows, key);
}

static __always_inline enum dnet_reason judge_flow(struct __sk_buff *skb, struct run *run, const struct dnet_endpoint *endpoint,
				      const struct dnet_state *current, __u64 now)
{
	const struct packet *packet = &run->packet;
	bool egress = run->direction == DNET_EGRESS, known, mine = false, origin_known = !egress;
	bool bridged = skb->pkt_type != PKT_HOST && skb->pkt_type != PKT_OUTGOING;
	bool begins = packet->proto != IPPROTO_TCP ||
		      (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	__u32 generation = current->generation, arena = current->version;
	__u32 sender, own, initiator, selector = packet->selector, origin = skb->ingress_ifindex;
	enum dnet_reason reason;
	struct dnet_flow_key key;
	struct dnet_flow *flow;
	struct dnet_flow_end *end;

	sender = flow_key(&key, &packet->src, packet->src_port_be, &packet->dst, packet->dst_port_be, packet->proto);
	initiator = sender;
	own = egress ? sender : !sender;
	flow = bpf_map_lookup_elem(&flows, &key);
	known = flow && !flow_expired(flow, packet->proto, now);
	/* A SYN on a closed connection begins a new one; so does one from the side that had not begun. */
	if (known && packet->proto == IPPROTO_TCP && begins &&
	    (flow->state == DNET_FLOW_CLOSING || (flow->state == DNET_FLOW_ESTABLISHED && flow->initiator != sender)))
		known = false;

	if (known) {
		end = &flow->end[own & 1];
		mine = end->endpoint_id == endpoint->id;
		if (mine && end->generation == generation) {
			flow_heard(flow, packet, sender, now);
			return DNET_REASON_ESTABLISHED;
		}
		/* Judge again what was judged, or judge at this end what the other end let pass: as the flow began. */
		initiator = flow->initiator;
		selector = flow->selector;
		/* Where the other end's packets come from: what this packet shows, else what the first one showed. */
		if (mine && egress) {
			origin = end->origin_ifindex;
			origin_known = true;
			bridged = end->origin_bridged;
		}
	} else if (!begins && now >= endpoint->grace_until_ns) {
		run->would = audited(endpoint, DNET_REASON_NO_FLOW);
		return DNET_REASON_NO_FLOW;
	}
	reason = judge(run, endpoint, arena, selector, initiator == own, origin_known, origin, bridged);
	if (!known && !begins && dnet_reason_class(reason) != DNET_CLASS_PASS) {
		/* A connection older than our presence here is judged as if new, and we cannot know who began it. */
		initiator = !sender;
		selector = reverse_selector(packet);
		origin = 0;
		reason = judge(run, endpoint, arena, selector, initiator == own, false, 0, false);
	}
	if (dnet_reason_class(reason) != DNET_CLASS_PASS) {
		if (mine && dnet_reason_class(reason) == DNET_CLASS_DENY)
			reason = DNET_REASON_FLOW_REVOKED;
		run->would = audited(endpoint, reason);
		if (!run->would)
			return reason;
	} else if (mine) {
		reason = DNET_REASON_ESTABLISHED;
	}
	if (!known) {
		flow = make_flow(flow, &key, selector, initiator, now);
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
static __always_inline enum dnet_reason judge_icmp_error(struct __sk_buff *skb, struct run *run,
							 const struct dnet_endpoint *endpoint,
							 const struct dnet_state *current, __u64 now)
{
	struct dnet_flow *flow;
	struct dnet_flow_end *end;
	__u32 quoted_sender;
	__u8 proto;

	flow = flow_of_icmp_error(skb, &run->packet, &quoted_sender, &proto);
	if (!flow || flow_expired(flow, proto, now))
		return DNET_REASON_ICMP_UNRELATED;
	/* Received: we had sent the quoted packet. Sent: we had received it. */
	end = &flow->end[(run->direction == DNET_INGRESS ? quoted_sender : !quoted_sender) & 1];
	if (end->endpoint_id != endpoint->id || end->generation != current->generation)
		return DNET_REASON_ICMP_UNRELATED;
	return DNET_REASON_ICMP_RELATED;
}

static __always_inline enum dnet_reason judge_packet(struct __sk_buff *skb, struct run *run)
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
	if (!endpoint)
		return !reason && is_neighbor(packet) ? DNET_REASON_NEIGHBOR : DNET_REASON_PENDING;
	current = the_state();
	if (!current)
		return DNET_REASON_TABLE_MISSING;
	if (!egress && !is_neighbor(packet) && from_unknown_port(skb) &&
	    (current->unknown_deny || bridge_sealed(endpoint->bridge_ifindex)))
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
		run->would = audited(endpoint, DNET_REASON_ETHERTYPE);
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
		reason = judge_icmp_error(skb, run, endpoint, current, now);
		run->would = audited(endpoint, reason);
		return reason;
	}
	reason = judge_flow(skb, run, endpoint, current, now);
	if (packet->flags & PACKET_FIRST_FRAGMENT && (run->would || dnet_reason_class(reason) == DNET_CLASS_PASS))
		fragment_first_passed(packet, skb->ifindex, run->direction, now);
	return reason;
}

/* On the host side of a container's veth, TC ingress: what the container sends. */
SEC("tc")
int dnet_egress(struct __sk_buff *skb)
{
	struct run run = { .direction = DNET_EGRESS, .rule_counter = DNET_NO_RULE };

	skb->tc_index = DNET_STAMP;
	return leave(skb, &run, judge_packet(skb, &run));
}

/* On the host side of a container's veth, TC egress: what the container receives. */
SEC("tc")
int dnet_ingress(struct __sk_buff *skb)
{
	struct run run = { .direction = DNET_INGRESS, .rule_counter = DNET_NO_RULE };

	return leave(skb, &run, judge_packet(skb, &run));
}

/* On a Docker bridge, TC ingress: what its containers send to the host and beyond. The safety net: whoever is not stamped
 * has a port that carries no program of ours. */
SEC("tc")
int dnet_bridge(struct __sk_buff *skb)
{
	struct run run = { .direction = DNET_EGRESS, .rule_counter = DNET_NO_RULE };
	enum dnet_reason reason = DNET_REASON_UNKNOWN_ALLOWED;
	const struct dnet_state *current;

	if (skb->tc_index == DNET_STAMP)
		return TC_ACT_UNSPEC;
	current = the_state();
	parse_packet(skb, &run.packet);
	if (is_neighbor(&run.packet))
		reason = DNET_REASON_NEIGHBOR;
	else if ((current && current->unknown_deny) || bridge_sealed(skb->ifindex))
		reason = DNET_REASON_UNKNOWN_ENDPOINT;
	return leave(skb, &run, reason);
}
