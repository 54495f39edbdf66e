/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/marked.h"

#include "config/labels.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LABELS_MAX 6

struct labels {
	const char *text[2 * LABELS_MAX];	/* key, value, ... */
};

static struct label_policy parse(const struct labels *labels, const struct policy_set *set)
{
	struct label list[LABELS_MAX];
	struct container container = { .labels = list };
	struct label_policy result;

	for (; container.label_count < LABELS_MAX && labels->text[2 * container.label_count]; container.label_count++)
		list[container.label_count] = (struct label){
			.key = (char *)labels->text[2 * container.label_count],
			.value = (char *)labels->text[2 * container.label_count + 1],
		};
	memset(&result, 0x5a, sizeof(result));
	label_policy_parse(&container, set, &result);
	return result;
}

/* What the labels may name. Never cleared: nothing of it is owned. */
static struct policy policies[] = { { .name = (char *)"web" }, { .name = (char *)"database" } };
static struct prefix_set sets[] = { { .name = (char *)"office" }, { .name = (char *)"drop-list" } };
static const struct policy_set some = { .policies = policies, .policy_count = COUNT(policies), .sets = sets, .set_count = COUNT(sets) };
static const struct policy_set none = { .policies = NULL };

static void test_none(void **state)
{
	static const struct labels cases[] = {
		{ { NULL } },
		{ { "app", "web", "org.opencontainers.image.title", "x", "dnetbpf", "y" } },
		{ { "com.example.dnetbpf.ingress", "allow from any" } },
		{ { "dnetbpfx.ingress", "allow from any" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct label_policy labels = parse(&cases[i], NULL);

		assert_false(labels.present || labels.invalid || labels.mode_set);
		assert_null(labels.problem);
		assert_null(labels.policy_name);
		label_policy_clear(&labels);
	}
}

static void test_all(void **state)
{
	static const struct labels all = { { "app", "x", "dnetbpf.ingress", "allow 80/tcp from any as web; deny from host",
					     "dnetbpf.egress", " allow 53/udp to any ; ", "dnetbpf.mode", "audit",
					     "dnetbpf.policy", "web" } };
	struct label_policy labels = parse(&all, &some);

	(void)state;
	assert_true(labels.present);
	assert_false(labels.invalid);
	assert_string_equal(labels.policy_name, "web");
	assert_string_equal(labels.policy.name, "labels");
	assert_true(labels.mode_set);
	assert_int_equal(labels.policy.mode, POLICY_AUDIT);
	assert_int_equal(labels.policy.direction[DNET_INGRESS].count, 2);
	assert_string_equal(labels.policy.direction[DNET_INGRESS].rules[0].name, "web");
	assert_string_equal(labels.policy.direction[DNET_INGRESS].rules[1].origin.file, "label dnetbpf.ingress");
	assert_int_equal(labels.policy.direction[DNET_INGRESS].rules[1].origin.line, 0);
	assert_int_equal(labels.policy.direction[DNET_INGRESS].rules[1].origin.column, 31);
	assert_int_equal(labels.policy.direction[DNET_EGRESS].count, 1);
	assert_string_equal(labels.policy.direction[DNET_EGRESS].rules[0].text, "allow 53/udp to any");
	label_policy_clear(&labels);
}

static void test_one_direction(void **state)
{
	static const struct labels cases[] = {
		{ { "dnetbpf.ingress", "" } },
		{ { "dnetbpf.ingress", "  ; " } },
		{ { "dnetbpf.ingress", NULL } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct label_policy labels = parse(&cases[i], NULL);

		/* Empty is not absent: everything is denied. */
		assert_true(labels.present);
		assert_false(labels.invalid);
		assert_true(labels.policy.direction[DNET_INGRESS].present);
		assert_int_equal(labels.policy.direction[DNET_INGRESS].count, 0);
		assert_false(labels.policy.direction[DNET_EGRESS].present);
		assert_false(labels.mode_set);
		label_policy_clear(&labels);
	}
}

static void test_mode_alone(void **state)
{
	static const struct labels enforce = { { "dnetbpf.mode", "enforce" } };
	struct label_policy labels = parse(&enforce, NULL);

	(void)state;
	assert_true(labels.present && labels.mode_set && !labels.invalid);
	assert_int_equal(labels.policy.mode, POLICY_ENFORCE);
	assert_false(labels.policy.direction[DNET_INGRESS].present || labels.policy.direction[DNET_EGRESS].present);
	label_policy_clear(&labels);
}

static void test_invalid(void **state)
{
	static const struct {
		struct labels labels;
		const char *problem;	/* the begin of it */
	} cases[] = {
		{ { { "dnetbpf.ingres", "allow from any" } }, "label dnetbpf.ingres: there is no such label; did you mean \"dnetbpf.ingress\"?" },
		{ { { "dnetbpf.Ingress", "allow from any" } }, "label dnetbpf.Ingress: there is no such label; did you mean \"dnetbpf.ingress\"?" },
		{ { { "dnetbpf.", "x" } }, "label dnetbpf.: there is no such label" },
		{ { { "dnetbpf.something-else", "x" } }, "label dnetbpf.something-else: there is no such label: there are" },
		{ { { "dnetbpf.\033[2J", "x" } }, "label dnetbpf.?[2J: there is no such label" },
		{ { { "dnetbpf.ingress", "allow from any; alow from any" } },
		  "label dnetbpf.ingress, column 17: a rule begins with allow or deny, not with \"alow\"; did you mean \"allow\"?" },
		{ { { "dnetbpf.ingress", "allow 80/tcp to any" } }, "label dnetbpf.ingress, column 14: this is an ingress rule" },
		{ { { "dnetbpf.egress", "allow 80/tcp from any" } }, "label dnetbpf.egress, column 14: this is an egress rule" },
		{ { { "dnetbpf.egress", "allow to set:offce" } },
		  "label dnetbpf.egress, column 10: there is no set \"offce\"; did you mean \"office\"?" },
		{ { { "dnetbpf.ingress", "allow from set:office, set:drop-list; deny from set:office, set:x, set:y" } },
		  "label dnetbpf.ingress, column 61: there is no set \"x\": \"sets\" of the policy file does not have it" },
		{ { { "dnetbpf.ingress", "allow from set:offic" } }, "label dnetbpf.ingress, column 12: there is no set \"offic\"" },
		{ { { "dnetbpf.ingress", "allow 81/tcp from any; allow 80/tcp from any rate 5/m per src ban host 10m" } },
		  "label dnetbpf.ingress, column 24: `ban host` reaches beyond this container, and is for the policy file alone" },
		{ { { "dnetbpf.ingress", "allow from any as 0123abcd" } }, "label dnetbpf.ingress, column 19: \"0123abcd\" looks like" },
		{ { { "dnetbpf.egress", "allow to any rate 5/s per src" } }, "label dnetbpf.egress, column 27: in an egress rule" },
		{ { { "dnetbpf.mode", "adit" } }, "label dnetbpf.mode, column 1: the mode must be enforce or audit, not \"adit\"; did you mean \"audit\"?" },
		{ { { "dnetbpf.mode", "" } }, "label dnetbpf.mode, column 1: the mode must be enforce or audit" },
		{ { { "dnetbpf.policy", "" } }, "label dnetbpf.policy, column 1: the name of a policy is missing here" },
		{ { { "dnetbpf.policy", "we b" } }, "label dnetbpf.policy, column 3: \" \" cannot be in the name of a policy" },
		{ { { "dnetbpf.policy", "databse" } }, "label dnetbpf.policy, column 1: the policy file has no policy \"databse\"; did you mean \"database\"?" },
		{ { { "dnetbpf.policy", "other" } }, "label dnetbpf.policy, column 1: the policy file has no policy \"other\"" },
		/* a good label beside it helps nothing */
		{ { { "dnetbpf.ingress", "allow from any", "dnetbpf.mod", "audit" } }, "label dnetbpf.mod: there is no such label" },
		{ { { "dnetbpf.egres", "", "dnetbpf.ingress", "allow from any" } }, "label dnetbpf.egres: there is no such label" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct label_policy labels = parse(&cases[i].labels, &some);

		if (!labels.present || !labels.invalid)
			fail_msg("accepted: %s=%s", cases[i].labels.text[0], cases[i].labels.text[1]);
		if (strncmp(labels.problem, cases[i].problem, strlen(cases[i].problem)) != 0)
			fail_msg("%s\ninstead of\n%s", labels.problem, cases[i].problem);
		assert_false(labels.policy.direction[DNET_INGRESS].present || labels.policy.direction[DNET_EGRESS].present);
		assert_null(labels.policy_name);
		label_policy_clear(&labels);
	}
}

static void test_sets_of_the_file(void **state)
{
	static const struct labels named = { { "dnetbpf.ingress", "allow 80/tcp from set:office; deny from set:drop-list, host" } };
	struct label_policy labels = parse(&named, &some);

	(void)state;
	assert_true(labels.present && !labels.invalid);
	assert_int_equal(labels.policy.direction[DNET_INGRESS].rules[1].peers[0].kind, PEER_SET);
	assert_string_equal(labels.policy.direction[DNET_INGRESS].rules[1].peers[0].name, "drop-list");
	label_policy_clear(&labels);
	labels = parse(&named, &none);
	assert_true(labels.invalid);
	assert_string_equal(labels.problem, "label dnetbpf.ingress, column 19: there is no set \"office\": the policy file has no \"sets\"");
	label_policy_clear(&labels);
	/* Without the policies nobody asks whether it exists. */
	labels = parse(&named, NULL);
	assert_false(labels.invalid);
	label_policy_clear(&labels);
}

/* Semantic 8, for labels: what cannot be read is denied, whatever else is readable, and never opens anything. */
static void test_semantic_8_bad_labels_open_nothing(void **state)
{
	static const struct labels cases[] = {
		{ { "dnetbpf.ingress", "allow from any", "dnetbpf.egress", "allow to everything" } },
		{ { "dnetbpf.ingress", "allow from any; allow 80 from any" } },
		{ { "dnetbpf.ingress", "allow from any", "dnetbpf.policy", "nowhere" } },
		{ { "dnetbpf.ingress", "allow from any, set:nowhere" } },
		{ { "dnetbpf.mode", "audit", "dnetbpf.ingress", "allow" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct label_policy labels = parse(&cases[i], &some);

		assert_true(labels.present && labels.invalid);
		assert_non_null(labels.problem);
		assert_false(labels.mode_set);
		assert_int_equal(labels.policy.mode, POLICY_ENFORCE);
		assert_null(labels.policy_name);
		for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
			assert_false(labels.policy.direction[direction].present);
			assert_int_equal(labels.policy.direction[direction].count, 0);
		}
		label_policy_clear(&labels);
	}
}

static void test_policy_without_file(void **state)
{
	static const struct labels named = { { "dnetbpf.policy", "web" } };
	struct label_policy labels;

	(void)state;
	labels = parse(&named, &none);
	assert_true(labels.invalid);
	assert_string_equal(labels.problem, "label dnetbpf.policy, column 1: the policy file has no policy \"web\", it has none at all");
	label_policy_clear(&labels);
	/* Without a set nobody asks whether it exists. */
	labels = parse(&named, NULL);
	assert_false(labels.invalid);
	assert_string_equal(labels.policy_name, "web");
	label_policy_clear(&labels);
}

static void test_ignored(void **state)
{
	static const struct labels wrong = { { "dnetbpf.wrong", "x", "dnetbpf.ingress", "allow from any" } };
	static const struct policy_set set = { .labels_ignore = true };
	struct label_policy labels;

	(void)state;
	labels = parse(&wrong, &set);
	assert_false(labels.present || labels.invalid);
	label_policy_clear(&labels);
}

/* Docker's JSON could say a key twice: nothing may leak. */
static void test_twice(void **state)
{
	static const struct labels twice = { { "dnetbpf.ingress", "allow from any", "dnetbpf.ingress", "deny from any", "dnetbpf.policy", "a",
					       "dnetbpf.policy", "b" } };
	struct label_policy labels = parse(&twice, NULL);

	(void)state;
	assert_false(labels.invalid);
	assert_int_equal(labels.policy.direction[DNET_INGRESS].count, 1);
	assert_int_equal(labels.policy.direction[DNET_INGRESS].rules[0].action, DNET_RULE_DENY);
	assert_string_equal(labels.policy_name, "b");
	label_policy_clear(&labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_one_direction),
		cmocka_unit_test(test_mode_alone),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_sets_of_the_file),
		cmocka_unit_test(test_semantic_8_bad_labels_open_nothing),
		cmocka_unit_test(test_policy_without_file),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
