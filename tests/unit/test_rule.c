/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/marked.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/rule.h"
#include "config/rule_parser.h"

#define IN DNET_INGRESS
#define OUT DNET_EGRESS
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ALL "0/0-255/65535"

/* The rule as "ACTION INTERVALS | PEERS"; an interval is PROTOCOL/FIRST-LAST. */
static char *describe(const struct rule *rule)
{
	static const char *const kinds[] = {
		[PEER_ANY] = "any", [PEER_PREFIX] = "prefix", [PEER_OUTSIDE] = "outside", [PEER_HOST] = "host", [PEER_LAN] = "lan",
		[PEER_INTERNET] = "internet", [PEER_METADATA] = "metadata", [PEER_DNS] = "dns", [PEER_GROUP] = "multicast",
		[PEER_PROJECT] = "project", [PEER_CONTAINER] = "container", [PEER_SERVICE] = "service", [PEER_NETWORK] = "network",
		[PEER_LABEL] = "label", [PEER_SET] = "set", [PEER_COUNTRY] = "geo", [PEER_INTERFACE] = "iface",
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
		else if (peer->key)
			fprintf(out, "=%s=", peer->key);
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
	{ "allow from lan, internet, metadata, dns, multicast, project", IN,
	  "allow " ALL " | lan internet metadata dns multicast project", NULL },
	{ "deny to lan,internet,metadata,dns,multicast,project", OUT,
	  "deny " ALL " | lan internet metadata dns multicast project", NULL },
	{ "allow from label:app=web", IN, "allow " ALL " | label=app=web", NULL },
	{ "allow from label:com.example/tier=front-*", IN, "allow " ALL " | label=com.example/tier=front-*", NULL },
	{ "allow from label:app=a=b:(c), host", IN, "allow " ALL " | label=app=a=b:(c) host", NULL },
	{ "allow from label:app=", IN, "allow " ALL " | label=app=", NULL },
	{ "deny from set:drop-list, set:a.b_c", IN, "deny " ALL " | set=drop-list set=a.b_c", NULL },
	{ "deny from geo:DE, geo:kp,geo:Ru", IN, "deny " ALL " | geo=DE geo=KP geo=RU", NULL },
	{ "deny to geo:gb, geo:xk, geo:AD, geo:ZW", OUT, "deny " ALL " | geo=GB geo=XK geo=AD geo=ZW", NULL },
	{ "allow from iface:eth0, iface:br-lan.100", IN, "allow " ALL " | iface=eth0 iface=br-lan.100", NULL },
	{ "allow from iface:abcdefghijklmno", IN, "allow " ALL " | iface=abcdefghijklmno", NULL },
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
	{ "allow ^http/tcp from any", IN, "write 80/tcp" },
	{ "allow ^httq/tcp from any", IN, "\"httq\" is not a port" },
	{ "allow ^ssh from any", IN, "write 22/tcp" },
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
	{ "allow from set:^", IN, "the name of a set is missing" },
	{ "allow from set:o^*", IN, "the name of a set takes no wildcards" },
	{ "allow from label:app^", IN, "write label:app=VALUE" },
	{ "allow from label:^=web", IN, "the name of a label is missing" },
	{ "allow from label:^", IN, "the name of a label is missing" },
	{ "allow from label:a^*=b", IN, "the name of a label takes no wildcards" },
	{ "allow from label:a=b^;c", IN, "\";\" cannot be in the name of a label's value" },
	{ "allow from geo:^", IN, "a country is missing here" },
	{ "allow from geo:^D", IN, "write its two letters" },
	{ "allow from geo:^DEU", IN, "write its two letters" },
	{ "allow from geo:^?""?", IN, "write its two letters" },
	{ "allow from geo:^1A", IN, "write its two letters" },
	{ "allow from geo:^uk", IN, "there is no country UK; did you mean \"GB\"?" },
	{ "allow from geo:^ED", IN, "there is no country ED; did you mean \"DE\"?" },
	{ "allow from any, geo:^JX", IN, "with J begin JE, JM, JO, JP" },
	{ "allow from geo:DE, ^FR", IN, "\"FR\" is not a peer: if that is a country, write geo:FR" },
	{ "allow from iface:^", IN, "the name of an interface is missing" },
	{ "allow from iface:^abcdefghijklmnop", IN, "more than 15 characters" },
	{ "allow from iface:eth0^:1", IN, "\":\" cannot be in the name of an interface" },
	{ "allow from iface:eth^*", IN, "takes no wildcards" },
	{ "allow to ^iface:eth0", OUT, "this is an egress rule" },
	{ "allow to any, ^iface:", OUT, "this is an egress rule" },
	{ "allow from ^project:shop", IN, "for another write service:shop/*" },
	{ "allow from ^anywhere", IN, "did you mean \"any\"?" },
	{ "allow from ^localhost", IN, "did you mean \"host\"?" },
	{ "allow from ^world", IN, "did you mean \"outside\"?" },
	{ "allow from ^country:de", IN, "did you mean \"geo:\"?" },
	{ "allow from ^metdata", IN, "did you mean \"metadata\"?" },
	{ "allow from ^sets:office", IN, "did you mean \"set:\"?" },
	{ "allow from ^internet:1", IN, "is not a peer" },
	{ "allow from ^image:nginx", IN, "\"image:nginx\" is not a peer" },
	/* what is printed must not steer a terminal */
	{ "allow from ^\033[31mred", IN, "\"?[31mred\" is not a peer" },
};

static void test_good(void **state)
{
	struct origin origin = { .file = (char *)"policy.yaml", .line = 7, .column = 5 };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		_cleanup_free_ char *description = NULL;
		struct error error = {};
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
		struct error error = {};

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
		{ "deny from geo:de,geo:kP , set:geo", "deny from geo:DE,geo:KP, set:geo" },
		{ "allow from any  rate\t5/s   burst 3  log", "allow from any rate 5/s burst 3 log" },
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

/* Semantic 12. */
static void test_semantic_12_rules_are_known_by_name_or_hash(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "allow 80/tcp from any", "  allow  80/tcp\tfrom  any ", true },
		{ "allow 80,443/tcp from any, host", "allow 80, 443/tcp from any,host", true },
		{ "allow 80/tcp from any ,host", "allow 80/tcp from any, host", true },
		{ "deny from geo:de", "deny from geo:DE", true },
		{ "allow 80/tcp from any", "allow 81/tcp from any", false },
		{ "allow 80/tcp from any", "deny 80/tcp from any", false },
		{ "allow from container:a", "allow from container:A", false },
		{ "allow from any", "allow from any log", false },
		{ "allow from any rate 1/s", "allow from any rate 2/s", false },
		{ "allow 80/tcp from any as web", "deny from host as web", true },
	};
	struct origin origin = { .file = (char *)"x", .line = 1, .column = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rule a, b;

		assert_int_equal(rule_parse(cases[i].a, IN, &origin, &a, NULL), 0);
		assert_int_equal(rule_parse(cases[i].b, IN, &origin, &b, NULL), 0);
		if ((strcmp(a.name, b.name) == 0) != cases[i].same)
			fail_msg("%s is %s, %s is %s", a.text, a.name, b.text, b.name);
		rule_clear(&a);
		rule_clear(&b);
	}
}

