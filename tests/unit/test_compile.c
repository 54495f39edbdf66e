/* SPDX-License-Identifier: GPL-2.0 */
/* The compiler: golden tables, and every question that a small policy can be asked, answered from its tables. */
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
#include "compile/ruleset.h"
#include "config/labels.h"
#include "config/policy_file.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TCP(port) DNET_SELECTOR(6, port)

static struct network dmz = { .id = "dmz", .name = "dmz", .driver = "bridge", .bridge = "br-dmz" };
static struct network ops = { .id = "ops", .name = "ops", .driver = "bridge", .bridge = "br-ops" };

static struct container containers[] = {
	{ .id = "web", .name = "web", .image = "", .project = "shop", .service = "web" },
	{ .id = "db", .name = "db", .image = "", .project = "shop", .service = "db" },
	{ .id = "mill-db", .name = "mill-db", .image = "", .project = "mill", .service = "db" },
	{ .id = "lone-db", .name = "lone-db", .image = "", .service = "db" },
	{ .id = "mon", .name = "mon", .image = "", .project = "watch", .service = "mon" },
};
enum { WEB, DB, MILL_DB, LONE_DB, MON, ENDPOINTS };

struct world {
	struct policy_set policies;
	struct compiler *compiler;
	struct compile_endpoint endpoints[ENDPOINTS];
	struct compile_verdict verdicts[ENDPOINTS];
	struct label_policy labels[ENDPOINTS];
	struct compiled_tables tables;
	uint32_t arena;
	struct error error;
};

/* Distinct for every rule, and known by its name: the number in "rN". */
static uint32_t counter_of(void *context, const char *policy, const struct rule *rule)
{
	(void)context;
	(void)policy;
	return rule->name[0] == 'r' && rule->name[1] >= '0' && rule->name[1] <= '9' ? (uint32_t)atoi(rule->name + 1) : 1000;
}

static void world_begin(struct world *world, const char *text, uint32_t arena)
{
	static const char *const dmz_names[] = { "dmz", NULL }, *const ops_names[] = { "ops", NULL };

	memset(world, 0, sizeof(*world));
	world->arena = arena;
	if (policy_file_parse("policy.yaml", text, strlen(text), &world->policies, &world->error) < 0)
		fail_msg("%s", world->error.text);
	for (size_t i = 0; i < ENDPOINTS; i++)
		world->endpoints[i] = (struct compile_endpoint){
			.id = (uint32_t)i + 11, .container = &containers[i], .network = i == MON ? &ops : &dmz,
			.network_names = i == MON ? ops_names : dmz_names,
		};
	assert_int_equal(compiler_new(arena, &world->policies, false, counter_of, NULL, &world->compiler, &world->error), 0);
}

static void add_labels(struct world *world, size_t endpoint, struct label *labels, size_t count)
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
	r = compiler_run(world->compiler, world->endpoints, count, world->verdicts, &world->error);
	compiler_tables(world->compiler, &world->tables);
	return r;
}

static void world_end(struct world *world)
{
	for (size_t i = 0; i < ENDPOINTS; i++) {
		compile_verdict_clear(&world->verdicts[i]);
		label_policy_clear(&world->labels[i]);
	}
	compiler_free(world->compiler);
	policy_set_clear(&world->policies);
}

static const struct dnet_ruleset *ruleset(const struct world *world, uint32_t local)
{
	assert_true(local > 0 && local < world->tables.ruleset_count);
	return &world->tables.rulesets[local];
}

/* --- the tables, asked as the kernel asks them */

static uint64_t row_word(const struct world *world, uint32_t row, uint32_t word)
{
	uint32_t index = row - world->arena * DNET_MAX_ROW_WORDS + word;

	assert_true(row >= world->arena * DNET_MAX_ROW_WORDS && index < world->tables.row_words);
	return world->tables.rows[index];
}

