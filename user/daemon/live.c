/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/arena.h"

/* A link that waits this long may be on a network without addresses: then its MAC tells whose it is. */
#define WITH_MAC_NS 200000000ull

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + now.tv_nsec;
}

uint64_t live_identity(const char *container_id, const char *network_id)
{
	return text_hash(text_hash(text_hash(TEXT_HASH_SEED, container_id), "\n"), network_id);
}

uint64_t live_container(const char *container_id)
{
	uint64_t hash = text_hash(TEXT_HASH_SEED, container_id);

	return hash ? hash : 1;
}

struct live *live_find(const struct live_set *set, int ifindex)
{
	return (struct live *)index_get(&set->by_ifindex, ifindex);
}

struct live *live_find_id(const struct live_set *set, uint32_t id)
{
	return id ? (struct live *)index_get(&set->by_id, id) : NULL;
}

int live_add(struct live_set *set, struct live *live)
{
	int r = array_grow((void **)&set->items, &set->room, set->count, sizeof(*set->items));

	if (r == 0)
		r = index_set(&set->by_ifindex, live->link.ifindex, (uintptr_t)live);
	if (r == 0 && live->id)
		r = index_set(&set->by_id, live->id, (uintptr_t)live);
	if (r < 0) {
		index_remove(&set->by_ifindex, live->link.ifindex);
		return r;
	}
	set->items[set->count++] = live;
	return 0;
}

void live_set_id(struct live_set *set, struct live *live, uint32_t id)
{
	if (live->id)
		index_remove(&set->by_id, live->id);
	set->moved = true;
	/* Without memory its flows are taken for those of an endpoint that is gone: they are judged again. */
	if (id)
		index_set(&set->by_id, id, (uintptr_t)live);
	live->id = id;
}

static void free_names(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

void live_unidentify(struct live *live)
{
	free(live->container_id);
	free(live->network_id);
	live->container_id = live->network_id = NULL;
	free_names(TAKE_PTR(live->network_names));
	live->identified = false;
	live->address_count = 0;
	compile_verdict_clear(&live->verdict);
}

void live_free(struct live *live)
{
	if (!live)
		return;
	live_unidentify(live);
	free(live);
}

void live_remove(struct live_set *set, struct live *live)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->items[i] == live) {
			memmove(&set->items[i], &set->items[i + 1], (set->count - i - 1) * sizeof(*set->items));
			set->count--;
			break;
		}
	}
	index_remove(&set->by_ifindex, live->link.ifindex);
	live_set_id(set, live, 0);
	live_free(live);
}

void live_set_clear(struct live_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		live_free(set->items[i]);
	free(set->items);
	index_clear(&set->by_ifindex);
	index_clear(&set->by_id);
	memset(set, 0, sizeof(*set));
}

static bool link_local(const struct dnet_addr *addr)
{
	return addr->byte[0] == 0xfe && (addr->byte[1] & 0xc0) == 0x80;
}

static void take_addresses(struct live *live, const struct dnet_addr *addresses, size_t count)
{
	live->address_count = 0;
	for (size_t i = 0; i < count && live->address_count < LIVE_MAX_ADDRESSES; i++)
		live->addresses[live->address_count++] = addresses[i];
}

static bool become(struct live *live, const char *container_id, const char *network_id)
{
	char *container = strdup(container_id), *network = strdup(network_id);

	if (!container || !network) {
		free(container);
		free(network);
		return false;
	}
	live_unidentify(live);
	live->container_id = container;
	live->network_id = network;
	live->identified = true;
	return true;
}

static bool claimed(const struct live_set *set, const struct live *except, const char *container_id, const char *network_id)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct live *live = set->items[i];

		if (live != except && live->identified && strcmp(live->container_id, container_id) == 0 &&
		    strcmp(live->network_id, network_id) == 0)
			return true;
	}
	return false;
}

