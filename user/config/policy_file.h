/* SPDX-License-Identifier: GPL-2.0 */
/* The policy file (YAML), the files that it includes, and the files of its sets. */
#ifndef DNETBPF_CONFIG_POLICY_FILE_H
#define DNETBPF_CONFIG_POLICY_FILE_H

#include "base/error.h"
#include "config/diagnostics.h"
#include "model/policy.h"

/* What is in force when there is no file: nothing is selected, everything unselected passes. */
void policy_set_default(struct policy_set *ret);

/*
 * Read and parse @path and what it names. -ENOENT when there is no such file, -EINVAL when it, or a file that it names, cannot be
 * read or understood; the sentence begins with "FILE:LINE:COLUMN: ". On error *ret is untouched. With @diagnostics (NULL: none) the
 * reading goes on after an error and all of them are there, warnings too, sorted and with their source lines; *error is the first.
 */
int policy_file_load(const char *path, struct policy_set *ret, struct diagnostics *diagnostics, struct error *error);
/* The same from memory; @name stands for the path in messages, and relative paths in the text begin in its folder. */
int policy_file_parse(const char *name, const char *text, size_t length, struct policy_set *ret, struct diagnostics *diagnostics,
		      struct error *error);

/*
 * Read @path as if the file of @set had included it; nothing happens if it did. On error @set is as it was; -ENOENT (which sets
 * no diagnostic) when there is no such file.
 */
int policy_file_add(const char *path, struct policy_set *set, struct diagnostics *diagnostics, struct error *error);

/*
 * Read the file of a set: prefixes, prefix_count and bad_lines of @set are replaced, on success only. One prefix a line; "#" and ";"
 * begin comments; lines of `ipset save` are understood. Lines that are no prefixes are counted, and warnings in @diagnostics.
 */
int policy_file_load_set(const char *path, struct prefix_set *set, struct diagnostics *diagnostics, struct error *error);

#endif
