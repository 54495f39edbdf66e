/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A policy as a person wrote it, parsed: plain data, no behaviour but freeing. config/ makes it from the file and from
 * labels, compile/ turns it into tables.
 */
#ifndef DNETBPF_MODEL_POLICY_H
#define DNETBPF_MODEL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/address.h>
#include <dnetbpf/direction.h>
#include <dnetbpf/flow.h>
#include <dnetbpf/policy.h>

#include "model/inventory.h"

/* Where something was written, for messages. */
struct origin {
	char *file;		/* path as given, or "label dnetbpf.ingress"; owned */
	unsigned int line;	/* from 1; 0: unknown */
	unsigned int column;	/* from 1, in bytes */
};

/* An interval of selectors (see dnetbpf/policy.h), both ends included. */
struct match {
	uint32_t first, last;
};

enum peer_kind {
	PEER_ANY,
	PEER_PREFIX,
	PEER_OUTSIDE,	/* came in by, or leaves through, an interface that is no Docker bridge */
	PEER_HOST,	/* any address of this host */
	PEER_LAN,	/* outside, private-use, shared, link-local or unique-local; no metadata address */
	PEER_INTERNET,	/* outside, globally reachable; no metadata address */
	PEER_METADATA,	/* the addresses of clouds' metadata services, wherever they are */
	PEER_DNS,	/* the container's configured resolvers */
	PEER_GROUP,	/* `multicast`: the packet is addressed to a multicast or broadcast address */
	PEER_PROJECT,	/* everything in the container's own compose project */
	PEER_CONTAINER,	/* name: glob */
	PEER_SERVICE,	/* project: NULL = the container's own, else glob; name: glob */
	PEER_NETWORK,	/* name: exact; the endpoints on it, never its gateway */
	PEER_LABEL,	/* key: exact; name: glob of the value */
	PEER_SET,	/* name: of a set of the file */
	PEER_COUNTRY,	/* name: two capital letters (ISO 3166-1 alpha-2) */
	PEER_INTERFACE,	/* name: of an interface of this host, in ingress rules alone */
};

struct peer {
	enum peer_kind kind;
	struct dnet_addr prefix;
	unsigned int prefix_len;	/* 0 to 128; IPv4 is 96 + n */
	char *project;			/* owned */
	char *key;			/* owned */
	char *name;			/* owned */
};

enum limit_kind {
	LIMIT_RATE,	/* `rate`: new connections */
	LIMIT_CONNS,	/* `conns`: connections at once */
	LIMIT_PACKETS,	/* `packets`: inside and outside of connections */
};

enum limit_per {
	LIMIT_PER_RULE,	/* one bucket for all */
	LIMIT_PER_SRC,	/* ingress rules alone */
	LIMIT_PER_DST,	/* egress rules alone */
};

/* Who said it, in the order in which they are asked. */
enum limit_source {
	LIMIT_OF_RULE,
	LIMIT_OF_POLICY,	/* `limits:` of the rule's policy */
	LIMIT_OF_HOST,		/* `limits:` of `host:` */
};

struct limit {
	enum limit_kind kind;
	enum limit_source source;
	uint64_t count;		/* at least 1 */
	uint64_t unit_ns;	/* of `rate` and `packets`: a second, minute or hour; `conns`: 0 */
	uint64_t burst;		/* 0: none was given */
	enum limit_per per;
	uint8_t v4_len, v6_len;	/* of what shares a bucket: 32 and 64 unless `/LEN` was given (/LEN up to 32 is v4's, else v6's) */
};

struct rule {
	enum dnet_rule_action action;
	struct match *matches;	/* at least one; "any protocol" is one interval 0..DNET_SELECTOR_MAX */
	size_t match_count;
	struct peer *peers;	/* at least one */
	size_t peer_count;
	char *network;		/* `on network:NAME`: the rule holds for the container's interface there alone; owned, or NULL */
	struct limit *limits;	/* each kind once, defaults included; owned */
	size_t limit_count;
	unsigned int no_limits;	/* 1 << kind: `rate none` and so on, no default gives it one */
	uint64_t ban_ns;	/* 0: none */
	bool ban_host;		/* `ban host DURATION`: everywhere, not at this container alone */
	bool no_ban;		/* `ban none` */
	enum limit_source ban_source;
	bool log;		/* report what it allows, too */
	char *text;		/* the rule with its spaces normalised; owned */
	char *name;		/* `as NAME`, else 8 hex digits of a hash of the text; owned */
	struct origin origin;
};

