/* SPDX-License-Identifier: GPL-2.0 */
/* Explanations without a kernel: policies and an inventory from files, judged by the compiler's own tables. Pure, but for the database
 * of countries, which is read when a rule names one. */
#ifndef DNETBPF_EXPLAIN_OFFLINE_H
#define DNETBPF_EXPLAIN_OFFLINE_H

#include "explain/world.h"

struct explain_offline;

/*
 * Compile @policies for every interface of @inventory; both must outlive the result. @now_unix_ns: for `until`. The host has
 * the first address of every subnet, as Docker gives it, unless a container has that.
 */
int explain_offline_new(const struct policy_set *policies, const struct inventory *inventory, uint64_t now_unix_ns,
			struct explain_offline **ret, struct error *error);
/* The same from files. Errors begin with "FILE:LINE:COLUMN: ". */
int explain_offline_load(const char *policy_path, const char *inventory_path, uint64_t now_unix_ns, struct explain_offline **ret,
			 struct error *error);
void explain_offline_free(struct explain_offline *offline);
/* Lives as long as @offline. */
const struct explain_world *explain_offline_world(const struct explain_offline *offline);

#endif
