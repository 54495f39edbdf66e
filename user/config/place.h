/* SPDX-License-Identifier: GPL-2.0 */
/* Where in a text that a person wrote an error is, and what names may look like. Private to config/. */
#ifndef DNETBPF_CONFIG_PLACE_H
#define DNETBPF_CONFIG_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/suggest.h"
#include "base/word.h"
#include "model/policy.h"

/* A text and where it begins. All borrowed. */
struct place {
	const struct origin *origin;
	const char *text;
	bool fixed;	/* offsets in the text are no offsets in the file (folded or escaped YAML): point at its start */
	struct error *error;
};

/* Set the sentence with the place of @word, a part of the place's text (see error_set_place()). Returns -EINVAL. */
int place_error(const struct place *place, struct word word, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Sets "out of memory"; returns -ENOMEM. */
int place_no_memory(const struct place *place);
/* The origin of the character @at. The file name is copied. 0 or -ENOMEM. */
int place_origin(const struct place *place, const char *at, struct origin *ret);

/* Names of things: letters, digits, '_', '.' and '-'. Each returns the first character that does not belong, or NULL; an
 * empty name is its own first character. */
enum name_kind {
	NAME_EXACT,
	NAME_GLOB,	/* and '*', '?' */
	NAME_IMAGE,	/* and '/', ':', '@' */
	NAME_VALUE,	/* every printable character but space, comma, semicolon */
	NAME_KEY,	/* the same without '*', '?' */
};
const char *name_check(struct word word, enum name_kind kind);
/* The same with a sentence: @what is "a container", "a policy", ... */
int name_require(const struct place *place, struct word word, enum name_kind kind, const char *what);

#endif
