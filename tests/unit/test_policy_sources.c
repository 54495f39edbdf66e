/* SPDX-License-Identifier: GPL-2.0 */
/* What a policy file names: included files and the files of sets. */
#include "unit/folder.h"

#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/policy_file.h"
#include "model/policy.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define V "version: 1\n"

static int load(struct policy_set *set, struct diagnostics *diagnostics, struct error *error)
{
	return policy_file_load(in_folder("main.yaml"), set, diagnostics, error);
}

static void load_good(struct policy_set *set)
{
	struct error error = {};

	if (load(set, NULL, &error) != 0)
		fail_msg("%s", error.text);
}

static void check_source(const struct policy_set *set, const char *name, bool directory)
{
	for (size_t i = 0; i < set->source_count; i++)
		if (strcmp(set->sources[i].path, in_folder(name)) == 0 && set->sources[i].directory == directory)
			return;
	fail_msg("%s is no source", name);
}

static void test_include(void **state)
{
	static const char *const names[] = { "own", "a", "b", "z" };
	struct policy_set set;

	(void)state;
	put_file("main.yaml", V "include: [ policy.d/*.yaml, \"more/z.yaml\", policy.d/a*, nothing/*.yaml ]\n"
		 "policies: [ { name: own, select: all, ingress: [ allow from set:theirs ] } ]\n");
	put_file("policy.d/20-b.yaml", "policies: [ { name: b, select: all, ingress: [ allow from set:theirs ] } ]\n");
	put_file("policy.d/10-a.yaml", V "sets: { theirs: [ 192.0.2.1 ] }\npolicies: [ { name: a, select: all } ]\n");
	put_file("policy.d/.hidden.yaml", "not read\n");
	put_file("policy.d/30-c.yaml~", "not read\n");
	put_file("policy.d/40-empty.yaml", "# nothing\n");
	put_file("more/z.yaml", "policies: [ { name: z, select: all } ]\n");
	load_good(&set);
	/* Sorted by path: "more/" is before "policy.d/". */
	assert_int_equal(set.policy_count, COUNT(names));
	assert_string_equal(set.policies[0].name, "own");
	assert_string_equal(set.policies[1].name, "z");
	assert_string_equal(set.policies[2].name, "a");
	assert_string_equal(set.policies[3].name, "b");
	assert_string_equal(set.policies[3].origin.file, in_folder("policy.d/20-b.yaml"));
	assert_string_equal(set.policies[3].direction[DNET_INGRESS].rules[0].origin.file, in_folder("policy.d/20-b.yaml"));
	assert_int_equal(set.source_count, 8);
	check_source(&set, "main.yaml", false);
	check_source(&set, "policy.d", true);
	check_source(&set, "more", true);
	check_source(&set, "nothing", true);
	check_source(&set, "policy.d/10-a.yaml", false);
	check_source(&set, "policy.d/40-empty.yaml", false);
	policy_set_clear(&set);
}

static void test_include_finds_itself(void **state)
{
	struct policy_set set;

	(void)state;
	put_file("main.yaml", V "include: \"*.yaml\"\npolicies: [ { name: own, select: all } ]\n");
	put_file("other.yaml", "policies: [ { name: other, select: all } ]\n");
	load_good(&set);
	assert_int_equal(set.policy_count, 2);
	policy_set_clear(&set);
}

