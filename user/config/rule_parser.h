/* SPDX-License-Identifier: GPL-2.0 */
/* The pieces of the rule parser. Private to config/. */
#ifndef DNETBPF_CONFIG_RULE_PARSER_H
#define DNETBPF_CONFIG_RULE_PARSER_H

#include "config/place.h"
#include "model/policy.h"

/* Words are separated by spaces; a comma is a word of its own. Without words left, the current one is empty and stands
 * behind the last. */
struct scan {
	const struct place *place;
	const char *at, *end;
	struct word word;
};

void scan_begin(struct scan *scan, const struct place *place, const char *begin, const char *end);
void scan_next(struct scan *scan);

/* match {"," match}: nothing when the current word is "from" or "to". Stores at least one interval in @rule. */
int parse_matches(struct scan *scan, struct rule *rule);
/* peer {"," peer} */
int parse_peers(struct scan *scan, struct rule *rule);

/* rule_parse(), rule_list_parse() and selector_parse() for a text whose place is known in more detail. */
int rule_parse_place(const struct place *place, enum dnet_direction direction, struct rule *ret);
int selector_parse_place(const struct place *place, struct selector *ret);

#endif
