/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/marked.h"

#include <errno.h>

#include "base/cleanup.h"
#include "config/diagnostics.h"
#include "config/policy_file.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static char *printed(const struct diagnostics *diagnostics)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	diagnostics_print(diagnostics, out);
	fclose(out);
	return text;
}

/* Where the caret stands: what is above it begins with the word that is meant, on a terminal as well. */
static void test_print(void **state)
{
	static const struct {
		unsigned int line, column, length;
		const char *text, *output;
	} cases[] = {
		{ 1, 3, 0, "abcdef", "f:1:3: error: no\n    abcdef\n      ^\n" },
		{ 1, 3, 3, "abcdef", "f:1:3: error: no\n    abcdef\n      ^~~\n" },
		{ 2, 1, 2, "abc\ndef\nghi\n", "f:2:1: error: no\n    def\n    ^~\n" },
		{ 2, 2, 1, "abc\r\ndef\r\n", "f:2:2: error: no\n    def\n     ^\n" },
		{ 2, 2, 1, "abc\rdef\r", "f:2:2: error: no\n    def\n     ^\n" },
		{ 1, 3, 9, "abc", "f:1:3: error: no\n    abc\n      ^\n" },
		{ 1, 4, 1, "abc\n", "f:1:4: error: no\n    abc\n       ^\n" },
		{ 1, 1, 1, "", "f:1:1: error: no\n    \n    ^\n" },
		/* tabs, two bytes, three bytes of two columns, an accent of no column, the byte order mark */
		{ 1, 4, 2, "\ta\tbc", "f:1:4: error: no\n    \ta\tbc\n    \t \t^~\n" },
		{ 1, 4, 1, "a\xc3\xb6" "bc", "f:1:4: error: no\n    a\xc3\xb6" "bc\n      ^\n" },
		{ 1, 4, 1, "\xe6\x97\xa5xy", "f:1:4: error: no\n    \xe6\x97\xa5xy\n      ^\n" },
		{ 1, 1, 3, "\xe6\x97\xa5xy", "f:1:1: error: no\n    \xe6\x97\xa5xy\n    ^~\n" },
		{ 1, 4, 1, "e\xcc\x81xy", "f:1:4: error: no\n    e\xcc\x81xy\n     ^\n" },
		{ 1, 2, 1, "\xef\xbb\xbf" "abc", "f:1:2: error: no\n    abc\n     ^\n" },
		/* what a terminal would obey */
		{ 1, 4, 1, "\x1b\x07\xff" "bc", "f:1:4: error: no\n    ???bc\n       ^\n" },
		{ 1, 3, 1, "\xc2\x9b" "bc", "f:1:3: error: no\n    ?bc\n     ^\n" },
		/* there is no such line */
		{ 9, 1, 1, "abc\n", "f:9:1: error: no\n" },
		{ 0, 7, 1, "abc\n", "f, column 7: error: no\n" },
		{ 0, 0, 1, "abc\n", "f: error: no\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct diagnostics diagnostics = {};
		_cleanup_free_ char *output = NULL;
		struct error error;

		error_set_place(&error, -EINVAL, "f", cases[i].line, cases[i].column, cases[i].length, "no");
		diagnostics_add_error(&diagnostics, &error);
		diagnostics_quote(&diagnostics, "g", "another file", 12);
		diagnostics_quote(&diagnostics, "f", cases[i].text, strlen(cases[i].text));
		output = printed(&diagnostics);
		assert_string_equal(output, cases[i].output);
		diagnostics_clear(&diagnostics);
	}
}

static void test_long_line(void **state)
{
	char text[5000];
	struct diagnostics diagnostics = {};
	struct error error;

	(void)state;
	memset(text, 'x', sizeof(text));
	error_set_place(&error, -EINVAL, "f", 1, 4000, 1, "no");
	diagnostics_add_error(&diagnostics, &error);
	diagnostics_quote(&diagnostics, "f", text, sizeof(text));
	assert_null(diagnostics.items[0].source);
	diagnostics_clear(&diagnostics);
}

static void test_error_without_place(void **state)
{
	struct diagnostics diagnostics = {};
	_cleanup_free_ char *output = NULL;
	struct error error;

	(void)state;
	error_set(&error, -ENOMEM, "out of memory");
	diagnostics_add_error(&diagnostics, &error);
	/* A prefix moves the sentence: what was known of the place is not believed. */
	error_set_place(&error, -EINVAL, "f", 1, 1, 1, "no");
	error_prefix(&error, -EINVAL, "while it was read");
	diagnostics_add_error(&diagnostics, &error);
	diagnostics_add_error(NULL, &error);
	output = printed(&diagnostics);
	assert_string_equal(output, "error: out of memory\nerror: while it was read: f:1:1: no\n");
	diagnostics_clear(&diagnostics);
}

static void test_sort_and_json(void **state)
{
	struct diagnostics diagnostics = {};
	_cleanup_free_ char *output = NULL, *text = NULL;
	struct error error;
	json_t *json;

	(void)state;
	diagnostics_add_warning(&diagnostics, "late", "f", 3, 1, "write %s", "third %d", 3);
	error_set_place(&error, -EINVAL, "f", 2, 9, 2, "second");
	diagnostics_add_error(&diagnostics, &error);
	diagnostics_add_warning(&diagnostics, "bad-bytes", "e\xff", 7, 1, NULL, "zeroth\x1b[0m\xff");
	error_set_place(&error, -EINVAL, "f", 2, 1, 1, "first");
	diagnostics_add_error(&diagnostics, &error);
	assert_int_equal(diagnostics.errors, 2);
	assert_int_equal(diagnostics.warnings, 2);
	diagnostics_quote(&diagnostics, "f", "1\n22222222222\n3", 15);
	diagnostics_sort(&diagnostics);
	output = printed(&diagnostics);
	assert_string_equal(output, "e?:7:1: warning: zeroth?[0m? [bad-bytes]\n"
			    "f:2:1: error: first\n    22222222222\n    ^\n"
			    "f:2:9: error: second\n    22222222222\n            ^~\n"
			    "f:3:1: warning: third 3 [late]\n    3\n    ^\n  fix: write %s\n");
	json = diagnostics_to_json(&diagnostics);
	assert_int_equal(json_array_size(json), 4);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json, 0), "message")), "zeroth?[0m?");
	text = json_dumps(json_array_get(json, 3), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"column\":1,\"file\":\"f\",\"fix\":\"write %s\",\"kind\":\"warning\",\"length\":1,\"line\":3,"
			    "\"message\":\"third 3\",\"name\":\"late\",\"source\":\"3\"}");
	assert_true(json_is_null(json_object_get(json_array_get(json, 1), "fix")));
	json_decref(json);
	diagnostics_clear(&diagnostics);
}

