/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdio.h>

#include "geo/private.h"

static addr_number last_address(enum dnet_set_family family)
{
	return family == DNET_SET_V4 ? UINT32_MAX : ~(addr_number)0;
}

int geo_builder_begin(struct geo_builder *builder, enum dnet_set_family family, size_t most, bool *met)
{
	*builder = (struct geo_builder){ .met = met };
	/* Each range may have a gap before it, and the last one behind it. */
	return range_writer_begin(&builder->writer, family, most > DNET_MAX_SET_RANGES ? DNET_MAX_SET_RANGES : most * 2 + 1);
}

int geo_builder_add(struct geo_builder *builder, addr_number first, addr_number last, uint32_t country)
{
	int r = 0;

	if (first > builder->next)
		r = range_writer_add(&builder->writer, builder->next, COUNTRY_UNKNOWN);
	if (r == 0)
		r = range_writer_add(&builder->writer, first, country);
	if (r < 0)
		return r;
	builder->next = last + 1;
	builder->full = last == last_address(builder->writer.family);
	builder->known += country != COUNTRY_UNKNOWN;
	builder->met[country] = true;
	return 0;
}

int geo_builder_finish(struct geo_builder *builder, struct range_table *ret)
{
	int r = builder->full ? 0 : range_writer_add(&builder->writer, builder->next, COUNTRY_UNKNOWN);

	return r < 0 ? r : range_writer_finish(&builder->writer, ret);
}

void geo_builder_clear(struct geo_builder *builder)
{
	range_writer_clear(&builder->writer);
}

int geo_builder_error(int code, const char *file, struct error *error)
{
	char sentence[128];

	snprintf(sentence, sizeof(sentence), code == -ENOSPC ? "more than %d ranges of addresses in one family, which is the limit" :
		 "out of memory", DNET_MAX_SET_RANGES);
	return error_set_place(error, code, file, 0, 0, 0, sentence);
}

bool country_is(const char *letters, size_t length)
{
	return length == 2 && letters[0] >= 'A' && letters[0] <= 'Z' && letters[1] >= 'A' && letters[1] <= 'Z';
}

const char *country_text(uint32_t country, char *buffer)
{
	buffer[0] = country ? (char)(country >> 8) : '?';
	buffer[1] = country ? (char)country : '?';
	buffer[2] = '\0';
	return buffer;
}
