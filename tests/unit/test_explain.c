/* SPDX-License-Identifier: GPL-2.0 */
/* Explanations from files: names to addresses, who decides and what others lack, notes about Docker, files of cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/policy_file.h"
#include "config/static_inventory.h"
#include "explain/cases.h"
#include "explain/explanation.h"
#include "explain/offline.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char policy_text[] =
	"version: 1\n"
	"sets:\n"
	"  drop: [203.0.113.66]\n"
	"host:\n"
	"  rules: [ \"deny from set:drop as dropped\" ]\n"
	"policies:\n"
	"  - name: web\n"
	"    select: \"service:shop/web\"\n"
	"    ingress:\n"
	"      - \"allow 80/tcp from any as plain\"\n"
	"      - \"deny 443/tcp from 203.0.113.9 as enemy\"\n"
	"      - \"allow 443/tcp from outside as public\"\n"
	"    egress:\n"
	"      - \"allow 5432/tcp to service:db as database\"\n"
	"      - \"allow 53/udp to dns\"\n"
	"  - name: db\n"
	"    select: \"container:db\"\n"
	"    ingress: [ \"allow 5432/tcp from service:web as clients\" ]\n"
	"  - name: quiet\n"
	"    select: \"container:audited\"\n"
	"    mode: audit\n"
	"    ingress: []\n";

static const char inventory_text[] =
	"networks:\n"
	"  - { name: dmz, bridge: br-dmz, subnets: [198.18.0.0/24, \"fd77:1::/64\"] }\n"
	"  - { name: back, bridge: br-back, subnets: [198.18.1.0/24], internal: true }\n"
	"  - { name: other, bridge: br-other, subnets: [198.18.2.0/24] }\n"
	"endpoints:\n"
	"  - { container: web, interface: v1, network: dmz, addresses: [198.18.0.2, \"fd77:1::2\"], service: shop/web, ports: [\"8443:443/tcp\"] }\n"
	"  - { container: web, interface: v2, network: back, addresses: [198.18.1.2] }\n"
	"  - { container: db, interface: v3, network: back, addresses: [198.18.1.3], service: shop/db }\n"
	"  - { container: audited, interface: v4, network: dmz, addresses: [198.18.0.4] }\n"
	"  - { container: free, interface: v5, network: dmz, addresses: [198.18.0.5], labels: { app: free } }\n"
	"  - { container: narrow, interface: v6, network: dmz, addresses: [198.18.0.6], labels: { dnetbpf.ingress: \"allow 22/tcp from host\" } }\n"
	"  - { container: broken, interface: v7, network: dmz, addresses: [198.18.0.7], labels: { dnetbpf.ingress: \"alow 22/tcp from host\" } }\n"
	"  - { container: scoped, interface: v10, network: dmz, addresses: [198.18.0.10], labels: { dnetbpf.ingress: \"allow 1/tcp from lan as "
	"near; allow 1/tcp from internet as away; deny 1/tcp from outside as neither\" } }\n"
	"  - { container: far, interface: v8, network: other, addresses: [198.18.2.2] }\n"
	"  - { container: agent, interface: v9, network: other, addresses: [198.18.2.9] }\n";

struct fixture {
	struct policy_set policies;
	struct inventory inventory;
	struct explain_offline *offline;
	const struct explain_world *world;
};

static int set_up(void **state)
{
	static struct fixture fixture;
	struct error error = {};

	if (policy_file_parse("policy.yaml", policy_text, strlen(policy_text), &fixture.policies, NULL, &error) < 0 ||
	    static_inventory_parse("inventory.yaml", inventory_text, strlen(inventory_text), &fixture.inventory, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return -1;
	}
	/* What only Docker can say. */
	for (size_t i = 0; i < fixture.inventory.container_count; i++) {
		if (strcmp(fixture.inventory.containers[i].name, "agent") == 0)
			fixture.inventory.containers[i].network_mode = strdup("host");
	}
	if (explain_offline_new(&fixture.policies, &fixture.inventory, 1, &fixture.offline, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return -1;
	}
	fixture.world = explain_offline_world(fixture.offline);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	explain_offline_free(fixture->offline);
	policy_set_clear(&fixture->policies);
	inventory_clear(&fixture->inventory);
	return 0;
}

