/* SPDX-License-Identifier: GPL-2.0 */
/* The part of a rule that says which packets: "80,443/tcp, icmp:echo-request". */
#include <errno.h>
#include <string.h>

#include "config/array.h"
#include "config/rule_parser.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58, PROTO_SCTP = 132 };

static const struct protocol {
	const char *name;
	uint8_t number;
	bool ports;
} protocols[] = {
	{ "tcp", PROTO_TCP, true },
	{ "udp", PROTO_UDP, true },
	{ "sctp", PROTO_SCTP, true },
	{ "icmp", PROTO_ICMP, false },
	{ "icmpv6", PROTO_ICMPV6, false },
};

#define ANY_CODE (-1)

/* IANA "ICMP Parameters" and "ICMPv6 Parameters". */
static const struct icmp_type {
	uint8_t protocol;
	const char *name;
	uint8_t type;
	int code;
} icmp_types[] = {
	{ PROTO_ICMP, "echo-reply", 0, ANY_CODE },
	{ PROTO_ICMP, "destination-unreachable", 3, ANY_CODE },
	{ PROTO_ICMP, "net-unreachable", 3, 0 },
	{ PROTO_ICMP, "host-unreachable", 3, 1 },
	{ PROTO_ICMP, "protocol-unreachable", 3, 2 },
	{ PROTO_ICMP, "port-unreachable", 3, 3 },
	{ PROTO_ICMP, "fragmentation-needed", 3, 4 },
	{ PROTO_ICMP, "communication-prohibited", 3, 13 },
	{ PROTO_ICMP, "source-quench", 4, ANY_CODE },
	{ PROTO_ICMP, "redirect", 5, ANY_CODE },
	{ PROTO_ICMP, "echo-request", 8, ANY_CODE },
	{ PROTO_ICMP, "router-advertisement", 9, ANY_CODE },
	{ PROTO_ICMP, "router-solicitation", 10, ANY_CODE },
	{ PROTO_ICMP, "time-exceeded", 11, ANY_CODE },
	{ PROTO_ICMP, "parameter-problem", 12, ANY_CODE },
	{ PROTO_ICMP, "timestamp-request", 13, ANY_CODE },
	{ PROTO_ICMP, "timestamp-reply", 14, ANY_CODE },
	{ PROTO_ICMP, "address-mask-request", 17, ANY_CODE },
	{ PROTO_ICMP, "address-mask-reply", 18, ANY_CODE },
	{ PROTO_ICMPV6, "destination-unreachable", 1, ANY_CODE },
	{ PROTO_ICMPV6, "no-route", 1, 0 },
	{ PROTO_ICMPV6, "communication-prohibited", 1, 1 },
	{ PROTO_ICMPV6, "address-unreachable", 1, 3 },
	{ PROTO_ICMPV6, "port-unreachable", 1, 4 },
	{ PROTO_ICMPV6, "packet-too-big", 2, ANY_CODE },
	{ PROTO_ICMPV6, "time-exceeded", 3, ANY_CODE },
	{ PROTO_ICMPV6, "parameter-problem", 4, ANY_CODE },
	{ PROTO_ICMPV6, "echo-request", 128, ANY_CODE },
	{ PROTO_ICMPV6, "echo-reply", 129, ANY_CODE },
	{ PROTO_ICMPV6, "mld-query", 130, ANY_CODE },
	{ PROTO_ICMPV6, "mld-report", 131, ANY_CODE },
	{ PROTO_ICMPV6, "mld-done", 132, ANY_CODE },
	{ PROTO_ICMPV6, "router-solicitation", 133, ANY_CODE },
	{ PROTO_ICMPV6, "router-advertisement", 134, ANY_CODE },
	{ PROTO_ICMPV6, "neighbor-solicitation", 135, ANY_CODE },
	{ PROTO_ICMPV6, "neighbor-advertisement", 136, ANY_CODE },
	{ PROTO_ICMPV6, "redirect", 137, ANY_CODE },
	{ PROTO_ICMPV6, "mld2-report", 143, ANY_CODE },
};

/* What people call it: the grammar has numbers alone, so that nobody has to know which list of names was meant. */
static const struct {
	const char *name, *match;
} services[] = {
	{ "http", "80/tcp" }, { "https", "443/tcp, 443/udp" }, { "ssh", "22/tcp" }, { "dns", "53/udp, 53/tcp" },
	{ "domain", "53/udp, 53/tcp" },
	{ "ntp", "123/udp" }, { "smtp", "25/tcp" }, { "imaps", "993/tcp" }, { "ldap", "389/tcp" }, { "mysql", "3306/tcp" },
	{ "postgres", "5432/tcp" }, { "postgresql", "5432/tcp" }, { "redis", "6379/tcp" }, { "mqtt", "1883/tcp" },
	{ "ping", "icmp:echo-request, icmpv6:echo-request" }, { "ipv6-icmp", "icmpv6" }, { "icmp6", "icmpv6" }, { "gre", "proto:47" },
	{ "esp", "proto:50" }, { "ah", "proto:51" }, { "igmp", "proto:2" },
};

