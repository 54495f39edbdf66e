/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the explain programs say of one packet: the same decision as the attached programs take, on the same maps, without
 * flow, counter or event. Run by BPF_PROG_RUN with the interface in the context.
 */
#ifndef DNETBPF_EXPLAIN_H
#define DNETBPF_EXPLAIN_H

#include <dnetbpf/abi.h>
#include <dnetbpf/address.h>
#include <dnetbpf/policy.h>

/* Map `explanation`, an array of one. */
struct dnet_explanation {
	__u32 reason;		/* enum dnet_reason */
	__u32 verdict;		/* enum dnet_verdict */
	__u32 layer;		/* that decided */
	__u32 endpoint_id;	/* 0: the interface has none */
	__u32 arena;
	__u32 asked;		/* enum dnet_direction: whose rules were asked; valid when a ruleset was */
	__u32 ruleset[DNET_LAYERS];	/* index over all arenas, 0: the layer does not govern */
	__u32 rule[DNET_LAYERS];	/* index in its ruleset of the rule that answered, DNET_EXPLAIN_NO_RULE: none */
	__u32 selector;
	__u32 peer_class;	/* enum dnet_peer_class, after the scope was looked up */
	__u32 peer_endpoint;	/* id or 0 */
	__u32 peer_set_class;
	__u32 peer_country;	/* dnet_country(), 0: unknown */
	__u32 peer_ifindex;	/* 0: none, or over a Docker bridge */
	__u32 group;		/* 1: addressed to a group */
	__u32 rule_counter;	/* of the rule that decided, its limit or its ban: what an event would name; DNET_NO_RULE: none */
	struct dnet_addr peer;
};
#define DNET_EXPLAIN_NO_RULE 0xffffffffu
DNET_ASSERT_SIZE(struct dnet_explanation, 96);

#endif
