/* SPDX-License-Identifier: GPL-2.0 */
/* Connections: their life, who may answer, ICMP errors, and policies that change under them. */
#include "packet.h"

#define SYN_IN "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S"
#define SYN_ACK_OUT "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp SA"
#define ACK_IN "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp A"
#define ACK_OUT "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp A"
#define ESTABLISH \
	{ SYN_IN, PASS(POLICY_ALLOWED), .rule = "p/public", .flow = "new by 192.0.2.9" }, \
	{ SYN_ACK_OUT, PASS(ESTABLISHED), .flow = "established by 192.0.2.9" }

static const struct packet_case cases[] = {
	{ "TCP without SYN and without a connection", "web", {
		{ ACK_IN, DENY(NO_FLOW), .flow = "none" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp SA", DENY(NO_FLOW) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp R", DENY(NO_FLOW) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp FPU", DENY(NO_FLOW) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp .", DENY(NO_FLOW) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp SF", DENY(NO_FLOW) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp SR", DENY(NO_FLOW) },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp SA", DENY(NO_FLOW), .flow = "none" } } },
	{ "TCP without SYN over IPv6", "web", {
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:80 tcp A", DENY(NO_FLOW) },
		{ "web > [fd77:1::2]:80 -> [2001:db8::9]:4000 tcp R", DENY(NO_FLOW) } } },
	{ "a SYN that is sent again passes with its connection", "web", {
		{ SYN_IN, PASS(POLICY_ALLOWED), .flow = "new" },
		{ SYN_IN, PASS(ESTABLISHED), .flow = "new" } } },
	{ "a connection is of its ports alone", "web", {
		ESTABLISH,
		{ "web < uplink 192.0.2.9:4001 -> 198.18.0.2:80 tcp A", DENY(NO_FLOW) },
		{ "web < uplink 192.0.2.10:4000 -> 198.18.0.2:80 tcp A", DENY(NO_FLOW) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 udp", DENY(DEFAULT_DENIED) } } },
	{ "grace: a connection that we missed, seen first from its initiator", "web", {
		{ .line = "@grace web" },
		{ ACK_IN, PASS(POLICY_ALLOWED), .rule = "p/public", .flow = "new by 192.0.2.9" },
		{ ACK_OUT, PASS(ESTABLISHED), .flow = "established by 192.0.2.9" },
		{ .line = "@grace-over web" },
		{ ACK_IN, PASS(ESTABLISHED) } } },
	{ "grace: seen first from its responder", "web", {
		{ .line = "@grace web" },
		{ ACK_OUT, PASS(POLICY_ALLOWED), .rule = "p/public", .flow = "new by 192.0.2.9" },
		{ ACK_IN, PASS(ESTABLISHED), .flow = "established by 192.0.2.9" } } },
	{ "grace: judged again at the reply before its initiator was heard", "web", {
		{ .line = "@grace web" },
		{ ACK_OUT, PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ .line = "@raise" },
		{ ACK_OUT, PASS(ESTABLISHED), .rule = "p/public" } } },
	{ "grace: what it had begun itself, seen in either orientation", "web", {
		{ .line = "@grace web" },
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:443 tcp A", PASS(POLICY_ALLOWED), .rule = "p/calls", .flow = "new by 198.18.0.2" },
		{ "web < uplink 192.0.2.8:443 -> 198.18.0.2:4000 tcp A", PASS(POLICY_ALLOWED), .rule = "p/calls", .flow = "new by 198.18.0.2" } } },
	{ "grace: what the policy allows in no orientation", "web", {
		{ .line = "@grace web" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:81 tcp A", DENY(DEFAULT_DENIED), .flow = "none" },
		{ "web > 198.18.0.2:81 -> 192.0.2.9:4000 tcp A", DENY(DEFAULT_DENIED), .flow = "none" } } },
	{ "grace: a SYN is judged as it is, in no other orientation", "web", {
		{ .line = "@grace web" },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp S", DENY(DEFAULT_DENIED), .flow = "none" } } },
	{ "grace is over", "web", {
		{ .line = "@grace-over web" },
		{ ACK_IN, DENY(NO_FLOW) } } },
	{ "RST closes", "web", {
		ESTABLISH,
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp R", PASS(ESTABLISHED), .flow = "closing" } } },
	{ "FIN from one side leaves it half open, from both closes", "web", {
		ESTABLISH,
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp FA", PASS(ESTABLISHED), .flow = "established" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp FA", PASS(ESTABLISHED), .flow = "established" },
		{ ACK_OUT, PASS(ESTABLISHED), .flow = "established" },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp FA", PASS(ESTABLISHED), .flow = "closing" },
		{ ACK_IN, PASS(ESTABLISHED), .flow = "closing" } } },
	{ "a SYN on a closing connection begins a new one", "web", {
		ESTABLISH,
		{ "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp R", PASS(ESTABLISHED), .flow = "closing" },
		{ SYN_IN, PASS(POLICY_ALLOWED), .rule = "p/public", .flow = "new by 192.0.2.9" } } },
	{ "a SYN on a closing connection is judged: from the other side", "web", {
		ESTABLISH,
		{ "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp R", PASS(ESTABLISHED) },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp S", DENY(DEFAULT_DENIED), .flow = "closing by 192.0.2.9" } } },
	{ "a SYN from the responder of an established connection is judged by itself", "web", {
		ESTABLISH,
		{ "web > 198.18.0.2:80 -> 192.0.2.9:4000 tcp S", DENY(DEFAULT_DENIED), .flow = "established by 192.0.2.9" },
		{ ACK_IN, PASS(ESTABLISHED) } } },
	{ "a SYN from the peer that the container had called is judged by itself", "web", {
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED), .rule = "p/calls" },
		{ "web < uplink 192.0.2.9:443 -> 198.18.0.2:4000 tcp SA", PASS(ESTABLISHED), .flow = "established by 198.18.0.2" },
		{ "web < uplink 192.0.2.9:443 -> 198.18.0.2:4000 tcp S", DENY(DEFAULT_DENIED), .flow = "established by 198.18.0.2" } } },
	{ "a SYN from its initiator on an established connection passes with it", "web", {
		ESTABLISH,
		{ SYN_IN, PASS(ESTABLISHED), .flow = "established by 192.0.2.9" } } },
	{ "an established TCP connection outlives an idle day, a new one does not outlive 61 s", "web", {
		ESTABLISH,
		{ .line = "@wait 86400" },
		{ ACK_IN, PASS(ESTABLISHED) },
		{ "web < uplink 192.0.2.8:4000 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ .line = "@wait 61" },
		{ "web < uplink 192.0.2.8:4000 -> 198.18.0.2:80 tcp A", DENY(NO_FLOW) } } },
	{ "a closing connection is gone after 11 s", "web", {
		ESTABLISH,
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp R", PASS(ESTABLISHED) },
		{ .line = "@wait 9" },
		{ ACK_IN, PASS(ESTABLISHED) },
		{ .line = "@wait 11" },
		{ ACK_IN, DENY(NO_FLOW) } } },
	{ "an expired connection is judged anew and reused in place", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp", PASS(POLICY_ALLOWED), .flow = "new" },
		{ "web > 198.18.0.2:53 -> 192.0.2.9:4000 udp", PASS(ESTABLISHED), .flow = "established" },
		{ .line = "@wait 119" },
		{ "web > 198.18.0.2:53 -> 192.0.2.9:4000 udp", PASS(ESTABLISHED) },
		{ .line = "@wait 121" },
		{ "web > 198.18.0.2:53 -> 192.0.2.9:4000 udp", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp", PASS(POLICY_ALLOWED), .rule = "p/dns", .flow = "new by 192.0.2.9" } } },
	{ "UDP that nobody answered is gone after 31 s", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp", PASS(POLICY_ALLOWED) },
		{ .line = "@wait 31" },
		{ "web > 198.18.0.2:53 -> 192.0.2.9:4000 udp", DENY(DEFAULT_DENIED) } } },
	{ "half closed: it stays an hour, not five days", "web", {
		ESTABLISH,
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp FA", PASS(ESTABLISHED), .flow = "established" },
		{ .line = "@wait 3599" },
		{ ACK_OUT, PASS(ESTABLISHED) },
		{ .line = "@wait 3601" },
		{ ACK_OUT, DENY(NO_FLOW) } } },
	{ "timeouts of the policy: TCP", "timeouts", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ .line = "@wait 6" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp A", DENY(NO_FLOW) },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .flow = "new" },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:1 tcp SA", PASS(ESTABLISHED), .flow = "established" },
		{ .line = "@wait 99" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp FA", PASS(ESTABLISHED), .flow = "established" },
		{ .line = "@wait 19" },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:1 tcp FA", PASS(ESTABLISHED), .flow = "closing" },
		{ .line = "@wait 2" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp A", PASS(ESTABLISHED) },
		{ .line = "@wait 4" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp A", DENY(NO_FLOW) } } },
	{ "timeouts of the policy: TCP that is established, and half closed", "timeouts", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:1 tcp SA", PASS(ESTABLISHED) },
		{ "web < uplink 192.0.2.9:2 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:2 tcp SA", PASS(ESTABLISHED) },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:2 tcp FA", PASS(ESTABLISHED) },
		{ .line = "@wait 21" },
		{ "web < uplink 192.0.2.9:2 -> 198.18.0.2:80 tcp A", DENY(NO_FLOW) },
		{ .line = "@wait 80" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp A", DENY(NO_FLOW) } } },
	{ "timeouts of the policy: UDP, ICMP, others", "timeouts", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 udp", PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 8/0 id 1", PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 proto 47 len 20", PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.9:2 -> 198.18.0.2:80 udp", PASS(POLICY_ALLOWED) },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:2 udp", PASS(ESTABLISHED) },
		{ .line = "@wait 5" },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:1 udp", DENY(DEFAULT_DENIED) },
		{ .line = "@wait 2" },
		{ "web > 198.18.0.2 -> 192.0.2.9 icmp 0/0 id 1", DENY(DEFAULT_DENIED) },
		{ .line = "@wait 2" },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:2 udp", DENY(DEFAULT_DENIED) },
		{ "web > 198.18.0.2 -> 192.0.2.9 proto 47 len 20", DENY(DEFAULT_DENIED) } } },
	{ "a connection of two containers has one entry, each end by its own policy", "pair", {
		{ "web > 198.18.0.2:4000 -> 198.18.0.3:5432 tcp S", PASS(POLICY_ALLOWED), .rule = "p/out", .flow = "new by 198.18.0.2" },
		{ "db < web 198.18.0.2:4000 -> 198.18.0.3:5432 tcp S", PASS(POLICY_ALLOWED), .rule = "q/in", .flow = "new by 198.18.0.2" },
		{ "db > 198.18.0.3:5432 -> 198.18.0.2:4000 tcp SA", PASS(ESTABLISHED), .flow = "established" },
		{ "web < db 198.18.0.3:5432 -> 198.18.0.2:4000 tcp SA", PASS(ESTABLISHED), .flow = "established by 198.18.0.2" } } },
	{ "the sender's end allows it, the receiver's end does not", "pair", {
		{ "web > 198.18.0.2:4000 -> 198.18.0.3:5433 tcp S", PASS(POLICY_ALLOWED), .rule = "p/out", .flow = "new" },
		{ "db < web 198.18.0.2:4000 -> 198.18.0.3:5433 tcp S", DENY(DEFAULT_DENIED), .flow = "new" },
		{ "db < web 198.18.0.2:4000 -> 198.18.0.3:5433 tcp A", DENY(DEFAULT_DENIED) },
		{ "db > 198.18.0.3:5433 -> 198.18.0.2:4000 tcp SA", DENY(DEFAULT_DENIED) } } },
	{ "the sender's end does not allow it", "pair", {
		{ "web > 198.18.0.2:4000 -> 198.18.0.3:22 tcp S", DENY(DEFAULT_DENIED), .flow = "none" },
		{ "db > 198.18.0.3:4000 -> 198.18.0.2:80 tcp S", DENY(DEFAULT_DENIED), .flow = "none" } } },
	{ "a raised generation: judged again by the same policy", "web", {
		ESTABLISH,
		{ .line = "@raise" },
		{ ACK_IN, PASS(ESTABLISHED), .rule = "p/public" },
		{ ACK_IN, PASS(ESTABLISHED) },
		{ ACK_OUT, PASS(ESTABLISHED), .flow = "established by 192.0.2.9" } } },
	{ "a raised generation: judged again at the reply, by what the first packet was", "web", {
		ESTABLISH,
		{ .line = "@raise" },
		{ ACK_OUT, PASS(ESTABLISHED), .rule = "p/public" } } },
	{ "a raised generation: what the container had begun", "web", {
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED), .rule = "p/calls" },
		{ .line = "@raise" },
		{ "web < uplink 192.0.2.9:443 -> 198.18.0.2:4000 tcp SA", PASS(ESTABLISHED), .rule = "p/calls" } } },
	{ "another policy revokes a connection, at either side's next packet", "web", {
		ESTABLISH,
		{ .line = "@policy web-closed" },
		{ ACK_IN, DENY(FLOW_REVOKED) },
		{ ACK_OUT, DENY(FLOW_REVOKED) },
		{ ACK_OUT, DENY(FLOW_REVOKED) } } },
	{ "a connection that was revoked lives on when it is allowed again", "web", {
		ESTABLISH,
		{ .line = "@policy web-closed" },
		{ ACK_IN, DENY(FLOW_REVOKED) },
		{ .line = "@policy web" },
		{ ACK_IN, PASS(ESTABLISHED), .rule = "p/public" } } },
	{ "a rule that denies is named when it revokes", "from-unknown", {
		{ SYN_IN, PASS(POLICY_ALLOWED) },
		{ .line = "@policy not-outside" },
		{ ACK_OUT, DENY(FLOW_REVOKED), .rule = "p/outside" } } },
	{ "audit: a revoked connection is reported and passes", "web", {
		ESTABLISH,
		{ .line = "@policy web-guard-audit" },
		{ ACK_IN, WOULD(FLOW_REVOKED) } } },
	{ "another container with the same address inherits nothing", "web", {
		ESTABLISH,
		{ .line = "@replace web" },
		{ .line = "@policy web-closed" },
		{ ACK_IN, DENY(DEFAULT_DENIED) },
		{ ACK_OUT, DENY(DEFAULT_DENIED) } } },
	{ "a ping's answer passes, a ping from there is judged by itself", "ping-out", {
		{ "web > 198.18.0.2 -> 192.0.2.9 icmp 8/0 id 7", PASS(POLICY_ALLOWED), .rule = "p/ping" },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 0/0 id 7", PASS(ESTABLISHED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 8/0 id 7", DENY(DEFAULT_DENIED) } } },
	{ "a ping over IPv6, and one from there", "ping-out", {
		{ "web > fd77:1::2 -> 2001:db8::9 icmp6 128/0 id 7", PASS(POLICY_ALLOWED), .rule = "p/ping6" },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 icmp6 129/0 id 7", PASS(ESTABLISHED) },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 icmp6 128/0 id 7", DENY(DEFAULT_DENIED) } } },
	{ "an allowed ping opens no other type of ICMP with its identifier", "ping-out", {
		{ "web > 198.18.0.2 -> 192.0.2.9 icmp 8/0 id 7", PASS(POLICY_ALLOWED) },
		{ "web > 198.18.0.2 -> 192.0.2.9 icmp 13/0 id 7", DENY(DEFAULT_DENIED) } } },
	{ "the identifier of an answer must be the question's", "ping-out", {
		{ "web > 198.18.0.2 -> 192.0.2.9 icmp 8/0 id 7", PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 0/0 id 8", DENY(DEFAULT_DENIED) } } },
	{ "an ICMP error about a connection, from anybody on the way", "web", {
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 11/0 quoting 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", PASS(ICMP_RELATED) },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 3/4 quoting 198.18.0.2:4000 -> 192.0.2.9:443 tcp S cut 28", PASS(ICMP_RELATED) } } },
	{ "an ICMP error that the container sends about what it received", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp", PASS(POLICY_ALLOWED) },
		{ "web > 198.18.0.2 -> 192.0.2.9 icmp 3/3 quoting 192.0.2.9:4000 -> 198.18.0.2:53 udp", PASS(ICMP_RELATED) } } },
	{ "an ICMPv6 error about a connection, both ways", "web", {
		{ "web > [fd77:1::2]:4000 -> [2001:db8::9]:443 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink 2001:db8::1:1 -> fd77:1::2 icmp6 2/0 quoting [fd77:1::2]:4000 -> [2001:db8::9]:443 tcp S", PASS(ICMP_RELATED) },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:53 udp", PASS(POLICY_ALLOWED) },
		{ "web > fd77:1::2 -> 2001:db8::9 icmp6 1/4 quoting [2001:db8::9]:4000 -> [fd77:1::2]:53 udp", PASS(ICMP_RELATED) } } },
	{ "an ICMP error about a ping", "ping-out", {
		{ "web > 198.18.0.2 -> 192.0.2.9 icmp 8/0 id 7", PASS(POLICY_ALLOWED) },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 11/0 quoting 198.18.0.2 -> 192.0.2.9 icmp 8/0 id 7", PASS(ICMP_RELATED) },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 11/0 quoting 198.18.0.2 -> 192.0.2.9 icmp 8/0 id 8", DENY(ICMP_UNRELATED) } } },
	{ "an ICMP error about no connection", "web", {
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 3/1 quoting 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", DENY(ICMP_UNRELATED) },
		{ "web > 198.18.0.2 -> 192.0.2.9 icmp 3/3 quoting 192.0.2.9:4000 -> 198.18.0.2:99 udp", DENY(ICMP_UNRELATED) },
		{ "web < uplink 2001:db8::7 -> fd77:1::2 icmp6 1/0 quoting [fd77:1::2]:4000 -> [2001:db8::9]:443 tcp S", DENY(ICMP_UNRELATED) } } },
	{ "an ICMP error that quotes nothing, or too little", "web", {
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 3/1", DENY(ICMP_UNRELATED) },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 3/1 quoting 198.18.0.2:4000 -> 192.0.2.9:443 tcp S cut 24", DENY(ICMP_UNRELATED) },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 3/1 quoting 198.18.0.2:4000 -> 192.0.2.9:443 tcp S ihl 4", DENY(ICMP_UNRELATED) },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 3/1 quoting 198.18.0.2:4000 -> 192.0.2.9:443 tcp S frag 64", DENY(ICMP_UNRELATED) } } },
	{ "an ICMP error goes to whoever sent what it quotes, and to nobody else", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp", PASS(POLICY_ALLOWED) },
		{ "web > 198.18.0.2 -> 203.0.113.1 icmp 3/3 quoting 192.0.2.9:4000 -> 198.18.0.2:53 udp", DENY(ICMP_UNRELATED) },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:53 udp", PASS(POLICY_ALLOWED) },
		{ "web > fd77:1::2 -> 2001:db8::8 icmp6 1/4 quoting [2001:db8::9]:4000 -> [fd77:1::2]:53 udp", DENY(ICMP_UNRELATED) } } },
	{ "an ICMP error about somebody else's connection", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp", PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 icmp 3/1 quoting 192.0.2.9:4000 -> 198.18.0.2:53 udp", DENY(ICMP_UNRELATED) } } },
	{ "an ICMP error about a connection whose policy has changed waits for its next packet", "web", {
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED) },
		{ .line = "@policy web-closed" },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 3/1 quoting 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", DENY(ICMP_UNRELATED) } } },
	{ "an ICMP error about a connection that has expired", "web", {
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", PASS(POLICY_ALLOWED) },
		{ .line = "@wait 61" },
		{ "web < uplink 203.0.113.1 -> 198.18.0.2 icmp 3/1 quoting 198.18.0.2:4000 -> 192.0.2.9:443 tcp S", DENY(ICMP_UNRELATED) } } },
};

const struct case_table flow_cases = { "flows", cases, COUNT(cases) };
