/* SPDX-License-Identifier: GPL-2.0 */
/* A verdict from compiled tables, without a kernel, and why each rule did or did not match. Pure. */
#ifndef DNETBPF_COMPILE_EXPLAIN_H
#define DNETBPF_COMPILE_EXPLAIN_H

#include <dnetbpf/reason.h>

#include "compile/compile.h"

/* A question to one endpoint's policy, as the datapath puts it. */
struct explain_question {
	uint32_t selector;		/* DNET_SELECTOR() */
	struct dnet_addr peer;
	enum dnet_peer_class peer_class;	/* after the scope: LAN and INTERNET instead of OUTSIDE where they apply */
	uint32_t peer_endpoint;		/* id, 0: none */
	const struct compile_endpoint *peer_named;	/* the same endpoint, for sentences; NULL: none */
	uint32_t peer_ifindex;		/* that the packet came in by, 0: by none that `iface:` could name */
	const char *peer_interface;	/* its name, or NULL */
	uint32_t peer_country;		/* dnet_country(), 0: unknown */
	bool group;			/* addressed to a multicast or broadcast address */
};

struct explain_answer {
	enum dnet_reason reason;	/* POLICY_ALLOWED, POLICY_DENIED, DEFAULT_DENIED, POLICY_INVALID, UNSELECTED or TABLE_MISSING */
	enum dnet_layer layer;		/* that denied, or the last that governs */
	uint32_t rule[DNET_LAYERS];	/* index in that layer's ruleset, EXPLAIN_NO_RULE: none answered */
};
#define EXPLAIN_NO_RULE 0xffffffffu

/* Ask the compiled tables of @verdict's rulesets, by the same lookup as the kernel's. @direction: whose rules answer. */
void explain_decide(const struct compiler *compiler, const struct compile_verdict *verdict, enum dnet_direction direction,
		    const struct explain_question *question, struct explain_answer *ret);
/*
 * What a rule lacks to match, as words for a sentence: "the port is 443, not 80", "203.0.113.7 is not in 198.18.0.0/15";
 * several joined by " and ". "" when it matches. @owner: whose rule it is. Returns @buffer.
 */
const char *explain_lacks(const struct rule *rule, const struct compile_endpoint *owner, const struct policy_set *policies,
			  const struct explain_question *question, char *buffer, size_t size);

#endif
