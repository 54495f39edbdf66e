/* SPDX-License-Identifier: GPL-2.0 */
/* The tables of commands and options, parsing, help, and the table printer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

#define MAX_WORDS 24

/* Split at spaces. */
static int split(char *line, char **argv)
{
	int argc = 0;

	for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
		assert_true(argc < MAX_WORDS - 1);
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	return argc;
}

static void test_usage_errors(void **state)
{
	static const struct {
		const char *line, *sentence;	/* a part of it */
	} cases[] = {
		{ "dnetbpf", "say what to do" },
		{ "dnetbpf evnts", "there is no command evnts; did you mean events?" },
		{ "dnetbpf stauts", "did you mean status?" },
		{ "dnetbpf hlep", "did you mean help?" },
		{ "dnetbpf frobnicate", "there is no command frobnicate (" },
		{ "dnetbpf help frobnicate", "there is no command frobnicate" },
		{ "dnetbpf help ps status", "one command" },
		{ "dnetbpf ps --contrl x", "`dnetbpf ps` has no option --contrl; did you mean --control?" },
		{ "dnetbpf ps --audit", "`dnetbpf ps` has no option --audit (" },
		{ "dnetbpf ps --jsonn", "did you mean --json?" },
		{ "dnetbpf run --cont", "did you mean --control?" },
		{ "dnetbpf ps --xyzzy", "has no option --xyzzy (`dnetbpf help ps`" },
		{ "dnetbpf ps -x", "has no option -x (" },
		{ "dnetbpf ps -n 5", "has no option -n (" },
		{ "dnetbpf ps --control", "--control wants PATH after it" },
		{ "dnetbpf ps --control=", "it is empty" },
		{ "dnetbpf ps --json=yes", "--json takes no value" },
		{ "dnetbpf ps foo", "foo is none" },
		{ "dnetbpf policy", "say which policy command: policy check, policy show, " },
		{ "dnetbpf geo", "say which geo command: geo lookup or geo status" },
		{ "dnetbpf geo lookpu 192.0.2.1", "there is no command geo lookpu; did you mean lookup? (`dnetbpf help geo` lists them)" },
		{ "dnetbpf geo lookup", "write `dnetbpf geo lookup ADDR...|-`" },
		{ "dnetbpf geo lookup --database", "--database wants FILE after it" },
		{ "dnetbpf policy chekc x", "there is no command policy chekc; did you mean check? (`dnetbpf help policy` lists them)" },
		{ "dnetbpf polcy check x", "did you mean policy?" },
		{ "dnetbpf help policy chekc", "there is no command policy chekc" },
		{ "dnetbpf help policy check x", "one command" },
		{ "dnetbpf policy check", "write `dnetbpf policy check FILE...`" },
		{ "dnetbpf policy test a b", "b is too much: write `dnetbpf policy test CASES`" },
		{ "dnetbpf policy show --confirm 5s", "`dnetbpf policy show` has no option --confirm" },
		{ "dnetbpf allow web", "write `dnetbpf allow CONTAINER RULE`" },
		{ "dnetbpf ps --", "-- is none" },
		{ "dnetbpf ps -", "- is none" },
		{ "dnetbpf events -n", "-n wants N after it" },
		{ "dnetbpf events -n x", "--number x: write a number" },
		{ "dnetbpf events -n -1", "--number -1: write a number" },
		{ "dnetbpf events -n 1000000000", "write a number" },
		{ "dnetbpf events -fx", "has no option -x (" },
		{ "dnetbpf events --verdict dney", "--verdict dney: write pass, deny or would_deny; did you mean deny?" },
		{ "dnetbpf run --attach tc", "--attach tc: write auto, tcx or clsact; did you mean tcx?" },
		{ "dnetbpf run --log xml", "--log xml: write text or json" },
		{ "dnetbpf --verbose ps", "there is no command --verbose" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cli_invocation invocation = { .help = true };
		struct error error = {};
		char line[160], *argv[MAX_WORDS];
		int argc;

		strcpy(line, cases[i].line);
		argc = split(line, argv);
		if (cli_parse(argc, argv, &invocation, &error) >= 0)
			fail_msg("%s: was taken", cases[i].line);
		if (!strstr(error.text, cases[i].sentence))
			fail_msg("%s: \"%s\", wanted \"%s\"", cases[i].line, error.text, cases[i].sentence);
		assert_true(invocation.help && !invocation.command);	/* untouched on failure */
	}
}

static void parse(const char *text, struct cli_invocation *ret)
{
	struct error error = {};
	static char line[160];	/* values point into it */
	char *argv[MAX_WORDS];
	int argc;

	strcpy(line, text);
	argc = split(line, argv);
	if (cli_parse(argc, argv, ret, &error) < 0)
		fail_msg("%s: %s", text, error.text);
}

static void test_run_options(void **state)
{
	struct cli_invocation invocation;

	(void)state;
	parse("dnetbpf run", &invocation);
	assert_string_equal(invocation.command->name, "run");
	assert_null(invocation.values.config);
	assert_string_equal(invocation.values.inventory, "docker");
	assert_string_equal(invocation.values.docker, DEFAULT_DOCKER);
	assert_string_equal(invocation.values.metrics, DEFAULT_METRICS);
	assert_string_equal(invocation.values.control, DEFAULT_CONTROL);
	assert_string_equal(invocation.values.pin, DEFAULT_PIN);
	assert_int_equal(invocation.values.attach, ATTACH_AUTO);
	assert_int_equal(invocation.values.log, 0);
	assert_int_equal(invocation.values.given, 0);
	assert_false(invocation.values.audit || invocation.values.once || invocation.values.json || invocation.help);

	parse("dnetbpf run --config a --inventory=static:b --metrics off --pin /p --log json --audit --once --attach clsact",
	      &invocation);
	assert_string_equal(invocation.values.config, "a");
	assert_string_equal(invocation.values.inventory, "static:b");
	assert_string_equal(invocation.values.metrics, "off");
	assert_string_equal(invocation.values.pin, "/p");
	assert_int_equal(invocation.values.attach, ATTACH_CLSACT);
	assert_int_equal(invocation.values.log, 1);
	assert_true(invocation.values.audit && invocation.values.once);
	assert_true(cli_given(&invocation.values, OPTION_PIN));
	assert_false(cli_given(&invocation.values, OPTION_CONTROL));
}

static void test_events_options(void **state)
{
	static const struct {
		const char *line;
		bool follow, given;
		unsigned int number;
	} cases[] = {
		{ "dnetbpf events", false, false, 0 }, { "dnetbpf events -f", true, false, 0 },
		{ "dnetbpf events -n 5", false, true, 5 }, { "dnetbpf events -n5 --follow", true, true, 5 },
		{ "dnetbpf events -fn5", true, true, 5 }, { "dnetbpf events --number=0", false, true, 0 },
		{ "dnetbpf events -n 5 -n 999999999", false, true, 999999999 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cli_invocation invocation;

		parse(cases[i].line, &invocation);
		assert_int_equal(invocation.values.follow, cases[i].follow);
		assert_int_equal(cli_given(&invocation.values, OPTION_NUMBER), cases[i].given);
		assert_int_equal(invocation.values.number, cases[i].number);
	}
}

static void test_arguments(void **state)
{
	struct cli_invocation invocation;
	struct error error = {};
	uint64_t seconds = 0;
	char *joined;

	(void)state;
	parse("dnetbpf allow web 443/tcp from 203.0.113.0/24 --for 2h", &invocation);
	assert_string_equal(invocation.command->name, "allow");
	assert_int_equal(invocation.values.argument_count, 4);
	assert_string_equal(invocation.values.arguments[0], "web");
	assert_string_equal(invocation.values.duration, "2h");
	joined = cli_join(&invocation.values, 1);
	assert_string_equal(joined, "443/tcp from 203.0.113.0/24");
	free(joined);
	parse("dnetbpf policy explain tcp a:1 -> b:2 --json", &invocation);
	joined = cli_join(&invocation.values, 0);
	assert_string_equal(joined, "tcp a:1 -> b:2");
	free(joined);
	assert_true(invocation.values.json);
	parse("dnetbpf policy explain -- --json", &invocation);
	assert_false(invocation.values.json);
	assert_string_equal(invocation.values.arguments[0], "--json");
	parse("dnetbpf policy show", &invocation);
	assert_int_equal(invocation.values.argument_count, 0);
	assert_int_equal(cli_duration("90s", "for", &seconds, &error), 0);
	assert_int_equal(seconds, 90);
	assert_int_equal(cli_duration("7d", "for", &seconds, &error), 0);
	assert_int_equal(seconds, 7 * 86400);
	for (const char *const *bad = (const char *const[]){ "", "10", "0s", "s", "5x", "5mm", "-1s", "999999999999s", NULL }; *bad; bad++)
		assert_int_equal(cli_duration(*bad, "for", &seconds, &error), -EINVAL);
	assert_non_null(strstr(error.text, "--for 999999999999s: write a time such as 30s"));
}

/* The tables agree with each other, and help says everything that can be written. */
static void test_tables(void **state)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		assert_non_null(cli_options[i].name);
		assert_non_null(cli_options[i].help);
		assert_int_equal(cli_options[i].type == CLI_FLAG, cli_options[i].argument == NULL);
		assert_int_equal(cli_options[i].type == CLI_CHOICE || cli_options[i].type == CLI_WORD,
				 cli_options[i].choices != NULL);
	}
	for (const struct cli_command *command = cli_commands; command->name; command++) {
		bool json = false;

		out = open_memstream(&text, &length);
		cli_help(out, command);
		fclose(out);
		assert_non_null(strstr(text, command->summary));
		for (const enum cli_option_id *id = command->options; *id != OPTION_COUNT; id++) {
			char option[40];

			json |= *id == OPTION_JSON;
			snprintf(option, sizeof(option), "--%s ", cli_options[*id].name);
			if (!strstr(text, option) || !strstr(text, cli_options[*id].help))
				fail_msg("the help of %s does not explain %s", command->name, option);
		}
		assert_true(json);
		free(text);

		out = open_memstream(&text, &length);
		cli_help(out, NULL);
		fclose(out);
		assert_non_null(strstr(text, command->summary));
		free(text);
	}
}

