/* SPDX-License-Identifier: GPL-2.0 */
/* The TC programs: one for each direction of a container's veth, one for the bridges. README.md has the path of a packet. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <dnetbpf/direction.h>

#include "exit.bpf.h"
#include "judge.bpf.h"

char _license[] SEC("license") = "GPL";

/* On the host side of a container's veth, TC ingress: what the container sends. */
SEC("tc")
int dnet_egress(struct __sk_buff *skb)
{
	struct run run;

	if (!run_begin(&run, skb, DNET_EGRESS, SCRATCH_ATTACHED))
		return TC_ACT_SHOT;
	skb->tc_index = DNET_STAMP;
	return leave(skb, &run, judge_packet(skb, &run, true));
}

/* On the host side of a container's veth, TC egress: what the container receives. */
SEC("tc")
int dnet_ingress(struct __sk_buff *skb)
{
	struct run run;

	if (!run_begin(&run, skb, DNET_INGRESS, SCRATCH_ATTACHED))
		return TC_ACT_SHOT;
	return leave(skb, &run, judge_packet(skb, &run, true));
}

/* On a Docker bridge, TC ingress: what its containers send to the host and beyond. The safety net: whoever is not stamped
 * has a port that carries no program of ours. */
SEC("tc")
int dnet_bridge(struct __sk_buff *skb)
{
	struct run run;
	enum dnet_reason reason = DNET_REASON_UNKNOWN_ALLOWED;
	const struct dnet_state *current;

	if (skb->tc_index == DNET_STAMP)
		return TC_ACT_UNSPEC;
	current = the_state();
	if (!run_begin(&run, skb, DNET_EGRESS, SCRATCH_ATTACHED))
		return TC_ACT_SHOT;
	parse_packet(skb, run.packet);
	if (denies_unknown(skb, run.packet, current && current->unknown_deny, bridge_sealed(skb->ifindex)))
		reason = DNET_REASON_UNKNOWN_ENDPOINT;
	else if (is_neighbor(run.packet))
		reason = DNET_REASON_NEIGHBOR;
	return leave(skb, &run, reason);
}

/* Never attached: the user side cannot change a bucket under its lock. cb[0..2] as in count_correct(). */
SEC("tc")
int dnet_recount(struct __sk_buff *skb)
{
	return count_correct(skb->cb[0], skb->cb[1], skb->cb[2]);
}
