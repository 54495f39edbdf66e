/* SPDX-License-Identifier: GPL-2.0 */
/* Equivalence classes and bitmaps: recursive flow classification, Gupta and McKeown, SIGCOMM 1999, with one phase. */
#include "compile/ruleset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/limits.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define V4(a, b, c, d) { .addr = { .byte = { [10] = 0xff, [11] = 0xff, a, b, c, d } }, .prefix_len = 128 }

/* Amazon's and most others', Amazon's for tasks and pods, Alibaba's, Azure's; Amazon's two and Google's over IPv6. */
const struct prefix metadata_prefixes[] = {
	V4(169, 254, 169, 254), V4(169, 254, 170, 2), V4(169, 254, 170, 23), V4(100, 100, 100, 200), V4(168, 63, 129, 16),
	{ .addr = { .byte = { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 } }, .prefix_len = 128 },
	{ .addr = { .byte = { 0xfd, 0x00, 0x0e, 0xc2, [15] = 0x23 } }, .prefix_len = 128 },
	{ .addr = { .byte = { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54 } }, .prefix_len = 128 },
	{},
};

static const struct dnet_addr all_v4 = { .byte = { [10] = 0xff, [11] = 0xff } };

void ruleset_clear(struct ruleset *ruleset)
{
	free(ruleset->project);
	free(ruleset->resolvers);
	free(ruleset->rules);
	memset(ruleset, 0, sizeof(*ruleset));
}

bool resolver_on_wire(const struct dnet_addr *resolver)
{
	static const struct dnet_addr loopback = { .byte = { [15] = 1 } };

	return !addr_equal(resolver, &loopback) && !(addr_is_v4(resolver) && resolver->byte[12] == 127);
}

bool prefix_is_v4(const struct dnet_addr *addr, unsigned int prefix_len)
{
	return prefix_len >= DNET_V4_PREFIX_OFFSET && addr_is_v4(addr);
}

