/* SPDX-License-Identifier: GPL-2.0 */
#include "explain/packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/word.h"
#include "config/rule.h"

#define EXAMPLE "write a packet such as 'tcp 203.0.113.7:4444 -> web:443'"

static int fail_at(struct error *error, unsigned int column, unsigned int length, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int fail_at(struct error *error, unsigned int column, unsigned int length, const char *format, ...)
{
	char sentence[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return error_set_place(error, -EINVAL, "packet", 0, column, length, sentence);
}

int packet_side_error(struct error *error, const struct packet_side *side, const char *format, ...)
{
	char sentence[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return error_set_place(error, -EINVAL, "packet", 0, side->column, side->length, sentence);
}

bool packet_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

const char *packet_end_text(const struct dnet_addr *addr, uint16_t port, char *buffer)
{
	char text[TEXT_ADDR_SIZE];
	bool v4 = addr_is_v4(addr);

	text_addr(addr, text);
	if (port)
		snprintf(buffer, PACKET_END_SIZE, v4 ? "%s:%u" : "[%s]:%u", text, port);
	else
		snprintf(buffer, PACKET_END_SIZE, "%s", text);
	return buffer;
}

/* The protocol is written as in a rule, so the rule parser reads it: names of ICMP types, `proto:NUMBER`, did-you-mean. */
static int parse_protocol(struct word word, unsigned int column, struct packet_text *packet, struct error *error)
{
	static const char before[] = "allow ";
	struct origin origin = { .file = (char *)"packet", .line = 1, .column = 1 };
	struct rule rule = {};
	struct error inner = {};
	const struct match *match;
	char text[128];
	unsigned int at;
	int r;

	if (!word.length || word.length > 48)
		return fail_at(error, column, (unsigned int)word.length, "the protocol is missing here: " EXAMPLE);
	snprintf(text, sizeof(text), "%s%.*s from any", before, (int)word.length, word.begin);
	r = rule_parse(text, DNET_INGRESS, &origin, &rule, &inner);
	if (r == -EINVAL) {
		/* A word that means something else in a rule, such as "from", shows its harm behind itself. */
		at = inner.column >= sizeof(before) ? inner.column - (unsigned int)sizeof(before) : 0;
		return fail_at(error, column + (at < word.length ? at : 0), inner.length, "%s", inner.text + inner.sentence);
	}
	if (r < 0)
		return error_set(error, r, "%s", inner.text);
	match = rule.matches;
	packet->proto = (uint8_t)(match->first >> 16);
	packet->icmp_type = match->first >> 8 & 0xff;
	packet->icmp_code = match->first & 0xff;
	if (rule.match_count != 1 || match->first >> 16 != match->last >> 16 ||
	    (packet_has_ports(packet->proto) && match->last - match->first != 0xffff))
		r = fail_at(error, column, (unsigned int)word.length, "one protocol alone stands here, such as tcp, udp or "
			    "icmp; ports are written behind the names: " EXAMPLE);
	/* Without a type a ping is meant. */
	else if ((packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6) && match->last - match->first == 0xffff)
		packet->icmp_type = packet->proto == IPPROTO_ICMP ? 8 : 128;
	rule_clear(&rule);
	return r < 0 ? r : 0;
}

static bool copy(char *buffer, size_t size, const char *begin, size_t length)
{
	if (length >= size)
		return false;
	memcpy(buffer, begin, length);
	buffer[length] = '\0';
	return true;
}

static int parse_port(const char *text, unsigned int column, uint16_t *ret, struct error *error)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || text[digits] || digits > 5 || atoi(text) < 1 || atoi(text) > 65535)
		return fail_at(error, column, (unsigned int)strlen(text), "\"%s\" is not a port: write a number from 1 to 65535",
			       word_print(word_of(text)).text);
	*ret = (uint16_t)atoi(text);
	return 0;
}

static bool is_name(const char *text)
{
	return *text && !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")];
}

/* What stands before the port. */
static int parse_host(const char *text, struct packet_side *side, struct error *error)
{
	static const struct {
		const char *word;
		enum packet_side_kind kind;
	} words[] = {
		{ "host", PACKET_SIDE_HOST }, { "outside", PACKET_SIDE_OUTSIDE }, { "internet", PACKET_SIDE_OUTSIDE },
		{ "lan", PACKET_SIDE_LAN },
	};
	const char *slash, *name = text;
	size_t length;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i].word) == 0) {
			side->kind = words[i].kind;
			return 0;
		}
	if (text_parse_addr(text, &side->addr) == 0) {
		side->kind = PACKET_SIDE_ADDRESS;
		return 0;
	}
	side->kind = PACKET_SIDE_NAME;
	if (strncmp(name, "container:", 10) == 0) {
		name += 10;
	} else if (strncmp(name, "service:", 8) == 0) {
		name += 8;
		side->kind = PACKET_SIDE_SERVICE;
	}
	slash = strchr(name, '/');
	if (slash) {
		side->kind = PACKET_SIDE_SERVICE;
		if (!copy(side->project, sizeof(side->project), name, (size_t)(slash - name)))
			return packet_side_error(error, side, "this name is too long");
		name = slash + 1;
	}
	length = strlen(name);
	if (strspn(text, "0123456789.") == strlen(text) || !is_name(name) || (slash && !is_name(side->project)))
		return packet_side_error(error, side, "\"%s\" is neither an address nor a name: write an address, the name of "
					 "a container, service:PROJECT/NAME, host or outside", word_print(word_of(text)).text);
	if (!copy(side->name, sizeof(side->name), name, length))
		return packet_side_error(error, side, "this name is too long");
	return 0;
}

