/* SPDX-License-Identifier: GPL-2.0 */
/* Which rules govern a container, and what follows: the semantics of layers, modes, labels, rules by hand and defaults. */
#include "compile_fixture.h"

/* A question from outside, to a port. */
static struct explain_question to_port(uint32_t port)
{
	return question(TCP(port), "192.0.2.1", -1, DNET_PEER_INTERNET);
}

static enum dnet_reason in(const struct world *world, size_t endpoint, uint32_t port)
{
	struct explain_question asked = to_port(port);

	return decide(world, endpoint, DNET_INGRESS, &asked);
}

static enum dnet_reason out(const struct world *world, size_t endpoint, uint32_t port)
{
	struct explain_question asked = to_port(port);

	return decide(world, endpoint, DNET_EGRESS, &asked);
}

/* Semantics 1. */
static void test_first_match_wins_and_the_end_denies(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: \"container:web\", ingress: [ \"deny 80/tcp from any\", \"allow 80-81/tcp from any\" ] }\n"
		    "  - { name: q, select: \"container:db\", ingress: [] }\n", 0);
	world_all(&world);
	assert_int_equal(in(&world, WEB, 80), DNET_REASON_POLICY_DENIED);
	assert_int_equal(in(&world, WEB, 81), DNET_REASON_POLICY_ALLOWED);
	assert_int_equal(in(&world, WEB, 82), DNET_REASON_DEFAULT_DENIED);
	assert_int_equal(in(&world, DB, 80), DNET_REASON_DEFAULT_DENIED);
	/* A direction that is absent. */
	assert_int_equal(out(&world, WEB, 80), DNET_REASON_UNSELECTED);
	assert_int_equal(file_ruleset(&world, WEB, DNET_EGRESS), 0);
	assert_true(world.verdicts[WEB].selected && world.verdicts[WEB].tracked && !world.verdicts[WEB].audit);
	assert_false(world.verdicts[MON].selected || world.verdicts[MON].tracked);
	assert_string_equal(world.verdicts[MON].policies, "");
	world_end(&world);
}

/* Semantics 2. */
static void test_policies_of_the_file_are_one_list_in_file_order(void **state)
{
	const struct listed_rule *rules;
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: \"label:app=*\", mode: audit, ingress: [ \"allow 80/tcp from any\" ] }\n"
		    "  - { name: q, select: \"container:db\", ingress: [ \"deny 80-81/tcp from any\" ] }\n"
		    "  - { name: r, select: \"service:shop/d*\", ingress: [ \"allow 81-82/tcp from any\" ] }\n", 0);
	world_all(&world);
	assert_int_equal(in(&world, DB, 80), DNET_REASON_POLICY_ALLOWED);
	assert_int_equal(in(&world, DB, 81), DNET_REASON_POLICY_DENIED);
	assert_int_equal(in(&world, DB, 82), DNET_REASON_POLICY_ALLOWED);
	assert_string_equal(world.verdicts[DB].policies, "p,q,r");
	assert_int_equal(compiler_rules(world.compiler, file_ruleset(&world, DB, DNET_INGRESS), &rules), 3);
	assert_string_equal(rules[1].policy, "q");
	/* They do not agree on the mode: enforced. */
	assert_true(world.verdicts[WEB].audit);
	assert_false(world.verdicts[DB].audit);
	world_end(&world);
}

