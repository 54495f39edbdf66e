/* SPDX-License-Identifier: GPL-2.0 */
/* The rule grammar: one parser for the policy file, for labels and for the command line. Pure and bounded. */
#ifndef DNETBPF_CONFIG_RULE_H
#define DNETBPF_CONFIG_RULE_H

#include "base/error.h"
#include "model/policy.h"

#define RULE_TEXT_MAX 16384	/* bytes of one rule or selector */
#define SELECTOR_MAX_DEPTH 16	/* parentheses and "not" inside each other */

/*
 * Parse one rule. @direction: "from" belongs to ingress, "to" to egress. @origin: where @text begins; it is copied into
 * the rule, the column pointing at the rule's first character. On error returns -EINVAL, the sentence begins with
 * "FILE:LINE:COLUMN: " and place and length are those of the offending word; nothing is stored in @ret.
 */
int rule_parse(const char *text, enum dnet_direction direction, const struct origin *origin, struct rule *ret,
	       struct error *error);
/* Parse a rule that itself says its direction: "from" makes it an ingress rule, "to" an egress rule. */
int rule_parse_either(const char *text, const struct origin *origin, enum dnet_direction *ret_direction, struct rule *ret,
		      struct error *error);
/* Parse "rule; rule; ...", as labels have it; empty parts are skipped. Marks the list present. */
int rule_list_parse(const char *text, enum dnet_direction direction, const struct origin *origin, struct rule_list *ret,
		    struct error *error);

/* Parse a selector such as "service:shop/web", "all and not (label:app=web or network:dmz)". */
int selector_parse(const char *text, const struct origin *origin, struct selector *ret, struct error *error);

#endif
