/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The path of a packet at a container's veth, up to its reason: for the attached programs, which commit what follows from it, and
 * for the explain programs, which commit nothing. There is one decision code.
 */
#ifndef DNETBPF_JUDGE_BPF_H
#define DNETBPF_JUDGE_BPF_H

#include "block.bpf.h"
#include "exit.bpf.h"
#include "flow.bpf.h"
#include "fragment.bpf.h"
#include "guard.bpf.h"
#include "limit.bpf.h"
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
	if (!(run->endpoint->flags & DNET_ENDPOINT_AUDIT) || (run->question && run->question->layer == DNET_LAYER_HOST))
		return false;
	return reason == DNET_REASON_POLICY_DENIED || reason == DNET_REASON_DEFAULT_DENIED || reason == DNET_REASON_FLOW_REVOKED ||
	       reason == DNET_REASON_NO_FLOW || reason == DNET_REASON_ICMP_UNRELATED || reason == DNET_REASON_ETHERTYPE ||
	       reason == DNET_REASON_RATE_LIMITED || reason == DNET_REASON_TOO_MANY_CONNECTIONS || reason == DNET_REASON_PACKET_RATE ||
	       reason == DNET_REASON_LIMIT_TABLE_FULL;
}

/* Ask the endpoint's policy about a flow. @initiated_here: this endpoint began it (its egress rules answer), else its
 * ingress rules do. @origin: where the initiator's packets come from, or DNET_ORIGIN_UNKNOWN. */