static void test_help_forms(void **state)
{
	static const struct {
		const char *line, *command;
	} cases[] = {
		{ "dnetbpf --help", NULL }, { "dnetbpf -h", NULL }, { "dnetbpf help", NULL }, { "dnetbpf help ps", "ps" },
		{ "dnetbpf ps --help", "ps" }, { "dnetbpf ps --json -h", "ps" }, { "dnetbpf --help run", "run" },
		{ "dnetbpf help policy show", "policy show" }, { "dnetbpf policy show -h", "policy show" },
		{ "dnetbpf help policy", NULL }, { "dnetbpf policy --help", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cli_invocation invocation;

		parse(cases[i].line, &invocation);
		assert_true(invocation.help);
		if (cases[i].command)
			assert_string_equal(invocation.command->name, cases[i].command);
		else
			assert_null(invocation.command);
	}
}

static void test_table(void **state)
{
	static const struct {
		unsigned int width;
		const char *text;
	} widths[] = {
		{ 0, "CONTAINER          STATE       PASSED\n"
		     "a-rather-long-one  enforced         7\n"
		     "gr\xc3\xbc\xc3\x9f" "e?[2J          unselected  123456\n" },
		{ 100, "CONTAINER          STATE       PASSED\n"
		       "a-rather-long-one  enforced         7\n"
		       "gr\xc3\xbc\xc3\x9f" "e?[2J          unselected  123456\n" },
		{ 30, "CONTAINER   STATE       PASSED\n"
		      "a-rather-…  enforced         7\n"
		      "gr\xc3\xbc\xc3\x9f" "e?[2J   unselected  123456\n" },
		{ 10, "CONTAIN…  STATE     PASSED\n"
		      "a-rathe…  enforced       7\n"
		      "gr\xc3\xbc\xc3\x9f" "e?[…  unselec…  123456\n" },
	};
	struct table *table;

	(void)state;
	assert_int_equal(table_new((const char *const[]){ "CONTAINER", "STATE", ">PASSED" }, 3, &table), 0);
	assert_int_equal(table_row(table, (const char *const[]){ "a-rather-long-one", "enforced", "7" }), 0);
	assert_int_equal(table_row(table, (const char *const[]){ "gr\xc3\xbc\xc3\x9f" "e\033[2J", "unselected", "123456" }), 0);
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		char *text = NULL;
		size_t length = 0;
		FILE *out = open_memstream(&text, &length);

		table_print(table, out, widths[i].width);
		fclose(out);
		if (strcmp(text, widths[i].text) != 0)
			fail_msg("width %u:\n%s\nwanted\n%s", widths[i].width, text, widths[i].text);
		free(text);
	}
	table_free(table);
	table_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usage_errors), cmocka_unit_test(test_run_options), cmocka_unit_test(test_events_options),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_tables), cmocka_unit_test(test_help_forms), cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
