/* SPDX-License-Identifier: GPL-2.0 */
/* What a rule lacks, in words; and random policies, where the compiled answer must be the first rule that lacks nothing. */
#include "compile_fixture.h"

#define SETS "sets: { office: [ 192.0.2.0/24, \"2001:db8:1::/48\" ], bad: [ 192.0.2.128/25, 203.0.113.0/24, \"::/1\" ] }\n"

static void test_lacks(void **state)
{
	static const struct {
		const char *rule;
		uint32_t selector;
		const char *peer;
		int endpoint;
		enum dnet_peer_class class;
		const char *expected;
	} cases[] = {
		{ "allow 80/tcp from any", TCP(80), "203.0.113.7", -1, DNET_PEER_INTERNET, "" },
		{ "allow 80/tcp from any", TCP(443), "203.0.113.7", -1, DNET_PEER_INTERNET, "the port is 443, not 80" },
		{ "allow 80,443/tcp from any", TCP(22), "203.0.113.7", -1, DNET_PEER_INTERNET, "the port is 22, not 80 or 443" },
		{ "allow 1-9,80,443/tcp from any", TCP(22), "203.0.113.7", -1, DNET_PEER_INTERNET, "the port is 22, not 1-9, 80 or 443" },
		{ "allow 1,2,3,4,5,6/tcp from any", TCP(22), "203.0.113.7", -1, DNET_PEER_INTERNET, "the port is 22, not 1, 2, 3, 4 or 2 others" },
		{ "allow 53/udp, 53/tcp from any", DNET_SELECTOR(132, 53), "203.0.113.7", -1, DNET_PEER_INTERNET,
		  "the protocol is sctp, not udp or tcp" },
		{ "allow proto:47 from any", TCP(1), "203.0.113.7", -1, DNET_PEER_INTERNET, "the protocol is tcp, not protocol 47" },
		{ "allow icmp:echo-request from any", DNET_SELECTOR(1, 0), "203.0.113.7", -1, DNET_PEER_INTERNET, "the ICMP type is 0 code 0, not 8" },
		{ "allow from 198.18.0.0/15", TCP(1), "203.0.113.7", -1, DNET_PEER_INTERNET, "203.0.113.7 is not in 198.18.0.0/15" },
		{ "allow from 198.18.0.1", TCP(1), "2001:db8::1", -1, DNET_PEER_INTERNET, "2001:db8::1 is not 198.18.0.1" },
		{ "allow 80/tcp from 198.18.0.0/15", TCP(443), "203.0.113.7", -1, DNET_PEER_INTERNET,
		  "the port is 443, not 80 and 203.0.113.7 is not in 198.18.0.0/15" },
		{ "allow from host", TCP(1), "203.0.113.7", -1, DNET_PEER_INTERNET, "203.0.113.7 is not this host" },
		{ "allow from outside", TCP(1), "198.18.0.2", DB, DNET_PEER_OTHER, "container db is not outside" },
		{ "allow from lan", TCP(1), "203.0.113.7", -1, DNET_PEER_INTERNET, "203.0.113.7 is not a private address" },
		{ "allow from internet", TCP(1), "10.1.2.3", -1, DNET_PEER_LAN, "10.1.2.3 is not globally reachable" },
		{ "allow from internet", TCP(1), "10.1.2.3", -1, DNET_PEER_HOST, "10.1.2.3 is not outside, on the internet" },
		{ "allow from metadata", TCP(1), "10.1.2.3", -1, DNET_PEER_LAN, "10.1.2.3 is no metadata service" },
		{ "allow from dns", TCP(1), "10.1.2.3", -1, DNET_PEER_LAN, "10.1.2.3 is no resolver of web" },
		{ "allow from multicast", TCP(1), "10.1.2.3", -1, DNET_PEER_LAN, "it is not addressed to a multicast or broadcast address" },
		{ "allow from container:db-*", TCP(1), "198.18.0.2", DB, DNET_PEER_OTHER, "container db is not container:db-*" },
		{ "allow from container:db", TCP(1), "203.0.113.7", -1, DNET_PEER_INTERNET, "203.0.113.7 is no container that is known here" },
		{ "allow from service:mon", TCP(1), "198.18.0.2", DB, DNET_PEER_OTHER, "container db is service shop/db, not shop/mon" },
		{ "allow from service:db", TCP(1), "198.18.0.2", MILL_DB, DNET_PEER_OTHER, "container mill-db is service mill/db, not shop/db" },
		{ "allow from project", TCP(1), "198.18.0.2", MILL_DB, DNET_PEER_OTHER, "container mill-db is in project mill, not in shop" },
		{ "allow from project", TCP(1), "198.18.0.2", LONE_DB, DNET_PEER_OTHER, "container lone-db is in no project, not in shop" },
		{ "allow from network:dmz", TCP(1), "198.18.0.2", MON, DNET_PEER_OTHER, "container mon is on network ops here, not on dmz" },
		{ "allow from label:app=web", TCP(1), "198.18.0.2", DB, DNET_PEER_OTHER, "container db has label app=db, not app=web" },
		{ "allow from label:app=web", TCP(1), "198.18.0.2", MON, DNET_PEER_OTHER, "container mon has no label app" },
		{ "allow from set:office", TCP(1), "203.0.113.7", -1, DNET_PEER_INTERNET, "203.0.113.7 is not in set:office" },
		{ "allow from iface:eth0", TCP(1), "203.0.113.7", -1, DNET_PEER_INTERNET, "it came in by interface wg0, not eth0" },
		{ "allow from host, 10.0.0.0/8, service:db, label:app=x", TCP(1), "203.0.113.7", -1, DNET_PEER_INTERNET,
		  "203.0.113.7 is none of host, 10.0.0.0/8, service:db or label:app=x" },
		{ "allow from any on network:ops", TCP(1), "203.0.113.7", -1, DNET_PEER_INTERNET, "it holds on network ops, and web is on dmz here" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct explain_question asked = question(cases[i].selector, cases[i].peer, cases[i].endpoint, cases[i].class);
		_cleanup_free_ char *text = NULL;
		const struct rule *rule;
		struct world world;
		char words[512];

		assert_true(asprintf(&text, "version: 1\n" SETS "policies:\n  - { name: p, select: all, ingress: [ \"%s\" ] }\n", cases[i].rule) > 0);
		world_parse(&world, text, 0);
		rule = &world.policies.policies[0].direction[DNET_INGRESS].rules[0];
		asked.peer_named = cases[i].endpoint < 0 ? NULL : &world.endpoints[cases[i].endpoint];
		asked.peer_ifindex = 7;
		asked.peer_interface = "wg0";
		explain_lacks(rule, &world.endpoints[WEB], &world.policies, &asked, words, sizeof(words));
		if (strcmp(words, cases[i].expected) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].rule, words, cases[i].expected);
		/* A short buffer cuts, and no more. */
		for (size_t size = 0; size < sizeof(words); size += 37) {
			_cleanup_free_ char *small = malloc(size + 1);

			small[size] = '!';
			explain_lacks(rule, &world.endpoints[WEB], &world.policies, &asked, small, size);
			assert_int_equal(small[size], '!');
			assert_true(!size || strncmp(small, words, strlen(small)) == 0);
		}
		world_end(&world);
	}
}

