/* SPDX-License-Identifier: GPL-2.0 */
/* `policy explain`, live: the kernel's explain programs are asked, on the tables that are in force. Changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "daemon/block_words.h"
#include "explain/explanation.h"
#include "explain/frame.h"

#define NOBODYS_IFINDEX 0x7fffffffu	/* a port of the bridge that carries none of our programs */

struct live_world {
	struct explain_world world;
	struct daemon *daemon;
	struct explain_end *ends;
	struct dnet_addr *host_addresses;
};

static void world_clear(struct live_world *live)
{
	free(live->ends);
	free(live->host_addresses);
}

static const struct netlink_link *link_by_ifindex(const struct daemon *daemon, int ifindex)
{
	for (size_t i = 0; i < daemon->link_count; i++)
		if (daemon->links[i].ifindex == ifindex)
			return &daemon->links[i];
	return NULL;
}

static const struct netlink_link *link_by_name(const struct daemon *daemon, const char *name)
{
	for (size_t i = 0; i < daemon->link_count; i++)
		if (strcmp(daemon->links[i].name, name) == 0)
			return &daemon->links[i];
	return NULL;
}

/* Can a packet from outside come in by it? */
static bool is_uplink(const struct daemon *daemon, const struct netlink_link *link)
{
	return link && link->up && !link->master && strcmp(link->name, "lo") != 0 &&
	       !inventory_network_of_bridge(daemon->inventory, link->name) && !live_find(&daemon->live, link->ifindex);
}

/* The interface with the default route of IPv4, or NULL. */
static const struct netlink_link *default_link(const struct daemon *daemon)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/net/route", "re");
	char line[256], name[IFNAMSIZ];
	unsigned int destination;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%15s %x", name, &destination) == 2 && destination == 0 &&
		    is_uplink(daemon, link_by_name(daemon, name)))
			return link_by_name(daemon, name);
	return NULL;
}

/* By which interface a packet from @addr would come: the one whose own network that is, the default route's, or any. */
static uint32_t outside_ifindex(const struct daemon *daemon, const struct dnet_addr *addr)
{
	const struct netlink_link *best = NULL;
	unsigned int longest = 0;

	for (size_t i = 0; i < daemon->address_count; i++) {
		const struct netlink_address *own = &daemon->addresses[i];
		const struct netlink_link *link = link_by_ifindex(daemon, own->ifindex);

		if (own->prefix_len >= longest && addr_in_prefix(addr, &own->addr, own->prefix_len) && is_uplink(daemon, link)) {
			best = link;
			longest = own->prefix_len;
		}
	}
	best = best ? best : default_link(daemon);
	for (size_t i = 0; !best && i < daemon->link_count; i++)
		best = is_uplink(daemon, &daemon->links[i]) ? &daemon->links[i] : NULL;
	return best ? (uint32_t)best->ifindex : 0;
}

static const struct live *live_of(const struct explain_side *side)
{
	return side->end ? side->end->owner : NULL;
}

/* Where a packet from @side comes from, seen from an interface on the bridge of @judging. */
static int origin_of(const struct daemon *daemon, const struct explain_side *side, const struct live *judging, uint32_t *ret,
		     struct error *error)
{
	const struct live *sender = live_of(side);
	const struct netlink_link *bridge;

	*ret = 0;
	switch (side->kind) {
	case EXPLAIN_END:
		*ret = (uint32_t)(sender->bridge_ifindex == judging->bridge_ifindex ? sender->link.ifindex : sender->bridge_ifindex);
		return 0;
	case EXPLAIN_STRANGER:
		bridge = side->network->bridge ? link_by_name(daemon, side->network->bridge) : NULL;
		*ret = bridge && bridge->ifindex != judging->bridge_ifindex ? (uint32_t)bridge->ifindex : NOBODYS_IFINDEX;
		return 0;
	case EXPLAIN_OUTSIDE:
		*ret = outside_ifindex(daemon, &side->addr);
		return *ret ? 0 : error_set(error, -ENODEV, "this host has no interface by which anything could come from outside");
	case EXPLAIN_HOST:
	case EXPLAIN_GROUP:
		break;
	}
	return 0;
}

static int judge(void *context, const struct explain_packet *packet, const struct explain_end *end, enum dnet_direction direction,
		 struct explain_judgement *ret, struct error *error)
{
	const struct live_world *world = context;
	struct daemon *daemon = world->daemon;
	const struct live *live = end->owner;
	const struct explain_side *other = direction == DNET_EGRESS ? &packet->dst : &packet->src;
	const struct live *peer = live_of(other);
	const struct netlink_link *bridge = link_by_ifindex(daemon, live->bridge_ifindex), *named;
	bool near = peer && peer->bridge_ifindex == live->bridge_ifindex;
	static const uint8_t no_mac[6] = { 2 };
	const uint8_t *other_mac = near ? peer->mac : bridge ? bridge->mac : no_mac;
	struct dnet_explanation answer;
	uint8_t bytes[EXPLAIN_FRAME_SIZE];
	struct dataplane_frame frame = { .bytes = bytes, .direction = direction, .ifindex = (uint32_t)live->link.ifindex };
	const struct explain_end *peer_end;
	int r = 0;

