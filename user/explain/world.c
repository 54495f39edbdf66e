/* SPDX-License-Identifier: GPL-2.0 */
/* Whose an address is. */
#include "explain/world.h"

#include <string.h>

#include "base/text.h"

bool explain_is_group(const struct dnet_addr *addr)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	if (addr_is_v4(addr))
		return (addr->byte[12] & 0xf0) == 0xe0 || memcmp(addr->byte + 12, broadcast, 4) == 0;
	return addr->byte[0] == 0xff;
}

bool explain_is_host(const struct explain_world *world, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < world->host_address_count; i++)
		if (addr_equal(&world->host_addresses[i], addr))
			return true;
	return false;
}

const struct network *explain_network_of(const struct explain_world *world, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < world->inventory->network_count; i++) {
		const struct network *network = &world->inventory->networks[i];

		for (size_t j = 0; network->bridge && j < network->subnet_count; j++)
			if (addr_in_prefix(addr, &network->subnets[j].addr, network->subnets[j].prefix_len))
				return network;
	}
	return NULL;
}

const struct explain_end *explain_end_by_id(const struct explain_world *world, uint32_t id)
{
	for (size_t i = 0; id && i < world->end_count; i++)
		if (world->ends[i].compile.id == id)
			return &world->ends[i];
	return NULL;
}

static const struct explain_end *end_of(const struct explain_world *world, const struct dnet_addr *addr, const struct network *near)
{
	const struct explain_end *found = NULL;

	for (size_t i = 0; i < world->end_count; i++) {
		const struct explain_end *end = &world->ends[i];

		for (size_t j = 0; j < end->address_count; j++) {
			if (!addr_equal(&end->addresses[j], addr))
				continue;
			if (end->compile.network == near)
				return end;
			found = found ? found : end;
		}
	}
	return found;
}

void explain_classify(const struct explain_world *world, const struct dnet_addr *addr, const struct network *near,
		      struct explain_side *side)
{
	side->addr = *addr;
	side->end = end_of(world, addr, near);
	side->network = side->end ? side->end->compile.network : NULL;
	if (side->end) {
		side->kind = EXPLAIN_END;
		return;
	}
	if (explain_is_host(world, addr)) {
		side->kind = EXPLAIN_HOST;
	} else if (explain_is_group(addr)) {
		side->kind = EXPLAIN_GROUP;
	} else {
		side->network = explain_network_of(world, addr);
		side->kind = side->network ? EXPLAIN_STRANGER : EXPLAIN_OUTSIDE;
	}
}
