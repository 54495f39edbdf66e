/* SPDX-License-Identifier: GPL-2.0 */
/* Log lines of the daemon go to standard error, one a line, with a journald priority prefix when a service manager reads
 * them. Pure code returns errors and never logs; daemon/ and cli/ call this, and docker/ where an image claims what it must not. */
#ifndef DNETBPF_BASE_LOG_H
#define DNETBPF_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_set_json(int json);		/* lines as JSON objects: {"time","level","message"} */
void log_set_level(enum log_level level);	/* default LOG_LEVEL_INFO */
void log_message(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
