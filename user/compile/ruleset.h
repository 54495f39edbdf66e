/* SPDX-License-Identifier: GPL-2.0 */
/* Inside compile/: the ordered rules of one layer and direction, and the tables that they become. */
#ifndef DNETBPF_COMPILE_RULESET_H
#define DNETBPF_COMPILE_RULESET_H

#include "compile/compile.h"

/* A rule with the name of the policy that it comes from. */
struct listed_rule {
	const struct rule *rule;
	const char *policy;
};

/* A ruleset in user space: what its peers are is needed again for each new endpoint. */
struct ruleset {
	char *key;	/* what makes it the same as another; owned */
	char *project;	/* of the containers that use it, for a bare `service:`; owned, or NULL */
	struct listed_rule *rules;	/* owned; the rules are borrowed */
	size_t count;
	uint32_t words;
	bool names_peers;	/* some rule's peer is a container, a service or a network */
};

/* An arena under construction. */
struct arena {
	uint32_t index;
	struct dnet_ruleset *rulesets;
	struct ruleset *sources;	/* parallel to rulesets */
	size_t ruleset_count, ruleset_room;
	struct dnet_bound *bounds;
	size_t bound_count, bound_room;
	uint64_t *rows;
	size_t row_words, row_room;
	struct dnet_rule *rules;
	size_t rule_count, rule_room;
	struct compiled_prefix *prefixes;
	size_t prefix_count, prefix_room;
	uint32_t *row_index;	/* open-addressing table of row starts, for interning */
	uint8_t *row_lengths;
	size_t row_index_size, row_index_used;
	compile_counter counter;
	void *context;
};

void ruleset_clear(struct ruleset *ruleset);
void arena_clear(struct arena *arena);
/* The row with these @words words, made when there is none. -ENOSPC, -ENOMEM. */
int arena_row(struct arena *arena, const uint64_t *row, uint32_t words, uint32_t *ret_row, struct error *error);
/* Compile @source (taken over on success) into a new ruleset. */
int arena_add_ruleset(struct arena *arena, struct ruleset *source, uint32_t *ret_local, struct error *error);
/* Which rules of @ruleset have @endpoint as their peer, by name; a bitmap of ruleset->words words. Returns whether any has. */
bool ruleset_names_endpoint(const struct ruleset *ruleset, const struct compile_endpoint *endpoint, uint64_t *bits);
/* Does a peer name this endpoint? @project: of the container whose rule it is. */
bool peer_names_endpoint(const struct peer *peer, const char *project, const struct compile_endpoint *endpoint);

/* Make room for one more element of an array that doubles. -ENOMEM. */
int array_grow(void **array, size_t *room, size_t count, size_t size);

#endif
