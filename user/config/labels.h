/* SPDX-License-Identifier: GPL-2.0 */
/* A container's own policy, in its labels: dnetbpf.policy, dnetbpf.ingress, dnetbpf.egress, dnetbpf.mode. */
#ifndef DNETBPF_CONFIG_LABELS_H
#define DNETBPF_CONFIG_LABELS_H

#include "config/place.h"
#include "model/inventory.h"
#include "model/policy.h"

/*
 * Never fails: what cannot be read makes the result `invalid`, with a sentence that names the label and the column. An
 * unknown label under "dnetbpf." is invalid too: a typo must not open a container. @set (may be NULL): the policies
 * that dnetbpf.policy may name; an unknown name is invalid. Where it says `labels: ignore`, the container has none. The
 * caller clears the result.
 */
void label_policy_parse(const struct container *container, const struct policy_set *set, struct label_policy *ret);

/* Is this the name of one of our labels, right or wrong? */
bool label_policy_concerns(const char *key);
/* One label, whose value stands at @place: a compose file's. Adds to @labels, which the caller clears, on errors too. -EINVAL with the
 * place. */
int label_policy_read(const char *name, const struct place *place, const struct policy_set *set, struct label_policy *labels);

#endif
