/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that is to be said of a configuration: errors, for which it is refused, and warnings, each with the line that would fix it.
 * Readers that are given diagnostics go on after an error, so that a person sees all of them at once.
 */
#ifndef DNETBPF_CONFIG_DIAGNOSTICS_H
#define DNETBPF_CONFIG_DIAGNOSTICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

#define DIAGNOSTICS_MAX 200	/* more are counted, not kept */

enum diagnostic_kind { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING };

struct diagnostic {
	enum diagnostic_kind kind;
	char *file;		/* owned; as given, or "label dnetbpf.ingress of service web" */
	unsigned int line, column;	/* from 1, in bytes; 0: unknown */
	unsigned int length;	/* bytes that are meant, at least 1 */
	char *sentence;		/* owned; what is wrong and what to do, without the place */
	char *source;		/* owned; the line of the file, or NULL */
	char *fix;		/* owned; the line as it should be, or what to add; NULL: none */
	const char *name;	/* of a warning, e.g. "never-matches"; static; "" for errors */
};

struct diagnostics {
	struct diagnostic *items;	/* owned; in the order in which they were found */
	size_t count;
	size_t errors, warnings;	/* those that were not kept included */
};

void diagnostics_clear(struct diagnostics *diagnostics);
/* Take over what @error says (see base/error.h for its place), as an error. Without @diagnostics: nothing. */
void diagnostics_add_error(struct diagnostics *diagnostics, const struct error *error);
/* @fix may be NULL. */
void diagnostics_add_warning(struct diagnostics *diagnostics, const char *name, const char *file, unsigned int line,
			     unsigned int column, const char *fix, const char *format, ...) __attribute__((format(printf, 7, 8)));
/* Fill `source` of those of @file from its text. */
void diagnostics_quote(struct diagnostics *diagnostics, const char *file, const char *text, size_t length);
/* By file and line; then for people: "FILE:LINE:COLUMN: error: SENTENCE", the line, a caret below the place, "  fix: ...". */
void diagnostics_sort(struct diagnostics *diagnostics);
void diagnostics_print(const struct diagnostics *diagnostics, FILE *out);
/* An array of { kind, name, file, line, column, length, message, source, fix }. A new reference. */
json_t *diagnostics_to_json(const struct diagnostics *diagnostics);

#endif
