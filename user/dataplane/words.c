/* SPDX-License-Identifier: GPL-2.0 */
#include "dataplane/words.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

static char words[512];
static libbpf_print_fn_t printer;

static int collect(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char line[sizeof(words)];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	/* The first complaint names the cause; what follows only says who gave up because of it. */
	if (!words[0])
		snprintf(words, sizeof(words), "%s", line);
	return 0;
}

void words_begin(void)
{
	words[0] = '\0';
	printer = libbpf_set_print(collect);
}

const char *words_end(void)
{
	libbpf_set_print(printer);
	return words;
}
