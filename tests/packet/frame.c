/* SPDX-License-Identifier: GPL-2.0 */
#include "packet.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdlib.h>

/* A packet as its words say it, before it is laid out. Numbers of -1: right by themselves. */
struct notation {
	struct dnet_addr src, dst;
	bool v6;
	int src_port, dst_port;
	int proto;
	uint8_t tcp_flags, type, code;
	int id, payload, ihl, version, total, data_offset, cut, fragment_id, fragment, more, options, hops;
	int sequence, acknowledged;
	uint8_t extensions[16];
	size_t extension_count;
	struct dnet_addr target;
	uint8_t quoted[512];
	size_t quoted_length;
};

#define FRAGMENT_NONE (-1)

static const struct { const char *name; uint8_t number; } extension_names[] = {
	{ "hop", 0 }, { "rt", 43 }, { "atomic", 44 }, { "ah", 51 }, { "dst", 60 },
};

/* What is not in this text is not in the packet. */
static const struct { const char *word; size_t at; } number_words[] = {
	{ "id", offsetof(struct notation, id) },		/* ICMP identifier */
	{ "len", offsetof(struct notation, payload) },		/* payload */
	{ "ihl", offsetof(struct notation, ihl) },		/* IPv4 header, in words */
	{ "version", offsetof(struct notation, version) },
	{ "hops", offsetof(struct notation, hops) },		/* hop limit, time to live */
	{ "totlen", offsetof(struct notation, total) },		/* IPv4 total length */
	{ "seq", offsetof(struct notation, sequence) },		/* TCP */
	{ "ack", offsetof(struct notation, acknowledged) },
	{ "doff", offsetof(struct notation, data_offset) },	/* TCP header, in words */
	{ "options", offsetof(struct notation, options) },	/* IPv4 options, in words */
	{ "cut", offsetof(struct notation, cut) },		/* keep so many bytes of the IP packet */
	{ "fragid", offsetof(struct notation, fragment_id) },
	{ "frag", offsetof(struct notation, fragment) },	/* offset in bytes; 0: the first one */
	{ "last", offsetof(struct notation, more) },		/* `last 0`: no more fragments follow */
};

static bool wrong(char *problem, const char *what, const char *word)
{
	snprintf(problem, 256, "%s: \"%s\"", what, word ? word : "(end of line)");
	return false;
}

static bool read_address(const char *word, struct dnet_addr *ret, bool *ret_v6)
{
	struct in_addr v4;

	memset(ret, 0, sizeof(*ret));
	*ret_v6 = strchr(word, ':') != NULL;
	if (*ret_v6)
		return inet_pton(AF_INET6, word, ret->byte) == 1;
	if (inet_pton(AF_INET, word, &v4) != 1)
		return false;
	ret->byte[10] = ret->byte[11] = 0xff;
	memcpy(ret->byte + 12, &v4, 4);
	return true;
}

/* ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT */
static bool read_end(const char *word, struct dnet_addr *ret, bool *ret_v6, int *ret_port)
{
	char text[64];
	char *colon;

	*ret_port = 0;
	if (!word)
		return false;
	snprintf(text, sizeof(text), "%s", word[0] == '[' ? word + 1 : word);
	if (word[0] == '[') {
		colon = strstr(text, "]:");
		if (!colon)
			return false;
		*colon = '\0';
		*ret_port = atoi(colon + 2);
	} else if (strchr(text, '.') && (colon = strchr(text, ':')) && strrchr(text, ':') == colon) {
		*colon = '\0';
		*ret_port = atoi(colon + 1);
	}
	return read_address(text, ret, ret_v6);
}