/* The sentence is that of the file in which the error is. */
static void test_included_errors(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "defaults: {}\n", "d/a.yaml:1:1: an included file has no key \"defaults\": the keys are version, sets, policies" },
		{ "include: x\n", "d/a.yaml:1:1: an included file has no key \"include\"" },
		{ "host: {}\n", "d/a.yaml:1:1: an included file has no key \"host\"" },
		{ "version: 2\n", "d/a.yaml:1:10: version 2 of the policy file" },
		{ "policies: [\n", "d/a.yaml:2:1: this is not YAML" },
		{ "policies: [ { name: own, select: all } ]\n", "d/a.yaml:1:21: a policy in " },
		{ "policies: [ { name: p, select: all }, { name: p, select: all } ]\n", "d/a.yaml:1:47: a policy in line 1 has the name \"p\" already" },
		{ "sets: { s: [] }\n", "d/a.yaml:1:9: there is a set \"s\" in " },
		{ "policies: [ { name: p, select: all, egress: [ deny to set:t ] } ]\n", "d/a.yaml:1:55: " },
	};

	(void)state;
	put_file("main.yaml", V "include: d/*\nsets: { s: [] }\npolicies: [ { name: own, select: all } ]\n");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct diagnostics diagnostics = {};
		struct error error = {}, again = {};
		struct policy_set set;

		put_file("d/a.yaml", cases[i].text);
		assert_int_equal(load(&set, NULL, &error), -EINVAL);
		if (strncmp(error.text, in_folder(cases[i].sentence), strlen(in_folder(cases[i].sentence))) != 0)
			fail_msg("%s", error.text);
		assert_int_equal(load(&set, &diagnostics, &again), -EINVAL);
		assert_string_equal(again.text, error.text);
		assert_int_equal(diagnostics.errors, 1);
		assert_string_equal(diagnostics.items[0].file, in_folder("d/a.yaml"));
		diagnostics_clear(&diagnostics);
	}
}

/* "No such file" must not look like "no policy file": that would open everything. */
static void test_missing_files(void **state)
{
	struct diagnostics diagnostics = {};
	struct error error = {};
	struct policy_set set;

	(void)state;
	assert_int_equal(load(&set, NULL, &error), -ENOENT);
	put_file("main.yaml", V "include: d/*\nsets: { s: { file: gone } }\n");
	assert_int_equal(mkdir(in_folder("d"), 0755), 0);
	assert_int_equal(symlink("gone", in_folder("d/a.yaml")), 0);
	assert_int_equal(load(&set, NULL, &error), -EINVAL);
	assert_non_null(strstr(error.text, "main.yaml:3:20: the file of the set cannot be read: "));
	assert_int_equal(load(&set, &diagnostics, &error), -EINVAL);
	assert_int_equal(diagnostics.errors, 2);
	assert_string_equal(diagnostics.items[0].file, in_folder("d/a.yaml"));
	assert_string_equal(diagnostics.items[0].sentence, "cannot be opened: No such file or directory");
	diagnostics_clear(&diagnostics);
}

static void test_many_included(void **state)
{
	struct error error = {};
	struct policy_set set;
	char name[32];

	(void)state;
	put_file("main.yaml", V "include: d/*\n");
	for (int i = 0; i < 1024; i++) {
		snprintf(name, sizeof(name), "d/%04d", i);
		put_file(name, "");
	}
	load_good(&set);
	policy_set_clear(&set);
	put_file("d/more", "");
	assert_int_equal(load(&set, NULL, &error), -EINVAL);
	assert_non_null(strstr(error.text, "main.yaml:2:10: more than 1024 files are included"));
}

static const char set_file[] =
	"\xef\xbb\xbf# a list\n"
	"203.0.113.0/24\n"
	"  198.51.100.7\t; a comment\r\n"
	"\n"
	"2001:db8::/32 # another\n"
	"203.0.113.0/24\n"
	"192.0.2.1/24\n"
	"web\n"
	"192.0.2.0/33\n"
	"192.0.2.7 192.0.2.8\n"
	"create drop hash:net family inet hashsize 1024 maxelem 65536\n"
	"add drop 192.0.2.64/26 timeout 300\n"
	"add drop 192.0.2.128/26 nomatch\n"
	"add drop\n"
	"0.0.0.0/0";