/* Index of the rule, or -1. @peer NULL: none that a prefix could match. @endpoint: id, 0 for none. */
static int ask(const struct world *world, uint32_t local, uint32_t selector, const char *peer, uint32_t endpoint, enum dnet_peer_class class)
{
	const struct dnet_ruleset *rules = ruleset(world, local);
	uint32_t first = rules->bound_base - world->arena * DNET_MAX_BOUNDS, port_row = 0, peer_row = 0, prefix_row = 0, longest = 0;
	struct dnet_addr addr;

	for (uint32_t i = 0; i < rules->bound_count; i++)
		if (world->tables.bounds[first + i].first <= selector)
			port_row = world->tables.bounds[first + i].row;
	for (size_t i = 0; i < world->tables.peer_count; i++)
		if (world->tables.peers[i].ruleset == local && world->tables.peers[i].endpoint_id == endpoint)
			peer_row = world->tables.peers[i].row;
	if (peer)
		assert_int_equal(text_parse_addr(peer, &addr), 0);
	for (size_t i = 0; peer && i < world->tables.prefix_count; i++) {
		const struct compiled_prefix *prefix = &world->tables.prefixes[i];

		if (prefix->ruleset == local && prefix->prefix_len >= longest && addr_in_prefix(&addr, &prefix->addr, prefix->prefix_len)) {
			longest = prefix->prefix_len;
			prefix_row = prefix->row;
		}
	}
	for (uint32_t word = 0; word < rules->words; word++) {
		uint64_t peers = row_word(world, rules->class_row[class], word);

		peers |= peer_row ? row_word(world, peer_row, word) : 0;
		peers |= prefix_row ? row_word(world, prefix_row, word) : 0;
		peers &= row_word(world, port_row, word);
		if (peers)
			return (int)(word * 64 + (uint32_t)__builtin_ctzll(peers));
	}
	return -1;
}

#define ONE(rules) "version: 1\npolicies:\n  - name: p\n    select: \"container:web\"\n    ingress: [ " rules " ]\n"

static void test_golden(void **state)
{
	/* Selectors and the rules of the row that begins there. */
	static const struct { uint32_t first; uint64_t row; } bounds[] = {
		{ 0, 0 }, { TCP(80), 1 }, { TCP(81), 0 }, { TCP(443), 2 }, { TCP(444), 0 }, { DNET_SELECTOR(17, 0), 4 }, { DNET_SELECTOR(18, 0), 0 },
	};
	const struct dnet_ruleset *rules;
	struct world world;
	uint32_t local, first;

	(void)state;
	for (uint32_t arena = 0; arena < DNET_ARENAS; arena++) {
		world_begin(&world, ONE("\"allow 80/tcp from any as r5\", \"deny 443/tcp from outside as r6\", \"allow udp from host as r7\""), arena);
		assert_int_equal(world_run(&world, ENDPOINTS), 0);
		local = world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_FILE];
		assert_int_equal(local, 1);
		rules = ruleset(&world, local);
		assert_int_equal(rules->words, 1);
		assert_int_equal(rules->rule_count, 3);
		assert_int_equal(rules->flags, 0);
		assert_int_equal(rules->rule_base, arena * DNET_MAX_RULE_ENTRIES);
		assert_int_equal(rules->bound_base, arena * DNET_MAX_BOUNDS);
		assert_int_equal(rules->bound_count, COUNT(bounds));
		first = rules->bound_base - arena * DNET_MAX_BOUNDS;
		for (size_t i = 0; i < COUNT(bounds); i++) {
			assert_int_equal(world.tables.bounds[first + i].first, bounds[i].first);
			assert_int_equal(row_word(&world, world.tables.bounds[first + i].row, 0), bounds[i].row);
		}
		assert_int_equal(row_word(&world, rules->class_row[DNET_PEER_OTHER], 0), 1);
		assert_int_equal(row_word(&world, rules->class_row[DNET_PEER_OUTSIDE], 0), 3);
		assert_int_equal(row_word(&world, rules->class_row[DNET_PEER_HOST], 0), 5);
		assert_int_equal(world.tables.rules[0].action, DNET_RULE_ALLOW);
		assert_int_equal(world.tables.rules[1].action, DNET_RULE_DENY);
		assert_int_equal(world.tables.rules[0].counter, 5);
		assert_int_equal(world.tables.rules[2].counter, 7);
		assert_true(world.verdicts[WEB].selected && world.verdicts[WEB].tracked && !world.verdicts[WEB].audit);
		assert_string_equal(world.verdicts[WEB].policies, "p");
		/* The other direction, and the others. */
		assert_int_equal(world.verdicts[WEB].ruleset[DNET_EGRESS][DNET_LAYER_FILE], 0);
		assert_false(world.verdicts[DB].selected || world.verdicts[DB].tracked);
		assert_string_equal(world.verdicts[DB].policies, "");
		world_end(&world);
	}
}

