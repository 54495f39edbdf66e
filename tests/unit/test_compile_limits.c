/* SPDX-License-Identifier: GPL-2.0 */
/* The compiler: rows are shared, memory is bounded, and past a limit there is a sentence and what was there before. */
#include "compile_fixture.h"

#include "compile/ruleset.h"

static void test_row_interning(void **state)
{
	static const uint64_t one[2] = { 1, 0 }, two[2] = { 1, 2 };
	struct arena arena = { .index = 1 }, before;
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
	/* What is taken back can be made again, at the same place. */
	before = arena;
	many[0] = 99;
	assert_int_equal(arena_row(&arena, many, 1, &again, &error), 0);
	arena_rewind(&arena, &before);
	assert_int_equal(arena.row_words, before.row_words);
	assert_int_equal(arena_row(&arena, many, 1, &row, &error), 0);
	assert_int_equal(row, again);
	assert_int_equal(arena.row_words, before.row_words + 1);
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
	const struct listed_rule *rules;
	struct world world;
	uint32_t local;

	(void)state;
	world_begin(&world, most, 0);
	assert_int_equal(world_run(&world, 1), 0);
	local = file_ruleset(&world, WEB, DNET_INGRESS);
	assert_int_equal(world.tables.rulesets[local].words, DNET_ROW_WORDS);
	assert_int_equal(compiler_rules(world.compiler, local, &rules), DNET_MAX_RULES);
	assert_int_equal(compiler_rules(world.compiler, 0, &rules), 0);
	for (int i = 0; i < DNET_MAX_RULES; i++) {
		assert_int_equal(ask(&world, local, TCP(i + 1), NULL, -1, 0), i);
		assert_int_equal(world.tables.rules[i].counter, i);
		assert_int_equal(rules[i].rule->matches[0].first, TCP(i + 1));
		assert_string_equal(rules[i].policy, "p");
	}
	assert_int_equal(ask(&world, local, TCP(DNET_MAX_RULES + 1), NULL, -1, 0), -1);
	world_end(&world);
}

/* Two policies of the file that together are too long for one list. What was compiled before stays valid. */
static void test_too_many_rules(void **state)
{
	_cleanup_free_ char *most = many_rules(DNET_MAX_RULES), *text = NULL;
	struct compiled_tables before;
	struct world world;

	(void)state;
	assert_true(asprintf(&text, "%s  - { name: q, select: \"container:db\", ingress: [ \"deny from any as more\" ] }\n", most) > 0);
	world_begin(&world, text, 0);
	assert_int_equal(world_run(&world, 1), 0);
	before = world.tables;
	assert_int_equal(world_run(&world, ENDPOINTS), -ENOSPC);
	assert_non_null(strstr(world.error.text, "container db"));
	assert_non_null(strstr(world.error.text, "1025 rules in one list, and 1024 is the limit"));
	assert_memory_equal(&world.tables, &before, sizeof(before));
	assert_int_equal(ask(&world, 1, TCP(1), NULL, -1, 0), 0);
	assert_int_equal(world_run(&world, 1), 0);
	world_end(&world);
}

/* What takes memory is counted, and taken once. */
static void test_memory(void **state)
{
	_cleanup_free_ char *most = many_rules(DNET_MAX_RULES);
	size_t kernel, user, kernel_again, user_again;
	struct world world;

	(void)state;
	world_begin(&world, most, 0);
	assert_int_equal(world_run(&world, 1), 0);
	compiler_memory(world.compiler, &kernel, &user);
	/* 1,026 rows of 16 words, 2 boundaries and a rule for each rule. */
	assert_true(kernel > 1024 * (16 * 8 + 8) && kernel < 2 * 1024 * (16 * 8 + 8 + 16));
	assert_true(user > kernel && user < 16u << 20);
	world_all(&world);
	compiler_memory(world.compiler, &kernel_again, &user_again);
	assert_int_equal(kernel_again, kernel);
	assert_true(user_again < user + 8192);
	world_end(&world);
}