/* --- random policies */

/* Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
static uint64_t random_state, seed;
static uint32_t below(uint32_t bound)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ z >> 31) % bound);
}

#define PICK(table) (table)[below(COUNT(table))]

static const char *const matches[] = { "", "80/tcp", "1-100/tcp", "53/udp", "53/udp, 53/tcp", "tcp", "icmp:echo-request", "icmpv6", "proto:47",
				       "20-30,25,80,90-200/tcp, udp", "65535/tcp", "sctp" };
static const char *const peers[] = { "any", "outside", "host", "lan", "internet", "metadata", "dns", "multicast", "project", "container:db",
				     "container:*db", "container:mon", "service:db", "service:*/db", "service:mill/*", "network:dmz", "network:ops",
				     "label:app=*", "label:app=web", "set:office", "set:bad", "iface:eth0", "iface:wg0", "iface:nosuch",
				     "192.0.2.0/24", "192.0.2.128/25", "192.0.2.200", "0.0.0.0/0", "::/0", "::/64", "2001:db8::/32", "2001:db8:1::/48",
				     "::ffc0:0:0/90", "128.0.0.0/1" };
static const char *const addresses[] = { "192.0.2.1", "192.0.2.200", "192.0.2.53", "203.0.113.7", "10.1.2.3", "169.254.169.254", "127.0.0.11",
					 "0.0.0.0", "255.255.255.255", "::", "2001:db8::53", "2001:db8:1::7", "2001:db8:2::7", "fd00:ec2::254",
					 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::7fff:ffff:ffff", "::1:0:0:0" };
static const char *const selectors[] = { "all", "container:web", "project:shop", "not project:*", "service:db or container:mon", "label:app=*" };
static const uint32_t asked_selectors[] = { 0, TCP(0), TCP(1), TCP(25), TCP(53), TCP(80), TCP(100), TCP(101), TCP(65535), UDP(53), UDP(54),
					    DNET_SELECTOR(1, 0x800), DNET_SELECTOR(1, 0x8ff), DNET_SELECTOR(1, 0x900), DNET_SELECTOR(58, 0x8000),
					    DNET_SELECTOR(47, 0), DNET_SELECTOR(132, 7), DNET_SELECTOR_MAX };

struct text {
	char bytes[65536];
	size_t length;
};

static void write_rules(struct text *text, const char *preposition, bool denies, uint32_t count, const char *before, const char *after)
{
	for (uint32_t i = 0; i < count; i++) {
		text->length += (size_t)sprintf(text->bytes + text->length, "%s%s%s %s %s ", i ? after : "", before,
						denies || below(2) ? "deny" : "allow", PICK(matches), preposition);
		for (uint32_t j = 0, peer_count = 1 + below(3); j < peer_count; j++) {
			const char *peer = PICK(peers);

			/* The parser refuses an interface in egress rules. */
			while (preposition[0] == 't' && strncmp(peer, "iface:", 6) == 0)
				peer = PICK(peers);
			text->length += (size_t)sprintf(text->bytes + text->length, "%s%s", j ? ", " : "", peer);
		}
		text->length += (size_t)sprintf(text->bytes + text->length, "%s%s", below(8) ? "" : below(2) ? " on network:dmz" : " on network:ops", before);
	}
}

