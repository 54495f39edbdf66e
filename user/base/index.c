/* SPDX-License-Identifier: GPL-2.0 */
#include "base/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where the search for a key begins. A multiplication by an odd number spreads neighbouring keys (Knuth, TAOCP 3, 6.4). */
static size_t home(const struct index *index, uint64_t key)
{
	return (key * 0x9e3779b97f4a7c15ull >> 32) & (index->size - 1);
}

/* The key's slot, or the free one where it would be. */
static struct index_slot *find(const struct index *index, uint64_t key)
{
	size_t i = home(index, key);

	while (index->slots[i].value && index->slots[i].key != key)
		i = (i + 1) & (index->size - 1);
	return &index->slots[i];
}

static int grow(struct index *index)
{
	struct index larger = { .size = index->size ? index->size * 2 : 16, .count = index->count };

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < index->size; i++)
		if (index->slots[i].value)
			*find(&larger, index->slots[i].key) = index->slots[i];
	free(index->slots);
	*index = larger;
	return 0;
}

int index_set(struct index *index, uint64_t key, uintptr_t value)
{
	struct index_slot *slot;
	int r = 2 * index->count >= index->size ? grow(index) : 0;

	if (r < 0)
		return r;
	slot = find(index, key);
	index->count += !slot->value;
	*slot = (struct index_slot){ key, value };
	return 0;
}

uintptr_t index_get(const struct index *index, uint64_t key)
{
	return index->size ? find(index, key)->value : 0;
}

void index_remove(struct index *index, uint64_t key)
{
	struct index_slot *slot = index->size ? find(index, key) : NULL;
	size_t hole, i;

	if (!slot || !slot->value)
		return;
	index->count--;
	/* What stands behind it and would no longer be found across the hole moves up. */
	hole = slot - index->slots;
	for (i = (hole + 1) & (index->size - 1); index->slots[i].value; i = (i + 1) & (index->size - 1)) {
		size_t distance = (i - home(index, index->slots[i].key)) & (index->size - 1);

		if (distance < ((i - hole) & (index->size - 1)))
			continue;
		index->slots[hole] = index->slots[i];
		hole = i;
	}
	index->slots[hole].value = 0;
}

void index_clear(struct index *index)
{
	free(index->slots);
	memset(index, 0, sizeof(*index));
}
