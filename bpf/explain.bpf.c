/* SPDX-License-Identifier: GPL-2.0 */
/* What the TC programs would say of a packet, and why; run by BPF_PROG_RUN, never attached. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <dnetbpf/explain.h>

#include "judge.bpf.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dnet_explanation);
} explanation SEC(".maps");

static __always_inline int explain(struct __sk_buff *skb, __u32 direction)
{
	struct run run;
	struct question *question;
	const struct dnet_state *current = the_state();
	struct dnet_explanation *answer;
	enum dnet_reason reason;
	__u32 zero = 0;

	if (!run_begin(&run, skb, direction, SCRATCH_EXPLAIN))
		return -1;
	reason = judge_packet(skb, &run, false);
	answer = bpf_map_lookup_elem(&explanation, &zero);
	if (!answer || !current)
		return -1;
	__builtin_memset(answer, 0, sizeof(*answer));
	answer->reason = reason;
	answer->verdict = verdict_of(&run, reason);
	answer->rule_counter = decided_by(&run, &answer->layer);
	answer->endpoint_id = run.endpoint ? run.endpoint->id : 0;
	answer->arena = current->version % DNET_ARENAS;
	answer->selector = run.packet->selector;
	answer->peer = direction == DNET_EGRESS ? run.packet->dst : run.packet->src;
	for (int layer = 0; layer < DNET_LAYERS; layer++)
		answer->rule[layer] = DNET_EXPLAIN_NO_RULE;
	question = run.question;
	if (!question)
		return 0;
	/* What no ruleset asked for is told all the same: why other rules did not match. */
	find_scope(question);
	find_set(question);
	find_country(question);
	answer->arena = question->arena;
	answer->asked = question->asked;
	for (int layer = 0; layer < DNET_LAYERS; layer++) {
		struct dnet_ruleset *ruleset = bpf_map_lookup_elem(&rulesets, &question->ruleset[layer]);

		answer->ruleset[layer] = question->ruleset[layer];
		if (ruleset && question->rule[layer] != DNET_NO_RULE)
			answer->rule[layer] = question->rule[layer] - ruleset->rule_base;
	}
	answer->selector = question->selector;
	answer->peer_class = question->peer_class;
	answer->peer_endpoint = question->peer_endpoint;
	answer->peer_set_class = question->peer_set_class;
	answer->peer_country = question->peer_country;
	answer->peer_ifindex = question->peer_ifindex;
	answer->group = question->group;
	return 0;
}

SEC("tc")
int dnet_explain_egress(struct __sk_buff *skb)
{
	return explain(skb, DNET_EGRESS);
}

SEC("tc")
int dnet_explain_ingress(struct __sk_buff *skb)
{
	return explain(skb, DNET_INGRESS);
}
