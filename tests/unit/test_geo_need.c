/* SPDX-License-Identifier: GPL-2.0 */
/* Which database policies need, and what is said when it is not there. */
#include "unit/folder.h"

#include "base/cleanup.h"
#include "config/labels.h"
#include "config/policy_file.h"
#include "geo/need.h"

#define V "version: 1\n"
#define GOOD "geo: { database: good/geoip }\n"

static void parse(const char *text, struct policy_set *ret)
{
	struct error error = {};

	if (policy_file_parse(in_folder("policy.yaml"), text, strlen(text), ret, NULL, &error) < 0)
		fail_msg("%s", error.text);
}

static int set_up(void **state)
{
	if (folder_make(state) < 0)
		return -1;
	put_file("good/geoip", "3323068416,3323068416,DE\n");
	put_file("good/geoip6", "fd77::,fd77::1,KP\n");
	put_file("bad/geoip", "3323068416,3323068416,D");
	return 0;
}

static void test_which_rule(void **state)
{
	static const struct {
		const char *text, *country;	/* NULL: none */
		unsigned int line;
	} cases[] = {
		{ V, NULL, 0 },
		{ V "policies:\n  - { name: a, select: all, ingress: [ allow from any ], egress: [ allow to lan ] }\n", NULL, 0 },
		{ V "policies:\n  - { name: a, select: all, ingress: [ allow from any ] }\n  - name: b\n    select: all\n    egress:\n"
		    "      - allow to lan\n      - \"deny to lan, geo:FR, geo:DE\"\n", "FR", 8 },
		{ V "host: { rules: [ deny from geo:KP ] }\npolicies:\n  - { name: a, select: all, ingress: [ allow from geo:DE ] }\n", "KP", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(policy_set_clear) struct policy_set set = {};
		const char *country = "";
		const struct rule *rule;

		parse(cases[i].text, &set);
		rule = geo_rule(&set, &country);
		assert_int_equal(!rule, !cases[i].country);
		assert_string_equal(geo_path(&set), GEO_DEFAULT_DATABASE);
		if (!rule)
			continue;
		assert_string_equal(country, cases[i].country);
		assert_int_equal(rule->origin.line, cases[i].line);
	}
}

static void test_named_database(void **state)
{
	_cleanup_(policy_set_clear) struct policy_set good = {};
	_cleanup_(geo_freep) struct geo *geo = NULL;
	struct error error = {};

	(void)state;
	parse(V GOOD, &good);
	assert_string_equal(geo_path(&good), in_folder("good/geoip"));
	assert_int_equal(geo_load_for(&good, &geo, &error), 0);
	assert_non_null(geo);
	assert_string_equal(error.text, "");
}

/* Whether a rule needs it or not: who names one wants it. */
static void test_named_and_bad(void **state)
{
	static const char *const texts[] = {
		V "geo: { database: nowhere }\n", V "geo:\n  database: bad/geoip\n",
		V "geo: { database: nowhere }\nhost: { rules: [ deny from geo:KP ] }\n",
	};
	static const char *const places[] = { ":2:18: ", ":3:13: ", ":2:18: " };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_(policy_set_clear) struct policy_set set = {};
		struct geo *geo = NULL;
		struct error error = {};
		char wanted[256];

		parse(texts[i], &set);
		assert_int_equal(geo_load_for(&set, &geo, &error), -EINVAL);
		snprintf(wanted, sizeof(wanted), "%s%sthe database of countries cannot be used: %s", in_folder("policy.yaml"), places[i], folder);
		if (strncmp(error.text, wanted, strlen(wanted)) != 0)
			fail_msg("\"%s\", wanted \"%s\"", error.text, wanted);
		assert_null(geo);
	}
}

static void test_labels_without_a_table(void **state)
{
	struct label with[] = { { (char *)"dnetbpf.egress", (char *)"allow to lan; allow to geo:KP" } },
		     without[] = { { (char *)"dnetbpf.egress", (char *)"allow to lan" } };
	const struct container named = { .name = (char *)"web", .labels = with, .label_count = 1 },
			       other = { .name = (char *)"web", .labels = without, .label_count = 1 }, none = { .name = (char *)"web" };
	const struct {
		const struct container *container;
		bool refused;
	} cases[] = { { &named, true }, { &other, false }, { &none, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(label_policy_clear) struct label_policy labels = {};

		label_policy_parse(cases[i].container, NULL, &labels);
		assert_false(labels.invalid);
		assert_int_equal(geo_in_labels(&labels), cases[i].refused);
		assert_int_equal(geo_refuse_labels(&labels), cases[i].refused ? -EINVAL : 0);
		assert_int_equal(labels.invalid, cases[i].refused);
		if (!cases[i].refused)
			continue;
		assert_true(labels.present);
		assert_int_equal(labels.policy.direction[DNET_EGRESS].count, 0);
		assert_string_equal(labels.policy.name, "labels");
		assert_string_equal(labels.problem, "label dnetbpf.egress, column 15: geo:KP needs a database of countries, and there is none: "
				    "install the package tor-geoipdb, or name one under geo: database");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_rule),
		cmocka_unit_test(test_named_database),
		cmocka_unit_test(test_named_and_bad),
		cmocka_unit_test(test_labels_without_a_table),
	};

	return cmocka_run_group_tests_name("geo need", tests, set_up, folder_remove);
}
