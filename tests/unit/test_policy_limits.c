/* SPDX-License-Identifier: GPL-2.0 */
/* `limits:` of a policy and of the host: which limits and which ban every rule ends up with. */
#include "unit/folder.h"
#include "unit/marked.h"

#include <errno.h>

#include "base/cleanup.h"
#include "compile/limits.h"
#include "config/labels.h"
#include "config/policy_file.h"
#include "explain/explanation.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define V "version: 1\n"
#define P V "policies:\n  - name: a\n    select: all\n"

/* "policy:rate 5/s per src, host:conns 7, rule:ban 10m" */
static char *describe(const struct rule *rule)
{
	static const char *const sources[] = { [LIMIT_OF_RULE] = "rule", [LIMIT_OF_POLICY] = "policy", [LIMIT_OF_HOST] = "host" };
	char limit[LIMIT_TEXT_SIZE], ban[BAN_TEXT_SIZE], *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < rule->limit_count; i++)
		fprintf(out, "%s%s:%s", i ? ", " : "", sources[rule->limits[i].source], limit_text(&rule->limits[i], limit));
	if (rule->ban_ns)
		fprintf(out, ", %s:%s", sources[rule->ban_source], ban_text(rule, ban));
	fclose(out);
	return text;
}

static void check_rule(const char *where, const struct rule *rule, const char *expected)
{
	_cleanup_free_ char *came = describe(rule);

	if (strcmp(came, expected) != 0)
		fail_msg("%s\n%s: \"%s\", expected \"%s\"", where, rule->text, came, expected);
}

static void parse_good(const char *text, struct policy_set *set)
{
	struct error error = {};

	if (policy_file_parse("policy.yaml", text, strlen(text), set, NULL, &error) != 0)
		fail_msg("%s\n%s", text, error.text);
}

/* One rule, with what its policy and the host say. */
static const struct {
	const char *host, *policy;	/* values of `limits`; NULL: no such key */
	const char *rule;
	const char *expected;
} taken[] = {
	{ NULL, NULL, "allow from any", "" },
	{ NULL, "{}", "allow from any", "" },
	{ "{}", NULL, "allow from any", "" },
	{ NULL, "{ ingress: rate 5/s per src burst 9 }", "allow from any", "policy:rate 5/s per src burst 9" },
	{ NULL, "{ egress: rate 5/s }", "allow from any", "" },
	{ NULL, "{ egress: rate 5/s per dst }", "allow to any", "policy:rate 5/s per dst" },
	{ NULL, "{ ingress: rate 5/s, egress: conns 6 }", "allow to any", "policy:conns 6" },
	{ "{ ingress: conns 7 per src/24 }", NULL, "allow from any", "host:conns 7 per src/24" },
	{ "{ ingress: conns 7, egress: conns 8 }", NULL, "allow to any", "host:conns 8" },
	/* kind by kind, the nearest one */
	{ "{ ingress: rate 9/s packets 9/s conns 9 }", "{ ingress: conns 8 rate 8/s }", "allow from any rate 7/s",
	  "rule:rate 7/s, policy:conns 8, host:packets 9/s" },
	{ "{ ingress: rate 9/s }", "{ ingress: rate 8/s }", "allow from any", "policy:rate 8/s" },
	{ "{ ingress: rate 9/s }", "{ ingress: rate 8/s }", "allow from any rate 7/s conns 7", "rule:rate 7/s, rule:conns 7" },
	/* none */
	{ "{ ingress: rate 9/s conns 9 }", "{ ingress: rate 8/s conns 8 }", "allow from any rate none", "policy:conns 8" },
	{ "{ ingress: rate 9/s conns 9 }", "{ ingress: rate none }", "allow from any", "host:conns 9" },
	{ "{ ingress: rate 9/s conns 9 }", "{ ingress: rate none }", "allow from any rate 7/s", "rule:rate 7/s, host:conns 9" },
	{ "{ ingress: rate 9/s conns 9 packets 9/s }", "{ ingress: packets none }", "allow from any rate none conns none", "" },
	{ "{ ingress: rate none }", NULL, "allow from any", "" },
	/* bans */
	{ NULL, "{ ingress: rate 8/s ban 10m }", "allow from any", "policy:rate 8/s, policy:ban 10m" },
	{ NULL, "{ ingress: rate 8/s ban host 90s }", "allow from any", "policy:rate 8/s, policy:ban host 90s" },
	{ NULL, "{ ingress: rate 8/s ban 10m }", "allow from any conns 7", "rule:conns 7, policy:rate 8/s, policy:ban 10m" },
	{ NULL, "{ ingress: rate 8/s ban host 10m }", "allow from any conns 7 ban 2h", "rule:conns 7, policy:rate 8/s, rule:ban 2h" },
	{ NULL, "{ ingress: rate 8/s ban 10m }", "allow from any rate 7/s", "rule:rate 7/s" },
	{ NULL, "{ ingress: rate 8/s ban 10m }", "allow from any rate none", "" },
	{ NULL, "{ ingress: rate 8/s ban 10m }", "allow from any ban none", "policy:rate 8/s" },
	{ "{ ingress: conns 9 ban 1d }", "{ ingress: rate 8/s }", "allow from any", "policy:rate 8/s, host:conns 9, host:ban 1d" },
	{ "{ ingress: conns 9 ban 1d }", "{ ingress: rate 8/s ban 1m }", "allow from any", "policy:rate 8/s, host:conns 9, policy:ban 1m" },
	{ "{ ingress: conns 9 ban 1d }", "{ ingress: conns 8 }", "allow from any", "policy:conns 8" },
	{ "{ ingress: conns 9 ban 1d }", "{ ingress: ban none }", "allow from any", "host:conns 9" },
	/* not for them */
	{ "{ ingress: conns 9 ban 1d }", "{ ingress: rate 8/s }", "deny from any", "" },
};

