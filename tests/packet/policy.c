/* SPDX-License-Identifier: GPL-2.0 */
/* A policy's way into the kernel. Everything but world_write_endpoint() and guard_flags() is the project's own code at work. */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>

#include "compile/compile.h"
#include "compile/range_table.h"
#include "compile/set_classes.h"
#include "config/labels.h"
#include "config/policy_file.h"

static char rule_names[4096][96];	/* by counter */
static uint32_t rule_count;

static uint32_t rule_counter(void *context, const char *policy, const struct rule *rule)
{
	char name[96];
	uint32_t counter;

	(void)context;
	snprintf(name, sizeof(name), "%s/%s", policy, rule->name);
	counter = world_rule(name);
	if (counter != DNET_NO_RULE || rule_count == COUNT(rule_names))
		return counter;
	memcpy(rule_names[rule_count], name, sizeof(name));
	return rule_count++;
}

/* A limit that is written as it was, in a rule of the same name, keeps its id and with it its buckets. */
static uint32_t limit_number(void *context, const char *policy, const struct rule *rule, const struct limit *limit)
{
	static char names[1024][160];
	static uint32_t count;
	char name[160] = "";

	(void)context;
	snprintf(name, sizeof(name), "%s/%s %d %llu/%llu burst %llu per %d/%u/%u", policy, rule->name, limit->kind,
		 (unsigned long long)limit->count, (unsigned long long)limit->unit_ns, (unsigned long long)limit->burst, limit->per,
		 limit->v4_len, limit->v6_len);
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i + 1;
	if (count == COUNT(names))
		return 0;
	memcpy(names[count], name, sizeof(name));
	return ++count;
}

uint32_t world_rule(const char *name)
{
	for (uint32_t i = 0; i < rule_count; i++)
		if (strcmp(rule_names[i], name) == 0)
			return i;
	return DNET_NO_RULE;
}

/* What the daemon's reconcile does with a verdict, without the daemon. */
void world_write_endpoint(struct world *world, struct live *live, const struct compile_verdict *verdict, uint32_t flags, uint32_t arena,
			  const struct policy_set *policies)
{
	struct dnet_endpoint *endpoint = &world->dataplane->endpoints[live->slot];
	uint32_t key = (uint32_t)live->link.ifindex;

	flags |= (verdict->tracked ? DNET_ENDPOINT_TRACKED : 0) | (verdict->audit ? DNET_ENDPOINT_AUDIT : 0) |
		 (verdict->bans ? DNET_ENDPOINT_PROVES : 0) |
		 (verdict->invalid ? DNET_ENDPOINT_INVALID : 0) | (policies->fail_open ? DNET_ENDPOINT_FAIL_OPEN : 0);
	memcpy(endpoint->ruleset[arena], verdict->ruleset, sizeof(verdict->ruleset));
	endpoint->id = live->id;
	endpoint->ifindex = key;
	endpoint->identity = live->identity;
	endpoint->container = live->container;
	endpoint->bridge_ifindex = (uint32_t)live->bridge_ifindex;
	endpoint->grace_until_ns = 0;
	memcpy(endpoint->mac, live->mac, 6);
	endpoint->flags = flags;
	map_set(world->dataplane->links_fd, &key, &live->slot);
	live->linked = true;
}

static uint32_t guard_flags(const struct world *world, const struct compile_verdict *verdicts, int bridge)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < world->live.count; i++) {
		if (world->live.items[i]->bridge_ifindex != bridge || (!verdicts[i].selected && !verdicts[i].invalid))
			continue;
		if (!verdicts[i].audit)
			return DNET_ENDPOINT_GUARD;
		flags = DNET_ENDPOINT_GUARD | DNET_ENDPOINT_GUARD_AUDIT;
	}
	return flags;
}

static void describe_endpoints(struct world *world, const struct policy_set *policies, const struct dnet_addr *resolver,
			       struct compile_endpoint *endpoints, struct label_policy *labels)
{
	for (size_t i = 0; i < world->live.count; i++) {
		const struct live *live = world->live.items[i];

		endpoints[i] = (struct compile_endpoint){
			.id = live->id, .container = inventory_container(&world->inventory, live->container_id),
			.network = inventory_network(&world->inventory, live->network_id),
			.network_names = (const char *const *)live->network_names, .labels = &labels[i],
			.resolvers = resolver, .resolver_count = 1,
		};
		label_policy_parse(endpoints[i].container, policies, &labels[i]);
	}
}

static bool put_sets(struct world *world, uint32_t arena, const struct policy_set *policies, struct error *error)
{
	static uint64_t tag;
	struct set_classes *classes;
	int r = set_classes_new(policies, world->sets, &world->dataplane->state->next_set_class, &classes, error);

	if (r < 0)
		return false;
	set_classes_free(world->sets);
	world->sets = classes;
	tag++;
	for (int family = 0; family < DNET_SET_FAMILIES && r == 0; family++) {
		const uint64_t *words;
		size_t count = set_classes_words(classes, family, &words);

		r = dataplane_set_table(world->dataplane, arena, family, words, count, tag, error);
	}
	return r == 0;
}

