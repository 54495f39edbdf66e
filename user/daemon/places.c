/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/registry.h"
#include "base/text.h"

/* --- maps and what is to be in them ---------------------------------------- */

struct map {
	int fd;
	size_t key_size;
};

static size_t entry_size(const struct map *map)
{
	return map->key_size + sizeof(uint32_t);
}

static int want(struct mirror *wanted, const struct map *map, const void *key, uint32_t value)
{
	size_t size = entry_size(map);

	if (wanted->count == wanted->room) {
		size_t room = wanted->room ? wanted->room * 2 : 64;
		uint8_t *grown = realloc(wanted->entries, room * size);

		if (!grown)
			return -ENOMEM;
		wanted->entries = grown;
		wanted->room = room;
	}
	memcpy(wanted->entries + wanted->count * size, key, map->key_size);
	memcpy(wanted->entries + wanted->count * size + map->key_size, &value, sizeof(value));
	wanted->count++;
	return 0;
}

void mirror_clear(struct mirror *mirror)
{
	free(mirror->entries);
	memset(mirror, 0, sizeof(*mirror));
}

/* By key; of equal keys the smallest value comes first, which for places is what counts (dnetbpf/address.h), NONE last. */
static int compare_entries(const void *a, const void *b, void *map)
{
	size_t key_size = ((const struct map *)map)->key_size;
	int order = memcmp(a, b, key_size);
	uint32_t x, y;

	memcpy(&x, (const uint8_t *)a + key_size, sizeof(x));
	memcpy(&y, (const uint8_t *)b + key_size, sizeof(y));
	return order ? order : x - 1 < y - 1 ? -1 : x - 1 > y - 1;
}

struct reading {
	struct mirror *mirror;
	const struct map *map;
	int r;
};

static void read_entry(void *context, const void *key)
{
	struct reading *reading = context;
	uint32_t value;

	/* In an LPM the lookup of a prefix by its own key finds that prefix. */
	if (reading->r == 0 && map_get(reading->map->fd, key, &value) == 0)
		reading->r = want(reading->mirror, reading->map, key, value);
}

static int read_map(struct mirror *mirror, const struct map *map)
{
	struct reading reading = { .mirror = mirror, .map = map };

	map_for_each_key(map->fd, map->key_size, read_entry, &reading);
	if (reading.r < 0) {
		mirror_clear(mirror);
		return reading.r;
	}
	if (mirror->count)
		qsort_r(mirror->entries, mirror->count, entry_size(map), compare_entries, (void *)map);
	mirror->read = true;
	return 0;
}

/*
 * Make the map hold what @wanted says, and @mirror with it; @wanted is used up. Of equal keys the first counts. New
 * entries before old ones go. Returns 1 when something changed, 0, or -errno; then the mirror is read anew the next time.
 */
static int replace(struct mirror *mirror, struct mirror *wanted, const struct map *map)
{
	size_t size = entry_size(map), count = 0, i, j;
	int r = mirror->read ? 0 : read_map(mirror, map), changed = 0;

	if (wanted->count)
		qsort_r(wanted->entries, wanted->count, size, compare_entries, (void *)map);
	for (i = 0; i < wanted->count; i++)
		if (!count || memcmp(wanted->entries + (count - 1) * size, wanted->entries + i * size, map->key_size) != 0)
			memmove(wanted->entries + count++ * size, wanted->entries + i * size, size);
	wanted->count = count;
	for (int pass = 0; pass < 2 && r == 0; pass++) {
		i = j = 0;
		while (r == 0 && (i < wanted->count || j < mirror->count)) {
			const uint8_t *new = wanted->entries + i * size, *old = mirror->entries + j * size;
			int order = i >= wanted->count ? 1 : j >= mirror->count ? -1 : memcmp(new, old, map->key_size);
			uint32_t value;

			i += order <= 0;
			j += order >= 0;
			if (order == 0 && memcmp(new, old, size) == 0)
				continue;
			changed = 1;
			memcpy(&value, new + (order <= 0 ? map->key_size : 0), order <= 0 ? sizeof(value) : 0);
			if (order <= 0 && pass == 0)
				r = map_set(map->fd, new, &value);
			else if (order > 0 && pass == 1)
				r = map_delete(map->fd, old);
		}
	}
	if (r < 0) {
		mirror_clear(mirror);
		mirror_clear(wanted);
		return r;
	}
	free(mirror->entries);
	*mirror = *wanted;
	mirror->read = true;
	memset(wanted, 0, sizeof(*wanted));
	return changed;
}

/* --- places ---------------------------------------------------------------- */

static bool in_docker_subnet(const struct inventory *inventory, const struct dnet_place_key *key)
{
	for (size_t i = 0; inventory && i < inventory->network_count; i++) {
		const struct network *network = &inventory->networks[i];

		for (size_t j = 0; network->bridge && j < network->subnet_count; j++)
			if (network->subnets[j].prefix_len <= key->prefix_len &&
			    addr_in_prefix(&key->addr, &network->subnets[j].addr, network->subnets[j].prefix_len))
				return true;
	}
	return false;
}

static int want_registry(struct mirror *wanted, const struct map *map, const struct inventory *inventory)
{
	int r = 0;

	for (size_t i = 0; i < registry_count && r == 0; i++) {
		struct dnet_place_key key = {};
		unsigned int prefix_len;
		bool host_bits;

		r = text_parse_prefix(registry[i].prefix, &key.addr, &prefix_len, &host_bits);
		key.prefix_len = prefix_len;
		if (r == 0 && !in_docker_subnet(inventory, &key))
			r = want(wanted, map, &key, registry[i].place);
	}
	return r;
}