static json_t *ask(const struct fixture *fixture, const char *packet)
{
	struct error error = {};
	json_t *json = NULL;

	if (explain_text(fixture->world, packet, &json, &error) < 0)
		fail_msg("%s: %s", packet, error.text);
	return json;
}

static const char *text(const json_t *json, const char *key)
{
	const char *value = json_string_value(json_object_get(json, key));

	if (!value)
		fail_msg("no \"%s\"", key);
	return value;
}

/* "verdict reason layer policy/rule container direction" */
static const struct {
	const char *packet, *expected, *origin;
} cases[] = {
	{ "tcp 203.0.113.7:4444 -> web:443", "pass policy_allowed file web/public web ingress", "policy.yaml:12" },
	{ "tcp 203.0.113.9 -> web:443", "deny policy_denied file web/enemy web ingress", "policy.yaml:11" },
	{ "tcp 203.0.113.66 -> web:80", "deny policy_denied host host/dropped web ingress", "policy.yaml:5" },
	{ "tcp 203.0.113.7 -> web:22", "deny default_denied file web/default web ingress", "policy.yaml:7" },
	{ "tcp 203.0.113.7 -> [fd77:1::2]:443", NULL, NULL },
	{ "tcp [2001:db8::7] -> web:443", "pass policy_allowed file web/public web ingress", "policy.yaml:12" },
	{ "tcp host -> web:443", "deny default_denied file web/default web ingress", "policy.yaml:7" },
	{ "tcp web -> db:5432", "pass policy_allowed file db/clients db ingress", "policy.yaml:18" },
	{ "tcp 198.18.1.2 -> 198.18.1.3:5432", "pass policy_allowed file db/clients db ingress", "policy.yaml:18" },
	/* The sender's end denies first; the receiver's would have, too. */
	{ "tcp web -> db:5433", "deny default_denied file web/default web egress", "policy.yaml:7" },
	{ "tcp free -> db:5432", "deny default_denied file db/default db ingress", "policy.yaml:16" },
	{ "udp outside -> audited:1", "would_deny default_denied file quiet/default audited ingress", "policy.yaml:19" },
	{ "udp outside -> free:1", "pass unselected   / free ingress", "" },
	{ "udp 203.0.113.66 -> free:1", "deny policy_denied host host/dropped free ingress", "policy.yaml:5" },
	{ "udp 203.0.113.66 -> audited:1", "deny policy_denied host host/dropped audited ingress", "policy.yaml:5" },
	{ "tcp host -> narrow:22", "pass policy_allowed labels labels/- narrow ingress", NULL },
	{ "tcp outside -> narrow:22", "deny default_denied labels labels/default narrow ingress", "" },
	{ "tcp host -> broken:22", "deny policy_invalid   / broken ingress", "" },
	{ "tcp lan -> scoped:1", "pass policy_allowed labels labels/near scoped ingress", "label dnetbpf.ingress" },
	{ "tcp outside -> scoped:1", "pass policy_allowed labels labels/away scoped ingress", NULL },
	{ "tcp 203.0.113.7 -> scoped:1", "deny policy_denied labels labels/neither scoped ingress", NULL },
	{ "icmp:time-exceeded outside -> web", "deny icmp_unrelated   / web ingress", "" },
};

static void verdicts_and_who_decides(void **state)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error error = {};
		json_t *json = NULL;
		char came[256];
		const char *rule;

		if (!cases[i].expected) {
			assert_int_equal(explain_text(((struct fixture *)*state)->world, cases[i].packet, &json, &error), -EINVAL);
			continue;
		}
		json = ask(*state, cases[i].packet);
		rule = text(json, "rule");
		/* A hash: what matters is that there is one. */
		rule = strspn(rule, "0123456789abcdef") == 8 && !rule[8] ? "-" : rule;
		snprintf(came, sizeof(came), "%s %s %s %s%s/%s %s %s", text(json, "verdict"), text(json, "reason"), text(json, "layer"),
			 *text(json, "layer") ? "" : " ", text(json, "policy"), rule, text(json, "container"), text(json, "direction"));
		if (strcmp(came, cases[i].expected) != 0 || (cases[i].origin && strcmp(cases[i].origin, text(json, "origin")) != 0))
			fail_msg("%s: %s (%s), expected %s (%s)", cases[i].packet, came, text(json, "origin"), cases[i].expected, cases[i].origin);
		assert_true(*text(json, "sentence"));
		json_decref(json);
	}
}

