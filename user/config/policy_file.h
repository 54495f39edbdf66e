/* SPDX-License-Identifier: GPL-2.0 */
/* The policy file (YAML). */
#ifndef DNETBPF_CONFIG_POLICY_FILE_H
#define DNETBPF_CONFIG_POLICY_FILE_H

#include "base/error.h"
#include "model/policy.h"

/* What is in force when there is no file: nothing is selected, everything unselected passes. */
void policy_set_default(struct policy_set *ret);

/* Read and parse @path. -ENOENT when there is no such file, -EINVAL when it cannot be understood; the sentence begins
 * with "FILE:LINE:COLUMN: ". On error *ret is untouched. */
int policy_file_load(const char *path, struct policy_set *ret, struct error *error);
/* The same from memory; @name stands for the path in messages. */
int policy_file_parse(const char *name, const char *text, size_t length, struct policy_set *ret, struct error *error);

#endif