int places_update(struct dataplane *dataplane, struct mirror *mirror, const struct netlink_address *addresses, size_t count,
		  const struct inventory *inventory, struct error *error)
{
	const struct map map = { dataplane->places_fd, sizeof(struct dnet_place_key) };
	_cleanup_(mirror_clear) struct mirror wanted = {};
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++) {
		struct dnet_place_key key = { .prefix_len = 128, .addr = addresses[i].addr };

		r = want(&wanted, &map, &key, DNET_PLACE_HOST);
	}
	for (size_t i = 0; inventory && i < inventory->network_count && r >= 0; i++) {
		const struct network *network = &inventory->networks[i];

		for (size_t j = 0; network->bridge && j < network->subnet_count && r >= 0; j++) {
			struct dnet_place_key key = { .prefix_len = network->subnets[j].prefix_len, .addr = network->subnets[j].addr };

			r = want(&wanted, &map, &key, DNET_PLACE_DOCKER);
		}
	}
	if (r >= 0)
		r = want_registry(&wanted, &map, inventory);
	if (r >= 0)
		r = replace(mirror, &wanted, &map);
	return r < 0 ? error_set(error, r, "cannot enter the host's addresses into the kernel's tables: %s", strerror(-r)) : r;
}

/* --- addresses of endpoints ------------------------------------------------- */

/* An address of an interface, in the order of addresses, then of containers. */
struct owned_address {
	const struct dnet_addr *addr;
	const struct live *live;
};

static int compare_owned(const void *a, const void *b)
{
	return memcmp(((const struct owned_address *)a)->addr, ((const struct owned_address *)b)->addr, sizeof(struct dnet_addr));
}

static int compare_containers(const void *a, const void *b)
{
	return strcmp((*(const struct live *const *)a)->container_id, (*(const struct live *const *)b)->container_id);
}

/* Under bridge 0 an address can be found from other networks, if only one container has it. */
static int want_unique(struct mirror *wanted, const struct map *map, const struct live *const *sorted, size_t count)
{
	_cleanup_free_ struct owned_address *owned = NULL;
	size_t total = 0, filled = 0;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		total += sorted[i]->address_count;
	owned = calloc(total + 1, sizeof(*owned));
	if (!owned)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < sorted[i]->address_count; j++)
			owned[filled++] = (struct owned_address){ &sorted[i]->addresses[j], sorted[i] };
	qsort(owned, filled, sizeof(*owned), compare_owned);
	for (size_t i = 0, end; i < filled && r >= 0; i = end) {
		bool unique = true;

		for (end = i + 1; end < filled && compare_owned(&owned[i], &owned[end]) == 0; end++)
			unique = unique && strcmp(owned[i].live->container_id, owned[end].live->container_id) == 0;
		for (size_t k = i; unique && k < end && r >= 0; k++) {
			struct dnet_address_key key = { .addr = *owned[k].addr };

			if (!owned[k].live->id || !owned[k].live->bridge_ifindex)
				continue;
			r = want(wanted, map, &key, owned[k].live->id);
			break;
		}
	}
	return r;
}

/* A host answers ARP for all its addresses on all its interfaces, and may send from them: so may a container. @sorted: the interfaces
 * of one container. */
static int want_container(struct mirror *wanted, const struct map *map, const struct live *const *sorted, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++)
		for (size_t k = 0; k < count && r >= 0; k++) {
			if (!sorted[i]->id || !sorted[k]->id || (k != i && sorted[k]->bridge_ifindex == sorted[i]->bridge_ifindex))
				continue;
			for (size_t j = 0; j < sorted[k]->address_count && r >= 0; j++) {
				struct dnet_address_key key = {
					.addr = sorted[k]->addresses[j], .bridge_ifindex = sorted[i]->bridge_ifindex,
				};

				r = want(wanted, map, &key, sorted[i]->id);
			}
		}
	return r;
}

int addresses_update(struct dataplane *dataplane, struct mirror *mirror, const struct live_set *set, struct error *error)
{
	const struct map map = { dataplane->addresses_fd, sizeof(struct dnet_address_key) };
	_cleanup_free_ const struct live **sorted = calloc(set->count + 1, sizeof(*sorted));
	_cleanup_(mirror_clear) struct mirror wanted = {};
	size_t count = 0;
	int r = sorted ? 0 : -ENOMEM;

	for (size_t i = 0; i < set->count && sorted; i++)
		if (set->items[i]->identified)
			sorted[count++] = set->items[i];
	if (sorted)
		qsort(sorted, count, sizeof(*sorted), compare_containers);
	for (size_t i = 0, end; i < count && r >= 0; i = end) {
		for (end = i + 1; end < count && compare_containers(&sorted[i], &sorted[end]) == 0;)
			end++;
		r = want_container(&wanted, &map, sorted + i, end - i);
	}
	if (r >= 0)
		r = want_unique(&wanted, &map, sorted, count);
	if (r >= 0)
		r = replace(mirror, &wanted, &map);
	return r < 0 ? error_set(error, r, "cannot enter the containers' addresses into the kernel's tables: %s", strerror(-r)) : r;
}
