/* SPDX-License-Identifier: GPL-2.0 */
/* Has anything changed in the files that a policy set was read from? */
#ifndef DNETBPF_DAEMON_FILES_H
#define DNETBPF_DAEMON_FILES_H

#include <stdint.h>

#include "model/policy.h"

/* Of the content of @file and @hand_path, which count even when they are not there, and of all files that @set was read from.
 * Never 0. *newest (ns since 1970) is raised to the last change of any of them. */
uint64_t files_hash(const char *file, const char *hand_path, const struct policy_set *set, uint64_t *newest);
/* Of the names in the folders that are included. */
uint64_t folders_hash(const struct policy_set *set);

#endif