static void test_many(void **state)
{
	struct diagnostics diagnostics = {};
	_cleanup_free_ char *output = NULL;
	struct error error;

	(void)state;
	error_set_place(&error, -EINVAL, "f", 1, 1, 1, "no");
	for (int i = 0; i < DIAGNOSTICS_MAX; i++)
		diagnostics_add_error(&diagnostics, &error);
	diagnostics_add_error(&diagnostics, &error);
	diagnostics_add_warning(&diagnostics, "w", "f", 1, 1, NULL, "no");
	assert_int_equal(diagnostics.count, DIAGNOSTICS_MAX);
	assert_int_equal(diagnostics.errors, DIAGNOSTICS_MAX + 1);
	assert_int_equal(diagnostics.warnings, 1);
	output = printed(&diagnostics);
	assert_non_null(strstr(output, "\n2 more are not shown\n"));
	diagnostics_clear(&diagnostics);
	assert_int_equal(diagnostics.errors, 0);
}

/* All that is wrong with a file, at once and in its order. */
static void test_all_at_once(void **state)
{
	static const char text[] =
		"version: 1\n"
		"defaults: { unselected: alow, unknwon: deny, labels: add }\n"
		"colour: red\n"
		"sets:\n"
		"  office: [ 203.0.113.0/24, web, 203.0.113.1/24 ]\n"
		"timeouts: { udp-new: never }\n"
		"policies:\n"
		"  - name: web\n"
		"    select: [ servce:web, all, imge:x ]\n"
		"    mode: audited\n"
		"    ingress:\n"
		"      - allow 80/tpc from any\n"
		"      - allow 80/tcp from set:offise\n"
		"      - allow 80/tcp from set:office as x\n"
		"      - alow from any\n"
		"    egress: none\n"
		"  - select: all\n"
		"    egress: [ deny to any as x, allow to host as x, deny to any as x ]\n"
		"  - { name: web, select: all }\n"
		"host: { rules: [ allow from any, deny from nowhere ] }\n";
	static const struct {
		unsigned int line, column;
	} expected[] = {
		{ 2, 25 }, { 2, 31 }, { 2, 54 }, { 3, 1 }, { 5, 29 }, { 5, 34 }, { 6, 22 }, { 9, 15 }, { 9, 32 }, { 10, 11 }, { 12, 18 },
		{ 13, 27 }, { 15, 9 }, { 16, 13 }, { 17, 5 }, { 18, 33 }, { 18, 53 }, { 19, 13 },
		{ 20, 18 }, { 20, 44 },
	};
	struct diagnostics diagnostics = {};
	struct policy_set set;
	struct error error = {};

	(void)state;
	assert_int_equal(policy_file_parse("f", text, strlen(text), &set, &diagnostics, &error), -EINVAL);
	for (size_t i = 0; i < diagnostics.count && i < COUNT(expected); i++) {
		const struct diagnostic *item = &diagnostics.items[i];

		if (item->line != expected[i].line || item->column != expected[i].column ||
		    item->kind != (item->line == 18 ? DIAGNOSTIC_WARNING : DIAGNOSTIC_ERROR))
			fail_msg("number %zu is f:%u:%u: %s", i, item->line, item->column, item->sentence);
		assert_non_null(item->source);
	}
	assert_int_equal(diagnostics.count, COUNT(expected));
	assert_int_equal(diagnostics.warnings, 2);
	/* The first that was found, which is one of them. */
	assert_string_equal(error.text, "f:3:1: the policy file has no key \"colour\": the keys are version, defaults, geo, timeouts, sets, "
			    "host, policies, include");
	assert_string_equal(diagnostics.items[10].source, "      - allow 80/tpc from any");
	diagnostics_clear(&diagnostics);
}

