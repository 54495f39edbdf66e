/* SPDX-License-Identifier: GPL-2.0 */
/* The one way out: count, report, return. Nothing here changes a verdict. */
#ifndef DNETBPF_EXIT_BPF_H
#define DNETBPF_EXIT_BPF_H

#include <linux/pkt_cls.h>

#include "classify.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"

#define NSEC_PER_SEC 1000000000ull

/* What a block that hit says. */
struct block_hit {
	__u32 counter;	/* of the rule whose limit was exceeded, or DNET_NO_RULE */
	__u32 layer;
	__u32 would;	/* the packet passes: audit mode */
};

/* Everything that one run learns on the way. */
struct run {
	struct scratch *scratch;
	struct packet *packet;	/* in it */
	const struct dnet_endpoint *endpoint;	/* NULL: none */
	__u32 slot;
	__u32 direction;
	__u32 packets;		/* on the wire: a GSO packet is many */
	bool would;		/* audit mode passes what the reason denies */
	struct question *question;	/* in it; NULL: no policy was asked */
	__u32 limit;		/* that refused, index in `limits`; 0: none */
	struct block_hit hit;
	__u32 block_epoch;	/* that the connection's end is to remember */
};

/* @whose: SCRATCH_*. False cannot be. */
static __always_inline bool run_begin(struct run *run, const struct __sk_buff *skb, __u32 direction, __u32 whose)
{
	__u32 segments = skb->gso_segs;

	run->scratch = scratch_of(whose);
	if (!run->scratch)
		return false;
	run->packet = &run->scratch->packet;
	__builtin_memset(run->packet, 0, sizeof(*run->packet));
	run->endpoint = NULL;
	run->slot = 0;
	run->direction = direction;
	run->packets = segments > 1 ? segments : 1;
	run->would = false;
	run->question = NULL;
	run->limit = 0;
	run->hit.counter = DNET_NO_RULE;
	run->hit.layer = DNET_LAYER_FILE;
	run->hit.would = 0;
	run->block_epoch = 0;
	return true;
}

static __always_inline __u32 verdict_of(const struct run *run, enum dnet_reason reason)
{
	enum dnet_reason_class class = dnet_reason_class(reason);
	bool fail_open = class == DNET_CLASS_FAIL && run->endpoint && run->endpoint->flags & DNET_ENDPOINT_FAIL_OPEN;

	return class == DNET_CLASS_PASS || fail_open ? DNET_PASS : run->would ? DNET_WOULD_DENY : DNET_DENY;
}

/* A GSO packet is one header and the payload of many segments: each of them will carry the header again. */
static __always_inline __u32 wire_bytes(const struct __sk_buff *skb, const struct run *run)
{
	return skb->len + (run->packets - 1) * run->packet->header_bytes;
}

/* GCRA (ITU-T I.371) on one word: may this endpoint send an event now? */
static __always_inline bool event_budget_take(struct dnet_event_budget *budget, __u64 now)
{
	const __u64 period = NSEC_PER_SEC / DNET_EVENTS_PER_SEC;
	const __u64 tolerance = period * (DNET_EVENT_BURST - 1);

	for (int i = 0; i < 4; i++) {
		__u64 arrival = *(volatile __u64 *)&budget->theoretical_arrival_ns;
		__u64 start = arrival > now ? arrival : now;

		if (start - now > tolerance)
			return false;
		if (__sync_val_compare_and_swap(&budget->theoretical_arrival_ns, arrival, start + period) == arrival)
			return true;
	}
	return false;	/* four other CPUs were faster: this one is counted as suppressed */
}

/* The counter of the rule that a layer answered with, or DNET_NO_RULE. */
static __always_inline __u32 rule_counter(const struct question *question, __u32 layer)
{
	__u32 index = layer < DNET_LAYERS ? question->rule[layer] : DNET_NO_RULE;
	struct dnet_rule *rule = bpf_map_lookup_elem(&rules, &index);	/* DNET_NO_RULE is beyond its end */

	return rule ? rule->counter : DNET_NO_RULE;
}

