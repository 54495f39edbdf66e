/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/marked.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/rule.h"

#define IN DNET_INGRESS
#define OUT DNET_EGRESS
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ALL "0/0-255/65535"

/* The rule as "ACTION INTERVALS | PEERS"; an interval is PROTOCOL/FIRST-LAST. */
static char *describe(const struct rule *rule)
{
	static const char *const kinds[] = {
		[PEER_ANY] = "any", [PEER_PREFIX] = "prefix", [PEER_OUTSIDE] = "outside", [PEER_HOST] = "host",
		[PEER_CONTAINER] = "container", [PEER_SERVICE] = "service", [PEER_NETWORK] = "network",
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fprintf(out, "%s", rule->action == DNET_RULE_ALLOW ? "allow" : "deny");
	for (size_t i = 0; i < rule->match_count; i++) {
		uint32_t first = rule->matches[i].first, last = rule->matches[i].last;

		fprintf(out, " %u/%u-", first >> 16, first & 0xffff);
		if (first >> 16 != last >> 16)
			fprintf(out, "%u/", last >> 16);
		fprintf(out, "%u", last & 0xffff);
	}
	fprintf(out, " |");
	for (size_t i = 0; i < rule->peer_count; i++) {
		const struct peer *peer = &rule->peers[i];
		char prefix[TEXT_PREFIX_SIZE];

		fprintf(out, " %s", kinds[peer->kind]);
		if (peer->kind == PEER_PREFIX)
			fprintf(out, "=%s(%u)", text_prefix(&peer->prefix, peer->prefix_len, prefix), peer->prefix_len);
		if (peer->project)
			fprintf(out, "=%s/", peer->project);
		else if (peer->name)
			fprintf(out, "=");
		if (peer->name)
			fprintf(out, "%s", peer->name);
	}
	fclose(out);
	return text;
}

static const struct good {
	const char *text;
	enum dnet_direction direction;
	const char *expected;
	const char *name;	/* NULL: 8 hex digits */
} good[] = {
	/* protocols and ports */
	{ "allow from any", IN, "allow " ALL " | any", NULL },
	{ "deny to any", OUT, "deny " ALL " | any", NULL },
	{ "allow 80/tcp from any", IN, "allow 6/80-80 | any", NULL },
	{ "allow 80,443/tcp from any", IN, "allow 6/80-80 6/443-443 | any", NULL },
	{ "allow 80, 443/tcp from any", IN, "allow 6/80-80 6/443-443 | any", NULL },
	{ "allow 53/udp, 53/tcp to any", OUT, "allow 17/53-53 6/53-53 | any", NULL },
	{ "allow 53/udp,53/tcp to any", OUT, "allow 17/53-53 6/53-53 | any", NULL },
	{ "allow 80,8000-8100/tcp from any", IN, "allow 6/80-80 6/8000-8100 | any", NULL },
	{ "allow 1-65535/udp from any", IN, "allow 17/1-65535 | any", NULL },
	{ "allow 1/tcp, 65535/tcp from any", IN, "allow 6/1-1 6/65535-65535 | any", NULL },
	{ "allow 7-7/tcp from any", IN, "allow 6/7-7 | any", NULL },
	{ "allow 1,2,3/tcp, 4,5/udp from any", IN, "allow 6/1-1 6/2-2 6/3-3 17/4-4 17/5-5 | any", NULL },
	{ "allow 38412/sctp from any", IN, "allow 132/38412-38412 | any", NULL },
	{ "allow tcp from any", IN, "allow 6/0-65535 | any", NULL },
	{ "allow udp, 22/tcp from any", IN, "allow 17/0-65535 6/22-22 | any", NULL },
	{ "allow sctp from any", IN, "allow 132/0-65535 | any", NULL },
	{ "allow proto:47 from any", IN, "allow 47/0-65535 | any", NULL },
	{ "allow proto:0, proto:255 from any", IN, "allow 0/0-65535 255/0-65535 | any", NULL },
	{ "allow tcp, udp, icmp, icmpv6 from any", IN, "allow 6/0-65535 17/0-65535 1/0-65535 58/0-65535 | any", NULL },
	/* ICMP: type << 8 | code */
	{ "allow icmp:echo-request from any", IN, "allow 1/2048-2303 | any", NULL },
	{ "allow icmp:echo-reply from any", IN, "allow 1/0-255 | any", NULL },
	{ "allow icmpv6:echo-request from any", IN, "allow 58/32768-33023 | any", NULL },
	{ "allow icmpv6:packet-too-big from any", IN, "allow 58/512-767 | any", NULL },
	{ "allow icmp:destination-unreachable, icmp:time-exceeded from any", IN, "allow 1/768-1023 1/2816-3071 | any", NULL },
	{ "allow icmpv6:destination-unreachable, icmpv6:time-exceeded from any", IN, "allow 58/256-511 58/768-1023 | any", NULL },
	{ "allow icmp:fragmentation-needed from any", IN, "allow 1/772-772 | any", NULL },
	{ "allow icmp:255 from any", IN, "allow 1/65280-65535 | any", NULL },
	{ "allow icmpv6:neighbor-solicitation to any", OUT, "allow 58/34560-34815 | any", NULL },
	/* peers */
	{ "allow from 192.0.2.7", IN, "allow " ALL " | prefix=192.0.2.7(128)", NULL },
	{ "allow from 192.0.2.0/24", IN, "allow " ALL " | prefix=192.0.2.0/24(120)", NULL },
	{ "allow from 192.0.2.7/32", IN, "allow " ALL " | prefix=192.0.2.7(128)", NULL },
	{ "allow from 0.0.0.0/0", IN, "allow " ALL " | prefix=0.0.0.0/0(96)", NULL },
	{ "allow from ::/0", IN, "allow " ALL " | prefix=::/0(0)", NULL },
	{ "allow from 2001:db8::/32", IN, "allow " ALL " | prefix=2001:db8::/32(32)", NULL },
	{ "allow from 2001:DB8::7", IN, "allow " ALL " | prefix=2001:db8::7(128)", NULL },
	{ "allow from ::", IN, "allow " ALL " | prefix=::(128)", NULL },
	{ "allow from ::ffff:192.0.2.7", IN, "allow " ALL " | prefix=192.0.2.7(128)", NULL },
	{ "allow from ::ffff:192.0.2.0/120", IN, "allow " ALL " | prefix=192.0.2.0/24(120)", NULL },
	{ "allow from outside", IN, "allow " ALL " | outside", NULL },
	{ "allow to outside", OUT, "allow " ALL " | outside", NULL },
	{ "deny to host", OUT, "deny " ALL " | host", NULL },
	{ "allow from container:web-1", IN, "allow " ALL " | container=web-1", NULL },
	{ "allow from container:*", IN, "allow " ALL " | container=*", NULL },
	{ "allow from container:we?-*", IN, "allow " ALL " | container=we?-*", NULL },
	{ "allow from service:web", IN, "allow " ALL " | service=web", NULL },
	{ "allow from service:shop/web", IN, "allow " ALL " | service=shop/web", NULL },
	{ "allow from service:*/db*", IN, "allow " ALL " | service=*/db*", NULL },
	{ "allow from network:shop_default", IN, "allow " ALL " | network=shop_default", NULL },
	{ "allow from any, host", IN, "allow " ALL " | any host", NULL },
	{ "allow 80/tcp from 192.0.2.1,2001:db8::/32 , container:a, service:b/c,network:d,outside", IN,
	  "allow 6/80-80 | prefix=192.0.2.1(128) prefix=2001:db8::/32(32) container=a service=b/c network=d outside", NULL },
	/* names of the grammar are fine as names of things */
	{ "allow from container:from", IN, "allow " ALL " | container=from", NULL },
	{ "allow from network:host", IN, "allow " ALL " | network=host", NULL },
	/* the rule's own name */
	{ "allow 80/tcp from any as public", IN, "allow 6/80-80 | any", "public" },
	{ "deny to any as A_b.c-9", OUT, "deny " ALL " | any", "A_b.c-9" },
	{ "allow from any as as", IN, "allow " ALL " | any", "as" },
	{ "allow from any as rate", IN, "allow " ALL " | any", "rate" },
	/* spaces */
	{ "  allow\t80/tcp \n from\r\n any  ", IN, "allow 6/80-80 | any", NULL },
	{ "allow 80 ,443/tcp from any ,host", IN, "allow 6/80-80 6/443-443 | any host", NULL },
};

static const struct bad {
	const char *text;	/* '^' before the offending word */
	enum dnet_direction direction;
	const char *part;
} bad[] = {
	/* action */
	{ "^", IN, "the rule is empty" },
	{ "^   ", IN, "the rule is empty" },
	{ "^alow 80/tcp from any", IN, "did you mean \"allow\"?" },
	{ "^Allow 80/tcp from any", IN, "did you mean \"allow\"?" },
	{ "^dney to any", OUT, "did you mean \"deny\"?" },
	{ "^accept from any", IN, "did you mean \"allow\"?" },
	{ "^drop from any", IN, "did you mean \"deny\"?" },
	{ "^reject from any", IN, "\"reject\" is not supported yet" },
	{ "^80/tcp from any", IN, "begins with allow or deny" },
	{ "^, allow from any", IN, "begins with allow or deny" },
	/* matches */
	{ "allow ^80 from any", IN, "port 80 needs a protocol: write 80/tcp or 80/udp" },
	{ "allow 80/tcp, ^443 from any", IN, "port 443 needs a protocol" },
	{ "allow ^80 tcp from any", IN, "port 80 needs a protocol" },
	{ "allow ^80, tcp from any", IN, "port 80 needs a protocol" },
	{ "allow ^0/tcp from any", IN, "ports are 1 to 65535" },
	{ "allow ^65536/tcp from any", IN, "ports are 1 to 65535" },
	{ "allow ^99999999999999999999/tcp from any", IN, "ports are 1 to 65535" },
	{ "allow 80,^0/tcp from any", IN, "ports are 1 to 65535" },
	{ "allow 1-^65536/tcp from any", IN, "ports are 1 to 65535" },
	{ "allow ^90-80/tcp from any", IN, "write 80-90" },
	{ "allow 80-^/tcp from any", IN, "is not a port" },
	{ "allow ^-80/tcp from any", IN, "is not a port" },
	{ "allow 80-^90-100/tcp from any", IN, "\"90-100\" is not a port" },
	{ "allow ^http/tcp from any", IN, "\"http\" is not a port" },
	{ "allow ^/tcp from any", IN, "is not a port" },
	{ "allow 8000^:8100/tcp from any", IN, "a range of ports is written with \"-\"" },
	{ "allow 80/^tpc from any", IN, "did you mean \"tcp\"?" },
	{ "allow 80/^ from any", IN, "the protocol is missing" },
	{ "allow 80/^TCP from any", IN, "did you mean \"tcp\"?" },
	{ "allow 80/^icmp from any", IN, "icmp has no ports" },
	{ "allow 80/^proto:47 from any", IN, "proto:47 has no ports" },
	{ "allow 80/^tcp/udp from any", IN, "\"tcp/udp\" is not a protocol" },
	{ "allow ^tcp/80 from any", IN, "as in 80/tcp" },
	{ "allow ^tcp:80 from any", IN, "write 80/tcp" },
	{ "allow ^icmp/echo-request from any", IN, "icmp:TYPE" },
	{ "allow ^ucp from any", IN, "did you mean" },
	{ "allow ^any from any", IN, "leave it out" },
	{ "allow proto:^256 from any", IN, "proto:0 to proto:255" },
	{ "allow proto:^gre from any", IN, "\"gre\" is not a protocol number" },
	{ "allow proto:^ from any", IN, "not a protocol number" },
	{ "allow icmp:^echo-requst from any", IN, "did you mean \"echo-request\"?" },
	{ "allow icmp:^packet-too-big from any", IN, "packet-too-big is a type of icmpv6, not of icmp" },
	{ "allow icmpv6:^fragmentation-needed from any", IN, "is a type of icmp, not of icmpv6" },
	{ "allow icmp:^256 from any", IN, "types are 0 to 255" },
	{ "allow icmp:^ from any", IN, "is not a type of icmp" },
	{ "allow 80,^,443/tcp from any", IN, "a port or a protocol is missing here" },
	{ "allow ^, 80/tcp from any", IN, "a port or a protocol is missing here" },
	{ "allow 80/tcp, ^from any", IN, "a port or a protocol is missing here" },
	{ "allow 80/tcp,^", IN, "a port or a protocol is missing here" },
	/* direction */
	{ "allow 80/tcp ^to any", IN, "this is an ingress rule" },
	{ "allow 80/tcp ^from any", OUT, "write \"to\" instead of \"from\"" },
	{ "allow 80/tcp ^form any", IN, "did you mean \"from\"?" },
	{ "allow 80/tcp ^any", IN, "\"from\" or a comma is expected here, not \"any\"" },
	{ "allow 80/tcp^", IN, "add \"from\" and a peer" },
	{ "allow^", OUT, "add \"to\" and a peer" },
	/* peers */
	{ "allow from^", IN, "a peer is missing here" },
	{ "allow from any,^", IN, "a peer is missing here" },
	{ "allow from ^, any", IN, "a peer is missing here" },
	{ "allow from ^anny", IN, "did you mean \"any\"?" },
	{ "allow from ^outsid", IN, "did you mean \"outside\"?" },
	{ "allow from any, ^contaner:web", IN, "did you mean \"container:\"?" },
	{ "allow from ^servce:web", IN, "did you mean \"service:\"?" },
	{ "allow from ^frontend", IN, "write container:frontend or service:frontend" },
	{ "allow from ^192.0.2.1/24", IN, "write 192.0.2.0/24" },
	{ "allow from any, ^2001:db8::1/32", IN, "write 2001:db8::/32" },
	{ "allow from ^::ffff:192.0.2.1/120", IN, "write 192.0.2.0/24" },
	{ "allow from 192.0.2.0/^33", IN, "write /0 to /32" },
	{ "allow from 192.0.2.0/^", IN, "write /0 to /32" },
	{ "allow from 192.0.2.0/^-1", IN, "write /0 to /32" },
	{ "allow from 2001:db8::/^129", IN, "write /0 to /128" },
	{ "allow from ^192.0.2", IN, "write an address such as" },
	{ "allow from ^192.0.2.256", IN, "write an address such as" },
	{ "allow from ^2001:db8:::1", IN, "write an address such as" },
	{ "allow from ^fe80::1%eth0", IN, "is not a peer" },
	{ "allow from container:^", IN, "the name of a container is missing" },
	{ "allow from container:web^/1", IN, "\"/\" cannot be in the name of a container" },
	{ "allow from container:web^[12]", IN, "\"[\" cannot be in the name" },
	{ "allow from container:w^\303\266b", IN, "this character cannot be in the name" },
	{ "allow from service:^/db", IN, "the name of a project is missing" },
	{ "allow from service:shop/^", IN, "the name of a service is missing" },
	{ "allow from service:a/b^/c", IN, "\"/\" cannot be in the name of a service" },
	{ "allow from network:d^*", IN, "the name of a network takes no wildcards" },
	{ "allow from ^set:office", IN, "set:office is not supported yet" },
	{ "allow from ^geo:DE", IN, "geo:DE is not supported yet" },
	{ "allow from ^label:app=web", IN, "label:app=web is not supported yet" },
	{ "allow from ^iface:eth0", IN, "iface:eth0 is not supported yet" },
	{ "allow from any, ^lan", IN, "lan is not supported yet" },
	{ "allow to ^internet", OUT, "internet is not supported yet" },
	{ "deny to ^metadata", OUT, "metadata is not supported yet" },
	{ "allow to ^dns", OUT, "dns is not supported yet" },
	{ "allow to ^multicast", OUT, "multicast is not supported yet" },
	{ "allow to ^project", OUT, "project is not supported yet" },
	/* what follows */
	{ "allow from any ^on network:ops", IN, "\"on\" in a rule is not supported yet" },
	{ "allow from any ^rate 100/s", IN, "\"rate\" in a rule is not supported yet" },
	{ "allow from any ^conns 5", IN, "\"conns\" in a rule is not supported yet" },
	{ "allow from any ^packets 5/s", IN, "\"packets\" in a rule is not supported yet" },
	{ "allow from any ^ban 10m", IN, "\"ban\" in a rule is not supported yet" },
	{ "allow from any ^log as x", IN, "\"log\" in a rule is not supported yet" },
	{ "allow from any ^rte 100/s", IN, "did you mean \"rate\"?" },
	{ "allow from any ^host", IN, "write a comma before a further peer" },
	{ "allow from any as^", IN, "the name of the rule is missing" },
	{ "allow from any as ^, b", IN, "the name of the rule is missing" },
	{ "allow from any as a^*", IN, "takes no wildcards" },
	{ "allow from any as a^/b", IN, "\"/\" cannot be in the name of the rule" },
	{ "allow from any as a ^b", IN, "\"as NAME\" ends the rule" },
	{ "allow from any as a^;", IN, "\";\" cannot be in the name" },
	{ "allow from any as ^a23456789012345678901234567890123456789012345678901234567890123456", IN, "longer than 64" },
	/* what is printed must not steer a terminal */
	{ "allow from ^\033[31mred", IN, "\"?[31mred\" is not a peer" },
};

static void test_good(void **state)
{
	struct origin origin = { .file = (char *)"policy.yaml", .line = 7, .column = 5 };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		_cleanup_free_ char *description = NULL;
		struct error error = { "" };
		struct rule rule;

		if (rule_parse(good[i].text, good[i].direction, &origin, &rule, &error) != 0)
			fail_msg("%s: %s", good[i].text, error.text);
		description = describe(&rule);
		if (strcmp(description, good[i].expected) != 0)
			fail_msg("%s: %s, not %s", good[i].text, description, good[i].expected);
		if (good[i].name)
			assert_string_equal(rule.name, good[i].name);
		else
			assert_true(strlen(rule.name) == 8 && strspn(rule.name, "0123456789abcdef") == 8);
		assert_string_equal(rule.origin.file, "policy.yaml");
		assert_ptr_not_equal(rule.origin.file, origin.file);
		assert_int_equal(rule.origin.line, 7);
		assert_int_equal(rule.origin.column, 5 + strspn(good[i].text, " "));
		rule_clear(&rule);
		assert_null(rule.text);
		assert_int_equal(rule.match_count, 0);
	}
}

