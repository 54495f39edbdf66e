/* SPDX-License-Identifier: GPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "base/text.h"
#include "observe/event.h"

#define ADDRESSES(a, b) .src_text = a, .dst_text = b

struct event_case {
	const char *name;
	const char *src_text, *dst_text;	/* NULL: no address */
	struct event_record record;
	const char *json;	/* exactly, keys sorted */
	const char *text;
};

#define NOBODY .container = "", .service = "", .network = "", .peer_container = "", .interface = "", .country = "", \
	.policy = "", .rule = "", .origin = ""

/* 2026-01-02T10:11:12.123456789Z */
#define TIME .time_unix_ns = 1767348672123456789ull

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct event_case cases[] = {
	{ "tcp denied by default", ADDRESSES("203.0.113.7", "172.18.0.2"),
	  { NOBODY, TIME, .verdict = DNET_DENY, .reason = DNET_REASON_DEFAULT_DENIED, .direction = DNET_INGRESS,
	    .container = "web", .network = "dmz", .src_port = 4444, .dst_port = 5432, .ethertype = 0x0800, .proto = 6,
	    .tcp_flags = 0x02, .policy = "web", .bytes = 74, .count = 1 },
	  "{\"bytes\":74,\"container\":\"web\",\"count\":1,\"country\":\"\",\"direction\":\"ingress\",\"dst\":\"172.18.0.2\","
	  "\"dst_port\":5432,\"network\":\"dmz\",\"policy\":\"web\",\"proto\":\"tcp\",\"reason\":\"default_denied\",\"rule\":\"\","
	  "\"service\":\"\",\"src\":\"203.0.113.7\",\"src_port\":4444,\"tcp_flags\":\"SYN\","
	  "\"time\":\"2026-01-02T10:11:12.123456789Z\",\"verdict\":\"deny\"}",
	  "2026-01-02T10:11:12.123Z DENY web ingress tcp 203.0.113.7:4444 -> 172.18.0.2:5432 SYN: no rule of the policy allows it "
	  "(default_denied, policy web, network dmz)" },
	{ "everything that can be said", ADDRESSES("2001:db8::7", "fd77:1::2"),
	  { TIME, .verdict = DNET_WOULD_DENY, .reason = DNET_REASON_POLICY_DENIED, .direction = DNET_EGRESS, .container = "web",
	    .service = "shop/web", .network = "dmz", .peer_container = "db", .interface = "veth1", .src_port = 4444,
	    .dst_port = 53, .ethertype = 0x86dd, .proto = 17, .country = "NL", .policy = "web", .rule = "dns",
	    .origin = "p.yaml:12", .bytes = 3000, .count = 2 },
	  "{\"bytes\":3000,\"container\":\"web\",\"count\":2,\"country\":\"NL\",\"direction\":\"egress\",\"dst\":\"fd77:1::2\","
	  "\"dst_port\":53,\"interface\":\"veth1\",\"network\":\"dmz\",\"origin\":\"p.yaml:12\",\"peer\":\"db\",\"policy\":\"web\","
	  "\"proto\":\"udp\",\"reason\":\"policy_denied\",\"rule\":\"dns\",\"service\":\"shop/web\",\"src\":\"2001:db8::7\","
	  "\"src_port\":4444,\"tcp_flags\":\"\",\"time\":\"2026-01-02T10:11:12.123456789Z\",\"verdict\":\"would_deny\"}",
	  "2026-01-02T10:11:12.123Z WOULD DENY web egress udp [2001:db8::7]:4444 -> [fd77:1::2]:53: a rule denies it (policy_denied, "
	  "policy web, rule dns, at p.yaml:12, network dmz, service shop/web, peer db, country NL, 2 packets)" },
	{ "a ban names the rule whose limit was exceeded", ADDRESSES("203.0.113.7", "172.18.0.2"),
	  { NOBODY, TIME, .verdict = DNET_DENY, .reason = DNET_REASON_BANNED, .direction = DNET_INGRESS, .container = "web",
	    .network = "dmz", .src_port = 4444, .dst_port = 22, .ethertype = 0x0800, .proto = 6, .tcp_flags = 0x02, .policy = "web",
	    .rule = "public", .origin = "p.yaml:12", .bytes = 74, .count = 1 },
	  "{\"bytes\":74,\"container\":\"web\",\"count\":1,\"country\":\"\",\"direction\":\"ingress\",\"dst\":\"172.18.0.2\","
	  "\"dst_port\":22,\"network\":\"dmz\",\"origin\":\"p.yaml:12\",\"policy\":\"web\",\"proto\":\"tcp\",\"reason\":\"banned\","
	  "\"rule\":\"public\",\"service\":\"\",\"src\":\"203.0.113.7\",\"src_port\":4444,\"tcp_flags\":\"SYN\","
	  "\"time\":\"2026-01-02T10:11:12.123456789Z\",\"verdict\":\"deny\"}",
	  "2026-01-02T10:11:12.123Z DENY web ingress tcp 203.0.113.7:4444 -> 172.18.0.2:22 SYN: the other side has exceeded a limit and is "
	  "banned for a time (banned, policy web, rule public, at p.yaml:12, network dmz)" },
	{ "icmp has type and code, and no ports", ADDRESSES("172.18.0.2", "203.0.113.7"),
	  { NOBODY, TIME, .verdict = DNET_DENY, .reason = DNET_REASON_ICMP_UNRELATED, .direction = DNET_EGRESS,
	    .container = "web", .src_port = 99, .dst_port = 0x0301, .ethertype = 0x0800, .proto = 1, .icmp_type = 3,
	    .icmp_code = 1, .bytes = 98, .count = 1 },
	  "{\"bytes\":98,\"container\":\"web\",\"count\":1,\"country\":\"\",\"direction\":\"egress\",\"dst\":\"203.0.113.7\","
	  "\"dst_port\":0,\"icmp_code\":1,\"icmp_type\":3,\"network\":\"\",\"policy\":\"\",\"proto\":\"icmp\","
	  "\"reason\":\"icmp_unrelated\",\"rule\":\"\",\"service\":\"\",\"src\":\"172.18.0.2\",\"src_port\":0,\"tcp_flags\":\"\","
	  "\"time\":\"2026-01-02T10:11:12.123456789Z\",\"verdict\":\"deny\"}",
	  "2026-01-02T10:11:12.123Z DENY web egress icmp 172.18.0.2 -> 203.0.113.7 type 3 code 1: it is an ICMP error about no known "
	  "connection (icmp_unrelated)" },
	{ "another ethertype, nobody known", ADDRESSES(NULL, NULL),
	  { NOBODY, TIME, .verdict = DNET_DENY, .reason = DNET_REASON_PENDING, .direction = DNET_EGRESS, .interface = "veth9",
	    .ethertype = 0x88cc, .bytes = 60, .count = 1 },
	  "{\"bytes\":60,\"container\":\"\",\"count\":1,\"country\":\"\",\"direction\":\"egress\",\"dst\":\"\",\"dst_port\":0,"
	  "\"ethertype\":\"0x88cc\",\"interface\":\"veth9\",\"network\":\"\",\"policy\":\"\",\"proto\":\"\",\"reason\":\"pending\","
	  "\"rule\":\"\",\"service\":\"\",\"src\":\"\",\"src_port\":0,\"tcp_flags\":\"\","
	  "\"time\":\"2026-01-02T10:11:12.123456789Z\",\"verdict\":\"deny\"}",
	  "2026-01-02T10:11:12.123Z DENY interface veth9 egress ethertype 0x88cc: the container behind this interface is not "
	  "identified yet (pending)" },
	{ "ARP that claims an address", ADDRESSES("172.18.0.9", "172.18.0.1"),
	  { NOBODY, TIME, .verdict = DNET_DENY, .reason = DNET_REASON_SPOOFED_NEIGHBOR, .direction = DNET_EGRESS,
	    .container = "web", .ethertype = 0x0806, .bytes = 42, .count = 1 },
	  NULL,
	  "2026-01-02T10:11:12.123Z DENY web egress ethertype 0x0806 172.18.0.9 -> 172.18.0.1: it claims an address of somebody else "
	  "in ARP or neighbor discovery (spoofed_neighbor)" },
	{ "an unspecified IPv6 source is an address", ADDRESSES("::", "ff02::1"),
	  { NOBODY, TIME, .verdict = DNET_PASS, .reason = DNET_REASON_NEIGHBOR, .direction = DNET_EGRESS, .container = "web",
	    .ethertype = 0x86dd, .proto = 58, .icmp_type = 135, .bytes = 86, .count = 1 },
	  NULL,
	  "2026-01-02T10:11:12.123Z PASS web egress icmpv6 :: -> ff02::1 type 135 code 0: it is address resolution (ARP, neighbor "
	  "discovery, MLD) (neighbor)" },
	{ "a label cannot steer the terminal", ADDRESSES("172.18.0.2", "203.0.113.7"),
	  { NOBODY, TIME, .verdict = DNET_DENY, .reason = DNET_REASON_POLICY_DENIED, .direction = DNET_EGRESS, .container = "web",
	    .service = "a\033[2Jb\xc2\x9b" "c\nd", .ethertype = 0x0800, .proto = 47, .bytes = 42, .count = 1 },
	  NULL,
	  "2026-01-02T10:11:12.123Z DENY web egress gre 172.18.0.2 -> 203.0.113.7: a rule denies it (policy_denied, service "
	  "a?[2Jb?c?d)" },
	{ "a name that is no UTF-8 does not lose the event", ADDRESSES("172.18.0.2", "203.0.113.7"),
	  { NOBODY, TIME, .verdict = DNET_DENY, .reason = DNET_REASON_POLICY_DENIED, .direction = DNET_EGRESS,
	    .container = "w\xff" "b", .ethertype = 0x0800, .proto = 200, .bytes = 42, .count = 1 },
	  NULL,
	  "2026-01-02T10:11:12.123Z DENY w?b egress 200 172.18.0.2 -> 203.0.113.7: a rule denies it (policy_denied)" },
};
#pragma GCC diagnostic pop

