/* SPDX-License-Identifier: GPL-2.0 */
/* What is different between two policy sets, as words for a log line. Pure. */
#ifndef DNETBPF_DAEMON_CHANGES_H
#define DNETBPF_DAEMON_CHANGES_H

#include "model/policy.h"

/* "new: web, db; changed: api; gone: old", "" for none that has a name. Owned by the caller; NULL without memory. */
char *changes_between(const struct policy_set *before, const struct policy_set *after);

#endif
