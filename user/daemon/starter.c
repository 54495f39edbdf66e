/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/starter.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/index.h"
#include "base/registry.h"
#include "base/text.h"
#include "compile/ruleset.h"
#include "config/array.h"
#include "config/labels.h"
#include "config/place.h"
#include "daemon/starter_private.h"
#include "explain/world.h"

#define SEEN_MAX	65536	/* different (who, whom, port) */
/* The kernel's first port for clients (net.ipv4.ip_local_port_range); servers live below. */
#define FIRST_CLIENT_PORT 32768

static bool is_name(const char *text)
{
	return text && !name_check(word_of(text), NAME_EXACT);
}

/* A service of a project, if both have names that a policy can have. */
static bool is_service(const struct container *container)
{
	return is_name(container->project) && is_name(container->service);
}

static int compare_containers(const void *a, const void *b)
{
	const struct container *left = *(const struct container *const *)a, *right = *(const struct container *const *)b;
	bool left_service = is_service(left), right_service = is_service(right);
	int order = left_service != right_service ? (left_service ? -1 : 1) : 0;

	if (!order && left_service)
		order = strcmp(left->project, right->project);
	if (!order && left_service)
		order = strcmp(left->service, right->service);
	return order ? order : strcmp(left->name, right->name);
}

static bool same_unit(const struct container *a, const struct container *b)
{
	return is_service(a) && is_service(b) && strcmp(a->project, b->project) == 0 && strcmp(a->service, b->service) == 0;
}

static bool has_labels(const struct container *container)
{
	for (size_t i = 0; i < container->label_count; i++)
		if (label_policy_concerns(container->labels[i].key))
			return true;
	return false;
}

static bool has_interface(const struct inventory *inventory, const struct container *container)
{
	const struct attachment *attachment;

	for (size_t cursor = 0; (attachment = inventory_container_attachment(inventory, container->id, &cursor));) {
		const struct network *network = inventory_network(inventory, attachment->network_id);

		if (network && network->bridge)
			return true;
	}
	return false;
}

/* Why a unit gets no policy. Containers that do not run say nothing of the others. */
static enum unit_skip skip_reason(const struct inventory *inventory, const struct unit *unit)
{
	bool labels = false, runs = false, interface = false;

	for (size_t i = 0; i < unit->count; i++) {
		labels = labels || has_labels(unit->containers[i]);
		runs = runs || unit->containers[i]->state == CONTAINER_RUNNING;
		interface = interface || has_interface(inventory, unit->containers[i]);
	}
	return !runs ? SKIP_STOPPED : !interface ? SKIP_NO_INTERFACE : labels ? SKIP_LABELS : SKIP_NOTHING;
}

static int make_units(struct starter *starter)
{
	const struct inventory *inventory = starter->world.inventory;

	starter->sorted = calloc(inventory->container_count + 1, sizeof(*starter->sorted));
	starter->units = calloc(inventory->container_count + 1, sizeof(*starter->units));
	if (!starter->sorted || !starter->units)
		return -ENOMEM;
	for (size_t i = 0; i < inventory->container_count; i++)
		starter->sorted[i] = &inventory->containers[i];
	qsort(starter->sorted, inventory->container_count, sizeof(*starter->sorted), compare_containers);
	for (size_t i = 0; i < inventory->container_count; i++) {
		struct unit *unit;

		if (i && same_unit(starter->sorted[i - 1], starter->sorted[i])) {
			starter->units[starter->unit_count - 1].count++;
		} else {
			unit = &starter->units[starter->unit_count++];
			*unit = (struct unit){ .containers = &starter->sorted[i], .count = 1, .service = is_service(starter->sorted[i]) };
		}
		if (index_set(&starter->unit_of, text_hash(TEXT_HASH_SEED, starter->sorted[i]->id), starter->unit_count) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < starter->unit_count; i++)
		starter->units[i].skip = skip_reason(inventory, &starter->units[i]);
	return 0;
}

static uint64_t address_key(const struct dnet_addr *addr)
{
	/* Equal hashes of 64 bits would put a line too much into a file that a person reads. */
	return (addr->quad[0] * 0x9e3779b97f4a7c15ull) ^ (addr->quad[1] + (addr->quad[1] << 17) * 0xc2b2ae3d27d4eb4full);
}

#define AMBIGUOUS ((uintptr_t)-1)	/* several have the address, on networks of their own */

static int index_addresses(struct starter *starter)
{
	const struct inventory *inventory = starter->world.inventory;

	for (size_t i = 0; i < inventory->attachment_count; i++) {
		const struct attachment *attachment = &inventory->attachments[i];
		uintptr_t unit = index_get(&starter->unit_of, text_hash(TEXT_HASH_SEED, attachment->container_id));

		for (size_t j = 0; unit && j < attachment->address_count; j++) {
			uint64_t key = address_key(&attachment->addresses[j]);
			uintptr_t known = index_get(&starter->addresses, key);

			if (index_set(&starter->addresses, key, known && known != unit ? AMBIGUOUS : unit) < 0)
				return -ENOMEM;
		}
	}
	for (size_t i = 0; i < starter->world.host_address_count; i++)
		if (index_set(&starter->hosts, address_key(&starter->world.host_addresses[i]), 1) < 0)
			return -ENOMEM;
	return 0;
}

struct starter *starter_new(const struct starter_world *world)
{
	struct starter *starter = calloc(1, sizeof(*starter));

	if (!starter)
		return NULL;
	starter->world = *world;
	if (make_units(starter) < 0 || index_addresses(starter) < 0) {
		starter_free(starter);
		return NULL;
	}
	return starter;
}

void starter_free(struct starter *starter)
{
	if (!starter)
		return;
	index_clear(&starter->unit_of);
	index_clear(&starter->addresses);
	index_clear(&starter->hosts);
	index_clear(&starter->seen_index);
	free(starter->sorted);
	free(starter->units);
	free(starter->seen);
	free(starter);
}

static bool in_docker_subnet(const struct inventory *inventory, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < inventory->network_count; i++)
		for (size_t j = 0; inventory->networks[i].bridge && j < inventory->networks[i].subnet_count; j++)
			if (addr_in_prefix(addr, &inventory->networks[i].subnets[j].addr, inventory->networks[i].subnets[j].prefix_len))
				return true;
	return false;
}

