/* SPDX-License-Identifier: GPL-2.0 */
/*
 * BPF_PROG_RUN repeats one packet. This makes each repetition a packet of another connection, then calls the program under
 * test: 65,536 addresses in an order that no cache likes, each with one port. Its own cost is in the null program's figure
 * as well, which is called in the same way.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

__u32 next = 0;			/* the next connection's number */
__u32 vary_destination = 0;	/* the peer is the destination (the container sends), else the source */

SEC("tc")
int vary(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 number = next++;
	__be16 *low;

	if ((void *)(tcp + 1) > end)
		return TC_ACT_SHOT;
	low = (__be16 *)(vary_destination ? &ip->daddr : &ip->saddr) + 1;
	*low = bpf_htons((number * 40503) & 0xffff);	/* odd: every address once */
	tcp->source = bpf_htons(1024 + ((number * 7919) & 0x7fff));
	bpf_tail_call(skb, &target, 0);
	return TC_ACT_SHOT;
}
