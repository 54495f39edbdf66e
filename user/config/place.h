/* SPDX-License-Identifier: GPL-2.0 */
/* Words of a text that a person wrote, errors that point at them, and what may have been meant. Private to config/. */
#ifndef DNETBPF_CONFIG_PLACE_H
#define DNETBPF_CONFIG_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "model/policy.h"

/* A text and where it begins. All borrowed. */
struct place {
	const struct origin *origin;
	const char *text;
	bool fixed;	/* offsets in the text are no offsets in the file (folded or escaped YAML): point at its start */
	struct error *error;
};

/* A part of a place's text; not terminated. */
struct word {
	const char *begin;
	size_t length;
};

/* Set "FILE:LINE:COLUMN: SENTENCE", or "FILE, column N: SENTENCE" when the line is unknown, for the character @at of the
 * text. Returns -EINVAL. */
int place_error(const struct place *place, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Sets "out of memory"; returns -ENOMEM. */
int place_no_memory(const struct place *place);
/* The origin of the character @at. The file name is copied. 0 or -ENOMEM. */
int place_origin(const struct place *place, const char *at, struct origin *ret);

bool word_is(struct word word, const char *text);
bool word_begins(struct word word, const char *text);
/* The part of @word after its first @skip bytes. */
struct word word_after(struct word word, size_t skip);
char *word_copy(struct word word);

/* For messages: cut to a readable length, unprintable bytes as '?' (labels are other people's text). */
struct printed {
	char text[48];
};
struct printed word_print(struct word word);

/* Names of things: letters, digits, '_', '.' and '-'. Each returns the first character that does not belong, or NULL; an
 * empty name is its own first character. */
enum name_kind {
	NAME_EXACT,
	NAME_GLOB,	/* and '*', '?' */
	NAME_IMAGE,	/* and '/', ':', '@' */
	NAME_VALUE,	/* every printable character but space, comma, semicolon */
};
const char *name_check(struct word word, enum name_kind kind);
/* The same with a sentence: @what is "a container", "a policy", ... */
int name_require(const struct place *place, struct word word, enum name_kind kind, const char *what);

/* The candidate that is nearest to a word that nobody knows. */
struct suggestion {
	struct word word;
	const char *best;	/* borrowed; NULL: nothing is near */
	unsigned int distance;
	char text[64];
};
void suggest_begin(struct suggestion *suggestion, struct word word);
void suggest_offer(struct suggestion *suggestion, const char *candidate);
/* "; did you mean "X"?", or @otherwise when nothing is near. */
const char *suggest_end(struct suggestion *suggestion, const char *otherwise);

#endif
