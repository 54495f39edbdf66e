/* SPDX-License-Identifier: GPL-2.0 */
/* Bans: who exceeds a limit is refused everything for a time, if it is really there. */
#include "packet.h"

#define IN(port, to, flags) "web < uplink 192.0.2.9:" #port " -> 198.18.0.2:" #to " tcp " flags
#define OUT(port, to, flags) "web > 198.18.0.2:" #to " -> 192.0.2.9:" #port " tcp " flags
#define SYN(port, to) IN(port, to, "S")
/* A handshake; the container chooses the sequence number 1000. */
#define HANDSHAKE(port, to) { SYN(port, to), PASS(POLICY_ALLOWED) }, { OUT(port, to, "SA seq 1000"), PASS(ESTABLISHED) }, \
	{ IN(port, to, "A ack 1001"), PASS(ESTABLISHED) }
#define OVER(port) { SYN(port, 80), DENY(RATE_LIMITED), .rule = "p/public" }
#define BANNED(port, to) { SYN(port, to), DENY(BANNED), .rule = "p/public", .flow = "none" }
#define BANS(count) { .line = "@bans " #count }
#define WAIT(seconds) { .line = "@wait " #seconds }

static const struct packet_case cases[] = {
	{ "a source that exceeds a rate is refused everything, until the ban is over", "ban", {
		HANDSHAKE(1, 80), HANDSHAKE(2, 80), OVER(3), BANS(1), BANNED(3, 80), BANNED(4, 81), { "web < uplink 192.0.2.9:5 -> 198.18.0.2:54 udp", DENY(BANNED), .rule = "p/public" },
		{ "web < uplink 192.0.2.10:1 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED) }, { .line = "@refused 3" }, WAIT(590), BANNED(4, 81), WAIT(11),
		{ SYN(4, 81), PASS(POLICY_ALLOWED) } } },
	{ "established connections too, at their next packet, in both directions", "ban", {
		HANDSHAKE(1, 81), HANDSHAKE(1, 80), HANDSHAKE(2, 80), OVER(3), { IN(1, 81, "A"), DENY(BANNED), .rule = "p/public", .flow = "established" },
		{ OUT(1, 81, "A"), DENY(BANNED), .rule = "p/public" }, { "web > 198.18.0.2:9 -> 192.0.2.9:443 tcp S", DENY(BANNED), .rule = "p/public" }, WAIT(601),
		{ IN(1, 81, "A"), PASS(ESTABLISHED) } } },
	{ "spoofed SYNs ban nobody", "ban", {
		{ SYN(1, 80), PASS(POLICY_ALLOWED) }, { SYN(2, 80), PASS(POLICY_ALLOWED) }, OVER(3), BANS(0), { SYN(4, 81), PASS(POLICY_ALLOWED) } } },
	{ "an ACK that does not know the sequence number proves nothing", "ban", {
		{ SYN(1, 80), PASS(POLICY_ALLOWED) }, { IN(1, 80, "A ack 1001"), PASS(ESTABLISHED) }, { OUT(1, 80, "SA seq 1000"), PASS(ESTABLISHED) },
		{ IN(1, 80, "A ack 1000"), PASS(ESTABLISHED) }, { IN(1, 80, "A ack 1002"), PASS(ESTABLISHED) }, { IN(1, 80, "A"), PASS(ESTABLISHED) },
		{ IN(1, 80, "SA ack 1001"), PASS(ESTABLISHED) }, { IN(1, 80, "R ack 1001"), PASS(ESTABLISHED) }, { SYN(2, 80), PASS(POLICY_ALLOWED) }, OVER(3), BANS(0) } },
	{ "a proof holds for an hour", "ban", {
		HANDSHAKE(1, 81), WAIT(3590), { SYN(1, 80), PASS(POLICY_ALLOWED) }, { SYN(2, 80), PASS(POLICY_ALLOWED) }, OVER(3), BANS(1) } },
	{ "and not longer", "ban", {
		HANDSHAKE(1, 81), WAIT(3601), { SYN(1, 80), PASS(POLICY_ALLOWED) }, { SYN(2, 80), PASS(POLICY_ALLOWED) }, OVER(3), BANS(0) } },
	{ "over UDP nobody is banned who has not completed a handshake", "ban", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:53 udp", PASS(POLICY_ALLOWED) }, { "web > 198.18.0.2:53 -> 192.0.2.9:1 udp", PASS(ESTABLISHED) },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:53 udp", PASS(ESTABLISHED) }, { "web < uplink 192.0.2.9:1 -> 198.18.0.2:53 udp", PASS(ESTABLISHED) },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:53 udp", PASS(ESTABLISHED) }, { "web < uplink 192.0.2.9:1 -> 198.18.0.2:53 udp", DENY(PACKET_RATE), .rule = "p/packets" }, BANS(0) } },
	{ "packets inside of a connection ban as well", "ban", {
		HANDSHAKE(1, 82), { IN(1, 82, "A"), PASS(ESTABLISHED) }, { IN(1, 82, "A"), PASS(ESTABLISHED) }, { IN(1, 82, "A"), DENY(PACKET_RATE), .rule = "p/packets" }, BANS(1),
		{ IN(1, 82, "A"), DENY(BANNED), .rule = "p/packets" }, { OUT(1, 82, "A"), DENY(BANNED), .rule = "p/packets" }, WAIT(301), { OUT(1, 82, "A"), PASS(ESTABLISHED) } } },
	{ "too many connections ban as well, and a limit without `per` bans the one address", "ban", {
		HANDSHAKE(1, 84), { SYN(2, 84), DENY(TOO_MANY_CONNECTIONS), .rule = "p/conns" }, { IN(1, 84, "A"), DENY(BANNED), .rule = "p/conns" },
		{ "web < uplink 192.0.2.10:1 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED) } } },
	{ "ban host: at every container, also at those without a policy; by the prefix of the limit", "ban", {
		HANDSHAKE(1, 83), { SYN(2, 83), DENY(RATE_LIMITED), .rule = "p/net" }, BANS(1),
		{ "other < uplink 192.0.2.77:1 -> 198.18.0.4:81 tcp S", DENY(BANNED), .rule = "p/net" }, { "lone < uplink 192.0.2.77:1 -> 198.18.2.2:81 tcp S", DENY(BANNED), .rule = "p/net" },
		{ "lone > 198.18.2.2:81 -> 192.0.2.77:1 udp", DENY(BANNED), .rule = "p/net" }, { "lone < uplink 192.0.3.1:1 -> 198.18.2.2:81 tcp S", PASS(UNSELECTED) }, WAIT(61),
		{ "lone < uplink 192.0.2.77:1 -> 198.18.2.2:81 tcp S", PASS(UNSELECTED) } } },
	{ "ban: at this container alone", "ban", {
		HANDSHAKE(1, 80), HANDSHAKE(2, 80), OVER(3), BANS(1), { "other < uplink 192.0.2.9:1 -> 198.18.0.4:81 tcp S", PASS(POLICY_ALLOWED), .rule = "q/theirs" },
		{ "lone < uplink 192.0.2.9:1 -> 198.18.2.2:81 tcp S", PASS(UNSELECTED) } } },
	{ "ban: in every network of the container, wherever it was earned, and wherever the handshake was", "ban-on-two-networks", {
		{ "both-ops < uplink 192.0.2.9:1 -> 198.18.1.7:81 tcp S", PASS(POLICY_ALLOWED) }, { "both-ops > 198.18.1.7:81 -> 192.0.2.9:1 tcp SA seq 1000", PASS(ESTABLISHED) },
		{ "both-ops < uplink 192.0.2.9:1 -> 198.18.1.7:81 tcp A ack 1001", PASS(ESTABLISHED) },
		{ "both < uplink 192.0.2.9:2 -> 198.18.0.7:80 tcp S", PASS(POLICY_ALLOWED) }, { "both < uplink 192.0.2.9:3 -> 198.18.0.7:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "both < uplink 192.0.2.9:4 -> 198.18.0.7:80 tcp S", DENY(RATE_LIMITED), .rule = "p/public" }, BANS(1),
		{ "both < uplink 192.0.2.9:5 -> 198.18.0.7:81 tcp S", DENY(BANNED), .rule = "p/public" }, { "both-ops < uplink 192.0.2.9:5 -> 198.18.1.7:81 tcp S", DENY(BANNED), .rule = "p/public" },
		{ "both-ops < uplink 192.0.2.9:1 -> 198.18.1.7:81 tcp A", DENY(BANNED), .rule = "p/public" }, { "both-ops > 198.18.1.7:81 -> 192.0.2.9:1 tcp A", DENY(BANNED), .rule = "p/public" },
		{ "both-ops < uplink 192.0.2.10:1 -> 198.18.1.7:81 tcp S", PASS(POLICY_ALLOWED) }, { "mon < uplink 192.0.2.9:1 -> 198.18.1.2:81 tcp S", PASS(UNSELECTED) } } },
	{ "IPv6: the whole /64", "ban", {
		{ "web < uplink [2001:db8::9]:1 -> [fd77:1::2]:80 tcp S", PASS(POLICY_ALLOWED) }, { "web > [fd77:1::2]:80 -> [2001:db8::9]:1 tcp SA seq 1000", PASS(ESTABLISHED) },
		{ "web < uplink [2001:db8::9]:1 -> [fd77:1::2]:80 tcp A ack 1001", PASS(ESTABLISHED) }, { "web < uplink [2001:db8::a]:1 -> [fd77:1::2]:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink [2001:db8::b]:1 -> [fd77:1::2]:80 tcp S", DENY(RATE_LIMITED), .rule = "p/public" }, BANS(0),
		{ "web < uplink [2001:db8::9]:2 -> [fd77:1::2]:80 tcp S", DENY(RATE_LIMITED), .rule = "p/public" }, BANS(1),
		{ "web < uplink [2001:db8::77]:1 -> [fd77:1::2]:81 tcp S", DENY(BANNED), .rule = "p/public" }, { "web < uplink [2001:db8:0:1::9]:1 -> [fd77:1::2]:81 tcp S", PASS(POLICY_ALLOWED) } } },
	{ "the host, its gateways and other containers are never banned", "ban", {
		{ "web < host 198.18.0.1:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) }, { "web > 198.18.0.2:80 -> 198.18.0.1:1 tcp SA seq 1000", PASS(ESTABLISHED) },
		{ "web < host 198.18.0.1:1 -> 198.18.0.2:80 tcp A ack 1001", PASS(ESTABLISHED) }, { "web < host 198.18.0.1:2 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < host 198.18.0.1:3 -> 198.18.0.2:80 tcp S", DENY(RATE_LIMITED), .rule = "p/public" },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) }, { "web > 198.18.0.2:80 -> 198.18.0.3:1 tcp SA seq 1000", PASS(ESTABLISHED) },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:80 tcp A ack 1001", PASS(ESTABLISHED) }, { "web < db 198.18.0.3:2 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < db 198.18.0.3:3 -> 198.18.0.2:80 tcp S", DENY(RATE_LIMITED), .rule = "p/public" }, BANS(0),
		{ "web < db 198.18.0.3:3 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED) }, { "web < host 198.18.0.1:3 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED) } } },
	{ "nor hit by a ban of a prefix that holds them", "ban", {
		HANDSHAKE(1, 83), { SYN(2, 83), DENY(RATE_LIMITED), .rule = "p/net" }, BANS(1), { "web < uplink 192.0.2.8:1 -> 198.18.0.2:81 tcp S", DENY(BANNED), .rule = "p/net" },
		{ "web < host 192.0.2.1:1 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED) } } },
	{ "never-block wins: it is not banned, and what is banned around it does not hit it", "ban-never", {
		{ SYN(1, 80), PASS(POLICY_ALLOWED), .rule = "p/public" }, { OUT(1, 80, "SA seq 1000"), PASS(ESTABLISHED) }, { IN(1, 80, "A ack 1001"), PASS(ESTABLISHED) },
		{ SYN(2, 80), PASS(POLICY_ALLOWED) }, { SYN(3, 80), DENY(RATE_LIMITED), .rule = "p/public" }, BANS(0), WAIT(120),
		{ "web < uplink 192.0.2.10:1 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED) }, { "web > 198.18.0.2:81 -> 192.0.2.10:1 tcp SA seq 1000", PASS(ESTABLISHED) },
		{ "web < uplink 192.0.2.10:1 -> 198.18.0.2:81 tcp A ack 1001", PASS(ESTABLISHED) }, { SYN(4, 80), PASS(POLICY_ALLOWED) }, { SYN(5, 80), PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.10:2 -> 198.18.0.2:80 tcp S", DENY(RATE_LIMITED), .rule = "p/public" }, BANS(1),
		{ "web < uplink 192.0.2.10:1 -> 198.18.0.2:81 tcp A", DENY(BANNED), .rule = "p/public" }, { SYN(6, 81), PASS(POLICY_ALLOWED) }, { IN(1, 80, "A"), PASS(ESTABLISHED) } } },
	{ "audit: nobody is banned", "ban-audit", {
		HANDSHAKE(1, 80), { SYN(2, 80), PASS(POLICY_ALLOWED) }, { SYN(3, 80), WOULD(RATE_LIMITED), .rule = "p/public" }, BANS(0) } },
	{ "audit: a ban of before passes, and is reported each time", "ban", {
		HANDSHAKE(1, 81), HANDSHAKE(1, 80), { SYN(2, 80), PASS(POLICY_ALLOWED) }, OVER(3), BANS(1), { .line = "@policy ban-then-audit" },
		{ SYN(4, 81), WOULD(BANNED), .rule = "p/public", .flow = "new" }, { SYN(4, 81), WOULD(BANNED), .rule = "p/public" }, { IN(1, 81, "A"), WOULD(BANNED), .rule = "p/public" },
		{ IN(1, 81, "A"), WOULD(BANNED), .rule = "p/public" } } },
	{ "an ICMP error and a fragment of a banned source", "ban", {
		HANDSHAKE(1, 80), { "web > 198.18.0.2:7 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED) }, { SYN(2, 80), PASS(POLICY_ALLOWED) }, OVER(3),
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 3/1 quoting 198.18.0.2:7 -> 192.0.2.9:443 tcp S", DENY(BANNED), .rule = "p/public" },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 udp frag 64 fragid 5", DENY(BANNED), .rule = "p/public" } } },
	{ "by hand: a prefix, everywhere, established connections too, until it is lifted", "ban", {
		HANDSHAKE(1, 81), { .line = "@block 192.0.2.0/25" }, { IN(1, 81, "A"), DENY(BLOCKED), .layer = LAYER(HOST) }, { OUT(1, 81, "A"), DENY(BLOCKED), .layer = LAYER(HOST) }, { SYN(2, 81), DENY(BLOCKED), .layer = LAYER(HOST) },
		{ "lone < uplink 192.0.2.100:1 -> 198.18.2.2:81 tcp S", DENY(BLOCKED), .layer = LAYER(HOST) }, { "lone < uplink 192.0.2.200:1 -> 198.18.2.2:81 tcp S", PASS(UNSELECTED) }, { .line = "@refused 4" } } },
	{ "what is over hides nothing that is not", "ban", {
		HANDSHAKE(1, 83), { SYN(2, 83), DENY(RATE_LIMITED), .rule = "p/net" }, BANS(1), { .line = "@block 192.0.0.0/16" }, { SYN(3, 81), DENY(BANNED), .rule = "p/net" },
		WAIT(61), { SYN(3, 81), DENY(BLOCKED), .layer = LAYER(HOST) } } },
	{ "a ban that spares does not hide a block by hand", "ban", {
		HANDSHAKE(1, 83), { SYN(2, 83), DENY(RATE_LIMITED), .rule = "p/net" }, BANS(1), { "web < host 192.0.2.1:1 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED) },
		{ .line = "@block 192.0.0.0/16" }, { "web < host 192.0.2.1:1 -> 198.18.0.2:81 tcp A", DENY(BLOCKED), .layer = LAYER(HOST) },
		{ "web < host 192.0.2.1:2 -> 198.18.0.2:81 tcp S", DENY(BLOCKED), .layer = LAYER(HOST) }, { SYN(3, 81), DENY(BANNED), .rule = "p/net" } } },
	{ "a full table of blocks: who exceeds a limit is refused all the same", "ban", {
		HANDSHAKE(1, 80), HANDSHAKE(2, 80), { .line = "@fill-blocks" }, OVER(3), OVER(3), BANS(0), { SYN(4, 81), PASS(POLICY_ALLOWED) } } },
};

const struct case_table ban_cases = { "bans", cases, COUNT(cases) };
