/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From policies and endpoints to tables. Pure: no kernel, no clock, no I/O.
 *
 * A compiler fills one arena and only ever appends: rulesets and rows are interned by their content, so that compiling again
 * with one more container adds that container's entries and nothing else. A new policy set needs a new compiler, which fills
 * the other arena.
 */
#ifndef DNETBPF_COMPILE_COMPILE_H
#define DNETBPF_COMPILE_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/policy.h>

#include "base/error.h"
#include "model/inventory.h"
#include "model/policy.h"

/* One container interface that is to get a policy. Pointers are borrowed. */
struct compile_endpoint {
	uint32_t id;	/* stable, from 1 */
	const struct container *container;
	const struct network *network;
	const char *const *network_names;	/* every network the container is attached to, closed by NULL: for `network:` selectors */
	const struct label_policy *labels;	/* NULL: none */
};

/* What becomes of it. */
struct compile_verdict {
	uint32_t ruleset[DNET_DIRECTIONS][DNET_LAYERS];	/* local ids */
	bool selected;	/* file or labels govern a direction */
	bool tracked;	/* a direction has rules, defaults.unselected included */
	bool audit;
	bool invalid;	/* labels that cannot be read */
	char *policies;	/* names, joined by ","; owned; "" for none */
};

/* Which counter a rule has, by its policy's and its own name; DNET_NO_RULE when there is none left. Stable. */
typedef uint32_t (*compile_counter)(void *context, const char *policy, const struct rule *rule);

struct compiled_peer {
	uint32_t ruleset;	/* local id */
	uint32_t endpoint_id;
	uint32_t row;		/* index over both arenas */
};

struct compiled_prefix {
	uint32_t ruleset;	/* local id */
	struct dnet_addr addr;
	uint32_t prefix_len;
	uint32_t row;
};

struct compiler;

/* @arena: 0 or 1. @policies is borrowed and must outlive the compiler. */
int compiler_new(uint32_t arena, const struct policy_set *policies, bool audit, compile_counter counter, void *context,
		 struct compiler **ret, struct error *error);
void compiler_free(struct compiler *compiler);

/*
 * Compile all endpoints. @verdicts: one for each, filled (the caller clears them). -ENOSPC: the arena is full, a sentence names
 * the table and its bound; what was compiled before stays valid.
 */
int compiler_run(struct compiler *compiler, const struct compile_endpoint *endpoints, size_t count,
		 struct compile_verdict *verdicts, struct error *error);
void compile_verdict_clear(struct compile_verdict *verdict);

/* The arena's tables, as far as filled. Everything below the counts is final. Indexes in their values count over both arenas;
 * entry 0 of each belongs at arena * DNET_MAX_... of its map. */
struct compiled_tables {
	const struct dnet_ruleset *rulesets;	/* by local id; entry 0 is unused */
	size_t ruleset_count;
	const struct dnet_bound *bounds;
	size_t bound_count;
	const uint64_t *rows;
	size_t row_words;
	const struct dnet_rule *rules;
	size_t rule_count;
	const struct compiled_prefix *prefixes;	/* append-only as well */
	size_t prefix_count;
	const struct compiled_peer *peers;	/* of the last run, sorted by (ruleset, endpoint) */
	size_t peer_count;
};
void compiler_tables(const struct compiler *compiler, struct compiled_tables *ret);

#endif
