/* SPDX-License-Identifier: GPL-2.0 */
/* What an address is by the registries alone, on any host: private, special, or globally reachable. Pure. */
#ifndef DNETBPF_BASE_REGISTRY_H
#define DNETBPF_BASE_REGISTRY_H

#include <stddef.h>

#include <dnetbpf/address.h>

/* An entry of the map `places` that every host has: LAN, SPECIAL, or NONE for a hole in a block. */
struct registry_entry {
	const char *prefix;
	enum dnet_place place;
};
extern const struct registry_entry registry[];
extern const size_t registry_count;

/* Of the longest prefix that covers @addr; NONE: globally reachable. */
enum dnet_place registry_place(const struct dnet_addr *addr);

#endif
