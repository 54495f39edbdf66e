/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/marked.h"

#include <errno.h>

#include "base/cleanup.h"
#include "config/policy_file.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char full[] =
	"# the whole of it\n"
	"version: 1\n"
	"defaults: { unselected: outside, unknown: deny, on-failure: open, labels: ignore }\n"
	"policies:\n"
	"  - name: web\n"
	"    select: \"service:shop/web\"\n"
	"    mode: audit\n"
	"    labels: add\n"
	"    ingress:\n"
	"      - \"allow 80,443/tcp from any as public\"\n"
	"      - allow 9100/tcp from service:mon/prometheus   # plain\n"
	"      - 'deny to-be-seen'\n"
	"    egress: []\n"
	"  - { name: db, select: container:db-*, egress: [ \"deny to host\", \"allow 53/udp, 53/tcp to any\" ] }\n";

static void parse_good(const char *text, struct policy_set *set)
{
	struct error error = { "" };

	if (policy_file_parse("policy.yaml", text, strlen(text), set, &error) != 0)
		fail_msg("%s\n%s", text, error.text);
}

static void test_full(void **state)
{
	_cleanup_free_ char *text = strdup(full);
	struct policy_set set;
	const struct policy *web, *db;

	(void)state;
	assert_non_null(text);
	/* "full" ends its list with a rule that is wrong, so that the place of the others is checked with it below. */
	memcpy(strstr(text, "'deny to-be-seen'"), "deny from any    ", 17);
	parse_good(text, &set);
	assert_int_equal(set.unselected, UNSELECTED_OUTSIDE);
	assert_true(set.unknown_deny);
	assert_true(set.fail_open);
	assert_true(set.labels_ignore);
	assert_int_equal(set.policy_count, 2);
	web = &set.policies[0];
	assert_string_equal(web->name, "web");
	assert_int_equal(web->mode, POLICY_AUDIT);
	assert_true(web->labels_add);
	assert_int_equal(web->selector.kind, SELECT_SERVICE);
	assert_string_equal(web->selector.project, "shop");
	assert_int_equal(web->origin.line, 5);
	assert_int_equal(web->origin.column, 5);
	assert_true(web->direction[DNET_INGRESS].present);
	assert_int_equal(web->direction[DNET_INGRESS].count, 3);
	assert_string_equal(web->direction[DNET_INGRESS].rules[0].name, "public");
	assert_string_equal(web->direction[DNET_INGRESS].rules[0].origin.file, "policy.yaml");
	assert_int_equal(web->direction[DNET_INGRESS].rules[0].origin.line, 10);
	assert_int_equal(web->direction[DNET_INGRESS].rules[0].origin.column, 10);
	assert_string_equal(web->direction[DNET_INGRESS].rules[1].text, "allow 9100/tcp from service:mon/prometheus");
	assert_int_equal(web->direction[DNET_INGRESS].rules[1].origin.line, 11);
	assert_int_equal(web->direction[DNET_INGRESS].rules[1].origin.column, 9);
	assert_true(web->direction[DNET_EGRESS].present);
	assert_int_equal(web->direction[DNET_EGRESS].count, 0);
	db = &set.policies[1];
	assert_int_equal(db->mode, POLICY_ENFORCE);
	assert_false(db->labels_add);
	assert_false(db->direction[DNET_INGRESS].present);
	assert_int_equal(db->direction[DNET_EGRESS].count, 2);
	assert_int_equal(db->direction[DNET_EGRESS].rules[0].origin.line, 14);
	assert_int_equal(db->direction[DNET_EGRESS].rules[0].origin.column, 52);
	policy_set_clear(&set);
}

static void test_full_error_place(void **state)
{
	struct policy_set set;
	struct error error;

	(void)state;
	assert_int_equal(policy_file_parse("/etc/x.yaml", full, strlen(full), &set, &error), -EINVAL);
	assert_string_equal(error.text, "/etc/x.yaml:12:15: \"to-be-seen\" is not a protocol: write tcp, udp, sctp, icmp, icmpv6 or proto:NUMBER, "
			    "with ports as in 80,443/tcp");
}

