/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reference: what becomes of the first packet of a flow, found by walking the rules as they were written, one by one. It
 * shares nothing with the compiler and the programs in the kernel but the parsed policy and a few functions on text, so that a
 * misunderstanding has to be made twice to go unseen. No speed was sought.
 */
#ifndef TESTS_REFERENCE_EVALUATE_H
#define TESTS_REFERENCE_EVALUATE_H

#include <dnetbpf/reason.h>

#include "model/policy.h"

/* One interface of one container. All borrowed. */
struct reference_endpoint {
	uint32_t id;
	const struct container *container;
	const struct network *network;
	const struct attachment *attachment;
	const struct label_policy *labels;
	const struct dnet_addr *resolvers;
	size_t resolver_count;
};

struct reference_world {
	const struct policy_set *policies;
	const struct inventory *inventory;
	const struct reference_endpoint *endpoints;
	size_t endpoint_count;
	const struct dnet_addr *host_addresses;
	size_t host_address_count;
	uint64_t now_unix_ns;
};

/* Where the judging interface got a packet from (see section "Where packets are judged" of the README). Egress: HOST, unused. */
enum reference_origin {
	ORIGIN_HOST,		/* this host sent it */
	ORIGIN_PORT,		/* the interface of another endpoint on the same bridge */
	ORIGIN_STRANGER,	/* a port of the same bridge that is not under enforcement */
	ORIGIN_BRIDGE,		/* routed, from the bridge of a Docker network */
	ORIGIN_OUTSIDE,		/* routed, from any other interface */
	ORIGIN_COUNT,
};

struct reference_packet {
	size_t endpoint;	/* which one judges; index in the world */
	enum dnet_direction direction;
	enum reference_origin origin;
	size_t from;		/* PORT: index of the endpoint; BRIDGE: index of the network in the inventory */
	const char *interface;	/* OUTSIDE: its name */
	struct dnet_addr src, dst;
	uint8_t proto;
	uint16_t src_port, dst_port;	/* TCP, UDP, SCTP */
	uint8_t type, code;		/* ICMP, ICMPv6 */
};

/* A rule in a list, and what in it matched. */
struct reference_rule {
	const struct rule *rule;	/* NULL: none answered, or one that no person wrote */
	const struct policy *policy;	/* that it stands in; NULL: as above */
	const char *unwritten;		/* "pass" ends the host layer; "outside" and "any" are what defaults.unselected means; else NULL */
	const struct match *match;
	const struct peer *peer;
};

struct reference_answer {
	enum dnet_verdict verdict;
	enum dnet_reason reason;
	enum dnet_layer layer;		/* that denied, or the last that governs; valid where a list was asked */
	bool governed[DNET_LAYERS];	/* which layers were asked: those before the one that denied, and that one */
	struct reference_rule rule[DNET_LAYERS];	/* what answered there */
	/* What the packet is to the rules. */
	uint32_t selector;
	struct dnet_addr peer;
	enum dnet_peer_class peer_class;
	const struct reference_endpoint *peer_endpoint;	/* NULL: none */
	bool peer_outside;		/* `iface:` is asked */
	bool group;
};

void reference_evaluate(const struct reference_world *world, const struct reference_packet *packet, struct reference_answer *ret);

/* Whether a policy of the file is for this container, by its selector alone. */
bool reference_selects(const struct selector *selector, const struct reference_world *world, const struct container *container);
/* Whether a prefix holds an address. IPv6 prefixes hold no IPv4 address. */
bool reference_holds(const struct dnet_addr *prefix, unsigned int prefix_len, const struct dnet_addr *addr);
bool reference_is_group(const struct dnet_addr *addr);

#endif