static void test_empty_list(void **state)
{
	struct world world;
	uint32_t local;

	(void)state;
	world_begin(&world, ONE(""), 0);
	assert_int_equal(world_run(&world, ENDPOINTS), 0);
	local = world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_FILE];
	assert_int_equal(ruleset(&world, local)->words, 1);
	assert_int_equal(ruleset(&world, local)->bound_count, 1);
	assert_int_equal(ask(&world, local, TCP(80), "192.0.2.1", 0, DNET_PEER_OUTSIDE), -1);
	assert_true(world.verdicts[WEB].selected);
	world_end(&world);
}

static void test_questions(void **state)
{
	static const struct {
		const char *rules;
		uint32_t selector;
		const char *peer;
		uint32_t endpoint;
		enum dnet_peer_class class;
		int expected;
	} cases[] = {
		{ "\"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.2.7", 0, DNET_PEER_OUTSIDE, 0 },
		{ "\"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.3.7", 0, DNET_PEER_OUTSIDE, -1 },
		{ "\"allow 80/tcp from 192.0.2.0/24\"", TCP(81), "192.0.2.7", 0, DNET_PEER_OUTSIDE, -1 },
		/* Rows of an inner prefix hold the outer ones' rules. */
		{ "\"deny 80/tcp from 192.0.2.128/25\", \"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.2.200", 0, DNET_PEER_OUTSIDE, 0 },
		{ "\"deny 80/tcp from 192.0.2.128/25\", \"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.2.100", 0, DNET_PEER_OUTSIDE, 1 },
		{ "\"allow 81/tcp from 192.0.2.128/25\", \"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.2.200", 0, DNET_PEER_OUTSIDE, 1 },
		{ "\"allow 80/tcp from 192.0.2.0/24\", \"deny 80/tcp from 192.0.2.200\"", TCP(80), "192.0.2.200", 0, DNET_PEER_OUTSIDE, 0 },
		/* Families do not cross. */
		{ "\"allow from 0.0.0.0/0\"", TCP(80), "192.0.2.1", 0, DNET_PEER_OUTSIDE, 0 },
		{ "\"allow from 0.0.0.0/0\"", TCP(80), "2001:db8::1", 0, DNET_PEER_OUTSIDE, -1 },
		{ "\"allow from ::/0\"", TCP(80), "192.0.2.1", 0, DNET_PEER_OUTSIDE, -1 },
		{ "\"allow from ::/0\"", TCP(80), "2001:db8::1", 0, DNET_PEER_OUTSIDE, 0 },
		{ "\"allow from ::/64, 10.0.0.0/8\"", TCP(80), "192.0.2.1", 0, DNET_PEER_OUTSIDE, -1 },
		{ "\"allow from ::/64, 10.0.0.0/8\"", TCP(80), "10.1.2.3", 0, DNET_PEER_OUTSIDE, 0 },
		{ "\"deny from ::/0\", \"allow from 192.0.2.0/24\"", TCP(80), "192.0.2.1", 0, DNET_PEER_OUTSIDE, 1 },
		/* Ends of ports and of protocols. */
		{ "\"allow 1/tcp from any\"", TCP(0), NULL, 0, 0, -1 },
		{ "\"allow 1/tcp from any\"", TCP(1), NULL, 0, 0, 0 },
		{ "\"allow 65535/tcp from any\"", TCP(65535), NULL, 0, 0, 0 },
		{ "\"allow 65535/tcp from any\"", DNET_SELECTOR(7, 0), NULL, 0, 0, -1 },
		{ "\"allow proto:255 from any\"", DNET_SELECTOR_MAX, NULL, 0, 0, 0 },
		{ "\"allow from any\"", 0, NULL, 0, 0, 0 },
		{ "\"allow from any\"", DNET_SELECTOR_MAX, NULL, 0, 0, 0 },
		{ "\"allow icmp:echo-request from any\"", DNET_SELECTOR(1, 0x800), NULL, 0, 0, 0 },
		{ "\"allow icmp:echo-request from any\"", DNET_SELECTOR(1, 0x8ff), NULL, 0, 0, 0 },
		{ "\"allow icmp:echo-request from any\"", DNET_SELECTOR(1, 0x900), NULL, 0, 0, -1 },
		/* Names. Ids are 11 web, 12 shop/db, 13 mill/db, 14 db without a project, 15 mon on another network. */
		{ "\"allow from service:db\"", TCP(1), NULL, 12, 0, 0 },
		{ "\"allow from service:db\"", TCP(1), NULL, 13, 0, -1 },
		{ "\"allow from service:db\"", TCP(1), NULL, 14, 0, -1 },
		{ "\"allow from service:*/db\"", TCP(1), NULL, 13, 0, 0 },
		{ "\"allow from service:mill/d*\"", TCP(1), NULL, 13, 0, 0 },
		{ "\"allow from service:mill/d*\"", TCP(1), NULL, 12, 0, -1 },
		{ "\"allow from container:*-db\"", TCP(1), NULL, 14, 0, 0 },
		{ "\"allow from container:*-db\"", TCP(1), NULL, 12, 0, -1 },
		{ "\"allow from network:ops\"", TCP(1), NULL, 15, 0, 0 },
		{ "\"allow from network:ops\"", TCP(1), NULL, 12, 0, -1 },
		{ "\"allow from container:nobody\"", TCP(1), NULL, 12, 0, -1 },
		{ "\"deny from container:db\", \"allow from network:dmz\"", TCP(1), NULL, 12, 0, 0 },
		{ "\"deny from container:db\", \"allow from network:dmz\"", TCP(1), NULL, 13, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		_cleanup_free_ char *text = NULL;
		struct world world;
		int answer;

		assert_true(asprintf(&text, ONE("%s"), cases[i].rules) > 0);
		world_begin(&world, text, i % DNET_ARENAS);
		assert_int_equal(world_run(&world, ENDPOINTS), 0);
		answer = ask(&world, world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_FILE], cases[i].selector, cases[i].peer,
			     cases[i].endpoint, cases[i].class);
		if (answer != cases[i].expected)
			fail_msg("case %zu: %s: rule %d, not %d", i, cases[i].rules, answer, cases[i].expected);
		world_end(&world);
	}
}

