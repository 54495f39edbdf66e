/* SPDX-License-Identifier: GPL-2.0 */
/* Expected verdicts as a file, for `policy test`. Pure but for reading the file. */
#ifndef DNETBPF_EXPLAIN_CASES_H
#define DNETBPF_EXPLAIN_CASES_H

#include <stddef.h>

#include <dnetbpf/direction.h>

#include "base/error.h"

/* Strings are owned; NULL: not given. */
struct policy_case {
	char *packet, *name, *rule, *reason;
	enum dnet_verdict expect;
	unsigned int line, column;	/* of the packet's text */
};

struct policy_cases {
	char *policy, *inventory;	/* paths; relative ones begin in the folder of the file */
	struct policy_case *cases;
	size_t count;
};

/*
 * version: 1, policy: FILE, inventory: FILE, cases: [ { packet: TEXT, expect: allow | deny | would_deny, rule: NAME, reason: NAME,
 * name: TEXT } or "allow tcp 203.0.113.7:4444 -> web:443" ]. -EINVAL and others, the sentence begins with "FILE:LINE:COLUMN: ".
 */
int policy_cases_load(const char *path, struct policy_cases *ret, struct error *error);
int policy_cases_parse(const char *path, const char *text, size_t length, struct policy_cases *ret, struct error *error);
void policy_cases_clear(struct policy_cases *cases);
/* "allow", "deny", "would_deny" */
const char *policy_case_expectation(enum dnet_verdict verdict);

#endif