/* A name that changed with the version would lose the counters: FNV-1a of the text, the low 32 bits. */
static void test_automatic_name_is_stable(void **state)
{
	struct origin origin = { .file = (char *)"x", .line = 1, .column = 1 };
	struct rule rule;
	char hash[17];

	(void)state;
	assert_int_equal(rule_parse(" allow 80, 443/tcp  from any, host", IN, &origin, &rule, NULL), 0);
	snprintf(hash, sizeof(hash), "%016llx",
		 (unsigned long long)text_hash(TEXT_HASH_SEED, "allow 80,443/tcp from any,host"));
	assert_string_equal(rule.name, hash + 8);
	rule_clear(&rule);
}

/* What an error underlines: from the first '^' to the second. */
static void test_error_shows_the_word(void **state)
{
	static const struct {
		const char *text;
		bool fixed;
	} cases[] = {
		{ "^alow^ 80/tcp from any", false },
		{ "allow 80,^99999^/tcp from any", false },
		{ "allow ^80^ from any", false },
		{ "allow 80/tcp ^to^ any", false },
		{ "allow 80/tcp from any, ^anny^,host", false },
		{ "allow from container:web^/^1", false },
		{ "allow from 192.0.2.0/^330^", false },
		{ "allow from geo:^UK^", false },
		{ "allow from any ^rte^ 5/s", false },
		{ "allow from any as ^0123abcd^ log", false },
		{ "allow 80/tcp from^^", false },
		{ "^allow 80/tcp from^^ anny", true },
	};
	struct origin origin = { .file = (char *)"p", .line = 7, .column = 5 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct marked marked = marked_take(cases[i].text);
		char *second = strchr(marked.text, '^');
		struct error error = {};
		struct place place = { .origin = &origin, .text = marked.text, .fixed = cases[i].fixed, .error = &error };
		struct rule rule;

		assert_non_null(second);
		memmove(second, second + 1, strlen(second));
		if (cases[i].fixed)
			memmove(strchr(marked.text, '^'), strchr(marked.text, '^') + 1, strlen(strchr(marked.text, '^')));
		assert_int_equal(rule_parse_place(&place, IN, &rule), -EINVAL);
		assert_int_equal(error.line, 7);
		if (error.column != marked.column + 4 ||
		    error.length != (cases[i].fixed ? 0 : (size_t)(second - marked.text) + 1 - marked.column))
			fail_msg("%s: column %u, length %u: %s", cases[i].text, error.column, error.length, error.text);
		assert_memory_equal(error.text, "p:7:", 4);
		assert_int_equal(error.text[error.sentence - 1], ' ');
		assert_int_equal(error.text[error.sentence - 2], ':');
		free(marked.text);
	}
}