static void test_bad(void **state)
{
	struct origin origin = { .file = (char *)"policy.yaml", .line = 7, .column = 5 };
	struct rule untouched;

	(void)state;
	memset(&untouched, 0x5a, sizeof(untouched));
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct marked marked = marked_take(bad[i].text);
		struct rule rule = untouched;
		struct error error = { "" };

		if (rule_parse(marked.text, bad[i].direction, &origin, &rule, &error) != -EINVAL)
			fail_msg("%s: was accepted", marked.text);
		marked.line = 7;
		marked.column += 4;
		marked_check(&marked, "policy.yaml", error.text, bad[i].part);
		assert_memory_equal(&rule, &untouched, sizeof(rule));
		/* The sentence is optional. */
		assert_int_equal(rule_parse(marked.text, bad[i].direction, &origin, &rule, NULL), -EINVAL);
		free(marked.text);
	}
}

static void test_text_is_normalised(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "allow 80/tcp from any", "allow 80/tcp from any" },
		{ " \t allow   80/tcp\nfrom \r\n any   as  x ", "allow 80/tcp from any as x" },
		{ "allow 80 ,443/tcp , udp from any  ,  host", "allow 80,443/tcp, udp from any, host" },
		{ "allow 80,443/tcp from any,host", "allow 80,443/tcp from any,host" },
	};
	struct origin origin = { .file = (char *)"x", .line = 1, .column = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rule rule;

		assert_int_equal(rule_parse(cases[i].text, IN, &origin, &rule, NULL), 0);
		assert_string_equal(rule.text, cases[i].expected);
		rule_clear(&rule);
	}
}

