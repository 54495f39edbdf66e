/* SPDX-License-Identifier: GPL-2.0 */
/* Connections. One entry each, shared by both ends when both are containers. */
#ifndef DNETBPF_FLOW_H
#define DNETBPF_FLOW_H

#include <dnetbpf/abi.h>
#include <dnetbpf/address.h>

/* Map `flows`, a preallocated hash. The smaller (address, port) comes first, so that both directions have one key.
 * ICMP: the asker's port is the identifier, the answerer's is the type of the question. Protocols without ports: 0. */
struct dnet_flow_key {
	struct dnet_addr addr[2];
	__be16 port_be[2];
	__u8 proto;
	__u8 reserved[3];
};
DNET_ASSERT_SIZE(struct dnet_flow_key, 40);

enum dnet_flow_state {
	DNET_FLOW_NEW = 0,		/* only the initiator was heard */
	DNET_FLOW_ESTABLISHED = 1,	/* both were */
	DNET_FLOW_CLOSING = 2,		/* TCP: RST, or FIN from both */
};

#define DNET_ORIGIN_UNKNOWN 0xffffffffu	/* no packet of the initiator has been seen here yet: the peer is known by its address */

#define DNET_FLOW_LIMITS 2	/* limits of one kind that a flow can meet at one end: the layers file and labels, each kind once a rule */

/* What one end's policy said of this flow. Valid while endpoint and generation are the current ones. */
struct dnet_flow_end {
	__u32 endpoint_id;	/* which endpoint let it pass; 0: none has yet */
	__u32 generation;
	__u32 origin_ifindex;	/* ingress: the interface that the initiator's packets come from, 0 = this host; or DNET_ORIGIN_UNKNOWN */
	__u32 origin_bridged;	/* 1: a port of the container's own bridge that is not under enforcement may be the origin */
	__u32 packets_limit[DNET_FLOW_LIMITS];	/* `packets` limits of the rules that let it pass: indexes in `limits`, valid with @generation; 0: none */
	__u32 block_epoch;	/* of dnet_state, when no block hit its other end; valid with @generation */
	__u32 counted[DNET_FLOW_LIMITS];	/* buckets in which it counts: 1 + group * DNET_BUCKET_WAYS + way; 0: none. Taken back by whoever
						 * exchanges it for 0, once */
};
DNET_ASSERT_SIZE(struct dnet_flow_end, 36);

#define DNET_HEARD_RST(end)	(4u << (end))	/* a RST from that end, which the other has not shown to disregard */
#define DNET_HEARD_COUNTED	16u		/* its counts were given back at a RST: take them again if it lives on */
#define DNET_HEARD_PROOF	32u		/* the initiator has acknowledged responder_sequence */

struct dnet_flow {
	__u64 last_seen_ns;	/* CLOCK_MONOTONIC, coarse */
	__u32 selector;		/* of the initiator's first packet: what the rules were asked */
	__u8 initiator;		/* index in the key of the end that began */
	__u8 state;		/* enum dnet_flow_state */
	__u8 fin_seen;		/* bit 0, bit 1: FIN from the end with that index */
	__u8 heard;		/* bit 0, bit 1: packets from the end with that index; and DNET_HEARD_* */
	struct dnet_flow_end end[2];
	__u32 responder_sequence;	/* TCP: what acknowledges the responder's SYN; 0: not seen. Kept where DNET_ENDPOINT_PROVES is set */
	__u32 reserved;
};
DNET_ASSERT_SIZE(struct dnet_flow, 96);

/*
 * Idle time after which an entry counts as absent and is removed; `timeouts:` of the policy file sets them. X(NAME, key, seconds);
 * the seconds are what holds without a setting. They are in dnet_state.timeout_sec.
 */
#define DNET_TIMEOUTS(X) \
	X(TCP_NEW,		"tcp-new",		60)	/* only one side was heard */ \
	X(TCP_ESTABLISHED,	"tcp-established",	432000)	/* 5 days, as nf_conntrack has it */ \
	X(TCP_HALF_CLOSED,	"tcp-half-closed",	3600)	/* FIN from one side */ \
	X(TCP_CLOSED,		"tcp-closed",		10)	/* RST, or FIN from both */ \
	X(UDP_NEW,		"udp-new",		30) \
	X(UDP_ESTABLISHED,	"udp-established",	120) \
	X(ICMP,			"icmp",			30) \
	X(OTHER,		"other",		600)

enum dnet_timeout {
#define X(NAME, key, seconds) DNET_TIMEOUT_##NAME,
	DNET_TIMEOUTS(X)
#undef X
	DNET_TIMEOUT_COUNT,
};

/* Which of them holds for a flow. */
static inline __u32 dnet_flow_timeout(__u8 proto, __u8 state, __u8 fin_seen)
{
	if (proto == 6)
		return state == DNET_FLOW_CLOSING ? DNET_TIMEOUT_TCP_CLOSED : state == DNET_FLOW_NEW ? DNET_TIMEOUT_TCP_NEW :
		       fin_seen ? DNET_TIMEOUT_TCP_HALF_CLOSED : DNET_TIMEOUT_TCP_ESTABLISHED;
	if (proto == 17)
		return state == DNET_FLOW_ESTABLISHED ? DNET_TIMEOUT_UDP_ESTABLISHED : DNET_TIMEOUT_UDP_NEW;
	return proto == 1 || proto == 58 ? DNET_TIMEOUT_ICMP : DNET_TIMEOUT_OTHER;
}

/* Map `fragments`, an LRU hash: a fragmented datagram whose first fragment was allowed at this interface. */
struct dnet_fragment_key {
	struct dnet_addr src, dst;
	__u32 id;
	__u32 ifindex;
	__u8 proto;
	__u8 direction;
	__u8 reserved[2];
};
DNET_ASSERT_SIZE(struct dnet_fragment_key, 44);

#endif
