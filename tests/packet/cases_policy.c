/* SPDX-License-Identifier: GPL-2.0 */
/* What a policy says of new connections: ports, protocols, prefixes, order, defaults, modes. */
#include "packet.h"

static const struct packet_case cases[] = {
	{ "a rule allows a port from outside, and its reply passes", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public", .flow = "new by 192.0.2.9" },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp SA", PASS(ESTABLISHED), .flow = "established by 192.0.2.9" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp A len 100", PASS(ESTABLISHED) } } },
	{ "the same over IPv6", "web", {
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public", .flow = "new by 2001:db8::9" },
		{ "web > [fd77:1::2]:80 -> [2001:db8::9]:4000 tcp SA", PASS(ESTABLISHED), .flow = "established by 2001:db8::9" } } },
	{ "two ports of one rule", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:443 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" } } },
	{ "no rule allows: denied, without a flow", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED), .flow = "none" } } },
	{ "no rule allows: denied over IPv6", "web", {
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:81 tcp S", DENY(DEFAULT_DENIED), .flow = "none" } } },
	{ "the right port of another protocol", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 udp", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 sctp", DENY(DEFAULT_DENIED) } } },
	{ "the source port is not what a rule asks", "web", {
		{ "web < uplink 192.0.2.9:80 -> 198.18.0.2:4000 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "UDP from any", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp len 30", PASS(POLICY_ALLOWED), .rule = "p/dns", .flow = "new by 192.0.2.9" },
		{ "web > 198.18.0.2:53 -> 192.0.2.9:4000 udp len 30", PASS(ESTABLISHED), .flow = "established by 192.0.2.9" } } },
	{ "a deny before a wider allow", "web", {
		{ "web < uplink 192.0.2.66:4000 -> 198.18.0.2:22 tcp S", DENY(POLICY_DENIED), .rule = "p/banned", .flow = "none" },
		{ "web < uplink 192.0.2.67:4000 -> 198.18.0.2:22 tcp S", PASS(POLICY_ALLOWED), .rule = "p/admin" },
		{ "web < uplink 203.0.113.1:4000 -> 198.18.0.2:22 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "what it sends has rules of its own", "web", {
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED), .rule = "p/calls", .flow = "new by 198.18.0.2" },
		{ "web < uplink 192.0.2.9:443 -> 198.18.0.2:4000 tcp SA", PASS(ESTABLISHED), .flow = "established by 198.18.0.2" },
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:80 tcp S", DENY(DEFAULT_DENIED), .flow = "none" } } },
	{ "what it sends over IPv6", "web", {
		{ "web > [fd77:1::2]:4000 -> [2001:db8::9]:443 tcp S", PASS(POLICY_ALLOWED), .rule = "p/calls" },
		{ "web < uplink [2001:db8::9]:443 -> [fd77:1::2]:4000 tcp SA", PASS(ESTABLISHED) },
		{ "web > [fd77:1::2]:4000 -> [2001:db8::9]:444 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "empty lists deny everything", "web-closed", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 8/0 id 5", DENY(DEFAULT_DENIED) },
		{ "web < host [fd77:1::1]:1 -> [fd77:1::2]:2 udp", DENY(DEFAULT_DENIED) },
		{ "web > 198.18.0.2 -> 192.0.2.9 proto 47", DENY(DEFAULT_DENIED) },
		{ "web > fd77:1::2 -> 2001:db8::9 icmp6 128/0 id 5", DENY(DEFAULT_DENIED) } } },
	{ "a direction that no policy governs passes, as a connection", "web-in", {
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:25 tcp S", PASS(UNSELECTED), .flow = "new by 198.18.0.2" },
		{ "web < uplink 192.0.2.9:25 -> 198.18.0.2:4000 tcp SA", PASS(ESTABLISHED), .flow = "established by 198.18.0.2" } } },
	{ "the other direction that no policy governs", "web-out", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:25 tcp S", PASS(UNSELECTED), .flow = "new by 192.0.2.9" },
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:25 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "no policy at all", "nothing", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:25 tcp S", PASS(UNSELECTED), .flow = "none" },
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:25 tcp A", PASS(UNSELECTED), .flow = "none" } } },
	{ "first match wins, top to bottom", "order", {
		{ "web < uplink 192.0.2.66:4000 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "p/first" },
		{ "web < uplink 192.0.2.67:4000 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/second" },
		{ "web < uplink 203.0.113.1:4000 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "p/third" },
		{ "web < host 198.18.0.1:4000 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/fourth" },
		{ "web < uplink 192.0.2.66:4000 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED), .rule = "p/fourth" } } },
	{ "ports at the ends", "ports", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:0 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:1 tcp S", PASS(POLICY_ALLOWED), .rule = "p/lowest" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:2 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:65534 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:65535 tcp S", PASS(POLICY_ALLOWED), .rule = "p/highest" },
		/* The selector after TCP's last port is another protocol's. */
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 proto 7", DENY(DEFAULT_DENIED) } } },
	{ "ranges include both ends", "ports", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:99 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:100 tcp S", PASS(POLICY_ALLOWED), .rule = "p/range" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:150 tcp S", PASS(POLICY_ALLOWED), .rule = "p/range" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:200 tcp S", PASS(POLICY_ALLOWED), .rule = "p/range" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:201 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "lists of ports and ranges", "ports", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:300 udp", PASS(POLICY_ALLOWED), .rule = "p/list" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:301 udp", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:302 udp", PASS(POLICY_ALLOWED), .rule = "p/list" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:303 udp", PASS(POLICY_ALLOWED), .rule = "p/list" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:304 udp", DENY(DEFAULT_DENIED) } } },
	{ "SCTP ports", "ports", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:7 sctp", PASS(POLICY_ALLOWED), .rule = "p/sctp", .flow = "new" },
		{ "web > 198.18.0.2:7 -> 192.0.2.9:4000 sctp", PASS(ESTABLISHED), .flow = "established" },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:8 sctp", DENY(DEFAULT_DENIED) } } },
	{ "a protocol by number, and its reply", "protocols", {
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 proto 47 len 20", PASS(POLICY_ALLOWED), .rule = "p/gre", .flow = "new" },
		{ "web > 198.18.0.2 -> 192.0.2.9 proto 47", PASS(ESTABLISHED), .flow = "established" },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 proto 50", DENY(DEFAULT_DENIED) },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 proto 47", PASS(POLICY_ALLOWED), .rule = "p/gre" },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 proto 46", DENY(DEFAULT_DENIED) } } },
	{ "a protocol as a whole", "protocols", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:2 sctp", PASS(POLICY_ALLOWED), .rule = "p/sctp" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:2 tcp S", DENY(POLICY_DENIED), .rule = "p/no-tcp" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:2 udplite", PASS(POLICY_ALLOWED), .rule = "p/lite" } } },
	{ "ICMP by type", "protocols", {
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 8/0 id 5", PASS(POLICY_ALLOWED), .rule = "p/ping", .flow = "new" },
		{ "web > 198.18.0.2 -> 192.0.2.9 icmp 0/0 id 5", PASS(ESTABLISHED), .flow = "established" },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 13/0 id 6", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 0/0 id 7", DENY(DEFAULT_DENIED) } } },
	{ "ICMPv6 by type", "protocols", {
		{ "web < uplink 2001:db8::9 -> fd77:1::2 icmp6 128/0 id 5", PASS(POLICY_ALLOWED), .rule = "p/ping6", .flow = "new" },
		{ "web > fd77:1::2 -> 2001:db8::9 icmp6 129/0 id 5", PASS(ESTABLISHED), .flow = "established" },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 icmp6 129/0 id 6", DENY(DEFAULT_DENIED) } } },
	{ "the ICMP of the other family is no ping", "protocols", {
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp6 128/0", DENY(DEFAULT_DENIED) },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 icmp 8/0", DENY(DEFAULT_DENIED) } } },
	{ "nested prefixes: the inner one has the outer one's rules too", "nested", {
		{ "web < uplink 192.0.2.200:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "p/half" },
		{ "web < uplink 192.0.2.100:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/net" },
		{ "web < uplink 192.0.2.127:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/net" },
		{ "web < uplink 192.0.2.128:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "p/half" },
		{ "web < uplink 192.0.3.1:1 -> 198.18.0.2:80 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "nested prefixes: an exception before the net around it", "nested", {
		{ "web < uplink 192.0.2.200:1 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED), .rule = "p/exact" },
		{ "web < uplink 192.0.2.201:1 -> 198.18.0.2:81 tcp S", DENY(POLICY_DENIED), .rule = "p/rest" },
		{ "web < uplink 192.200.0.1:1 -> 198.18.0.2:81 tcp S", PASS(POLICY_ALLOWED), .rule = "p/wide" },
		{ "web < uplink 193.0.0.1:1 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "nested prefixes of IPv6", "nested", {
		{ "web < uplink [2001:db8:1:ffff::1]:1 -> [fd77:1::2]:82 tcp S", DENY(POLICY_DENIED), .rule = "p/six" },
		{ "web < uplink [2001:db8:2::1]:1 -> [fd77:1::2]:82 tcp S", PASS(POLICY_ALLOWED), .rule = "p/wide6" },
		{ "web < uplink [2001:db9::1]:1 -> [fd77:1::2]:82 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "0.0.0.0/0 is every IPv4 address and none of IPv6", "zero4", {
		{ "web < uplink 203.0.113.1:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/four" },
		{ "web < uplink [2001:db8::9]:1 -> [fd77:1::2]:80 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > 198.18.0.2:1 -> 203.0.113.1:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/four-out" },
		{ "web > [fd77:1::2]:1 -> [2001:db8::9]:80 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "::/0 is every IPv6 address and none of IPv4", "zero6", {
		{ "web < uplink [2001:db8::9]:1 -> [fd77:1::2]:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/six" },
		{ "web < uplink 203.0.113.1:1 -> 198.18.0.2:80 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > [fd77:1::2]:1 -> [2001:db8::9]:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/six-out" },
		{ "web > 198.18.0.2:1 -> 203.0.113.1:80 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "both families in one list, each by its own rule", "zero-both", {
		{ "web < uplink 203.0.113.1:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/four" },
		{ "web < uplink [2001:db8::9]:1 -> [fd77:1::2]:80 tcp S", DENY(POLICY_DENIED), .rule = "p/six" },
		{ "web < uplink 203.0.113.1:1 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink [2001:db8::9]:1 -> [fd77:1::2]:81 tcp S", PASS(POLICY_ALLOWED), .rule = "p/half" } } },
	{ "the first of 1,024 rules", "many", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:1 tcp S", PASS(POLICY_ALLOWED), .rule = "many/r0" } } },
	{ "rules at the borders of the bitmap's words", "many", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:64 tcp S", PASS(POLICY_ALLOWED), .rule = "many/r63" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:65 tcp S", PASS(POLICY_ALLOWED), .rule = "many/r64" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:128 tcp S", PASS(POLICY_ALLOWED), .rule = "many/r127" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:129 tcp S", PASS(POLICY_ALLOWED), .rule = "many/r128" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:960 tcp S", PASS(POLICY_ALLOWED), .rule = "many/r959" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:961 tcp S", PASS(POLICY_ALLOWED), .rule = "many/r960" } } },
	{ "the last of 1,024 rules, and no rule", "many", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:1023 tcp S", PASS(POLICY_ALLOWED), .rule = "many/r1022" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:65535 tcp S", PASS(POLICY_ALLOWED), .rule = "many/r1023" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:1024 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "two policies of the file are one list, in its order", "two", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/one" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:81 tcp S", DENY(POLICY_DENIED), .rule = "p/stop" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:82 tcp S", PASS(POLICY_ALLOWED), .rule = "q/more" },
		{ "db < uplink 192.0.2.9:1 -> 198.18.0.3:81 tcp S", PASS(POLICY_ALLOWED), .rule = "q/more" },
		{ "db < uplink 192.0.2.9:1 -> 198.18.0.3:80 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "a policy that selects a network selects its containers on their other networks too", "two", {
		{ "both < uplink 192.0.2.9:1 -> 198.18.0.7:80 tcp S", DENY(DEFAULT_DENIED) },
		{ "both-ops < uplink 192.0.2.9:1 -> 198.18.1.7:80 tcp S", DENY(DEFAULT_DENIED) },
		{ "mon < uplink 192.0.2.9:1 -> 198.18.1.2:80 tcp S", PASS(UNSELECTED) } } },
	{ "defaults.unselected: outside denies who begins there, and nothing else", "outside-default", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "defaults/unselected-outside" },
		{ "web < host 198.18.0.1:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "defaults/unselected-any" },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "defaults/unselected-any" },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:80 tcp S", PASS(UNSELECTED), .flow = "new" },
		{ "web < uplink 192.0.2.9:80 -> 198.18.0.2:1 tcp SA", PASS(ESTABLISHED) } } },
	{ "defaults.unselected: deny", "deny-default", {
		{ "web < host 198.18.0.1:1 -> 198.18.0.2:80 tcp S", DENY(DEFAULT_DENIED) },
		{ "lone > 198.18.2.2:1 -> 192.0.2.9:80 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "audit: what a rule denies is reported and passes, with a flow", "web-audit", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:81 tcp S", WOULD(POLICY_DENIED), .rule = "p/no", .flow = "new by 192.0.2.9" },
		{ "web > 198.18.0.2:81 -> 192.0.2.9:1 tcp SA", PASS(ESTABLISHED), .flow = "established" } } },
	{ "audit: what no rule allows", "web-audit", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:82 tcp S", WOULD(DEFAULT_DENIED), .flow = "new" },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:82 udp", WOULD(DEFAULT_DENIED), .flow = "new" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" } } },
	{ "audit: TCP without a connection, an ICMP error about none", "web-audit", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp A", WOULD(NO_FLOW), .flow = "none" },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 3/1 quoting 198.18.0.2:1 -> 192.0.2.9:2 udp", WOULD(ICMP_UNRELATED) } } },
	{ "audit: what cannot be judged is denied all the same", "web-audit", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S cut 30", DENY(MALFORMED) },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S frag 1480", DENY(FRAGMENT_ORPHAN) } } },
	{ "counters: a GSO packet counts its segments with their headers", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp A len 1200 gso 3x400", PASS(ESTABLISHED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:81 tcp S len 1000 doff 8 gso 2x500", DENY(DEFAULT_DENIED) },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:99 udp len 900 gso 3x300", DENY(DEFAULT_DENIED) } } },
	{ "damage: a ruleset without words cannot be judged", "web", {
		{ .line = "@no-words web" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", DENY(TABLE_MISSING), .flow = "none" } } },
	{ "damage: bounds that lead nowhere", "web", {
		{ .line = "@no-bounds web" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", DENY(TABLE_MISSING), .flow = "none" } } },
	{ "damage: rules that lead nowhere", "web", {
		{ .line = "@no-rules web" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", DENY(TABLE_MISSING), .flow = "none" } } },
	{ "on-failure: open passes what cannot be judged, and nothing else", "web-open-failure", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S cut 30", PASS(MALFORMED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 udp frag 1480", PASS(FRAGMENT_ORPHAN) },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 udp ext dst,dst,dst,dst,dst,dst,dst", PASS(HEADERS_TOO_DEEP) },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:80 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:80 tcp A", DENY(NO_FLOW) },
		{ .line = "@no-words web" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(TABLE_MISSING), .flow = "none" } } },
};

const struct case_table policy_cases = { "policy", cases, COUNT(cases) };

static const struct packet_case labels[] = {
	{ "labels alone govern", "nothing", {
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "labels/own" },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:81 tcp S", DENY(POLICY_DENIED), .rule = "labels/no", .layer = LAYER(LABELS) },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:82 tcp S", DENY(DEFAULT_DENIED), .layer = LAYER(LABELS) },
		{ "narrow > 198.18.3.2:1 -> 192.0.2.9:82 tcp S", PASS(UNSELECTED) } } },
	{ "file and labels: both must allow", "file-on-lab", {
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "labels/own" },
		{ "narrow < uplink 192.0.2.9:2 -> 198.18.3.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "lab/file" } } },
	{ "file allows, labels deny", "file-on-lab", {
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:81 tcp S", DENY(POLICY_DENIED), .rule = "labels/no", .layer = LAYER(LABELS), .flow = "none" },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:82 tcp S", DENY(DEFAULT_DENIED), .layer = LAYER(LABELS), .flow = "none" } } },
	{ "labels allow, the file does not: they never widen it", "file-on-lab", {
		{ "narrow < host 198.18.3.1:1 -> 198.18.3.2:80 tcp S", DENY(DEFAULT_DENIED), .layer = LAYER(FILE), .flow = "none" } } },
	{ "labels: add continues the file's list", "add-on-lab", {
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:82 tcp S", PASS(POLICY_ALLOWED), .rule = "lab/file" },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "labels/own" },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:81 tcp S", DENY(POLICY_DENIED), .rule = "labels/no", .layer = LAYER(FILE) },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:83 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "labels that cannot be read deny everything but address resolution", "nothing", {
		{ "broken < uplink 192.0.2.9:1 -> 198.18.3.3:80 tcp S", DENY(POLICY_INVALID), .flow = "none" },
		{ "broken > 198.18.3.3:1 -> 192.0.2.9:80 udp", DENY(POLICY_INVALID) },
		{ "broken > [fd77:4::3]:1 -> [2001:db8::9]:80 tcp S", DENY(POLICY_INVALID) },
		{ "broken > arp request 198.18.3.3 198.18.3.1", PASS(NEIGHBOR) },
		{ "broken < host arp reply 198.18.3.1 198.18.3.3", PASS(NEIGHBOR) } } },
	{ "labels that cannot be read deny also what the file allows", "file-on-lab", {
		{ "broken < uplink 192.0.2.9:1 -> 198.18.3.3:80 tcp S", DENY(POLICY_INVALID) } } },
	{ "defaults.labels: ignore", "ignore-labels", {
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:82 tcp S", PASS(UNSELECTED) },
		{ "broken < uplink 192.0.2.9:1 -> 198.18.3.3:82 tcp S", PASS(UNSELECTED) } } },
	{ "dnetbpf.mode: audit", "nothing", {
		{ "trial < uplink 192.0.2.9:1 -> 198.18.3.4:80 tcp S", PASS(POLICY_ALLOWED), .rule = "labels/own" },
		{ "trial < uplink 192.0.2.9:1 -> 198.18.3.4:81 tcp S", WOULD(DEFAULT_DENIED), .layer = LAYER(LABELS), .flow = "new" } } },
	{ "an audit label does not weaken the file's enforcement", "file-on-lab", {
		{ "trial < uplink 192.0.2.9:1 -> 198.18.3.4:99 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "an empty label denies its direction", "nothing", {
		{ "shut > 198.18.3.5:1 -> 192.0.2.9:80 tcp S", DENY(DEFAULT_DENIED), .layer = LAYER(LABELS) },
		{ "shut < uplink 192.0.2.9:1 -> 198.18.3.5:80 tcp S", PASS(UNSELECTED) },
		{ "shut > 198.18.3.5:80 -> 192.0.2.9:1 tcp SA", PASS(ESTABLISHED) } } },
};

const struct case_table label_cases = { "labels", labels, COUNT(labels) };
