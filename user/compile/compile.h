/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From policies and endpoints to tables. Pure: no kernel, no clock, no I/O.
 *
 * A compiler fills one arena and only ever appends: rulesets and rows are interned by their content, so that compiling again
 * with one more container adds that container's entries and nothing else, and costs what that container costs. A new policy
 * set needs a new compiler, which fills the next arena.
 */
#ifndef DNETBPF_COMPILE_COMPILE_H
#define DNETBPF_COMPILE_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/limit.h>
#include <dnetbpf/policy.h>

#include "base/error.h"
#include "compile/set_classes.h"
#include "model/inventory.h"
#include "model/policy.h"

/* One container interface that is to get a policy. Pointers are borrowed for a run, but @labels, which must outlive the compiler. */
struct compile_endpoint {
	uint32_t id;	/* stable, from 1 */
	const struct container *container;
	const struct network *network;
	const char *const *network_names;	/* every network the container is attached to, closed by NULL: for `network:` selectors */
	const struct label_policy *labels;	/* NULL: none */
	const struct dnet_addr *resolvers;	/* what `dns` means for it */
	size_t resolver_count;
};

/* An interface of this host, for `iface:` peers. */
struct compile_interface {
	const char *name;
	uint32_t ifindex;
};

/* A rule with the name of the policy that it comes from. Borrowed. */
struct listed_rule {
	const struct rule *rule;
	const char *policy;
};

/* What becomes of it. */
struct compile_verdict {
	uint32_t ruleset[DNET_DIRECTIONS][DNET_LAYERS];	/* local ids */
	bool selected;	/* file or labels govern a direction */
	bool tracked;	/* a direction has rules, defaults.unselected included */
	bool audit;
	bool bans;	/* a limit of its rules bans who exceeds it */
	bool invalid;	/* labels that cannot be read or enforced: everything is denied */
	char *problem;	/* when invalid: the sentence; owned */
	char *policies;	/* names, joined by ","; owned; "" for none */
};

/* Which counter a rule has, by its policy's and its own name; DNET_NO_RULE when there is none left. Stable. */
typedef uint32_t (*compile_counter)(void *context, const char *policy, const struct rule *rule);

/* The id of a limit, by its policy's and rule's names, its kind and its numbers: a limit that is as it was keeps its buckets. 0: no ids
 * are left. */
typedef uint32_t (*compile_limit)(void *context, const char *policy, const struct rule *rule, const struct limit *limit);

struct compiled_peer {
	uint32_t ruleset;	/* local id */
	uint32_t kind;		/* enum dnet_peer_kind */
	uint32_t id;
	uint32_t row;		/* index over all arenas */
};

struct compiled_prefix {
	uint32_t ruleset;	/* local id */
	struct dnet_addr addr;
	uint32_t prefix_len;
	uint32_t row;
};

struct compiler;

/* What a compiler works from. All borrowed; the policies must outlive it. */
struct compile_input {
	uint32_t arena;		/* below DNET_ARENAS */
	const struct policy_set *policies;
	const struct set_classes *sets;	/* NULL: the policies name no sets */
	bool has_countries;	/* a database of countries is in the kernel: policies may name them */
	bool audit;		/* treat every policy as `mode: audit` */
	uint64_t now_unix_ns;	/* policies whose `until` is not later are left out */
	compile_counter counter;
	compile_limit limit;
	void *context;
};
/* -EOPNOTSUPP, with the place: a policy has what cannot be enforced. */
int compiler_new(const struct compile_input *input, struct compiler **ret, struct error *error);
void compiler_free(struct compiler *compiler);

/*
 * Compile all endpoints; those that are as they were in the last run, by content, cost a comparison. @verdicts: one for each,
 * filled (the caller clears them). @interfaces: for `iface:` peers. -ENOSPC: the arena is full, a sentence names the table and
 * its bound; what was compiled before stays valid.
 */
int compiler_run(struct compiler *compiler, const struct compile_endpoint *endpoints, size_t count,
		 const struct compile_interface *interfaces, size_t interface_count, struct compile_verdict *verdicts,
		 struct error *error);
void compile_verdict_clear(struct compile_verdict *verdict);
/* The sets have other classes now (the same sets, re-read): recompute the rows of classes. */
int compiler_set_classes(struct compiler *compiler, const struct set_classes *sets, struct error *error);
/* The rules of a ruleset in their order. Returns how many; none for local id 0. Valid until the next run. */
size_t compiler_rules(const struct compiler *compiler, uint32_t local, const struct listed_rule **ret);
/* Bytes of the kernel's and of the compiler's own tables that what is compiled takes, those of sets included. */
void compiler_memory(const struct compiler *compiler, size_t *ret_kernel, size_t *ret_user);

/* The arena's tables, as far as filled. Everything below the counts is final. Indexes in their values count over all arenas;
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
	const struct dnet_limit *limits;	/* entry 0 is unused */
	size_t limit_count;
	const struct compiled_prefix *prefixes;	/* append-only as well */
	size_t prefix_count;
	const struct compiled_peer *peers;	/* of the last run, sorted by (ruleset, kind, id) */
	size_t peer_count;
};
void compiler_tables(const struct compiler *compiler, struct compiled_tables *ret);

#endif
