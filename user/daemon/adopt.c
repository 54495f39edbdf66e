/* SPDX-License-Identifier: GPL-2.0 */
/* What an earlier daemon left in the pins: its endpoints go on as they are until the inventory confirms them. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/reconcile.h"

/* --- adoption ------------------------------------------------------------ */

struct adoption {
	struct daemon *daemon;
	const struct netlink_link *links;
	struct index places;	/* from ifindex to 1 + the place in links */
	unsigned int kept, gone;
};

static const struct netlink_link *link_of(const struct adoption *adoption, uint32_t ifindex)
{
	uintptr_t place = index_get(&adoption->places, ifindex);

	return place ? &adoption->links[place - 1] : NULL;
}

static void adopt_link(void *context, const void *entry)
{
	struct adoption *adoption = context;
	struct daemon *daemon = adoption->daemon;
	const struct netlink_link *link;
	struct live *live;
	uint32_t ifindex, slot;

	memcpy(&ifindex, entry, sizeof(ifindex));
	if (map_get(daemon->dataplane->links_fd, entry, &slot) < 0)
		return;
	link = link_of(adoption, ifindex);
	live = link && slot && slot < DNET_ENDPOINT_SLOTS && daemon->dataplane->endpoints[slot].ifindex == ifindex ?
	       calloc(1, sizeof(*live)) : NULL;
	if (live) {
		live->link = *link;
		live->id = daemon->dataplane->endpoints[slot].id;
	}
	if (!live || live_add(&daemon->live, live) < 0) {
		free(live);
		map_delete(daemon->dataplane->links_fd, entry);
		adoption->gone++;
		return;
	}
	live->seen_ns = monotonic_ns();
	live->slot = slot;
	live->identity = daemon->dataplane->endpoints[slot].identity;
	live->container = daemon->dataplane->endpoints[slot].container;
	live->linked = live->kept = true;
	live->preexisting = true;
	daemon->slot_used[slot] = true;
	adoption->kept++;
}

static void adopt_programs(void *context, const void *entry)
{
	struct adoption *adoption = context;
	struct daemon *daemon = adoption->daemon;
	struct error error = {};
	uint32_t ifindex, flags = 0;

	memcpy(&ifindex, entry, sizeof(ifindex));
	if (map_get(daemon->dataplane->attached_fd, entry, &flags) < 0)
		return;
	if (!link_of(adoption, ifindex))
		attach_forget(daemon->dataplane, (int)ifindex);
	/* This version's programs take the place of the former's, in one step for each hook. */
	else if (attacher_ensure(daemon->attacher, (int)ifindex, flags & DNET_ATTACHED_BRIDGE, &error) < 0)
		log_error("cannot renew the programs on interface %u: %s", ifindex, error.text);
}

static void adopt_rule_id(void *context, const void *entry)
{
	struct daemon *daemon = context;
	uint64_t key;
	uint32_t counter;

	memcpy(&key, entry, sizeof(key));
	if (map_get(daemon->dataplane->rule_ids_fd, entry, &counter) < 0 || counter >= DNET_MAX_RULE_COUNTERS)
		return;
	index_set(&daemon->rule_counters, key, (uintptr_t)counter + 1);
	if (counter >= daemon->next_rule_counter)
		daemon->next_rule_counter = counter + 1;
}

void reconcile_adopt(struct daemon *daemon, const struct netlink_link *links, size_t count)
{
	struct adoption adoption = { .daemon = daemon, .links = links };

	for (size_t i = 0; i < count; i++) {
		index_set(&adoption.places, links[i].ifindex, i + 1);
		index_set(&daemon->baseline, links[i].ifindex, 1);
	}
	install_adopt(&daemon->install, daemon->dataplane);
	map_for_each_key(daemon->dataplane->rule_ids_fd, sizeof(uint64_t), adopt_rule_id, daemon);
	limits_adopt(daemon);
	map_for_each_key(daemon->dataplane->links_fd, sizeof(uint32_t), adopt_link, &adoption);
	map_for_each_key(daemon->dataplane->attached_fd, sizeof(uint32_t), adopt_programs, &adoption);
	blocks_adopt(daemon);
	index_clear(&adoption.places);
	if (adoption.kept || adoption.gone)
		log_info("adopted %u container interfaces that were under enforcement; %u were gone", adoption.kept, adoption.gone);
}