static void test_small(void **state)
{
	static const char *const texts[] = {
		"version: 1", "version: 1\n", "{version: 1}", "---\nversion: 1\n...\n", "\xef\xbb\xbfversion: 1\r\npolicies: []\r\n",
		"version: 1\npolicies: []\ndefaults: {}\n", "\"version\": 1\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct policy_set set;

		parse_good(texts[i], &set);
		assert_int_equal(set.policy_count, 0);
		assert_int_equal(set.unselected, UNSELECTED_ALLOW);
		assert_false(set.unknown_deny);
		assert_false(set.fail_open);
		assert_false(set.labels_ignore);
		policy_set_clear(&set);
	}
}

static void test_default(void **state)
{
	struct policy_set set;

	(void)state;
	memset(&set, 0xff, sizeof(set));
	policy_set_default(&set);
	assert_int_equal(set.policy_count, 0);
	assert_null(set.policies);
	assert_int_equal(set.unselected, UNSELECTED_ALLOW);
	assert_false(set.unknown_deny || set.fail_open || set.labels_ignore);
	policy_set_clear(&set);
}

#define V "version: 1\n"
#define P V "policies:\n  - name: a\n    select: all\n"

static const struct bad {
	const char *text;	/* '^' before the place of the error */
	const char *part;
} bad[] = {
	/* the file */
	{ "^", "the file is empty" },
	{ "^# nothing\n", "the file is empty" },
	{ "^~\n", "the file is empty" },
	{ "^- version: 1\n", "this must be a mapping (the policy file), and it is a list" },
	{ "^hello\n", "this must be a mapping (the policy file), and it is a single value" },
	{ "^policies: []\n", "needs the key \"version\"" },
	{ "version: ^2\nfuture: x\n", "version 2 of the policy file is not known" },
	{ "version: ^'1'\n", "must be the number 1" },
	{ "version: ^one\n", "must be the number 1" },
	{ "^version:\n", "must be the number 1" },
	{ V "^version: 1\n", "has the key \"version\" twice: it is in line 1 already" },
	{ V "^policy: []\n", "did you mean \"policies\"?" },
	{ V "^wrong: []\n", "the keys are version, defaults, policies" },
	{ V "^geo: {}\n", "\"geo\" is not supported yet" },
	{ V "^sets: {}\n", "\"sets\" is not supported yet" },
	{ V "^host: {}\n", "\"host\" is not supported yet" },
	{ V "^include: []\n", "\"include\" is not supported yet" },
	{ V "^shield: {}\n", "\"shield\" is not supported yet" },
	{ V "^---\nversion: 1\n", "one file holds one" },
	/* what is no YAML, or more than we read */
	{ V "policies: [\n^", "this is not YAML" },
	{ V "policies: ^]", "this is not YAML" },
	{ V "^\tpolicies: []\n", "this is not YAML" },
	{ V "policies: \"abc^", "while scanning a quoted scalar that begins at 2:11" },
	{ V "? ^[a]\n: b\n", "a key must be a word" },
	{ V "policies: ^&a []\n", "anchors and aliases" },
	{ V "policies: ^*a\n", "anchors and aliases" },
	{ V "policies: ^!!seq []\n", "tags" },
	{ V "policies: ^!mine []\n", "tags" },
	{ V "policies: [[[[[[[[[[[[[[[^[[]]]]]]]]]]]]]]]]]\n", "too many levels" },
	{ V "policies: ^\xff\n", "cannot be read as text" },
	{ V "# \xc3\xb6\npolicies: ^\x01\n", "cannot be read as text" },
	{ V "policies: [ { name: ^\"a\\0b\" } ]\n", "NUL" },
	/* defaults */
	{ V "^defaults:\n", "\"defaults\" has no value" },
	{ V "defaults: ^[]\n", "it is a list" },
	{ V "defaults: { ^unselcted: allow }\n", "did you mean \"unselected\"?" },
	{ V "defaults: { unselected: ^alow }\n", "must be allow, outside or deny, not \"alow\"; did you mean \"allow\"?" },
	{ V "defaults: { unselected: ^[allow] }\n", "must be a text, and this is a list" },
	{ V "defaults: { unknown: ^outside }\n", "must be allow or deny" },
	{ V "defaults: { on-failure: ^deny }\n", "must be closed or open" },
	{ V "defaults: { labels: ^add }\n", "must be trust or ignore" },
	{ V "defaults: { ^labels: }\n", "\"labels\" must be a text, and this is nothing" },
	{ V "defaults: { labels: trust, ^labels: trust }\n", "twice" },
	/* policies */
	{ V "^policies:\n", "\"policies\" has no value: write []" },
	{ V "policies: ^{}\n", "\"policies\" must be a list, and this is a mapping" },
	{ V "policies: ^none\n", "\"policies\" must be a list" },
	{ V "policies: [ ^web ]\n", "this must be a mapping (a policy)" },
	{ V "policies:\n  - ^select: all\n", "a policy needs the key \"name\"" },
	{ V "policies:\n  - ^name: a\n", "a policy needs the key \"select\"" },
	{ V "policies:\n  - name: a\n    select: all\n    ^ingres: []\n", "did you mean \"ingress\"?" },
	{ P "    ^name: b\n", "twice: it is in line 3 already" },
	{ V "policies: [ { ^name: , select: all } ]\n", "\"name\" must be a text" },
	{ V "policies: [ { name: a^ b, select: all } ]\n", "cannot be in the name of a policy" },
	{ V "policies: [ { name: \"a^*\", select: all } ]\n", "takes no wildcards" },
	{ V "policies: [ { name: \"^\", select: all } ]\n", "the name of a policy is missing" },
	{ V "policies: [ { name: ^labels, select: all } ]\n", "another name" },
	{ V "policies: [ { name: ^a23456789012345678901234567890123456789012345678901234567890123456, select: all } ]\n", "longer than 64" },
	{ P "    mode: ^enforced\n", "did you mean \"enforce\"?" },
	{ P "    labels: ^trust\n", "must be narrow or add" },
	{ V "policies: [ { name: a, select: ^[all] } ]\n", "not supported yet" },
	{ V "policies: [ { name: a, ^select: } ]\n", "\"select\" must be a text" },
	{ V "policies: [ { name: a, select: \"service:a ^and all\" } ]\n", "\"and\" in select is not supported yet" },
	{ V "policies: [ { name: a, select: ^web } ]\n", "selects nothing" },
	{ P "  - select: all\n    name: ^a\n", "a policy in line 3 has the name \"a\" already" },
	/* directions and rules */
	{ P "    ^ingress:\n", "write [] if everything is to be denied" },
	{ P "    ^egress: ~\n", "write [] if everything is to be denied" },
	{ P "    ingress: ^allow from any\n", "\"ingress\" must be a list" },
	{ P "    ingress: ^{}\n", "\"ingress\" must be a list" },
	{ P "    ingress:\n      - ^allow: 80/tcp\n", "a rule is one text, such as \"allow 80/tcp from any\"" },
	{ P "    egress: [ ^[] ]\n", "such as \"allow 80/tcp to any\"" },
	{ P "    ingress: [ ^~ ]\n", "a rule is one text" },
	{ P "    ingress: [ \"^\" ]\n", "the rule is empty" },
	{ P "    ingress:\n      - \"allow 80/^tpc from any\"\n", "did you mean \"tcp\"?" },
	{ P "    ingress:\n      - 'allow 80/^tpc from any'\n", "did you mean \"tcp\"?" },
	{ P "    ingress:\n      - allow 80/^tpc from any\n", "did you mean \"tcp\"?" },
	{ P "    ingress: [ allow from any, \"allow ^80 from any\" ]\n", "port 80 needs a protocol" },
	{ P "    ingress:\n      -    \"  allow 80/tcp ^to any\"\n", "this is an ingress rule" },
	{ P "    egress: [ allow ^from any ]\n", "this is an egress rule" },
	{ P "    ingress: [ \"^\xc3\xb6\", x ]\n", "not with \"??\"" },
	{ P "    ingress: [ \"allow from any ^# \xc3\xb6\xe2\x82\xac\" ]\n", "write a comma" },
	{ P "    ingress: # \xc3\xb6\xe2\x82\xac\n      - \"allow ^80 from any\"\n", "port 80 needs a protocol" },
	/* columns are bytes, whatever stands before */
	{ V "policies: [ { name: a, select: \"label:a=b\", mode: ^\"\xc3\xb6\" } ]\n", "must be enforce or audit" },
	{ V "policies: [ { name: a, select: all, ^\"\xe2\x82\xac\": 1 } ]\n", "has no key" },
	{ "version: 1 # \xe2\x82\xac\xe2\x82\xac\r\npolicies:\r\n  - ^name: a\r\n", "needs the key \"select\"" },
	{ "version: 1 # \xe2\x82\xac\n# \xc3\xb6\npolicies: [ { name: \"a\", select: \"all\", labels: ^\xe2\x82\xac } ]\n", "must be narrow or add" },
	/* YAML ends a line at U+2028, and no editor does */
	{ "version: 1 # \xe2\x80\xa8policies:\n  - ^name: a\n", "needs the key \"select\"" },
	/* folded, escaped and block texts: where they begin */
	{ P "    ingress:\n      - \"^allow \\x38\\x30 from any\"\n", "port 80 needs a protocol" },
	{ P "    ingress:\n      - ^allow 80\n        from any\n", "port 80 needs a protocol" },
	{ P "    ingress:\n      - ^|\n        allow 80 from any\n", "port 80 needs a protocol" },
	{ P "    ingress:\n      - ^>-\n        allow 80\n        from any\n", "port 80 needs a protocol" },
};

