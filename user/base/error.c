/* SPDX-License-Identifier: GPL-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return code;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	error->line = error->column = error->length = 0;
	error->sentence = 0;
	return code;
}

int error_prefix(struct error *error, int code, const char *format, ...)
{
	struct error old;
	va_list arguments;
	int n;

	if (!error)
		return code;
	old = *error;
	va_start(arguments, format);
	n = vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	/* The text is another one now, and begins with no place. */
	error->line = error->column = error->length = 0;
	error->sentence = 0;
	if (n >= 0 && (size_t)n < sizeof(error->text)) {
		/* What does not fit is cut, knowingly: the prefix says where, which matters more than the last words. */
		n = snprintf(error->text + n, sizeof(error->text) - n, ": %.700s", old.text);
	}
	return code;
}

int error_set_place(struct error *error, int code, const char *file, unsigned int line, unsigned int column, unsigned int length,
		    const char *sentence)
{
	int n;

	if (!error)
		return code;
	if (line)
		n = snprintf(error->text, sizeof(error->text), "%.400s:%u:%u: ", file, line, column);
	else if (column)
		n = snprintf(error->text, sizeof(error->text), "%.400s, column %u: ", file, column);
	else
		n = snprintf(error->text, sizeof(error->text), "%.400s: ", file);
	snprintf(error->text + n, sizeof(error->text) - (size_t)n, "%s", sentence);
	error->sentence = (size_t)n;
	error->line = line;
	error->column = column;
	error->length = length;
	return code;
}
