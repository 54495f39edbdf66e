/* SPDX-License-Identifier: GPL-2.0 */
/* `policy check`: everything that is to be said of a file before it is in force. Reads files, and nothing else. */
#ifndef DNETBPF_CHECK_CHECK_H
#define DNETBPF_CHECK_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/diagnostics.h"
#include "model/inventory.h"

struct check_result {
	bool compose;		/* a compose file, whose dnetbpf labels were checked */
	size_t policies, rules, prefixes;	/* compose: services with dnetbpf labels, their rules */
	size_t kernel_bytes, user_bytes;	/* that the configuration takes, beside what the program always takes; with errors 0 */
};

/*
 * Check @path: a policy file with what it includes, or a compose file. @inventory (may be NULL): what the names are compared with.
 * Diagnostics are added, sorted and quoted. 0 also when there are errors among them; negative when the file cannot be opened.
 */
int check_file(const char *path, const struct inventory *inventory, struct diagnostics *diagnostics, struct check_result *ret,
	       struct error *error);

#endif
