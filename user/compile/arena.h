/* SPDX-License-Identifier: GPL-2.0 */
/* Inside compile/: the tables of one arena while they grow. Rows are interned: equal bitmaps are stored once. */
#ifndef DNETBPF_COMPILE_ARENA_H
#define DNETBPF_COMPILE_ARENA_H

#include "compile/compile.h"

struct ruleset;

struct arena {
	uint32_t index;
	struct dnet_ruleset *rulesets;
	struct ruleset *sources;	/* parallel to rulesets */
	size_t ruleset_count, ruleset_room, source_room;
	struct dnet_bound *bounds;
	size_t bound_count, bound_room;
	uint64_t *rows;
	size_t row_words, row_room;
	struct dnet_rule *rules;
	size_t rule_count, rule_room;
	struct dnet_limit *limits;	/* entry 0 is unused */
	size_t limit_count, limit_room;
	struct compiled_prefix *prefixes;
	size_t prefix_count, prefix_room;
	uint32_t *row_index;	/* open-addressing table of row starts, for interning */
	uint8_t *row_lengths;
	size_t row_index_size, row_index_used;
	compile_counter counter;
	compile_limit limit;
	void *context;
};

void arena_clear(struct arena *arena);
/* The row with these @words words, made when there is none. -ENOSPC, -ENOMEM. */
int arena_row(struct arena *arena, const uint64_t *row, uint32_t words, uint32_t *ret_row, struct error *error);
/* Forget rows, bounds, limits and prefixes that were added since the counts of @before, for a ruleset that did not come to be. */
void arena_rewind(struct arena *arena, const struct arena *before);
/* -ENOSPC: "the policies need more than BOUND WHAT". */
int arena_full(struct error *error, const char *what, size_t bound);

/* Make room for one more element of an array that doubles. -ENOMEM. */
int array_grow(void **array, size_t *room, size_t count, size_t size);

/* For qsort() and bsearch(). */
int compare_u32(const void *a, const void *b);

static inline void bit_set(uint64_t *row, size_t bit)
{
	row[bit / 64] |= 1ull << (bit % 64);
}

#endif
