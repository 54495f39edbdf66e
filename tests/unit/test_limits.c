/* SPDX-License-Identifier: GPL-2.0 */
/* Limits of rules: what is written becomes numbers for the kernel, and the tables that hold them are bounded. */
#include "compile_fixture.h"

#include "compile/limits.h"

#define SECOND 1000000000ull
#define ONE(rule) "version: 1\npolicies:\n  - { name: p, select: \"container:web\", ingress: [ \"" rule "\" ] }\n"
#define ONE_EGRESS(rule) "version: 1\npolicies:\n  - { name: p, select: \"container:web\", egress: [ \"" rule "\" ] }\n"
#define PER DNET_LIMIT_PER_PEER
/* What shares a ban when all share one bucket. */
#define ALONE .v4_len = 32, .v6_len = 64

static const struct number_case {
	const char *text;	/* a policy with one rule with one limit */
	struct dnet_limit expected;
	const char *shown;
} number_cases[] = {
	/* hashlimit, too, has a burst of 5 when none is given. */
	{ ONE("allow from any rate 100/s"), { .period_ns = 10000000, .tolerance_ns = 40000000, .id = 100, .kind = DNET_LIMIT_RATE, ALONE }, "rate 100/s" },
	{ ONE("allow from any rate 100/m burst 1"), { .period_ns = 600000000, .tolerance_ns = 0, .id = 100, .kind = DNET_LIMIT_RATE, ALONE },
	  "rate 100/m burst 1" },
	{ ONE("allow from any rate 3/h burst 2"), { .period_ns = 1200 * SECOND, .tolerance_ns = 1200 * SECOND, .id = 3, .kind = DNET_LIMIT_RATE, ALONE },
	  "rate 3/h burst 2" },
	/* What is no whole number of nanoseconds is cut off. */
	{ ONE("allow from any rate 3/s burst 4"), { .period_ns = 333333333, .tolerance_ns = 999999999, .id = 3, .kind = DNET_LIMIT_RATE, ALONE },
	  "rate 3/s burst 4" },
	{ ONE("allow from any rate 100/s per src burst 200"),
	  { .period_ns = 10000000, .tolerance_ns = 1990000000, .id = 100, .kind = DNET_LIMIT_RATE, .flags = PER, .v4_len = 32, .v6_len = 64 },
	  "rate 100/s per src burst 200" },
	{ ONE("allow from any rate 10000000/s per src/24 burst 1000000"),
	  { .period_ns = 100, .tolerance_ns = 99999900, .id = 10000000, .kind = DNET_LIMIT_RATE, .flags = PER, .v4_len = 24, .v6_len = 64 },
	  "rate 10000000/s per src/24 burst 1000000" },
	/* The longest that a bucket can take to fill: 114 years, far from what 63 bits of nanoseconds hold. */
	{ ONE("allow from any packets 1/h burst 1000000"),
	  { .period_ns = 3600 * SECOND, .tolerance_ns = 999999 * (3600 * SECOND), .id = 1, .kind = DNET_LIMIT_PACKETS, ALONE }, "packets 1/h burst 1000000" },
	{ ONE_EGRESS("allow to any packets 1000/s per dst/48"),
	  { .period_ns = 1000000, .tolerance_ns = 4000000, .id = 1000, .kind = DNET_LIMIT_PACKETS, .flags = PER, .v4_len = 32, .v6_len = 48 },
	  "packets 1000/s per dst/48" },
	{ ONE("allow from any conns 50"), { .most = 50, .id = 50, .kind = DNET_LIMIT_CONNS, ALONE }, "conns 50" },
	{ ONE("allow from any conns 1000000 per src/128"),
	  { .most = 1000000, .id = 1000000, .kind = DNET_LIMIT_CONNS, .flags = PER, .v4_len = 32, .v6_len = 128 }, "conns 1000000 per src/128" },
	/* The standard lengths are not repeated. */
	{ ONE("allow from any conns 7 per src/32"), { .most = 7, .id = 7, .kind = DNET_LIMIT_CONNS, .flags = PER, .v4_len = 32, .v6_len = 64 },
	  "conns 7 per src" },
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(number_cases); i++) {
		const struct number_case *test = &number_cases[i];
		char text[LIMIT_TEXT_SIZE];
		struct dnet_limit expected = test->expected;
		struct world world;

		expected.rule_counter = counter_of(NULL, NULL, &(struct rule){ .name = (char *)"0" });
		expected.layer = DNET_LAYER_FILE;
		world_begin(&world, test->text, 0);
		assert_int_equal(world_run(&world, 1), 0);
		assert_int_equal(world.tables.limit_count, 2);
		assert_false(world.verdicts[WEB].bans);
		if (memcmp(&world.tables.limits[1], &expected, sizeof(expected)) != 0)
			fail_msg("%s: period %llu, tolerance %llu, most %u", test->shown, (unsigned long long)world.tables.limits[1].period_ns,
				 (unsigned long long)world.tables.limits[1].tolerance_ns, world.tables.limits[1].most);
		for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
			if (world.policies.policies[0].direction[direction].count)
				assert_string_equal(limit_text(world.policies.policies[0].direction[direction].rules[0].limits, text), test->shown);
		world_end(&world);
	}
}

