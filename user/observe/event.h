/* SPDX-License-Identifier: GPL-2.0 */
/* A verdict with names: what `events`, the daemon's log and the history show. */
#ifndef DNETBPF_OBSERVE_EVENT_H
#define DNETBPF_OBSERVE_EVENT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/address.h>
#include <dnetbpf/direction.h>
#include <dnetbpf/reason.h>

/* Strings are borrowed and never NULL ("" where nothing is known). */
struct event_record {
	uint64_t time_unix_ns;
	enum dnet_verdict verdict;
	enum dnet_reason reason;
	enum dnet_direction direction;
	const char *container, *service, *network;
	const char *peer_container;	/* the other end, when it is a container too */
	const char *interface;
	struct dnet_addr src, dst;
	uint16_t src_port, dst_port;	/* host order */
	uint16_t ethertype;		/* host order */
	uint8_t proto, tcp_flags, icmp_type, icmp_code;
	const char *country;
	const char *policy, *rule, *origin;	/* origin: "file:line" or the label */
	uint32_t bytes, count;			/* on the wire; count: packets */
};

/* Keys as in the manual: time, verdict, reason, direction, container, service, network, src, src_port, dst, dst_port, proto,
 * tcp_flags, country, policy, rule, bytes, count; further: peer, interface, origin, ethertype, icmp_type, icmp_code where
 * they apply. A new reference. */
json_t *event_to_json(const struct event_record *event);
/* One line for a person, without newline, e.g.
 * "2026-01-02T10:11:12.123Z DENY web ingress tcp 203.0.113.7:4444 -> 172.18.0.2:5432 SYN: no rule of the policy allows it (default_denied, policy web, network dmz)". */
void event_to_text(const struct event_record *event, char *buffer, size_t size);
/* The same line from the JSON of event_to_json(), for the command line. */
void event_json_to_text(const json_t *event, char *buffer, size_t size);

/* "pass", "deny", "would_deny"; the name and the sentence of a reason; "ingress", "egress"; protocol ("tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "esp",
 * "ah", else the number; into @buffer of 8 bytes); TCP flags as "SYN,ACK" ("" when none; @buffer of 40). */
const char *verdict_name(enum dnet_verdict verdict);
const char *reason_name(enum dnet_reason reason);
const char *reason_sentence(enum dnet_reason reason);
const char *direction_name(enum dnet_direction direction);
const char *proto_name(uint8_t proto, char *buffer);
const char *tcp_flags_text(uint8_t flags, char *buffer);

#endif
