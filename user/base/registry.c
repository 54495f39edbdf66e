/* SPDX-License-Identifier: GPL-2.0 */
#include "base/registry.h"

#include "base/text.h"

/*
 * IANA's special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates), multicast, and the addresses of clouds'
 * metadata services. Globally reachable is what the registries call so: entries with "N/A" (6to4, Teredo) are not. NONE makes a
 * hole in a block. ::ffff:0:0/96 is missing because IPv4 addresses are written that way here.
 */
const struct registry_entry registry[] = {
	{ "0.0.0.0/8", DNET_PLACE_SPECIAL },
	{ "10.0.0.0/8", DNET_PLACE_LAN },
	{ "100.64.0.0/10", DNET_PLACE_LAN },
	{ "127.0.0.0/8", DNET_PLACE_SPECIAL },
	{ "169.254.0.0/16", DNET_PLACE_LAN },
	{ "172.16.0.0/12", DNET_PLACE_LAN },
	{ "192.0.0.0/24", DNET_PLACE_SPECIAL },
	{ "192.0.0.9/32", DNET_PLACE_NONE },
	{ "192.0.0.10/32", DNET_PLACE_NONE },
	{ "192.0.2.0/24", DNET_PLACE_SPECIAL },
	{ "192.88.99.0/24", DNET_PLACE_SPECIAL },
	{ "192.168.0.0/16", DNET_PLACE_LAN },
	{ "198.18.0.0/15", DNET_PLACE_SPECIAL },
	{ "198.51.100.0/24", DNET_PLACE_SPECIAL },
	{ "203.0.113.0/24", DNET_PLACE_SPECIAL },
	{ "224.0.0.0/4", DNET_PLACE_SPECIAL },
	{ "240.0.0.0/4", DNET_PLACE_SPECIAL },
	{ "::/128", DNET_PLACE_SPECIAL },
	{ "::1/128", DNET_PLACE_SPECIAL },
	{ "64:ff9b:1::/48", DNET_PLACE_SPECIAL },
	{ "100::/64", DNET_PLACE_SPECIAL },
	{ "100:0:0:1::/64", DNET_PLACE_SPECIAL },
	{ "2001::/23", DNET_PLACE_SPECIAL },
	{ "2001:1::1/128", DNET_PLACE_NONE },
	{ "2001:1::2/128", DNET_PLACE_NONE },
	{ "2001:1::3/128", DNET_PLACE_NONE },
	{ "2001:3::/32", DNET_PLACE_NONE },
	{ "2001:4:112::/48", DNET_PLACE_NONE },
	{ "2001:20::/28", DNET_PLACE_NONE },
	{ "2001:30::/28", DNET_PLACE_NONE },
	{ "2001:db8::/32", DNET_PLACE_SPECIAL },
	{ "2002::/16", DNET_PLACE_SPECIAL },
	{ "3fff::/20", DNET_PLACE_SPECIAL },
	{ "5f00::/16", DNET_PLACE_SPECIAL },
	{ "fc00::/7", DNET_PLACE_LAN },
	{ "fe80::/10", DNET_PLACE_LAN },
	{ "ff00::/8", DNET_PLACE_SPECIAL },
	{ "100.100.100.200", DNET_PLACE_SPECIAL },
	{ "168.63.129.16", DNET_PLACE_SPECIAL },
	{ "169.254.169.254", DNET_PLACE_SPECIAL },
	{ "169.254.170.2", DNET_PLACE_SPECIAL },
	{ "169.254.170.23", DNET_PLACE_SPECIAL },
	{ "fd00:ec2::23", DNET_PLACE_SPECIAL },
	{ "fd00:ec2::254", DNET_PLACE_SPECIAL },
	{ "fd20:ce::254", DNET_PLACE_SPECIAL },
};
const size_t registry_count = sizeof(registry) / sizeof(registry[0]);

enum dnet_place registry_place(const struct dnet_addr *addr)
{
	enum dnet_place place = DNET_PLACE_NONE;
	unsigned int longest = 0;

	for (size_t i = 0; i < registry_count; i++) {
		struct dnet_addr prefix;
		unsigned int length;
		bool host_bits;

		if (text_parse_prefix(registry[i].prefix, &prefix, &length, &host_bits) == 0 && length >= longest &&
		    addr_in_prefix(addr, &prefix, length)) {
			place = registry[i].place;
			longest = length;
		}
	}
	return place;
}