static void test_what_a_rule_takes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(taken); i++) {
		bool egress = strstr(taken[i].rule, " to ");
		char host[128] = "", policy[128] = "", text[1024];
		struct policy_set set;

		if (taken[i].host)
			snprintf(host, sizeof(host), "host:\n  limits: %s\n", taken[i].host);
		if (taken[i].policy)
			snprintf(policy, sizeof(policy), "    limits: %s\n", taken[i].policy);
		/* Wherever the keys stand. */
		snprintf(text, sizeof(text), P "    %s: [ %s ]\n%s%s", egress ? "egress" : "ingress", taken[i].rule, policy, host);
		parse_good(text, &set);
		check_rule(text, &set.policies[0].direction[egress ? DNET_EGRESS : DNET_INGRESS].rules[0], taken[i].expected);
		policy_set_clear(&set);
	}
}

static void test_names_do_not_change(void **state)
{
	struct policy_set plain, limited;

	(void)state;
	parse_good(P "    ingress: [ allow 80/tcp from any, deny from any ]\n", &plain);
	parse_good("host: { limits: { ingress: conns 9 } }\n" P "    limits: { ingress: rate 8/s ban 1m }\n"
		   "    ingress: [ allow 80/tcp from any, deny from any ]\n", &limited);
	for (size_t i = 0; i < 2; i++) {
		const struct rule *a = &plain.policies[0].direction[DNET_INGRESS].rules[i], *b = &limited.policies[0].direction[DNET_INGRESS].rules[i];

		assert_string_equal(a->name, b->name);
		assert_string_equal(a->text, b->text);
		assert_int_equal(b->limit_count, i ? 0 : 2);
	}
	policy_set_clear(&plain);
	policy_set_clear(&limited);
}