static void test_either_direction(void **state)
{
	static const struct {
		const char *text;
		enum dnet_direction direction;
	} cases[] = {
		{ "allow 443/tcp from any", IN },
		{ "deny to metadata", OUT },
		{ "allow from iface:eth0 rate 5/s per src", IN },
		{ "allow 53/udp to dns rate 5/s per dst", OUT },
	};
	static const struct {
		const char *text, *part;
	} wrong[] = {
		{ "allow 443/tcp ^any", "\"from\" or \"to\" or a comma is expected here" },
		{ "allow 443/tcp^", "add \"from\" or \"to\" and a peer" },
		{ "allow 443/tcp ^form any", "did you mean \"from\"?" },
		{ "allow 443/tcp to ^iface:eth0", "this is an egress rule" },
		{ "allow 443/tcp from any rate 5/s per ^dst", "write per src" },
	};
	struct origin origin = { .file = (char *)"rule", .line = 1, .column = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum dnet_direction direction = DNET_DIRECTIONS;
		struct error error = {};
		struct rule rule;

		if (rule_parse_either(cases[i].text, &origin, &direction, &rule, &error) != 0)
			fail_msg("%s: %s", cases[i].text, error.text);
		assert_int_equal(direction, cases[i].direction);
		rule_clear(&rule);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct marked marked = marked_take(wrong[i].text);
		enum dnet_direction direction = DNET_DIRECTIONS;
		struct error error = {};
		struct rule rule;

		assert_int_equal(rule_parse_either(marked.text, &origin, &direction, &rule, &error), -EINVAL);
		marked_check(&marked, "rule", error.text, wrong[i].part);
		assert_int_equal(direction, DNET_DIRECTIONS);
		free(marked.text);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_text_is_normalised),
		cmocka_unit_test(test_semantic_12_rules_are_known_by_name_or_hash),
		cmocka_unit_test(test_automatic_name_is_stable),
		cmocka_unit_test(test_error_shows_the_word),
		cmocka_unit_test(test_either_direction),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
