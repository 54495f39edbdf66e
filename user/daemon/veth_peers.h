/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The container's ends of interfaces: MAC and addresses, as the kernel tells of them when they are set. Docker sets them before it
 * brings the interface up, so who listens knows a container before it can send; who asks waits for RTNL, which Docker holds.
 */
#ifndef DNETBPF_DAEMON_VETH_PEERS_H
#define DNETBPF_DAEMON_VETH_PEERS_H

#include <stdbool.h>

#include "base/index.h"
#include "base/netlink.h"

/* Zeros: none is followed, and every one has to be asked. */
struct veth_peers {
	struct index by_place;	/* from namespace and ifindex; owns its peers */
};

/*
 * The host's end of an interface was @was and is @link; NULL: it was not there, it is gone. A peer is followed from the moment that
 * an event shows it in its namespace, where it comes without addresses. -ENOMEM: it is not, and has to be asked.
 */
int veth_peers_follow(struct veth_peers *peers, const struct netlink_link *was, const struct netlink_link *link);
/* An event of another namespace. Returns whether it says anything new of a peer that is followed. */
bool veth_peers_hear(struct veth_peers *peers, const struct netlink_event *event);
/* What is known of a peer that is followed, or NULL: it has to be asked. A MAC of zeros was not told yet. Borrowed. */
const struct netlink_peer *veth_peers_find(const struct veth_peers *peers, int nsid, int ifindex);
/* Follow none: events were lost, or it is the end. */
void veth_peers_clear(struct veth_peers *peers);

#endif
