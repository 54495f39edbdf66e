/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/ruleset.h"

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

int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
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
	free(arena->limits);
	free(arena->prefixes);
	free(arena->row_index);
	free(arena->row_lengths);
	memset(arena, 0, sizeof(*arena));
}

int arena_full(struct error *error, const char *what, size_t bound)
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

/* Enter the rows below @words into a table of @size places. */
static int index_rebuild(struct arena *arena, size_t size, size_t words)
{
	uint32_t *index = calloc(size, sizeof(*index));
	uint8_t *lengths = calloc(size, 1);

	if (!index || !lengths) {
		free(index);
		free(lengths);
		return -ENOMEM;
	}
	arena->row_index_used = 0;
	for (size_t i = 0; i < arena->row_index_size; i++) {
		size_t at;

		if (!arena->row_lengths[i] || arena->row_index[i] >= words)
			continue;
		at = row_hash(arena->rows + arena->row_index[i], arena->row_lengths[i]) & (size - 1);
		while (lengths[at])
			at = (at + 1) & (size - 1);
		index[at] = arena->row_index[i];
		lengths[at] = arena->row_lengths[i];
		arena->row_index_used++;
	}
	free(arena->row_index);
	free(arena->row_lengths);
	arena->row_index = index;
	arena->row_lengths = lengths;
	arena->row_index_size = size;
	return 0;
}

void arena_rewind(struct arena *arena, const struct arena *before)
{
	size_t words = before->row_words ? before->row_words : 1;	/* word 0 is never given out */

	arena->bound_count = before->bound_count;
	arena->prefix_count = before->prefix_count;
	arena->limit_count = before->limit_count;
	/* Without memory for the index the rows stay, without an owner, which does no harm. */
	if (arena->row_words > words && index_rebuild(arena, arena->row_index_size, words) == 0)
		arena->row_words = words;
}

int arena_row(struct arena *arena, const uint64_t *row, uint32_t words, uint32_t *ret_row, struct error *error)
{
	const uint32_t base = arena->index * DNET_MAX_ROW_WORDS;
	size_t at;

	if ((arena->row_index_used * 4 >= arena->row_index_size * 3 &&
	     index_rebuild(arena, arena->row_index_size ? arena->row_index_size * 2 : 256, arena->row_words) < 0) ||
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
		return arena_full(error, "words of rule bitmaps", DNET_MAX_ROW_WORDS);
	memcpy(arena->rows + arena->row_words, row, words * sizeof(*row));
	arena->row_index[at] = (uint32_t)arena->row_words;
	arena->row_lengths[at] = (uint8_t)words;
	arena->row_index_used++;
	*ret_row = base + (uint32_t)arena->row_words;
	arena->row_words += words;
	return 0;
}