static __always_inline enum dnet_reason ask(struct run *run, __u32 arena, __u32 selector, bool initiated_here, __u32 origin, bool bridged)
{
	const struct packet *packet = run->packet;
	bool egress = run->direction == DNET_EGRESS;
	struct question *question = &run->scratch->question;

	__builtin_memset(question, 0, sizeof(*question));
	question->peer = egress ? packet->dst : packet->src;
	question->selector = selector;
	question->asked = initiated_here ? DNET_EGRESS : DNET_INGRESS;
	question->arena = arena;
	question->origin_ifindex = origin;
	question->origin_bridged = bridged;
	question->group = addr_group(egress == initiated_here ? &packet->dst : &packet->src);
	run->question = question;
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

/* Enter a connection. Whether it stands then, here or because another CPU was faster, find_flow() says. */
static __noinline void make_flow(const struct packet *packet, __u32 selector, __u32 initiator, __u64 now)
{
	struct dnet_state *writable;
	struct dnet_flow_key key;
	struct dnet_flow fresh;

	flow_begin(&fresh, selector, initiator, now);
	packet_flow_key(packet, &key);
	if (bpf_map_update_elem(&flows, &key, &fresh, BPF_NOEXIST) != 0)
		return;
	writable = the_state();
	if (writable)
		__sync_fetch_and_add(&writable->flow_inserts, 1);
}

/* Does a packet go on that a limit refuses? Audit reports and passes it; on-failure: open passes when the table is full. */
static __always_inline bool limit_passes(struct run *run, enum dnet_reason reason)
{
	run->would = audited(run, reason);
	return run->would || (reason == DNET_REASON_LIMIT_TABLE_FULL && run->endpoint->flags & DNET_ENDPOINT_FAIL_OPEN);
}

/* The `packets` limits that a connection's end has, asked for a packet of its initiator. 0, or why not. */
static __always_inline enum dnet_reason judge_rate(struct run *run, const __u32 packets_limit[DNET_FLOW_LIMITS], const bool commit)
{
	int refused;

	if (!packets_limit[0] && !packets_limit[1])
		return 0;
	refused = packets_ask(packets_limit[0], packets_limit[1], peer_of(run), run->endpoint->id,
			      (commit ? BUCKET_CHARGE : BUCKET_ASK) | ACT_PACKETS(run->packets));
	if (refused)
		run->limit = packets_limit[refused & PACKETS_SECOND ? 1 : 0];
	return refused & ~PACKETS_SECOND;
}

/*
 * The limits of the rules that allow it. A packet that the limits refuse is charged nothing. @fresh: a connection that begins, or that
 * only the other end has judged yet. 0, or why not; either way the question holds what the end is to remember.
 */
static __always_inline enum dnet_reason judge_limits(struct run *run, bool fresh, bool from_initiator, const bool commit)
{
	struct question *question = run->question;
	__u32 id = run->endpoint->id, packet = from_initiator ? LIMITS_PACKET | ACT_PACKETS(run->packets) : 0;
	enum dnet_reason reason;

	if (!fresh) {
		limits_walk(question, id, LIMITS_NOTE);
		return from_initiator ? judge_rate(run, question->packets_limit, commit) : 0;
	}
	reason = limits_walk(question, id, packet | (commit ? LIMITS_CHARGE : LIMITS_ASK));
	if (reason)
		run->limit = question->refused;
	if (reason && commit) {
		limits_walk(question, id, packet | LIMITS_UNDO);
		/* Under audit it goes on, and meets its `packets` limits, which may come after the one that refused. */
		limits_walk(question, id, LIMITS_NOTE);
	}
	return reason;
}

/*
 * Enter at this end of a connection what was found: the question's answer and its limits. Then account the packet. A function of its own
 * for the stack's sake, see decide().
 */
static __noinline void flow_settle(struct dnet_flow *flow, const struct run *run, __u32 sender, __u32 generation, __u64 now)
{
	const struct question *question = run->question;
	__u32 own = run->direction == DNET_EGRESS ? sender : !sender;
	struct dnet_flow_end *end = &flow->end[own & 1];

	if (!question)
		return;
	end->origin_ifindex = flow->initiator == own ? 0 : question->origin_ifindex;
	end->origin_bridged = flow->initiator != own && question->origin_bridged;
	end->endpoint_id = run->endpoint->id;
	end->generation = generation;
	end->block_epoch = run->block_epoch;
	for (int i = 0; i < DNET_FLOW_LIMITS; i++) {
		end->packets_limit[i] = question->packets_limit[i];
		/* The old place is given back after the new one was taken: counted twice for a moment rather than not at all. */
		if (end->counted[i] || question->counted[i])
			count_give_back(__sync_lock_test_and_set(&end->counted[i], question->counted[i]));
	}
	flow_heard(flow, run->packet, sender, now);
}

/* Is the packet's peer blocked? 0, or the reason, and then run->would says whether it passes all the same. */
static __always_inline enum dnet_reason judge_block(struct run *run, const struct dnet_state *current, __u32 arena, __u64 now,
						    const bool commit)
{
	enum dnet_reason reason;

	if (now >= *(const volatile __u64 *)&current->blocked_until_ns)
		return 0;
	reason = block_judge(peer_of(run), run->endpoint, now,
			     (arena * DNET_DIRECTIONS + run->direction) * SCRATCH_COUNT + (commit ? SCRATCH_ATTACHED : SCRATCH_EXPLAIN), &run->hit);
	if (reason) {
		run->would = run->hit.would;
		run->block_epoch--;	/* who passes by audit is asked, and reported, each time */
	}
	return reason;
}

/* With @commit the connection is entered and accounted; without, nothing is touched. */
static __always_inline enum dnet_reason judge_flow(struct __sk_buff *skb, struct run *run, const struct dnet_state *current, __u64 now,
						   const bool commit)
{
	const struct packet *packet = run->packet;
	const struct dnet_endpoint *endpoint = run->endpoint;
	bool egress = run->direction == DNET_EGRESS, known, mine = false, bridged = false, fresh = false;
	bool begins = packet->proto != IPPROTO_TCP ||
		      (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	__u32 generation, arena, sender, own, initiator, selector = packet->selector, origin = DNET_ORIGIN_UNKNOWN;
	enum dnet_reason reason, limited = 0, blocked = 0;
	struct question *question;
	struct dnet_flow *flow;
	struct dnet_flow_end *end;

	/* In this order: whoever raises them raises the version first, so that no verdict of the old one is noted as the new one's. */
	generation = *(const volatile __u32 *)&current->generation;
	arena = *(const volatile __u32 *)&current->version % DNET_ARENAS;
	run->block_epoch = *(const volatile __u32 *)&current->block_epoch;
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
		if (commit && flow->state == DNET_FLOW_CLOSING)
			flow_revive(flow, packet, sender, generation);
		end = &flow->end[own & 1];
		mine = end->endpoint_id == endpoint->id;
		/* A connection that we met in its middle is judged once more when a packet shows where it comes from. */
		if (mine && end->generation == generation && (egress || end->origin_ifindex != DNET_ORIGIN_UNKNOWN)) {
			reason = 0;
			if (end->block_epoch != run->block_epoch) {
				blocked = judge_block(run, current, arena, now, commit);
				if (blocked && !run->would)
					return blocked;
				if (commit)
					end->block_epoch = run->block_epoch;
			}
			if (sender == flow->initiator) {
				reason = judge_rate(run, end->packets_limit, commit);
				if (reason && !limit_passes(run, reason))
					return reason;
			}
			if (commit) {
				if (endpoint->flags & DNET_ENDPOINT_PROVES && packet->proto == IPPROTO_TCP)
					prove(flow, packet, endpoint->container, sender, now);
				flow_heard(flow, packet, sender, now);
			}
			if (blocked) {
				run->would = true;
				return blocked;
			}
			return reason ? reason : DNET_REASON_ESTABLISHED;
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
	blocked = judge_block(run, current, arena, now, commit);
	if (blocked && !run->would)
		return blocked;
	reason = ask(run, arena, selector, initiator == own, origin, bridged);
	if (!known && !begins && dnet_reason_class(reason) != DNET_CLASS_PASS) {
		/* A connection older than our presence here is judged as if new, and we cannot know who began it. */
		initiator = !sender;
		selector = reverse_selector(packet);
		origin = DNET_ORIGIN_UNKNOWN;
		bridged = false;
		reason = ask(run, arena, selector, initiator == own, origin, bridged);
	}
	question = run->question;
	if (!question)
		return reason;
	if (dnet_reason_class(reason) != DNET_CLASS_PASS) {
		if (mine && dnet_reason_class(reason) == DNET_CLASS_DENY)
			reason = DNET_REASON_FLOW_REVOKED;
		run->would = audited(run, reason);
		if (!run->would)
			return reason;
		question->counted[0] = question->counted[1] = 0;
		question->packets_limit[0] = question->packets_limit[1] = 0;
	} else {
		/* Nobody pays twice, nor for a connection that is older than our presence. */
		fresh = !mine && (known || begins);
		/* One that is over counts no more, also when nobody has noticed yet. */
		if (commit && !known && flow && flow_expired(flow, packet->proto, current, now))
			flow_give_back(flow);
		limited = judge_limits(run, fresh, sender == initiator, commit);
		/* Which explain cannot do, but has to foresee. */
		if (!commit && limited == DNET_REASON_TOO_MANY_CONNECTIONS && !known && flow && flow->end[own & 1].counted[0] &&
		    flow_expired(flow, packet->proto, current, now))
			limited = 0;
		if (limited && !limit_passes(run, limited))
			return limited;
		if (commit && !fresh && !(known && flow->state == DNET_FLOW_CLOSING))
			limits_walk(question, endpoint->id, LIMITS_COUNT);
		reason = limited ? limited : mine ? DNET_REASON_ESTABLISHED : reason;
		if (blocked) {
			run->would = true;
			reason = blocked;
		}
	}
	if (!commit)
		return reason;
	if (!known) {
		if (flow) {
			/* Reused in place: the other end must judge anew as well. */
			flow_give_back(flow);
			flow_begin(flow, selector, initiator, now);
		} else {
			make_flow(packet, selector, initiator, now);
			flow = find_flow(packet, &sender);
		}
		if (!flow) {
			if (fresh && !limited)
				limits_walk(question, endpoint->id, LIMITS_UNDO | (sender == initiator ? LIMITS_PACKET | ACT_PACKETS(run->packets) : 0));
			count_give_back(question->counted[0]);
			count_give_back(question->counted[1]);
			run->would = false;
			return DNET_REASON_FLOW_TABLE_FULL;
		}
	}
	flow_settle(flow, run, sender, generation, now);
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

	flow = flow_of_icmp_error(skb, run->packet, &quoted_sender, &proto);
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
	const struct packet *packet = run->packet;
	const struct dnet_endpoint *endpoint;
	const struct dnet_state *current;
	bool egress = run->direction == DNET_EGRESS;
	enum dnet_reason reason;
	__u64 now;

	endpoint = endpoint_of(skb->ifindex, &run->slot);
	run->endpoint = endpoint;
	reason = parse_packet(skb, run->packet);
	/* Could it be resolved, packets would follow that are lost. So they wait, with whoever sends them, until it is identified. */
	if (!endpoint)
		return !reason && is_neighbor(packet) && !solicits(skb, packet) ? DNET_REASON_NEIGHBOR : DNET_REASON_PENDING;
	current = the_state();
	if (!current)
		return DNET_REASON_TABLE_MISSING;
	if (!egress && from_unknown_port(skb, commit) &&
	    denies_unknown(skb, packet, current->unknown_deny, bridge_sealed(endpoint->bridge_ifindex)))
		return DNET_REASON_UNKNOWN_ENDPOINT;
	/* What has no connections, or belongs to none, is asked each time; the others see judge_flow(). */
	if (current->blocked_until_ns && !reason && packet->flags & PACKET_IP && !is_neighbor(packet) &&
	    (!(endpoint->flags & DNET_ENDPOINT_TRACKED) || packet->flags & (PACKET_LATER_FRAGMENT | PACKET_ICMP_ERROR))) {
		enum dnet_reason blocked = judge_block(run, current, current->version % DNET_ARENAS, bpf_ktime_get_coarse_ns(), commit);

		if (blocked)
			return blocked;
	}
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
	if (commit && run->limit && !run->would && reason != DNET_REASON_LIMIT_TABLE_FULL) {
		const struct dnet_limit *limit = limit_at(run->limit);

		if (limit && limit->ban_sec &&
		    !never_blocked(peer_of(run), endpoint, current->version % DNET_ARENAS * DNET_DIRECTIONS + run->direction, SCRATCH_ATTACHED))
			ban(peer_of(run), endpoint, run->limit);
	}
	if (commit && packet->flags & PACKET_FIRST_FRAGMENT && (run->would || dnet_reason_class(reason) == DNET_CLASS_PASS))
		fragment_first_passed(packet, skb->ifindex, run->direction, now);
	return reason;
}

#endif
