/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel reports through the ring buffer `events`. */
#ifndef DNETBPF_EVENT_H
#define DNETBPF_EVENT_H

#include <dnetbpf/abi.h>
#include <dnetbpf/address.h>

#define DNET_NO_RULE 0xffffffffu

struct dnet_event {
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	__u32 ifindex;		/* of the interface that judged */
	__u32 endpoint_id;	/* 0: none (pending, bridge) */
	__u32 rule_counter;	/* index in `rule_hits` of the deciding rule, or DNET_NO_RULE */
	__u32 bytes;		/* on the wire */
	__u32 packets;		/* on the wire: 1, or the segments of a GSO packet */
	__u8 direction;		/* enum dnet_direction */
	__u8 verdict;		/* enum dnet_verdict */
	__u8 reason;		/* enum dnet_reason */
	__u8 proto;
	struct dnet_addr src, dst;
	__be16 src_port_be, dst_port_be;	/* ICMP: type and code in dst_port_be as type << 8 | code */
	__be16 ethertype_be;
	__u8 tcp_flags;		/* as in the TCP header's byte 13 */
	__u8 layer;		/* enum dnet_layer of the deciding rule or default */
};
DNET_ASSERT_SIZE(struct dnet_event, 72);

#endif
