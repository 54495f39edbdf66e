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
	if (n >= 0 && (size_t)n < sizeof(error->text)) {
		/* What does not fit is cut, knowingly: the prefix says where, which matters more than the last words. */
		n = snprintf(error->text + n, sizeof(error->text) - n, ": %.700s", old.text);
	}
	return code;
}