/* Each limit of a rule carries its ban, and says whose it is. */
static void test_bans(void **state)
{
	static const struct {
		const char *text;
		uint32_t ban_sec;
		uint8_t flags;
	} cases[] = {
		{ "rate 7/s conns 8 per src ban 10m as r5", 600, 0 },
		{ "rate 7/s conns 8 per src ban host 2h as r5", 7200, DNET_LIMIT_BAN_HOST },
		{ "rate 7/s conns 8 per src ban 3650d as r5", 3650u * 86400, 0 },
		{ "rate 7/s conns 8 per src as r5", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct dnet_limit *limits;
		char text[256];
		struct world world;

		snprintf(text, sizeof(text), "version: 1\npolicies:\n  - { name: p, select: \"container:web\", ingress: [ \"allow from any %s\" ] }\n",
			 cases[i].text);
		world_begin(&world, text, 1);
		world_all(&world);
		assert_int_equal(world.tables.limit_count, 3);
		limits = world.tables.limits;
		for (size_t j = 1; j < 3; j++) {
			assert_int_equal(limits[j].ban_sec, cases[i].ban_sec);
			assert_int_equal(limits[j].flags, cases[i].flags | (j == 2 ? PER : 0));
			assert_int_equal(limits[j].v4_len, 32);
			assert_int_equal(limits[j].v6_len, 64);
			assert_int_equal(limits[j].rule_counter, 5);
			assert_int_equal(limits[j].layer, DNET_LAYER_FILE);
		}
		assert_int_equal(world.verdicts[WEB].bans, cases[i].ban_sec != 0);
		assert_false(world.verdicts[DB].bans);
		world_end(&world);
	}
}

/* Nobody is banned for less than was written. */
static void test_a_part_of_a_second_is_a_second(void **state)
{
	const struct limit limit = { .kind = LIMIT_RATE, .count = 1, .unit_ns = SECOND };
	struct dnet_limit compiled;

	(void)state;
	limit_compile(&(struct rule){ .ban_ns = 1 }, &limit, 1, &compiled);
	assert_int_equal(compiled.ban_sec, 1);
	limit_compile(&(struct rule){ .ban_ns = 2 * SECOND + 1 }, &limit, 1, &compiled);
	assert_int_equal(compiled.ban_sec, 3);
	limit_compile(&(struct rule){ .ban_host = true }, &limit, 1, &compiled);
	assert_int_equal(compiled.ban_sec, 0);
	assert_int_equal(compiled.flags, 0);
}

/* The same rules of the same policy in two layers are two lists: an event says which layer refused. */
static void test_the_layer_of_a_limit(void **state)
{
	struct label labels[] = { { "dnetbpf.ingress", "allow 80/tcp from any rate 9/s ban 1m as r3" } };
	uint32_t added, own;
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: \"container:web\", labels: add, egress: [] }\n", 0);
	add_labels(&world, WEB, labels, 1);
	add_labels(&world, DB, labels, 1);
	world_all(&world);
	added = world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_FILE];
	own = world.verdicts[DB].ruleset[DNET_INGRESS][DNET_LAYER_LABELS];
	assert_int_not_equal(added, 0);
	assert_int_not_equal(own, 0);
	assert_int_not_equal(added, own);
	for (size_t i = 0; i < 2; i++) {
		uint32_t local = i ? own : added;
		const struct dnet_rule *rule = &world.tables.rules[world.tables.rulesets[local].rule_base];
		const struct dnet_limit *limit = &world.tables.limits[rule->limit_base];

		assert_int_equal(rule->limit_count, 1);
		assert_int_equal(limit->layer, i ? DNET_LAYER_LABELS : DNET_LAYER_FILE);
		assert_int_equal(limit->rule_counter, 3);
		assert_int_equal(limit->ban_sec, 60);
	}
	assert_true(world.verdicts[WEB].bans && world.verdicts[DB].bans && !world.verdicts[MON].bans);
	world_end(&world);
}

