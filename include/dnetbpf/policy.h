/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A compiled policy. A ruleset is the ordered rules of one layer and direction. A rule matches when the packet's
 * (protocol, port) and its peer both do; each is looked up to a bitmap with one bit a rule, and the first bit of their
 * AND is the first matching rule (recursive flow classification, Gupta and McKeown, SIGCOMM 1999).
 *
 * Everything but the peer tables lives in arrays of three arenas. A ruleset is immutable while its arena is in force: a
 * new policy is built in the next arena, and one write of the version word switches every endpoint at once. With three, the
 * arena that is filled was left two switches ago: the writer has to wait for programs that still read it only when policies
 * follow each other within milliseconds.
 */
#ifndef DNETBPF_POLICY_H
#define DNETBPF_POLICY_H

#include <dnetbpf/abi.h>
#include <dnetbpf/address.h>
#include <dnetbpf/limits.h>

#define DNET_ARENAS 3

enum dnet_layer {
	DNET_LAYER_HOST = 0,	/* `host:` of the policy file: never-block as allow rules, denies for every container, and at the end a rule that
				 * allows any. What it alone governs is UNSELECTED when it passes */
	DNET_LAYER_FILE = 1,	/* the policies of the file */
	DNET_LAYER_LABELS = 2,	/* the container's own labels, which can only narrow */
	DNET_LAYERS = 3,
};

/*
 * The matches of a rule are intervals of selectors: protocol << 16 | port for TCP, UDP and SCTP (the responder's port),
 * protocol << 16 | type << 8 | code for ICMP and ICMPv6, protocol << 16 for all others. Host byte order.
 */
#define DNET_SELECTOR(proto, low)	((__u32)(proto) << 16 | (__u32)(low))
#define DNET_SELECTOR_MAX		0xffffffu

/*
 * Classes of a peer that need no table of their own. Values index dnet_ruleset.class_row; `any` is in every row, `outside` in
 * the rows of all three OUTSIDE classes. Which of these three a peer is, its entry in `places` says.
 */
enum dnet_peer_class {
	DNET_PEER_OTHER = 0,	/* an endpoint, an unused address of a Docker network, a group */
	DNET_PEER_OUTSIDE = 1,	/* came in by, or leaves through, an interface that is no Docker bridge; neither lan nor internet */
	DNET_PEER_HOST = 2,	/* this host */
	DNET_PEER_LAN = 3,	/* outside, with a private-use, shared, link-local or unique-local address */
	DNET_PEER_INTERNET = 4,	/* outside, globally reachable */
	DNET_PEER_GROUP = 5,	/* ORed to the peer's own row when the packet is addressed to a multicast or broadcast address */
	DNET_PEER_CLASSES = 8,	/* a power of two: the kernel side masks with it; 6 and 7 are reserved */
};

/* What a ruleset's rules ask for: the kernel side looks up nothing that no rule needs. */
#define DNET_RULESET_HAS_ENDPOINTS	(1u << 0)	/* `peer_rows` has entries of kind ENDPOINT for it */
#define DNET_RULESET_HAS_PREFIXES	(1u << 1)	/* `prefix_rows` has entries for it */
#define DNET_RULESET_HAS_SCOPES		(1u << 2)	/* lan or internet: its LAN and INTERNET rows differ from OUTSIDE */
#define DNET_RULESET_HAS_INTERFACES	(1u << 3)	/* `peer_rows` has entries of kind INTERFACE */
#define DNET_RULESET_HAS_SETS		(1u << 4)	/* `peer_rows` has entries of kind SET_CLASS */
#define DNET_RULESET_HAS_COUNTRIES	(1u << 5)	/* `peer_rows` has entries of kind COUNTRY */

/* Map `rulesets`, an array: index = arena * DNET_MAX_RULESETS + local id; local id 0 means "not governed". */
struct dnet_ruleset {
	__u32 words;		/* row length in 64-bit words, 1 to DNET_ROW_WORDS; 0: no such ruleset */
	__u32 rule_base;	/* first entry in `rules`, index over all arenas */
	__u32 rule_count;
	__u32 flags;
	__u32 bound_base;	/* first entry in `bounds`, index over all arenas */
	__u32 bound_count;	/* at least 1: the first bound starts at selector 0 */
	__u32 class_row[DNET_PEER_CLASSES];	/* rows (index of their first word in `rows`): rules with `any` or that class */
};
DNET_ASSERT_SIZE(struct dnet_ruleset, 56);

/* Map `bounds`, an array: sorted by `first` within a ruleset; a row holds from `first` to the next bound. */
struct dnet_bound {
	__u32 first;	/* selector */
	__u32 row;
};
DNET_ASSERT_SIZE(struct dnet_bound, 8);

enum dnet_rule_action {
	DNET_RULE_DENY = 0,
	DNET_RULE_ALLOW = 1,
};

/* Map `rules`, an array. */
struct dnet_rule {
	__u32 action;
	__u32 counter;	/* index in `rule_hits`; stable over reloads and restarts */
	__u32 limit_base;	/* first entry in `limits`, index over all arenas */
	__u32 limit_count;	/* 0: none; at most DNET_MAX_RULE_LIMITS */
};
DNET_ASSERT_SIZE(struct dnet_rule, 16);

enum dnet_peer_kind {
	DNET_PEER_KIND_ENDPOINT = 0,	/* id: of the endpoint */
	DNET_PEER_KIND_INTERFACE = 1,	/* id: ifindex that the packet came in by; not asked when it came over a Docker bridge */
	DNET_PEER_KIND_SET_CLASS = 2,	/* id: what the set table says of the address, see dnetbpf/set.h */
	DNET_PEER_KIND_COUNTRY = 3,	/* id: dnet_country() of the address */
};

/* Map `peer_rows`, a hash: the rules of a ruleset whose peer this is -> row. */
struct dnet_peer_key {
	__u32 ruleset;	/* index over all arenas */
	__u32 kind;	/* enum dnet_peer_kind */
	__u32 id;
};
DNET_ASSERT_SIZE(struct dnet_peer_key, 12);

/* Map `prefix_rows`, an LPM: the rules of a ruleset with a prefix that covers the address -> row (all of them, not
 * only the longest prefix: the compiler ORs the covering ones in). */
struct dnet_prefix_key {
	__u32 prefix_len;	/* 32 + 0..128 */
	__be32 ruleset_be;
	struct dnet_addr addr;
};
DNET_ASSERT_SIZE(struct dnet_prefix_key, 24);

#endif
