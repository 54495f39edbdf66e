/* SPDX-License-Identifier: GPL-2.0 */
/* A sentence for a person that travels beside a negative errno: what is wrong, where, what to do. */
#ifndef DNETBPF_BASE_ERROR_H
#define DNETBPF_BASE_ERROR_H

struct error {
	char text[768];	/* always terminated; empty: no error was set */
};

/* Set the sentence and return @code (a negative errno) unchanged. @error may be NULL. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Put "PREFIX: " before the sentence. Returns @code. */
int error_prefix(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
