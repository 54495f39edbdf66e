/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An endpoint is one interface of one container. Map `links`, a hash, leads from the ifindex of the host side of its veth to
 * its slot (u32); map `endpoints`, an array by slot, holds it. An interface that carries our programs and has no link entry
 * is pending: only address resolution passes.
 *
 * A slot is written before it is linked, and is not used again for a second after it was unlinked: a packet that is
 * being judged meanwhile never sees another endpoint under its pointer. Single fields change in place, by atomic stores.
 */
#ifndef DNETBPF_ENDPOINT_H
#define DNETBPF_ENDPOINT_H

#include <dnetbpf/abi.h>
#include <dnetbpf/direction.h>
#include <dnetbpf/policy.h>

#define DNET_ENDPOINT_GUARD	(1u << 0)	/* layer-2 guard on what it sends */
#define DNET_ENDPOINT_AUDIT	(1u << 1)	/* policy denials are reported, not enforced */
#define DNET_ENDPOINT_INVALID	(1u << 2)	/* its labels cannot be read: everything is denied */
#define DNET_ENDPOINT_FAIL_OPEN	(1u << 3)	/* packets that cannot be judged pass */
#define DNET_ENDPOINT_GUARD_AUDIT (1u << 5)	/* with GUARD: nobody on its bridge is enforced, what the guard denies is reported and passes */
#define DNET_ENDPOINT_TRACKED	(1u << 4)	/* some direction is governed: its flows are tracked */
#define DNET_ENDPOINT_PROVES	(1u << 6)	/* a limit of its rules bans: sources that complete a handshake are noted in `proven` */

struct dnet_endpoint {
	__u32 id;		/* from 1; never reused while the pins live */
	__u32 ifindex;		/* of the host side; must equal the packet's, else the slot is not the packet's */
	__u32 bridge_ifindex;
	__u32 flags;
	__u64 grace_until_ns;	/* CLOCK_MONOTONIC; until then TCP without SYN is judged as a new flow, in either orientation */
	__u64 identity;		/* hash of container id and network id: a restarted daemon recognises what it adopts */
	__u64 container;	/* hash of the container id, the same at all of its endpoints and after its restart; never 0 */
	__u8 mac[6];		/* of the container's side */
	__u16 reserved;
	__u32 ruleset[DNET_ARENAS][DNET_DIRECTIONS][DNET_LAYERS];	/* local ids, 0 = not governed */
};
DNET_ASSERT_SIZE(struct dnet_endpoint, 120);

/*
 * Map `bridges`, a hash by ifindex: Docker's bridges. Sealed: every port is a container's and carries our programs, or is about
 * to. Then whoever shows up unjudged is a container that was faster than its programs, and is denied whatever
 * defaults.unknown says. A port of another kind (a tap, a host's interface) opens the seal.
 */
#define DNET_BRIDGE_KNOWN	(1u << 0)
#define DNET_BRIDGE_SEALED	(1u << 1)

/* Map `attached`: how. */
#define DNET_ATTACHED_TCX		(1u << 0)	/* by TCX links, pinned; else clsact filters */
#define DNET_ATTACHED_MADE_CLSACT	(1u << 1)	/* the clsact qdisc is ours: remove it when nobody else uses it */
#define DNET_ATTACHED_BRIDGE		(1u << 2)	/* a bridge with the safety net, not a container's veth */

/*
 * Written to skb->tc_index by a container's egress program and read at the bridge: the sender has been judged.
 * A container cannot set tc_index, and nothing between the veth and the bridge clears it.
 */
#define DNET_STAMP 0xd7b1

#endif