/* A bare service belongs to the project of the container that is selected: two projects, two rulesets. */
static void test_bare_service(void **state)
{
	struct world world;
	uint32_t shop, mill;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: all, ingress: [ \"allow from service:db\" ] }\n", 0);
	assert_int_equal(world_run(&world, ENDPOINTS), 0);
	shop = world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_FILE];
	mill = world.verdicts[MILL_DB].ruleset[DNET_INGRESS][DNET_LAYER_FILE];
	assert_int_equal(world.verdicts[DB].ruleset[DNET_INGRESS][DNET_LAYER_FILE], shop);
	assert_int_not_equal(shop, mill);
	assert_int_equal(ask(&world, shop, TCP(1), NULL, 12, 0), 0);
	assert_int_equal(ask(&world, shop, TCP(1), NULL, 13, 0), -1);
	assert_int_equal(ask(&world, mill, TCP(1), NULL, 13, 0), 0);
	assert_int_equal(ask(&world, world.verdicts[LONE_DB].ruleset[DNET_INGRESS][DNET_LAYER_FILE], TCP(1), NULL, 14, 0), 0);
	world_end(&world);
}

/* Equal content is stored once; running again changes nothing, one more container adds its own entries and keeps all ids. */
static void test_incremental(void **state)
{
	struct compiled_tables before;
	struct world world;
	uint32_t local;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: all, ingress: [ \"allow 80/tcp from container:*\", \"deny 81/tcp from any\" ] }\n"
		    "  - { name: q, select: \"container:mon\", egress: [ \"allow 80/tcp to 192.0.2.0/24\" ] }\n", 1);
	assert_int_equal(world_run(&world, 2), 0);
	local = world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_FILE];
	assert_int_equal(world.verdicts[DB].ruleset[DNET_INGRESS][DNET_LAYER_FILE], local);
	assert_int_equal(world.tables.peer_count, 2);
	assert_int_equal(world.tables.peers[0].row, world.tables.peers[1].row);
	before = world.tables;
	assert_int_equal(world_run(&world, 2), 0);
	assert_int_equal(world.tables.ruleset_count, before.ruleset_count);
	assert_int_equal(world.tables.row_words, before.row_words);
	assert_int_equal(world.tables.bound_count, before.bound_count);
	assert_int_equal(world.tables.rule_count, before.rule_count);
	assert_int_equal(world.tables.peer_count, before.peer_count);
	/* The same project shares the list; another one has its own; mon has a policy more. */
	assert_int_equal(world_run(&world, ENDPOINTS), 0);
	assert_int_equal(world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_FILE], local);
	assert_true(world.verdicts[MON].ruleset[DNET_EGRESS][DNET_LAYER_FILE] > local);
	assert_int_equal(ask(&world, local, TCP(80), NULL, 15, 0), 0);
	assert_int_equal(world.tables.prefix_count, 1);
	/* A container that is gone is named no more; what it needed stays. */
	before = world.tables;
	assert_int_equal(world_run(&world, 1), 0);
	assert_int_equal(world.tables.ruleset_count, before.ruleset_count);
	assert_int_equal(ask(&world, local, TCP(80), NULL, 15, 0), -1);
	for (size_t i = 1; i < world.tables.peer_count; i++)
		assert_true(world.tables.peers[i - 1].ruleset < world.tables.peers[i].ruleset ||
			    world.tables.peers[i - 1].endpoint_id < world.tables.peers[i].endpoint_id);
	world_end(&world);
}