bool prefix_covers(const struct dnet_addr *outer, unsigned int outer_len, const struct dnet_addr *inner, unsigned int inner_len)
{
	return outer_len <= inner_len && prefix_is_v4(outer, outer_len) == prefix_is_v4(inner, inner_len) &&
	       addr_in_prefix(inner, outer, outer_len);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int add_bound(struct arena *arena, struct dnet_ruleset *target, uint32_t first, uint32_t row, struct error *error)
{
	if (target->bound_count && arena->bounds[arena->bound_count - 1].row == row)
		return 0;
	if (arena->bound_count >= DNET_MAX_BOUNDS)
		return arena_full(error, "boundaries of ports", DNET_MAX_BOUNDS);
	if (array_grow((void **)&arena->bounds, &arena->bound_room, arena->bound_count, sizeof(*arena->bounds)) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	arena->bounds[arena->bound_count++] = (struct dnet_bound){ .first = first, .row = row };
	target->bound_count++;
	return 0;
}

/* One sweep over the ends of all matches, in order. A rule's bit is set while some match of it is open. */
static int add_bounds(struct arena *arena, const struct ruleset *source, struct dnet_ruleset *target, struct error *error)
{
	_cleanup_free_ uint64_t *points = NULL;	/* selector << 32 | rule << 1 | ends */
	uint32_t open[DNET_MAX_RULES] = {};
	uint64_t bits[DNET_ROW_WORDS] = {};
	size_t room = 1, count = 0;
	uint32_t first = 0;

	for (size_t i = 0; i < source->count; i++)
		room += source->rules[i].rule->match_count * 2;
	points = malloc(room * sizeof(*points));
	if (!points)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < source->count; i++) {
		const struct rule *rule = source->rules[i].rule;

		for (size_t j = 0; j < rule->match_count; j++) {
			points[count++] = (uint64_t)rule->matches[j].first << 32 | i << 1;
			if (rule->matches[j].last < DNET_SELECTOR_MAX)
				points[count++] = (uint64_t)(rule->matches[j].last + 1) << 32 | i << 1 | 1;
		}
	}
	qsort(points, count, sizeof(*points), compare_u64);
	target->bound_base = (uint32_t)(arena->index * DNET_MAX_BOUNDS + arena->bound_count);
	for (size_t p = 0;;) {
		uint32_t row;
		int r;

		for (; p < count && points[p] >> 32 == first; p++) {
			size_t rule = (uint32_t)points[p] >> 1;

			open[rule] += points[p] & 1 ? -1u : 1u;
			if (open[rule])
				bit_set(bits, rule);
			else
				bits[rule / 64] &= ~(1ull << (rule % 64));
		}
		r = arena_row(arena, bits, source->words, &row, error);
		if (r == 0)
			r = add_bound(arena, target, first, row, error);
		if (r < 0)
			return r;
		if (p == count)
			return 0;
		first = (uint32_t)(points[p] >> 32);
	}
}

/* Which rows a peer is in, as bits 1 << enum dnet_peer_class. `any` is in the row of what the peer itself is. */
static unsigned int peer_classes(const struct peer *peer)
{
	switch (peer->kind) {
	case PEER_ANY:
		return 1u << DNET_PEER_OTHER | 1u << DNET_PEER_OUTSIDE | 1u << DNET_PEER_HOST | 1u << DNET_PEER_LAN | 1u << DNET_PEER_INTERNET;
	case PEER_OUTSIDE:
		return 1u << DNET_PEER_OUTSIDE | 1u << DNET_PEER_LAN | 1u << DNET_PEER_INTERNET;
	case PEER_HOST:
		return 1u << DNET_PEER_HOST;
	case PEER_LAN:
		return 1u << DNET_PEER_LAN;
	case PEER_INTERNET:
		return 1u << DNET_PEER_INTERNET;
	case PEER_GROUP:
		return 1u << DNET_PEER_GROUP;
	default:
		return 0;
	}
}

/* What the kernel has to look up for a peer. Prefixes are counted when they are entered. */
static uint32_t peer_flags(const struct peer *peer)
{
	switch (peer->kind) {
	case PEER_LAN:
	case PEER_INTERNET:
		return DNET_RULESET_HAS_SCOPES;
	case PEER_PROJECT:
	case PEER_CONTAINER:
	case PEER_SERVICE:
	case PEER_NETWORK:
	case PEER_LABEL:
		return DNET_RULESET_HAS_ENDPOINTS;
	case PEER_SET:
		return DNET_RULESET_HAS_SETS;
	case PEER_COUNTRY:
		return DNET_RULESET_HAS_COUNTRIES;
	case PEER_INTERFACE:
		return DNET_RULESET_HAS_INTERFACES;
	default:
		return 0;
	}
}

static int add_class_rows(struct arena *arena, const struct ruleset *source, struct dnet_ruleset *target, struct error *error)
{
	uint64_t bits[DNET_PEER_CLASSES][DNET_ROW_WORDS] = {};

	for (size_t i = 0; i < source->count; i++) {
		const struct rule *rule = source->rules[i].rule;
		unsigned int classes = 0;

		for (size_t j = 0; j < rule->peer_count; j++) {
			classes |= peer_classes(&rule->peers[j]);
			target->flags |= peer_flags(&rule->peers[j]);
		}
		for (int class = 0; class < DNET_PEER_CLASSES; class++)
			if (classes >> class & 1)
				bit_set(bits[class], i);
	}
	for (int class = 0; class < DNET_PEER_CLASSES; class++) {
		int r = arena_row(arena, bits[class], source->words, &target->class_row[class], error);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- prefixes */

struct entry {
	struct dnet_addr addr;
	uint16_t prefix_len;
	uint16_t rule;
	bool v4;
};
#define NO_RULE UINT16_MAX

struct entries {
	struct entry *items;
	size_t count, room;
};

static void entries_clear(struct entries *entries)
{
	free(entries->items);
}

static int entry_add(struct entries *entries, const struct dnet_addr *addr, unsigned int prefix_len, size_t rule)
{
	if (array_grow((void **)&entries->items, &entries->room, entries->count, sizeof(*entries->items)) < 0)
		return -ENOMEM;
	entries->items[entries->count++] = (struct entry){
		.addr = *addr, .prefix_len = (uint16_t)prefix_len, .rule = (uint16_t)rule, .v4 = prefix_is_v4(addr, prefix_len),
	};
	return 0;
}

static int gather_peer(const struct ruleset *source, const struct peer *peer, size_t rule, struct entries *entries)
{
	int r = 0;

	switch (peer->kind) {
	case PEER_PREFIX:
		return entry_add(entries, &peer->prefix, peer->prefix_len, rule);
	case PEER_METADATA:
		for (const struct prefix *prefix = metadata_prefixes; prefix->prefix_len && r == 0; prefix++)
			r = entry_add(entries, &prefix->addr, prefix->prefix_len, rule);
		return r;
	case PEER_DNS:
		for (size_t i = 0; i < source->resolver_count && r == 0; i++)
			if (resolver_on_wire(&source->resolvers[i]))
				r = entry_add(entries, &source->resolvers[i], 128, rule);
		return r;
	default:
		return 0;
	}
}

static int gather_prefixes(const struct ruleset *source, struct entries *entries)
{
	bool short_v6 = false;

	for (size_t i = 0; i < source->count; i++)
		for (size_t j = 0; j < source->rules[i].rule->peer_count; j++)
			if (gather_peer(source, &source->rules[i].rule->peers[j], i, entries) < 0)
				return -ENOMEM;
	for (size_t i = 0; i < entries->count && !short_v6; i++)
		short_v6 = entries->items[i].prefix_len < DNET_V4_PREFIX_OFFSET &&
			   addr_in_prefix(&all_v4, &entries->items[i].addr, entries->items[i].prefix_len);
	/* Without this entry an IPv4 address would find ::/0 as its longest prefix. */
	return short_v6 ? entry_add(entries, &all_v4, DNET_V4_PREFIX_OFFSET, NO_RULE) : 0;
}

/* Families apart, then what covers before what is covered. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order;

	if (x->v4 != y->v4)
		return x->v4 ? -1 : 1;
	order = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	return order ? order : x->prefix_len - y->prefix_len;
}

static int add_prefix(struct arena *arena, const struct ruleset *source, const struct entry *entry, const uint64_t *bits,
		      struct error *error)
{
	uint32_t row;
	int r = arena_row(arena, bits, source->words, &row, error);

	if (r < 0)
		return r;
	if (arena->prefix_count >= DNET_MAX_PREFIX_ROWS)
		return arena_full(error, "address prefixes", DNET_MAX_PREFIX_ROWS);
	if (array_grow((void **)&arena->prefixes, &arena->prefix_room, arena->prefix_count, sizeof(*arena->prefixes)) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	arena->prefixes[arena->prefix_count++] = (struct compiled_prefix){
		.ruleset = (uint32_t)arena->ruleset_count, .addr = entry->addr, .prefix_len = entry->prefix_len, .row = row,
	};
	return 0;
}

/*
 * The longest prefix that matches must bring the rules of all that do. In their order, the prefixes that cover an entry are
 * those on a stack, each with the rules of those below it.
 */
static int add_prefixes(struct arena *arena, struct ruleset *source, struct dnet_ruleset *target, struct error *error)
{
	_cleanup_(entries_clear) struct entries entries = {};
	struct {
		const struct entry *entry;
		uint64_t bits[DNET_ROW_WORDS];
	} stack[130];	/* one for each length, and an end */
	size_t depth = 0;

	if (gather_prefixes(source, &entries) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	source->first_prefix = arena->prefix_count;
	if (!entries.count)
		return 0;
	qsort(entries.items, entries.count, sizeof(*entries.items), compare_entries);
	for (size_t i = 0; i < entries.count;) {
		const struct entry *entry = &entries.items[i];
		int r;

		while (depth && !prefix_covers(&stack[depth - 1].entry->addr, stack[depth - 1].entry->prefix_len, &entry->addr, entry->prefix_len))
			depth--;
		stack[depth].entry = entry;
		if (depth)
			memcpy(stack[depth].bits, stack[depth - 1].bits, source->words * sizeof(uint64_t));
		else
			memset(stack[depth].bits, 0, source->words * sizeof(uint64_t));
		for (; i < entries.count && compare_entries(entry, &entries.items[i]) == 0; i++)
			if (entries.items[i].rule != NO_RULE)
				bit_set(stack[depth].bits, entries.items[i].rule);
		r = add_prefix(arena, source, entry, stack[depth].bits, error);
		if (r < 0)
			return r;
		depth++;
	}
	source->prefix_count = arena->prefix_count - source->first_prefix;
	target->flags |= DNET_RULESET_HAS_PREFIXES;
	return 0;
}

/* --- limits */

/* Those of all rules, one after the other. */
static int add_limits(struct arena *arena, struct ruleset *source, struct error *error)
{
	size_t count = 0;

	for (size_t i = 0; i < source->count; i++)
		count += source->rules[i].rule->limit_count;
	if (arena->limit_count + count > DNET_MAX_LIMITS)
		return arena_full(error, "limits of rules", DNET_MAX_LIMITS - 1);
	if (array_grow((void **)&arena->limits, &arena->limit_room, arena->limit_count + count, sizeof(*arena->limits)) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < source->count; i++) {
		const struct listed_rule *listed = &source->rules[i];

		source->bans = source->bans || rule_bans(listed->rule);
		for (size_t j = 0; j < listed->rule->limit_count; j++) {
			const struct limit *limit = &listed->rule->limits[j];
			struct dnet_limit *target = &arena->limits[arena->limit_count];
			uint32_t id = arena->limit(arena->context, listed->policy, listed->rule, limit);

			if (!id)
				return error_set(error, -ENOSPC, "out of memory, or of ids for limits");
			limit_compile(listed->rule, limit, id, target);
			target->rule_counter = arena->counter(arena->context, listed->policy, listed->rule);
			target->layer = (uint8_t)source->layer;
			arena->limit_count++;
		}
	}
	return 0;
}

/* --- the whole */

/* Local id 0 means "not governed", and limit 0 is none. */
static int arena_begin(struct arena *arena)
{
	if (arena->ruleset_count)
		return 0;
	if (array_grow((void **)&arena->rulesets, &arena->ruleset_room, 0, sizeof(*arena->rulesets)) < 0 ||
	    array_grow((void **)&arena->sources, &arena->source_room, 0, sizeof(*arena->sources)) < 0 ||
	    array_grow((void **)&arena->limits, &arena->limit_room, 0, sizeof(*arena->limits)) < 0)
		return -ENOMEM;
	memset(&arena->rulesets[0], 0, sizeof(arena->rulesets[0]));
	memset(&arena->sources[0], 0, sizeof(arena->sources[0]));
	memset(&arena->limits[0], 0, sizeof(arena->limits[0]));
	arena->ruleset_count = 1;
	arena->limit_count = 1;
	return 0;
}

static int check_share(const struct arena *arena, const struct arena *before, struct error *error)
{
	const struct {
		size_t taken, most;
		const char *what;
	} shares[] = {
		{ arena->bound_count - before->bound_count, DNET_MAX_BOUNDS / RULESET_LABEL_SHARE, "boundaries of ports" },
		{ arena->row_words - before->row_words, DNET_MAX_ROW_WORDS / RULESET_LABEL_SHARE, "words of rule bitmaps" },
		{ arena->prefix_count - before->prefix_count, DNET_MAX_PREFIX_ROWS / RULESET_LABEL_SHARE, "address prefixes" },
		{ arena->limit_count - before->limit_count, DNET_MAX_LIMITS / RULESET_LABEL_SHARE, "limits" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
		if (shares[i].taken > shares[i].most)
			return error_set(error, -E2BIG, "its labels need more than %zu %s, which is the limit for one container's; use fewer or "
					 "shorter rules", shares[i].most, shares[i].what);
	return 0;
}

static int add_tables(struct arena *arena, struct ruleset *source, struct dnet_ruleset *target, struct error *error)
{
	struct arena before = *arena;
	int r;

	r = add_bounds(arena, source, target, error);
	if (r == 0)
		r = add_class_rows(arena, source, target, error);
	if (r == 0)
		r = add_prefixes(arena, source, target, error);
	if (r == 0)
		r = add_limits(arena, source, error);
	if (r == 0 && source->of_labels)
		r = check_share(arena, &before, error);
	if (r == 0 && (array_grow((void **)&arena->sources, &arena->source_room, arena->ruleset_count, sizeof(*arena->sources)) < 0 ||
		       array_grow((void **)&arena->rulesets, &arena->ruleset_room, arena->ruleset_count, sizeof(*arena->rulesets)) < 0 ||
		       array_grow((void **)&arena->rules, &arena->rule_room, arena->rule_count + source->count, sizeof(*arena->rules)) < 0))
		r = error_set(error, -ENOMEM, "out of memory");
	if (r < 0)
		arena_rewind(arena, &before);
	return r;
}

int arena_add_ruleset(struct arena *arena, struct ruleset *source, uint32_t *ret_local, struct error *error)
{
	struct dnet_ruleset target = { .rule_count = (uint32_t)source->count };
	size_t limit;
	int r;

	if (source->count > DNET_MAX_RULES)
		return error_set(error, -E2BIG, "the policies need %zu rules in one list, and %d is the limit; use fewer rules", source->count,
				 DNET_MAX_RULES);
	if (arena_begin(arena) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	if (arena->ruleset_count >= DNET_MAX_RULESETS)
		return arena_full(error, "lists of rules", DNET_MAX_RULESETS - 1);
	if (arena->rule_count + source->count > DNET_MAX_RULE_ENTRIES)
		return arena_full(error, "rules in all lists", DNET_MAX_RULE_ENTRIES);
	source->words = source->count > 64 ? (uint32_t)((source->count + 63) / 64) : 1;
	target.words = source->words;
	target.rule_base = (uint32_t)(arena->index * DNET_MAX_RULE_ENTRIES + arena->rule_count);
	limit = arena->limit_count;
	r = add_tables(arena, source, &target, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < source->count; i++) {
		const struct rule *rule = source->rules[i].rule;

		arena->rules[arena->rule_count++] = (struct dnet_rule){
			.action = rule->action,
			.counter = arena->counter(arena->context, source->rules[i].policy, rule),
			.limit_base = rule->limit_count ? (uint32_t)(arena->index * DNET_MAX_LIMITS + limit) : 0,
			.limit_count = (uint32_t)rule->limit_count,
		};
		limit += rule->limit_count;
	}
	*ret_local = (uint32_t)arena->ruleset_count;
	arena->rulesets[arena->ruleset_count] = target;
	arena->sources[arena->ruleset_count] = *source;
	arena->ruleset_count++;
	memset(source, 0, sizeof(*source));
	return 0;
}
