/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* A map's wanted content as a flat array of entries, and its diff against the kernel's. */
struct wanted {
	uint8_t *entries;	/* key, then a u32 value */
	size_t key_size, count, room;
	int fd;
	bool is_lpm;
	uint8_t *found;
};

static int want(struct wanted *wanted, const void *key, uint32_t value)
{
	size_t size = wanted->key_size + sizeof(value);

	if (wanted->count == wanted->room) {
		size_t room = wanted->room ? wanted->room * 2 : 64;
		uint8_t *grown = realloc(wanted->entries, room * size);

		if (!grown)
			return -ENOMEM;
		wanted->entries = grown;
		wanted->room = room;
	}
	memcpy(wanted->entries + wanted->count * size, key, wanted->key_size);
	memcpy(wanted->entries + wanted->count * size + wanted->key_size, &value, sizeof(value));
	wanted->count++;
	return 0;
}

static int compare_bytes(const void *a, const void *b, void *size)
{
	return memcmp(a, b, *(size_t *)size);
}

static void drop_unwanted(void *context, const void *key)
{
	struct wanted *wanted = context;
	size_t size = wanted->key_size + sizeof(uint32_t), low = 0, high = wanted->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = memcmp(key, wanted->entries + middle * size, wanted->key_size);

		if (order == 0)
			return;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	if (map_delete(wanted->fd, key) == 0)
		*wanted->found = 1;
}

/* New entries before old ones go. Returns 1 when something changed, 0, or -errno. */
static int replace(struct wanted *wanted)
{
	size_t size = wanted->key_size + sizeof(uint32_t);
	uint8_t changed = 0;

	wanted->found = &changed;
	for (size_t i = 0; i < wanted->count; i++) {
		const uint8_t *key = wanted->entries + i * size;
		uint32_t value, old;
		int r;

		memcpy(&value, key + wanted->key_size, sizeof(value));
		/* An LPM answers with a shorter prefix's value too, so only a hash can tell that the entry is there. */
		if (!wanted->is_lpm && map_get(wanted->fd, key, &old) == 0 && old == value)
			continue;
		r = map_set(wanted->fd, key, &value);
		if (r < 0)
			return r;
		changed = 1;
	}
	qsort_r(wanted->entries, wanted->count, size, compare_bytes, &wanted->key_size);
	map_for_each_key(wanted->fd, wanted->key_size, drop_unwanted, wanted);
	return changed;
}

int places_update(struct dataplane *dataplane, const struct netlink_address *addresses, size_t count,
		  const struct inventory *inventory, struct error *error)
{
	struct wanted wanted = { .key_size = sizeof(struct dnet_place_key), .fd = dataplane->places_fd, .is_lpm = true };
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++) {
		struct dnet_place_key key = { .prefix_len = 128, .addr = addresses[i].addr };

		r = want(&wanted, &key, DNET_PLACE_HOST);
	}
	for (size_t i = 0; inventory && i < inventory->network_count && r >= 0; i++) {
		const struct network *network = &inventory->networks[i];

		for (size_t j = 0; network->bridge && j < network->subnet_count && r >= 0; j++) {
			struct dnet_place_key key = { .prefix_len = network->subnets[j].prefix_len, .addr = network->subnets[j].addr };

			r = want(&wanted, &key, DNET_PLACE_DOCKER);
		}
	}
	if (r >= 0)
		r = replace(&wanted);
	free(wanted.entries);
	return r < 0 ? error_set(error, r, "cannot enter the host's addresses into the kernel's tables: %s", strerror(-r)) : r;
}

static bool address_is_unique(const struct live_set *set, const struct live *owner, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct live *live = set->items[i];

		if (!live->identified || strcmp(live->container_id, owner->container_id) == 0)
			continue;
		for (size_t j = 0; j < live->address_count; j++)
			if (memcmp(&live->addresses[j], addr, sizeof(*addr)) == 0)
				return false;
	}
	return true;
}

int addresses_update(struct dataplane *dataplane, const struct live_set *set, struct error *error)
{
	struct wanted wanted = { .key_size = sizeof(struct dnet_address_key), .fd = dataplane->addresses_fd };
	int r = 0;

	for (size_t i = 0; i < set->count && r >= 0; i++) {
		const struct live *live = set->items[i];

		if (!live->identified || !live->id)
			continue;
		/* A host answers ARP for all its addresses on all its interfaces, and may send from them: so may a container. */
		for (size_t k = 0; k < set->count && r >= 0; k++) {
			const struct live *other = set->items[k];

			if (other == live || !other->identified || !other->id || other->bridge_ifindex == live->bridge_ifindex ||
			    strcmp(other->container_id, live->container_id) != 0)
				continue;
			for (size_t j = 0; j < other->address_count && r >= 0; j++) {
				struct dnet_address_key key = { .addr = other->addresses[j], .bridge_ifindex = live->bridge_ifindex };

				r = want(&wanted, &key, live->id);
			}
		}
		for (size_t j = 0; j < live->address_count && r >= 0; j++) {
			struct dnet_address_key key = { .addr = live->addresses[j], .bridge_ifindex = live->bridge_ifindex };

			r = want(&wanted, &key, live->id);
			key.bridge_ifindex = 0;
			if (r >= 0 && live->bridge_ifindex && address_is_unique(set, live, &live->addresses[j]))
				r = want(&wanted, &key, live->id);
		}
	}
	if (r >= 0)
		r = replace(&wanted);
	free(wanted.entries);
	return r < 0 ? error_set(error, r, "cannot enter the containers' addresses into the kernel's tables: %s", strerror(-r)) : r;
}