static void test_bad(void **state)
{
	struct policy_set untouched;

	(void)state;
	memset(&untouched, 0x5a, sizeof(untouched));
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct marked marked = marked_take(bad[i].text);
		struct policy_set set = untouched;
		struct error error = { "" };

		if (policy_file_parse("policy.yaml", marked.text, strlen(marked.text), &set, &error) != -EINVAL)
			fail_msg("accepted:\n%s", marked.text);
		assert_memory_equal(&set, &untouched, sizeof(set));
		marked_check(&marked, "policy.yaml", error.text, bad[i].part);
		free(marked.text);
	}
}

/* Written out once, so that the places above do not hang on the test's own counting. */
static void test_literal_places(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "version: 1\npolicies:\n- name: a\n  select: all\n  ingress: [\"allow 80/tpc from any\"]\n",
		  "f:5:23: \"tpc\" is not a protocol; did you mean \"tcp\"?" },
		{ "version: 1\n\n\nhost: {}\n", "f:4:1: \"host\" is not supported yet" },
		{ "version: 1\ndefaults: {\"\xc3\xa4\xc3\xb6\": 1, unselected: deny}\n",
		  "f:2:12: \"defaults\" has no key \"????\": the keys are unselected, unknown, on-failure, labels" },
		{ "version: 1 \ndefaults: {unselected: allow, \"labels\":   \xe2\x82\xac}\n",
		  "f:2:43: \"labels\" must be trust or ignore, not \"???\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy_set set;
		struct error error = { "" };

		assert_int_equal(policy_file_parse("f", cases[i].text, strlen(cases[i].text), &set, &error), -EINVAL);
		assert_string_equal(error.text, cases[i].sentence);
	}
}

