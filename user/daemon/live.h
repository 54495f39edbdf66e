/* SPDX-License-Identifier: GPL-2.0 */
/* Container interfaces as they are now: links that netlink shows, matched with what the inventory knows. */
#ifndef DNETBPF_DAEMON_LIVE_H
#define DNETBPF_DAEMON_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/index.h"
#include "base/netlink.h"
#include "compile/compile.h"
#include "daemon/veth_peers.h"
#include "dataplane/dataplane.h"
#include "model/inventory.h"

#define LIVE_MAX_ADDRESSES 16	/* of one interface */

struct live {
	struct netlink_link link;
	char bridge[IFNAMSIZ];	/* "" for a static endpoint without one */
	int bridge_ifindex;
	uint64_t seen_ns;	/* CLOCK_MONOTONIC: when its link was first seen, or last lost its identity */
	bool preexisting;	/* it was there when the first daemon came: its connections are adopted */
	bool identified;
	bool linked;		/* has its entry in `links` */
	bool kept;		/* adopted from the pins, not identified again yet */
	uint32_t slot, id;	/* 0: none yet */
	uint64_t identity, container;	/* live_identity(), live_container() */
	char *container_id, *network_id;	/* owned */
	uint8_t mac[6];
	struct dnet_addr addresses[LIVE_MAX_ADDRESSES];
	size_t address_count;
	char **network_names;	/* owned; every network the container is attached to, closed by NULL; as of the last reconcile */
	uint64_t names_serial;	/* of the inventory that they are from */
	struct compile_verdict verdict;
	uint64_t retry_ns;	/* pause before the next hint while it is pending */
	uint64_t next_hint_ns;
};

struct live_set {
	struct live **items;
	size_t count, room;
	struct index by_ifindex, by_id;
	bool moved;	/* the map `addresses` does not show some identity, address or bridge yet */
};

struct live *live_find(const struct live_set *set, int ifindex);
struct live *live_find_id(const struct live_set *set, uint32_t id);
int live_add(struct live_set *set, struct live *live);	/* link.ifindex and id are set */
void live_set_id(struct live_set *set, struct live *live, uint32_t id);	/* 0: none any more */
void live_remove(struct live_set *set, struct live *live);	/* frees it */
void live_set_clear(struct live_set *set);
void live_free(struct live *live);
/* Lose the identity, keep the link. */
void live_unidentify(struct live *live);

/*
 * Who is behind this link? On success container_id, network_id, mac and addresses are filled and true is returned.
 * Rules, in this order:
 *  1. the link's peer lives in a namespace (nsid) in which another identified interface's peer lives: that container, with the
 *     MAC and the addresses that the engine has given to it there, or else with its own;
 *  2. an attachment of the bridge's network, read after the link was seen, with one of the peer's addresses (and its MAC,
 *     where that could have been changed), that no other present interface has claimed.
 */
bool live_identify(struct live *live, const struct live_set *set, const struct inventory *inventory, const struct veth_peers *peers);
/* The same for a static inventory, where @attachment names the interface. */
bool live_identify_static(struct live *live, const struct attachment *attachment);
/* Take over the addresses that the inventory gives an identified interface, or its own before it does. Returns whether they changed. */
bool live_refresh(struct live *live, const struct inventory *inventory, const struct veth_peers *peers);
/* Bring network_names up to date, if they are not from the inventory with this serial number. 0 or -ENOMEM. */
int live_update_networks(struct live *live, const struct inventory *inventory, uint64_t serial);

uint64_t live_identity(const char *container_id, const char *network_id);
/* dnet_endpoint.container: never 0. */
uint64_t live_container(const char *container_id);
uint64_t monotonic_ns(void);

#endif
