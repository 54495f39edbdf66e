/* SPDX-License-Identifier: GPL-2.0 */
/* A part of a text: what parsers work with. Pure. */
#ifndef DNETBPF_BASE_WORD_H
#define DNETBPF_BASE_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed and not terminated. Even an empty word stands somewhere. */
struct word {
	const char *begin;
	size_t length;
};

struct word word_of(const char *text);
bool word_is(struct word word, const char *text);
bool word_begins(struct word word, const char *text);
/* The part of @word after its first @skip bytes. */
struct word word_after(struct word word, size_t skip);
/* The part of @word before the first @stop; all of it when there is none. */
struct word word_until(struct word word, char stop);
/* The first character of @word. */
struct word word_first(struct word word);
/* Terminated; NULL without memory. */
char *word_copy(struct word word);

/* Decimal digits only; a value beyond @most (which is below UINT64_MAX / 16) counts as @most + 1. False: not a number. */
bool word_number(struct word word, uint64_t most, uint64_t *ret);

#define WORD_DURATION_MAX_DAYS 3650
/* "30s", "10m", "2h", "7d" as nanoseconds. 0, -EINVAL (not a duration), -ERANGE (nothing, or more than the maximum). */
int word_duration(struct word word, uint64_t *ret_ns);

/* For messages: cut to a readable length, unprintable bytes as '?' (labels are other people's text). */
struct printed {
	char text[48];
};
struct printed word_print(struct word word);

#endif