/* What a container's labels ask for must not keep the others from their policy: it is denied, alone, and told why. */
static void test_too_much_in_labels(void **state)
{
	_cleanup_free_ char *rules = strdup(""), *ports = strdup("");
	struct label many[] = { { "dnetbpf.ingress", NULL } }, wide[] = { { "dnetbpf.ingress", NULL } };
	struct world world;

	(void)state;
	for (int i = 0; i <= DNET_MAX_RULES; i++) {
		char *longer;

		assert_true(asprintf(&longer, "%sallow %d/tcp from any;", rules, i + 1) > 0);
		free(rules);
		rules = longer;
	}
	/* One rule that takes more boundaries than one container may. */
	for (int i = 0; i < 8; i++) {
		static char part[131072];
		size_t length = (size_t)snprintf(part, sizeof(part), "allow ");
		char *longer;

		for (int port = 1; port < 2600; port++)
			length += (size_t)snprintf(part + length, sizeof(part) - length, "%s%d", port > 1 ? "," : "", (port + i * 2600) * 2);
		assert_true(asprintf(&longer, "%s%s/tcp, 1/udp from any;", ports, part) > 0);
		free(ports);
		ports = longer;
	}
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: all, ingress: [ \"allow 80/tcp from any\" ] }\n", 0);
	many[0].value = rules;
	wide[0].value = ports;
	add_labels(&world, WEB, many, 1);
	add_labels(&world, DB, wide, 1);
	world_all(&world);
	assert_true(world.verdicts[WEB].invalid && world.verdicts[WEB].selected && world.verdicts[WEB].tracked);
	assert_non_null(strstr(world.verdicts[WEB].problem, "1024"));
	assert_int_equal(file_ruleset(&world, WEB, DNET_INGRESS), 0);
	assert_false(world.labels[DB].invalid);
	assert_true(world.verdicts[DB].invalid);
	assert_non_null(strstr(world.verdicts[DB].problem, "boundaries of ports"));
	assert_false(world.verdicts[MON].invalid);
	assert_int_not_equal(file_ruleset(&world, MON, DNET_INGRESS), 0);
	world_end(&world);
}

/* Pairs of lists and containers. */
static void test_too_many_peers(void **state)
{
	enum { POLICIES = DNET_MAX_PEER_ROWS / 512 + 1 };
	struct container *many = calloc(512, sizeof(*many));
	struct compile_endpoint *endpoints = calloc(512, sizeof(*endpoints));
	struct compile_verdict *verdicts = calloc(512, sizeof(*verdicts));
	_cleanup_free_ char *text = malloc(POLICIES * 128 + 64);
	static const char *const names[] = { NULL };
	size_t at = (size_t)sprintf(text, "version: 1\npolicies:\n");
	struct world world;

	(void)state;
	for (int i = 0; i < POLICIES; i++)
		at += (size_t)sprintf(text + at, "  - { name: p%d, select: \"container:c%d\", ingress: [ \"allow from container:c*\" ] }\n", i, i);
	world_begin(&world, text, 0);
	for (uint32_t i = 0; i < 512; i++) {
		assert_true(asprintf(&many[i].name, "c%u", i) > 0);
		many[i].image = (char *)"";
		endpoints[i] = (struct compile_endpoint){ .id = i + 1, .container = &many[i], .network = &dmz, .network_names = names };
	}
	assert_int_equal(compiler_run(world.compiler, endpoints, 512, NULL, 0, verdicts, &world.error), -ENOSPC);
	assert_non_null(strstr(world.error.text, "131072"));
	for (size_t i = 0; i < 512; i++)
		compile_verdict_clear(&verdicts[i]);
	assert_int_equal(compiler_run(world.compiler, endpoints, 256, NULL, 0, verdicts, &world.error), 0);
	compiler_tables(world.compiler, &world.tables);
	assert_int_equal(world.tables.peer_count, 256 * POLICIES);
	/* Too many beside those that are there. */
	for (size_t i = 0; i < 512; i++)
		compile_verdict_clear(&verdicts[i]);
	assert_int_equal(compiler_run(world.compiler, endpoints, 512, NULL, 0, verdicts, &world.error), -ENOSPC);
	compiler_tables(world.compiler, &world.tables);
	assert_int_equal(world.tables.peer_count, 256 * POLICIES);
	for (size_t i = 0; i < 512; i++) {
		compile_verdict_clear(&verdicts[i]);
		free(many[i].name);
	}
	free(many);
	free(endpoints);
	free(verdicts);
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row_interning), cmocka_unit_test(test_rows_full), cmocka_unit_test(test_many_rules),
		cmocka_unit_test(test_too_many_rules), cmocka_unit_test(test_memory), cmocka_unit_test(test_too_much_in_labels),
		cmocka_unit_test(test_too_many_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