static struct event_record record_of(const struct event_case *c)
{
	struct event_record record = c->record;

	if (c->src_text)
		assert_int_equal(text_parse_addr(c->src_text, &record.src), 0);
	if (c->dst_text)
		assert_int_equal(text_parse_addr(c->dst_text, &record.dst), 0);
	return record;
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_record record = record_of(&cases[i]);
		json_t *object = event_to_json(&record);
		char text[2048], again[2048];

		if (!object)
			fail_msg("%s: no JSON", cases[i].name);
		if (cases[i].json) {
			char *json = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);

			if (strcmp(json, cases[i].json) != 0)
				fail_msg("%s:\n  is     %s\n  wanted %s", cases[i].name, json, cases[i].json);
			free(json);
		}
		event_to_text(&record, text, sizeof(text));
		if (strcmp(text, cases[i].text) != 0)
			fail_msg("%s:\n  is     %s\n  wanted %s", cases[i].name, text, cases[i].text);
		event_json_to_text(object, again, sizeof(again));
		assert_string_equal(text, again);
		json_decref(object);
	}
}

/* The order of keys is part of what people see with `events --json`. */
static void test_key_order(void **state)
{
	static const char *const order[] = {
		"time", "verdict", "reason", "direction", "container", "service", "network", "src", "src_port", "dst", "dst_port",
		"proto", "tcp_flags", "country", "policy", "rule", "bytes", "count",
	};
	struct event_record record = record_of(&cases[0]);
	json_t *object = event_to_json(&record), *value;
	const char *key;
	size_t i = 0;

	(void)state;
	json_object_foreach(object, key, value) {
		assert_true(i < sizeof(order) / sizeof(order[0]));
		assert_string_equal(key, order[i++]);
	}
	assert_int_equal(i, sizeof(order) / sizeof(order[0]));
	json_decref(object);
}