static void write_policies(struct text *text)
{
	static const char *const defaults[] = { "allow", "outside", "deny" };

	text->length = (size_t)sprintf(text->bytes, "version: 1\ndefaults: { unselected: %s }\n" SETS, PICK(defaults));
	if (below(2)) {
		text->length += (size_t)sprintf(text->bytes + text->length, "host: { rules: [ ");
		write_rules(text, "from", true, 1 + below(4), "\"", ", ");
		text->length += (size_t)sprintf(text->bytes + text->length, " ] }\n");
	}
	text->length += (size_t)sprintf(text->bytes + text->length, "policies:\n");
	for (uint32_t i = 0, count = 1 + below(4); i < count; i++) {
		text->length += (size_t)sprintf(text->bytes + text->length, "  - { name: p%u, select: \"%s\", labels: %s, ingress: [ ", i,
						PICK(selectors), below(2) ? "add" : "narrow");
		/* Now and then more than a word of a row. */
		write_rules(text, "from", false, below(8) ? below(6) : 60 + below(80), "\"", ", ");
		text->length += (size_t)sprintf(text->bytes + text->length, " ], egress: [ ");
		write_rules(text, "to", false, below(6), "\"", ", ");
		text->length += (size_t)sprintf(text->bytes + text->length, " ] }\n");
	}
}

