/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is refused everything, for a time: bans, which the programs set when a source exceeds a limit, and blocks by hand. The kernel
 * checks the expiry; the user side removes what is over.
 *
 * Two words of dnet_state keep this off the path of packets: nothing is looked up after `blocked_until_ns`, and a connection that
 * was judged under the present `block_epoch` is asked again only when that is raised, with every block that is set. Whoever sets one
 * writes the entry first, then raises blocked_until_ns to its end, then block_epoch, both atomically.
 */
#ifndef DNETBPF_BLOCK_H
#define DNETBPF_BLOCK_H

#include <dnetbpf/abi.h>
#include <dnetbpf/address.h>
#include <dnetbpf/limits.h>

/* Map `blocks`, an LPM. */
struct dnet_block_key {
	__u32 prefix_len;	/* DNET_BLOCK_KEY_BITS + 0..128 */
	__u32 container[2];	/* dnet_endpoint.container, in whose every network it holds: low word, high word; 0: at every container */
	struct dnet_addr addr;
};
DNET_ASSERT_SIZE(struct dnet_block_key, 28);
#define DNET_BLOCK_KEY_BITS 64

enum dnet_block_kind {
	DNET_BLOCK_BAN = 0,
	DNET_BLOCK_BY_HAND = 1,
};

struct dnet_block {
	__u64 since_ns;		/* CLOCK_MONOTONIC */
	__u64 until_ns;		/* CLOCK_MONOTONIC; DNET_BLOCK_FOREVER: without end */
	__u64 packets;		/* that it has refused */
	__u64 container;	/* dnet_endpoint.container where a limit was exceeded; 0: nowhere */
	__u32 rule_counter;	/* of the rule whose limit that was; DNET_NO_RULE: none */
	__u32 limit_id;		/* 0: none */
	__u8 kind;		/* enum dnet_block_kind */
	__u8 layer;		/* enum dnet_layer of the rule */
	__u8 address_bits;	/* of its key: prefix_len - DNET_BLOCK_KEY_BITS */
	__u8 reserved[5];
};
DNET_ASSERT_SIZE(struct dnet_block, 48);

#define DNET_BLOCK_FOREVER (~0ull)

/*
 * Map `proven`, an LRU: when a source has last completed a TCP handshake with a container (u64, CLOCK_MONOTONIC). The initiator has
 * acknowledged the sequence number that the responder chose, which only who receives at that address can. Kept at endpoints with
 * DNET_ENDPOINT_PROVES; a source is banned only within DNET_PROOF_SEC of it.
 */
struct dnet_proof_key {
	__u64 container;
	struct dnet_addr addr;
};
DNET_ASSERT_SIZE(struct dnet_proof_key, 24);

#define DNET_PROOF_SEC 3600

#endif