static void test_good_spellings(void **state)
{
	static const struct {
		const char *ingress;
		const char *text;
	} cases[] = {
		{ "[ allow from any ]", "allow from any" },
		{ "\n      - >\n        allow 80/tcp\n        from any\n", "allow 80/tcp from any" },
		{ "\n      - allow 80/tcp\n          from any\n", "allow 80/tcp from any" },
		{ "[ \"allow \\\n      from any\" ]", "allow from any" },
		{ "[ \"allow from 2001:db8::/32\" ]", "allow from 2001:db8::/32" },
		{ "\n      - allow from 2001:db8::/32 # a comment\n", "allow from 2001:db8::/32" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy_set set;
		char text[512];

		snprintf(text, sizeof(text), P "    ingress: %s\n", cases[i].ingress);
		parse_good(text, &set);
		assert_int_equal(set.policies[0].direction[DNET_INGRESS].count, 1);
		assert_string_equal(set.policies[0].direction[DNET_INGRESS].rules[0].text, cases[i].text);
		policy_set_clear(&set);
	}
}

/* @count times @line after @head. */
static char *repeat(const char *head, const char *line, size_t count, size_t *ret_length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_length);

	assert_non_null(out);
	fputs(head, out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, line, i);
	fclose(out);
	return text;
}