static void test_set_file(void **state)
{
	static const char *const expected[] = { "0.0.0.0/0", "192.0.2.64/26", "198.51.100.7", "203.0.113.0/24", "2001:db8::/32" };
	static const struct {
		unsigned int line, column;
		const char *part;
	} warnings[] = {
		{ 7, 1, "write 192.0.2.0/24, or the address without a length; the line is left out" },
		{ 8, 1, "\"web\" is no prefix" },
		{ 9, 1, "write /0 to /32" },
		{ 10, 11, "\"192.0.2.8\" is not expected here" },
		{ 13, 25, "nomatch" },
		{ 14, 9, "\"\" is no prefix" },
	};
	struct diagnostics diagnostics = {};
	struct error error = {};
	struct policy_set set;
	char text[TEXT_PREFIX_SIZE];

	(void)state;
	put_file("main.yaml", V "sets: { drop: { file: lists/drop.netset } }\n");
	put_file("lists/drop.netset", set_file);
	if (load(&set, &diagnostics, &error) != 0)
		fail_msg("%s", error.text);
	assert_string_equal(set.sets[0].file, in_folder("lists/drop.netset"));
	check_source(&set, "lists/drop.netset", false);
	assert_int_equal(set.sets[0].bad_lines, COUNT(warnings));
	assert_int_equal(set.sets[0].prefix_count, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++)
		assert_string_equal(text_prefix(&set.sets[0].prefixes[i].addr, set.sets[0].prefixes[i].prefix_len, text), expected[i]);
	assert_int_equal(diagnostics.errors, 0);
	assert_int_equal(diagnostics.count, COUNT(warnings));
	for (size_t i = 0; i < COUNT(warnings); i++) {
		const struct diagnostic *item = &diagnostics.items[i];

		assert_string_equal(item->name, "bad-line");
		assert_string_equal(item->file, in_folder("lists/drop.netset"));
		if (item->line != warnings[i].line || item->column != warnings[i].column || !strstr(item->sentence, warnings[i].part))
			fail_msg("%u:%u: %s", item->line, item->column, item->sentence);
		assert_non_null(item->source);
	}
	diagnostics_clear(&diagnostics);

	/* Read again: the prefixes alone are replaced, and only by what can be read. */
	put_file("lists/drop.netset", "192.0.2.1\nx\n");
	assert_int_equal(policy_file_load_set(set.sets[0].file, &set.sets[0], NULL, &error), 0);
	assert_int_equal(set.sets[0].prefix_count, 1);
	assert_int_equal(set.sets[0].bad_lines, 1);
	assert_string_equal(set.sets[0].name, "drop");
	assert_int_equal(unlink(in_folder("lists/drop.netset")), 0);
	assert_int_equal(policy_file_load_set(set.sets[0].file, &set.sets[0], NULL, &error), -ENOENT);
	assert_int_equal(set.sets[0].prefix_count, 1);
	put_file("lists/drop.netset", "");
	assert_int_equal(policy_file_load_set(set.sets[0].file, &set.sets[0], NULL, &error), 0);
	assert_int_equal(set.sets[0].prefix_count, 0);
	policy_set_clear(&set);
}

static void write_prefixes(const char *name, unsigned int count, bool rising)
{
	FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	for (unsigned int i = 0; i < count; i++) {
		/* An odd factor makes a permutation of 24 bits. */
		unsigned int at = rising ? i : (i * 2654435761u) & 0xffffff;

		fprintf(file, "%u.%u.%u.0/24\n", at >> 16, at >> 8 & 0xff, at & 0xff);
	}
	assert_int_equal(fclose(file), 0);
}

