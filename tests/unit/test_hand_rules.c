/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/folder.h"

#include <fcntl.h>

#include "base/cleanup.h"
#include "config/hand_rules.h"
#include "config/policy_file.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define HEADER \
	"# Rules by hand. The commands \"dnetbpf allow\" and \"dnetbpf deny\" write this file, the newest rule first;\n" \
	"# it is no place for other rules or comments: these belong into a file of their own.\n"
#define SECOND 1000000000ull

static const char *path(void)
{
	return in_folder(HAND_RULES_FILE);
}

static void check_file(const char *expected)
{
	_cleanup_free_ char *text = get_file(HAND_RULES_FILE);

	assert_string_equal(text, expected);
	/* Nothing is left beside it. */
	assert_int_equal(access(in_folder("." HAND_RULES_FILE ".new"), F_OK), -1);
}

static void add(const char *container, enum dnet_direction direction, const char *rule, uint64_t until_unix_ns, const char *expected_name)
{
	_cleanup_free_ char *name = NULL;
	struct error error = {};

	if (hand_rules_add(path(), container, direction, rule, until_unix_ns, &name, &error) != 0)
		fail_msg("%s", error.text);
	assert_string_equal(name, expected_name);
}

static void test_add_and_remove(void **state)
{
	struct error error = {};
	struct policy_set set;

	(void)state;
	add("web", DNET_INGRESS, "  allow 80/tcp  from set:office ", 0, "by-hand-1");
	add("db-1.x", DNET_EGRESS, "deny to label:a=\"b\\c\"", 1924970400250000000, "by-hand-2");
	check_file(HEADER
		   "version: 1\n"
		   "policies:\n"
		   "  - name: by-hand-2\n"
		   "    select: \"container:db-1.x\"\n"
		   "    override: true\n"
		   "    until: \"2030-12-31T18:00:00.250000000Z\"\n"
		   "    egress:\n"
		   "      - \"deny to label:a=\\\"b\\\\c\\\"\"\n"
		   "  - name: by-hand-1\n"
		   "    select: \"container:web\"\n"
		   "    override: true\n"
		   "    ingress:\n"
		   "      - \"allow 80/tcp from set:office\"\n");

	/* It is a policy file like any other. */
	put_file("main.yaml", "version: 1\ninclude: \"by-*.yaml\"\nsets: { office: [ 192.0.2.1 ] }\n");
	if (policy_file_load(in_folder("main.yaml"), &set, NULL, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(set.policy_count, 2);
	assert_true(set.policies[0].override);
	assert_int_equal(set.policies[0].until_unix_ns, 1924970400250000000);
	assert_int_equal(set.policies[0].selector.kind, SELECT_CONTAINER);
	assert_string_equal(set.policies[0].selector.value, "db-1.x");
	assert_string_equal(set.policies[0].direction[DNET_EGRESS].rules[0].peers[0].name, "\"b\\c\"");
	assert_false(set.policies[0].direction[DNET_INGRESS].present);
	policy_set_clear(&set);

	/* By its text, however it is spelled, and by its name. */
	assert_int_equal(hand_rules_remove(path(), "web", "allow  80/tcp from  set:office", &error), 0);
	assert_int_equal(hand_rules_remove(path(), "db-1.x", "by-hand-2", &error), 0);
	check_file(HEADER "version: 1\npolicies: []\n");
	assert_int_equal(hand_rules_remove(path(), "web", "by-hand-1", &error), -ENOENT);
	assert_string_equal(error.text, "the container web has no rules by hand");
	add("web", DNET_INGRESS, "allow from any", 0, "by-hand-1");
}

/* What was said last holds. */
static void test_newest_first(void **state)
{
	(void)state;
	add("web", DNET_INGRESS, "allow 80/tcp from any", 0, "by-hand-1");
	add("web", DNET_INGRESS, "deny 80/tcp from any", 0, "by-hand-2");
	add("other", DNET_INGRESS, "allow 80/tcp from any", 0, "by-hand-3");
	add("web", DNET_INGRESS, "allow  80/tcp from any", 1924970400 * SECOND, "by-hand-1");
	check_file(HEADER
		   "version: 1\n"
		   "policies:\n"
		   "  - name: by-hand-1\n    select: \"container:web\"\n    override: true\n    until: \"2030-12-31T18:00:00.000000000Z\"\n"
		   "    ingress:\n      - \"allow 80/tcp from any\"\n"
		   "  - name: by-hand-3\n    select: \"container:other\"\n    override: true\n    ingress:\n      - \"allow 80/tcp from any\"\n"
		   "  - name: by-hand-2\n    select: \"container:web\"\n    override: true\n    ingress:\n      - \"deny 80/tcp from any\"\n");
}

static void test_expire(void **state)
{
	struct error error = {};

	(void)state;
	assert_int_equal(hand_rules_expire(path(), 5 * SECOND, &error), 0);
	assert_int_equal(access(path(), F_OK), -1);
	add("a", DNET_INGRESS, "allow from any", 10 * SECOND, "by-hand-1");
	add("b", DNET_INGRESS, "allow from any", 0, "by-hand-2");
	add("c", DNET_INGRESS, "allow from any", 20 * SECOND, "by-hand-3");
	assert_int_equal(hand_rules_expire(path(), 10 * SECOND - 1, &error), 0);
	assert_int_equal(hand_rules_expire(path(), 10 * SECOND, &error), 1);
	assert_int_equal(hand_rules_expire(path(), 10 * SECOND, &error), 0);
	assert_int_equal(hand_rules_expire(path(), 99 * SECOND, &error), 1);
	check_file(HEADER "version: 1\npolicies:\n"
		   "  - name: by-hand-2\n    select: \"container:b\"\n    override: true\n    ingress:\n      - \"allow from any\"\n");
}

static void test_refused(void **state)
{
	static const struct {
		const char *container, *rule, *sentence;
	} cases[] = {
		{ "web*", "allow from any", "\"web*\" cannot be the name of a container" },
		{ "", "allow from any", "\"\" cannot be the name of a container" },
		{ "web", "allow from", "the rule, column 11: " },
		{ "web", "allow 80/tpc from any", "the rule, column 10: \"tpc\" is not a protocol; did you mean \"tcp\"?" },
		{ "web", "allow to any", "the rule, column 7: " },
	};
	struct error error = {};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(hand_rules_add(path(), cases[i].container, DNET_INGRESS, cases[i].rule, 0, NULL, &error), -EINVAL);
		if (strncmp(error.text, cases[i].sentence, strlen(cases[i].sentence)) != 0)
			fail_msg("%s", error.text);
		assert_int_equal(access(path(), F_OK), -1);
	}
	assert_int_equal(hand_rules_add(in_folder("none/x.yaml"), "web", DNET_INGRESS, "allow from any", 0, NULL, &error), -ENOENT);
	assert_non_null(strstr(error.text, "none/x.yaml: the rules by hand cannot be written: No such file or directory"));
	add("web", DNET_INGRESS, "allow from any", 0, "by-hand-1");
	add("web", DNET_EGRESS, "allow to any", 0, "by-hand-2");
	add("db", DNET_EGRESS, "allow to any", 0, "by-hand-3");
	assert_int_equal(hand_rules_remove(path(), "web", "by-hand-3", &error), -ENOENT);
	assert_string_equal(error.text, "the container web has no such rule by hand: it has \"allow to any\" (by-hand-2), \"allow from any\" (by-hand-1)");
	assert_int_equal(hand_rules_remove(path(), "web", "allow 80/tcp from any", &error), -ENOENT);
	assert_int_equal(hand_rules_remove(path(), "web", "alow from any", &error), -EINVAL);
}

static void test_bound(void **state)
{
	char rule[64], text[200];
	struct error error = {};
	FILE *file;

	(void)state;
	file = fopen(path(), "w");
	assert_non_null(file);
	fputs("version: 1\npolicies:\n", file);
	for (int i = 1; i <= HAND_RULES_MAX; i++)
		fprintf(file, "- { name: by-hand-%d, select: \"container:web\", override: true, ingress: [ \"allow %d/tcp from any\" ] }\n", i, i);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(hand_rules_add(path(), "web", DNET_INGRESS, "allow 9999/tcp from any", 0, NULL, &error), -ENOSPC);
	snprintf(text, sizeof(text), "%s: there are %d rules by hand already", path(), HAND_RULES_MAX);
	assert_memory_equal(error.text, text, strlen(text));
	/* One that is there may be told again. */
	snprintf(rule, sizeof(rule), "allow %d/tcp from any", HAND_RULES_MAX);
	assert_int_equal(hand_rules_add(path(), "web", DNET_INGRESS, rule, 0, NULL, &error), 0);
}

/* What somebody else wrote there is not lost. */
static void test_foreign_content(void **state)
{
	static const struct {
		const char *text;
		unsigned int line, column;
	} cases[] = {
#define RULE "name: by-hand-1, select: \"container:a\", override: true, "
		{ "", 1, 1 },
		{ "# nothing\n", 1, 1 },
		{ "version: 1\n", 1, 1 },
		{ "version: 2\npolicies: []\n", 1, 10 },
		{ "version: 1\npolicies: []\nsets: {}\n", 3, 1 },
		{ "version: 1\npolicies: []\ninclude: x\n", 3, 1 },
		{ "version: 1\npolicies: [\n", 3, 1 },
		{ "version: 1\npolicies: [ { name: mine, select: \"container:a\", override: true, ingress: [ allow from any ] } ]\n", 2, 21 },
		{ "version: 1\npolicies: [ { name: by-hand-x, select: \"container:a\", override: true, ingress: [ allow from any ] } ]\n", 2, 21 },
		{ "version: 1\npolicies: [ { name: by-hand-1, select: all, override: true, ingress: [ allow from any ] } ]\n", 2, 40 },
		{ "version: 1\npolicies: [ { name: by-hand-1, select: \"container:a*\", override: true, ingress: [ allow from any ] } ]\n", 2, 40 },
		{ "version: 1\npolicies: [ { name: by-hand-1, select: \"container:a\", override: false, ingress: [ allow from any ] } ]\n", 2, 65 },
		{ "version: 1\npolicies: [ { name: by-hand-1, select: \"container:a\", ingress: [ allow from any ] } ]\n", 2, 13 },
		{ "version: 1\npolicies: [ { " RULE "mode: audit, ingress: [ allow from any ] } ]\n", 2, 71 },
		{ "version: 1\npolicies: [ { " RULE "ingress: [] } ]\n", 2, 71 },
		{ "version: 1\npolicies: [ { " RULE "ingress: [ allow from any, allow from host ] } ]\n", 2, 71 },
		{ "version: 1\npolicies: [ { " RULE "ingress: [ allow from any ], egress: [ allow to any ] } ]\n", 2, 100 },
		{ "version: 1\npolicies: [ { " RULE "ingress: [ alow from any ] } ]\n", 2, 82 },
		{ "version: 1\npolicies: [ { " RULE "until: later, ingress: [ allow from any ] } ]\n", 2, 78 },
		{ "version: 1\npolicies: [ { " RULE "} ]\n", 2, 13 },
		{ "# ours\nversion: 1\n# mine\npolicies: []\n", 3, 1 },
		{ "# ours\nversion: 1 # mine\npolicies: []\n", 2, 12 },
		{ "version: 1\npolicies:\n- { " RULE "ingress: [ \"allow from label:a=\\\"#\" ] } # mine\n", 3, 101 },
		{ "version: 1\npolicies: []\n\n  # mine", 4, 3 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		_cleanup_free_ char *after = NULL;
		struct error error = {};
		char place[200];

		put_file(HAND_RULES_FILE, cases[i].text);
		snprintf(place, sizeof(place), "%s:%u:%u: ", path(), cases[i].line, cases[i].column);
		for (int j = 0; j < 3; j++) {
			int r = j == 0 ? hand_rules_add(path(), "web", DNET_INGRESS, "allow from any", 0, NULL, &error) :
				j == 1 ? hand_rules_remove(path(), "a", "by-hand-1", &error) : hand_rules_expire(path(), UINT64_MAX, &error);

			if (r != -EINVAL || strncmp(error.text, place, strlen(place)) != 0)
				fail_msg("for\n%s\nexpected %s, got %d, %s", cases[i].text, place, r, error.text);
		}
		after = get_file(HAND_RULES_FILE);
		assert_string_equal(after ? after : "", cases[i].text);
	}
}

/* Marks that are inside of a text are no comments, and a name that a set of another file has is none of our business. */
static void test_not_foreign(void **state)
{
	struct error error = {};

	(void)state;
	put_file(HAND_RULES_FILE, "#\n# another header\nversion: 1\npolicies:\n- name: by-hand-7\n  select: \"container:a\"\n  override: true\n"
		 "  ingress:\n  - \"allow from label:a=\\\"b #c\"\n");
	assert_int_equal(hand_rules_expire(path(), 1, &error), -EINVAL);	/* a rule with a blank in a label's value */
	put_file(HAND_RULES_FILE, "#\n# another header\nversion: 1\npolicies:\n- name: by-hand-7\n  select: \"container:a\"\n  override: true\n"
		 "  ingress:\n  - \"allow from set:x, label:a=#b\"\n");
	add("b", DNET_INGRESS, "allow from any", 0, "by-hand-8");
	assert_int_equal(hand_rules_remove(path(), "a", "allow from set:x, label:a=#b", &error), 0);
}

/* What a writer that died left beside the file does no harm, and a file that cannot be replaced stays. */
static void test_crash(void **state)
{
	struct error error = {};

	(void)state;
	put_file("." HAND_RULES_FILE ".new", "half of it\nand more than what comes now, so that it must be cut: "
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
	add("a", DNET_INGRESS, "allow from any", 0, "by-hand-1");
	check_file(HEADER "version: 1\npolicies:\n"
		   "  - name: by-hand-1\n    select: \"container:a\"\n    override: true\n    ingress:\n      - \"allow from any\"\n");
	assert_int_equal(mkdir(in_folder("." HAND_RULES_FILE ".new"), 0755), 0);
	assert_int_equal(hand_rules_remove(path(), "a", "by-hand-1", &error), -EISDIR);
	assert_int_equal(rmdir(in_folder("." HAND_RULES_FILE ".new")), 0);
	check_file(HEADER "version: 1\npolicies:\n"
		   "  - name: by-hand-1\n    select: \"container:a\"\n    override: true\n    ingress:\n      - \"allow from any\"\n");
}

#define in_a_folder(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_folder(test_add_and_remove),
		in_a_folder(test_newest_first),
		in_a_folder(test_expire),
		in_a_folder(test_refused),
		in_a_folder(test_bound),
		in_a_folder(test_foreign_content),
		in_a_folder(test_not_foreign),
		in_a_folder(test_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
