/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/marked.h"

#include <errno.h>

#include "base/cleanup.h"
#include "config/policy_file.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define V "version: 1\n"
#define P V "policies:\n  - name: a\n    select: all\n"

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
	struct error error = {};

	if (policy_file_parse("policy.yaml", text, strlen(text), set, NULL, &error) != 0)
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
	assert_int_equal(policy_file_parse("/etc/x.yaml", full, strlen(full), &set, NULL, &error), -EINVAL);
	assert_string_equal(error.text, "/etc/x.yaml:12:15: \"to-be-seen\" is not a protocol: write tcp, udp, sctp, icmp, icmpv6 or proto:NUMBER, "
			    "with ports as in 80,443/tcp");
}

static void test_language(void **state)
{
	static const char text[] = V
		"geo: { database: /usr/share/tor/geoip }\n"
		"timeouts: { tcp-established: 2d, udp-new: 45s, other: 3m, icmp: 1h }\n"
		"sets:\n"
		"  office: [203.0.113.0/24, \"2001:db8:1::/48\", 203.0.113.0/24, 192.0.2.9]\n"
		"  empty: []\n"
		"policies:\n"
		"  - name: both\n"
		"    select: [ \"service:shop/web and not label:a=b\", container:db ]\n"
		"    override: true\n"
		"    until: 2030-12-31T18:00:00.25Z\n"
		"    ingress: [ allow from set:office ]\n"
		"  - { name: late, select: [ all ], until: \"1970-01-01T00:00:01Z\", override: false }\n"
		/* Below what it names. */
		"host:\n"
		"  never-block: [ set:office, 198.18.0.1, iface:eth0 ]\n"
		"  rules:\n"
		"    - \"deny from set:empty, outside as bad\"\n"
		"    - deny 25/tcp to any\n";
	const struct rule_list *ingress, *egress;
	const struct policy *both;
	struct policy_set set;

	(void)state;
	parse_good(text, &set);
	assert_string_equal(set.geo_database, "/usr/share/tor/geoip");
	assert_int_equal(set.timeout_sec[DNET_TIMEOUT_TCP_ESTABLISHED], 172800);
	assert_int_equal(set.timeout_sec[DNET_TIMEOUT_UDP_NEW], 45);
	assert_int_equal(set.timeout_sec[DNET_TIMEOUT_OTHER], 180);
	assert_int_equal(set.timeout_sec[DNET_TIMEOUT_ICMP], 3600);
	assert_int_equal(set.timeout_sec[DNET_TIMEOUT_TCP_NEW], 0);
	assert_int_equal(set.set_count, 2);
	assert_string_equal(set.sets[0].name, "office");
	assert_int_equal(set.sets[0].prefix_count, 3);
	assert_int_equal(set.sets[0].prefixes[0].prefix_len, 128);
	assert_int_equal(set.sets[0].prefixes[1].prefix_len, 96 + 24);
	assert_int_equal(set.sets[0].prefixes[2].prefix_len, 48);
	assert_null(set.sets[0].file);
	assert_int_equal(set.sets[1].prefix_count, 0);
	assert_int_equal(set.source_count, 1);
	assert_string_equal(set.sources[0].path, "policy.yaml");

	both = &set.policies[0];
	assert_int_equal(both->selector.kind, SELECT_OR);
	assert_int_equal(both->selector.child_count, 2);
	assert_int_equal(both->selector.children[0].kind, SELECT_AND);
	assert_int_equal(both->selector.children[1].kind, SELECT_CONTAINER);
	assert_true(both->override);
	assert_int_equal(both->until_unix_ns, 1924970400250000000);
	assert_int_equal(set.policies[1].until_unix_ns, 1000000000);
	assert_false(set.policies[1].override);

	assert_string_equal(set.host.name, "host");
	assert_int_equal(set.host.origin.line, 14);
	ingress = &set.host.direction[DNET_INGRESS];
	egress = &set.host.direction[DNET_EGRESS];
	assert_int_equal(ingress->count, 4);
	assert_int_equal(ingress->rules[0].action, DNET_RULE_ALLOW);
	assert_int_equal(ingress->rules[0].peers[0].kind, PEER_SET);
	assert_int_equal(ingress->rules[0].origin.line, 15);
	assert_int_equal(ingress->rules[0].origin.column, 18);
	assert_int_equal(ingress->rules[2].peers[0].kind, PEER_INTERFACE);
	assert_int_equal(ingress->rules[3].action, DNET_RULE_DENY);
	assert_string_equal(ingress->rules[3].name, "bad");
	assert_int_equal(ingress->rules[3].origin.line, 17);
	assert_int_equal(ingress->rules[3].origin.column, 8);
	/* Nothing goes to an interface. */
	assert_int_equal(egress->count, 3);
	assert_int_equal(egress->rules[1].peers[0].kind, PEER_PREFIX);
	assert_string_equal(egress->rules[2].text, "deny 25/tcp to any");
	policy_set_clear(&set);
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
	{ V "^wrong: []\n", "the keys are version, defaults, geo, timeouts, sets, host, policies, include" },
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
	{ V "policies: [ { name: ^host, select: all } ]\n", "another name" },
	{ V "policies: [ { name: a, select: ^[] } ]\n", "select is an empty list" },
	{ V "policies: [ { name: a, select: [ all, ^[all] ] } ]\n", "each item of select is one text" },
	{ V "policies: [ { name: a, select: [ all, ^{} ] } ]\n", "each item of select is one text" },
	{ V "policies: [ { name: a, select: [ all, ^~ ] } ]\n", "each item of select is one text" },
	{ V "policies: [ { name: a, select: [ all, \"all and ^webb\" ] } ]\n", "" },
	{ V "policies: [ { name: a, select: ^{} } ]\n", "\"select\" must be a text" },
	{ P "    override: ^yes\n", "must be true or false" },
	{ P "    ^until:\n", "\"until\" must be a text" },
	{ P "    until: ^tomorrow\n", "such as 2030-12-31T18:00:00Z" },
	{ P "    until: ^2030-12-31\n", "must be a time in UTC" },
	{ P "    until: ^2030-12-31T18:00:00\n", "must be a time in UTC" },
	{ P "    until: ^2030-12-31T18:00:00+01:00\n", "must be a time in UTC" },
	{ P "    until: ^2030-12-31 18:00:00Z\n", "must be a time in UTC" },
	{ P "    until: ^2030-02-30T18:00:00Z\n", "must be a time in UTC" },
	{ P "    until: ^2030-13-01T18:00:00Z\n", "must be a time in UTC" },
	{ P "    until: ^2030-12-31T25:00:00Z\n", "must be a time in UTC" },
	{ P "    until: ^2030-12-31T18:00:00.Z\n", "must be a time in UTC" },
	{ P "    until: ^2030-12-31T18:00:00Zz\n", "must be a time in UTC" },
	{ P "    until: ^1969-12-31T18:00:00Z\n", "must be a time in UTC" },
	{ P "    until: ^9999-12-31T18:00:00Z\n", "must be a time in UTC" },
	{ V "policies: [ { name: a, ^select: } ]\n", "\"select\" must be a text" },
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
	{ P "    ingress: [ \"allow from any, ^set:office\" ]\n", "office" },
	/* geo, timeouts */
	{ V "^geo:\n", "\"geo\" has no value" },
	{ V "geo: ^{}\n", "needs the key \"database\"" },
	{ V "geo: { ^databse: x }\n", "did you mean \"database\"?" },
	{ V "geo: { database: ^[] }\n", "must be a text" },
	{ V "geo: { database: ^'' }\n", "the path of the database is missing" },
	{ V "^timeouts:\n", "\"timeouts\" has no value" },
	{ V "timeouts: { ^tcp-etablished: 5d }\n", "did you mean \"tcp-established\"?" },
	{ V "timeouts: { tcp-established: ^5 }\n", "\"tcp-established\" must be a duration from 1s to 3650d" },
	{ V "timeouts: { udp-new: ^0s }\n", "must be a duration" },
	{ V "timeouts: { udp-new: ^-1s }\n", "must be a duration" },
	{ V "timeouts: { udp-new: ^9999d }\n", "must be a duration" },
	{ V "timeouts: { udp-new: ^5w }\n", "must be a duration" },
	{ V "timeouts: { ^udp-new: }\n", "must be a text" },
	/* sets */
	{ V "^sets:\n", "\"sets\" has no value" },
	{ V "sets: ^[]\n", "\"sets\" must be a mapping" },
	{ V "sets: { ^a: }\n", "a set is a list of prefixes, or { file: PATH }" },
	{ V "sets: { a: ^192.0.2.0/24 }\n", "a set is a list of prefixes, or { file: PATH }" },
	{ V "sets: { \"a^ b\": [] }\n", "cannot be in the name of a set" },
	{ V "sets: { a: [], ^a: [] }\n", "there is a set \"a\" in line 2 already" },
	{ V "sets: { a: [ 192.0.2.1, ^web ] }\n", "\"web\" is no prefix" },
	{ V "sets: { a: [ ^192.0.2.1/24 ] }\n", "write 192.0.2.0/24" },
	{ V "sets: { a: [ ^192.0.2.1/33 ] }\n", "write /0 to /32" },
	{ V "sets: { a: [ ^\"2001:db8::/129\" ] }\n", "write /0 to /128" },
	{ V "sets: { a: [ ^[] ] }\n", "each item of a set is one prefix" },
	{ V "sets: { a: { ^fiel: x } }\n", "did you mean \"file\"?" },
	{ V "sets: { a: ^{} }\n", "needs the key \"file\"" },
	{ V "sets: { a: { file: ^'' } }\n", "the path of the set's file is missing" },
	{ V "sets: { a: { file: ^/nonexistent/drop } }\n", "the file of the set cannot be read: /nonexistent/drop: No such file" },
	{ V "sets: { a: { file: ^/dev/null } }\n", "this is not a file" },
	{ V "sets: { a: { file: ^/ } }\n", "this is not a file" },
	/* host */
	{ V "^host:\n", "\"host\" has no value" },
	{ V "host: ^[]\n", "it is a list" },
	{ V "host: { ^rule: [] }\n", "did you mean \"rules\"?" },
	{ V "host: { ^rules: }\n", "\"rules\" has no value" },
	{ V "host: { rules: [ ^allow from any ] }\n", "only deny" },
	{ V "host: { rules: [ deny from any, deny ^any ] }\n", "" },
	{ V "host: { rules: [ ^{} ] }\n", "a rule is one text" },
	{ V "sets: { office: [] }\nhost: { rules: [ \"deny to ^set:offise\" ] }\n", "did you mean" },
	{ V "host: { never-block: ^any }\n", "\"never-block\" must be a list" },
	{ V "host: { never-block: [ any, ^set:office ] }\n", "office" },
	{ V "host: { never-block: [ any, ^\"any, host\" ] }\n", "is one peer" },
	{ V "host: { never-block: [ ^192.0.2.1/24 ] }\n", "bits beyond" },
	{ V "host: { never-block: [ \"^hots\" ] }\n", "did you mean \"host\"?" },
	{ V "host: { never-block: [ ^'' ] }\n", "is one peer" },
	/* include */
	{ V "^include:\n", "\"include\" has no value" },
	{ V "include: ^{}\n", "each item of include is one text" },
	{ V "include: [ ^[] ]\n", "each item of include is one text" },
	{ V "include: ^policy.d/\n", "this names a folder" },
	{ V "include: ^pol*/x.yaml\n", "wildcards are for the names of files" },
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

/* Going on after an error changes nothing of it. */
static void check_diagnostics(const struct marked *marked, const struct error *expected)
{
	struct diagnostics diagnostics = {};
	struct policy_set set;
	struct error error = {};

	assert_int_equal(policy_file_parse("policy.yaml", marked->text, strlen(marked->text), &set, &diagnostics, &error), -EINVAL);
	assert_string_equal(error.text, expected->text);
	assert_in_range(diagnostics.errors, 1, diagnostics.count);
	for (size_t i = 0; i < diagnostics.count; i++)
		if (strcmp(diagnostics.items[i].sentence, error.text + error.sentence) == 0) {
			assert_int_equal(diagnostics.items[i].line, marked->line);
			assert_int_equal(diagnostics.items[i].column, marked->column);
			diagnostics_clear(&diagnostics);
			return;
		}
	fail_msg("not among the diagnostics: %s", error.text);
}

static void test_bad(void **state)
{
	struct policy_set untouched;

	(void)state;
	memset(&untouched, 0x5a, sizeof(untouched));
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct marked marked = marked_take(bad[i].text);
		struct policy_set set = untouched;
		struct error error = {};

		if (policy_file_parse("policy.yaml", marked.text, strlen(marked.text), &set, NULL, &error) != -EINVAL)
			fail_msg("accepted:\n%s", marked.text);
		assert_memory_equal(&set, &untouched, sizeof(set));
		marked_check(&marked, "policy.yaml", error.text, bad[i].part);
		check_diagnostics(&marked, &error);
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
		{ "version: 1\n\n\nshield: {}\n", "f:4:1: \"shield\" is not supported yet" },
		{ "version: 1\ndefaults: {\"\xc3\xa4\xc3\xb6\": 1, unselected: deny}\n",
		  "f:2:12: \"defaults\" has no key \"????\": the keys are unselected, unknown, on-failure, labels" },
		{ "version: 1 \ndefaults: {unselected: allow, \"labels\":   \xe2\x82\xac}\n",
		  "f:2:43: \"labels\" must be trust or ignore, not \"???\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy_set set;
		struct error error = {};

		assert_int_equal(policy_file_parse("f", cases[i].text, strlen(cases[i].text), &set, NULL, &error), -EINVAL);
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
		{ V "sets:\n", "  s%zu: [ 192.0.2.1 ]\n", 1024, "policy.yaml:1027:3: more than 1024 sets" },
		{ V "host:\n  rules:\n", "    - deny from any as n%zu\n", DNET_MAX_RULES - 1, "policy.yaml:1027:7: more than 1023 rules" },
		{ V, "# %07zu\n", (4194304 - 11) / 10, "policy.yaml:1:1: the file is larger than 4 MiB" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t more = 0; more < 2; more++) {
			size_t length;
			_cleanup_free_ char *text = repeat(cases[i].head, cases[i].line, cases[i].most + more, &length);
			struct policy_set set;
			struct error error = {};
			int r = policy_file_parse("policy.yaml", text, length, &set, NULL, &error);

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
	assert_int_equal(policy_file_parse("f", bomb, strlen(bomb), &set, NULL, &error), -EINVAL);
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
	assert_int_equal(policy_file_load(path, &set, NULL, &error), -ENOENT);
	assert_int_equal(strncmp(error.text, path, strlen(path)), 0);
	assert_int_equal(policy_file_load(folder, &set, NULL, &error), -EISDIR);

	file = fopen(path, "w");
	assert_non_null(file);
	fputs(P "    ingress: [ allow ^ from any ]\n", file);
	fclose(file);
	assert_int_equal(policy_file_load(path, &set, NULL, &error), -EINVAL);
	assert_non_null(strstr(error.text, "/policy.yaml:5:22: \"^\" is not a protocol"));

	file = fopen(path, "w");
	assert_non_null(file);
	fputs(P, file);
	fclose(file);
	assert_int_equal(policy_file_load(path, &set, NULL, &error), 0);
	assert_int_equal(set.policy_count, 1);
	assert_string_equal(set.policies[0].origin.file, path);
	policy_set_clear(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_error_place),
		cmocka_unit_test(test_language),
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
