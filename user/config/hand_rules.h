/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rules by hand: a policy file of its own, which this program alone writes. Each rule is a policy "by-hand-N" that selects one
 * container, with `override: true` and, if it is for a time, `until`. The newest comes first, so that it wins. What somebody else wrote
 * into the file is an error and never overwritten. Writes are atomic; one writer at a time is the caller's business.
 */
#ifndef DNETBPF_CONFIG_HAND_RULES_H
#define DNETBPF_CONFIG_HAND_RULES_H

#include <stdint.h>

#include <dnetbpf/direction.h>

#include "base/error.h"

#define HAND_RULES_FILE	"by-hand.yaml"
#define HAND_RULES_MAX	512	/* in all */

/*
 * @rule: the whole text, as in "allow 80/tcp from any". @until_unix_ns: 0 for ever. A rule that the container has already becomes the newest
 * and gets the new time. *ret_name (may be NULL) is the policy's name, owned by the caller. The folder of @path must exist.
 */
int hand_rules_add(const char *path, const char *container, enum dnet_direction direction, const char *rule, uint64_t until_unix_ns,
		   char **ret_name, struct error *error);
/* @rule: its text, or the name that hand_rules_add() gave. -ENOENT with a sentence when @container has no such rule. */
int hand_rules_remove(const char *path, const char *container, const char *rule, struct error *error);
/* Remove what is over at @now_unix_ns. Returns how many that were, or a negative errno. No file is no rules. */
int hand_rules_expire(const char *path, uint64_t now_unix_ns, struct error *error);

#endif