/* The first rule that lacks nothing, or EXPLAIN_NO_RULE; @ret_action of it. */
static uint32_t first_match(const struct world *world, size_t owner, uint32_t local, const struct explain_question *asked,
			    enum dnet_rule_action *ret_action)
{
	const struct listed_rule *rules;
	size_t count = compiler_rules(world->compiler, local, &rules);
	char words[256];

	for (size_t i = 0; i < count; i++) {
		if (*explain_lacks(rules[i].rule, &world->endpoints[owner], &world->policies, asked, words, sizeof(words)))
			continue;
		*ret_action = rules[i].rule->action;
		return (uint32_t)i;
	}
	return EXPLAIN_NO_RULE;
}

static void expect(const char *what, uint32_t answer, uint32_t expected)
{
	if (answer != expected)
		fail_msg("seed %llu: %s is %u, not %u", (unsigned long long)seed, what, answer, expected);
}

/* As the semantics have it: every layer that governs must let it through; the host's by itself selects nothing. */
static void check_answer(const struct world *world, size_t owner, int direction, const struct explain_question *asked)
{
	const uint32_t *rulesets = world->verdicts[owner].ruleset[direction];
	enum dnet_reason expected = DNET_REASON_UNSELECTED;
	uint32_t last = DNET_LAYER_FILE;
	struct explain_answer answer;

	explain_decide(world->compiler, &world->verdicts[owner], (enum dnet_direction)direction, asked, &answer);
	for (int layer = 0; layer < DNET_LAYERS; layer++) {
		enum dnet_rule_action action = DNET_RULE_DENY;
		uint32_t rule;

		if (!rulesets[layer])
			continue;
		last = (uint32_t)layer;
		rule = first_match(world, owner, rulesets[layer], asked, &action);
		expect("the rule", answer.rule[layer], rule);
		if (action == DNET_RULE_ALLOW && layer != DNET_LAYER_HOST)
			expected = DNET_REASON_POLICY_ALLOWED;
		if (action == DNET_RULE_ALLOW)
			continue;
		expected = rule == EXPLAIN_NO_RULE ? DNET_REASON_DEFAULT_DENIED : DNET_REASON_POLICY_DENIED;
		break;
	}
	expect("the layer", answer.layer, last);
	expect("the reason", answer.reason, expected);
}

static void ask_at_random(const struct world *world)
{
	for (int i = 0; i < 200; i++) {
		int endpoint = below(3) ? -1 : (int)below(ENDPOINTS), interface = (int)below(4);
		struct explain_question asked = question(PICK(asked_selectors), PICK(addresses), endpoint,
							 endpoint < 0 ? (enum dnet_peer_class)below(DNET_PEER_GROUP) : DNET_PEER_OTHER);

		asked.peer_named = endpoint < 0 ? NULL : &world->endpoints[endpoint];
		asked.group = !below(4);
		if (interface < 2) {
			asked.peer_ifindex = interfaces[interface].ifindex;
			asked.peer_interface = interfaces[interface].name;
		}
		check_answer(world, below(ENDPOINTS), (int)below(2), &asked);
	}
}

static void test_first_rule_that_lacks_nothing(void **state)
{
	static struct text text, labels;

	(void)state;
	for (seed = 0; seed < 400; seed++) {
		struct label own[] = { { "dnetbpf.ingress", labels.bytes } };
		struct world world;

		random_state = seed * 1000003;
		write_policies(&text);
		labels.length = 0;
		labels.bytes[0] = '\0';
		write_rules(&labels, "from", false, 1 + below(4), "", "; ");
		world_begin(&world, text.bytes, seed % DNET_ARENAS);
		add_labels(&world, WEB, own, 1);
		if (world.labels[WEB].invalid)
			fail_msg("seed %llu: %s", (unsigned long long)seed, world.labels[WEB].problem);
		/* Half of the containers first, then all: rows must come to be the same. */
		assert_int_equal(world_run(&world, below(ENDPOINTS)), 0);
		world_all(&world);
		ask_at_random(&world);
		world_end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lacks), cmocka_unit_test(test_first_rule_that_lacks_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
