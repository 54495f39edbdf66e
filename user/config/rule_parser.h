/* SPDX-License-Identifier: GPL-2.0 */
/* The pieces of the rule parser. Private to config/. */
#ifndef DNETBPF_CONFIG_RULE_PARSER_H
#define DNETBPF_CONFIG_RULE_PARSER_H

#include "config/place.h"
#include "model/policy.h"

/* Words are separated by spaces; a comma is a word of its own, and in selectors a parenthesis. Without words left, the current
 * one is empty and stands behind the last. */
struct scan {
	const struct place *place;
	const char *at, *end;
	bool parentheses;
	struct word word;
};

void scan_begin(struct scan *scan, const struct place *place, const char *begin, const char *end);
/* All of the place's text. */
void scan_begin_selector(struct scan *scan, const struct place *place);
void scan_next(struct scan *scan);

/* match {"," match}: nothing when the current word is "from" or "to". Stores at least one interval in @rule. */
int parse_matches(struct scan *scan, struct rule *rule);
/* peer {"," peer}: stores at least one in @rule. */
int parse_peers(struct scan *scan, enum dnet_direction direction, struct rule *rule);
/* Network, limits, ban, log and name, up to the end of the text. The action must be known. */
int parse_tail(struct scan *scan, enum dnet_direction direction, struct rule *rule);
/* All of the place's text: limits and ban that stand in no rule. Stores only these, and the origin. */
int parse_limits(const struct place *place, enum dnet_direction direction, struct rule *ret);

/* "KEY=VALUE" and "[PROJECT/]NAME", as peers and selectors have them. What is stored is owned, on errors too. */
int parse_label(const struct place *place, struct word word, char **key, char **value);
int parse_service(const struct place *place, struct word word, char **project, char **name);
/* Two capital letters; -EINVAL with a sentence when there is no such country. */
int parse_country(const struct place *place, struct word word, char ret[3]);

/* rule_parse(), rule_parse_either() and selector_parse() for a text whose place is known in more detail. */
int rule_parse_place(const struct place *place, enum dnet_direction direction, struct rule *ret);
int rule_parse_either_place(const struct place *place, enum dnet_direction *ret_direction, struct rule *ret);
int rule_list_parse_place(const struct place *place, enum dnet_direction direction, struct rule_list *ret);
int selector_parse_place(const struct place *place, struct selector *ret);

/*
 * Give an allow rule the limits of @defaults whose kind it has not and does not refuse, and their ban if it takes some and has none.
 * Its text and its automatic name stay as they are. 0 or -ENOMEM.
 */
int rule_take_limits(struct rule *rule, const struct rule *defaults, enum limit_source source);

/* Does every set exist that @rule names? If not: -EINVAL, and what may have been meant. @place: of the text that holds @rule. */
int rule_check_sets(const struct place *place, const struct rule *rule, const struct policy_set *policies);

#endif