/* The bound holds for all sets together, and a million lines are read in a fraction of a second. */
static void test_million(void **state)
{
	struct timespec begin, end;
	struct diagnostics diagnostics = {};
	struct error error = {};
	struct policy_set set;

	(void)state;
	put_file("main.yaml", V "sets: { big: { file: big } }\n");
	write_prefixes("big", 1000000, false);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	load_good(&set);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	assert_int_equal(set.sets[0].prefix_count, 1000000);
	for (size_t i = 1; i < set.sets[0].prefix_count; i++)
		assert_true(memcmp(&set.sets[0].prefixes[i - 1].addr, &set.sets[0].prefixes[i].addr, 16) < 0);
	print_message("a million prefixes: %.3f s\n", (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	policy_set_clear(&set);

	put_file("main.yaml", V "sets:\n  a: [ 192.0.2.1 ]\n  big: { file: big }\n  c: [ 192.0.2.1 ]\n");
	assert_int_equal(load(&set, NULL, &error), -EINVAL);
	assert_non_null(strstr(error.text, "main.yaml:4:3: the sets have more than 1000000 prefixes together"));
	assert_int_equal(load(&set, &diagnostics, &error), -EINVAL);
	assert_int_equal(diagnostics.errors, 1);
	diagnostics_clear(&diagnostics);
}

static void test_million_bad_lines(void **state)
{
	struct diagnostics diagnostics = {};
	struct policy_set set;
	FILE *file;

	(void)state;
	put_file("main.yaml", V "sets: { big: { file: big } }\n");
	file = fopen(in_folder("big"), "w");
	assert_non_null(file);
	for (int i = 0; i < 1000000; i++)
		fputs("x\n", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(load(&set, &diagnostics, NULL), 0);
	assert_int_equal(set.sets[0].bad_lines, 1000000);
	assert_int_equal(diagnostics.warnings, 1000000);
	assert_int_equal(diagnostics.count, DIAGNOSTICS_MAX);
	diagnostics_clear(&diagnostics);
	policy_set_clear(&set);
}

static void test_add(void **state)
{
	struct diagnostics diagnostics = {};
	struct error error = {};
	struct policy_set set;

	(void)state;
	put_file("main.yaml", V "sets: { office: [ 192.0.2.1 ] }\npolicies: [ { name: own, select: all } ]\n");
	load_good(&set);
	assert_int_equal(policy_file_add(in_folder("more.yaml"), &set, &diagnostics, &error), -ENOENT);
	assert_int_equal(diagnostics.errors, 0);
	/* On errors the set stays as it was. */
	put_file("more.yaml", "sets: { s: [] }\npolicies: [ { name: new, select: all }, { name: own, select: all } ]\n");
	assert_int_equal(policy_file_add(in_folder("more.yaml"), &set, &diagnostics, &error), -EINVAL);
	assert_non_null(strstr(error.text, "more.yaml:2:49: a policy in "));
	assert_int_equal(diagnostics.errors, 1);
	assert_int_equal(set.policy_count, 1);
	assert_int_equal(set.set_count, 1);
	assert_int_equal(set.source_count, 1);
	put_file("more.yaml", "policies: [ { name: new, select: all, ingress: [ allow from set:office ] } ]\n");
	assert_int_equal(policy_file_add(in_folder("more.yaml"), &set, NULL, &error), 0);
	assert_int_equal(set.policy_count, 2);
	assert_int_equal(set.source_count, 2);
	/* Twice is once, by another path as well. */
	assert_int_equal(policy_file_add(in_folder("./more.yaml"), &set, NULL, &error), 0);
	assert_int_equal(set.policy_count, 2);
	policy_set_clear(&set);

	policy_set_default(&set);
	put_file("more.yaml", "policies: [ { name: new, select: all } ]\n");
	assert_int_equal(policy_file_add(in_folder("more.yaml"), &set, NULL, &error), 0);
	assert_int_equal(set.policy_count, 1);
	policy_set_clear(&set);
	diagnostics_clear(&diagnostics);
}

/* What people copy. Tests run in the top folder. */
static void test_examples(void **state)
{
	static const char *const files[] = { "examples/web.yaml", "examples/host.yaml", "examples/shop.yaml" };

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct diagnostics diagnostics = {};
		struct error error = {};
		struct policy_set set;

		if (policy_file_load(files[i], &set, &diagnostics, &error) != 0)
			fail_msg("%s", error.text);
		assert_int_equal(diagnostics.warnings, 0);
		diagnostics_clear(&diagnostics);
		/* The last one is made to be included as well. */
		if (strcmp(files[i], "examples/host.yaml") == 0 && policy_file_add("examples/shop.yaml", &set, NULL, &error) != 0)
			fail_msg("%s", error.text);
		policy_set_clear(&set);
	}
}

#define in_a_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_folder(test_include),
		in_a_folder(test_include_finds_itself),
		in_a_folder(test_included_errors),
		in_a_folder(test_missing_files),
		in_a_folder(test_many_included),
		in_a_folder(test_set_file),
		in_a_folder(test_million),
		in_a_folder(test_million_bad_lines),
		in_a_folder(test_add),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