static void every_earlier_rule_says_what_it_lacks(void **state)
{
	json_t *json = ask(*state, "tcp 203.0.113.7 -> web:443"), *rules, *rule;
	size_t i;

	rules = json_object_get(json_array_get(json_object_get(json, "checks"), 0), "rules");
	assert_int_equal(json_array_size(rules), 3);
	json_array_foreach(rules, i, rule)
		assert_int_equal(*text(rule, "lacks") != '\0', i < 2);
	rule = json_array_get(rules, 0);
	assert_string_equal(text(rule, "rule"), "plain");
	assert_string_equal(text(rule, "text"), "allow 80/tcp from any as plain");
	assert_string_equal(text(rule, "policy"), "web");
	assert_string_equal(text(rule, "origin"), "policy.yaml:10");
	assert_string_equal(text(rule, "action"), "allow");
	assert_non_null(strstr(text(rule, "lacks"), "443"));
	assert_non_null(strstr(text(json_array_get(rules, 1), "lacks"), "203.0.113.7"));
	json_decref(json);
	/* What comes after the deciding rule was not asked. */
	json = ask(*state, "tcp 203.0.113.7 -> web:80");
	assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(json, "checks"), 0), "rules")), 1);
	json_decref(json);
	/* None matches: all of them say why. */
	json = ask(*state, "tcp 203.0.113.7 -> web:22");
	rules = json_object_get(json_array_get(json_object_get(json, "checks"), 0), "rules");
	assert_int_equal(json_array_size(rules), 3);
	json_array_foreach(rules, i, rule)
		assert_true(*text(rule, "lacks"));
	json_decref(json);
}

static void both_ends_are_judged_in_order(void **state)
{
	json_t *json = ask(*state, "tcp web -> db:5433"), *checks = json_object_get(json, "checks");

	assert_int_equal(json_array_size(checks), 2);
	assert_string_equal(text(json_array_get(checks, 0), "container"), "web");
	assert_string_equal(text(json_array_get(checks, 0), "direction"), "egress");
	assert_string_equal(text(json_array_get(checks, 1), "container"), "db");
	assert_string_equal(text(json_array_get(checks, 1), "direction"), "ingress");
	assert_string_equal(text(json_array_get(checks, 1), "verdict"), "deny");
	json_decref(json);
}

/* A ban at web's interface, as the daemon would tell of it. @context: the enforced verdict, or the audited one. */
static int judge_banned(void *context, const struct explain_packet *packet, const struct explain_end *end, enum dnet_direction direction,
			struct explain_judgement *ret, struct error *error)
{
	static struct rule rule = { .name = (char *)"public", .text = (char *)"", .origin = { .file = (char *)"p.yaml", .line = 12 } };

	(void)packet, (void)end, (void)direction, (void)error;
	ret->reason = DNET_REASON_BANNED;
	ret->verdict = *(const enum dnet_verdict *)context;
	if (ret->verdict == DNET_DENY) {
		strcpy(ret->block, "203.0.113.7 is banned there for another 9 min, because it exceeded conns 50 of rule \"public\" of policy web; "
		       "`dnetbpf unblock 203.0.113.7` lifts it");
		ret->blamed = (struct listed_rule){ .rule = &rule, .policy = "web" };
	}
	return 0;
}

static void a_ban_says_which_and_how_to_lift_it(void **state)
{
	static const struct { enum dnet_verdict verdict; const char *policy, *rule, *origin, *sentence; } table[] = {
		{ DNET_DENY, "web", "public", "p.yaml:12",
		  "web does not let it in: 203.0.113.7 is banned there for another 9 min, because it exceeded conns 50 of rule \"public\" of "
		  "policy web; `dnetbpf unblock 203.0.113.7` lifts it" },
		/* It ended between the question and the look. */
		{ DNET_WOULD_DENY, "", "", "",
		  "web does not let it in: the other side has exceeded a limit and is banned for a time; but the policy is in audit mode, so it is "
		  "reported and passes" },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct explain_world world = *((struct fixture *)*state)->world;
		struct error error = {};
		json_t *json;

		world.judge = judge_banned;
		world.context = (void *)&table[i].verdict;
		assert_int_equal(explain_text(&world, "tcp 203.0.113.7:4444 -> web:443", &json, &error), 0);
		assert_string_equal(text(json, "reason"), "banned");
		assert_string_equal(text(json, "policy"), table[i].policy);
		assert_string_equal(text(json, "rule"), table[i].rule);
		assert_string_equal(text(json, "origin"), table[i].origin);
		assert_string_equal(text(json, "sentence"), table[i].sentence);
		assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(json, "checks"), 0), "rules")), 0);
		json_decref(json);
	}
}