static int parse_side(struct word word, unsigned int column, struct packet_side *side, struct error *error)
{
	char text[PACKET_TEXT_MAX], *port = NULL, *host = text, *close;
	struct dnet_addr whole;

	memset(side, 0, sizeof(*side));
	side->column = column;
	side->length = (unsigned int)word.length;
	copy(text, sizeof(text), word.begin, word.length);
	if (text[0] == '[') {
		close = strchr(text, ']');
		if (!close || (close[1] && close[1] != ':'))
			return fail_at(error, column, side->length, "an IPv6 address with a port is written as [2001:db8::1]:443");
		*close = '\0';
		host = text + 1;
		port = close[1] ? close + 2 : NULL;
		if (text_parse_addr(host, &whole) < 0 || addr_is_v4(&whole))
			return fail_at(error, column + 1, (unsigned int)strlen(host), "\"%s\" is not an IPv6 address",
				       word_print(word_of(host)).text);
	} else if (text_parse_addr(text, &whole) < 0) {
		port = strrchr(text, ':');
		if (port && (strcmp(text, "service") == 0 || (port - text == 7 && strncmp(text, "service", 7) == 0) ||
			     (port - text == 9 && strncmp(text, "container", 9) == 0)))
			port = NULL;
		if (port)
			*port++ = '\0';
	}
	if (!*host)
		return fail_at(error, column, side->length, "an address or a name is missing here: " EXAMPLE);
	if (port) {
		int r = parse_port(port, column + (unsigned int)(port - text), &side->port, error);

		if (r < 0)
			return r;
	}
	return parse_host(host, side, error);
}

static struct word trim(const char *begin, const char *end)
{
	while (begin < end && *begin == ' ')
		begin++;
	while (end > begin && end[-1] == ' ')
		end--;
	return (struct word){ begin, (size_t)(end - begin) };
}

static int parse_ends(const char *text, const char *begin, struct packet_text *packet, struct error *error)
{
	const char *arrow = strstr(begin, "->"), *space;
	struct word words[2];
	struct packet_side *sides[2] = { &packet->src, &packet->dst };

	if (!arrow)
		return fail_at(error, (unsigned int)(begin - text) + 1, 0,
			       "there is no \"->\" between the sender and the receiver: " EXAMPLE);
	words[0] = trim(begin, arrow);
	words[1] = trim(arrow + 2, arrow + strlen(arrow));
	for (int i = 0; i < 2; i++) {
		unsigned int column = (unsigned int)(words[i].begin - text) + 1;
		int r;

		if (!words[i].length)
			return fail_at(error, column, 0, "the %s is missing here: " EXAMPLE, i ? "receiver" : "sender");
		space = memchr(words[i].begin, ' ', words[i].length);
		if (space)
			return fail_at(error, (unsigned int)(space - text) + 2, 0, "one %s stands here: " EXAMPLE,
				       i ? "receiver" : "sender");
		r = parse_side(words[i], column, sides[i], error);
		if (r < 0)
			return r;
		if (sides[i]->port && !packet_has_ports(packet->proto))
			return packet_side_error(error, sides[i], "this protocol has no ports: leave \":%u\" out", sides[i]->port);
	}
	if (!packet_has_ports(packet->proto))
		return 0;
	if (!packet->dst.port)
		return packet_side_error(error, &packet->dst, "the port is missing here, as in \"web:443\"");
	if (!packet->src.port)
		packet->src.port = PACKET_DEFAULT_PORT;
	return 0;
}

int packet_text_parse(const char *text, struct packet_text *ret, struct error *error)
{
	struct packet_text packet = {};
	const char *begin = text, *end;
	int r;

	if (strlen(text) >= PACKET_TEXT_MAX)
		return fail_at(error, 1, 0, "this is longer than a packet can be written: " EXAMPLE);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ')
			return fail_at(error, (unsigned int)(c - text) + 1, 1,
				       "a packet is written in one line, with spaces between its words");
	begin += strspn(begin, " ");
	end = begin + strcspn(begin, " ");
	if (strstr(begin, "->") && strstr(begin, "->") < end)
		end = begin;	/* "web->db": no protocol */
	r = parse_protocol((struct word){ begin, (size_t)(end - begin) }, (unsigned int)(begin - text) + 1, &packet, error);
	if (r == 0)
		r = parse_ends(text, end, &packet, error);
	if (r < 0)
		return r;
	*ret = packet;
	return 0;
}