static void test_row_interning(void **state)
{
	static const uint64_t one[2] = { 1, 0 }, two[2] = { 1, 2 };
	struct arena arena = { .index = 1 };
	struct error error = {};
	uint32_t row, again, longer, other;
	uint64_t many[1];

	(void)state;
	assert_int_equal(arena_row(&arena, one, 1, &row, &error), 0);
	assert_int_equal(row, DNET_MAX_ROW_WORDS + 1);	/* word 0 stands for "none" */
	assert_int_equal(arena_row(&arena, one, 1, &again, &error), 0);
	assert_int_equal(again, row);
	assert_int_equal(arena_row(&arena, one, 2, &longer, &error), 0);
	assert_int_not_equal(longer, row);
	assert_int_equal(arena_row(&arena, two, 2, &other, &error), 0);
	assert_int_not_equal(other, longer);
	/* Growing keeps every row where it is. */
	for (uint64_t i = 10; i < 5000; i++) {
		many[0] = i;
		assert_int_equal(arena_row(&arena, many, 1, &again, &error), 0);
		assert_int_equal(arena.rows[again - DNET_MAX_ROW_WORDS], i);
	}
	assert_int_equal(arena_row(&arena, two, 2, &again, &error), 0);
	assert_int_equal(again, other);
	arena_clear(&arena);
}

static void test_rows_full(void **state)
{
	struct arena arena = {};
	struct error error = {};
	uint32_t row = 0;
	int r = 0;

	(void)state;
	for (uint64_t i = 0; i <= DNET_MAX_ROW_WORDS && r == 0; i++)
		r = arena_row(&arena, &i, 1, &row, &error);
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(error.text, "524288 words of rule bitmaps"));
	assert_int_equal(row, DNET_MAX_ROW_WORDS - 1);
	/* What is there is still found. */
	assert_int_equal(arena_row(&arena, &(uint64_t){ 7 }, 1, &row, &error), 0);
	assert_int_equal(arena.rows[row], 7);
	arena_clear(&arena);
}