/* Each rule by itself, the host's rules not at all, and what an operator writes by hand as he wrote it. */
static void test_whose_rules(void **state)
{
	static const char text[] = V
		"policies:\n"
		"  - name: a\n    select: all\n    limits: { ingress: rate 8/s }\n    ingress: [ allow 80/tcp from any, allow 81/tcp from any ]\n"
		"  - { name: b, select: all, ingress: [ allow from any ], egress: [ allow to any ] }\n"
		"  - { name: hand, select: all, override: true, ingress: [ allow from any ] }\n"
		"  - { name: own, select: all, override: true, limits: { ingress: rate 3/s }, ingress: [ allow from any ] }\n"
		"host:\n  never-block: [ 192.0.2.1 ]\n  rules: [ deny from 192.0.2.2 ]\n  limits: { ingress: conns 9 }\n";
	struct policy_set set;
	const struct policy *p;

	(void)state;
	parse_good(text, &set);
	p = set.policies;
	check_rule("a", &p[0].direction[DNET_INGRESS].rules[0], "policy:rate 8/s, host:conns 9");
	check_rule("a", &p[0].direction[DNET_INGRESS].rules[1], "policy:rate 8/s, host:conns 9");
	check_rule("b", &p[1].direction[DNET_INGRESS].rules[0], "host:conns 9");
	check_rule("b", &p[1].direction[DNET_EGRESS].rules[0], "");
	check_rule("hand", &p[2].direction[DNET_INGRESS].rules[0], "");
	check_rule("own", &p[3].direction[DNET_INGRESS].rules[0], "policy:rate 3/s");
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (size_t i = 0; i < set.host.direction[direction].count; i++)
			check_rule("host", &set.host.direction[direction].rules[i], "");
	assert_int_equal(set.policies[0].limits[DNET_INGRESS].origin.line, 5);
	assert_int_equal(set.policies[0].limits[DNET_INGRESS].origin.column, 24);
	policy_set_clear(&set);
}

static void test_included_policies(void **state)
{
	struct error error = {};
	struct policy_set set;

	(void)state;
	put_file("main.yaml", V "include: d/*\nhost: { limits: { ingress: conns 9 } }\n");
	put_file("d/a.yaml", "policies: [ { name: a, select: all, limits: { ingress: rate 8/s }, ingress: [ allow from any ] } ]\n");
	put_file("later.yaml", "policies: [ { name: l, select: all, ingress: [ allow from any ] } ]\n");
	assert_int_equal(policy_file_load(in_folder("main.yaml"), &set, NULL, &error), 0);
	check_rule("included", &set.policies[0].direction[DNET_INGRESS].rules[0], "policy:rate 8/s, host:conns 9");
	assert_int_equal(policy_file_add(in_folder("later.yaml"), &set, NULL, &error), 0);
	check_rule("added", &set.policies[1].direction[DNET_INGRESS].rules[0], "host:conns 9");
	policy_set_clear(&set);
}

static void test_labels(void **state)
{
	static struct label list[] = {
		{ (char *)"dnetbpf.ingress", (char *)"allow 80/tcp from any; allow 81/tcp from any rate none; deny from any" },
		{ (char *)"dnetbpf.egress", (char *)"allow to any" },
	};
	const struct container container = { .labels = list, .label_count = COUNT(list) };
	struct label_policy labels;
	struct policy_set set;

	(void)state;
	parse_good(V "host: { limits: { ingress: rate 9/s per src conns 9 ban 1m } }\n"
		   "policies: [ { name: a, select: all, limits: { ingress: packets 8/s }, ingress: [ allow from any ] } ]\n", &set);
	label_policy_parse(&container, &set, &labels);
	assert_false(labels.invalid);
	check_rule("labels", &labels.policy.direction[DNET_INGRESS].rules[0], "host:rate 9/s per src, host:conns 9, host:ban 1m");
	check_rule("labels", &labels.policy.direction[DNET_INGRESS].rules[1], "host:conns 9, host:ban 1m");
	check_rule("labels", &labels.policy.direction[DNET_INGRESS].rules[2], "");
	check_rule("labels", &labels.policy.direction[DNET_EGRESS].rules[0], "");
	label_policy_clear(&labels);
	/* Without a policy file nothing is known of the host. */
	label_policy_parse(&container, NULL, &labels);
	check_rule("labels", &labels.policy.direction[DNET_INGRESS].rules[0], "");
	label_policy_clear(&labels);
	policy_set_clear(&set);
}

