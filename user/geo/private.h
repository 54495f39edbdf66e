/* SPDX-License-Identifier: GPL-2.0 */
/* Inside geo/: from the formats to the tables. */
#ifndef DNETBPF_GEO_PRIVATE_H
#define DNETBPF_GEO_PRIVATE_H

#include "base/error.h"
#include "compile/range_table.h"
#include "geo/geo.h"

#define COUNTRY_UNKNOWN 0
#define COUNTRY_NUMBERS 65536

/* The table of a family while ranges come in, in the order of their addresses. What lies between them is unknown. */
struct geo_builder {
	struct range_writer writer;
	addr_number next;	/* behind the last range */
	bool full;		/* there is nothing behind it */
	size_t known;		/* ranges with a country */
	bool *met;		/* by number: which countries were met; borrowed, COUNTRY_NUMBERS of them */
};

/* @most: how many ranges will be added, at most. 0 or -ENOMEM. */
int geo_builder_begin(struct geo_builder *builder, enum dnet_set_family family, size_t most, bool *met);
/* Does a range that begins with @first come behind those that are there? */
static inline bool geo_builder_in_order(const struct geo_builder *builder, addr_number first)
{
	return !builder->full && first >= builder->next;
}
/* @first and @last are in order. 0 or -ENOSPC. */
int geo_builder_add(struct geo_builder *builder, addr_number first, addr_number last, uint32_t country);
/* 0, -ENOMEM or -ENOSPC. */
int geo_builder_finish(struct geo_builder *builder, struct range_table *ret);
void geo_builder_clear(struct geo_builder *builder);
/* Sets the sentence for what these return. */
int geo_builder_error(int code, const char *file, struct error *error);

/* Two capital letters. */
bool country_is(const char *letters, size_t length);

/* A range file. @name stands for it in messages. *ret_built: as the file says in a comment "Generated:", else 0. */
int range_file_parse(const char *name, const char *text, size_t length, enum dnet_set_family family, bool *met,
		     struct range_table *ret, uint64_t *ret_built, struct error *error);

/* Does this look like an .mmdb? */
bool mmdb_is(const char *data, size_t length);
/* Both families of one. *ret_type is owned by the caller. */
int mmdb_parse(const char *name, const char *data, size_t length, bool *met, struct range_table *ret, char **ret_type,
	       uint64_t *ret_built, struct error *error);

#endif