	if (direction == DNET_INGRESS) {
		r = origin_of(daemon, other, live, &frame.origin_ifindex, error);
		if (r < 0)
			return r;
		frame.bridged = near || frame.origin_ifindex == NOBODYS_IFINDEX;
	}
	frame.length = direction == DNET_EGRESS ? explain_frame(packet, live->mac, other_mac, bytes) :
						  explain_frame(packet, other_mac, live->mac, bytes);
	r = dataplane_explain(daemon->dataplane, &frame, &answer, error);
	if (r < 0)
		return r;
	ret->reason = answer.reason;
	ret->verdict = answer.verdict;
	ret->layer = answer.layer;
	for (unsigned int layer = 0; layer < DNET_LAYERS; layer++) {
		ret->asked = ret->asked || answer.ruleset[layer];
		ret->rule[layer] = answer.rule[layer];
	}
	/* No rule decided, whether one was asked or not. */
	if (ret->reason == DNET_REASON_BANNED || ret->reason == DNET_REASON_BLOCKED) {
		const struct rule_name *blamed = answer.rule_counter < DNET_MAX_RULE_COUNTERS && daemon->rule_names ?
						 &daemon->rule_names[answer.rule_counter] : NULL;

		ret->asked = false;
		if (blamed && blamed->policy)
			ret->blamed = (struct listed_rule){ .rule = blamed->rule, .policy = blamed->policy };
		block_clause(daemon, live->container, &other->addr, ret->reason, ret->block, sizeof(ret->block));
	}
	if (!ret->asked)
		return 0;
	ret->whose = answer.asked;
	peer_end = explain_end_by_id(&world->world, answer.peer_endpoint);
	named = answer.peer_ifindex ? link_by_ifindex(daemon, (int)answer.peer_ifindex) : NULL;
	ret->question = (struct explain_question){
		.selector = answer.selector, .peer = answer.peer, .peer_class = answer.peer_class, .peer_endpoint = answer.peer_endpoint,
		.peer_named = peer_end ? &peer_end->compile : NULL, .peer_ifindex = answer.peer_ifindex,
		.peer_interface = named ? named->name : NULL, .peer_country = countries_find(daemon, &answer.peer), .group = answer.group != 0,
	};
	return 0;
}

static int world_fill(struct daemon *daemon, struct live_world *ret, struct error *error)
{
	if (!daemon->inventory || !daemon->compiler)
		return error_set(error, -EBUSY, "the containers are not known yet; try again in a moment");
	ret->daemon = daemon;
	ret->ends = calloc(daemon->live.count + 1, sizeof(*ret->ends));
	ret->host_addresses = calloc(daemon->address_count + 1, sizeof(*ret->host_addresses));
	if (!ret->ends || !ret->host_addresses)
		return error_set(error, -ENOMEM, "out of memory");
	ret->world = (struct explain_world){
		.inventory = daemon->inventory, .policies = daemon->policies, .compiler = daemon->compiler, .ends = ret->ends,
		.host_addresses = ret->host_addresses, .host_address_count = daemon->address_count, .docker = !daemon->is_static,
		.judge = judge, .context = ret,
	};
	for (size_t i = 0; i < daemon->address_count; i++)
		ret->host_addresses[i] = daemon->addresses[i].addr;
	for (size_t i = 0; i < daemon->live.count; i++) {
		const struct live *live = daemon->live.items[i];
		struct explain_end *end = &ret->ends[ret->world.end_count];

		if (!live->linked || !enforce_endpoint(daemon, live, &end->compile))
			continue;
		end->addresses = live->addresses;
		end->address_count = live->address_count;
		end->verdict = &live->verdict;
		end->owner = live;
		ret->world.end_count++;
	}
	return 0;
}

int report_explain(void *context, const json_t *request, json_t **ret, struct error *error)
{
	_cleanup_(world_clear) struct live_world world = {};
	const char *text = json_string_value(json_object_get(request, "packet"));
	int r;

	if (!text)
		return error_set(error, -EINVAL, "the request needs \"packet\": a text such as 'tcp 203.0.113.7:4444 -> web:443'");
	r = world_fill(context, &world, error);
	return r < 0 ? r : explain_text(&world.world, text, ret, error);
}
