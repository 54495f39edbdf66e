/* SPDX-License-Identifier: GPL-2.0 */
/* `init`: a policy file from what runs. Pure: from an inventory and connections to a text that a person reads and keeps. */
#ifndef DNETBPF_DAEMON_STARTER_H
#define DNETBPF_DAEMON_STARTER_H

#include "model/inventory.h"

struct starter_world {
	const struct inventory *inventory;
	const struct dnet_addr *host_addresses;	/* those of the bridges included */
	size_t host_address_count;
	const struct dnet_addr *resolvers;	/* of containers that have none of their own */
	size_t resolver_count;
};

/* One connection. */
struct starter_flow {
	struct dnet_addr src, dst;
	const char *src_container, *dst_container;	/* ids; NULL: the address says whose end it is */
	uint8_t proto;
	uint16_t src_port, dst_port;	/* host order; 0 where the protocol has none */
};

struct starter;
/* @world is borrowed until the starter is freed. NULL without memory. */
struct starter *starter_new(const struct starter_world *world);
void starter_free(struct starter *starter);
/* What is more than memory allows is counted and left out. */
void starter_add(struct starter *starter, const struct starter_flow *flow);
/* The file; owned by the caller, NULL without memory. The same for the same input, in whatever order the connections came. */
char *starter_text(struct starter *starter);

#endif
