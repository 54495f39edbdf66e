/* SPDX-License-Identifier: GPL-2.0 */
/* The hash table (base/index.h) against an array, and the words for what changed between two policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h wants the headers above. */
#include <cmocka.h>

#include "base/index.h"
#include "config/policy_file.h"
#include "daemon/changes.h"

#define KEYS 512

static void test_random_changes(void **state)
{
	uintptr_t model[KEYS] = {};
	struct index index = {};
	size_t count = 0;

	(void)state;
	srandom(1);
	for (int step = 0; step < 50000; step++) {
		size_t key = random() % KEYS;
		/* Keys that differ in high bits alone, too. */
		uint64_t spread = key % 2 ? key : (uint64_t)key << 40;

		if (random() % 2) {
			count += !model[key];
			model[key] = 1 + random() % 1000;
			assert_int_equal(index_set(&index, spread, model[key]), 0);
		} else {
			count -= model[key] != 0;
			model[key] = 0;
			index_remove(&index, spread);
		}
		assert_int_equal(index.count, count);
		key = random() % KEYS;
		assert_int_equal(index_get(&index, key % 2 ? key : (uint64_t)key << 40), model[key]);
	}
	for (size_t key = 0; key < KEYS; key++)
		assert_int_equal(index_get(&index, key % 2 ? key : (uint64_t)key << 40), model[key]);
	index_clear(&index);
	assert_int_equal(index_get(&index, 1), 0);
	index_remove(&index, 1);
}

#define POLICY(name, select, rule) "  - { name: " name ", select: \"" select "\", ingress: [ \"" rule "\" ] }\n"
#define A(name) POLICY(name, "all", "allow 80/tcp from any")
#define L(name, limits) "  - { name: " name ", select: \"all\", limits: { ingress: " limits " }, ingress: [ \"allow 80/tcp from any\" ] }\n"

static void test_changes(void **state)
{
	static const struct {
		const char *before, *after, *words;
	} cases[] = {
		{ A("web"), A("web"), "" },
		{ A("web"), A("web") A("db"), "new: db" },
		{ A("web") A("db"), A("db"), "gone: web" },
		{ A("web"), POLICY("web", "all", "allow 81/tcp from any"), "changed: web" },
		{ A("web"), POLICY("web", "container:web", "allow 80/tcp from any"), "changed: web" },
		{ A("web"), POLICY("web", "all", "allow 80/tcp from any as public"), "changed: web" },
		{ A("web") A("db"), POLICY("web", "all", "deny 80/tcp from any") A("api"), "new: api; changed: web; gone: db" },
		{ A("web"), L("web", "rate 5/s"), "changed: web" },
		{ L("web", "rate 5/s"), L("web", "rate 5/m"), "changed: web" },
		{ L("web", "rate 5/s"), L("web", "rate 5/s ban 1m"), "changed: web" },
		{ L("web", "rate 5/s ban 1m"), L("web", "rate 5/s ban host 1m"), "changed: web" },
		{ L("web", "rate 5/s ban 1h"), L("web", "rate 5/s  ban 60m"), "" },
		{ "", A("a") A("b") A("c") A("d") A("e") A("f") A("g"), "new: a, b, c, d, e and 2 more" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy_set before, after;
		char text[2048], *words;

		snprintf(text, sizeof(text), "version: 1\npolicies: %s\n%s", *cases[i].before ? "" : "[]", cases[i].before);
		assert_int_equal(policy_file_parse("before", text, strlen(text), &before, NULL, NULL), 0);
		snprintf(text, sizeof(text), "version: 1\npolicies:\n%s", cases[i].after);
		assert_int_equal(policy_file_parse("after", text, strlen(text), &after, NULL, NULL), 0);
		words = changes_between(&before, &after);
		assert_string_equal(words, cases[i].words);
		free(words);
		policy_set_clear(&before);
		policy_set_clear(&after);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
