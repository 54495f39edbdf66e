/* SPDX-License-Identifier: GPL-2.0 */
/* Both ends of live.h: what comes in from outside, in BPF_PROG_RUN with live frames, and what it ends in. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "live.h"
#include "vary.h"

char _license[] SEC("license") = "GPL";

struct live_frame pattern = {};
__u32 source_mask = 0;	/* one less than how many sources */
__u32 next = 0;		/* the next connection's number */
__u64 arrived = 0;

SEC("xdp")
int client(struct xdp_md *context)
{
	struct live_frame *frame = (void *)(long)context->data;
	__u32 number = next++, source = number * VARY_STRIDE & source_mask;
	__be16 low = bpf_htons(source), port = bpf_htons(vary_port(number));

	if ((void *)(frame + 1) > (void *)(long)context->data_end)
		return XDP_ABORTED;
	/* A frame is used again and again, with what forwarding has done to it. */
	*frame = pattern;
	/* Beside each word that differs stands its complement: the checksums of the pattern stay true. */
	frame->ip.saddr = bpf_htonl(LIVE_SOURCES | source);
	frame->ip.id = ~low;
	frame->tcp.source = port;
	frame->tcp.seq = (__u32)(__u16)~port << 16 | (__u16)~low;
	return XDP_PASS;
}

SEC("tc")
int end(struct __sk_buff *skb)
{
	struct live_frame *frame = (void *)(long)skb->data;

	/* The host says something of its own now and then. The padding goes on the way. */
	arrived += (void *)frame->padding <= (void *)(long)skb->data_end && frame->ip.protocol == IPPROTO_TCP;
	return TC_ACT_SHOT;
}