static bool read_mac(const char *word, uint8_t *ret)
{
	return word && sscanf(word, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", ret, ret + 1, ret + 2, ret + 3, ret + 4, ret + 5) == 6;
}

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, unsigned int value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static size_t put_transport(const struct notation *n, uint8_t *out, size_t *ret_headers)
{
	size_t headers = 0, length;

	switch (n->proto) {
	case IPPROTO_TCP:
		put16(out, (unsigned int)n->src_port);
		put16(out + 2, (unsigned int)n->dst_port);
		put32(out + 4, (unsigned int)n->sequence);
		put32(out + 8, (unsigned int)n->acknowledged);
		headers = n->data_offset > 5 ? (size_t)n->data_offset * 4 : 20;
		out[12] = (uint8_t)((n->data_offset >= 0 ? n->data_offset : 5) << 4);
		out[13] = n->tcp_flags;
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
		put16(out, (unsigned int)n->src_port);
		put16(out + 2, (unsigned int)n->dst_port);
		put16(out + 4, 8 + (unsigned int)n->payload);
		headers = 8;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		out[0] = n->type;
		out[1] = n->code;
		put16(out + 4, n->id > 0 ? (unsigned int)n->id : 0);
		headers = 8;
		/* The target of neighbor discovery follows the header. */
		if (n->proto == IPPROTO_ICMPV6 && n->type >= 135 && n->type <= 137)
			memcpy(out + 8, &n->target, 16);
		memcpy(out + 8 + (n->type >= 135 ? 16 : 0), n->quoted, n->quoted_length);
		break;
	}
	*ret_headers = headers;
	length = headers + (size_t)n->payload + n->quoted_length;
	if (n->proto == IPPROTO_ICMPV6 && n->type >= 135 && n->type <= 137)
		length += 16;
	return length;
}

/* Neighbor discovery is believed with 255 alone (RFC 4861), MLD and IGMP are sent with 1 (RFC 3810, RFC 3376). */
static uint8_t hop_limit(const struct notation *n)
{
	if (n->hops >= 0)
		return (uint8_t)n->hops;
	if (n->proto == IPPROTO_IGMP)
		return 1;
	if (n->proto != IPPROTO_ICMPV6)
		return 64;
	return n->type >= 133 && n->type <= 137 ? 255 : n->type >= 130 && n->type <= 143 ? 1 : 64;
}

static void put_checksum(uint8_t *header, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)(header[i] << 8 | header[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(header + 10, ~(sum + (sum >> 16)) & 0xffff);
}

/* The IP packet. Returns its length; *ret_headers: up to the payload. */
static size_t put_ip(const struct notation *n, uint8_t *out, size_t *ret_headers)
{
	size_t offset, transport_headers = 0, length;
	bool later = n->fragment > 0;

	if (n->v6) {
		uint8_t *next = out + 6;

		out[0] = (uint8_t)((n->version >= 0 ? n->version : 6) << 4);
		out[7] = hop_limit(n);
		memcpy(out + 8, &n->src, 16);
		memcpy(out + 24, &n->dst, 16);
		offset = 40;
		for (size_t i = 0; i < n->extension_count; i++) {
			size_t size = n->extensions[i] == 51 ? 24 : 8;

			*next = n->extensions[i];
			next = out + offset;
			/* AH counts words and leaves two out; the others count units of 8 bytes and leave one out. */
			out[offset + 1] = n->extensions[i] == 51 ? 4 : 0;
			offset += size;
		}
		if (n->fragment != FRAGMENT_NONE) {
			*next = 44;
			next = out + offset;
			put16(out + offset + 2, (unsigned int)n->fragment | (n->more ? 1 : 0));
			put16(out + offset + 6, (unsigned int)n->fragment_id);
			offset += 8;
		}
		*next = (uint8_t)n->proto;
	} else {
		offset = 20 + (size_t)n->options * 4;
		out[0] = (uint8_t)((n->version >= 0 ? n->version : 4) << 4 | (n->ihl >= 0 ? n->ihl : 5 + n->options));
		put16(out + 4, (unsigned int)n->fragment_id);
		if (n->fragment != FRAGMENT_NONE)
			put16(out + 6, (unsigned int)n->fragment / 8 | (n->more ? 0x2000 : 0));
		out[8] = hop_limit(n);
		out[9] = (uint8_t)n->proto;
		memcpy(out + 12, n->src.byte + 12, 4);
		memcpy(out + 16, n->dst.byte + 12, 4);
	}
	length = offset + (later ? 64 : put_transport(n, out + offset, &transport_headers));
	if (n->v6)
		put16(out + 4, (unsigned int)(length - 40));
	else
		put16(out + 2, n->total >= 0 ? (unsigned int)n->total : (unsigned int)length);
	/* The programs do not look, but on the wire a bridge with netfilter does. */
	if (!n->v6)
		put_checksum(out, 20 + (size_t)n->options * 4);
	*ret_headers = offset + transport_headers;
	if (n->cut >= 0 && (size_t)n->cut < length)
		length = (size_t)n->cut;
	return length;
}

static bool read_protocol(const char *word, char **rest, struct notation *n, char *problem)
{
	static const struct { const char *name; int number; } names[] = {
		{ "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "udplite", IPPROTO_UDPLITE }, { "sctp", IPPROTO_SCTP },
		{ "icmp", IPPROTO_ICMP }, { "icmp6", IPPROTO_ICMPV6 }, { "proto", -1 },
	};
	static const char flags[] = "FSRPAU";
	const char *argument = NULL;
	size_t i;

	for (i = 0; i < COUNT(names) && word && strcmp(word, names[i].name) != 0; i++)
		;
	if (!word || i == COUNT(names))
		return wrong(problem, "a protocol is missing", word);
	n->proto = names[i].number;
	if (n->proto == IPPROTO_UDP || n->proto == IPPROTO_UDPLITE || n->proto == IPPROTO_SCTP)
		return true;
	argument = strtok_r(NULL, " ", rest);
	if (!argument)
		return wrong(problem, "flags, type or number are missing after", word);
	if (n->proto == IPPROTO_TCP) {
		for (const char *c = argument; *c; c++) {
			const char *flag = strchr(flags, *c);

			if (*c != '.' && !flag)
				return wrong(problem, "no TCP flags", argument);
			if (flag)
				n->tcp_flags |= (uint8_t)(1 << (flag - flags));
		}
		return true;
	}
	if (n->proto < 0) {
		n->proto = atoi(argument);
		return true;
	}
	return sscanf(argument, "%hhu/%hhu", &n->type, &n->code) == 2 || wrong(problem, "no TYPE/CODE", argument);
}

/* Words that stay for the frame: MACs and GSO. */
struct frame_words {
	uint8_t smac[6], dmac[6], arp_mac[6];
	bool has_arp_mac;
	int hardware_length;
	unsigned int gso_segments, gso_size;
};

static bool read_ip(const char *first, char **rest, struct notation *n, struct frame_words *words, char *problem);

static bool read_word(const char *word, char **rest, struct notation *n, struct frame_words *words, char *problem)
{
	char *argument;

	for (size_t i = 0; i < COUNT(number_words); i++) {
		if (strcmp(word, number_words[i].word) != 0)
			continue;
		argument = strtok_r(NULL, " ", rest);
		if (!argument)
			return wrong(problem, "a number is missing after", word);
		*(int *)((char *)n + number_words[i].at) = atoi(argument);
		return true;
	}
	if (strcmp(word, "quoting") == 0) {
		struct notation quoted;
		size_t headers;

		if (!read_ip(strtok_r(NULL, " ", rest), rest, &quoted, words, problem))
			return false;
		n->quoted_length = put_ip(&quoted, n->quoted, &headers);
		return true;
	}
	argument = strtok_r(NULL, " ", rest);
	if (strcmp(word, "smac") == 0)
		return read_mac(argument, words->smac) || wrong(problem, "no MAC", argument);
	if (strcmp(word, "dmac") == 0)
		return read_mac(argument, words->dmac) || wrong(problem, "no MAC", argument);
	if (strcmp(word, "arpmac") == 0)
		return (words->has_arp_mac = read_mac(argument, words->arp_mac)) || wrong(problem, "no MAC", argument);
	if (strcmp(word, "hwlen") == 0 && argument) {
		words->hardware_length = atoi(argument);
		return true;
	}
	if (strcmp(word, "gso") == 0)
		return (argument && sscanf(argument, "%ux%u", &words->gso_segments, &words->gso_size) == 2) ||
		       wrong(problem, "no SEGMENTSxSIZE", argument);
	if (strcmp(word, "target") == 0) {
		bool v6;

		return (argument && read_address(argument, &n->target, &v6) && v6) || wrong(problem, "no IPv6 address", argument);
	}
	if (strcmp(word, "ext") == 0 && argument) {
		char *comma, *next;

		for (char *name = argument; name; name = next) {
			size_t i;

			comma = strchr(name, ',');
			next = comma ? comma + 1 : NULL;
			if (comma)
				*comma = '\0';
			for (i = 0; i < COUNT(extension_names) && strcmp(extension_names[i].name, name) != 0; i++)
				;
			if (i == COUNT(extension_names) || n->extension_count == sizeof(n->extensions))
				return wrong(problem, "no extension header", name);
			n->extensions[n->extension_count++] = extension_names[i].number;
		}
		return true;
	}
	return wrong(problem, "what is this word", word);
}

static bool read_ip(const char *first, char **rest, struct notation *n, struct frame_words *words, char *problem)
{
	const char *word;
	bool v6;

	*n = (struct notation){ .id = -1, .ihl = -1, .version = -1, .total = -1, .data_offset = -1, .cut = -1, .hops = -1,
				.fragment = FRAGMENT_NONE, .fragment_id = 7, .more = 1 };
	if (!read_end(first, &n->src, &n->v6, &n->src_port))
		return wrong(problem, "no source", first);
	word = strtok_r(NULL, " ", rest);
	if (!word || strcmp(word, "->") != 0)
		return wrong(problem, "no arrow", word);
	word = strtok_r(NULL, " ", rest);
	if (!read_end(word, &n->dst, &v6, &n->dst_port) || v6 != n->v6)
		return wrong(problem, "no destination of that family", word);
	if (!read_protocol(strtok_r(NULL, " ", rest), rest, n, problem))
		return false;
	while ((word = strtok_r(NULL, " ", rest)))
		if (!read_word(word, rest, n, words, problem))
			return false;
	return true;
}

static bool build_arp(char **rest, struct frame_words *words, struct frame *frame, char *problem)
{
	const char *operation = strtok_r(NULL, " ", rest), *sender = strtok_r(NULL, " ", rest), *target = strtok_r(NULL, " ", rest);
	struct notation n = { .cut = -1 };
	uint8_t *arp = frame->bytes + ETH_HLEN;
	const char *word;

	while ((word = strtok_r(NULL, " ", rest)))
		if (!read_word(word, rest, &n, words, problem))
			return false;
	if (!operation || !sender || !target || inet_pton(AF_INET, sender, arp + 14) != 1 || inet_pton(AF_INET, target, arp + 24) != 1)
		return wrong(problem, "an ARP packet needs request or reply and two addresses", operation);
	put16(arp, 1);
	put16(arp + 2, ETH_P_IP);
	arp[4] = (uint8_t)words->hardware_length;
	arp[5] = 4;
	put16(arp + 6, strcmp(operation, "reply") == 0 ? 2 : 1);
	memcpy(arp + 8, words->has_arp_mac ? words->arp_mac : words->smac, 6);
	frame->length = ETH_HLEN + (n.cut >= 0 ? (size_t)n.cut : 28);
	frame->ethertype = ETH_P_ARP;
	frame->headers = ETH_HLEN;
	frame->needed = ETH_HLEN + 18;
	return true;
}

static void describe(const struct notation *n, size_t ip_headers, struct frame *frame)
{
	bool icmp = n->proto == (n->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP), later = n->fragment > 0;
	bool echo = icmp && n->id >= 0;

	frame->is_ip = true;
	frame->ethertype = n->v6 ? ETH_P_IPV6 : ETH_P_IP;
	frame->src = n->src;
	frame->dst = n->dst;
	frame->proto = (uint8_t)n->proto;
	frame->headers = ETH_HLEN + ip_headers;
	frame->needed = frame->headers - (n->proto == IPPROTO_TCP && !later ? 6 + (n->data_offset > 5 ? (size_t)(n->data_offset - 5) * 4 : 0) : 0);
	if (later)
		return;
	frame->src_port = frame->flow_src_port = (uint16_t)n->src_port;
	frame->dst_port = frame->flow_dst_port = (uint16_t)n->dst_port;
	frame->tcp_flags = n->tcp_flags;
	if (n->proto == IPPROTO_ICMP || n->proto == IPPROTO_ICMPV6) {
		frame->dst_port = icmp ? (uint16_t)(n->type << 8 | n->code) : 0;
		/* The asker's port is the identifier, the answerer's the type of the question (dnetbpf/flow.h). */
		if (n->type == 0 || n->type == 129) {
			frame->flow_src_port = n->type == 0 ? 8 : 128;
			frame->flow_dst_port = (uint16_t)n->id;
		} else {
			frame->flow_src_port = echo ? (uint16_t)n->id : 0;
			frame->flow_dst_port = (uint16_t)n->type;
		}
	}
}

bool frame_build(const char *text, const uint8_t *smac, const uint8_t *dmac, struct frame *ret, char *problem)
{
	struct frame_words words = { .hardware_length = 6 };
	char copy[512], *rest;
	const char *first;
	struct notation n;

	snprintf(copy, sizeof(copy), "%s", text);
	memset(ret, 0, sizeof(*ret));
	memcpy(words.smac, smac, 6);
	memcpy(words.dmac, dmac, 6);
	first = strtok_r(copy, " ", &rest);
	if (!first)
		return wrong(problem, "no packet", first);
	if (strcmp(first, "arp") == 0) {
		if (!build_arp(&rest, &words, ret, problem))
			return false;
	} else if (strcmp(first, "ether") == 0) {
		const char *word = strtok_r(NULL, " ", &rest);

		n = (struct notation){ .payload = 46, .cut = -1 };
		ret->ethertype = word ? (uint16_t)strtoul(word, NULL, 0) : 0;
		while ((word = strtok_r(NULL, " ", &rest)))
			if (!read_word(word, &rest, &n, &words, problem))
				return false;
		ret->length = ETH_HLEN + (size_t)n.payload;
		ret->headers = ret->needed = ETH_HLEN;
	} else {
		size_t headers;

		if (!read_ip(first, &rest, &n, &words, problem))
			return false;
		ret->length = ETH_HLEN + put_ip(&n, ret->bytes + ETH_HLEN, &headers);
		describe(&n, headers, ret);
	}
	memcpy(ret->bytes, words.dmac, 6);
	memcpy(ret->bytes + 6, words.smac, 6);
	put16(ret->bytes + 12, ret->ethertype);
	ret->gso_segments = words.gso_segments;
	ret->gso_size = words.gso_size;
	return true;
}
