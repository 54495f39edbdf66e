/* SPDX-License-Identifier: GPL-2.0 */
/*
 * BPF_PROG_RUN repeats one packet. This makes each repetition a packet of another connection, then calls the program under
 * test: up to 65,536 addresses, or the members of a set; and, where that is asked for, a packet for another
 * endpoint. Its own cost is in the null program's figure as well, which is called in the same way.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <dnetbpf/limits.h>

#include "vary.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

/* The programs' own. BPF_PROG_RUN has one interface for all repetitions: so its slot changes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DNET_MAX_ENDPOINTS);
	__type(key, __u32);
	__type(value, __u32);
} links SEC(".maps");

__u32 next = 0;			/* the next connection's number */
__u32 vary_destination = 0;	/* the peer is the destination (the container sends), else the source */
__u32 set_size = 0;		/* the peers are members of a set; 0: neighbors */
__u32 source_mask = 0;		/* one less than how many neighbors, at most 65,536 */
__u32 slot_count = 0;		/* packets go to endpoints 1 to N in turn; 0: all to the same */

static __always_inline void choose_endpoint(struct __sk_buff *skb, __u32 number)
{
	__u32 ifindex = skb->ifindex;
	__u32 *slot = bpf_map_lookup_elem(&links, &ifindex);

	if (slot)
		*slot = 1 + number * VARY_STRIDE % slot_count;
}

SEC("tc")
int vary(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = data;
	__u32 number = next++, member = number * VARY_STRIDE;
	struct tcphdr *tcp;

	if (data + sizeof(*ethernet) + sizeof(struct ipv6hdr) > end)
		return TC_ACT_SHOT;
	if (set_size)
		member %= set_size;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + sizeof(*ethernet);
		__be32 *peer = vary_destination ? &ip->daddr : &ip->saddr;

		tcp = (void *)(ip + 1);
		if (set_size)
			*peer = bpf_htonl(vary_v4(member));
		else
			*((__be16 *)peer + 1) = bpf_htons(member & source_mask);
	} else {
		struct ipv6hdr *ip = data + sizeof(*ethernet);
		struct in6_addr *peer = vary_destination ? &ip->daddr : &ip->saddr;
		__u64 high = vary_v6(member);

		tcp = (void *)(ip + 1);
		if (set_size) {
			peer->s6_addr32[0] = bpf_htonl(high >> 32);
			peer->s6_addr32[1] = bpf_htonl(high);
		} else {
			peer->s6_addr16[7] = bpf_htons(member & source_mask);
		}
	}
	if ((void *)(tcp + 1) > end)
		return TC_ACT_SHOT;
	tcp->source = bpf_htons(vary_port(number));
	if (slot_count)
		choose_endpoint(skb, number);
	bpf_tail_call(skb, &target, 0);
	return TC_ACT_SHOT;
}