static void test_bounds(void **state)
{
	static const struct {
		const char *head, *line;
		size_t most;
		const char *part;
	} cases[] = {
		{ P "    ingress:\n", "      - deny from any as n%zu\n", DNET_MAX_RULES, "policy.yaml:1030:9: more than 1024 rules" },
		{ V "policies:\n", "  - { name: p%zu, select: all }\n", 4096, "policy.yaml:4099:5: more than 4096 policies" },
		{ V, "# %07zu\n", (4194304 - 11) / 10, "policy.yaml:1:1: the file is larger than 4 MiB" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t more = 0; more < 2; more++) {
			size_t length;
			_cleanup_free_ char *text = repeat(cases[i].head, cases[i].line, cases[i].most + more, &length);
			struct policy_set set;
			struct error error = { "" };
			int r = policy_file_parse("policy.yaml", text, length, &set, &error);

			if (!more) {
				assert_int_equal(r, 0);
				policy_set_clear(&set);
			} else {
				assert_int_equal(r, -EINVAL);
				if (strncmp(error.text, cases[i].part, strlen(cases[i].part)) != 0)
					fail_msg("%s", error.text);
			}
		}
	}
}

/* A hundred bytes that a careless reader makes gigabytes of. */
static void test_alias_bomb(void **state)
{
	static const char bomb[] =
		V "defaults: &a [x,x,x,x,x,x,x,x,x]\n"
		"b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
		"c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
		"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
		"e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
	struct policy_set set;
	struct error error;

	(void)state;
	assert_int_equal(policy_file_parse("f", bomb, strlen(bomb), &set, &error), -EINVAL);
	assert_int_equal(strncmp(error.text, "f:2:11: anchors and aliases", 27), 0);
}

static char folder[32], path[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/dnetbpf-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/policy.yaml", folder);
	return 0;
}

/* After a failure too. */
static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void test_load(void **state)
{
	struct policy_set set;
	struct error error;
	FILE *file;

	(void)state;
	error.text[0] = '\0';
	assert_int_equal(policy_file_load(path, &set, &error), -ENOENT);
	assert_int_equal(strncmp(error.text, path, strlen(path)), 0);
	assert_int_equal(policy_file_load(folder, &set, &error), -EISDIR);

	file = fopen(path, "w");
	assert_non_null(file);
	fputs(P "    ingress: [ allow ^ from any ]\n", file);
	fclose(file);
	assert_int_equal(policy_file_load(path, &set, &error), -EINVAL);
	assert_non_null(strstr(error.text, "/policy.yaml:5:22: \"^\" is not a protocol"));

	file = fopen(path, "w");
	assert_non_null(file);
	fputs(P, file);
	fclose(file);
	assert_int_equal(policy_file_load(path, &set, &error), 0);
	assert_int_equal(set.policy_count, 1);
	assert_string_equal(set.policies[0].origin.file, path);
	policy_set_clear(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_error_place),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_literal_places),
		cmocka_unit_test(test_good_spellings),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test_setup_teardown(test_load, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
