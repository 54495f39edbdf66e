/* SPDX-License-Identifier: GPL-2.0 */
/* Which database of countries policies are judged by, and whether they can do without. */
#ifndef DNETBPF_GEO_NEED_H
#define DNETBPF_GEO_NEED_H

#include "geo/geo.h"
#include "model/policy.h"

/* What the policies name, or the default. Borrowed from @set. */
const char *geo_path(const struct policy_set *set);
/* The first rule that names a country, or NULL. *ret_country (may be NULL): which. */
const struct rule *geo_rule(const struct policy_set *set, const char **ret_country);
/*
 * The database of @set. One that is named must be good; the default must when a rule names a country: else -EINVAL (or -ENOMEM), and
 * a sentence that begins with the place of the key or of the rule. Otherwise *ret is NULL when the default is not there, or cannot be
 * read, which @error then says. Waits a moment for a file that is being written.
 */
int geo_load_for(const struct policy_set *set, struct geo **ret, struct error *error);

/* Do labels name a country? */
bool geo_in_labels(const struct label_policy *labels);
/* There is no table: labels that name a country become invalid. -EINVAL then. */
int geo_refuse_labels(struct label_policy *labels);

#endif