bool live_identify_static(struct live *live, const struct attachment *attachment)
{
	struct netlink_peer peer = {};

	if (attachment->has_mac) {
		memcpy(live->mac, attachment->mac, 6);
	} else {
		if (live->link.nsid == NETLINK_NSID_NONE || netlink_get_peer(live->link.nsid, live->link.peer_ifindex, &peer) < 0)
			return false;
		memcpy(live->mac, peer.mac, 6);
		netlink_peer_clear(&peer);
	}
	if (!become(live, attachment->container_id, attachment->network_id))
		return false;
	take_addresses(live, attachment->addresses, attachment->address_count);
	return true;
}

/*
 * Is the attachment this interface's? A container that is starting runs nothing yet that could change its addresses, so one that
 * the engine gave to it is proof, and reading its MAC would wait for RTNL. One that runs since before us could have taken a
 * neighbour's address: there the MAC must fit as well (@with_mac).
 */
static bool fits(const struct netlink_peer *peer, const struct attachment *attachment, bool with_mac)
{
	if (with_mac && memcmp(attachment->mac, peer->mac, 6) != 0)
		return false;
	for (size_t i = 0; i < attachment->address_count; i++)
		for (size_t j = 0; j < peer->address_count; j++)
			if (addr_equal(&attachment->addresses[i], &peer->addresses[j].addr))
				return true;
	return with_mac && attachment->address_count == 0;
}

static bool mac_told(const struct netlink_peer *peer)
{
	static const uint8_t none[6];

	return memcmp(peer->mac, none, sizeof(none)) != 0;
}

/* An identified interface whose peer lives in the same namespace: same sandbox, same container. */
static const char *container_by_nsid(const struct live_set *set, const struct live *live)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct live *other = set->items[i];

		if (other != live && other->identified && other->link.nsid == live->link.nsid)
			return other->container_id;
	}
	return NULL;
}

/* Its own addresses. Before the engine has given it one there is nothing that it could send from. */
static size_t own_addresses(const struct netlink_peer *peer, struct dnet_addr own[static LIVE_MAX_ADDRESSES])
{
	size_t count = 0;

	for (size_t i = 0; i < peer->address_count && count < LIVE_MAX_ADDRESSES; i++)
		if (!link_local(&peer->addresses[i].addr))
			own[count++] = peer->addresses[i].addr;
	return count;
}

static bool take_engines(struct live *live, const struct attachment *attachment)
{
	if (!become(live, attachment->container_id, attachment->network_id))
		return false;
	memcpy(live->mac, attachment->mac, 6);
	take_addresses(live, attachment->addresses, attachment->address_count);
	return true;
}

static bool take_own(struct live *live, const char *container_id, const char *network_id, const struct netlink_peer *peer)
{
	struct dnet_addr own[LIVE_MAX_ADDRESSES];
	size_t count = own_addresses(peer, own);

	if (!count || !mac_told(peer) || !become(live, container_id, network_id))
		return false;
	memcpy(live->mac, peer->mac, 6);
	take_addresses(live, own, count);
	return true;
}

/* By what its end in the container has. @container_id: whose it is, or NULL. */
static bool identify_peer(struct live *live, const struct live_set *set, const struct inventory *inventory,
			  const struct network *network, const char *container_id, const struct netlink_peer *peer, bool with_mac)
{
	const struct attachment *attachment;

	if (container_id)
		return take_own(live, container_id, network->id, peer);
	/* An older answer may still show a container that is gone, whose address and MAC this one was given. */
	if (network->asked_ns <= live->seen_ns)
		return false;
	for (size_t cursor = 0; (attachment = inventory_network_attachment(inventory, network->id, &cursor));)
		if (attachment->has_mac && fits(peer, attachment, with_mac) && !claimed(set, live, attachment->container_id, network->id) &&
		    inventory_container(inventory, attachment->container_id) && take_engines(live, attachment))
			return true;
	return false;
}

