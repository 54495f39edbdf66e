/* SPDX-License-Identifier: GPL-2.0 */
/* The maps `places` (this host's addresses, Docker's subnets), `bridges` and `addresses`. */
#ifndef DNETBPF_DAEMON_PLACES_H
#define DNETBPF_DAEMON_PLACES_H

#include "dataplane/dataplane.h"
#include "daemon/live.h"
#include "model/inventory.h"

/* Bring `places` up to date: @addresses of this namespace, and the subnets of @inventory (NULL: none known yet). */
int places_update(struct dataplane *dataplane, const struct netlink_address *addresses, size_t count,
		  const struct inventory *inventory, struct error *error);
/* Bring `addresses` up to date with all identified interfaces. Returns whether something changed, or -errno. */
int addresses_update(struct dataplane *dataplane, const struct live_set *set, struct error *error);

#endif
