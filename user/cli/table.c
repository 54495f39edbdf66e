/* SPDX-License-Identifier: GPL-2.0 */
#include "cli/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"

#define GAP 2		/* between columns */
#define LEAST 8		/* a column is not cut below this */

struct table {
	size_t columns, rows;
	bool *right;
	char **cells;	/* rows of columns; row 0 has the titles */
};

/* Characters, not bytes. Wide characters count as one: a service name in Chinese shifts its row, and nothing else. */
static unsigned int width_of(const char *text)
{
	unsigned int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static int add_cells(struct table *table, const char *const *cells, bool titles)
{
	char **bigger = reallocarray(table->cells, (table->rows + 1) * table->columns, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	table->cells = bigger;
	bigger += table->rows * table->columns;
	for (size_t i = 0; i < table->columns; i++) {
		size_t size;

		table->right[i] = titles ? cells[i][0] == '>' : table->right[i];
		size = strlen(cells[i]) + 1;
		bigger[i] = malloc(size);
		if (!bigger[i]) {
			while (i--)
				free(bigger[i]);
			return -ENOMEM;
		}
		printable_copy(cells[i] + (titles && table->right[i]), bigger[i], size);
	}
	table->rows++;
	return 0;
}

int table_new(const char *const *titles, size_t columns, struct table **ret)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table || !(table->right = calloc(columns, sizeof(*table->right)))) {
		free(table);
		return -ENOMEM;
	}
	table->columns = columns;
	if (add_cells(table, titles, true) < 0) {
		table_free(table);
		return -ENOMEM;
	}
	*ret = table;
	return 0;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->rows * table->columns; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->right);
	free(table);
}

int table_row(struct table *table, const char *const *cells)
{
	return add_cells(table, cells, false);
}

/* Take columns from the widest text column until the table fits or nothing can be taken. */
static void shrink(const struct table *table, unsigned int *widths, unsigned int width)
{
	for (;;) {
		unsigned int total = (unsigned int)(table->columns - 1) * GAP;
		size_t widest = table->columns;

		for (size_t i = 0; i < table->columns; i++) {
			total += widths[i];
			if (!table->right[i] && widths[i] > LEAST && (widest == table->columns || widths[i] > widths[widest]))
				widest = i;
		}
		if (total <= width || widest == table->columns)
			return;
		widths[widest]--;
	}
}

static void print_cell(const struct table *table, FILE *out, const char *cell, size_t column, unsigned int width)
{
	unsigned int used = width_of(cell);
	bool last = column + 1 == table->columns;

	if (table->right[column])
		fprintf(out, "%*s", used < width ? (int)(width - used) : 0, "");
	if (used <= width) {
		fputs(cell, out);
	} else {
		/* The last place says that something is missing. */
		for (unsigned int left = width - 1; left; left--) {
			size_t length = printable_sequence(cell);

			fwrite(cell, 1, length, out);
			cell += length;
		}
		fputs("…", out);
		used = width;
	}
	if (!last)
		fprintf(out, "%*s", (int)(table->right[column] ? GAP : width - used + GAP), "");
}

void table_print(const struct table *table, FILE *out, unsigned int width)
{
	unsigned int *widths = calloc(table->columns, sizeof(*widths));

	if (!widths)
		return;
	for (size_t i = 0; i < table->rows * table->columns; i++) {
		unsigned int cell = width_of(table->cells[i]);

		if (cell > widths[i % table->columns])
			widths[i % table->columns] = cell;
	}
	if (width)
		shrink(table, widths, width);
	for (size_t row = 0; row < table->rows; row++) {
		for (size_t i = 0; i < table->columns; i++)
			print_cell(table, out, table->cells[row * table->columns + i], i, widths[i]);
		fputc('\n', out);
	}
	free(widths);
}
