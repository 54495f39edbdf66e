/* SPDX-License-Identifier: GPL-2.0 */
/* Packets as people write them, and as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "explain/frame.h"
#include "explain/packet.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What was understood, as one text. */
static const char *print_side(const struct packet_side *side, char *buffer)
{
	static const char *const kinds[] = {
		[PACKET_SIDE_ADDRESS] = "address", [PACKET_SIDE_NAME] = "name", [PACKET_SIDE_SERVICE] = "service", [PACKET_SIDE_HOST] = "host",
		[PACKET_SIDE_OUTSIDE] = "outside", [PACKET_SIDE_LAN] = "lan",
	};
	char addr[TEXT_ADDR_SIZE];

	snprintf(buffer, 400, "%s %s%s%s %u", kinds[side->kind], side->project, *side->project ? "/" : "",
		 side->kind == PACKET_SIDE_ADDRESS ? text_addr(&side->addr, addr) : side->name, side->port);
	return buffer;
}

static const struct {
	const char *text, *src, *dst;
	unsigned int proto, icmp_type;
} good[] = {
	{ "tcp 203.0.113.7:4444 -> web:443", "address 203.0.113.7 4444", "name web 443", 6, 0 },
	{ "tcp web:1 -> [2001:db8::1]:443", "name web 1", "address 2001:db8::1 443", 6, 0 },
	{ "udp web -> 192.0.2.1:53", "name web 40000", "address 192.0.2.1 53", 17, 0 },
	{ "  tcp   web->db:5432  ", "name web 40000", "name db 5432", 6, 0 },
	{ "sctp host -> web:9", "host  40000", "name web 9", 132, 0 },
	{ "tcp outside -> service:shop/web:80", "outside  40000", "service shop/web 80", 6, 0 },
	{ "tcp internet -> shop/web:80", "outside  40000", "service shop/web 80", 6, 0 },
	{ "tcp lan -> service:web:80", "lan  40000", "service web 80", 6, 0 },
	{ "tcp container:host -> web:80", "name host 40000", "name web 80", 6, 0 },
	{ "icmp 198.18.0.1 -> web", "address 198.18.0.1 0", "name web 0", 1, 8 },
	{ "icmp:echo-reply web -> host", "name web 0", "host  0", 1, 0 },
	{ "icmp:13 web -> host", "name web 0", "host  0", 1, 13 },
	{ "icmpv6 web -> 2001:db8::1", "name web 0", "address 2001:db8::1 0", 58, 128 },
	{ "icmpv6:packet-too-big [2001:db8::1] -> web", "address 2001:db8::1 0", "name web 0", 58, 2 },
	{ "proto:47 web -> host", "name web 0", "host  0", 47, 0 },
	{ "proto:6 web -> db:1", "name web 40000", "name db 1", 6, 0 },
};

static void packets_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct packet_text packet;
		struct error error = {};
		char buffer[400];

		if (packet_text_parse(good[i].text, &packet, &error) < 0)
			fail_msg("%s: %s", good[i].text, error.text);
		assert_string_equal(print_side(&packet.src, buffer), good[i].src);
		assert_string_equal(print_side(&packet.dst, buffer), good[i].dst);
		assert_int_equal(packet.proto, good[i].proto);
		assert_int_equal(packet.icmp_type, good[i].icmp_type);
	}
}

static const struct {
	const char *text;
	unsigned int column;
	const char *sentence;	/* a part of it */
} bad[] = {
	{ "", 1, "the protocol is missing" },
	{ "web -> db:1", 1, "web" },
	{ "web->db:1", 1, "the protocol is missing" },
	{ "tpc web -> db:1", 1, "did you mean \"tcp\"" },
	{ "icmp:echo-requets web -> db", 6, "did you mean" },
	{ "from web -> db:1", 1, "" },
	{ "tcp,udp web -> db:1", 1, "one protocol alone" },
	{ "443/tcp web -> db:1", 1, "one protocol alone" },
	{ "tcp web db:1", 4, "no \"->\"" },
	{ "tcp -> db:1", 5, "the sender is missing" },
	{ "tcp web ->", 11, "the receiver is missing" },
	{ "tcp web other -> db:1", 9, "one sender" },
	{ "tcp web -> db:1 now", 17, "one receiver" },
	{ "tcp web -> db", 12, "the port is missing" },
	{ "tcp web -> 2001:db8::1", 12, "the port is missing" },
	{ "tcp web -> db:", 15, "is not a port" },
	{ "tcp web -> db:0", 15, "is not a port" },
	{ "tcp web:65536 -> db:1", 9, "is not a port" },
	{ "tcp web -> db:http", 15, "is not a port" },
	{ "tcp web -> :80", 12, "an address or a name is missing" },
	{ "tcp [2001:db8::1 -> web:1", 5, "[2001:db8::1]:443" },
	{ "tcp [192.0.2.1]:1 -> web:1", 6, "is not an IPv6 address" },
	{ "tcp 300.0.0.1 -> web:1", 5, "neither an address nor a name" },
	{ "tcp we*b -> web:1", 5, "neither an address nor a name" },
	{ "icmp host -> web:1", 14, "has no ports" },
	{ "tcp web\n-> db:1", 8, "one line" },
};

