/* SPDX-License-Identifier: GPL-2.0 */
/* rtnetlink, as far as this project needs it (libmnl). Namespaces are the caller's own unless a nsid is given. */
#ifndef DNETBPF_BASE_NETLINK_H
#define DNETBPF_BASE_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/address.h>

#include "base/error.h"

#define NETLINK_NSID_NONE (-1)

struct netlink_link {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16];		/* IFLA_INFO_KIND: "veth", "bridge", "macvlan", ...; "" for hardware and lo */
	int master;		/* IFLA_MASTER, 0: none */
	int peer_ifindex;	/* IFLA_LINK: for a veth the peer's ifindex in its own namespace; 0: none */
	int nsid;		/* IFLA_LINK_NETNSID: the peer's namespace as seen from here, or NETLINK_NSID_NONE */
	bool up;		/* IFF_UP */
	bool lower_up;		/* IFF_LOWER_UP */
	uint8_t mac[6];
	bool has_mac;
};

struct netlink_address {
	int ifindex;
	struct dnet_addr addr;
	unsigned int prefix_len;	/* IPv4: 96 + n */
};

enum netlink_event_kind {
	NETLINK_LINK_NEW,	/* appeared or changed (also: joined or left a master) */
	NETLINK_LINK_GONE,	/* from this namespace: it may be in another one now */
	NETLINK_ADDRESS_NEW,
	NETLINK_ADDRESS_GONE,
	NETLINK_NSID_NEW,	/* some namespace is called link.nsid from now on */
	NETLINK_NSID_GONE,	/* none is any more */
	NETLINK_FILTER_GONE,	/* RTM_DELTFILTER or RTM_DELQDISC on link.ifindex */
	NETLINK_OVERRUN,	/* messages were lost (ENOBUFS): dump everything again */
};

struct netlink_event {
	enum netlink_event_kind kind;
	int nsid;			/* where it happened; NETLINK_NSID_NONE: in this namespace */
	struct netlink_link link;	/* NEW and GONE: all fields, as its namespace sees them; others: ifindex only */
	struct netlink_address address;	/* ADDRESS_NEW and _GONE */
	int moved_nsid, moved_ifindex;	/* LINK_GONE: where it is now, or NETLINK_NSID_NONE and 0 */
};

enum netlink_watch {
	NETLINK_WATCH_LINKS,	/* of this namespace */
	NETLINK_WATCH_ALL,	/* and its addresses, traffic control, and names of other namespaces */
	NETLINK_WATCH_PEERS,	/* links and addresses of every other namespace that has an nsid here: needs CAP_NET_BROADCAST, once */
};

/* Non-blocking, close-on-exec, a receive buffer of 8 MiB where allowed. */
int netlink_watch_open(enum netlink_watch what, int *ret_fd, struct error *error);
/* Read what is there, but not for ever; @callback once per event. 0 or -errno. */
int netlink_watch_read(int fd, void (*callback)(void *context, const struct netlink_event *event), void *context);

/* All links. The array is owned by the caller. */
int netlink_dump_links(struct netlink_link **ret, size_t *ret_count, struct error *error);
/* One link by ifindex. -ENODEV when it is gone. */
int netlink_get_link(int ifindex, struct netlink_link *ret);

/* All addresses of this namespace, both families. */
int netlink_dump_addresses(struct netlink_address **ret, size_t *ret_count, struct error *error);

/*
 * The other end of a veth, without entering its namespace: MAC and addresses of interface @peer_ifindex in the namespace
 * @nsid (RTM_GETLINK, RTM_GETADDR with IFLA_TARGET_NETNSID, IFA_TARGET_NETNSID). Needs CAP_NET_ADMIN only.
 * -ENODEV: the namespace or the interface is gone.
 */
struct netlink_peer {
	uint8_t mac[6];
	struct netlink_address *addresses;	/* owned */
	size_t address_count;
};
int netlink_get_peer(int nsid, int peer_ifindex, struct netlink_peer *ret);
/* The addresses alone, mac is zero: from Linux 6.10 on this does not wait for RTNL, which containers that start hold. */
int netlink_get_peer_addresses(int nsid, int peer_ifindex, struct netlink_peer *ret);
void netlink_peer_clear(struct netlink_peer *peer);

/* The nsid that this namespace uses for the one of @netns_fd, or NETLINK_NSID_NONE (RTM_GETNSID). */
int netlink_get_nsid(int netns_fd, int *ret_nsid);

#endif
