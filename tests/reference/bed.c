/* SPDX-License-Identifier: GPL-2.0 */
#include "bed.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "compile/set_classes.h"
#include "config/labels.h"
#include "config/policy_file.h"
#include "config/static_inventory.h"

/* --- interfaces: made once, their use changes with the inventory */

static bool ensure_link(struct bed *bed, const char *name, const char *kind, struct error *error)
{
	(void)bed;
	return if_nametoindex(name) || world_link(name, kind, error);
}

/* Addresses of the host are only told to the tables: nothing is sent. */
static bool add_host(struct bed *bed, const char *interface, const char *text)
{
	struct netlink_address *address = &bed->host[bed->host_count];

	address->ifindex = (int)if_nametoindex(interface);
	address->prefix_len = 128;
	if (text_parse_addr(text, &address->addr) < 0)
		return false;
	bed->host_addresses[bed->host_count++] = address->addr;
	return true;
}

static void add_interface(struct bed *bed, const char *name)
{
	bed->interfaces[bed->interface_count++] = (struct compile_interface){ name, if_nametoindex(name) };
}

bool bed_open(struct bed *bed, struct error *error)
{
	static const char *const bridges[GENERATE_NETWORKS] = { "br-dmz", "br-ops", "br-lab", "br-dark" };
	uint32_t known = DNET_BRIDGE_KNOWN;

	memset(bed, 0, sizeof(*bed));
	bed->next_set_class = 1;
	bed->rules = calloc(DNET_MAX_RULE_COUNTERS, sizeof(*bed->rules));
	if (!bed->rules || !world_open(&bed->world, error))
		return false;
	for (size_t i = 0; i < GENERATE_NETWORKS; i++) {
		uint32_t ifindex;

		if (!ensure_link(bed, bridges[i], "bridge", error))
			return false;
		ifindex = if_nametoindex(bridges[i]);
		map_set(bed->world.dataplane->bridges_fd, &ifindex, &known);
		add_host(bed, bridges[i], generate_networks[i].gateway_v4);
		add_host(bed, bridges[i], generate_networks[i].gateway_v6);
		add_interface(bed, bridges[i]);
	}
	for (unsigned int i = 0; i < GENERATE_ENDPOINTS; i++) {
		char name[IFNAMSIZ];

		snprintf(name, sizeof(name), "e%u", i);
		if (!ensure_link(bed, name, "veth", error))
			return false;
	}
	if (!ensure_link(bed, GENERATE_UPLINK, "veth", error) || !ensure_link(bed, GENERATE_TUNNEL, "veth", error) ||
	    !ensure_link(bed, GENERATE_STRANGER, "veth", error))
		return false;
	add_interface(bed, GENERATE_UPLINK);
	add_interface(bed, GENERATE_TUNNEL);
	return add_host(bed, GENERATE_UPLINK, "192.0.2.1") && add_host(bed, GENERATE_UPLINK, "2001:db8::1") &&
	       add_host(bed, GENERATE_TUNNEL, "10.200.0.1") && add_host(bed, GENERATE_TUNNEL, "fd00:5::1");
}

/* --- one text */

static void forget(struct bed *bed)
{
	for (size_t i = 0; i < bed->world.live.count; i++) {
		uint32_t key = (uint32_t)bed->world.live.items[i]->link.ifindex;

		map_delete(bed->world.dataplane->links_fd, &key);
	}
	for (size_t i = 0; i < GENERATE_ENDPOINTS; i++) {
		compile_verdict_clear(&bed->verdicts[i]);
		label_policy_clear(&bed->labels[i]);
	}
	memset(bed->endpoints, 0, sizeof(bed->endpoints));
	memset(bed->verdicts, 0, sizeof(bed->verdicts));
	memset(bed->labels, 0, sizeof(bed->labels));
	memset(bed->network_names, 0, sizeof(bed->network_names));
	compiler_free(bed->compiler);
	bed->compiler = NULL;
	set_classes_free(bed->sets);
	bed->sets = NULL;
	policy_set_clear(&bed->policies);
	memset(&bed->policies, 0, sizeof(bed->policies));
	inventory_clear(&bed->world.inventory);
	memset(&bed->world.inventory, 0, sizeof(bed->world.inventory));
	live_set_clear(&bed->world.live);
	memset(&bed->world.live, 0, sizeof(bed->world.live));
}