static void names_are_resolved_as_docker_would(void **state)
{
	static const struct { const char *packet, *src, *dst; size_t others; } table[] = {
		/* The network that both share. */
		{ "tcp web -> db:5432", "198.18.1.2", "198.18.1.3", 0 },
		/* A service means its containers. */
		{ "tcp service:shop/web -> service:db:5432", "198.18.1.2", "198.18.1.3", 0 },
		/* The gateway of the network where they meet. */
		{ "tcp host -> db:5432", "198.18.1.1", "198.18.1.3", 0 },
		{ "tcp web -> host:22", "198.18.0.2", "198.18.0.1", 2 },
		{ "tcp outside -> audited:22", "93.184.216.34", "198.18.0.4", 0 },
		{ "tcp lan -> audited:22", "192.168.0.10", "198.18.0.4", 0 },
		/* Two networks, and IPv6 on one. */
		{ "tcp outside -> web:443", "93.184.216.34", "198.18.0.2", 2 },
		{ "tcp [2001:db8::1] -> web:443", "2001:db8::1", "fd77:1::2", 0 },
		{ "icmpv6 web -> host", "fd77:1::2", "fd77:1::1", 0 },
		/* A stranger is on a network, too. */
		{ "tcp 198.18.1.77 -> web:443", "198.18.1.77", "198.18.1.2", 0 },
		/* No network in common: as it stands, with a note. */
		{ "tcp far -> db:5432", "198.18.2.2", "198.18.1.3", 0 },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		json_t *json = ask(*state, table[i].packet);

		if (strcmp(text(json, "src"), table[i].src) != 0 || strcmp(text(json, "dst"), table[i].dst) != 0 ||
		    json_array_size(json_object_get(json, "others")) != table[i].others)
			fail_msg("%s: %s -> %s and %zu others", table[i].packet, text(json, "src"), text(json, "dst"),
				 json_array_size(json_object_get(json, "others")));
		json_decref(json);
	}
}

static void notes_say_what_docker_does(void **state)
{
	static const struct { const char *packet, *note; } table[] = {
		{ "tcp far -> db:5432", "share no network" },
		{ "tcp outside -> db:5432", "The network back is internal" },
		{ "tcp db -> outside:443", "The network back is internal" },
		{ "tcp outside -> web:443", "by port 8443 of this host" },
		{ "tcp outside -> web:80", "Port 80 of web is not published" },
		{ "tcp far -> host:8443", "userland proxy" },
		{ "tcp agent -> db:5432", "agent uses the host's network" },
		{ "tcp 198.18.0.77 -> web:443", "no container that is known has it" },
		{ "udp web -> 192.0.2.53:53", "gives it no resolvers" },
		{ "udp web -> 224.0.0.251:5353", "addressed to a group" },
		{ "tcp host -> db:5432", NULL },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		json_t *json = ask(*state, table[i].packet), *notes = json_object_get(json, "notes"), *note;
		bool found = !table[i].note && !json_array_size(notes);
		size_t j;

		json_array_foreach(notes, j, note)
			found = found || (table[i].note && strstr(json_string_value(note), table[i].note));
		if (!found)
			fail_msg("%s: no note \"%s\" in %s", table[i].packet, table[i].note ? table[i].note : "",
				 json_dumps(notes, 0));
		json_decref(json);
	}
}

static void what_cannot_be_asked_is_said(void **state)
{
	static const struct { const char *packet, *sentence; unsigned int column; } table[] = {
		{ "tcp wbe2 -> db:1", "there is no container or service \"wbe2\"", 5 },
		{ "tcp audted -> db:1", "did you mean \"audited\"", 5 },
		{ "tcp service:shop/wbe -> db:1", "did you mean \"shop/web\"", 5 },
		{ "tcp web -> web:80", "the same container", 12 },
		{ "tcp outside -> 203.0.113.1:80", "neither side is a container", 5 },
		{ "tcp outside -> host:8443", "published for web", 5 },
		{ "icmpv6 host -> db", "needs IPv6 addresses", 8 },
		{ "tcp [2001:db8::1] -> db:80", "no addresses of the same family", 22 },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct fixture *fixture = *state;
		struct error error = {};
		json_t *json = NULL;

		assert_int_equal(explain_text(fixture->world, table[i].packet, &json, &error), -EINVAL);
		assert_null(json);
		if (!strstr(error.text, table[i].sentence) || error.column != table[i].column)
			fail_msg("%s: column %u, %s", table[i].packet, error.column, error.text);
	}
}

