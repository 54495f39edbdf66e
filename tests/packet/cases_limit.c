/* SPDX-License-Identifier: GPL-2.0 */
/* Limits of rules. Rates are of a minute, so that the time which the steps themselves take gives no token. */
#include "packet.h"

#define SYN(port, to) "web < uplink 192.0.2.9:" #port " -> 198.18.0.2:" #to " tcp S"
#define IN(port, to, flags) "web < uplink 192.0.2.9:" #port " -> 198.18.0.2:" #to " tcp " flags
#define OUT(port, to, flags) "web > 198.18.0.2:" #to " -> 192.0.2.9:" #port " tcp " flags
#define ALL PASS(POLICY_ALLOWED), .rule = "p/all"
#define OPENED(port, to) { SYN(port, to), PASS(POLICY_ALLOWED) }, { OUT(port, to, "SA"), PASS(ESTABLISHED) }
#define OPEN(count) { .line = "@open " #count }
#define EXCEEDED(count) { .line = "@exceeded " #count }

static const struct packet_case cases[] = {
	{ "rate: the burst passes, the next does not, and a minute gives one token", "rate", {
		{ SYN(1, 80), ALL, .flow = "new" }, { SYN(2, 80), ALL }, { SYN(3, 80), ALL },
		{ SYN(4, 80), DENY(RATE_LIMITED), .rule = "p/all", .flow = "none" },
		{ SYN(4, 80), DENY(RATE_LIMITED), .rule = "p/all", .flow = "none" }, EXCEEDED(2),
		{ .line = "@wait 55" }, { SYN(4, 80), DENY(RATE_LIMITED), .rule = "p/all" },
		{ .line = "@wait 5" }, { SYN(4, 80), ALL }, { SYN(5, 80), DENY(RATE_LIMITED), .rule = "p/all" },
		{ .line = "@wait 120" }, { SYN(5, 80), ALL }, { SYN(6, 80), ALL }, { SYN(7, 80), DENY(RATE_LIMITED), .rule = "p/all" } } },
	{ "rate: never more than the burst, however long nobody came", "rate", {
		{ SYN(1, 80), ALL }, { .line = "@wait 86400" },
		{ SYN(2, 80), ALL }, { SYN(3, 80), ALL }, { SYN(4, 80), ALL }, { SYN(5, 80), DENY(RATE_LIMITED), .rule = "p/all" } } },
	{ "rate: connections are charged, not their packets, nor a SYN that comes again", "rate", {
		{ SYN(1, 81), PASS(POLICY_ALLOWED), .rule = "p/source" }, { SYN(1, 81), PASS(ESTABLISHED) }, { OUT(1, 81, "SA"), PASS(ESTABLISHED) },
		{ IN(1, 81, "A"), PASS(ESTABLISHED) }, { IN(1, 81, "A"), PASS(ESTABLISHED) },
		{ SYN(2, 81), DENY(RATE_LIMITED), .rule = "p/source" }, { IN(1, 81, "A"), PASS(ESTABLISHED) } } },
	{ "rate per src: each its own; IPv6 by /64", "rate", {
		{ SYN(1, 81), PASS(POLICY_ALLOWED) }, { SYN(2, 81), DENY(RATE_LIMITED), .rule = "p/source" },
		{ "web < uplink 192.0.2.10:1 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink [2001:db8::9]:1 -> [fd77:1::2]:81 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink [2001:db8::a]:1 -> [fd77:1::2]:81 tcp S", DENY(RATE_LIMITED), .rule = "p/source" },
		{ "web < uplink [2001:db8:0:1::a]:1 -> [fd77:1::2]:81 tcp S", PASS(POLICY_ALLOWED) } } },
	{ "rate per src/24 and per src/56", "rate", {
		{ SYN(1, 82), PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.200:1 -> 198.18.0.2:82 tcp S", DENY(RATE_LIMITED), .rule = "p/net" },
		{ "web < uplink 192.0.3.9:1 -> 198.18.0.2:82 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink [2001:db8:0:1ff::9]:1 -> [fd77:1::2]:83 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink [2001:db8:0:100::9]:1 -> [fd77:1::2]:83 tcp S", DENY(RATE_LIMITED), .rule = "p/site" },
		{ "web < uplink [2001:db8:0:200::9]:1 -> [fd77:1::2]:83 tcp S", PASS(POLICY_ALLOWED) } } },
	{ "rate per dst: of what the container calls", "rate", {
		{ "web > 198.18.0.2:1 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED), .rule = "p/calls" },
		{ "web > 198.18.0.2:2 -> 192.0.2.9:443 tcp S", DENY(RATE_LIMITED), .rule = "p/calls" },
		{ "web > 198.18.0.2:3 -> 192.0.2.10:443 tcp S", PASS(POLICY_ALLOWED), .rule = "p/calls" } } },
	{ "rate: a changed generation costs nothing", "rate", {
		{ SYN(1, 81), PASS(POLICY_ALLOWED) }, { OUT(1, 81, "SA"), PASS(ESTABLISHED) }, { .line = "@raise" },
		{ IN(1, 81, "A"), PASS(ESTABLISHED), .rule = "p/source" }, { .line = "@policy rate" }, { IN(1, 81, "A"), PASS(ESTABLISHED) },
		{ SYN(2, 81), DENY(RATE_LIMITED), .rule = "p/source" } } },
	{ "rate: connections that we met in their middle cost nothing", "rate", {
		{ .line = "@grace web" }, { IN(1, 81, "A"), PASS(POLICY_ALLOWED) }, { IN(2, 81, "A"), PASS(POLICY_ALLOWED) },
		{ .line = "@grace-over web" }, { SYN(3, 81), PASS(POLICY_ALLOWED) }, { SYN(4, 81), DENY(RATE_LIMITED), .rule = "p/source" } } },
	{ "conns: as many as are allowed; FIN from both makes room", "conns", {
		OPENED(1, 80), OPENED(2, 80), OPEN(2), { SYN(3, 80), DENY(TOO_MANY_CONNECTIONS), .rule = "p/all", .flow = "none" }, EXCEEDED(1),
		{ IN(1, 80, "FA"), PASS(ESTABLISHED) }, OPEN(2), { OUT(1, 80, "FA"), PASS(ESTABLISHED), .flow = "closing" }, OPEN(1),
		{ IN(1, 80, "A"), PASS(ESTABLISHED), .flow = "closing" }, OPEN(1), { SYN(3, 80), ALL }, OPEN(2) } },
	{ "conns: RST makes room", "conns", {
		OPENED(1, 80), OPENED(2, 80), { OUT(1, 80, "R"), PASS(ESTABLISHED), .flow = "closing" }, OPEN(1), { SYN(3, 80), ALL },
		{ IN(1, 80, "R"), PASS(ESTABLISHED), .flow = "closing" }, { IN(1, 80, "A"), PASS(ESTABLISHED), .flow = "closing" }, OPEN(2) } },
	{ "conns: the same connection again after a RST", "conns", {
		{ SYN(1, 81), PASS(POLICY_ALLOWED) }, { OUT(1, 81, "RA"), PASS(ESTABLISHED), .flow = "closing" }, OPEN(0),
		{ SYN(1, 81), PASS(POLICY_ALLOWED), .flow = "new" }, OPEN(1) } },
	{ "conns: a RST that its receiver disregards lowers nothing", "conns", {
		OPENED(1, 81), { IN(1, 81, "R"), PASS(ESTABLISHED), .flow = "closing" }, OPEN(0),
		{ OUT(1, 81, "A"), PASS(ESTABLISHED), .flow = "established by 192.0.2.9" }, OPEN(1),
		{ SYN(2, 81), DENY(TOO_MANY_CONNECTIONS), .rule = "p/source" }, { IN(1, 81, "A"), PASS(ESTABLISHED), .flow = "established" },
		{ IN(1, 81, "R"), PASS(ESTABLISHED) }, { OUT(1, 81, "R"), PASS(ESTABLISHED), .flow = "closing" },
		{ OUT(1, 81, "A"), PASS(ESTABLISHED), .flow = "closing" }, OPEN(0) } },
	{ "conns: a time-out makes room, at the sweep", "conns", {
		{ SYN(1, 80), ALL }, { SYN(2, 80), ALL }, { .line = "@wait 61" }, OPEN(2), { .line = "@sweep" }, OPEN(0), { SYN(3, 80), ALL }, OPEN(1) } },
	{ "conns: UDP that has expired and comes again counts once", "conns", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:53 udp", PASS(POLICY_ALLOWED) }, OPEN(1),
		{ "web < uplink 192.0.2.9:2 -> 198.18.0.2:53 udp", DENY(TOO_MANY_CONNECTIONS), .rule = "p/dns" }, { .line = "@wait 31" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:53 udp", PASS(POLICY_ALLOWED), .rule = "p/dns" }, OPEN(1) } },
	{ "conns: goes with its endpoint", "conns", {
		OPENED(1, 80), { SYN(2, 81), PASS(POLICY_ALLOWED) }, { SYN(3, 81), DENY(TOO_MANY_CONNECTIONS), .rule = "p/source" }, EXCEEDED(1), OPEN(2),
		{ .line = "@sweep web" }, OPEN(0), EXCEEDED(0) } },
	{ "conns: another policy takes the connections over, more than it would let in", "conns", {
		OPENED(1, 80), OPENED(2, 80), { .line = "@policy conns-moved" }, OPEN(2),
		{ IN(1, 80, "A"), PASS(ESTABLISHED), .rule = "p/tighter" }, { IN(2, 80, "A"), PASS(ESTABLISHED), .rule = "p/tighter" }, OPEN(2),
		{ SYN(3, 80), DENY(TOO_MANY_CONNECTIONS), .rule = "p/tighter" }, { IN(1, 80, "R"), PASS(ESTABLISHED) }, OPEN(1),
		{ SYN(3, 80), DENY(TOO_MANY_CONNECTIONS), .rule = "p/tighter" }, { IN(2, 80, "R"), PASS(ESTABLISHED) }, OPEN(0) } },
	{ "conns: a policy without limits gives them back, a later one counts them again", "conns", {
		OPENED(1, 80), { .line = "@policy conns-lifted" }, { IN(1, 80, "A"), PASS(ESTABLISHED) }, OPEN(0),
		{ .line = "@policy conns" }, { IN(1, 80, "A"), PASS(ESTABLISHED) }, OPEN(1), { .line = "@raise" }, { OUT(1, 80, "A"), PASS(ESTABLISHED) },
		OPEN(1), { IN(1, 80, "R"), PASS(ESTABLISHED) }, { .line = "@raise" }, { IN(1, 80, "R"), PASS(ESTABLISHED) }, OPEN(0) } },
	{ "conns: a drift heals at one sweep, up and down", "conns", {
		OPENED(1, 80), OPENED(2, 80), { .line = "@drift 7" }, { .line = "@sweep" }, OPEN(2), { .line = "@drift 1" }, { .line = "@sweep" },
		OPEN(2), { SYN(3, 80), DENY(TOO_MANY_CONNECTIONS), .rule = "p/all" }, { .line = "@lose-flows" }, OPEN(2), { .line = "@sweep" }, OPEN(0) } },
	{ "conns: connections that we met in their middle count and are not refused", "conns", {
		{ .line = "@grace web" }, { IN(1, 81, "A"), PASS(POLICY_ALLOWED) }, { IN(2, 81, "A"), PASS(POLICY_ALLOWED) }, OPEN(2),
		{ SYN(3, 81), DENY(TOO_MANY_CONNECTIONS), .rule = "p/source" } } },
	{ "audit: a rate refuses nothing, and says so", "rate-audit", {
		{ SYN(1, 80), ALL }, { SYN(2, 80), WOULD(RATE_LIMITED), .rule = "p/all", .flow = "new" }, EXCEEDED(1),
		{ IN(2, 80, "A"), PASS(ESTABLISHED) }, { IN(2, 80, "A"), WOULD(PACKET_RATE), .rule = "p/all", .flow = "new" }, EXCEEDED(2) } },
	{ "audit: what is too many passes and is not counted", "conns-audit", {
		OPENED(1, 80), { SYN(2, 80), WOULD(TOO_MANY_CONNECTIONS), .rule = "p/all", .flow = "new" }, OPEN(1), { IN(2, 80, "A"), PASS(ESTABLISHED) },
		{ IN(2, 80, "R"), PASS(ESTABLISHED) }, OPEN(1), { .line = "@fill-counts" }, { SYN(3, 80), WOULD(LIMIT_TABLE_FULL), .rule = "p/all", .flow = "new" } } },
	{ "packets: every one of the initiator's, the first as well, none of the answers", "packets", {
		{ SYN(1, 80), ALL }, { OUT(1, 80, "SA"), PASS(ESTABLISHED) }, { IN(1, 80, "A"), PASS(ESTABLISHED) }, { OUT(1, 80, "A"), PASS(ESTABLISHED) },
		{ IN(1, 80, "A"), PASS(ESTABLISHED) }, { IN(1, 80, "FA"), DENY(PACKET_RATE), .rule = "p/all", .flow = "established" }, { OUT(1, 80, "A"), PASS(ESTABLISHED) },
		{ SYN(2, 80), DENY(PACKET_RATE), .rule = "p/all", .flow = "none" }, EXCEEDED(2), { .line = "@wait 60" },
		{ IN(1, 80, "A"), PASS(ESTABLISHED) }, { IN(1, 80, "A"), DENY(PACKET_RATE), .rule = "p/all" } } },
	{ "packets: a GSO packet is charged what it is on the wire, and is not split", "packets", {
		{ SYN(1, 80), ALL }, { OUT(1, 80, "SA"), PASS(ESTABLISHED) }, { IN(1, 80, "A") " len 1200 gso 3x400", PASS(ESTABLISHED) },
		{ IN(1, 80, "A"), DENY(PACKET_RATE), .rule = "p/all" }, { .line = "@wait 60" }, { IN(1, 80, "A"), DENY(PACKET_RATE), .rule = "p/all" },
		{ .line = "@wait 60" }, { IN(1, 80, "A"), PASS(ESTABLISHED) }, { IN(1, 80, "A"), DENY(PACKET_RATE), .rule = "p/all" } } },
	{ "packets: what the container begins; a raised generation changes nothing", "packets", {
		{ "web > 198.18.0.2:1 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED), .rule = "p/calls" },
		{ "web < uplink 192.0.2.9:443 -> 198.18.0.2:1 tcp SA", PASS(ESTABLISHED) }, { .line = "@raise" },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:443 tcp A", PASS(ESTABLISHED), .rule = "p/calls" },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:443 tcp A", DENY(PACKET_RATE), .rule = "p/calls" }, { .line = "@raise" },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:443 tcp A", DENY(PACKET_RATE), .rule = "p/calls" },
		{ "web < uplink 192.0.2.9:443 -> 198.18.0.2:1 tcp A", PASS(ESTABLISHED), .rule = "p/calls" },
		{ "web > 198.18.0.2:1 -> 192.0.2.10:443 tcp S", PASS(POLICY_ALLOWED) } } },
	{ "two limits: what the second refuses costs nothing of the first", "both", {
		OPENED(1, 80), { SYN(2, 80), DENY(TOO_MANY_CONNECTIONS), .rule = "p/all" }, { SYN(2, 80), DENY(TOO_MANY_CONNECTIONS), .rule = "p/all" },
		{ SYN(2, 80), DENY(TOO_MANY_CONNECTIONS), .rule = "p/all" }, { IN(1, 80, "R"), PASS(ESTABLISHED) }, OPEN(0),
		{ SYN(2, 80), ALL }, { IN(2, 80, "R"), PASS(ESTABLISHED) }, { SYN(3, 80), ALL }, { IN(3, 80, "R"), PASS(ESTABLISHED) },
		{ SYN(4, 80), ALL }, { IN(4, 80, "R"), PASS(ESTABLISHED) }, { SYN(5, 80), DENY(RATE_LIMITED), .rule = "p/all" }, OPEN(0) } },
	{ "two limits: a count is taken back as well", "both", {
		{ SYN(1, 81), PASS(POLICY_ALLOWED) }, { SYN(1, 81), PASS(ESTABLISHED) }, { SYN(2, 81), DENY(PACKET_RATE), .rule = "p/late", .flow = "none" }, OPEN(1) } },
	{ "two layers: both are asked, and the file's is not charged for what the labels' refuses", "limits-on-lab", {
		{ "tight < uplink 192.0.2.9:1 -> 198.18.3.6:80 tcp S", PASS(POLICY_ALLOWED), .rule = "lab/file" }, OPEN(1),
		{ "tight < uplink 192.0.2.9:2 -> 198.18.3.6:80 tcp S", DENY(TOO_MANY_CONNECTIONS), .rule = "labels/own", .layer = LAYER(LABELS) },
		{ "tight < uplink 192.0.2.9:1 -> 198.18.3.6:80 tcp R", PASS(ESTABLISHED) },
		{ "tight < uplink 192.0.2.9:2 -> 198.18.3.6:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "tight < uplink 192.0.2.9:2 -> 198.18.3.6:80 tcp R", PASS(ESTABLISHED) },
		{ "tight < uplink 192.0.2.9:3 -> 198.18.3.6:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "tight < uplink 192.0.2.9:3 -> 198.18.3.6:80 tcp R", PASS(ESTABLISHED) }, OPEN(0),
		{ "tight < uplink 192.0.2.9:4 -> 198.18.3.6:80 tcp S", DENY(RATE_LIMITED), .rule = "lab/file" }, OPEN(0) } },
	{ "two containers: each end counts by its own rule, and both give back", "limited-pair", {
		{ "web > 198.18.0.2:1 -> 198.18.0.3:5432 tcp S", PASS(POLICY_ALLOWED), .rule = "p/out" }, OPEN(1),
		{ "db < web 198.18.0.2:1 -> 198.18.0.3:5432 tcp S", PASS(POLICY_ALLOWED), .rule = "q/in" }, OPEN(2),
		{ "db > 198.18.0.3:5432 -> 198.18.0.2:1 tcp SA", PASS(ESTABLISHED) },
		{ "web > 198.18.0.2:2 -> 198.18.0.3:5432 tcp S", DENY(TOO_MANY_CONNECTIONS), .rule = "p/out" },
		{ "web > 198.18.0.2:1 -> 198.18.0.3:5432 tcp R", PASS(ESTABLISHED) }, OPEN(0),
		{ "db < web 198.18.0.2:1 -> 198.18.0.3:5432 tcp R", PASS(ESTABLISHED) }, OPEN(0),
		{ "web > 198.18.0.2:2 -> 198.18.0.3:5432 tcp S", PASS(POLICY_ALLOWED) },
		{ "db < web 198.18.0.2:2 -> 198.18.0.3:5432 tcp S", PASS(POLICY_ALLOWED) }, OPEN(2),
		{ "db > 198.18.0.3:5432 -> 198.18.0.2:2 tcp RA", PASS(ESTABLISHED) }, OPEN(0) } },
	{ "a table full of counts: nobody's is given up, others go on", "conns", {
		{ SYN(1, 83), PASS(POLICY_ALLOWED) }, { .line = "@fill-counts" }, { SYN(1, 80), DENY(LIMIT_TABLE_FULL), .rule = "p/all", .flow = "none" },
		{ SYN(2, 83), PASS(POLICY_ALLOWED), .rule = "p/free" }, { .line = "@evicted 0" } } },
	{ "a table full of counts, and on-failure: open", "conns-open-failure", {
		{ .line = "@fill-counts" }, { SYN(1, 80), PASS(LIMIT_TABLE_FULL), .rule = "p/all", .flow = "new" }, { IN(1, 80, "A"), PASS(ESTABLISHED) } } },
	{ "a full group: a rate that has debt is given up, and that is counted", "conns", {
		{ .line = "@fill-rates 60" }, { SYN(1, 80), ALL }, { .line = "@evicted 1" }, { SYN(2, 80), ALL }, { .line = "@evicted 1" } } },
	{ "a full group: a rate that is full again is given up for nothing", "rate", {
		{ .line = "@fill-rates -1" }, { SYN(1, 80), ALL }, { .line = "@evicted 0" } } },
};

const struct case_table limit_cases = { "limits", cases, COUNT(cases) };