static void test_name_follows_the_text(void **state)
{
	static const char *const texts[] = { "allow 80/tcp from any", "  allow  80/tcp  from  any ", "allow 81/tcp from any" };
	struct origin origin = { .file = (char *)"x", .line = 1, .column = 1 };
	struct rule rules[3];
	char hash[17];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(rule_parse(texts[i], IN, &origin, &rules[i], NULL), 0);
	assert_string_equal(rules[0].name, rules[1].name);
	assert_string_not_equal(rules[0].name, rules[2].name);
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)text_hash(TEXT_HASH_SEED, texts[0]));
	assert_string_equal(rules[0].name, hash + 8);
	for (size_t i = 0; i < 3; i++)
		rule_clear(&rules[i]);
}

static void test_too_long(void **state)
{
	struct origin origin = { .file = (char *)"x", .line = 1, .column = 1 };
	_cleanup_free_ char *text = malloc(RULE_TEXT_MAX + 8);
	struct error error;
	struct rule rule;

	(void)state;
	assert_non_null(text);
	strcpy(text, "allow from any");
	for (size_t n = strlen(text); n + 5 <= RULE_TEXT_MAX; n += 5)
		strcpy(text + n, ",host");
	assert_int_equal(rule_parse(text, IN, &origin, &rule, &error), 0);
	assert_in_range(rule.peer_count, RULE_TEXT_MAX / 5 - 3, RULE_TEXT_MAX / 5);
	rule_clear(&rule);
	strcat(text, ",host");
	assert_int_equal(rule_parse(text, IN, &origin, &rule, &error), -EINVAL);
	assert_non_null(strstr(error.text, "longer than"));
}