void bed_close(struct bed *bed)
{
	forget(bed);
	free(bed->rules);
	world_close(&bed->world);
}

static bool add_endpoint(struct bed *bed, const struct attachment *attachment, struct error *error)
{
	const struct network *network = inventory_network(&bed->world.inventory, attachment->network_id);
	struct live *live = calloc(1, sizeof(*live));

	if (!live || bed->world.live.count == GENERATE_ENDPOINTS) {
		free(live);
		return error_set(error, -ENOMEM, "there are more endpoints than GENERATE_ENDPOINTS, or no memory"), false;
	}
	live->link.ifindex = (int)if_nametoindex(attachment->interface);
	live->id = bed->world.next_id++;
	if (live_add(&bed->world.live, live) < 0) {
		free(live);
		return error_set(error, -ENOMEM, "out of memory"), false;
	}
	snprintf(live->link.name, sizeof(live->link.name), "%s", attachment->interface);
	snprintf(live->bridge, sizeof(live->bridge), "%s", network->bridge);
	live->bridge_ifindex = live->link.master = (int)if_nametoindex(network->bridge);
	live->slot = (uint32_t)bed->world.live.count;
	if (!live_identify_static(live, attachment))
		return error_set(error, -EINVAL, "%s is not in the inventory", attachment->interface), false;
	live->identity = live_identity(live->container_id, live->network_id);
	live->container = live_container(live->container_id);
	return true;
}

static size_t choose_resolvers(struct random *random, struct dnet_addr *ret)
{
	static const char *const known[] = { "192.0.2.53", "8.8.8.8", "198.18.0.11", "2001:db8::53", "198.18.0.1", "10.9.9.9" };
	size_t count = random_below(random, 4);

	for (size_t i = 0; i < count; i++)
		text_parse_addr(random_pick(random, known), &ret[i]);
	return count;
}

static void describe(struct bed *bed, struct random *random)
{
	const struct inventory *inventory = &bed->world.inventory;

	for (size_t i = 0; i < bed->world.live.count; i++) {
		const struct live *live = bed->world.live.items[i];
		const struct container *container = inventory_container(inventory, live->container_id);
		size_t names = 0, resolvers = choose_resolvers(random, bed->resolvers[i]);

		for (size_t j = 0; j < inventory->attachment_count; j++)
			if (strcmp(inventory->attachments[j].container_id, live->container_id) == 0)
				bed->network_names[i][names++] = inventory_network(inventory, inventory->attachments[j].network_id)->name;
		label_policy_parse(container, &bed->policies, &bed->labels[i]);
		bed->endpoints[i] = (struct compile_endpoint){
			.id = live->id, .container = container, .network = inventory_network(inventory, live->network_id),
			.network_names = bed->network_names[i], .labels = &bed->labels[i], .resolvers = bed->resolvers[i],
			.resolver_count = resolvers,
		};
		bed->reference[i] = (struct reference_endpoint){
			.id = live->id, .container = container, .network = bed->endpoints[i].network,
			.attachment = inventory_attachment(inventory, live->container_id, live->network_id),
			.labels = &bed->labels[i], .resolvers = bed->resolvers[i], .resolver_count = resolvers,
		};
	}
	bed->reference_world = (struct reference_world){
		.policies = &bed->policies, .inventory = inventory, .endpoints = bed->reference, .endpoint_count = bed->world.live.count,
		.host_addresses = bed->host_addresses, .host_address_count = bed->host_count,
		.now_unix_ns = (uint64_t)time(NULL) * 1000000000ull,
	};
}

/* Labels of the same text are one list to the compiler, whoever has them. */
uint32_t bed_counter(const struct bed *bed, const char *policy, const struct rule *rule)
{
	bool labels = policy && strcmp(policy, "labels") == 0;

	for (uint32_t i = 0; i < bed->rule_count; i++)
		if (bed->rules[i].rule == rule ||
		    (labels && strcmp(bed->rules[i].policy, "labels") == 0 && strcmp(bed->rules[i].rule->text, rule->text) == 0))
			return i;
	return DNET_NO_RULE;
}

/* One for each rule that somebody wrote, whatever its name is: then the counter says which rule it was. */
static uint32_t rule_counter(void *context, const char *policy, const struct rule *rule)
{
	struct bed *bed = context;
	uint32_t counter;

	counter = bed_counter(bed, policy, rule);
	if (counter != DNET_NO_RULE)
		return counter;
	if (bed->rule_count == DNET_MAX_RULE_COUNTERS)
		return DNET_NO_RULE;
	bed->rules[bed->rule_count] = (struct bed_rule){ rule, policy };
	return bed->rule_count++;
}

