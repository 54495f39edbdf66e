/* SPDX-License-Identifier: GPL-2.0 */
#include "base/log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"

static int as_json;
static enum log_level threshold = LOG_LEVEL_INFO;

void log_set_json(int json)
{
	as_json = json;
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR: return "error";
	case LOG_LEVEL_WARNING: return "warning";
	case LOG_LEVEL_INFO: return "info";
	case LOG_LEVEL_DEBUG: return "debug";
	}
	return "info";
}

void log_message(enum log_level level, const char *format, ...)
{
	char text[2048];
	va_list arguments;

	if (level > threshold)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (as_json) {
		char time[TEXT_TIME_SIZE];
		json_t *object = json_pack("{s:s, s:s, s:s}", "time", text_time_now(time), "level", level_name(level),
					   "message", text);
		_cleanup_free_ char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;

		json_decref(object);
		if (line)
			fprintf(stderr, "%s\n", line);
		return;
	}
	/* journald reads the priority from "<N>"; a person at a terminal does not want to. */
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", level, text);
	else
		fprintf(stderr, "dnetbpf: %s%s\n", level == LOG_LEVEL_ERROR ? "error: " :
			level == LOG_LEVEL_WARNING ? "warning: " : "", text);
}