/* Those of a rule stand together, where the rule says; a rule without limits has none. */
static void test_places(void **state)
{
	static const struct dnet_limit none;
	const struct dnet_ruleset *ruleset;
	const struct dnet_rule *rules;
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - name: p\n    select: all\n    ingress:\n"
		    "      - allow 1/tcp from any rate 11/s conns 12 packets 13/s\n      - allow 2/tcp from any\n      - allow 3/tcp from any conns 14\n"
		    "    egress: [ allow to any rate 15/s per dst ]\n", 2);
	world_all(&world);
	assert_int_equal(world.tables.limit_count, 6);
	assert_memory_equal(&world.tables.limits[0], &none, sizeof(none));
	ruleset = &world.tables.rulesets[file_ruleset(&world, WEB, DNET_INGRESS)];
	rules = &world.tables.rules[ruleset->rule_base - 2 * DNET_MAX_RULE_ENTRIES];
	assert_int_equal(rules[0].limit_base, 2 * DNET_MAX_LIMITS + 1);
	assert_int_equal(rules[0].limit_count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(world.tables.limits[1 + i].id, 11 + i);
	assert_int_equal(rules[1].limit_count, 0);
	assert_int_equal(rules[1].limit_base, 0);
	assert_int_equal(rules[2].limit_base, 2 * DNET_MAX_LIMITS + 4);
	assert_int_equal(rules[2].limit_count, 1);
	ruleset = &world.tables.rulesets[file_ruleset(&world, MON, DNET_EGRESS)];
	rules = &world.tables.rules[ruleset->rule_base - 2 * DNET_MAX_RULE_ENTRIES];
	assert_int_equal(rules[0].limit_base, 2 * DNET_MAX_LIMITS + 5);
	assert_int_equal(world.tables.limits[5].id, 15);
	world_end(&world);
}

/* A list is known by its limits, too: the same one is stored once, another one is another list. */
static void test_limits_are_part_of_a_list(void **state)
{
	struct label slow[] = { { "dnetbpf.ingress", "allow 80/tcp from any rate 1/s" } },
		     same[] = { { "dnetbpf.ingress", "allow 80/tcp  from any  rate 1/s" } },
		     fast[] = { { "dnetbpf.ingress", "allow 80/tcp from any rate 2/s" } },
		     free[] = { { "dnetbpf.ingress", "allow 80/tcp from any" } };
	uint32_t list[4];
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\n", 0);
	add_labels(&world, WEB, slow, 1);
	add_labels(&world, DB, same, 1);
	add_labels(&world, MON, fast, 1);
	add_labels(&world, LONE_DB, free, 1);
	world_all(&world);
	list[0] = world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_LABELS];
	list[1] = world.verdicts[DB].ruleset[DNET_INGRESS][DNET_LAYER_LABELS];
	list[2] = world.verdicts[MON].ruleset[DNET_INGRESS][DNET_LAYER_LABELS];
	list[3] = world.verdicts[LONE_DB].ruleset[DNET_INGRESS][DNET_LAYER_LABELS];
	assert_int_not_equal(list[0], 0);
	assert_int_equal(list[0], list[1]);
	assert_int_not_equal(list[0], list[2]);
	assert_int_not_equal(list[0], list[3]);
	assert_int_not_equal(list[2], list[3]);
	assert_int_equal(world.tables.limit_count, 3);
	world_end(&world);
}

/* @rules rules with three limits each, in one list. */
static char *limited_rules(const char *separator, int rules)
{
	size_t room = (size_t)rules * 96 + 1, at = 0;
	char *text = malloc(room);

	assert_non_null(text);
	for (int i = 0; i < rules; i++)
		at += (size_t)snprintf(text + at, room - at, "%sallow %d/tcp from any rate 9/s conns 9 packets 9/s", separator, i + 1);
	return text;
}