static bool install_sets(struct bed *bed, uint32_t arena, struct error *error)
{
	for (enum dnet_set_family family = 0; family < DNET_SET_FAMILIES; family++) {
		const uint64_t *words = NULL;
		size_t count = set_classes_words(bed->sets, family, &words);

		if (dataplane_set_table(bed->world.dataplane, arena, family, words, count, bed->loads, error) < 0)
			return false;
	}
	return true;
}

static bool install(struct bed *bed, uint32_t arena, struct error *error)
{
	struct dataplane *dataplane = bed->world.dataplane;
	struct install *install = &bed->world.install[arena];

	install_withdraw(install, dataplane);
	install->arena = arena;
	if (!install_sets(bed, arena, error) || install_apply(install, dataplane, bed->compiler, error) < 0)
		return false;
	for (size_t i = 0; i < bed->world.live.count; i++)
		world_write_endpoint(&bed->world, bed->world.live.items[i], &bed->verdicts[i], DNET_ENDPOINT_GUARD, arena, &bed->policies);
	dataplane->state->unknown_deny = bed->policies.unknown_deny;
	/* Nothing runs at the same time, so that nobody need be waited for. */
	dataplane_flip(dataplane);
	return true;
}

/* Each its own buckets, in each text. */
static uint32_t limit_id(void *context, const char *policy, const struct rule *rule, const struct limit *limit)
{
	struct bed *bed = context;

	(void)policy;
	(void)rule;
	(void)limit;
	return ++bed->limit_count;
}

bool bed_load(struct bed *bed, const char *inventory, const char *policy, struct random *random, struct error *error)
{
	uint32_t arena = dataplane_next_arena(bed->world.dataplane);
	struct compile_input input = {
		.arena = arena, .policies = &bed->policies, .counter = rule_counter, .limit = limit_id, .context = bed,
		.now_unix_ns = (uint64_t)time(NULL) * 1000000000ull,
	};

	forget(bed);
	bed->loads++;
	bed->rule_count = 0;
	if (policy_file_parse("policy.yaml", policy, strlen(policy), &bed->policies, NULL, error) < 0 ||
	    static_inventory_parse("inventory.yaml", inventory, strlen(inventory), &bed->world.inventory, error) < 0)
		return false;
	for (size_t i = 0; i < bed->world.inventory.attachment_count; i++)
		if (!add_endpoint(bed, &bed->world.inventory.attachments[i], error))
			return false;
	if (places_update(bed->world.dataplane, &bed->world.places, bed->host, bed->host_count, &bed->world.inventory, error) < 0 ||
	    addresses_update(bed->world.dataplane, &bed->world.addresses, &bed->world.live, error) < 0)
		return false;
	describe(bed, random);
	if (set_classes_new(&bed->policies, NULL, &bed->next_set_class, &bed->sets, error) < 0)
		return false;
	input.sets = bed->sets;
	return compiler_new(&input, &bed->compiler, error) == 0 &&
	       compiler_run(bed->compiler, bed->endpoints, bed->world.live.count, bed->interfaces, bed->interface_count, bed->verdicts, error) == 0 &&
	       install(bed, arena, error);
}

/* --- where a packet is */

uint32_t bed_ifindex(const struct bed *bed, size_t endpoint)
{
	return (uint32_t)bed->world.live.items[endpoint]->link.ifindex;
}

const char *bed_origin_name(const struct bed *bed, const struct reference_packet *packet)
{
	switch (packet->origin) {
	case ORIGIN_PORT:
		return bed->world.live.items[packet->from]->link.name;
	case ORIGIN_STRANGER:
		return GENERATE_STRANGER;
	case ORIGIN_BRIDGE:
		return bed->world.inventory.networks[packet->from].bridge;
	case ORIGIN_OUTSIDE:
		return packet->interface;
	default:
		return "host";
	}
}

uint32_t bed_origin(const struct bed *bed, const struct reference_packet *packet)
{
	if (packet->direction == DNET_EGRESS || packet->origin == ORIGIN_HOST)
		return 0;
	return if_nametoindex(bed_origin_name(bed, packet));
}
