/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a packet passed or not. One list: the enum, the metric label, the event field, the sentence for a person and the
 * test "every reason is produced" come from it. Ids are append-only and never reused.
 *
 * X(id, NAME, name, class, sentence)
 * Classes: PASS; DENY, the policy or a guard says no; FAIL, the packet cannot be judged (`on-failure` says what follows).
 */
#ifndef DNETBPF_REASON_H
#define DNETBPF_REASON_H

#define DNET_REASONS(X) \
	X(1,  POLICY_ALLOWED,	"policy_allowed",	PASS, "a rule allows it") \
	X(2,  ESTABLISHED,	"established",		PASS, "it belongs to a connection that was allowed") \
	X(3,  UNSELECTED,	"unselected",		PASS, "no policy governs this direction of the container") \
	X(4,  NEIGHBOR,		"neighbor",		PASS, "it is address resolution (ARP, neighbor discovery, MLD)") \
	X(5,  ICMP_RELATED,	"icmp_related",		PASS, "it is an ICMP error about a connection that was allowed") \
	X(6,  FRAGMENT,		"fragment",		PASS, "it continues a fragmented packet that was allowed") \
	X(7,  ENFORCED_PORT,	"enforced_port",	PASS, "its sender's own interface has judged it") \
	X(8,  UNKNOWN_ALLOWED,	"unknown_allowed",	PASS, "its sender is not under enforcement and defaults.unknown is allow") \
	X(16, PENDING,		"pending",		DENY, "the container behind this interface is not identified yet") \
	X(17, POLICY_DENIED,	"policy_denied",	DENY, "a rule denies it") \
	X(18, DEFAULT_DENIED,	"default_denied",	DENY, "no rule of the policy allows it") \
	X(19, POLICY_INVALID,	"policy_invalid",	DENY, "the container's policy labels cannot be read") \
	X(20, NO_FLOW,		"no_flow",		DENY, "it is TCP without SYN and belongs to no known connection") \
	X(21, SPOOFED_SOURCE,	"spoofed_source",	DENY, "its source address is not the container's own") \
	X(22, SPOOFED_MAC,	"spoofed_mac",		DENY, "its source MAC address is not the container's own") \
	X(23, SPOOFED_NEIGHBOR,	"spoofed_neighbor",	DENY, "it claims an address of somebody else in ARP or neighbor discovery") \
	X(24, ETHERTYPE,	"ethertype",		DENY, "it is neither IPv4, IPv6 nor ARP") \
	X(25, ROUTER_MESSAGE,	"router_message",	DENY, "a container must not send router advertisements or redirects") \
	X(26, FLOODED,		"flooded",		DENY, "the bridge flooded it to this container, but it is for another one") \
	X(27, UNKNOWN_ENDPOINT,	"unknown_endpoint",	DENY, "its sender on the Docker bridge is not under enforcement") \
	X(28, ICMP_UNRELATED,	"icmp_unrelated",	DENY, "it is an ICMP error about no known connection") \
	X(29, FLOW_REVOKED,	"flow_revoked",		DENY, "the connection was allowed once, the policy in force now forbids it") \
	X(30, VLAN,		"vlan",			DENY, "a container must not send VLAN tags") \
	X(31, RATE_LIMITED,	"rate_limited",		DENY, "the rule's rate of new connections is used up") \
	X(32, TOO_MANY_CONNECTIONS, "too_many_connections", DENY, "as many connections as the rule permits are open") \
	X(33, PACKET_RATE,	"packet_rate",		DENY, "the rule's rate of packets is used up") \
	X(34, BANNED,		"banned",		DENY, "the other side has exceeded a limit and is banned for a time") \
	X(35, BLOCKED,		"blocked",		DENY, "the other side is blocked by hand") \
	X(48, MALFORMED,	"malformed",		FAIL, "its headers are cut short or contradict each other") \
	X(49, FLOW_TABLE_FULL,	"flow_table_full",	FAIL, "the table of connections is full") \
	X(50, FRAGMENT_ORPHAN,	"fragment_orphan",	FAIL, "it is a later fragment whose first one was not seen or not allowed") \
	X(51, HEADERS_TOO_DEEP,	"headers_too_deep",	FAIL, "it has more IPv6 extension headers than are walked") \
	X(52, TABLE_MISSING,	"table_missing",	FAIL, "a table of the policy is missing or damaged") \
	X(53, LIMIT_TABLE_FULL,	"limit_table_full",	FAIL, "the table of limits has no room for its source")

#define DNET_REASON_SPAN 64	/* ids are below it; counters are indexed by it */

enum dnet_reason {
	DNET_REASON_NONE = 0,
#define X(id, NAME, name, class, sentence) DNET_REASON_##NAME = id,
	DNET_REASONS(X)
#undef X
};

enum dnet_reason_class {
	DNET_CLASS_PASS = 0,
	DNET_CLASS_DENY = 1,
	DNET_CLASS_FAIL = 2,
};

/* The id ranges are part of the contract, so that a class costs a comparison and no table. */
static inline enum dnet_reason_class dnet_reason_class(enum dnet_reason reason)
{
	return reason >= 48 ? DNET_CLASS_FAIL : reason >= 16 ? DNET_CLASS_DENY : DNET_CLASS_PASS;
}

#define X(id, NAME, name, class, sentence) \
	_Static_assert(id < DNET_REASON_SPAN, "reason id out of range"); \
	_Static_assert((DNET_CLASS_##class == DNET_CLASS_FAIL) == (id >= 48), "reason id in the range of another class"); \
	_Static_assert((DNET_CLASS_##class == DNET_CLASS_PASS) == (id < 16), "reason id in the range of another class");
DNET_REASONS(X)
#undef X

#endif