bool live_identify(struct live *live, const struct live_set *set, const struct inventory *inventory, const struct veth_peers *peers)
{
	const struct netlink_peer *told;
	const struct network *network;
	const char *container_id;
	struct netlink_peer peer = {};
	bool done, with_mac;

	network = inventory_network_of_bridge(inventory, live->bridge);
	if (!network || live->link.nsid == NETLINK_NSID_NONE)
		return false;
	container_id = container_by_nsid(set, live);
	if (container_id) {
		const struct attachment *attachment = inventory_attachment(inventory, container_id, network->id);

		if (!inventory_container(inventory, container_id) || claimed(set, live, container_id, network->id))
			return false;
		/* The engine has said it already. */
		if (attachment && attachment->has_mac && attachment->address_count && network->asked_ns > live->seen_ns &&
		    take_engines(live, attachment))
			return true;
	}
	with_mac = container_id || live->preexisting || live->retry_ns >= WITH_MAC_NS;
	/* Whoever is followed has told all there is. After some time we ask all the same. */
	told = live->retry_ns < WITH_MAC_NS ? veth_peers_find(peers, live->link.nsid, live->link.peer_ifindex) : NULL;
	if (told)
		return identify_peer(live, set, inventory, network, container_id, told, with_mac);
	if ((with_mac ? netlink_get_peer(live->link.nsid, live->link.peer_ifindex, &peer) :
			netlink_get_peer_addresses(live->link.nsid, live->link.peer_ifindex, &peer)) < 0)
		return false;
	done = identify_peer(live, set, inventory, network, container_id, &peer, with_mac);
	netlink_peer_clear(&peer);
	return done;
}

bool live_refresh(struct live *live, const struct inventory *inventory, const struct veth_peers *peers)
{
	const struct attachment *attachment = inventory_attachment(inventory, live->container_id, live->network_id);
	const struct netlink_peer *told = attachment ? NULL : veth_peers_find(peers, live->link.nsid, live->link.peer_ifindex);
	const struct dnet_addr *addresses;
	struct dnet_addr own[LIVE_MAX_ADDRESSES];
	const uint8_t *mac;
	size_t count;

	if (attachment && attachment->has_mac) {
		mac = attachment->mac;
		addresses = attachment->addresses;
		count = attachment->address_count;
	} else if (told) {
		mac = told->mac;
		addresses = own;
		count = own_addresses(told, own);
	} else {
		return false;
	}
	if (!count || memcmp(mac, live->mac, 6) != 0)
		return false;
	if (count == live->address_count && memcmp(addresses, live->addresses, count * sizeof(*addresses)) == 0)
		return false;
	take_addresses(live, addresses, count);
	return true;
}

/* The networks of its container, one a call. Its own is one of them, also before the engine says that it was connected. */
static const struct network *next_network(const struct live *live, const struct inventory *inventory, size_t *cursor, bool *own)
{
	const struct attachment *attachment;
	const struct network *network;

	while ((attachment = inventory_container_attachment(inventory, live->container_id, cursor))) {
		network = inventory_network(inventory, attachment->network_id);
		if (!network)
			continue;
		*own = *own || strcmp(network->id, live->network_id) == 0;
		return network;
	}
	network = *own ? NULL : inventory_network(inventory, live->network_id);
	*own = true;
	return network;
}

int live_update_networks(struct live *live, const struct inventory *inventory, uint64_t serial)
{
	const struct network *network;
	size_t count = 0, same = 0, room = 0, cursor = 0;
	bool own = false;
	char **names;

	if (live->network_names && live->names_serial == serial)
		return 0;
	live->names_serial = serial;

	for (; (network = next_network(live, inventory, &cursor, &own)); room++)
		if (same == room)
			same += live->network_names && live->network_names[same] && strcmp(live->network_names[same], network->name) == 0;
	if (live->network_names && same == room && !live->network_names[same])
		return 0;
	names = calloc(room + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (cursor = 0, own = false; count < room && (network = next_network(live, inventory, &cursor, &own));) {
		names[count] = strdup(network->name);
		if (!names[count++]) {
			free_names(names);
			return -ENOMEM;
		}
	}
	free_names(live->network_names);
	live->network_names = names;
	return 0;
}