/* Whatever the size, the line ends within it, and the sanitizer sees no byte beyond. */
static void test_small_buffers(void **state)
{
	struct event_record record = record_of(&cases[1]);

	(void)state;
	for (size_t size = 1; size < 400; size++) {
		char *buffer = malloc(size);

		event_to_text(&record, buffer, size);
		assert_true(strlen(buffer) < size);
		assert_memory_equal(buffer, cases[1].text, strlen(buffer));
		free(buffer);
	}
}

/* Lines of another version or of no daemon at all. */
static void test_strange_json(void **state)
{
	static const struct {
		const char *json, *text;
	} strange[] = {
		{ "{}", "  ?  ethertype :  ()" },
		{ "{\"time\":\"x\",\"verdict\":\"deny\",\"reason\":\"new_reason\",\"container\":7,\"proto\":\"tcp\",\"src\":\"1.2.3.4\","
		  "\"policy\":\"p\",\"direction\":\"ingress\"}", "x DENY ? ingress tcp 1.2.3.4 -> ?: new_reason (policy p)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		json_t *object = json_loads(strange[i].json, 0, NULL);
		char text[512];

		assert_non_null(object);
		event_json_to_text(object, text, sizeof(text));
		assert_string_equal(text, strange[i].text);
		json_decref(object);
	}
}

static void test_names(void **state)
{
	static const struct {
		uint8_t number;
		const char *name;
	} protocols[] = { { 1, "icmp" }, { 6, "tcp" }, { 17, "udp" }, { 47, "gre" }, { 50, "esp" }, { 51, "ah" }, { 58, "icmpv6" },
			  { 132, "sctp" }, { 0, "0" }, { 255, "255" } };
	char buffer[40];

	(void)state;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		assert_string_equal(proto_name(protocols[i].number, buffer), protocols[i].name);
	assert_string_equal(tcp_flags_text(0x12, buffer), "SYN,ACK");
	assert_string_equal(tcp_flags_text(0, buffer), "");
	assert_string_equal(tcp_flags_text(0xff, buffer), "SYN,ACK,FIN,RST,PSH,URG,ECE,CWR");
	assert_string_equal(reason_name(DNET_REASON_NO_FLOW), "no_flow");
	assert_string_equal(reason_name((enum dnet_reason)63), "unknown");
	assert_string_equal(reason_name((enum dnet_reason)200), "unknown");
	assert_string_equal(verdict_name(DNET_WOULD_DENY), "would_deny");
	assert_string_equal(verdict_name((enum dnet_verdict)9), "unknown");
	assert_string_equal(direction_name(DNET_EGRESS), "egress");
#define X(id, NAME, name, class, sentence) \
	assert_string_equal(reason_name(DNET_REASON_##NAME), name); \
	assert_true(strlen(reason_sentence(DNET_REASON_##NAME)) > 10);
	DNET_REASONS(X)
#undef X
}

static void test_printable(void **state)
{
	static const struct {
		const char *text, *printed;
		size_t size;
	} texts[] = {
		{ "plain", "plain", 64 }, { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", 64 }, { "a\tb\x7f", "a?b?", 64 },
		{ "\xc0\xaf", "??", 64 }, { "\xed\xa0\x80", "???", 64 }, { "\xf4\x90\x80\x80", "????", 64 },
		{ "\xe2\x82\xac", "\xe2\x82\xac", 4 }, { "a\xe2\x82\xac", "a", 4 }, { "\xe2\x82", "??", 64 },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 64 }, { "abc", "ab", 3 }, { "abc", "", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char buffer[64];

		assert_string_equal(printable_copy(texts[i].text, buffer, texts[i].size), texts[i].printed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases), cmocka_unit_test(test_key_order), cmocka_unit_test(test_small_buffers),
		cmocka_unit_test(test_strange_json), cmocka_unit_test(test_names), cmocka_unit_test(test_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
