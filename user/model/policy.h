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
#include <dnetbpf/policy.h>

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
	PEER_OUTSIDE,
	PEER_HOST,
	PEER_CONTAINER,	/* name: glob */
	PEER_SERVICE,	/* project: NULL = the container's own, else glob; name: glob */
	PEER_NETWORK,	/* name: exact */
};

struct peer {
	enum peer_kind kind;
	struct dnet_addr prefix;
	unsigned int prefix_len;	/* 0 to 128; IPv4 is 96 + n */
	char *project;			/* owned */
	char *name;			/* owned */
};

struct rule {
	enum dnet_rule_action action;
	struct match *matches;	/* at least one; "any protocol" is one interval 0..DNET_SELECTOR_MAX */
	size_t match_count;
	struct peer *peers;	/* at least one */
	size_t peer_count;
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
};

struct selector {
	enum selector_kind kind;
	char *project, *key, *value;	/* owned; NULL where not used */
};

struct policy {
	char *name;			/* owned; unique in the file; "labels" for a container's own */
	struct selector selector;	/* not used for labels */
	enum policy_mode mode;
	bool labels_add;		/* `labels: add` */
	struct rule_list direction[DNET_DIRECTIONS];
	struct origin origin;
};

enum default_unselected { UNSELECTED_ALLOW, UNSELECTED_OUTSIDE, UNSELECTED_DENY };

struct policy_set {
	enum default_unselected unselected;
	bool unknown_deny;	/* defaults.unknown: deny */
	bool fail_open;		/* defaults.on-failure: open */
	bool labels_ignore;	/* defaults.labels: ignore */
	struct policy *policies;	/* in file order; owned */
	size_t policy_count;
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

void rule_list_clear(struct rule_list *list);
void policy_clear(struct policy *policy);
void policy_set_clear(struct policy_set *set);
void label_policy_clear(struct label_policy *labels);

#endif
