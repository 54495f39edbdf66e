/* SPDX-License-Identifier: GPL-2.0 */
/* What any program costs, whatever it does: the figure that all others stand beside. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("tc")
int null(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_UNSPEC;
}