/* One direction. Present and empty means: everything is denied. Absent means: not governed. */
struct rule_list {
	bool present;
	struct rule *rules;	/* owned */
	size_t count;
};

enum policy_mode { POLICY_ENFORCE, POLICY_AUDIT };

enum selector_kind {
	SELECT_ALL,
	SELECT_CONTAINER,	/* value: glob */
	SELECT_SERVICE,		/* project (NULL: any) and value: globs */
	SELECT_LABEL,		/* key exact, value glob */
	SELECT_NETWORK,		/* value: exact network name; selects the container, all its interfaces */
	SELECT_PROJECT,		/* value: glob */
	SELECT_IMAGE,		/* value: glob */
	SELECT_AND,		/* all children */
	SELECT_OR,		/* some child */
	SELECT_NOT,		/* not its one child */
};

/* "not" binds closer than "and", "and" closer than "or". */
struct selector {
	enum selector_kind kind;
	char *project, *key, *value;	/* owned; NULL where not used */
	struct selector *children;	/* owned */
	size_t child_count;
};

struct policy {
	char *name;			/* owned; unique in the file; "labels" for a container's own */
	struct selector selector;	/* not used for labels */
	enum policy_mode mode;
	bool labels_add;		/* `labels: add` */
	/*
	 * `override: true`, how rules by hand are kept: its rules come before all others, in the file's and in the labels' list
	 * alike, and govern nothing by themselves: a direction that nothing else governs still ends as defaults.unselected says.
	 */
	bool override;
	uint64_t until_unix_ns;		/* `until: TIME`: it does not apply any more from then on; 0: for ever */
	/* `limits:`, as rules of which only limits, ban and origin are used. The rules below have them already. */
	struct rule limits[DNET_DIRECTIONS];
	struct rule_list direction[DNET_DIRECTIONS];
	struct origin origin;
};

enum default_unselected { UNSELECTED_ALLOW, UNSELECTED_OUTSIDE, UNSELECTED_DENY };

/* Prefixes with a name. */
struct prefix_set {
	char *name;		/* owned; unique */
	struct origin origin;
	char *file;		/* owned; NULL: they stand in the policy file */
	struct prefix *prefixes;	/* owned; sorted by address and length, no two equal */
	size_t prefix_count;
	size_t bad_lines;	/* of the file, that were no prefixes and are left out */
};

/* Every file that was read, so that a change can be seen. */
struct policy_source {
	char *path;		/* owned; as it is opened: absolute, or relative to the working directory */
	bool directory;		/* of `include`: new files may appear in it */
};

struct policy_set {
	enum default_unselected unselected;
	bool unknown_deny;	/* defaults.unknown: deny */
	bool fail_open;		/* defaults.on-failure: open */
	bool labels_ignore;	/* defaults.labels: ignore */
	struct policy *policies;	/* in file order, those of included files after them in the order of their names; owned */
	size_t policy_count;
	/* `host:`, as a policy with the name "host": never-block first, as allow rules, then the rules, which only deny. What
	 * no rule answers passes this layer. Directions without rules are absent. */
	struct policy host;
	struct prefix_set *sets;	/* owned */
	size_t set_count;
	char *geo_database;	/* geo.database; owned, or NULL */
	struct origin geo_origin;	/* of its value */
	uint32_t timeout_sec[DNET_TIMEOUT_COUNT];	/* 0: the standard */
	struct policy_source *sources;	/* owned */
	size_t source_count;
};

/* What a container says of itself. */
struct label_policy {
	bool present;		/* some dnetbpf.* label exists */
	bool invalid;		/* it cannot be read: deny the container */
	char *problem;		/* the sentence, when invalid; owned */
	char *policy_name;	/* dnetbpf.policy: a policy of the file that is to apply; owned, or NULL */
	struct policy policy;	/* directions and mode from labels; name "labels" */
	bool mode_set;		/* dnetbpf.mode was given */
};

void rule_clear(struct rule *rule);
void rule_list_clear(struct rule_list *list);
void selector_clear(struct selector *selector);
void policy_clear(struct policy *policy);
void prefix_set_clear(struct prefix_set *set);
void policy_set_clear(struct policy_set *set);
/* The set with this name, or NULL. */
const struct prefix_set *policy_set_find(const struct policy_set *set, const char *name);
const struct policy *policy_set_policy(const struct policy_set *set, const char *name);
/* Its `until` has come. */
bool policy_is_over(const struct policy *policy, uint64_t now_unix_ns);
void label_policy_clear(struct label_policy *labels);

#endif
