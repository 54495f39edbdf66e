/* SPDX-License-Identifier: GPL-2.0 */
/* `select:` of a policy: which containers it is for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/rule.h"
#include "config/rule_parser.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *word, *what;
	enum selector_kind kind;
	enum name_kind name;
} kinds[] = {
	{ "container:", "a container", SELECT_CONTAINER, NAME_GLOB },
	{ "service:", "a service", SELECT_SERVICE, NAME_GLOB },
	{ "label:", "a label", SELECT_LABEL, NAME_VALUE },
	{ "network:", "a network", SELECT_NETWORK, NAME_EXACT },
	{ "project:", "a project", SELECT_PROJECT, NAME_GLOB },
	{ "image:", "an image", SELECT_IMAGE, NAME_IMAGE },
};

static void selector_clear(struct selector *selector)
{
	free(selector->project);
	free(selector->key);
	free(selector->value);
	memset(selector, 0, sizeof(*selector));
}

static bool is_operator(struct word word)
{
	return word_is(word, "and") || word_is(word, "or") || word_is(word, "not") || word_is(word, ",") ||
	       word_is(word, "&&") || word_is(word, "||");
}

static int unknown_kind(const struct place *place, struct word word)
{
	const char *colon = memchr(word.begin, ':', word.length);
	struct word head = { word.begin, colon ? (size_t)(colon - word.begin) + 1 : word.length };
	struct suggestion suggestion;

	suggest_begin(&suggestion, head);
	suggest_offer(&suggestion, "all");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		suggest_offer(&suggestion, kinds[i].word);
	return place_error(place, word.begin, "\"%s\" selects nothing%s", word_print(word).text,
			   suggest_end(&suggestion, ": write all, container:, service:, label:KEY=VALUE, network:, project: or image:"));
}

static int parse_kind(const struct place *place, struct word word, size_t index, struct selector *selector)
{
	struct word value = word_after(word, strlen(kinds[index].word));
	char separator = kinds[index].kind == SELECT_LABEL ? '=' : '/';
	const char *found = memchr(value.begin, separator, value.length);
	struct word head = { value.begin, found ? (size_t)(found - value.begin) : 0 };

	selector->kind = kinds[index].kind;
	if (selector->kind == SELECT_LABEL) {
		if (!found && value.length)
			return place_error(place, value.begin + value.length, "a value is missing: write label:%s=VALUE, or label:%s=* for any value",
					   word_print(value).text, word_print(value).text);
		if (name_require(place, head, NAME_VALUE, "a label") < 0)
			return -EINVAL;
		selector->key = word_copy(head);
		if (!selector->key)
			return place_no_memory(place);
		/* A label may have an empty value. */
		value = word_after(value, head.length + 1);
		if (value.length && name_require(place, value, NAME_VALUE, "a label's value") < 0)
			return -EINVAL;
	} else if (selector->kind == SELECT_SERVICE && found) {
		if (name_require(place, head, NAME_GLOB, "a project") < 0)
			return -EINVAL;
		selector->project = word_copy(head);
		if (!selector->project)
			return place_no_memory(place);
		value = word_after(value, head.length + 1);
	}
	if (selector->kind != SELECT_LABEL && name_require(place, value, kinds[index].name, kinds[index].what) < 0)
		return -EINVAL;
	selector->value = word_copy(value);
	return selector->value ? 0 : place_no_memory(place);
}

static int parse_one(const struct place *place, struct word word, struct selector *selector)
{
	if (!word.length)
		return place_error(place, word.begin, "select is empty: write all, container:NAME, service:NAME, ...");
	if (word.begin[0] == '(' || word.begin[0] == '!' || is_operator(word))
		return place_error(place, word.begin, "\"%s\" in select is not supported yet: select with one word",
				   word_print((struct word){ word.begin, is_operator(word) ? word.length : 1 }).text);
	if (word_is(word, "all")) {
		selector->kind = SELECT_ALL;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (word_begins(word, kinds[i].word))
			return parse_kind(place, word, i, selector);
	return unknown_kind(place, word);
}

int selector_parse_place(const struct place *place, struct selector *ret)
{
	_cleanup_(selector_clear) struct selector selector = { .kind = SELECT_ALL };
	struct scan scan;
	int r;

	scan_begin(&scan, place, place->text, place->text + strlen(place->text));
	r = parse_one(place, scan.word, &selector);
	if (r < 0)
		return r;
	scan_next(&scan);
	if (scan.word.length && is_operator(scan.word))
		return place_error(place, scan.word.begin, "\"%s\" in select is not supported yet: select with one word",
				   word_print(scan.word).text);
	if (scan.word.length)
		return place_error(place, scan.word.begin, "\"%s\" is not expected here: select takes one word, as in service:shop/web",
				   word_print(scan.word).text);
	*ret = selector;
	memset(&selector, 0, sizeof(selector));
	return 0;
}

int selector_parse(const char *text, const struct origin *origin, struct selector *ret, struct error *error)
{
	struct place place = { .origin = origin, .text = text, .error = error };

	return selector_parse_place(&place, ret);
}