static char *many_rules(int count)
{
	size_t room = (size_t)count * 48 + 256, at;
	char *text = malloc(room);

	assert_non_null(text);
	at = (size_t)snprintf(text, room, "version: 1\npolicies:\n  - name: p\n    select: all\n    ingress:\n");
	for (int i = 0; i < count; i++)
		at += (size_t)snprintf(text + at, room - at, "      - allow %d/tcp from any as r%d\n", i + 1, i);
	return text;
}

static void test_many_rules(void **state)
{
	_cleanup_free_ char *most = many_rules(DNET_MAX_RULES);
	struct world world;
	uint32_t local;

	(void)state;
	world_begin(&world, most, 0);
	assert_int_equal(world_run(&world, 1), 0);
	local = world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_FILE];
	assert_int_equal(ruleset(&world, local)->words, DNET_ROW_WORDS);
	for (int i = 0; i < DNET_MAX_RULES; i++) {
		assert_int_equal(ask(&world, local, TCP(i + 1), NULL, 0, 0), i);
		assert_int_equal(world.tables.rules[i].counter, i);
	}
	assert_int_equal(ask(&world, local, TCP(DNET_MAX_RULES + 1), NULL, 0, 0), -1);
	world_end(&world);
}

/* Two policies of the file that together are too long for one list. What was compiled before stays valid. */
static void test_too_many_rules(void **state)
{
	_cleanup_free_ char *most = many_rules(DNET_MAX_RULES), *text = NULL;
	struct world world;

	(void)state;
	assert_true(asprintf(&text, "%s  - { name: q, select: \"container:db\", ingress: [ \"deny from any as more\" ] }\n", most) > 0);
	world_begin(&world, text, 0);
	assert_int_equal(world_run(&world, ENDPOINTS), -ENOSPC);
	assert_non_null(strstr(world.error.text, "container db"));
	assert_non_null(strstr(world.error.text, "more than 1024 rules in one list"));
	assert_int_equal(world.tables.ruleset_count, 2);
	assert_int_equal(ask(&world, 1, TCP(1), NULL, 0, 0), 0);
	world_end(&world);
}

static void test_labels(void **state)
{
	static const struct {
		const char *file;	/* keys of the policy beside its ingress */
		const char *mode;	/* NULL: no such label */
		bool in_file_layer;	/* the labels' rules continue the file's list */
		bool audit;
	} cases[] = {
		{ "", NULL, false, false },
		{ "labels: narrow, ", NULL, false, false },
		{ "labels: add, ", NULL, true, false },
		{ "mode: audit, ", NULL, false, true },
		{ "mode: audit, ", "enforce", false, false },
		{ "", "audit", false, false },
		{ "mode: audit, labels: add, ", "audit", true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct label labels[] = { { "dnetbpf.ingress", "allow 81/tcp from any as r1" }, { "dnetbpf.mode", (char *)cases[i].mode } };
		_cleanup_free_ char *text = NULL;
		struct world world;
		uint32_t file, own;

		assert_true(asprintf(&text, "version: 1\npolicies:\n  - { name: p, select: \"container:web\", %singress: [ \"allow 80/tcp from any as r0\" ] }\n",
				     cases[i].file) > 0);
		world_begin(&world, text, 0);
		add_labels(&world, WEB, labels, cases[i].mode ? 2 : 1);
		assert_int_equal(world_run(&world, ENDPOINTS), 0);
		file = world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_FILE];
		own = world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_LABELS];
		assert_int_equal(ask(&world, file, TCP(80), NULL, 0, 0), 0);
		assert_int_equal(ask(&world, file, TCP(81), NULL, 0, 0), cases[i].in_file_layer ? 1 : -1);
		assert_int_equal(own != 0, !cases[i].in_file_layer);
		if (own)
			assert_int_equal(ask(&world, own, TCP(81), NULL, 0, 0), 0);
		if (world.verdicts[WEB].audit != cases[i].audit)
			fail_msg("case %zu: audit %d", i, world.verdicts[WEB].audit);
		assert_string_equal(world.verdicts[WEB].policies, "p,labels");
		world_end(&world);
	}
}