static void cases_are_read(void **state)
{
	static const char good[] =
		"version: 1\npolicy: p.yaml\ninventory: /etc/i.yaml\ncases:\n"
		"  - \"allow tcp 203.0.113.7:4444 -> web:443\"\n"
		"  - would_deny udp outside -> audited:1\n"
		"  - { packet: \"tcp web -> db:1\", expect: deny, rule: x, reason: default_denied, name: \"no way\" }\n";
	struct policy_cases read;
	struct error error = {};

	(void)state;
	if (policy_cases_parse("dir/cases.yaml", good, strlen(good), &read, &error) < 0)
		fail_msg("%s", error.text);
	assert_string_equal(read.policy, "dir/p.yaml");
	assert_string_equal(read.inventory, "/etc/i.yaml");
	assert_int_equal(read.count, 3);
	assert_int_equal(read.cases[0].expect, DNET_PASS);
	assert_string_equal(read.cases[0].packet, "tcp 203.0.113.7:4444 -> web:443");
	assert_int_equal(read.cases[1].expect, DNET_WOULD_DENY);
	assert_int_equal(read.cases[2].expect, DNET_DENY);
	assert_string_equal(read.cases[2].rule, "x");
	assert_string_equal(read.cases[2].reason, "default_denied");
	assert_string_equal(read.cases[2].name, "no way");
	assert_int_equal(read.cases[2].line, 7);
	policy_cases_clear(&read);
}

static void bad_cases_have_a_place(void **state)
{
	static const struct { const char *text, *place, *sentence; } table[] = {
		{ "", "c.yaml:1:1: ", "empty" },
		{ "version: 2\ncases: []\n", "c.yaml:1:10: ", "is 1" },
		{ "version: 1\n", "c.yaml:1:1: ", "\"cases\"" },
		{ "version: 1\ncases:\n  - permit tcp a -> b:1\n", "c.yaml:3:5: ", "begins with" },
		{ "version: 1\ncases:\n  - allow tpc a -> b:1\n", "c.yaml:3:11: ", "did you mean \"tcp\"" },
		{ "version: 1\ncases:\n  - { packet: tcp a -> b, expect: deny }\n", "c.yaml:3:24: ", "the port is missing" },
		{ "version: 1\ncases:\n  - { packet: tcp a -> b:1, expect: refuse }\n", "c.yaml:3:37: ", "allow, deny or would_deny" },
		{ "version: 1\ncases:\n  - { packet: tcp a -> b:1, expect: deny, reason: polcy_denied }\n", "c.yaml:3:51: ",
		  "did you mean \"policy_denied\"" },
		{ "version: 1\ncases:\n  - { packet: tcp a -> b:1 }\n", "c.yaml:3:5: ", "\"expect\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct policy_cases read;
		struct error error = {};

		assert_int_equal(policy_cases_parse("c.yaml", table[i].text, strlen(table[i].text), &read, &error), -EINVAL);
		if (strncmp(error.text, table[i].place, strlen(table[i].place)) != 0 || !strstr(error.text, table[i].sentence))
			fail_msg("%s\n%s", table[i].text, error.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_and_who_decides),
		cmocka_unit_test(every_earlier_rule_says_what_it_lacks),
		cmocka_unit_test(both_ends_are_judged_in_order),
		cmocka_unit_test(a_ban_says_which_and_how_to_lift_it),
		cmocka_unit_test(names_are_resolved_as_docker_would),
		cmocka_unit_test(notes_say_what_docker_does),
		cmocka_unit_test(what_cannot_be_asked_is_said),
		cmocka_unit_test(cases_are_read),
		cmocka_unit_test(bad_cases_have_a_place),
	};

	return cmocka_run_group_tests_name("explain", tests, set_up, tear_down);
}
