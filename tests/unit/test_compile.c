/* SPDX-License-Identifier: GPL-2.0 */
/* The compiler's tables: golden ones, every kind of peer, what is shared, and what a new container adds. */
#include "compile_fixture.h"

/* --- tables as text */

struct print {
	char text[8192];
	size_t length;
};

static void print(struct print *print, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void print(struct print *print, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(print->text + print->length, sizeof(print->text) - print->length, format, arguments);
	va_end(arguments);
	assert_true(n >= 0 && (size_t)n < sizeof(print->text) - print->length);
	print->length += (size_t)n;
}

static void print_row(struct print *out, const struct world *world, uint32_t row, uint32_t words)
{
	uint32_t first = row - world->arena * DNET_MAX_ROW_WORDS;
	const char *separator = "";

	assert_true(row > world->arena * DNET_MAX_ROW_WORDS && first + words <= world->tables.row_words);
	print(out, " {");
	for (uint32_t bit = 0; bit < words * 64; bit++) {
		if (!(world->tables.rows[first + bit / 64] >> (bit % 64) & 1))
			continue;
		print(out, "%s%u", separator, bit);
		separator = " ";
	}
	print(out, "}");
}

static void print_ruleset(struct print *out, const struct world *world, uint32_t local)
{
	static const char *const classes[] = { "other", "outside", "host", "lan", "internet", "group" };
	static const char *const flags[] = { "endpoints", "prefixes", "scopes", "interfaces", "sets" };
	static const char *const kinds[] = { "endpoint", "interface", "class" };
	const struct compiled_tables *tables = &world->tables;
	const struct dnet_ruleset *ruleset = &tables->rulesets[local];
	char prefix[TEXT_PREFIX_SIZE];

	print(out, "ruleset %u: %u words, %u rules", local, ruleset->words, ruleset->rule_count);
	for (size_t i = 0; i < COUNT(flags); i++)
		print(out, "%s%s", ruleset->flags >> i & 1 ? ", " : "", ruleset->flags >> i & 1 ? flags[i] : "");
	print(out, "\n");
	for (uint32_t i = 0; i < ruleset->rule_count; i++) {
		const struct dnet_rule *rule = &tables->rules[ruleset->rule_base - world->arena * DNET_MAX_RULE_ENTRIES + i];

		print(out, "rule %u %s %u\n", i, rule->action == DNET_RULE_ALLOW ? "allow" : "deny", rule->counter);
	}
	for (uint32_t i = 0; i < ruleset->bound_count; i++) {
		const struct dnet_bound *bound = &tables->bounds[ruleset->bound_base - world->arena * DNET_MAX_BOUNDS + i];

		print(out, "from %u:%u", bound->first >> 16, bound->first & 0xffff);
		print_row(out, world, bound->row, ruleset->words);
		print(out, "\n");
	}
	for (size_t i = 0; i < COUNT(classes); i++) {
		print(out, "%s", classes[i]);
		print_row(out, world, ruleset->class_row[i], ruleset->words);
		print(out, "\n");
	}
	for (size_t i = 0; i < tables->prefix_count; i++) {
		if (tables->prefixes[i].ruleset != local)
			continue;
		print(out, "prefix %s", text_prefix(&tables->prefixes[i].addr, tables->prefixes[i].prefix_len, prefix));
		print_row(out, world, tables->prefixes[i].row, ruleset->words);
		print(out, "\n");
	}
	for (size_t i = 0; i < tables->peer_count; i++) {
		if (tables->peers[i].ruleset != local)
			continue;
		print(out, "%s %u", kinds[tables->peers[i].kind], tables->peers[i].id);
		print_row(out, world, tables->peers[i].row, ruleset->words);
		print(out, "\n");
	}
}

#define SETS "sets: { office: [ 192.0.2.0/24, \"2001:db8:1::/48\" ], bad: [ 192.0.2.128/25 ] }\n"
#define ONE(rules) "version: 1\n" SETS "policies:\n  - name: p\n    select: \"container:web\"\n    ingress: [ " rules " ]\n"

/* The ingress ruleset of web for the given rules. */
static const struct {
	const char *name, *rules, *tables;
} goldens[] = {
	{ "ports and classes", "\"allow 80/tcp from any as r5\", \"deny 443/tcp from outside as r6\", \"allow udp from host as r7\"",
	  "ruleset 1: 1 words, 3 rules\n"
	  "rule 0 allow 5\n" "rule 1 deny 6\n" "rule 2 allow 7\n"
	  "from 0:0 {}\n" "from 6:80 {0}\n" "from 6:81 {}\n" "from 6:443 {1}\n" "from 6:444 {}\n" "from 17:0 {2}\n" "from 18:0 {}\n"
	  "other {0}\n" "outside {0 1}\n" "host {0 2}\n" "lan {0 1}\n" "internet {0 1}\n" "group {}\n" },
	{ "intervals that overlap in a rule and between rules", "\"allow 80-90/tcp, 85-100/tcp from any as r1\", \"deny 90/tcp from any as r2\"",
	  "ruleset 1: 1 words, 2 rules\n"
	  "rule 0 allow 1\n" "rule 1 deny 2\n"
	  "from 0:0 {}\n" "from 6:80 {0}\n" "from 6:90 {0 1}\n" "from 6:91 {0}\n" "from 6:101 {}\n"
	  "other {0 1}\n" "outside {0 1}\n" "host {0 1}\n" "lan {0 1}\n" "internet {0 1}\n" "group {}\n" },
	{ "scopes and groups", "\"deny from lan as r1\", \"allow from internet as r2\", \"allow udp from multicast as r3\"",
	  "ruleset 1: 1 words, 3 rules, scopes\n"
	  "rule 0 deny 1\n" "rule 1 allow 2\n" "rule 2 allow 3\n"
	  "from 0:0 {0 1}\n" "from 17:0 {0 1 2}\n" "from 18:0 {0 1}\n"
	  "other {}\n" "outside {}\n" "host {}\n" "lan {0}\n" "internet {1}\n" "group {2}\n" },
	{ "prefixes hold what covers them", "\"deny from 192.0.2.128/25 as r1\", \"allow from 192.0.2.0/24, ::/0 as r2\"",
	  "ruleset 1: 1 words, 2 rules, prefixes\n"
	  "rule 0 deny 1\n" "rule 1 allow 2\n"
	  "from 0:0 {0 1}\n"
	  "other {}\n" "outside {}\n" "host {}\n" "lan {}\n" "internet {}\n" "group {}\n"
	  "prefix 0.0.0.0/0 {}\n" "prefix 192.0.2.0/24 {1}\n" "prefix 192.0.2.128/25 {0 1}\n" "prefix ::/0 {1}\n" },
	{ "names", "\"deny from container:db as r1\", \"allow from service:*/db, network:ops as r2\", \"allow from project, label:app=w* as r3\"",
	  "ruleset 1: 1 words, 3 rules, endpoints\n"
	  "rule 0 deny 1\n" "rule 1 allow 2\n" "rule 2 allow 3\n"
	  "from 0:0 {0 1 2}\n"
	  "other {}\n" "outside {}\n" "host {}\n" "lan {}\n" "internet {}\n" "group {}\n"
	  "endpoint 11 {2}\n" "endpoint 12 {0 1 2}\n" "endpoint 13 {1}\n" "endpoint 14 {1}\n" "endpoint 15 {1}\n" },
	{ "interfaces and sets", "\"deny from set:bad as r1\", \"allow from iface:wg0, set:office as r2\"",
	  "ruleset 1: 1 words, 2 rules, interfaces, sets\n"
	  "rule 0 deny 1\n" "rule 1 allow 2\n"
	  "from 0:0 {0 1}\n"
	  "other {}\n" "outside {}\n" "host {}\n" "lan {}\n" "internet {}\n" "group {}\n"
	  "interface 7 {1}\n" "class 1 {1}\n" "class 2 {0 1}\n" },
	{ "resolvers on the wire", "\"allow 53/udp from dns as r1\"",
	  "ruleset 1: 1 words, 1 rules, prefixes\n"
	  "rule 0 allow 1\n"
	  "from 0:0 {}\n" "from 17:53 {0}\n" "from 17:54 {}\n"
	  "other {}\n" "outside {}\n" "host {}\n" "lan {}\n" "internet {}\n" "group {}\n"
	  "prefix 192.0.2.53 {0}\n" "prefix 2001:db8::53 {0}\n" },
	{ "metadata services", "\"deny from metadata as r1\"",
	  "ruleset 1: 1 words, 1 rules, prefixes\n"
	  "rule 0 deny 1\n"
	  "from 0:0 {0}\n"
	  "other {}\n" "outside {}\n" "host {}\n" "lan {}\n" "internet {}\n" "group {}\n"
	  "prefix 100.100.100.200 {0}\n" "prefix 168.63.129.16 {0}\n" "prefix 169.254.169.254 {0}\n" "prefix 169.254.170.2 {0}\n"
	  "prefix 169.254.170.23 {0}\n" "prefix fd00:ec2::23 {0}\n" "prefix fd00:ec2::254 {0}\n" "prefix fd20:ce::254 {0}\n" },
	{ "nothing at all", "",
	  "ruleset 1: 1 words, 0 rules\n" "from 0:0 {}\n"
	  "other {}\n" "outside {}\n" "host {}\n" "lan {}\n" "internet {}\n" "group {}\n" },
	{ "on a network that is another one", "\"allow 1/tcp from any on network:ops as r1\", \"allow 2/tcp from any on network:dmz as r2\"",
	  "ruleset 1: 1 words, 1 rules\n" "rule 0 allow 2\n"
	  "from 0:0 {}\n" "from 6:2 {0}\n" "from 6:3 {}\n"
	  "other {0}\n" "outside {0}\n" "host {0}\n" "lan {0}\n" "internet {0}\n" "group {}\n" },
};

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(goldens); i++)
		for (uint32_t arena = 0; arena < DNET_ARENAS; arena++) {
			_cleanup_free_ char *text = NULL;
			struct print out = {};
			struct world world;

			assert_true(asprintf(&text, ONE("%s"), goldens[i].rules) > 0);
			world_begin(&world, text, arena);
			world_all(&world);
			assert_int_equal(world.tables.ruleset_count, 2);
			assert_int_equal(file_ruleset(&world, WEB, DNET_INGRESS), 1);
			print_ruleset(&out, &world, 1);
			if (strcmp(out.text, goldens[i].tables) != 0)
				fail_msg("%s, arena %u:\n%sinstead of\n%s", goldens[i].name, arena, out.text, goldens[i].tables);
			world_end(&world);
		}
}