static void test_labels_alone(void **state)
{
	struct label good[] = { { "dnetbpf.egress", "" } }, bad[] = { { "dnetbpf.egress", "alow to any" } }, named[] = { { "dnetbpf.policy", "q" } };
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: q, select: \"container:nobody\", mode: audit, ingress: [ \"allow 80/tcp from any\" ] }\n", 0);
	add_labels(&world, WEB, good, 1);
	add_labels(&world, DB, bad, 1);
	add_labels(&world, MON, named, 1);
	assert_int_equal(world_run(&world, ENDPOINTS), 0);
	assert_true(world.verdicts[WEB].selected && !world.verdicts[WEB].invalid);
	assert_int_equal(world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_LABELS], 0);
	assert_int_equal(ask(&world, world.verdicts[WEB].ruleset[DNET_EGRESS][DNET_LAYER_LABELS], TCP(1), NULL, 0, 0), -1);
	assert_true(world.verdicts[DB].invalid && world.verdicts[DB].selected && world.verdicts[DB].tracked);
	assert_int_equal(ask(&world, world.verdicts[MON].ruleset[DNET_INGRESS][DNET_LAYER_LABELS], TCP(80), NULL, 0, 0), 0);
	assert_true(world.verdicts[MON].audit);
	assert_string_equal(world.verdicts[MON].policies, "q");
	assert_false(world.verdicts[LONE_DB].selected);
	world_end(&world);
}

static void test_unselected(void **state)
{
	static const struct {
		const char *word;
		bool tracked, has_ingress, has_egress;
		int outside, inside;
	} cases[] = {
		{ "allow", false, false, false, 0, 0 },
		{ "outside", true, true, false, 0, 1 },
		{ "deny", true, true, true, -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		_cleanup_free_ char *text = NULL;
		struct world world;
		const struct compile_verdict *verdict = &world.verdicts[WEB];
		uint32_t ingress;

		assert_true(asprintf(&text, "version: 1\ndefaults: { unselected: %s }\n", cases[i].word) > 0);
		world_begin(&world, text, 1);
		assert_int_equal(world_run(&world, ENDPOINTS), 0);
		ingress = verdict->ruleset[DNET_INGRESS][DNET_LAYER_FILE];
		assert_false(verdict->selected);
		assert_int_equal(verdict->tracked, cases[i].tracked);
		assert_int_equal(ingress != 0, cases[i].has_ingress);
		assert_int_equal(verdict->ruleset[DNET_EGRESS][DNET_LAYER_FILE] != 0, cases[i].has_egress);
		if (ingress) {
			assert_int_equal(ask(&world, ingress, TCP(80), "192.0.2.1", 0, DNET_PEER_OUTSIDE), cases[i].outside);
			assert_int_equal(ask(&world, ingress, TCP(80), NULL, 12, DNET_PEER_OTHER), cases[i].inside);
			if (world.tables.rule_count)
				assert_int_equal(world.tables.rules[0].action, DNET_RULE_DENY);
		}
		world_end(&world);
	}
}

/* Policies of one container must agree on the mode, or they enforce. */
static void test_modes(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: \"service:shop/*\", mode: audit, ingress: [] }\n"
		    "  - { name: q, select: \"container:db\", ingress: [] }\n", 0);
	assert_int_equal(world_run(&world, ENDPOINTS), 0);
	assert_true(world.verdicts[WEB].audit);
	assert_false(world.verdicts[DB].audit);
	assert_string_equal(world.verdicts[DB].policies, "p,q");
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden), cmocka_unit_test(test_empty_list), cmocka_unit_test(test_questions),
		cmocka_unit_test(test_bare_service), cmocka_unit_test(test_incremental), cmocka_unit_test(test_row_interning),
		cmocka_unit_test(test_rows_full), cmocka_unit_test(test_many_rules), cmocka_unit_test(test_too_many_rules),
		cmocka_unit_test(test_labels), cmocka_unit_test(test_labels_alone), cmocka_unit_test(test_unselected),
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
