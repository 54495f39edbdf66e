/* SPDX-License-Identifier: GPL-2.0 */
#include "observe/event.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "base/text.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd

#define NAME_SIZE 256	/* of one name in a line for a person */

static const struct {
	const char *name, *sentence;
} reasons[DNET_REASON_SPAN] = {
#define X(id, NAME, name, class, sentence) [id] = { name, sentence },
	DNET_REASONS(X)
#undef X
};

static const char *const verdicts[DNET_VERDICTS] = {
	[DNET_PASS] = "pass", [DNET_DENY] = "deny", [DNET_WOULD_DENY] = "would_deny",
};

static const struct {
	uint8_t number;
	const char *name;
} protocols[] = {
	{ IPPROTO_ICMP, "icmp" }, { IPPROTO_TCP, "tcp" }, { IPPROTO_UDP, "udp" }, { IPPROTO_GRE, "gre" },
	{ IPPROTO_ESP, "esp" }, { IPPROTO_AH, "ah" }, { IPPROTO_ICMPV6, "icmpv6" }, { IPPROTO_SCTP, "sctp" },
};

/* Bits of byte 13 of the TCP header, in the order that people write them. */
static const struct {
	uint8_t bit;
	const char *name;
} tcp_flags[] = {
	{ 0x02, "SYN" }, { 0x10, "ACK" }, { 0x01, "FIN" }, { 0x04, "RST" },
	{ 0x08, "PSH" }, { 0x20, "URG" }, { 0x40, "ECE" }, { 0x80, "CWR" },
};

const char *verdict_name(enum dnet_verdict verdict)
{
	return (unsigned int)verdict < DNET_VERDICTS ? verdicts[verdict] : "unknown";
}

const char *reason_name(enum dnet_reason reason)
{
	return (unsigned int)reason < DNET_REASON_SPAN && reasons[reason].name ? reasons[reason].name : "unknown";
}

const char *reason_sentence(enum dnet_reason reason)
{
	return (unsigned int)reason < DNET_REASON_SPAN && reasons[reason].sentence ? reasons[reason].sentence :
		"for a reason that this version does not know";
}

const char *direction_name(enum dnet_direction direction)
{
	return direction == DNET_INGRESS ? "ingress" : direction == DNET_EGRESS ? "egress" : "unknown";
}

const char *proto_name(uint8_t proto, char *buffer)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (protocols[i].number == proto)
			return strcpy(buffer, protocols[i].name);
	snprintf(buffer, 8, "%u", proto);
	return buffer;
}

const char *tcp_flags_text(uint8_t flags, char *buffer)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < sizeof(tcp_flags) / sizeof(tcp_flags[0]); i++)
		if (flags & tcp_flags[i].bit)
			used += (size_t)sprintf(buffer + used, "%s%s", used ? "," : "", tcp_flags[i].name);
	return buffer;
}

/* jansson refuses what is no UTF-8, and an event must not be lost because of a name. */
static json_t *json_name(const char *text)
{
	json_t *value = json_string(text);
	char buffer[NAME_SIZE];

	return value ? value : json_string(printable_copy(text, buffer, sizeof(buffer)));
}