/* DE is 192.0.2.0/25 and 2001:db8::/33, KP what follows up to 192.0.2.255 and the /32's end; the rest of the world is unknown. */
bool world_countries(struct world *world, struct error *error)
{
	const addr_number v4 = 0xc0000200u, v6 = (addr_number)0x20010db8u << 96;
	const struct { enum dnet_set_family family; addr_number first; uint32_t country; } ranges[] = {
		{ DNET_SET_V4, 0, 0 }, { DNET_SET_V4, v4, dnet_country("DE") }, { DNET_SET_V4, v4 + 128, dnet_country("KP") },
		{ DNET_SET_V4, v4 + 256, 0 }, { DNET_SET_V6, 0, 0 }, { DNET_SET_V6, v6, dnet_country("DE") },
		{ DNET_SET_V6, v6 + ((addr_number)1 << 95), dnet_country("KP") }, { DNET_SET_V6, v6 + ((addr_number)1 << 96), 0 },
	};

	for (int family = 0; family < DNET_SET_FAMILIES; family++) {
		struct range_writer writer = {};
		struct range_table table = {};
		int r = range_writer_begin(&writer, family, COUNT(ranges));

		for (size_t i = 0; i < COUNT(ranges) && r == 0; i++)
			if (ranges[i].family == (enum dnet_set_family)family)
				r = range_writer_add(&writer, ranges[i].first, ranges[i].country);
		if (r == 0)
			r = range_writer_finish(&writer, &table);
		if (r == 0)
			r = dataplane_set_table(world->dataplane, DNET_TABLE_COUNTRIES, family, table.words, table.count, 1, error);
		range_writer_clear(&writer);
		range_table_clear(&table);
		if (r < 0)
			return false;
	}
	return true;
}

/* Compiles into the next arena and switches to it. */
static bool switch_to(struct world *world, const struct policy_set *policies, struct error *error)
{
	static const struct dnet_addr resolver = { .byte = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 53 } };
	uint32_t arena = dataplane_next_arena(world->dataplane);
	struct compile_interface interfaces[WORLD_LINKS];
	struct compile_endpoint endpoints[WORLD_SLOTS] = {};
	struct compile_verdict verdicts[WORLD_SLOTS] = {};
	struct label_policy labels[WORLD_SLOTS] = {};
	struct compile_input input = { .arena = arena, .policies = policies, .has_countries = true, .counter = rule_counter,
				       .limit = limit_number };
	struct install *install = &world->install[arena];
	struct compiler *compiler = NULL;
	int r = -EINVAL;

	for (size_t i = 0; i < WORLD_LINKS; i++)
		interfaces[i] = (struct compile_interface){ world_links[i], if_nametoindex(world_links[i]) };
	describe_endpoints(world, policies, &resolver, endpoints, labels);
	dataplane_wait_for_next_arena(world->dataplane);
	install_withdraw(install, world->dataplane);
	install_clear(install);
	install->arena = arena;
	if (put_sets(world, arena, policies, error)) {
		input.sets = world->sets;
		r = compiler_new(&input, &compiler, error);
	}
	if (r == 0)
		r = compiler_run(compiler, endpoints, world->live.count, interfaces, WORLD_LINKS, verdicts, error);
	if (r == 0)
		r = install_apply(install, world->dataplane, compiler, error);
	if (r == 0) {
		struct compiled_tables tables;

		compiler_tables(compiler, &tables);
		world->limits_in_force = tables.limit_count > 1;
		world->limited = world->limited || world->limits_in_force;
	}
	for (size_t i = 0; i < world->live.count && r == 0; i++)
		world_write_endpoint(world, world->live.items[i], &verdicts[i],
				     guard_flags(world, verdicts, world->live.items[i]->bridge_ifindex), arena, policies);
	if (r == 0) {
		world->dataplane->state->unknown_deny = policies->unknown_deny;
		dataplane_set_timeouts(world->dataplane, policies->timeout_sec);
		dataplane_flip(world->dataplane);
	}
	for (size_t i = 0; i < world->live.count; i++) {
		compile_verdict_clear(&verdicts[i]);
		label_policy_clear(&labels[i]);
	}
	compiler_free(compiler);
	return r == 0;
}

bool world_policy(struct world *world, const char *name, struct error *error)
{
	const char *text = policy_text(name);
	struct policy_set policies = {};
	bool good;

	if (!text)
		return error_set(error, -ENOENT, "there is no policy %s", name), false;
	if (policy_file_parse(name, text, strlen(text), &policies, NULL, error) < 0)
		return false;
	good = switch_to(world, &policies, error);
	policy_set_clear(&policies);
	return good;
}

void world_policy_clear(struct world *world)
{
	for (int arena = 0; arena < DNET_ARENAS; arena++)
		install_clear(&world->install[arena]);
	set_classes_free(world->sets);
}
