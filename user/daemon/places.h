/* SPDX-License-Identifier: GPL-2.0 */
/* The maps `places` (what an address is that is no endpoint's) and `addresses`, and this host's resolvers. */
#ifndef DNETBPF_DAEMON_PLACES_H
#define DNETBPF_DAEMON_PLACES_H

#include <time.h>

#include "dataplane/dataplane.h"
#include "daemon/live.h"
#include "model/inventory.h"

/*
 * What is in one of the maps, as it was last written: a difference is found here, and the kernel hears of the difference
 * alone. Nobody else writes these maps; the first use reads what an earlier daemon left.
 */
struct mirror {
	uint8_t *entries;	/* key, then a u32 value; sorted by key; owned */
	size_t count, room;
	bool read;
};
void mirror_clear(struct mirror *mirror);

/* Bring `places` up to date: @addresses of this namespace, the subnets of @inventory (NULL: none known yet), and the
 * registries. Returns whether something changed, or -errno. */
int places_update(struct dataplane *dataplane, struct mirror *mirror, const struct netlink_address *addresses, size_t count,
		  const struct inventory *inventory, struct error *error);
/* Bring `addresses` up to date with all identified interfaces. Returns whether something changed, or -errno. */
int addresses_update(struct dataplane *dataplane, struct mirror *mirror, const struct live_set *set, struct error *error);

#define RESOLVERS_MAX 8

/* What /etc/resolv.conf names, without loopback addresses: those are not on the wire. */
struct resolvers {
	struct dnet_addr addresses[RESOLVERS_MAX];
	size_t count;
	struct timespec changed;	/* of the file that was read */
};
/* Read them again if the file has changed. Returns whether the addresses did. */
bool resolvers_update(struct resolvers *resolvers);

#endif