json_t *event_to_json(const struct event_record *event)
{
	/* Events of the kernel carry the ethertype; a record without one is judged by its addresses. */
	bool ip = event->ethertype == ETHERTYPE_IPV4 || event->ethertype == ETHERTYPE_IPV6 || !event->ethertype;
	bool icmp = ip && (event->proto == IPPROTO_ICMP || event->proto == IPPROTO_ICMPV6);
	char time[TEXT_TIME_SIZE], src[TEXT_ADDR_SIZE] = "", dst[TEXT_ADDR_SIZE] = "", proto[8] = "", flags[40] = "";
	static const struct dnet_addr nothing;
	json_t *object = json_object();
	int failed = 0;

	if (!object)
		return NULL;
	/* A frame of another ethertype may have no addresses at all; :: would be a claim. */
	if (ip || !addr_equal(&event->src, &nothing))
		text_addr(&event->src, src);
	if (ip || !addr_equal(&event->dst, &nothing))
		text_addr(&event->dst, dst);
	if (ip)
		proto_name(event->proto, proto);
	if (ip && event->proto == IPPROTO_TCP)
		tcp_flags_text(event->tcp_flags, flags);

	failed |= json_object_set_new(object, "time", json_string(text_time(event->time_unix_ns, time)));
	failed |= json_object_set_new(object, "verdict", json_string(verdict_name(event->verdict)));
	failed |= json_object_set_new(object, "reason", json_string(reason_name(event->reason)));
	failed |= json_object_set_new(object, "direction", json_string(direction_name(event->direction)));
	failed |= json_object_set_new(object, "container", json_name(event->container));
	failed |= json_object_set_new(object, "service", json_name(event->service));
	failed |= json_object_set_new(object, "network", json_name(event->network));
	failed |= json_object_set_new(object, "src", json_string(src));
	failed |= json_object_set_new(object, "src_port", json_integer(icmp ? 0 : event->src_port));
	failed |= json_object_set_new(object, "dst", json_string(dst));
	failed |= json_object_set_new(object, "dst_port", json_integer(icmp ? 0 : event->dst_port));
	failed |= json_object_set_new(object, "proto", json_string(proto));
	failed |= json_object_set_new(object, "tcp_flags", json_string(flags));
	failed |= json_object_set_new(object, "country", json_name(event->country));
	failed |= json_object_set_new(object, "policy", json_name(event->policy));
	failed |= json_object_set_new(object, "rule", json_name(event->rule));
	failed |= json_object_set_new(object, "bytes", json_integer(event->bytes));
	failed |= json_object_set_new(object, "count", json_integer(event->count));
	if (*event->peer_container)
		failed |= json_object_set_new(object, "peer", json_name(event->peer_container));
	if (*event->interface)
		failed |= json_object_set_new(object, "interface", json_name(event->interface));
	if (*event->origin)
		failed |= json_object_set_new(object, "origin", json_name(event->origin));
	if (!ip)
		failed |= json_object_set_new(object, "ethertype", json_sprintf("0x%04x", event->ethertype));
	if (icmp) {
		failed |= json_object_set_new(object, "icmp_type", json_integer(event->icmp_type));
		failed |= json_object_set_new(object, "icmp_code", json_integer(event->icmp_code));
	}
	if (failed) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* A line under construction; what does not fit is cut. */
struct line {
	char *text;
	size_t size, used;
};

static void __attribute__((format(printf, 2, 3))) line_add(struct line *line, const char *format, ...)
{
	va_list arguments;
	int n;

	if (line->used + 1 >= line->size)
		return;
	va_start(arguments, format);
	n = vsnprintf(line->text + line->used, line->size - line->used, format, arguments);
	va_end(arguments);
	if (n > 0)
		line->used += (size_t)n < line->size - line->used ? (size_t)n : line->size - line->used - 1;
}

/* The value of @key, made fit for a terminal; "" when it is missing or no text. */
static const char *name_of(const json_t *event, const char *key, char *buffer)
{
	const char *text = json_string_value(json_object_get(event, key));

	return printable_copy(text ? text : "", buffer, NAME_SIZE);
}

static void add_end(struct line *line, const json_t *event, const char *address_key, const char *port_key)
{
	json_int_t port = json_integer_value(json_object_get(event, port_key));
	char address[NAME_SIZE];

	name_of(event, address_key, address);
	if (!address[0])
		line_add(line, "?");
	else if (!port)
		line_add(line, "%s", address);
	else
		line_add(line, strchr(address, ':') ? "[%s]:%" JSON_INTEGER_FORMAT : "%s:%" JSON_INTEGER_FORMAT, address, port);
}

static const char *sentence_of(const char *reason)
{
	for (unsigned int i = 0; i < DNET_REASON_SPAN; i++)
		if (reasons[i].name && strcmp(reasons[i].name, reason) == 0)
			return reasons[i].sentence;
	return NULL;
}

/* "2026-01-02T10:11:12.123456789Z" with three digits only: a person does not read nanoseconds. */
static void add_time(struct line *line, const char *time)
{
	const char *dot = strchr(time, '.');

	if (dot && strlen(dot) > 4)
		line_add(line, "%.*s.%.3sZ", (int)(dot - time), time, dot + 1);
	else
		line_add(line, "%s", time);
}

void event_json_to_text(const json_t *event, char *buffer, size_t size)
{
	struct line line = { buffer, size, 0 };
	char a[NAME_SIZE], b[NAME_SIZE], *c;
	const char *sentence;
	json_t *number;

	if (!size)
		return;
	buffer[0] = '\0';
	add_time(&line, name_of(event, "time", a));

	name_of(event, "verdict", a);
	for (c = a; *c; c++)
		*c = *c == '_' ? ' ' : (char)toupper((unsigned char)*c);
	/* A frame that no container owns yet is told by its interface. */
	if (!*name_of(event, "container", b) && *name_of(event, "interface", b))
		line_add(&line, " %s interface %s", a, b);
	else
		line_add(&line, " %s %s", a, *b ? b : "?");

	line_add(&line, " %s", name_of(event, "direction", a));
	if (*name_of(event, "proto", a))
		line_add(&line, " %s", a);
	else
		line_add(&line, " ethertype %s", name_of(event, "ethertype", b));
	if (*name_of(event, "src", a) || *name_of(event, "dst", b)) {
		line_add(&line, " ");
		add_end(&line, event, "src", "src_port");
		line_add(&line, " -> ");
		add_end(&line, event, "dst", "dst_port");
	}
	if ((number = json_object_get(event, "icmp_type")))
		line_add(&line, " type %" JSON_INTEGER_FORMAT " code %" JSON_INTEGER_FORMAT, json_integer_value(number),
			 json_integer_value(json_object_get(event, "icmp_code")));
	if (*name_of(event, "tcp_flags", a))
		line_add(&line, " %s", a);

	name_of(event, "reason", a);
	sentence = sentence_of(a);
	/* The sentence belongs to the reason's name, so a newer daemon's unknown reason shows its name alone. */
	if (sentence)
		line_add(&line, ": %s (%s", sentence, a);
	else
		line_add(&line, ": %s (", a);

	static const struct {
		const char *key, *word;
	} details[] = {
		{ "policy", "policy" }, { "rule", "rule" }, { "origin", "at" }, { "network", "network" },
		{ "service", "service" }, { "peer", "peer" }, { "country", "country" },
	};
	bool first = !sentence;

	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
		if (!*name_of(event, details[i].key, b))
			continue;
		line_add(&line, "%s%s %s", first ? "" : ", ", details[i].word, b);
		first = false;
	}
	number = json_object_get(event, "count");
	if (json_integer_value(number) > 1)
		line_add(&line, "%s%" JSON_INTEGER_FORMAT " packets", first ? "" : ", ", json_integer_value(number));
	line_add(&line, ")");
}

/* Through the JSON form, so that the daemon's log and `events` cannot differ. */
void event_to_text(const struct event_record *event, char *buffer, size_t size)
{
	json_t *object = event_to_json(event);

	if (size)
		buffer[0] = '\0';
	if (object)
		event_json_to_text(object, buffer, size);
	json_decref(object);
}