/* The counter of the rule that decided, or DNET_NO_RULE, and the layer: the limit that refused, the ban, or the answer. */
static __always_inline __u32 decided_by(const struct run *run, __u32 *ret_layer)
{
	const struct dnet_limit *limit = run->limit ? limit_at(run->limit) : NULL;

	if (limit) {
		*ret_layer = limit->layer;
		return limit->rule_counter;
	}
	*ret_layer = run->hit.layer;
	if (!run->question || run->hit.counter != DNET_NO_RULE)
		return run->hit.counter;
	*ret_layer = run->question->layer;
	return rule_counter(run->question, run->question->layer);
}

static __always_inline void count_hit(__u32 counter)
{
	__u64 *hits = bpf_map_lookup_elem(&rule_hits, &counter);

	if (hits)
		*hits += 1;
}

static __always_inline void count_rules(const struct question *question)
{
	__u32 last = DNET_NO_RULE;

	for (int layer = 0; layer < DNET_LAYERS; layer++) {
		__u32 counter = rule_counter(question, layer);

		/* A rule by hand stands in the file's list and in the labels'. */
		if (counter != last)
			count_hit(counter);
		last = counter;
	}
}

static __always_inline void report(struct __sk_buff *skb, const struct run *run, __u32 reason, __u32 verdict)
{
	const struct packet *packet = run->packet;
	__u32 slot = run->slot, zero = 0;
	struct dnet_event_budget *budget = bpf_map_lookup_elem(&event_budgets, &slot);
	struct dnet_event *event;
	__u32 layer;
	__u64 now = bpf_ktime_get_ns();

	if (!budget)
		return;
	if (!event_budget_take(budget, now)) {
		__sync_fetch_and_add(&budget->suppressed, 1);
		return;
	}
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		struct dnet_state *state_value = bpf_map_lookup_elem(&state, &zero);

		if (state_value)
			__sync_fetch_and_add(&state_value->events_lost, 1);
		return;
	}
	__sync_fetch_and_add(&budget->sent, 1);
	event->time_ns = now;
	event->ifindex = skb->ifindex;
	event->endpoint_id = run->endpoint ? run->endpoint->id : 0;
	event->rule_counter = decided_by(run, &layer);
	event->layer = layer;
	event->bytes = wire_bytes(skb, run);
	event->packets = run->packets;
	event->direction = run->direction;
	event->verdict = verdict;
	event->reason = reason;
	event->proto = packet->proto;
	event->src = packet->src;
	event->dst = packet->dst;
	event->src_port_be = packet->src_port_be;
	event->dst_port_be = packet->dst_port_be;
	if (packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6) {
		event->src_port_be = 0;
		event->dst_port_be = bpf_htons(packet->icmp_type << 8 | packet->icmp_code);
	}
	event->ethertype_be = packet->ethertype_be;
	event->tcp_flags = packet->tcp_flags;
	bpf_ringbuf_submit(event, 0);
}

/*
 * Returns the program's answer. "Pass" is TC_ACT_UNSPEC, which is TCX_NEXT too: programs of others on the hook still run.
 */
static __always_inline int leave(struct __sk_buff *skb, const struct run *run, enum dnet_reason reason)
{
	enum dnet_reason_class class = dnet_reason_class(reason);
	__u32 slot = run->slot < DNET_ENDPOINT_SLOTS ? run->slot : 0, verdict = verdict_of(run, reason), index;
	struct dnet_counter *counter;

	if (run->question)
		count_rules(run->question);
	if (class == DNET_CLASS_PASS) {
		index = dnet_pass_index(slot, run->direction, reason);
		counter = bpf_map_lookup_elem(&pass_counters, &index);
		if (counter) {
			counter->packets += run->packets;
			counter->bytes += wire_bytes(skb, run);
		}
		return TC_ACT_UNSPEC;
	}
	index = dnet_deny_index(slot, run->direction, verdict, reason);
	counter = bpf_map_lookup_elem(&deny_counters, &index);
	if (counter) {
		__sync_fetch_and_add(&counter->packets, run->packets);
		__sync_fetch_and_add(&counter->bytes, wire_bytes(skb, run));
	}
	/* No rule answered: a limit of a connection that is known refused, or a ban. */
	if (!run->question || run->hit.counter != DNET_NO_RULE)
		count_hit(decided_by(run, &index));
	/* Flooded frames are for somebody else: a bridge's noise, not news. */
	if (reason != DNET_REASON_FLOODED)
		report(skb, run, reason, verdict);
	return verdict == DNET_DENY ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

#endif
