/* SPDX-License-Identifier: GPL-2.0 */
/* The pieces of the reader of policy files. Private to config/. */
#ifndef DNETBPF_CONFIG_POLICY_READER_H
#define DNETBPF_CONFIG_POLICY_READER_H

#include "config/document.h"
#include "model/policy.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define POLICY_NAME_MAX 64	/* it is a label of counters */
#define POLICY_MAX_FILES 1024	/* that are included */

/* One file that was read. */
struct policy_document {
	struct document document;	/* its name is borrowed: from the caller, or from @name */
	char *name, *owned_text;	/* owned; NULL where they are the caller's */
	const char *text;
	size_t length;
};

/* What can be understood only when all sets of all files are known. */
struct postponed {
	const struct document *document;
	const struct node *key, *value;
	int (*read)(const struct document *document, const struct node *key, const struct node *value, void *target);
};

/* The target of the keys of a file. */
struct policy_reader {
	struct policy_set *set;
	struct report report;
	struct error error;	/* the last one; what the documents point at */
	struct policy_document **documents;	/* owned; nodes live as long as the reader */
	size_t document_count;
	struct postponed *postponed;	/* owned */
	size_t postponed_count;
	char **included;	/* owned; paths of files that are to be read, too */
	size_t included_count;
	size_t prefix_count;	/* of all sets */
	/* Names of policies: a search through the list would take a second for the largest files. Indexes from 1; 0: free. */
	uint16_t name_slot[2 * DNET_MAX_POLICIES];
};
_Static_assert(DNET_MAX_POLICIES < UINT16_MAX, "a slot holds the index of a policy");

/* Remember a file, so that a change of it is seen. 0 or -ENOMEM. */
int policy_reader_add_source(struct policy_reader *reader, const char *path, bool directory);
/* Enter the name of a policy. Returns the one that has it already, or NULL. */
const struct policy *policy_reader_enter(struct policy_reader *reader, size_t index);

/* Readers of keys; their target is the policy_reader. */
int policy_read_sets(const struct document *document, const struct node *key, const struct node *value, void *target);
int policy_read_host(const struct document *document, const struct node *key, const struct node *value, void *target);
int policy_read_policies(const struct document *document, const struct node *key, const struct node *value, void *target);
int policy_read_timeouts(const struct document *document, const struct node *key, const struct node *value, void *target);
int policy_read_include(const struct document *document, const struct node *key, const struct node *value, void *target);

/* `limits:` of a policy, which is the target, or of the host. */
int policy_read_limits(const struct document *document, const struct node *key, const struct node *value, void *target);
/* Make room for a rule in @list. @most: how many the direction may have. */
int policy_grow_rules(const struct document *document, const struct node *item, struct rule_list *list, size_t most);
/* The name of a thing of which there is one in all files. @what: "a policy", for messages. */
int policy_read_name(const struct document *document, const struct node *node, const char *what, char **ret);
/* RFC 3339 in UTC ("Z"), in whole seconds or with a fraction; from 1970 to 2499. */
bool policy_parse_time(const char *text, uint64_t *ret_unix_ns);

#endif
