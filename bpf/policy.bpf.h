/* SPDX-License-Identifier: GPL-2.0 */
/* The verdict of an endpoint's policy on one question. No side effects. */
#ifndef DNETBPF_POLICY_BPF_H
#define DNETBPF_POLICY_BPF_H

#include "classify.bpf.h"
#include "guard.bpf.h"

/* skb->pkt_type */
#define PKT_HOST 0
#define PKT_OUTGOING 4

/* What the peer is, by its address alone: for what a container sends. */
static __always_inline void peer_by_address(struct question *question, const struct dnet_addr *addr, __u32 bridge_ifindex)
{
	question->peer_class = DNET_PEER_OTHER;
	question->peer_endpoint = owner_of(addr, bridge_ifindex);
	if (!question->peer_endpoint && bridge_ifindex)
		question->peer_endpoint = owner_of(addr, 0);
	if (question->peer_endpoint)
		return;
	switch (place_of(addr)) {
	case DNET_PLACE_HOST:
		question->peer_class = DNET_PEER_HOST;
		return;
	case DNET_PLACE_DOCKER:
		return;
	}
	if (addr->byte[0] == 0xff ||
	    (addr->quad[0] == 0 && addr->word_be[2] == bpf_htonl(0xffff) && addr->byte[12] >= 224 && addr->byte[12] < 240) ||
	    (addr->quad[0] == 0 && addr->word_be[2] == bpf_htonl(0xffff) && addr->word_be[3] == 0xffffffff))
		return;
	question->peer_class = DNET_PEER_OUTSIDE;
}

#define ORIGIN_UNKNOWN_PORT 1	/* a port of a Docker bridge that is not under enforcement */

/*
 * What the peer is, by the interface that its packet came from: for what a container receives. On one bridge that is the
 * sender's own port, so that a borrowed address gains nothing. @bridged: the bridge forwarded it from another port.
 * Returns 0 or ORIGIN_UNKNOWN_PORT.
 */
static __always_inline int peer_by_origin(struct question *question, const struct dnet_addr *addr, __u32 origin_ifindex,
					  bool bridged)
{
	struct dnet_endpoint *endpoint;
	__u32 *slot;

	question->peer_class = DNET_PEER_OTHER;
	question->peer_endpoint = 0;
	if (!origin_ifindex) {
		question->peer_class = DNET_PEER_HOST;
		return 0;
	}
	slot = bpf_map_lookup_elem(&links, &origin_ifindex);
	if (slot) {
		endpoint = bpf_map_lookup_elem(&endpoints, slot);
		if (endpoint && endpoint->ifindex == origin_ifindex) {
			question->peer_endpoint = endpoint->id;
			return 0;
		}
	}
	if (bpf_map_lookup_elem(&bridges, &origin_ifindex)) {
		/* Routed here from another Docker network; its guard vouches for the address. */
		question->peer_endpoint = owner_of(addr, origin_ifindex);
		return 0;
	}
	if (bridged)
		return ORIGIN_UNKNOWN_PORT;
	question->peer_class = DNET_PEER_OUTSIDE;
	return 0;
}

static __always_inline __u32 decide_layer(struct question *question, __u32 index, __u32 *ret_counter)
{
	struct dnet_ruleset *ruleset = bpf_map_lookup_elem(&rulesets, &index);
	struct dnet_rule *rule;
	__u32 rule_index;
	int match;

	if (!ruleset)
		return DNET_REASON_TABLE_MISSING;
	match = classify(question, ruleset, index);
	if (match == CLASSIFY_NO_MATCH)
		return DNET_REASON_DEFAULT_DENIED;
	rule_index = ruleset->rule_base + match;
	rule = bpf_map_lookup_elem(&rules, &rule_index);
	if (match < 0 || !rule)
		return DNET_REASON_TABLE_MISSING;
	*ret_counter = rule->counter;
	return rule->action == DNET_RULE_ALLOW ? DNET_REASON_POLICY_ALLOWED : DNET_REASON_POLICY_DENIED;
}

/*
 * Every layer that governs the direction must let the packet through. A global function: the verifier checks it once, by
 * itself, and not once for each path that leads here.
 */
__noinline int decide(struct question *question)
{
	__u32 reason = DNET_REASON_UNSELECTED;

	if (!question)
		return DNET_REASON_TABLE_MISSING;
	question->layer = DNET_LAYER_FILE;
	question->rule_counter[DNET_LAYER_FILE] = DNET_NO_RULE;
	question->rule_counter[DNET_LAYER_LABELS] = DNET_NO_RULE;
	if (question->ruleset[DNET_LAYER_FILE])
		reason = decide_layer(question, question->ruleset[DNET_LAYER_FILE], &question->rule_counter[DNET_LAYER_FILE]);
	if (dnet_reason_class(reason) == DNET_CLASS_PASS && question->ruleset[DNET_LAYER_LABELS]) {
		question->layer = DNET_LAYER_LABELS;
		reason = decide_layer(question, question->ruleset[DNET_LAYER_LABELS], &question->rule_counter[DNET_LAYER_LABELS]);
	}
	return reason;
}

/* The ruleset of a layer as an index over both arenas. */
static __always_inline __u32 ruleset_of(const struct dnet_endpoint *endpoint, __u32 arena, __u32 direction, __u32 layer)
{
	__u32 local = endpoint->ruleset[arena & 1][direction & 1][layer & 1];

	return local ? (arena & 1) * DNET_MAX_RULESETS + local : 0;
}

#endif