static bool is_metadata(const struct dnet_addr *addr)
{
	for (const struct prefix *prefix = metadata_prefixes; prefix->prefix_len; prefix++)
		if (addr_in_prefix(addr, &prefix->addr, prefix->prefix_len))
			return true;
	return false;
}

/* The number of a peer: a scope, or PEER_UNITS and the unit behind it. */
static uint32_t peer_of(const struct starter *starter, const struct dnet_addr *addr, const char *id)
{
	uintptr_t unit = id ? index_get(&starter->unit_of, text_hash(TEXT_HASH_SEED, id)) : 0;

	if (!unit)
		unit = index_get(&starter->addresses, address_key(addr));
	if (unit == AMBIGUOUS)
		return SEEN_NOBODY;
	if (unit)
		return SEEN_UNITS + (uint32_t)unit - 1;
	if (index_get(&starter->hosts, address_key(addr)))
		return SEEN_HOST;
	if (explain_is_group(addr))
		return SEEN_GROUP;
	if (is_metadata(addr))
		return SEEN_METADATA;
	if (in_docker_subnet(starter->world.inventory, addr))
		return SEEN_NOBODY;
	switch (registry_place(addr)) {
	case DNET_PLACE_LAN:
		return SEEN_LAN;
	case DNET_PLACE_NONE:
		return SEEN_INTERNET;
	default:
		return SEEN_OUTSIDE;
	}
}

static bool is_resolver(const struct starter *starter, const char *id, const struct dnet_addr *addr)
{
	const struct container *container = id ? inventory_container(starter->world.inventory, id) : NULL;
	bool own = container && container->resolver_count;
	const struct dnet_addr *resolvers = own ? container->resolvers : starter->world.resolvers;

	for (size_t i = 0; i < (own ? container->resolver_count : starter->world.resolver_count); i++)
		if (addr_equal(&resolvers[i], addr))
			return true;
	return false;
}

static void count(struct starter *starter, uint32_t owner, int direction, uint32_t peer, uint8_t proto, uint16_t port)
{
	uint64_t key = (uint64_t)owner << 48 | (uint64_t)peer << 28 | (uint64_t)direction << 24 | (uint64_t)proto << 16 | port;
	uintptr_t known = index_get(&starter->seen_index, key);

	if (!known) {
		if (starter->seen_count == SEEN_MAX || array_grow(starter->seen, starter->seen_count) < 0 ||
		    index_set(&starter->seen_index, key, starter->seen_count + 1) < 0) {
			starter->dropped++;
			return;
		}
		starter->seen[starter->seen_count] = (struct seen){ .unit = owner, .peer = peer, .direction = direction, .proto = proto,
								    .port = port };
		known = ++starter->seen_count;
	}
	starter->seen[known - 1].count++;
}

void starter_add(struct starter *starter, const struct starter_flow *flow)
{
	bool icmp = flow->proto == IPPROTO_ICMP || flow->proto == IPPROTO_ICMPV6;
	/* A connection that is older than the programs may have shown its answers first. */
	bool turned = !icmp && flow->dst_port >= FIRST_CLIENT_PORT && flow->src_port && flow->src_port < FIRST_CLIENT_PORT;
	uint32_t src = peer_of(starter, &flow->src, flow->src_container), dst = peer_of(starter, &flow->dst, flow->dst_container);
	uint32_t from = turned ? dst : src, to = turned ? src : dst;
	uint16_t port = icmp ? 0 : turned ? flow->src_port : flow->dst_port;

	if (from < SEEN_UNITS && to < SEEN_UNITS)
		return;
	starter->flow_count++;
	if (from == SEEN_NOBODY || to == SEEN_NOBODY) {
		starter->strangers++;
		return;
	}
	if (from >= SEEN_UNITS && !(port == 53 && is_resolver(starter, turned ? flow->dst_container : flow->src_container,
							      turned ? &flow->src : &flow->dst)))
		count(starter, from - SEEN_UNITS, DNET_EGRESS, to, flow->proto, port);
	if (to >= SEEN_UNITS)
		count(starter, to - SEEN_UNITS, DNET_INGRESS, from, flow->proto, port);
}
