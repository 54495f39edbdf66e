/* SPDX-License-Identifier: GPL-2.0 */
/* Countries of addresses. world_countries() says which is where. */
#include "packet.h"

static const struct packet_case cases[] = {
	{ "deny from a country, and the first and the last address of it", "geo", {
		{ "web < uplink 192.0.2.127:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/all" },
		{ "web < uplink 192.0.2.128:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "p/not-kp" },
		{ "web < uplink 192.0.2.255:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "p/not-kp" },
		{ "web < uplink 192.0.3.0:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/all" },
		{ "web < uplink [2001:db8:7fff:ffff:ffff:ffff:ffff:ffff]:1 -> [fd77:1::2]:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/all" },
		{ "web < uplink [2001:db8:8000::]:1 -> [fd77:1::2]:80 tcp S", DENY(POLICY_DENIED), .rule = "p/not-kp" },
		{ "web < uplink [2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:1 -> [fd77:1::2]:80 tcp S", DENY(POLICY_DENIED), .rule = "p/not-kp" },
		{ "web < uplink [2001:db9::]:1 -> [fd77:1::2]:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/all" } } },
	{ "allow from countries: who is in none is in none of them", "geo", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED), .rule = "p/europe" },
		{ "web < uplink 192.0.2.200:1 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink 203.0.113.1:1 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink [2001:db8::9]:1 -> [fd77:1::2]:81 tcp S", PASS(POLICY_ALLOWED), .rule = "p/europe" } } },
	{ "a country beside another peer", "geo", {
		{ "web < uplink 192.0.2.200:1 -> 198.18.0.2:82 tcp S", PASS(POLICY_ALLOWED), .rule = "p/mixed" },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:82 tcp S", PASS(POLICY_ALLOWED), .rule = "p/mixed" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:82 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "egress to a country; answers to what a container began elsewhere are not its affair", "geo", {
		{ "web > 198.18.0.2:9 -> 192.0.2.200:443 tcp S", DENY(POLICY_DENIED), .rule = "p/kp-out" },
		{ "web > 198.18.0.2:9 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED), .rule = "p/calls" },
		{ "web < uplink 192.0.2.9:443 -> 198.18.0.2:9 tcp SA", PASS(ESTABLISHED) } } },
	{ "the host's countries hold for every container, and never-block comes before them", "geo-host", {
		{ "lone < uplink 192.0.2.201:1 -> 198.18.2.2:5 udp", DENY(POLICY_DENIED), .rule = "host/host-kp", .layer = LAYER(HOST) },
		{ "lone > 198.18.2.2:5 -> 192.0.2.201:1 udp", DENY(POLICY_DENIED), .rule = "host/host-to-kp", .layer = LAYER(HOST) },
		{ "lone < uplink 192.0.2.200:1 -> 198.18.2.2:5 udp", PASS(UNSELECTED) },
		{ "web < uplink 192.0.2.200:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.201:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "host/host-kp", .layer = LAYER(HOST) } } },
	{ "without a table rules with countries cannot be judged", "geo", {
		{ .line = "@no-countries" }, { "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", DENY(TABLE_MISSING) },
		{ .line = "@countries" }, { "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/all" } } },
};

const struct case_table geo_cases = { "geo", cases, COUNT(cases) };
