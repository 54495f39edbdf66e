/* SPDX-License-Identifier: GPL-2.0 */
/* Five containers and a policy file, compiled; and what the tables say, as text. */
#ifndef TESTS_UNIT_COMPILE_FIXTURE_H
#define TESTS_UNIT_COMPILE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/compile.h"
#include "compile/explain.h"
#include "config/labels.h"
#include "config/policy_file.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TCP(port) DNET_SELECTOR(6, port)
#define UDP(port) DNET_SELECTOR(17, port)

static struct network dmz = { .id = "dmz", .name = "dmz", .driver = "bridge", .bridge = "br-dmz" };
static struct network ops = { .id = "ops", .name = "ops", .driver = "bridge", .bridge = "br-ops" };

static struct label web_labels[] = { { "app", "web" }, { "tier", "front" } }, db_labels[] = { { "app", "db" } };
static struct container containers[] = {
	{ .id = "web", .name = "web", .image = "nginx:1.27", .project = "shop", .service = "web", .labels = web_labels, .label_count = 2 },
	{ .id = "db", .name = "db", .image = "postgres", .project = "shop", .service = "db", .labels = db_labels, .label_count = 1 },
	{ .id = "mill-db", .name = "mill-db", .image = "postgres", .project = "mill", .service = "db" },
	{ .id = "lone-db", .name = "lone-db", .image = "", .service = "db" },
	{ .id = "mon", .name = "mon", .image = "", .project = "watch", .service = "mon" },
};
/* Their ids are 11 to 15; all but the last are on network dmz, which is on ops. */
enum { WEB, DB, MILL_DB, LONE_DB, MON, ENDPOINTS };
#define ID(endpoint) ((uint32_t)(endpoint) + 11)

static const struct compile_interface interfaces[] = { { "eth0", 2 }, { "wg0", 7 } };
#define NOW 1000000000ull

struct world {
	struct policy_set policies;
	struct set_classes *sets;
	uint32_t next_class;
	struct compiler *compiler;
	struct compile_endpoint endpoints[ENDPOINTS];
	struct compile_verdict verdicts[ENDPOINTS];
	struct label_policy labels[ENDPOINTS];
	struct compiled_tables tables;
	struct dnet_addr resolvers[3];
	uint32_t arena;
	size_t interface_count;
	struct error error;
};

/* Distinct for every rule, and known by its name: the number in "rN". */
static uint32_t counter_of(void *context, const char *policy, const struct rule *rule)
{
	(void)context;
	(void)policy;
	return rule->name[0] == 'r' && rule->name[1] >= '0' && rule->name[1] <= '9' ? (uint32_t)atoi(rule->name + 1) : 1000;
}

/* Distinct for the numbers that a limit allows. */
static uint32_t limit_of(void *context, const char *policy, const struct rule *rule, const struct limit *limit)
{
	(void)context;
	(void)policy;
	(void)rule;
	return (uint32_t)limit->count;
}

/* A test may change the policies between this and world_compiler(). */
static void world_parse(struct world *world, const char *text, uint32_t arena)
{
	static const char *const dmz_names[] = { "dmz", NULL }, *const ops_names[] = { "ops", NULL };

	memset(world, 0, sizeof(*world));
	world->arena = arena;
	world->next_class = 1;
	world->interface_count = COUNT(interfaces);
	if (policy_file_parse("policy.yaml", text, strlen(text), &world->policies, NULL, &world->error) < 0)
		fail_msg("%s\n%s", world->error.text, text);
	assert_int_equal(text_parse_addr("127.0.0.11", &world->resolvers[0]), 0);
	assert_int_equal(text_parse_addr("192.0.2.53", &world->resolvers[1]), 0);
	assert_int_equal(text_parse_addr("2001:db8::53", &world->resolvers[2]), 0);
	for (size_t i = 0; i < ENDPOINTS; i++)
		world->endpoints[i] = (struct compile_endpoint){
			.id = ID(i), .container = &containers[i], .network = i == MON ? &ops : &dmz,
			.network_names = i == MON ? ops_names : dmz_names, .resolvers = world->resolvers, .resolver_count = 3,
		};
}

