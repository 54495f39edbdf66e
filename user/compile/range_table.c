/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/range_table.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

addr_number address_number(const struct dnet_addr *addr)
{
	uint64_t halves[2];

	memcpy(halves, addr->byte, sizeof(halves));
	return (addr_number)be64toh(halves[0]) << 64 | be64toh(halves[1]);
}

int range_writer_begin(struct range_writer *writer, enum dnet_set_family family, size_t most)
{
	if (most > DNET_MAX_SET_RANGES)
		most = DNET_MAX_SET_RANGES;
	/* Memory that is not touched costs nothing; what is left over is given back at the end. */
	*writer = (struct range_writer){ .family = family, .most = most,
					 .words = malloc(dnet_set_words(family, (uint32_t)most) * sizeof(uint64_t)) };
	if (!writer->words)
		return -ENOMEM;
	memset(writer->words, 0, DNET_SET_RANGES * sizeof(uint64_t));
	return 0;
}

int range_writer_add(struct range_writer *writer, addr_number first, uint32_t class)
{
	uint64_t *words = writer->words + dnet_set_words(writer->family, (uint32_t)writer->ranges);

	if (writer->ranges && writer->last_class == class)
		return 0;
	if (writer->ranges == writer->most)
		return -ENOSPC;
	writer->last_class = class;
	writer->ranges++;
	if (writer->family == DNET_SET_V4) {
		words[0] = (uint64_t)(uint32_t)first << 32 | class;
	} else {
		words[0] = (uint64_t)(first >> 64);
		words[1] = (uint64_t)first;
		words[2] = class;
	}
	return 0;
}

static addr_number range_first(const uint64_t *words, enum dnet_set_family family, size_t range)
{
	const uint64_t *at = words + dnet_set_words(family, (uint32_t)range);

	return family == DNET_SET_V4 ? at[0] >> 32 : (addr_number)at[0] << 64 | at[1];
}

/* For the top 16 bits of an address, the range that holds the first address with them. */
static void write_index(uint64_t *words, enum dnet_set_family family, size_t count)
{
	unsigned int shift = family == DNET_SET_V4 ? 16 : 112;
	size_t range = 0;

	for (uint32_t top = 0; top <= 65536; top++) {
		uint64_t value = count;

		if (top < 65536) {
			while (range + 1 < count && range_first(words, family, range + 1) <= (addr_number)top << shift)
				range++;
			value = range;
		}
		words[DNET_SET_INDEX + top / 2] |= value << (top % 2 * 32);
	}
}

int range_writer_finish(struct range_writer *writer, struct range_table *ret)
{
	size_t count = dnet_set_words(writer->family, (uint32_t)writer->ranges);
	uint64_t *words;

	writer->words[0] = writer->ranges;
	write_index(writer->words, writer->family, writer->ranges);
	words = realloc(writer->words, count * sizeof(*words));
	if (!words)
		return -ENOMEM;
	writer->words = NULL;
	*ret = (struct range_table){ .words = words, .count = count };
	return 0;
}

void range_writer_clear(struct range_writer *writer)
{
	free(writer->words);
	writer->words = NULL;
}

size_t range_table_ranges(const struct range_table *table)
{
	return table->words ? table->words[0] : 0;
}

uint32_t range_table_find(const struct range_table *table, enum dnet_set_family family, const struct dnet_addr *addr)
{
	const uint64_t *words = table->words;
	addr_number value = family == DNET_SET_V4 ? ntohl(addr->word_be[3]) : address_number(addr);
	uint32_t top = (uint32_t)(value >> (family == DNET_SET_V4 ? 16 : 112)), low, high;

	if (!words)
		return 0;
	low = (uint32_t)(words[DNET_SET_INDEX + top / 2] >> (top % 2 * 32));
	high = (uint32_t)(words[DNET_SET_INDEX + (top + 1) / 2] >> ((top + 1) % 2 * 32));

	/* The last range that does not begin behind the address. The one at @high may begin with these bits, too. */
	if (high >= words[0])
		high = (uint32_t)words[0] - 1;
	while (low < high) {
		uint32_t middle = high - (high - low) / 2;

		if (range_first(words, family, middle) <= value)
			low = middle;
		else
			high = middle - 1;
	}
	return family == DNET_SET_V4 ? (uint32_t)words[DNET_SET_RANGES + low] :
				       (uint32_t)words[DNET_SET_RANGES + low * DNET_SET_V6_WORDS + 2];
}

bool range_table_equal(const struct range_table *a, const struct range_table *b)
{
	return a->count == b->count && (!a->count || memcmp(a->words, b->words, a->count * sizeof(*a->words)) == 0);
}

void range_table_clear(struct range_table *table)
{
	free(table->words);
	*table = (struct range_table){ .words = NULL };
}