static void test_too_many_limits(void **state)
{
	enum { LIMITS = 3 * DNET_MAX_RULES, FIT = (DNET_MAX_LIMITS - 1) / LIMITS };
	_cleanup_free_ char *rules = limited_rules("\n      - ", DNET_MAX_RULES), *text = malloc((FIT + 1) * (strlen(rules) + 96) + 64);
	size_t at = (size_t)sprintf(text, "version: 1\npolicies:\n"), before;
	struct compile_endpoint endpoint;
	struct container many[FIT + 1];
	struct compile_verdict verdict;
	struct world world;
	char name[16];

	(void)state;
	for (int i = 0; i <= FIT; i++)
		at += (size_t)sprintf(text + at, "  - name: p%d\n    select: container:c%d\n    ingress:%s\n", i, i, rules);
	world_begin(&world, text, 0);
	endpoint = world.endpoints[WEB];
	for (int i = 0; i <= FIT; i++) {
		int r;

		many[i] = containers[WEB];
		snprintf(name, sizeof(name), "c%d", i);
		many[i].name = name;
		endpoint.container = &many[i];
		endpoint.id = (uint32_t)i + 1;
		compiler_tables(world.compiler, &world.tables);
		before = world.tables.limit_count;
		r = compiler_run(world.compiler, &endpoint, 1, NULL, 0, &verdict, &world.error);
		compile_verdict_clear(&verdict);
		compiler_tables(world.compiler, &world.tables);
		if (i < FIT) {
			assert_int_equal(r, 0);
			assert_int_equal(world.tables.limit_count, (size_t)(i + 1) * LIMITS + 1);
		} else {
			assert_int_equal(r, -ENOSPC);
			assert_non_null(strstr(world.error.text, "more than 32767 limits of rules"));
			assert_int_equal(world.tables.limit_count, before);
		}
	}
	world_end(&world);
}

/* What a container asks for in its labels is a share, and goes back when it is too much. */
static void test_too_many_limits_in_labels(void **state)
{
	_cleanup_free_ char *rules = limited_rules(";", DNET_MAX_LIMITS / 16 / 3 + 1);
	struct label labels[] = { { "dnetbpf.ingress", rules + 1 } };
	struct world world;

	(void)state;
	world_begin(&world, ONE("allow from any rate 5/s"), 0);
	add_labels(&world, DB, labels, 1);
	world_all(&world);
	assert_true(world.verdicts[DB].invalid);
	assert_non_null(strstr(world.verdicts[DB].problem, "2048 limits"));
	assert_false(world.verdicts[WEB].invalid);
	assert_int_equal(world.tables.limit_count, 2);
	assert_int_equal(world.tables.limits[1].id, 5);
	world_end(&world);
}

static uint32_t given;	/* ids that have been given out */

/* Asked by the names of the policy and the rule. After three there are no more. */
static uint32_t few_limits(void *context, const char *policy, const struct rule *rule, const struct limit *limit)
{
	(void)context;
	assert_string_equal(policy, "p");
	assert_string_equal(rule->name, "public");
	assert_true(limit >= rule->limits && limit < rule->limits + rule->limit_count);
	return given < 3 ? ++given : 0;
}

static void test_ids_run_out(void **state)
{
	struct compile_input input = { .arena = 0, .now_unix_ns = NOW, .counter = counter_of, .limit = few_limits };
	struct world world;

	(void)state;
	world_parse(&world, "version: 1\npolicies:\n  - name: p\n    select: all\n"
		    "    ingress: [ allow from any rate 1/s conns 2 as public ]\n    egress: [ allow to any rate 1/s conns 2 as public ]\n", 0);
	input.policies = &world.policies;
	given = 0;
	assert_int_equal(compiler_new(&input, &world.compiler, &world.error), 0);
	assert_int_equal(world_run(&world, 1), -ENOSPC);
	assert_non_null(strstr(world.error.text, "ids for limits"));
	/* The list of the other direction is whole, and half a list is not there. */
	assert_int_equal(world.tables.ruleset_count, 2);
	assert_int_equal(world.tables.limit_count, 3);
	assert_int_equal(world.tables.rule_count, 1);
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_bans), cmocka_unit_test(test_a_part_of_a_second_is_a_second),
		cmocka_unit_test(test_the_layer_of_a_limit), cmocka_unit_test(test_places), cmocka_unit_test(test_limits_are_part_of_a_list),
		cmocka_unit_test(test_too_many_limits), cmocka_unit_test(test_too_many_limits_in_labels), cmocka_unit_test(test_ids_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