static void test_list(void **state)
{
	struct origin origin = { .file = (char *)"label dnetbpf.ingress", .line = 0, .column = 1 };
	struct rule_list list;
	struct error error;

	(void)state;
	assert_int_equal(rule_list_parse("allow 80/tcp from any; ;deny from host as h ;\n", IN, &origin, &list, &error), 0);
	assert_true(list.present);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.rules[0].text, "allow 80/tcp from any");
	assert_string_equal(list.rules[1].text, "deny from host as h");
	assert_string_equal(list.rules[1].name, "h");
	assert_int_equal(list.rules[1].origin.line, 0);
	assert_int_equal(list.rules[1].origin.column, 25);
	rule_list_clear(&list);

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(rule_list_parse(((const char *[]){ "", "  ", " ; ;; " })[i], IN, &origin, &list, &error), 0);
		assert_true(list.present);
		assert_int_equal(list.count, 0);
		rule_list_clear(&list);
	}
	memset(&list, 0, sizeof(list));
	assert_int_equal(rule_list_parse("allow from any; allow 80 from any", IN, &origin, &list, &error), -EINVAL);
	assert_string_equal(error.text, "label dnetbpf.ingress, column 23: port 80 needs a protocol: write 80/tcp or 80/udp");
	assert_false(list.present);
}