static const char *find_service(struct word word)
{
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (word_is(word, services[i].name))
			return services[i].match;
	return NULL;
}

static int add(struct scan *scan, struct rule *rule, uint32_t first, uint32_t last)
{
	if (array_grow(rule->matches, rule->match_count) < 0)
		return place_no_memory(scan->place);
	rule->matches[rule->match_count++] = (struct match){ first, last };
	return 0;
}

static int add_protocol(struct scan *scan, struct rule *rule, unsigned int protocol)
{
	return add(scan, rule, DNET_SELECTOR(protocol, 0), DNET_SELECTOR(protocol, 0xffff));
}

static const struct protocol *find_protocol(struct word word)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (word_is(word, protocols[i].name))
			return &protocols[i];
	return NULL;
}

static bool looks_like_ports(struct word word)
{
	return word.length && word.begin[0] >= '0' && word.begin[0] <= '9';
}

static int parse_port(const struct place *place, struct word word, uint32_t *ret)
{
	const char *service = find_service(word);
	struct word digits = word_until(word, ':');
	uint64_t port;

	if (digits.length != word.length && word_number(digits, 0, &port))
		return place_error(place, word_first(word_after(word, digits.length)),
					   "a range of ports is written with \"-\", as in 8000-8100/tcp");
	if (service)
		return place_error(place, word, "ports are written as numbers: write %s", service);
	if (!word_number(word, 65535, &port))
		return place_error(place, word, "\"%s\" is not a port: write a number from 1 to 65535, or a range such as 8000-8100",
				   word_print(word).text);
	if (port < 1 || port > 65535)
		return place_error(place, word, "there is no port %s: ports are 1 to 65535", word_print(word).text);
	*ret = (uint32_t)port;
	return 0;
}

/* PORT or PORT-PORT; the protocol of the interval is not known yet. */
static int parse_ports(struct scan *scan, struct word word, struct rule *rule)
{
	struct word first_word = word_until(word, '-');
	uint32_t first, last;

	if (parse_port(scan->place, first_word, &first) < 0)
		return -EINVAL;
	last = first;
	if (first_word.length < word.length && parse_port(scan->place, word_after(word, first_word.length + 1), &last) < 0)
		return -EINVAL;
	if (first > last)
		return place_error(scan->place, word, "the range %s goes backwards: write %u-%u",
				   word_print(word).text, last, first);
	return add(scan, rule, first, last);
}

static int unknown_match(struct scan *scan, struct word word)
{
	const char *service = find_service(word);
	struct suggestion suggestion;

	if (service)
		return place_error(scan->place, word, "\"%s\" is not a word of the grammar: write %s", word_print(word).text, service);
	if (word_is(word, "any") || word_is(word, "all"))
		return place_error(scan->place, word, "\"%s\" is not a protocol: "
				   "a rule without one is about every protocol, so leave it out", word_print(word).text);
	suggest_begin(&suggestion, word);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		suggest_offer(&suggestion, protocols[i].name);
	suggest_offer(&suggestion, "from");
	suggest_offer(&suggestion, "proto:");
	return place_error(scan->place, word, "\"%s\" is not a protocol%s", word_print(word).text,
			   suggest_end(&suggestion, ": write tcp, udp, sctp, icmp, icmpv6 or proto:NUMBER, with ports as in 80,443/tcp"));
}

/* The word after the slash: gives the intervals since @pending their protocol. */
static int parse_slash(struct scan *scan, struct word ports, struct word word, struct rule *rule, size_t pending)
{
	const struct protocol *protocol = find_protocol(word), *reversed = find_protocol(ports);
	int r;

	if (reversed)
		return place_error(scan->place, ports, "the port stands before the protocol: write %s",
				   reversed->ports ? "PORT/PROTOCOL, as in 80/tcp" : "icmp:TYPE for a type of ICMP");
	r = parse_ports(scan, ports, rule);
	if (r < 0)
		return r;
	if (!word.length)
		return place_error(scan->place, word, "the protocol is missing after \"/\": write tcp, udp or sctp");
	if ((protocol && !protocol->ports) || word_begins(word, "proto:") || word_begins(word, "icmp:") || word_begins(word, "icmpv6:"))
		return place_error(scan->place, word, "%s has no ports: only tcp, udp and sctp have", word_print(word).text);
	if (!protocol)
		return unknown_match(scan, word);
	for (size_t i = pending; i < rule->match_count; i++) {
		rule->matches[i].first = DNET_SELECTOR(protocol->number, rule->matches[i].first);
		rule->matches[i].last = DNET_SELECTOR(protocol->number, rule->matches[i].last);
	}
	return 0;
}