static void errors_name_the_column(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct packet_text packet = { .proto = 99 };
		struct error error = {};

		assert_int_equal(packet_text_parse(bad[i].text, &packet, &error), -22);
		if (error.column != bad[i].column || !strstr(error.text, bad[i].sentence))
			fail_msg("'%s': column %u, \"%s\"", bad[i].text, error.column, error.text);
		assert_int_equal(packet.proto, 99);
	}
}

static uint16_t checksum(uint32_t sum, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A receiver that sums up what the checksum covers finds 0. */
static void frames_have_right_checksums(void **state)
{
	static const uint8_t src_mac[6] = { 2, 0, 0, 0, 0, 1 }, dst_mac[6] = { 2, 0, 0, 0, 0, 2 };
	static const struct { const char *src, *dst; uint8_t proto; size_t length; } cases[] = {
		{ "198.18.0.2", "198.18.0.3", IPPROTO_TCP, 54 }, { "198.18.0.2", "198.18.0.3", IPPROTO_UDP, 42 },
		{ "198.18.0.2", "198.18.0.3", IPPROTO_ICMP, 42 }, { "fd77:1::2", "fd77:1::3", IPPROTO_TCP, 74 },
		{ "fd77:1::2", "fd77:1::3", IPPROTO_UDP, 62 }, { "fd77:1::2", "fd77:1::3", IPPROTO_ICMPV6, 62 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct explain_packet packet = { .proto = cases[i].proto, .icmp_type = 8, .src.port = 40000, .dst.port = 443 };
		uint8_t frame[EXPLAIN_FRAME_SIZE];
		bool v4 = !strchr(cases[i].src, ':');
		size_t length, header = v4 ? 20 : 40, skip = v4 ? 12 : 0;
		uint32_t pseudo = 0;

		assert_int_equal(text_parse_addr(cases[i].src, &packet.src.addr), 0);
		assert_int_equal(text_parse_addr(cases[i].dst, &packet.dst.addr), 0);
		length = explain_frame(&packet, src_mac, dst_mac, frame);
		assert_int_equal(length, cases[i].length);
		assert_memory_equal(frame, dst_mac, 6);
		assert_memory_equal(frame + 6, src_mac, 6);
		if (v4)
			assert_int_equal(checksum(0, frame + 14, 20), 0);
		if (cases[i].proto != IPPROTO_ICMP) {
			for (size_t j = skip; j < 16; j += 2)
				pseudo += ((uint32_t)packet.src.addr.byte[j] << 8 | packet.src.addr.byte[j + 1]) +
					  ((uint32_t)packet.dst.addr.byte[j] << 8 | packet.dst.addr.byte[j + 1]);
			pseudo += cases[i].proto + (uint32_t)(length - 14 - header);
		}
		assert_int_equal(checksum(pseudo, frame + 14 + header, length - 14 - header), 0);
	}
}

static void groups_have_their_own_mac(void **state)
{
	static const struct { const char *addr; uint8_t mac[6]; } cases[] = {
		{ "224.0.0.251", { 0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb } }, { "239.129.1.2", { 0x01, 0x00, 0x5e, 0x01, 0x01, 0x02 } },
		{ "255.255.255.255", { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } }, { "ff02::1:2", { 0x33, 0x33, 0x00, 0x01, 0x00, 0x02 } },
	};
	static const uint8_t mac[6] = { 2 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct explain_packet packet = { .proto = IPPROTO_UDP, .src.port = 1, .dst.port = 2 };
		uint8_t frame[EXPLAIN_FRAME_SIZE];

		text_parse_addr(cases[i].addr, &packet.dst.addr);
		text_parse_addr(strchr(cases[i].addr, ':') ? "fd77:1::2" : "198.18.0.2", &packet.src.addr);
		explain_frame(&packet, mac, mac, frame);
		assert_memory_equal(frame, cases[i].mac, 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_read),
		cmocka_unit_test(errors_name_the_column),
		cmocka_unit_test(frames_have_right_checksums),
		cmocka_unit_test(groups_have_their_own_mac),
	};

	return cmocka_run_group_tests_name("explain packet", tests, NULL, NULL);
}