/* Without errors the warnings stay, and the file is read. */
static void test_warnings_alone(void **state)
{
	static const char text[] =
		"version: 1\n"
		"policies:\n"
		"- name: a\n"
		"  select: all\n"
		"  ingress: [ allow 80/tcp from any, allow  80/tcp from any ]\n"
		"  egress: [ allow to host as x, allow to any as x ]\n"
		"- { name: b, select: all, ingress: [ allow from any as x ] }\n";
	struct diagnostics diagnostics = {};
	struct policy_set set;

	(void)state;
	assert_int_equal(policy_file_parse("f", text, strlen(text), &set, &diagnostics, NULL), 0);
	assert_int_equal(diagnostics.count, 2);
	assert_string_equal(diagnostics.items[0].name, "duplicate-rule");
	assert_int_equal(diagnostics.items[0].line, 5);
	assert_int_equal(diagnostics.items[0].column, 37);
	assert_string_equal(diagnostics.items[1].name, "duplicate-rule-name");
	assert_int_equal(diagnostics.items[1].line, 6);
	assert_string_equal(diagnostics.items[1].source, "  egress: [ allow to host as x, allow to any as x ]");
	diagnostics_clear(&diagnostics);
	policy_set_clear(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_error_without_place),
		cmocka_unit_test(test_sort_and_json),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_warnings_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
