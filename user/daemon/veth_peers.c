/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/veth_peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MAX_ADDRESSES 32	/* of one: a container could give itself more than there is memory for */

struct peer {
	struct netlink_peer known;	/* its addresses are those below */
	struct netlink_address addresses[MAX_ADDRESSES];
};

static uint64_t place_of(int nsid, int ifindex)
{
	return (uint64_t)(uint32_t)nsid << 32 | (uint32_t)ifindex;
}

static struct peer *find(const struct veth_peers *peers, int nsid, int ifindex)
{
	return nsid == NETLINK_NSID_NONE ? NULL : (struct peer *)index_get(&peers->by_place, place_of(nsid, ifindex));
}

static void drop(struct veth_peers *peers, int nsid, int ifindex)
{
	struct peer *peer = find(peers, nsid, ifindex);

	if (!peer)
		return;
	index_remove(&peers->by_place, place_of(nsid, ifindex));
	free(peer);
}

int veth_peers_follow(struct veth_peers *peers, const struct netlink_link *was, const struct netlink_link *link)
{
	struct peer *peer;

	if (was && link && was->nsid == link->nsid && was->peer_ifindex == link->peer_ifindex)
		return 0;
	if (was)
		drop(peers, was->nsid, was->peer_ifindex);
	if (!link || link->nsid == NETLINK_NSID_NONE || !link->peer_ifindex || strcmp(link->kind, "veth") != 0)
		return 0;
	drop(peers, link->nsid, link->peer_ifindex);
	peer = calloc(1, sizeof(*peer));
	if (!peer || index_set(&peers->by_place, place_of(link->nsid, link->peer_ifindex), (uintptr_t)peer) < 0) {
		free(peer);
		return -ENOMEM;
	}
	peer->known.addresses = peer->addresses;
	return 0;
}

/* Returns whether that is news. */
static bool set_address(struct netlink_peer *peer, const struct netlink_address *address, bool present)
{
	size_t at = 0;

	while (at < peer->address_count && !addr_equal(&peer->addresses[at].addr, &address->addr))
		at++;
	if (present == (at < peer->address_count) || at == MAX_ADDRESSES)
		return false;
	if (present)
		peer->addresses[peer->address_count++] = *address;
	else
		memmove(&peer->addresses[at], &peer->addresses[at + 1], (--peer->address_count - at) * sizeof(*address));
	return true;
}

bool veth_peers_hear(struct veth_peers *peers, const struct netlink_event *event)
{
	struct peer *peer = find(peers, event->nsid, event->link.ifindex);

	if (!peer)
		return false;
	switch (event->kind) {
	case NETLINK_LINK_NEW:
		if (!event->link.has_mac || memcmp(peer->known.mac, event->link.mac, sizeof(peer->known.mac)) == 0)
			return false;
		memcpy(peer->known.mac, event->link.mac, sizeof(peer->known.mac));
		return true;
	case NETLINK_LINK_GONE:
		drop(peers, event->nsid, event->link.ifindex);
		return true;
	case NETLINK_ADDRESS_NEW:
	case NETLINK_ADDRESS_GONE:
		return set_address(&peer->known, &event->address, event->kind == NETLINK_ADDRESS_NEW);
	default:
		return false;
	}
}

const struct netlink_peer *veth_peers_find(const struct veth_peers *peers, int nsid, int ifindex)
{
	const struct peer *peer = find(peers, nsid, ifindex);

	return peer ? &peer->known : NULL;
}

void veth_peers_clear(struct veth_peers *peers)
{
	for (size_t i = 0; i < peers->by_place.size; i++)
		free((struct peer *)peers->by_place.slots[i].value);
	index_clear(&peers->by_place);
}
