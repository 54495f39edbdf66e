/* SPDX-License-Identifier: GPL-2.0 */
/* A sentence for a person that travels beside a negative errno: what is wrong, where, what to do. */
#ifndef DNETBPF_BASE_ERROR_H
#define DNETBPF_BASE_ERROR_H

#include <stddef.h>

struct error {
	char text[768];	/* always terminated; empty: no error was set */
	/* Where, for those that can say it (see error_set_place()); else 0. */
	unsigned int line, column, length;
	size_t sentence;	/* offset in the text behind "FILE:LINE:COLUMN: " */
};

/* Set the sentence and return @code (a negative errno) unchanged. @error may be NULL. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Put "PREFIX: " before the sentence. Returns @code. */
int error_prefix(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/*
 * Set "FILE:LINE:COLUMN: SENTENCE", or "FILE, column N: SENTENCE" when @line is 0, or "FILE: SENTENCE" when both are. @length: how
 * many bytes from there are meant, 0 if that is not known. The sentence is printed by the caller (it is not a format).
 */
int error_set_place(struct error *error, int code, const char *file, unsigned int line, unsigned int column, unsigned int length,
		    const char *sentence);

#endif
