/* SPDX-License-Identifier: GPL-2.0 */
/* One limit of a rule: as numbers for the kernel, and as text. Pure. */
#ifndef DNETBPF_COMPILE_LIMITS_H
#define DNETBPF_COMPILE_LIMITS_H

#include <dnetbpf/limit.h>

#include "model/policy.h"

/* Tokens of a bucket whose rule gives no burst: iptables' hashlimit has the same. */
#define LIMIT_BURST 5

/* @rule: whose it is. Its counter and its layer are the caller's to fill in. */
void limit_compile(const struct rule *rule, const struct limit *limit, uint32_t id, struct dnet_limit *ret);
/* Does the rule ban who exceeds one of its limits? */
bool rule_bans(const struct rule *rule);
/* As it is written in a rule: "rate 100/s per src/24 burst 200", without what is the standard anyhow. @buffer: LIMIT_TEXT_SIZE.
 * Returns @buffer. */
#define LIMIT_TEXT_SIZE 96
const char *limit_text(const struct limit *limit, char *buffer);
/* Its ban in the same way: "ban host 10m". Empty without one. */
#define BAN_TEXT_SIZE 32
const char *ban_text(const struct rule *rule, char *buffer);

#endif
