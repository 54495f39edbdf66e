/* SPDX-License-Identifier: GPL-2.0 */
/* Text that containers and images may have written (names, labels, services), on its way to a terminal or a scraper. */
#ifndef DNETBPF_BASE_PRINTABLE_H
#define DNETBPF_BASE_PRINTABLE_H

#include <stddef.h>

/* Length of the well-formed UTF-8 sequence at @text (1 to 4), or 0 when there is none or the text ends. */
size_t printable_sequence(const char *text);
/* Copy @text as valid UTF-8 without control characters: what is not becomes '?'. A terminal then cannot be steered by a
 * label. Never cuts a character in two; returns @buffer, always terminated. */
const char *printable_copy(const char *text, char *buffer, size_t size);

#endif
