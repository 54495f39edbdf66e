/* SPDX-License-Identifier: GPL-2.0 */
/* One limit of a rule: as numbers for the kernel, and as text. Pure. */
#ifndef DNETBPF_COMPILE_LIMITS_H
#define DNETBPF_COMPILE_LIMITS_H

#include <dnetbpf/limit.h>

#include "model/policy.h"

/* Tokens of a bucket whose rule gives no burst: iptables' hashlimit has the same. */
#define LIMIT_BURST 5

void limit_compile(const struct limit *limit, uint32_t id, struct dnet_limit *ret);
/* As it is written in a rule: "rate 100/s per src/24 burst 200", without what is the standard anyhow. @buffer: LIMIT_TEXT_SIZE.
 * Returns @buffer. */
#define LIMIT_TEXT_SIZE 96
const char *limit_text(const struct limit *limit, char *buffer);

#endif
