/* SPDX-License-Identifier: GPL-2.0 */
/* Words, numbers, durations, and what may have been meant. */
#include "unit/marked.h"

#include <errno.h>

#include "base/suggest.h"
#include "base/word.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void test_parts(void **state)
{
	struct word word = word_of("label:app=web"), empty = word_of("");
	char *copy = word_copy(word_until(word, '='));

	(void)state;
	assert_string_equal(copy, "label:app");
	free(copy);
	assert_true(word_is(word, "label:app=web") && !word_is(word, "label:app=we") && !word_is(word, "label:app=web1"));
	assert_true(word_begins(word, "label:") && word_begins(word, "") && !word_begins(word, "label:app=web1"));
	assert_true(word_is(word_after(word, 6), "app=web"));
	assert_true(word_is(word_until(word, '/'), "label:app=web"));
	assert_true(word_is(word_first(word), "l"));
	assert_true(word_is(word_until(empty, '='), "") && word_is(word_first(empty), "") && word_is(empty, ""));
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t most;
		bool good;
		uint64_t expected;
	} cases[] = {
		{ "0", 9, true, 0 },
		{ "9", 9, true, 9 },
		{ "10", 9, true, 10 },
		{ "11", 9, true, 10 },
		{ "007", 9, true, 7 },
		{ "99999999999999999999999999999999", 9, true, 10 },
		{ "18446744073709551616", UINT64_MAX / 16 - 1, true, UINT64_MAX / 16 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "0x1", 9, false, 0 },
		{ "1.0", 9, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t value = 77;

		if (word_number(word_of(cases[i].text), cases[i].most, &value) != cases[i].good)
			fail_msg("%s", cases[i].text);
		assert_int_equal(value, cases[i].good ? cases[i].expected : 77);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int code;
		uint64_t seconds;
	} cases[] = {
		{ "1s", 0, 1 },
		{ "30s", 0, 30 },
		{ "10m", 0, 600 },
		{ "2h", 0, 7200 },
		{ "7d", 0, 604800 },
		{ "3650d", 0, 315360000 },
		{ "315360000s", 0, 315360000 },
		{ "0s", -ERANGE, 0 },
		{ "3651d", -ERANGE, 0 },
		{ "315360001s", -ERANGE, 0 },
		{ "99999999999999999999999h", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "10", -EINVAL, 0 },
		{ "10w", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1h30m", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t ns = 77;

		if (word_duration(word_of(cases[i].text), &ns) != cases[i].code)
			fail_msg("%s", cases[i].text);
		assert_int_equal(ns, cases[i].code ? 77 : cases[i].seconds * 1000000000);
	}
}

static void test_print(void **state)
{
	(void)state;
	assert_string_equal(word_print(word_of("plain text")).text, "plain text");
	assert_string_equal(word_print(word_of("\033[2J\xff")).text, "?[2J?");
	assert_string_equal(word_print(word_of("01234567890123456789012345678901234567890123456")).text,
			    "01234567890123456789012345678901234567890123456");
	assert_string_equal(word_print(word_of("012345678901234567890123456789012345678901234567")).text,
			    "01234567890123456789012345678901234567890123...");
}

static void test_suggestions(void **state)
{
	static const struct {
		const char *word;
		const char *candidates[4];
		const char *expected;
	} cases[] = {
		{ "alow", { "allow", "deny" }, "; did you mean \"allow\"?" },
		{ "ALLOW", { "allow", "deny" }, "; did you mean \"allow\"?" },
		{ "office", { "OFFICE-2", "Office" }, "; did you mean \"Office\"?" },
		{ "dney", { "allow", "deny" }, "; did you mean \"deny\"?" },
		{ "containr:", { "service:", "container:" }, "; did you mean \"container:\"?" },
		/* whoever stops early */
		{ "stat", { "run", "status" }, "; did you mean \"status\"?" },
		{ "meta", { "any", "metadata" }, "; did you mean \"metadata\"?" },
		{ "m", { "metadata" }, "none" },
		/* of two that are as near the first */
		{ "set-a", { "set-b", "set-c" }, "; did you mean \"set-b\"?" },
		/* short words are near everything */
		{ "xo", { "to" }, "none" },
		{ "bananas", { "allow", "deny" }, "none" },
		{ "", { "allow" }, "none" },
		{ "0123456789012345678901234567890123456789012345678901234567890123",
		  { "0123456789012345678901234567890123456789012345678901234567890124" },
		  "; did you mean \"0123456789012345678901234567890123456789012345678901234567890124\"?" },
		{ "01234567890123456789012345678901234567890123456789012345678901234",
		  { "01234567890123456789012345678901234567890123456789012345678901235" }, "none" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct suggestion suggestion;
		const char *text;

		suggest_begin(&suggestion, word_of(cases[i].word));
		for (size_t j = 0; j < 4 && cases[i].candidates[j]; j++)
			suggest_offer(&suggestion, cases[i].candidates[j]);
		text = suggest_end(&suggestion, "none");
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("%s: %s, not %s", cases[i].word, text, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_suggestions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
