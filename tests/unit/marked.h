/* SPDX-License-Identifier: GPL-2.0 */
/* Test texts that show where an error belongs: the first '^' is taken out, and what stood behind it is the place. */
#ifndef TESTS_UNIT_MARKED_H
#define TESTS_UNIT_MARKED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct marked {
	char *text;	/* owned; in memory of exactly its size, so that reading beyond it is seen */
	unsigned int line, column;	/* from 1; 0 without a mark */
};

static inline struct marked marked_take(const char *text)
{
	const char *mark = strchr(text, '^');
	struct marked marked = { .text = strdup(text) };

	assert_non_null(marked.text);
	if (!mark)
		return marked;
	free(marked.text);
	marked.text = malloc(strlen(text));
	assert_non_null(marked.text);
	memcpy(marked.text, text, (size_t)(mark - text));
	strcpy(marked.text + (mark - text), mark + 1);
	marked.line = 1;
	marked.column = 1;
	for (const char *c = text; c < mark; c++) {
		marked.column++;
		if (*c == '\n') {
			marked.line++;
			marked.column = 1;
		}
	}
	return marked;
}

/* The sentence begins with "NAME:LINE:COLUMN: " and has @part in it. */
static inline void marked_check(const struct marked *marked, const char *name, const char *sentence, const char *part)
{
	char begin[64];

	snprintf(begin, sizeof(begin), "%s:%u:%u: ", name, marked->line, marked->column);
	if (strncmp(sentence, begin, strlen(begin)) != 0)
		fail_msg("for\n%s\nthe sentence begins not with \"%s\": %s", marked->text, begin, sentence);
	if (!strstr(sentence, part))
		fail_msg("for\n%s\n\"%s\" is not in: %s", marked->text, part, sentence);
}

#endif