static int parse_icmp(struct scan *scan, const struct protocol *protocol, struct word type_word, struct rule *rule)
{
	const struct icmp_type *other = NULL;
	struct suggestion suggestion;
	uint64_t type;

	for (size_t i = 0; i < ARRAY_SIZE(icmp_types); i++) {
		const struct icmp_type *known = &icmp_types[i];
		uint32_t low = (uint32_t)known->type << 8;

		if (!word_is(type_word, known->name))
			continue;
		if (known->protocol != protocol->number)
			other = known;
		else if (known->code == ANY_CODE)
			return add(scan, rule, DNET_SELECTOR(protocol->number, low), DNET_SELECTOR(protocol->number, low | 0xff));
		else
			return add(scan, rule, DNET_SELECTOR(protocol->number, low | (uint32_t)known->code),
				   DNET_SELECTOR(protocol->number, low | (uint32_t)known->code));
	}
	if (other)
		return place_error(scan->place, type_word, "%s is a type of %s, not of %s", other->name,
				   protocol->number == PROTO_ICMP ? "icmpv6" : "icmp", protocol->name);
	if (word_number(type_word, 255, &type)) {
		if (type > 255)
			return place_error(scan->place, type_word, "there is no ICMP type %s: types are 0 to 255",
					   word_print(type_word).text);
		return add(scan, rule, DNET_SELECTOR(protocol->number, (uint32_t)type << 8),
			   DNET_SELECTOR(protocol->number, (uint32_t)type << 8 | 0xff));
	}
	suggest_begin(&suggestion, type_word);
	for (size_t i = 0; i < ARRAY_SIZE(icmp_types); i++)
		if (icmp_types[i].protocol == protocol->number)
			suggest_offer(&suggestion, icmp_types[i].name);
	return place_error(scan->place, type_word, "\"%s\" is not a type of %s%s", word_print(type_word).text, protocol->name,
			   suggest_end(&suggestion, ": write a name such as echo-request or time-exceeded, or its number"));
}

/* A word without a slash that is not the beginning of a list of ports. */
static int parse_protocol(struct scan *scan, struct word word, struct rule *rule)
{
	struct word head = word_until(word, ':');
	const struct protocol *protocol = find_protocol(head);
	bool colon = head.length < word.length;
	struct word tail = colon ? word_after(word, head.length + 1) : (struct word){ word.begin + word.length, 0 };
	uint64_t number;

	if (word_begins(word, "proto:")) {
		if (!word_number(tail, 255, &number) || number > 255)
			return place_error(scan->place, tail, "\"%s\" is not a protocol number: write proto:0 to proto:255",
					   word_print(tail).text);
		return add_protocol(scan, rule, (unsigned int)number);
	}
	if (protocol && !colon)
		return add_protocol(scan, rule, protocol->number);
	if (protocol && protocol->ports)
		return place_error(scan->place, word, "the port stands before the protocol: write %s/%s",
				   tail.length ? word_print(tail).text : "PORT", protocol->name);
	if (protocol)
		return parse_icmp(scan, protocol, tail, rule);
	return unknown_match(scan, word);
}

static int no_protocol(struct scan *scan, struct word ports)
{
	return place_error(scan->place, ports, "port %s needs a protocol: write %s/tcp or %s/udp", word_print(ports).text,
			   word_print(ports).text, word_print(ports).text);
}

int parse_matches(struct scan *scan, struct rule *rule)
{
	struct word waiting = { NULL, 0 };	/* the last ports that still wait for their protocol */
	size_t pending = 0;

	if (word_is(scan->word, "from") || word_is(scan->word, "to") || !scan->word.length)
		return add(scan, rule, 0, DNET_SELECTOR_MAX);
	for (;;) {
		struct word word = scan->word, head = word_until(word, '/');
		int r;

		if (!word.length || word_is(word, ",") || word_is(word, "from") || word_is(word, "to"))
			return place_error(scan->place, word, "a port or a protocol is missing here");
		if (head.length < word.length) {
			r = parse_slash(scan, head, word_after(word, head.length + 1), rule, pending);
			waiting.length = 0;
			pending = rule->match_count;
		} else if (looks_like_ports(word)) {
			r = parse_ports(scan, word, rule);
			waiting = word;
		} else if (waiting.length) {
			return no_protocol(scan, waiting);
		} else {
			r = parse_protocol(scan, word, rule);
			pending = rule->match_count;
		}
		if (r < 0)
			return r;
		scan_next(scan);
		if (!word_is(scan->word, ","))
			break;
		scan_next(scan);
	}
	return waiting.length ? no_protocol(scan, waiting) : 0;
}