/* Semantics 3: labels that narrow, labels that add, and the mode. */
static void test_labels_narrow_unless_a_policy_says_add(void **state)
{
	static const struct {
		const char *file;	/* keys of the policy beside its ingress */
		const char *mode;	/* NULL: no such label */
		bool add;
		bool audit;
	} cases[] = {
		{ "", NULL, false, false },
		{ "labels: narrow, ", NULL, false, false },
		{ "labels: add, ", NULL, true, false },
		{ "mode: audit, ", NULL, false, true },
		{ "mode: audit, ", "enforce", false, false },
		{ "", "audit", false, false },
		{ "mode: audit, labels: add, ", "audit", true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct label labels[] = { { "dnetbpf.ingress", "allow 81-82/tcp from any" }, { "dnetbpf.mode", (char *)cases[i].mode } };
		_cleanup_free_ char *text = NULL;
		struct world world;

		assert_true(asprintf(&text, "version: 1\npolicies:\n  - { name: p, select: \"container:web\", %singress: [ \"allow 80-81/tcp from any\" ] }\n",
				     cases[i].file) > 0);
		world_begin(&world, text, 0);
		add_labels(&world, WEB, labels, cases[i].mode ? 2 : 1);
		world_all(&world);
		assert_int_equal(in(&world, WEB, 80), cases[i].add ? DNET_REASON_POLICY_ALLOWED : DNET_REASON_DEFAULT_DENIED);
		assert_int_equal(in(&world, WEB, 81), DNET_REASON_POLICY_ALLOWED);
		assert_int_equal(in(&world, WEB, 82), cases[i].add ? DNET_REASON_POLICY_ALLOWED : DNET_REASON_DEFAULT_DENIED);
		if (world.verdicts[WEB].audit != cases[i].audit)
			fail_msg("case %zu: audit %d", i, world.verdicts[WEB].audit);
		assert_string_equal(world.verdicts[WEB].policies, "p,labels");
		world_end(&world);
	}
}

/* All policies that select it must say so. */
static void test_one_policy_that_narrows_is_enough(void **state)
{
	struct label labels[] = { { "dnetbpf.ingress", "allow 82/tcp from any" } };
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: all, ingress: [ \"allow 80/tcp from any\" ] }\n"
		    "  - { name: q, select: all, labels: add, ingress: [ \"allow 81/tcp from any\" ] }\n", 0);
	add_labels(&world, WEB, labels, 1);
	world_all(&world);
	for (uint32_t port = 80; port < 83; port++)
		assert_int_equal(in(&world, WEB, port), DNET_REASON_DEFAULT_DENIED);
	world_end(&world);
}

/* Semantics 3: the host's layer is above all, selects nobody, and what it does not deny passes it. */
static void test_host_layer_is_for_every_container(void **state)
{
	const struct listed_rule *rules;
	const struct compile_verdict *lone;
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\nhost: { rules: [ \"deny 23/tcp from any\", \"deny from network:ops\" ] }\n"
		    "policies:\n  - { name: p, select: \"container:web\", ingress: [ \"allow 23/tcp, 80/tcp from any\" ] }\n", 0);
	world_all(&world);
	lone = &world.verdicts[LONE_DB];
	assert_int_equal(in(&world, WEB, 23), DNET_REASON_POLICY_DENIED);
	assert_int_equal(in(&world, WEB, 80), DNET_REASON_POLICY_ALLOWED);
	assert_int_equal(in(&world, WEB, 81), DNET_REASON_DEFAULT_DENIED);
	assert_int_equal(in(&world, LONE_DB, 23), DNET_REASON_POLICY_DENIED);
	assert_int_equal(in(&world, LONE_DB, 80), DNET_REASON_UNSELECTED);
	assert_false(lone->selected);
	assert_true(lone->tracked);
	assert_int_equal(lone->ruleset[DNET_INGRESS][DNET_LAYER_HOST], world.verdicts[WEB].ruleset[DNET_INGRESS][DNET_LAYER_HOST]);
	assert_int_equal(lone->ruleset[DNET_INGRESS][DNET_LAYER_FILE], 0);
	assert_int_equal(compiler_rules(world.compiler, lone->ruleset[DNET_INGRESS][DNET_LAYER_HOST], &rules), 3);
	assert_string_equal(rules[2].rule->name, "host-pass");
	assert_int_equal(rules[2].rule->action, DNET_RULE_ALLOW);
	world_end(&world);
}

/* Semantics 3: what nothing governs. */
static void test_unselected(void **state)
{
	static const struct {
		const char *word;
		bool tracked;
		enum dnet_reason outside, inside, egress;
	} cases[] = {
		{ "allow", false, DNET_REASON_UNSELECTED, DNET_REASON_UNSELECTED, DNET_REASON_UNSELECTED },
		{ "outside", true, DNET_REASON_POLICY_DENIED, DNET_REASON_POLICY_ALLOWED, DNET_REASON_UNSELECTED },
		{ "deny", true, DNET_REASON_DEFAULT_DENIED, DNET_REASON_DEFAULT_DENIED, DNET_REASON_DEFAULT_DENIED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct explain_question inside = question(TCP(80), NULL, DB, DNET_PEER_OTHER);
		_cleanup_free_ char *text = NULL;
		struct world world;

		assert_true(asprintf(&text, "version: 1\ndefaults: { unselected: %s }\n", cases[i].word) > 0);
		world_begin(&world, text, 1);
		world_all(&world);
		assert_false(world.verdicts[WEB].selected);
		assert_int_equal(world.verdicts[WEB].tracked, cases[i].tracked);
		assert_int_equal(in(&world, WEB, 80), cases[i].outside);
		assert_int_equal(decide(&world, WEB, DNET_INGRESS, &inside), cases[i].inside);
		assert_int_equal(out(&world, WEB, 80), cases[i].egress);
		world_end(&world);
	}
}

static void test_labels_alone(void **state)
{
	struct label good[] = { { "dnetbpf.egress", "" } }, named[] = { { "dnetbpf.policy", "q" } };
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: q, select: \"container:nobody\", mode: audit, ingress: [ \"allow 80/tcp from any\" ] }\n", 0);
	add_labels(&world, WEB, good, 1);
	add_labels(&world, MON, named, 1);
	world_all(&world);
	assert_true(world.verdicts[WEB].selected && !world.verdicts[WEB].invalid);
	assert_int_equal(in(&world, WEB, 80), DNET_REASON_UNSELECTED);
	assert_int_equal(out(&world, WEB, 80), DNET_REASON_DEFAULT_DENIED);
	assert_int_equal(in(&world, MON, 80), DNET_REASON_POLICY_ALLOWED);
	assert_int_equal(world.verdicts[MON].ruleset[DNET_INGRESS][DNET_LAYER_FILE], 0);
	assert_true(world.verdicts[MON].audit);
	assert_string_equal(world.verdicts[MON].policies, "q");
	assert_false(world.verdicts[LONE_DB].selected);
	world_end(&world);
}

/* Semantics 8: a container with a bad label is denied, and nobody else. */
static void test_bad_labels_deny_their_container(void **state)
{
	struct label unreadable[] = { { "dnetbpf.egress", "alow to any" } }, country[] = { { "dnetbpf.ingress", "allow from geo:DE" } },
		     set[] = { { "dnetbpf.ingress", "allow from any; deny from set:nosuch" } };
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: all, mode: audit, ingress: [ \"allow from any\" ] }\n", 0);
	add_labels(&world, WEB, unreadable, 1);
	add_labels(&world, DB, country, 1);
	add_labels(&world, MON, set, 1);
	world_all(&world);
	for (size_t i = 0; i < ENDPOINTS; i++) {
		bool bad = i == WEB || i == DB || i == MON;

		assert_int_equal(world.verdicts[i].invalid, bad);
		assert_int_equal(in(&world, i, 80), bad ? DNET_REASON_POLICY_INVALID : DNET_REASON_POLICY_ALLOWED);
		assert_int_equal(world.verdicts[i].audit, !bad);
		assert_int_equal(world.verdicts[i].problem != NULL, bad);
	}
	assert_non_null(strstr(world.verdicts[WEB].problem, "dnetbpf.egress"));
	assert_non_null(strstr(world.verdicts[DB].problem, "dnetbpf.ingress"));
	assert_non_null(strstr(world.verdicts[MON].problem, "nosuch"));
	world_end(&world);
}

/* Semantics 9. */
static void test_a_name_that_matches_nothing_waits(void **state)
{
	struct explain_question asked = question(TCP(80), NULL, DB, DNET_PEER_OTHER);
	struct world world;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: \"container:web\", ingress: [ \"allow from container:db\" ] }\n", 0);
	assert_int_equal(world_run(&world, 1), 0);
	assert_int_equal(decide(&world, WEB, DNET_INGRESS, &asked), DNET_REASON_DEFAULT_DENIED);
	world_all(&world);
	assert_int_equal(decide(&world, WEB, DNET_INGRESS, &asked), DNET_REASON_POLICY_ALLOWED);
	world_end(&world);
}

/* Rules by hand: first in every layer that governs, and nothing is governed by them alone. */
static void test_overrides(void **state)
{
	static const struct {
		const char *unselected;
		enum dnet_reason denied, other;
	} cases[] = {
		{ "allow", DNET_REASON_POLICY_DENIED, DNET_REASON_POLICY_ALLOWED },
		{ "outside", DNET_REASON_POLICY_DENIED, DNET_REASON_POLICY_DENIED },
		{ "deny", DNET_REASON_POLICY_DENIED, DNET_REASON_DEFAULT_DENIED },
	};
	struct label labels[] = { { "dnetbpf.ingress", "allow 81/tcp from any" } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		_cleanup_free_ char *text = NULL;
		const struct compile_verdict *mon;
		struct world world;

		assert_true(asprintf(&text, "version: 1\ndefaults: { unselected: %s }\npolicies:\n"
				     "  - { name: p, select: \"container:web\", mode: audit, ingress: [ \"deny 90/tcp from any\", \"allow 80-90/tcp from any\" ] }\n"
				     "  - { name: hand, select: all, ingress: [ \"deny 80/tcp from any\", \"allow 90/tcp from any\" ] }\n", cases[i].unselected) > 0);
		world_parse(&world, text, 0);
		world.policies.policies[1].override = true;
		assert_int_equal(world_compiler(&world), 0);
		add_labels(&world, WEB, labels, 1);
		add_labels(&world, DB, labels, 1);
		world_all(&world);
		/* File and labels: both begin with them. */
		assert_int_equal(in(&world, WEB, 80), DNET_REASON_POLICY_DENIED);
		assert_int_equal(in(&world, WEB, 90), DNET_REASON_POLICY_ALLOWED);
		assert_int_equal(in(&world, WEB, 81), DNET_REASON_POLICY_ALLOWED);
		assert_int_equal(in(&world, WEB, 82), DNET_REASON_DEFAULT_DENIED);
		assert_true(world.verdicts[WEB].audit);
		/* Labels alone. */
		assert_int_equal(in(&world, DB, 90), DNET_REASON_POLICY_ALLOWED);
		assert_int_equal(in(&world, DB, 91), DNET_REASON_DEFAULT_DENIED);
		assert_int_equal(world.verdicts[DB].ruleset[DNET_INGRESS][DNET_LAYER_FILE], 0);
		/* Nothing else: then the default. */
		mon = &world.verdicts[MON];
		assert_false(mon->selected);
		assert_true(mon->tracked);
		assert_string_equal(mon->policies, "hand");
		assert_int_equal(in(&world, MON, 80), cases[i].denied);
		assert_int_equal(in(&world, MON, 90), DNET_REASON_POLICY_ALLOWED);
		assert_int_equal(in(&world, MON, 91), cases[i].other);
		assert_int_equal(out(&world, MON, 91), i == 2 ? DNET_REASON_DEFAULT_DENIED : DNET_REASON_UNSELECTED);
		assert_false(mon->audit);
		world_end(&world);
	}
}

/* A policy with a time ends then. */
static void test_until(void **state)
{
	static const struct {
		uint64_t until;
		bool applies;
	} cases[] = { { 0, true }, { NOW + 1, true }, { NOW, false }, { 1, false } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world world;

		world_parse(&world, "version: 1\npolicies:\n  - { name: p, select: all, ingress: [] }\n", 0);
		world.policies.policies[0].until_unix_ns = cases[i].until;
		assert_int_equal(world_compiler(&world), 0);
		world_all(&world);
		assert_int_equal(world.verdicts[WEB].selected, cases[i].applies);
		assert_int_equal(in(&world, WEB, 1), cases[i].applies ? DNET_REASON_DEFAULT_DENIED : DNET_REASON_UNSELECTED);
		world_end(&world);
	}
}

/* `run --audit`. */
static void test_audit_of_all(void **state)
{
	struct compile_input input = { .audit = true, .counter = counter_of, .limit = limit_of };
	struct label bad[] = { { "dnetbpf.egress", "alow to any" } };
	struct world world;

	(void)state;
	world_parse(&world, "version: 1\npolicies:\n  - { name: p, select: all, mode: enforce, ingress: [] }\n", 0);
	input.policies = &world.policies;
	assert_int_equal(compiler_new(&input, &world.compiler, &world.error), 0);
	add_labels(&world, DB, bad, 1);
	world_all(&world);
	assert_true(world.verdicts[WEB].audit);
	assert_true(world.verdicts[DB].audit && world.verdicts[DB].invalid);
	assert_int_equal(in(&world, WEB, 1), DNET_REASON_DEFAULT_DENIED);
	world_end(&world);
}

/* What cannot be enforced is refused, with the place. */
static void test_refused(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "version: 1\npolicies:\n  - name: p\n    select: all\n    ingress:\n      - \"allow from any\"\n      - \"deny from geo:KP\"\n",
		  "policy.yaml:7:10: geo:KP needs a database of countries, and there is none" },
		{ "version: 1\nhost: { rules: [ \"deny from geo:KP\" ] }\n", "policy.yaml:2:" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world world;

		world_parse(&world, cases[i].text, 0);
		assert_int_equal(world_compiler(&world), -EOPNOTSUPP);
		if (strncmp(world.error.text, cases[i].sentence, strlen(cases[i].sentence)) != 0)
			fail_msg("%s", world.error.text);
		world_end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_match_wins_and_the_end_denies),
		cmocka_unit_test(test_policies_of_the_file_are_one_list_in_file_order),
		cmocka_unit_test(test_labels_narrow_unless_a_policy_says_add),
		cmocka_unit_test(test_one_policy_that_narrows_is_enough),
		cmocka_unit_test(test_host_layer_is_for_every_container),
		cmocka_unit_test(test_unselected), cmocka_unit_test(test_labels_alone), cmocka_unit_test(test_bad_labels_deny_their_container),
		cmocka_unit_test(test_a_name_that_matches_nothing_waits), cmocka_unit_test(test_overrides), cmocka_unit_test(test_until),
		cmocka_unit_test(test_audit_of_all), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