static void test_list_is_bounded(void **state)
{
	static const char rule[] = "allow from any;";
	struct origin origin = { .file = (char *)"x", .line = 1, .column = 1 };
	_cleanup_free_ char *text = calloc(DNET_MAX_RULES + 1, sizeof(rule));
	struct rule_list list;
	struct error error;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < DNET_MAX_RULES; i++)
		strcpy(text + i * strlen(rule), rule);
	assert_int_equal(rule_list_parse(text, IN, &origin, &list, &error), 0);
	assert_int_equal(list.count, DNET_MAX_RULES);
	rule_list_clear(&list);
	strcat(text, rule);
	assert_int_equal(rule_list_parse(text, IN, &origin, &list, &error), -EINVAL);
	assert_non_null(strstr(error.text, "more than 1024 rules"));
}

static void test_selectors(void **state)
{
	static const struct {
		const char *text;
		struct selector expected;
	} cases[] = {
		{ "all", { SELECT_ALL, NULL, NULL, NULL } },
		{ "container:web-*", { SELECT_CONTAINER, NULL, NULL, (char *)"web-*" } },
		{ "service:web", { SELECT_SERVICE, NULL, NULL, (char *)"web" } },
		{ "service:shop/we?", { SELECT_SERVICE, (char *)"shop", NULL, (char *)"we?" } },
		{ "label:app=web", { SELECT_LABEL, NULL, (char *)"app", (char *)"web" } },
		{ "label:com.example/a=b=c:d", { SELECT_LABEL, NULL, (char *)"com.example/a", (char *)"b=c:d" } },
		{ "label:app=", { SELECT_LABEL, NULL, (char *)"app", (char *)"" } },
		{ "network:dmz", { SELECT_NETWORK, NULL, NULL, (char *)"dmz" } },
		{ "project:shop*", { SELECT_PROJECT, NULL, NULL, (char *)"shop*" } },
		{ "image:registry.example:5000/nginx:1.*", { SELECT_IMAGE, NULL, NULL, (char *)"registry.example:5000/nginx:1.*" } },
		{ " all ", { SELECT_ALL, NULL, NULL, NULL } },
	};
	static const struct {
		const char *text, *part;
	} wrong[] = {
		{ "^", "select is empty" },
		{ "^web", "selects nothing" },
		{ "^al", "selects nothing" },
		{ "^servce:web", "did you mean \"service:\"?" },
		{ "container:^", "the name of a container is missing" },
		{ "container:a^/b", "\"/\" cannot be" },
		{ "service:^/b", "the name of a project is missing" },
		{ "network:d^*", "takes no wildcards" },
		{ "label:app^", "write label:app=VALUE" },
		{ "label:^=web", "the name of a label is missing" },
		{ "label:^", "the name of a label is missing" },
		{ "service:a ^and service:b", "\"and\" in select is not supported yet" },
		{ "service:a ^or service:b", "\"or\" in select is not supported yet" },
		{ "^not service:a", "\"not\" in select is not supported yet" },
		{ "^(service:a)", "\"(\" in select is not supported yet" },
		{ "service:a^, service:b", "\",\" in select is not supported yet" },
		{ "service:a ^service:b", "select takes one word" },
	};
	struct origin origin = { .file = (char *)"policy.yaml", .line = 1, .column = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct selector *expected = &cases[i].expected;
		struct policy policy = { .name = NULL };
		struct error error = { "" };

		if (selector_parse(cases[i].text, &origin, &policy.selector, &error) != 0)
			fail_msg("%s: %s", cases[i].text, error.text);
		assert_int_equal(policy.selector.kind, expected->kind);
		for (int field = 0; field < 3; field++) {
			const char *is = ((char *[]){ policy.selector.project, policy.selector.key, policy.selector.value })[field];
			const char *should = ((char *[]){ expected->project, expected->key, expected->value })[field];

			if (!should)
				assert_null(is);
			else
				assert_string_equal(is, should);
		}
		policy_clear(&policy);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct marked marked = marked_take(wrong[i].text);
		struct selector selector;
		struct error error = { "" };

		if (selector_parse(marked.text, &origin, &selector, &error) != -EINVAL)
			fail_msg("%s: was accepted", marked.text);
		marked_check(&marked, "policy.yaml", error.text, wrong[i].part);
		free(marked.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_text_is_normalised),
		cmocka_unit_test(test_name_follows_the_text),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_is_bounded),
		cmocka_unit_test(test_selectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
