/* SPDX-License-Identifier: GPL-2.0 */
#include "config/rule.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/array.h"
#include "config/rule_parser.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *word;
	enum dnet_rule_action action;
} actions[] = {
	{ "allow", DNET_RULE_ALLOW },
	{ "deny", DNET_RULE_DENY },
};

/* What other firewalls say. */
static const struct {
	const char *theirs, *ours;
} synonyms[] = {
	{ "accept", "allow" }, { "permit", "allow" }, { "pass", "allow" },
	{ "drop", "deny" }, { "block", "deny" },
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void scan_start(struct scan *scan, const struct place *place, const char *begin, const char *end, bool parentheses)
{
	while (end > begin && is_space(end[-1]))
		end--;
	*scan = (struct scan){ .place = place, .at = begin, .end = end, .parentheses = parentheses };
	scan_next(scan);
}

void scan_begin(struct scan *scan, const struct place *place, const char *begin, const char *end)
{
	scan_start(scan, place, begin, end, false);
}

void scan_begin_selector(struct scan *scan, const struct place *place)
{
	scan_start(scan, place, place->text, place->text + strlen(place->text), true);
}

/* Characters that are words of their own. */
static bool is_word(const struct scan *scan, char c)
{
	return c == ',' || (scan->parentheses && (c == '(' || c == ')'));
}

void scan_next(struct scan *scan)
{
	const char *at = scan->at;

	while (at < scan->end && is_space(*at))
		at++;
	scan->word.begin = at;
	if (at < scan->end && is_word(scan, *at))
		at++;
	else
		while (at < scan->end && !is_space(*at) && !is_word(scan, *at))
			at++;
	scan->word.length = (size_t)(at - scan->word.begin);
	scan->at = at;
}

static int parse_action(struct scan *scan, struct rule *rule)
{
	struct suggestion suggestion;
	struct word word = scan->word;

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (word_is(word, actions[i].word)) {
			rule->action = actions[i].action;
			scan_next(scan);
			return 0;
		}
	if (!word.length)
		return place_error(scan->place, word, "the rule is empty: write one such as \"allow 80/tcp from any\"");
	if (word_is(word, "reject"))
		return place_error(scan->place, word, "\"reject\" is not supported yet: write deny");
	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
		if (word_is(word, synonyms[i].theirs))
			return place_error(scan->place, word, "a rule begins with allow or deny, not with \"%s\"; did you mean \"%s\"?",
					   synonyms[i].theirs, synonyms[i].ours);
	suggest_begin(&suggestion, word);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		suggest_offer(&suggestion, actions[i].word);
	return place_error(scan->place, word, "a rule begins with allow or deny, not with \"%s\"%s", word_print(word).text,
			   suggest_end(&suggestion, ""));
}

/* @wanted: NULL when the rule itself is to say it. */
static int parse_direction(struct scan *scan, const enum dnet_direction *wanted, enum dnet_direction *ret)
{
	bool ingress = wanted && *wanted == DNET_INGRESS;
	const char *right = !wanted ? "from\" or \"to" : ingress ? "from" : "to";
	struct suggestion suggestion;
	struct word word = scan->word;
	bool from = word_is(word, "from");

	if (from || word_is(word, "to")) {
		if (wanted && from != ingress)
			return place_error(scan->place, word, "this is an %s rule, about what the container %s: "
					   "write \"%s\" instead of \"%s\"", ingress ? "ingress" : "egress", ingress ? "receives" : "sends", right, from ? "from" : "to");
		*ret = from ? DNET_INGRESS : DNET_EGRESS;
		scan_next(scan);
		return 0;
	}
	if (!word.length)
		return place_error(scan->place, word, "the rule does not say with whom: add \"%s\" and a peer, such as \"%s any\"", right,
				   wanted && !ingress ? "to" : "from");
	suggest_begin(&suggestion, word);
	if (!wanted || ingress)
		suggest_offer(&suggestion, "from");
	if (!wanted || !ingress)
		suggest_offer(&suggestion, "to");
	return place_error(scan->place, word, "\"%s\" or a comma is expected here, not \"%s\"%s", right, word_print(word).text,
			   suggest_end(&suggestion, ""));
}

/*
 * One space between words, none before a comma; after a comma as it was written, one or none, or always none if @compact.
 * Codes of countries are capitals.
 */
static char *normalise(const char *begin, const char *end, bool compact)
{
	static const char country[] = "geo:";
	const size_t length = strlen(country);
	char *text = malloc((size_t)(end - begin) + 1), *out = text;

	if (!text)
		return NULL;
	for (const char *at = begin; at < end; at++) {
		bool first = at == begin || is_space(at[-1]) || at[-1] == ',';

		if (first && (size_t)(end - at) > length && memcmp(at, country, length) == 0) {
			memcpy(out, at, length);
			out += length;
			for (at += length; at < end && !is_space(*at) && *at != ','; at++)
				*out++ = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
			at--;
		} else if (!is_space(*at)) {
			*out++ = *at;
		} else if (at + 1 < end && !is_space(at[1]) && at[1] != ',' && !(compact && out > text && out[-1] == ',')) {
			*out++ = ' ';
		}
	}
	*out = '\0';
	return text;
}

/* Spaces change the name of a rule nowhere, not even behind a comma. */
static char *automatic_name(const char *begin, const char *end)
{
	_cleanup_free_ char *text = normalise(begin, end, true);
	char *name;

	if (!text || asprintf(&name, "%08" PRIx32, (uint32_t)text_hash(TEXT_HASH_SEED, text)) < 0)
		return NULL;
	return name;
}

/* @begin to @end: the rule; the place's text may hold more, as labels do. @wanted as in parse_direction(). */
static int parse_part(const struct place *place, const char *begin, const char *end, const enum dnet_direction *wanted,
		      enum dnet_direction *ret_direction, struct rule *ret)
{
	_cleanup_(rule_clear) struct rule rule = { .action = DNET_RULE_DENY };
	enum dnet_direction direction;
	struct scan scan;
	int r;

	scan_begin(&scan, place, begin, end);
	begin = scan.word.begin;
	if (scan.end - begin > RULE_TEXT_MAX)
		return place_error(place, scan.word, "the rule is longer than %d bytes: make several of it", RULE_TEXT_MAX);
	r = parse_action(&scan, &rule);
	if (r == 0)
		r = parse_matches(&scan, &rule);
	if (r == 0)
		r = parse_direction(&scan, wanted, &direction);
	if (r == 0)
		r = parse_peers(&scan, direction, &rule);
	if (r == 0)
		r = parse_tail(&scan, direction, &rule);
	if (r < 0)
		return r;
	rule.text = normalise(begin, scan.end, false);
	if (!rule.name)
		rule.name = automatic_name(begin, scan.end);
	if (!rule.text || !rule.name || place_origin(place, begin, &rule.origin) < 0)
		return place_no_memory(place);
	*ret_direction = direction;
	*ret = rule;
	memset(&rule, 0, sizeof(rule));
	return 0;
}

int rule_parse_place(const struct place *place, enum dnet_direction direction, struct rule *ret)
{
	return parse_part(place, place->text, place->text + strlen(place->text), &direction, &direction, ret);
}

int rule_parse(const char *text, enum dnet_direction direction, const struct origin *origin, struct rule *ret, struct error *error)
{
	struct place place = { .origin = origin, .text = text, .error = error };

	return rule_parse_place(&place, direction, ret);
}

int rule_parse_either_place(const struct place *place, enum dnet_direction *ret_direction, struct rule *ret)
{
	return parse_part(place, place->text, place->text + strlen(place->text), NULL, ret_direction, ret);
}

int rule_parse_either(const char *text, const struct origin *origin, enum dnet_direction *ret_direction, struct rule *ret,
		      struct error *error)
{
	struct place place = { .origin = origin, .text = text, .error = error };

	return rule_parse_either_place(&place, ret_direction, ret);
}

int rule_list_parse(const char *text, enum dnet_direction direction, const struct origin *origin, struct rule_list *ret,
		    struct error *error)
{
	struct place place = { .origin = origin, .text = text, .error = error };

	return rule_list_parse_place(&place, direction, ret);
}

int rule_list_parse_place(const struct place *place, enum dnet_direction direction, struct rule_list *ret)
{
	_cleanup_(rule_list_clear) struct rule_list list = { .present = true };
	const char *end;

	for (const char *begin = place->text; *begin; begin = *end ? end + 1 : end) {
		int r;

		while (is_space(*begin))
			begin++;
		end = begin + strcspn(begin, ";");
		if (end == begin)
			continue;
		if (list.count == DNET_MAX_RULES)
			return place_error(place, (struct word){ begin, (size_t)(end - begin) },
					   "more than %d rules in one direction", DNET_MAX_RULES);
		if (array_grow(list.rules, list.count) < 0)
			return place_no_memory(place);
		r = parse_part(place, begin, end, &direction, &direction, &list.rules[list.count]);
		if (r < 0)
			return r;
		list.count++;
	}
	*ret = list;
	memset(&list, 0, sizeof(list));
	return 0;
}
