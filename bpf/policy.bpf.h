/* SPDX-License-Identifier: GPL-2.0 */
/* The verdict of an endpoint's policy on one question. Writes nothing but the question. */
#ifndef DNETBPF_POLICY_BPF_H
#define DNETBPF_POLICY_BPF_H

#include "classify.bpf.h"
#include "place.bpf.h"

/* What the peer is, by its address alone: for what a container sends. */
static __always_inline void peer_by_address(struct question *question, __u32 bridge_ifindex)
{
	__u32 place;

	if (addr_group(&question->peer))
		return;
	/* Under its own bridge stand also the addresses that an endpoint's container has elsewhere: they are not the way there. */
	question->peer_endpoint = owner_of(&question->peer, 0);
	if (!question->peer_endpoint && bridge_ifindex)
		question->peer_endpoint = owner_of(&question->peer, bridge_ifindex);
	if (question->peer_endpoint)
		return;
	place = place_of(&question->peer);
	question->scope_known = 1;
	if (place == DNET_PLACE_HOST)
		question->peer_class = DNET_PEER_HOST;
	else if (place != DNET_PLACE_DOCKER)
		question->peer_class = scope_of_place(place);
}

/*
 * What the peer is, by the interface that its packet came from: for what a container receives. On one bridge that is the
 * sender's own port, so that a borrowed address gains nothing.
 */
static __always_inline void peer_by_origin(struct question *question)
{
	__u32 origin = question->origin_ifindex, slot;
	const struct dnet_endpoint *endpoint;

	if (!origin) {
		question->peer_class = DNET_PEER_HOST;
		return;
	}
	endpoint = endpoint_of(origin, &slot);
	if (endpoint) {
		question->peer_endpoint = endpoint->id;
	} else if (bridge_flags(origin)) {
		/* Routed here from another Docker network; its guard vouches for the address. */
		question->peer_endpoint = owner_of(&question->peer, origin);
	} else if (!question->origin_bridged) {
		question->peer_class = DNET_PEER_OUTSIDE;
		question->peer_ifindex = origin;
	}
}

#define RULESETS (DNET_ARENAS * DNET_DIRECTIONS * DNET_LAYERS)

/*
 * Every layer that governs the direction must let the packet through. What the host's layer lets through is not selected by
 * that. A global function: see decide_layer().
 */
__noinline int decide(struct question *question, const struct dnet_endpoint *endpoint)
{
	__u32 reason = DNET_REASON_UNSELECTED, first, flags = 0;

	if (!question || !endpoint)
		return DNET_REASON_TABLE_MISSING;
	first = (question->arena * DNET_DIRECTIONS + question->asked) * DNET_LAYERS;
	if (first > RULESETS - DNET_LAYERS)
		return DNET_REASON_TABLE_MISSING;
	if (question->asked == DNET_EGRESS || question->origin_ifindex == DNET_ORIGIN_UNKNOWN)
		peer_by_address(question, endpoint->bridge_ifindex);
	else
		peer_by_origin(question);
	for (__u32 layer = 0; layer < DNET_LAYERS; layer++) {
		__u32 local = (&endpoint->ruleset[0][0][0])[first + layer];
		__u32 index = local ? question->arena * DNET_MAX_RULESETS + local : 0;
		struct dnet_ruleset *ruleset = bpf_map_lookup_elem(&rulesets, &index);	/* 6.1 takes no key from *question */

		question->rule[layer] = DNET_NO_RULE;
		question->ruleset[layer] = index;
		if (ruleset)
			flags |= ruleset->flags;
	}
	/* Here and not where they are needed: stacks of functions that call each other add up, to 512 bytes at most. */
	if (flags & DNET_RULESET_HAS_SCOPES)
		find_scope(question);
	if (flags & DNET_RULESET_HAS_SETS)
		find_set(question);
	if (flags & DNET_RULESET_HAS_COUNTRIES)
		find_country(question);
	question->layer = DNET_LAYER_FILE;
	for (__u32 layer = 0; layer < DNET_LAYERS; layer++) {
		__u32 answer;

		if (!question->ruleset[layer])
			continue;
		question->layer = layer;
		answer = decide_layer(question, layer);
		if (layer != DNET_LAYER_HOST || dnet_reason_class(answer) != DNET_CLASS_PASS)
			reason = answer;
		if (dnet_reason_class(reason) != DNET_CLASS_PASS)
			break;
	}
	return reason;
}

#endif