static int world_compiler(struct world *world)
{
	struct compile_input input = { .arena = world->arena, .policies = &world->policies, .now_unix_ns = NOW, .counter = counter_of,
				       .limit = limit_of };

	if (world->policies.set_count)
		assert_int_equal(set_classes_new(&world->policies, NULL, &world->next_class, &world->sets, &world->error), 0);
	input.sets = world->sets;
	return compiler_new(&input, &world->compiler, &world->error);
}

static void world_begin(struct world *world, const char *text, uint32_t arena)
{
	world_parse(world, text, arena);
	if (world_compiler(world) < 0)
		fail_msg("%s\n%s", world->error.text, text);
}

static inline void add_labels(struct world *world, size_t endpoint, struct label *labels, size_t count)
{
	struct container labelled = containers[endpoint];

	labelled.labels = labels;
	labelled.label_count = count;
	label_policy_parse(&labelled, &world->policies, &world->labels[endpoint]);
	world->endpoints[endpoint].labels = &world->labels[endpoint];
}

static int world_run(struct world *world, size_t count)
{
	int r;

	for (size_t i = 0; i < ENDPOINTS; i++)
		compile_verdict_clear(&world->verdicts[i]);
	r = compiler_run(world->compiler, world->endpoints, count, interfaces, world->interface_count, world->verdicts, &world->error);
	compiler_tables(world->compiler, &world->tables);
	return r;
}

static inline void world_all(struct world *world)
{
	if (world_run(world, ENDPOINTS) < 0)
		fail_msg("%s", world->error.text);
}

static void world_end(struct world *world)
{
	for (size_t i = 0; i < ENDPOINTS; i++) {
		compile_verdict_clear(&world->verdicts[i]);
		label_policy_clear(&world->labels[i]);
	}
	compiler_free(world->compiler);
	set_classes_free(world->sets);
	policy_set_clear(&world->policies);
}

/* --- questions */

/* @peer NULL: an address that no prefix has. @endpoint: index, or -1. */
static inline struct explain_question question(uint32_t selector, const char *peer, int endpoint, enum dnet_peer_class class)
{
	struct explain_question question = { .selector = selector, .peer_class = class, .peer_endpoint = endpoint < 0 ? 0 : ID(endpoint) };

	assert_int_equal(text_parse_addr(peer ? peer : "198.18.255.255", &question.peer), 0);
	return question;
}

/* The rule of one ruleset that answers, or -1. */
static inline int ask_question(const struct world *world, uint32_t local, const struct explain_question *question)
{
	struct compile_verdict verdict = { .ruleset = { [DNET_INGRESS] = { [DNET_LAYER_FILE] = local } } };
	struct explain_answer answer;

	assert_int_not_equal(local, 0);
	explain_decide(world->compiler, &verdict, DNET_INGRESS, question, &answer);
	assert_int_not_equal(answer.reason, DNET_REASON_TABLE_MISSING);
	return answer.rule[DNET_LAYER_FILE] == EXPLAIN_NO_RULE ? -1 : (int)answer.rule[DNET_LAYER_FILE];
}

static inline int ask(const struct world *world, uint32_t local, uint32_t selector, const char *peer, int endpoint, enum dnet_peer_class class)
{
	struct explain_question asked = question(selector, peer, endpoint, class);

	return ask_question(world, local, &asked);
}

/* What all layers of an endpoint say. */
static inline enum dnet_reason decide(const struct world *world, size_t endpoint, enum dnet_direction direction,
				      const struct explain_question *question)
{
	struct explain_answer answer;

	explain_decide(world->compiler, &world->verdicts[endpoint], direction, question, &answer);
	return answer.reason;
}

static inline uint32_t file_ruleset(const struct world *world, size_t endpoint, enum dnet_direction direction)
{
	return world->verdicts[endpoint].ruleset[direction][DNET_LAYER_FILE];
}

#endif