static void test_shown_with_their_source(void **state)
{
	_cleanup_free_ char *shown = NULL;
	struct listed_rule listed;
	struct policy_set set;
	json_t *json;

	(void)state;
	parse_good(V "host: { limits: { ingress: conns 9 per src ban host 1h } }\n"
		   "policies: [ { name: web, select: all, limits: { ingress: rate 8/m burst 9 }, ingress: [ allow from any packets 7/s, deny from any ] } ]\n",
		   &set);
	listed = (struct listed_rule){ .rule = &set.policies[0].direction[DNET_INGRESS].rules[0], .policy = "web" };
	json = explain_rule_json(&listed);
	shown = json_dumps(json_object_get(json, "defaults"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(shown, "[{\"from\":\"limits of policy web\",\"text\":\"rate 8/m burst 9\"},"
			    "{\"from\":\"host limits\",\"text\":\"conns 9 per src\"},{\"from\":\"host limits\",\"text\":\"ban host 1h\"}]");
	assert_string_equal(json_string_value(json_object_get(json, "text")), "allow from any packets 7/s");
	json_decref(json);
	listed.rule++;
	json = explain_rule_json(&listed);
	assert_null(json_object_get(json, "defaults"));
	json_decref(json);
	policy_set_clear(&set);
}

static const struct {
	const char *text;	/* '^' before the place of the error */
	const char *part;
} bad[] = {
	{ P "    ^limits:\n", "\"limits\" has no value" },
	{ P "    limits: ^[]\n", "this must be a mapping (\"limits\"), and it is a list" },
	{ P "    limits: ^rate 5/s\n", "this must be a mapping (\"limits\")" },
	{ P "    limits: { ^ingres: rate 5/s }\n", "\"limits\" has no key \"ingres\"; did you mean \"ingress\"?" },
	{ P "    limits: { ^rate: 5/s }\n", "the keys are ingress, egress" },
	{ P "    limits: { ^ingress: }\n", "\"ingress\" must be a text, and this is nothing" },
	{ P "    limits: { ingress: ^[ rate 5/s ] }\n", "\"ingress\" must be a text" },
	{ P "    limits: { ingress: \"^\" }\n", "the limits are missing here: write them as in a rule, such as \"rate 100/s per src burst 200\"" },
	{ P "    limits: { egress: \"^  \" }\n", "such as \"rate 100/s per dst burst 200\"" },
	{ P "    limits: { ingress: conns 5 per ^dst }\n", "write per src" },
	{ P "    limits: { egress: conns 5 per ^src }\n", "write per dst" },
	{ P "    limits: { egress: \"rate 5/s ^ban 10m\" }\n", "in an egress rule the source is the container itself" },
	{ P "    limits: { ingress: \"^ban 10m\" }\n", "there is none beside it" },
	{ P "    limits: { ingress: rate none ^ban 10m }\n", "there is none beside it" },
	{ P "    limits: { ingress: rate 5/s ^rate 6/s }\n", "\"rate\" is given twice in these limits" },
	{ P "    limits: { ingress: rate 5/s conns ^0 }\n", "a limit of 0" },
	{ P "    limits: { ingress: rate 5/s ^log }\n", "\"log\" belongs in a rule" },
	{ P "    limits: { ingress: rate 5/s ^as x }\n", "\"as\" belongs in a rule" },
	{ P "    limits: { ingress: rate 5/s ^on network:x }\n", "\"on\" belongs in a rule" },
	{ P "    limits: { ingress: ^allow from any rate 5/s }\n", "\"allow\" is no limit: write rate, conns, packets or ban" },
	{ P "    limits: { ingress: ^conn 5 }\n", "did you mean \"conns\"?" },
	{ V "host:\n  ^limits:\n", "\"limits\" has no value" },
	{ V "host: { ^limit: { ingress: rate 5/s } }\n", "did you mean \"limits\"?" },
	{ V "host: { limits: { ingress: rate 5^ } }\n", "the unit is missing" },
	{ V "host: { limits: { egress: rate 5/s per ^src } }\n", "write per dst" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct marked marked = marked_take(bad[i].text);
		struct error error = {};
		struct policy_set set;

		if (policy_file_parse("policy.yaml", marked.text, strlen(marked.text), &set, NULL, &error) != -EINVAL)
			fail_msg("accepted:\n%s", marked.text);
		marked_check(&marked, "policy.yaml", error.text, bad[i].part);
		free(marked.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_rule_takes),
		cmocka_unit_test(test_names_do_not_change),
		cmocka_unit_test(test_whose_rules),
		cmocka_unit_test_setup_teardown(test_included_policies, folder_make, folder_remove),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_shown_with_their_source),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
