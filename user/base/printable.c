/* SPDX-License-Identifier: GPL-2.0 */
#include "base/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

size_t printable_sequence(const char *text)
{
	const uint8_t *byte = (const uint8_t *)text;
	uint32_t code;
	size_t length;

	if (!byte[0])
		return 0;
	if (byte[0] < 0x80)
		return 1;
	if (byte[0] >= 0xc2 && byte[0] <= 0xdf)
		length = 2;
	else if (byte[0] >= 0xe0 && byte[0] <= 0xef)
		length = 3;
	else if (byte[0] >= 0xf0 && byte[0] <= 0xf4)
		length = 4;
	else
		return 0;
	code = byte[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3f);
	}
	/* RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
	if ((length == 3 && code < 0x800) || (length == 4 && code < 0x10000) || (code >= 0xd800 && code <= 0xdfff) ||
	    code > 0x10ffff)
		return 0;
	return length;
}

/* C0, DEL, and the C1 controls, which many terminals obey as well. */
static bool is_control(const char *text, size_t length)
{
	uint8_t first = (uint8_t)text[0], second = length == 2 ? (uint8_t)text[1] : 0;

	return first < 0x20 || first == 0x7f || (length == 2 && first == 0xc2 && second < 0xa0);
}

const char *printable_copy(const char *text, char *buffer, size_t size)
{
	size_t used = 0;

	if (!size)
		return buffer;
	while (*text) {
		size_t length = printable_sequence(text);
		bool bad = !length || is_control(text, length);
		size_t step = length ? length : 1;

		if (used + (bad ? 1 : step) >= size)
			break;
		if (bad) {
			buffer[used++] = '?';
		} else {
			memcpy(buffer + used, text, step);
			used += step;
		}
		text += step;
	}
	buffer[used] = '\0';
	return buffer;
}
