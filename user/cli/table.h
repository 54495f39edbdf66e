/* SPDX-License-Identifier: GPL-2.0 */
/* An aligned table for a person. Cells are made printable; they are cut only when the table is wider than @width. */
#ifndef DNETBPF_CLI_TABLE_H
#define DNETBPF_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table;

/* A title that begins with '>' is for a column of numbers: aligned to the right and never cut. */
int table_new(const char *const *titles, size_t columns, struct table **ret);
void table_free(struct table *table);
/* One row: as many cells as columns. -ENOMEM. */
int table_row(struct table *table, const char *const *cells);
/* @width: columns that there are, 0 for no limit. */
void table_print(const struct table *table, FILE *out, unsigned int width);

#endif
