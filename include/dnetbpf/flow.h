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

/* What one end's policy said of this flow. Valid while endpoint and generation are the current ones. */
struct dnet_flow_end {
	__u32 endpoint_id;	/* which endpoint let it pass; 0: none has yet */
	__u32 generation;
	__u32 origin_ifindex;	/* ingress: the interface that the initiator's first packet came from, 0 = this host */
	__u32 origin_bridged;	/* 1: a port of the container's own bridge that is not under enforcement may be the origin */
};
DNET_ASSERT_SIZE(struct dnet_flow_end, 16);

struct dnet_flow {
	__u64 last_seen_ns;	/* CLOCK_MONOTONIC, coarse */
	__u32 selector;		/* of the initiator's first packet: what the rules were asked */
	__u8 initiator;		/* index in the key of the end that began */
	__u8 state;		/* enum dnet_flow_state */
	__u8 fin_seen;		/* bit 0, bit 1: FIN from the end with that index */
	__u8 heard;		/* bit 0, bit 1: packets from the end with that index */
	struct dnet_flow_end end[2];
};
DNET_ASSERT_SIZE(struct dnet_flow, 48);

/* Idle time after which an entry counts as absent and is removed. Seconds. */
#define DNET_TIMEOUT_TCP_NEW_SEC		60
#define DNET_TIMEOUT_TCP_ESTABLISHED_SEC	432000	/* 5 days, as nf_conntrack has it */
#define DNET_TIMEOUT_TCP_CLOSING_SEC		10
#define DNET_TIMEOUT_UDP_NEW_SEC		30
#define DNET_TIMEOUT_UDP_ESTABLISHED_SEC	120
#define DNET_TIMEOUT_OTHER_SEC			30

static inline __u64 dnet_flow_timeout_ns(__u8 proto, __u8 state)
{
	__u64 sec = DNET_TIMEOUT_OTHER_SEC;

	if (proto == 6)
		sec = state == DNET_FLOW_ESTABLISHED ? DNET_TIMEOUT_TCP_ESTABLISHED_SEC :
		      state == DNET_FLOW_NEW ? DNET_TIMEOUT_TCP_NEW_SEC : DNET_TIMEOUT_TCP_CLOSING_SEC;
	else if (proto == 17)
		sec = state == DNET_FLOW_ESTABLISHED ? DNET_TIMEOUT_UDP_ESTABLISHED_SEC : DNET_TIMEOUT_UDP_NEW_SEC;
	return sec * 1000000000ull;
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
