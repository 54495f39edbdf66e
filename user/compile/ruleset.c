/* SPDX-License-Identifier: GPL-2.0 */
/* Equivalence classes and bitmaps: recursive flow classification, Gupta and McKeown, SIGCOMM 1999, with one phase. */
#include "compile/ruleset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

int array_grow(void **array, size_t *room, size_t count, size_t size)
{
	size_t wanted;
	void *grown;

	if (count < *room)
		return 0;
	wanted = *room ? *room * 2 : 64;
	while (wanted <= count)
		wanted *= 2;
	grown = realloc(*array, wanted * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = wanted;
	return 0;
}

void ruleset_clear(struct ruleset *ruleset)
{
	free(ruleset->key);
	free(ruleset->project);
	free(ruleset->rules);
	memset(ruleset, 0, sizeof(*ruleset));
}

void arena_clear(struct arena *arena)
{
	for (size_t i = 0; i < arena->ruleset_count; i++)
		ruleset_clear(&arena->sources[i]);
	free(arena->rulesets);
	free(arena->sources);
	free(arena->bounds);
	free(arena->rows);
	free(arena->rules);
	free(arena->prefixes);
	free(arena->row_index);
	free(arena->row_lengths);
	memset(arena, 0, sizeof(*arena));
}

static int full(struct error *error, const char *what, size_t bound)
{
	return error_set(error, -ENOSPC, "the policies need more than %zu %s, which is the limit; use fewer or shorter rules", bound, what);
}

static uint32_t row_hash(const uint64_t *row, uint32_t words)
{
	uint64_t hash = 0x9e3779b97f4a7c15ull * words;

	for (uint32_t i = 0; i < words; i++) {
		hash = (hash ^ row[i]) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
	}
	return (uint32_t)(hash >> 16);
}

static int index_grow(struct arena *arena)
{
	size_t size = arena->row_index_size ? arena->row_index_size * 2 : 256;
	uint32_t *index = calloc(size, sizeof(*index));
	uint8_t *lengths = calloc(size, 1);

	if (!index || !lengths) {
		free(index);
		free(lengths);
		return -ENOMEM;
	}
	for (size_t i = 0; i < arena->row_index_size; i++) {
		size_t at;

		if (!arena->row_lengths[i])
			continue;
		at = row_hash(arena->rows + arena->row_index[i], arena->row_lengths[i]) & (size - 1);
		while (lengths[at])
			at = (at + 1) & (size - 1);
		index[at] = arena->row_index[i];
		lengths[at] = arena->row_lengths[i];
	}
	free(arena->row_index);
	free(arena->row_lengths);
	arena->row_index = index;
	arena->row_lengths = lengths;
	arena->row_index_size = size;
	return 0;
}

int arena_row(struct arena *arena, const uint64_t *row, uint32_t words, uint32_t *ret_row, struct error *error)
{
	const uint32_t base = arena->index * DNET_MAX_ROW_WORDS;
	size_t at;

	if ((arena->row_index_used * 4 >= arena->row_index_size * 3 && index_grow(arena) < 0) ||
	    array_grow((void **)&arena->rows, &arena->row_room, arena->row_words + words, sizeof(uint64_t)) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	/* Word 0 is never given out: row 0 means "none" in the kernel. */
	if (!arena->row_words)
		arena->rows[arena->row_words++] = 0;
	at = row_hash(row, words) & (arena->row_index_size - 1);
	while (arena->row_lengths[at]) {
		if (arena->row_lengths[at] == words && memcmp(arena->rows + arena->row_index[at], row, words * sizeof(*row)) == 0) {
			*ret_row = base + arena->row_index[at];
			return 0;
		}
		at = (at + 1) & (arena->row_index_size - 1);
	}
	if (arena->row_words + words > DNET_MAX_ROW_WORDS)
		return full(error, "words of rule bitmaps", DNET_MAX_ROW_WORDS);
	memcpy(arena->rows + arena->row_words, row, words * sizeof(*row));
	arena->row_index[at] = (uint32_t)arena->row_words;
	arena->row_lengths[at] = (uint8_t)words;
	arena->row_index_used++;
	*ret_row = base + (uint32_t)arena->row_words;
	arena->row_words += words;
	return 0;
}

static void bit_set(uint64_t *row, size_t bit)
{
	row[bit / 64] |= 1ull << (bit % 64);
}

bool peer_names_endpoint(const struct peer *peer, const char *project, const struct compile_endpoint *endpoint)
{
	const struct container *container = endpoint->container;

	switch (peer->kind) {
	case PEER_CONTAINER:
		return text_glob_match(peer->name, container->name);
	case PEER_SERVICE:
		if (!container->service || !text_glob_match(peer->name, container->service))
			return false;
		if (peer->project)
			return text_glob_match(peer->project, container->project ? container->project : "");
		/* A bare service name means the rule owner's own project. */
		return strcmp(project ? project : "", container->project ? container->project : "") == 0;
	case PEER_NETWORK:
		return strcmp(peer->name, endpoint->network->name) == 0;
	default:
		return false;
	}
}

bool ruleset_names_endpoint(const struct ruleset *ruleset, const struct compile_endpoint *endpoint, uint64_t *bits)
{
	bool any = false;

	memset(bits, 0, ruleset->words * sizeof(*bits));
	for (size_t i = 0; i < ruleset->count; i++) {
		const struct rule *rule = ruleset->rules[i].rule;

		for (size_t j = 0; j < rule->peer_count; j++) {
			if (peer_names_endpoint(&rule->peers[j], ruleset->project, endpoint)) {
				bit_set(bits, i);
				any = true;
				break;
			}
		}
	}
	return any;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int add_bounds(struct arena *arena, const struct ruleset *source, struct dnet_ruleset *target, struct error *error)
{
	_cleanup_free_ uint32_t *points = NULL;
	size_t room = 1, count = 0, unique = 1;
	uint32_t last_row = 0;

	for (size_t i = 0; i < source->count; i++)
		room += source->rules[i].rule->match_count * 2;
	points = calloc(room, sizeof(*points));
	if (!points)
		return error_set(error, -ENOMEM, "out of memory");
	points[count++] = 0;
	for (size_t i = 0; i < source->count; i++) {
		const struct rule *rule = source->rules[i].rule;

		for (size_t j = 0; j < rule->match_count; j++) {
			points[count++] = rule->matches[j].first;
			if (rule->matches[j].last < DNET_SELECTOR_MAX)
				points[count++] = rule->matches[j].last + 1;
		}
	}
	qsort(points, count, sizeof(*points), compare_u32);
	for (size_t i = 1; i < count; i++)
		if (points[i] != points[unique - 1])
			points[unique++] = points[i];
	target->bound_base = (uint32_t)(arena->index * DNET_MAX_BOUNDS + arena->bound_count);
	for (size_t p = 0; p < unique; p++) {
		uint64_t bits[DNET_ROW_WORDS] = {};
		uint32_t row;
		int r;

		for (size_t i = 0; i < source->count; i++) {
			const struct rule *rule = source->rules[i].rule;

			for (size_t j = 0; j < rule->match_count; j++) {
				if (rule->matches[j].first <= points[p] && points[p] <= rule->matches[j].last) {
					bit_set(bits, i);
					break;
				}
			}
		}
		r = arena_row(arena, bits, source->words, &row, error);
		if (r < 0)
			return r;
		if (p && row == last_row)
			continue;
		if (arena->bound_count >= DNET_MAX_BOUNDS)
			return full(error, "boundaries of ports", DNET_MAX_BOUNDS);
		if (array_grow((void **)&arena->bounds, &arena->bound_room, arena->bound_count, sizeof(*arena->bounds)) < 0)
			return error_set(error, -ENOMEM, "out of memory");
		arena->bounds[arena->bound_count++] = (struct dnet_bound){ .first = points[p], .row = row };
		target->bound_count++;
		last_row = row;
	}
	return 0;
}

static int add_class_rows(struct arena *arena, const struct ruleset *source, struct dnet_ruleset *target, struct error *error)
{
	uint64_t bits[DNET_PEER_CLASSES][DNET_ROW_WORDS] = {};

	for (size_t i = 0; i < source->count; i++) {
		const struct rule *rule = source->rules[i].rule;

		for (size_t j = 0; j < rule->peer_count; j++) {
			switch (rule->peers[j].kind) {
			case PEER_ANY:
				for (int class = 0; class < DNET_PEER_CLASSES; class++)
					bit_set(bits[class], i);
				break;
			case PEER_OUTSIDE:
				bit_set(bits[DNET_PEER_OUTSIDE], i);
				break;
			case PEER_HOST:
				bit_set(bits[DNET_PEER_HOST], i);
				break;
			default:
				break;
			}
		}
	}
	for (int class = 0; class < DNET_PEER_CLASSES; class++) {
		int r = arena_row(arena, bits[class], source->words, &target->class_row[class], error);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool in_v4(const struct dnet_addr *addr, uint32_t prefix_len)
{
	return prefix_len >= DNET_V4_PREFIX_OFFSET && addr_is_v4(addr);
}

/* Does @outer cover @inner? An IPv6 prefix never covers IPv4 addresses, though ::/0 holds their mapped form. */
static bool covers(const struct peer *outer, const struct dnet_addr *inner, uint32_t inner_len)
{
	return outer->prefix_len <= inner_len && in_v4(&outer->prefix, outer->prefix_len) == in_v4(inner, inner_len) &&
	       addr_in_prefix(inner, &outer->prefix, outer->prefix_len);
}

static int add_prefix(struct arena *arena, const struct ruleset *source, size_t first, const struct dnet_addr *addr,
		      uint32_t prefix_len, struct error *error)
{
	uint64_t bits[DNET_ROW_WORDS] = {};
	uint32_t row;
	int r;

	for (size_t i = first; i < arena->prefix_count; i++)
		if (arena->prefixes[i].prefix_len == prefix_len && addr_equal(&arena->prefixes[i].addr, addr))
			return 0;
	for (size_t i = 0; i < source->count; i++) {
		const struct rule *rule = source->rules[i].rule;

		for (size_t j = 0; j < rule->peer_count; j++)
			if (rule->peers[j].kind == PEER_PREFIX && covers(&rule->peers[j], addr, prefix_len))
				bit_set(bits, i);
	}
	r = arena_row(arena, bits, source->words, &row, error);
	if (r < 0)
		return r;
	if (arena->prefix_count >= DNET_MAX_PREFIX_ROWS / DNET_ARENAS)
		return full(error, "address prefixes", DNET_MAX_PREFIX_ROWS / DNET_ARENAS);
	if (array_grow((void **)&arena->prefixes, &arena->prefix_room, arena->prefix_count, sizeof(*arena->prefixes)) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	arena->prefixes[arena->prefix_count++] = (struct compiled_prefix){
		.ruleset = (uint32_t)arena->ruleset_count, .addr = *addr, .prefix_len = prefix_len, .row = row,
	};
	return 0;
}

static int add_prefixes(struct arena *arena, const struct ruleset *source, struct dnet_ruleset *target, struct error *error)
{
	static const struct dnet_addr all_v4 = { .byte = { [10] = 0xff, [11] = 0xff } };
	size_t first = arena->prefix_count;
	bool short_v6 = false;
	int r;

	for (size_t i = 0; i < source->count; i++) {
		const struct rule *rule = source->rules[i].rule;

		for (size_t j = 0; j < rule->peer_count; j++) {
			const struct peer *peer = &rule->peers[j];

			if (peer->kind != PEER_PREFIX)
				continue;
			r = add_prefix(arena, source, first, &peer->prefix, peer->prefix_len, error);
			if (r < 0)
				return r;
			if (peer->prefix_len < DNET_V4_PREFIX_OFFSET && addr_in_prefix(&all_v4, &peer->prefix, peer->prefix_len))
				short_v6 = true;
		}
	}
	/* Without this entry an IPv4 address would find ::/0 as its longest prefix. */
	if (short_v6) {
		r = add_prefix(arena, source, first, &all_v4, DNET_V4_PREFIX_OFFSET, error);
		if (r < 0)
			return r;
	}
	if (arena->prefix_count > first)
		target->flags |= DNET_RULESET_HAS_PREFIXES;
	return 0;
}

int arena_add_ruleset(struct arena *arena, struct ruleset *source, uint32_t *ret_local, struct error *error)
{
	struct dnet_ruleset target = { .rule_count = (uint32_t)source->count };
	size_t prefixes_before = arena->prefix_count;
	int r;

	if (source->count > DNET_MAX_RULES)
		return full(error, "rules in one list", DNET_MAX_RULES);
	/* Local id 0 means "not governed". */
	if (!arena->ruleset_count) {
		size_t room = 0;

		if (array_grow((void **)&arena->rulesets, &arena->ruleset_room, 0, sizeof(*arena->rulesets)) < 0 ||
		    array_grow((void **)&arena->sources, &room, 0, sizeof(*arena->sources)) < 0)
			return error_set(error, -ENOMEM, "out of memory");
		memset(&arena->rulesets[0], 0, sizeof(arena->rulesets[0]));
		memset(&arena->sources[0], 0, sizeof(arena->sources[0]));
		arena->ruleset_count = 1;
	}
	if (arena->ruleset_count >= DNET_MAX_RULESETS)
		return full(error, "lists of rules", DNET_MAX_RULESETS);
	if (arena->rule_count + source->count > DNET_MAX_RULE_ENTRIES)
		return full(error, "rules in all lists", DNET_MAX_RULE_ENTRIES);
	source->words = source->count > 64 ? (uint32_t)((source->count + 63) / 64) : 1;
	target.words = source->words;
	target.rule_base = (uint32_t)(arena->index * DNET_MAX_RULE_ENTRIES + arena->rule_count);
	for (size_t i = 0; i < source->count; i++)
		for (size_t j = 0; j < source->rules[i].rule->peer_count; j++) {
			enum peer_kind kind = source->rules[i].rule->peers[j].kind;

			if (kind == PEER_CONTAINER || kind == PEER_SERVICE || kind == PEER_NETWORK)
				source->names_peers = true;
		}
	if (source->names_peers)
		target.flags |= DNET_RULESET_HAS_ENDPOINTS;
	r = add_bounds(arena, source, &target, error);
	if (r == 0)
		r = add_class_rows(arena, source, &target, error);
	if (r == 0)
		r = add_prefixes(arena, source, &target, error);
	if (r == 0) {
		size_t source_room = arena->ruleset_room, rules = arena->rule_count + source->count;

		if (array_grow((void **)&arena->sources, &source_room, arena->ruleset_count, sizeof(*arena->sources)) < 0 ||
		    array_grow((void **)&arena->rulesets, &arena->ruleset_room, arena->ruleset_count, sizeof(*arena->rulesets)) < 0 ||
		    array_grow((void **)&arena->rules, &arena->rule_room, rules, sizeof(*arena->rules)) < 0)
			r = error_set(error, -ENOMEM, "out of memory");
	}
	if (r < 0) {
		/* Rows and bounds without an owner stay behind, unused; prefixes would be entered, so they go. */
		arena->prefix_count = prefixes_before;
		return r;
	}
	for (size_t i = 0; i < source->count; i++)
		arena->rules[arena->rule_count++] = (struct dnet_rule){
			.action = source->rules[i].rule->action,
			.counter = arena->counter(arena->context, source->rules[i].policy, source->rules[i].rule),
		};
	*ret_local = (uint32_t)arena->ruleset_count;
	arena->rulesets[arena->ruleset_count] = target;
	arena->sources[arena->ruleset_count] = *source;
	arena->ruleset_count++;
	memset(source, 0, sizeof(*source));
	return 0;
}
