/* SPDX-License-Identifier: GPL-2.0 */
/* Prefixes as text, and files of them. Private to config/. */
#ifndef DNETBPF_CONFIG_PREFIX_FILE_H
#define DNETBPF_CONFIG_PREFIX_FILE_H

#include "base/word.h"
#include "config/diagnostics.h"
#include "model/policy.h"

#define PREFIX_FILE_MAX_MIB	64
#define PREFIX_PROBLEM_SIZE	192

/* "ADDRESS" or "ADDRESS/LEN". -EINVAL with a sentence in @problem (PREFIX_PROBLEM_SIZE bytes). */
int prefix_parse(struct word word, struct prefix *ret, char *problem);
/* Sorted by address and length, and without equals. */
void prefixes_sort(struct prefix *prefixes, size_t *count);

/* See policy_file_load_set(). Only a regular file is read. */
int prefix_file_read(const char *path, struct prefix_set *set, struct diagnostics *diagnostics, struct error *error);
/* The same from memory; @path is for messages. */
int prefix_file_parse(const char *path, const char *text, size_t length, struct prefix_set *set, struct diagnostics *diagnostics,
		      struct error *error);

#endif