static void test_questions(void **state)
{
	static const struct {
		const char *rules;
		uint32_t selector;
		const char *peer;
		int endpoint;
		enum dnet_peer_class class;
		int expected;
	} cases[] = {
		{ "\"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.2.7", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.3.7", -1, DNET_PEER_OUTSIDE, -1 },
		{ "\"allow 80/tcp from 192.0.2.0/24\"", TCP(81), "192.0.2.7", -1, DNET_PEER_OUTSIDE, -1 },
		/* Rows of an inner prefix hold the outer ones' rules. */
		{ "\"deny 80/tcp from 192.0.2.128/25\", \"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.2.200", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"deny 80/tcp from 192.0.2.128/25\", \"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.2.100", -1, DNET_PEER_OUTSIDE, 1 },
		{ "\"allow 81/tcp from 192.0.2.128/25\", \"allow 80/tcp from 192.0.2.0/24\"", TCP(80), "192.0.2.200", -1, DNET_PEER_OUTSIDE, 1 },
		{ "\"allow 80/tcp from 192.0.2.0/24\", \"deny 80/tcp from 192.0.2.200\"", TCP(80), "192.0.2.200", -1, DNET_PEER_OUTSIDE, 0 },
		/* Families do not cross. */
		{ "\"allow from 0.0.0.0/0\"", TCP(80), "192.0.2.1", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"allow from 0.0.0.0/0\"", TCP(80), "2001:db8::1", -1, DNET_PEER_OUTSIDE, -1 },
		{ "\"allow from ::/0\"", TCP(80), "192.0.2.1", -1, DNET_PEER_OUTSIDE, -1 },
		{ "\"allow from ::/0\"", TCP(80), "2001:db8::1", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"allow from ::/64, 10.0.0.0/8\"", TCP(80), "192.0.2.1", -1, DNET_PEER_OUTSIDE, -1 },
		{ "\"allow from ::/64, 10.0.0.0/8\"", TCP(80), "10.1.2.3", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"deny from ::/0\", \"allow from 192.0.2.0/24\"", TCP(80), "192.0.2.1", -1, DNET_PEER_OUTSIDE, 1 },
		/* Ends of ports and of protocols. */
		{ "\"allow 1/tcp from any\"", TCP(0), NULL, -1, 0, -1 },
		{ "\"allow 1/tcp from any\"", TCP(1), NULL, -1, 0, 0 },
		{ "\"allow 65535/tcp from any\"", TCP(65535), NULL, -1, 0, 0 },
		{ "\"allow 65535/tcp from any\"", DNET_SELECTOR(7, 0), NULL, -1, 0, -1 },
		{ "\"allow proto:255 from any\"", DNET_SELECTOR_MAX, NULL, -1, 0, 0 },
		{ "\"allow from any\"", 0, NULL, -1, 0, 0 },
		{ "\"allow from any\"", DNET_SELECTOR_MAX, NULL, -1, 0, 0 },
		{ "\"allow icmp:echo-request from any\"", DNET_SELECTOR(1, 0x800), NULL, -1, 0, 0 },
		{ "\"allow icmp:echo-request from any\"", DNET_SELECTOR(1, 0x8ff), NULL, -1, 0, 0 },
		{ "\"allow icmp:echo-request from any\"", DNET_SELECTOR(1, 0x900), NULL, -1, 0, -1 },
		/* Names. */
		{ "\"allow from service:db\"", TCP(1), NULL, DB, 0, 0 },
		{ "\"allow from service:db\"", TCP(1), NULL, MILL_DB, 0, -1 },
		{ "\"allow from service:db\"", TCP(1), NULL, LONE_DB, 0, -1 },
		{ "\"allow from service:d?\"", TCP(1), NULL, DB, 0, 0 },
		{ "\"allow from service:*/db\"", TCP(1), NULL, MILL_DB, 0, 0 },
		{ "\"allow from service:mill/d*\"", TCP(1), NULL, MILL_DB, 0, 0 },
		{ "\"allow from service:mill/d*\"", TCP(1), NULL, DB, 0, -1 },
		{ "\"allow from container:*-db\"", TCP(1), NULL, LONE_DB, 0, 0 },
		{ "\"allow from container:*-db\"", TCP(1), NULL, DB, 0, -1 },
		{ "\"allow from network:ops\"", TCP(1), NULL, MON, 0, 0 },
		{ "\"allow from network:ops\"", TCP(1), NULL, DB, 0, -1 },
		{ "\"allow from label:app=db\"", TCP(1), NULL, DB, 0, 0 },
		{ "\"allow from label:app=db\"", TCP(1), NULL, WEB, 0, -1 },
		{ "\"allow from label:app=*\"", TCP(1), NULL, MON, 0, -1 },
		{ "\"allow from project\"", TCP(1), NULL, DB, 0, 0 },
		{ "\"allow from project\"", TCP(1), NULL, MON, 0, -1 },
		{ "\"allow from container:nobody\"", TCP(1), NULL, DB, 0, -1 },
		{ "\"deny from container:db\", \"allow from network:dmz\"", TCP(1), NULL, DB, 0, 0 },
		{ "\"deny from container:db\", \"allow from network:dmz\"", TCP(1), NULL, MILL_DB, 0, 1 },
		/* Places. */
		{ "\"allow from outside\"", TCP(1), NULL, -1, DNET_PEER_LAN, 0 },
		{ "\"allow from outside\"", TCP(1), NULL, -1, DNET_PEER_HOST, -1 },
		{ "\"allow from lan\"", TCP(1), NULL, -1, DNET_PEER_LAN, 0 },
		{ "\"allow from lan\"", TCP(1), NULL, -1, DNET_PEER_OUTSIDE, -1 },
		{ "\"allow from internet\"", TCP(1), NULL, -1, DNET_PEER_INTERNET, 0 },
		{ "\"allow from internet\"", TCP(1), NULL, -1, DNET_PEER_LAN, -1 },
		{ "\"deny from metadata\", \"allow from any\"", TCP(80), "169.254.169.254", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"deny from metadata\", \"allow from any\"", TCP(80), "169.254.169.253", -1, DNET_PEER_OUTSIDE, 1 },
		{ "\"allow from dns\"", UDP(53), "192.0.2.53", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"allow from dns\"", UDP(53), "127.0.0.11", -1, DNET_PEER_OTHER, -1 },
		{ "\"allow from set:office\"", TCP(1), "192.0.2.9", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"allow from set:office\"", TCP(1), "2001:db8:1:2::3", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"allow from set:office\"", TCP(1), "192.0.3.9", -1, DNET_PEER_OUTSIDE, -1 },
		{ "\"deny from set:bad\", \"allow from set:office\"", TCP(1), "192.0.2.129", -1, DNET_PEER_OUTSIDE, 0 },
		{ "\"deny from set:bad\", \"allow from set:office\"", TCP(1), "192.0.2.127", -1, DNET_PEER_OUTSIDE, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		_cleanup_free_ char *text = NULL;
		struct world world;
		int answer;

		assert_true(asprintf(&text, ONE("%s"), cases[i].rules) > 0);
		world_begin(&world, text, i % DNET_ARENAS);
		world_all(&world);
		answer = ask(&world, file_ruleset(&world, WEB, DNET_INGRESS), cases[i].selector, cases[i].peer, cases[i].endpoint, cases[i].class);
		if (answer != cases[i].expected)
			fail_msg("case %zu: %s: rule %d, not %d", i, cases[i].rules, answer, cases[i].expected);
		world_end(&world);
	}
}

/* A group is beside what the peer itself is. */
static void test_group(void **state)
{
	struct explain_question asked = question(UDP(5353), "224.0.0.251", -1, DNET_PEER_OTHER);
	struct world world;

	(void)state;
	world_begin(&world, ONE("\"deny from container:db\", \"allow from multicast\", \"deny from any\""), 0);
	world_all(&world);
	assert_int_equal(ask_question(&world, 1, &asked), 2);
	asked.group = true;
	assert_int_equal(ask_question(&world, 1, &asked), 1);
	asked.peer_endpoint = ID(DB);
	assert_int_equal(ask_question(&world, 1, &asked), 0);
	world_end(&world);
}

/* An interface that comes, goes, or comes again with another number. */
static void test_interfaces(void **state)
{
	struct explain_question asked = question(TCP(1), NULL, -1, DNET_PEER_OUTSIDE);
	struct world world;

	(void)state;
	world_begin(&world, ONE("\"allow from iface:wg0\""), 1);
	world.interface_count = 1;
	world_all(&world);
	asked.peer_ifindex = 7;
	assert_int_equal(ask_question(&world, 1, &asked), -1);
	world.interface_count = 2;
	world_all(&world);
	assert_int_equal(world.tables.peer_count, 1);
	assert_int_equal(ask_question(&world, 1, &asked), 0);
	asked.peer_ifindex = 2;
	assert_int_equal(ask_question(&world, 1, &asked), -1);
	world.interface_count = 1;
	world_all(&world);
	assert_int_equal(world.tables.peer_count, 0);
	world_end(&world);
}

/* What depends on the container is not shared between those for which it differs, and everything else is. */
static void test_shared(void **state)
{
	static const struct {
		const char *rules;
		bool by_project, by_resolver, by_network;
	} cases[] = {
		{ "allow 80/tcp from any", false, false, false },
		{ "allow from service:shop/db", false, false, false },
		{ "allow from service:db", true, false, false },
		{ "allow from project", true, false, false },
		{ "allow from dns", false, true, false },
		{ "allow from any on network:ops", false, false, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		_cleanup_free_ char *text = NULL;
		struct world world;
		uint32_t web;

		assert_true(asprintf(&text, "version: 1\npolicies:\n  - { name: p, select: all, ingress: [ \"%s\" ] }\n", cases[i].rules) > 0);
		world_begin(&world, text, 0);
		world.endpoints[LONE_DB].resolver_count = 2;
		world_all(&world);
		web = file_ruleset(&world, WEB, DNET_INGRESS);
		assert_int_equal(file_ruleset(&world, DB, DNET_INGRESS), web);
		assert_int_equal(file_ruleset(&world, MILL_DB, DNET_INGRESS) != web, cases[i].by_project);
		assert_int_equal(file_ruleset(&world, LONE_DB, DNET_INGRESS) != web, cases[i].by_project || cases[i].by_resolver);
		assert_int_equal(file_ruleset(&world, MON, DNET_INGRESS) != web, cases[i].by_project || cases[i].by_network);
		world_end(&world);
	}
}

/* A bare service belongs to the project of the container that is selected, and so does `project`. */
static void test_own_project(void **state)
{
	struct world world;
	uint32_t shop, mill, lone;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: all, ingress: [ \"allow 1/tcp from service:db\", \"allow 2/tcp from project\" ] }\n", 0);
	world_all(&world);
	shop = file_ruleset(&world, WEB, DNET_INGRESS);
	mill = file_ruleset(&world, MILL_DB, DNET_INGRESS);
	lone = file_ruleset(&world, LONE_DB, DNET_INGRESS);
	assert_int_equal(ask(&world, shop, TCP(1), NULL, DB, 0), 0);
	assert_int_equal(ask(&world, shop, TCP(1), NULL, MILL_DB, 0), -1);
	assert_int_equal(ask(&world, mill, TCP(1), NULL, MILL_DB, 0), 0);
	assert_int_equal(ask(&world, lone, TCP(1), NULL, LONE_DB, 0), 0);
	assert_int_equal(ask(&world, shop, TCP(2), NULL, WEB, 0), 1);
	assert_int_equal(ask(&world, mill, TCP(2), NULL, WEB, 0), -1);
	/* Containers without a project have nothing in common. */
	assert_int_equal(ask(&world, lone, TCP(2), NULL, LONE_DB, 0), -1);
	world_end(&world);
}

/* Every selector, alone and together. The containers that are selected, in order. */
static void test_selectors(void **state)
{
	static const struct {
		const char *selector, *expected;
	} cases[] = {
		{ "all", "web db mill-db lone-db mon " },
		{ "container:web", "web " },
		{ "container:*-db", "mill-db lone-db " },
		{ "service:shop/db", "db " },
		{ "service:db", "db mill-db lone-db " },
		{ "service:*/db", "db mill-db lone-db " },
		{ "project:shop", "web db " },
		{ "project:*", "web db mill-db mon " },
		{ "image:postgres", "db mill-db " },
		{ "image:nginx:*", "web " },
		{ "label:app=web", "web " },
		{ "label:app=*", "web db " },
		{ "network:ops", "mon " },
		{ "not network:ops", "web db mill-db lone-db " },
		{ "project:shop and not container:web", "db " },
		{ "not container:web and project:shop", "db " },
		{ "container:web or container:mon", "web mon " },
		{ "container:web or project:*", "web db mill-db mon " },
		{ "service:db and (project:shop or project:mill)", "db mill-db " },
		{ "not (project:shop or project:mill)", "lone-db mon " },
		{ "not project:*", "lone-db " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		_cleanup_free_ char *text = NULL;
		struct print out = {};
		struct world world;

		assert_true(asprintf(&text, "version: 1\npolicies:\n  - { name: p, select: \"%s\", ingress: [] }\n", cases[i].selector) > 0);
		world_begin(&world, text, 0);
		world_all(&world);
		for (size_t j = 0; j < ENDPOINTS; j++)
			if (world.verdicts[j].selected)
				print(&out, "%s ", containers[j].name);
		if (strcmp(out.text, cases[i].expected) != 0)
			fail_msg("%s selects %snot %s", cases[i].selector, out.text, cases[i].expected);
		world_end(&world);
	}
}

/* --- a run after a run */

static void check_order(const struct compiled_tables *tables)
{
	for (size_t i = 1; i < tables->peer_count; i++) {
		const struct compiled_peer *a = &tables->peers[i - 1], *b = &tables->peers[i];

		assert_true(a->ruleset < b->ruleset || (a->ruleset == b->ruleset && (a->kind < b->kind || (a->kind == b->kind && a->id < b->id))));
	}
}

/* Equal content is stored once; running again changes nothing, one more container adds its own entries and keeps all ids. */
static void test_incremental(void **state)
{
	struct compiled_tables before;
	struct world world;
	uint32_t local;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: all, ingress: [ \"allow 80/tcp from container:*\", \"deny 81/tcp from any\" ] }\n"
		    "  - { name: q, select: \"container:mon\", ingress: [ \"allow 1/tcp from container:db\" ], egress: [ \"allow 80/tcp to 192.0.2.0/24\" ] }\n", 1);
	assert_int_equal(world_run(&world, 2), 0);
	local = file_ruleset(&world, WEB, DNET_INGRESS);
	assert_int_equal(file_ruleset(&world, DB, DNET_INGRESS), local);
	assert_int_equal(world.tables.peer_count, 2);
	assert_int_equal(world.tables.peers[0].row, world.tables.peers[1].row);
	before = world.tables;
	assert_int_equal(world_run(&world, 2), 0);
	assert_memory_equal(&world.tables, &before, sizeof(before));
	/* All but mon share the list; mon's new one names a container that was there before. */
	world_all(&world);
	assert_int_equal(file_ruleset(&world, MILL_DB, DNET_INGRESS), local);
	assert_true(file_ruleset(&world, MON, DNET_EGRESS) > local);
	assert_int_equal(ask(&world, local, TCP(80), NULL, MON, 0), 0);
	assert_int_equal(ask(&world, file_ruleset(&world, MON, DNET_INGRESS), TCP(1), NULL, DB, 0), 2);
	assert_int_equal(world.tables.prefix_count, 1);
	assert_int_equal(world.tables.peer_count, 2 * ENDPOINTS);
	check_order(&world.tables);
	/* A container that is gone is named no more; what it needed stays. */
	before = world.tables;
	assert_int_equal(world_run(&world, 1), 0);
	assert_int_equal(world.tables.ruleset_count, before.ruleset_count);
	assert_int_equal(ask(&world, local, TCP(80), NULL, MON, 0), -1);
	assert_int_equal(world.tables.peer_count, 2);
	world_end(&world);
}

/* An endpoint that is another one now is compiled again; the others are not touched. */
static void test_changed(void **state)
{
	struct container renamed = containers[DB];
	struct world world;
	uint32_t web;

	(void)state;
	world_begin(&world, "version: 1\npolicies:\n  - { name: p, select: \"container:web\", ingress: [ \"allow from container:new\" ] }\n"
		    "  - { name: q, select: \"container:new\", ingress: [] }\n", 0);
	world_all(&world);
	web = file_ruleset(&world, WEB, DNET_INGRESS);
	assert_int_equal(ask(&world, web, TCP(1), NULL, DB, 0), -1);
	assert_false(world.verdicts[DB].selected);
	renamed.name = "new";
	world.endpoints[DB].container = &renamed;
	world_all(&world);
	assert_int_equal(file_ruleset(&world, WEB, DNET_INGRESS), web);
	assert_int_equal(ask(&world, web, TCP(1), NULL, DB, 0), 0);
	assert_true(world.verdicts[DB].selected);
	assert_string_equal(world.verdicts[DB].policies, "q");
	world.endpoints[DB].container = &containers[DB];
	world_all(&world);
	assert_int_equal(ask(&world, web, TCP(1), NULL, DB, 0), -1);
	assert_int_equal(world.tables.peer_count, 0);
	world_end(&world);
}

/* The sets are read again: rows of classes follow, and the rulesets stay. */
static void test_set_classes_change(void **state)
{
	struct set_classes *next = NULL;
	struct prefix saved;
	struct world world;

	(void)state;
	world_begin(&world, ONE("\"deny from set:bad\", \"allow from set:office\""), 2);
	world_all(&world);
	assert_int_equal(world.tables.peer_count, 2);
	/* `bad` moves out of `office`: one combination is gone, another one is new. */
	saved = world.policies.sets[1].prefixes[0];
	assert_int_equal(text_parse_addr("198.51.100.0", &world.policies.sets[1].prefixes[0].addr), 0);
	assert_int_equal(set_classes_new(&world.policies, world.sets, &world.next_class, &next, &world.error), 0);
	assert_int_equal(compiler_set_classes(world.compiler, next, &world.error), 0);
	compiler_tables(world.compiler, &world.tables);
	assert_int_equal(world.tables.peer_count, 2);
	assert_int_equal(world.tables.peers[0].id, 1);
	assert_int_equal(world.tables.peers[1].id, 3);
	assert_int_equal(ask(&world, 1, TCP(1), "192.0.2.129", -1, DNET_PEER_OUTSIDE), 1);
	assert_int_equal(ask(&world, 1, TCP(1), "198.51.100.7", -1, DNET_PEER_OUTSIDE), 0);
	world.policies.sets[1].prefixes[0] = saved;
	set_classes_free(world.sets);
	world.sets = next;
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden), cmocka_unit_test(test_questions), cmocka_unit_test(test_group), cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_shared), cmocka_unit_test(test_own_project), cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_incremental), cmocka_unit_test(test_changed), cmocka_unit_test(test_set_classes_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
