/* SPDX-License-Identifier: GPL-2.0 */
/* `select:` of a policy: which containers it is for. "or" of "and" of "not", with parentheses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/array.h"
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

static const char help[] = "write all, container:, service:, label:KEY=VALUE, network:, project: or image:";

/* What other languages say. */
static const struct {
	const char *theirs, *ours;
} synonyms[] = {
	{ "&&", "and" }, { "&", "and" }, { "||", "or" }, { "|", "or" }, { ",", "or" }, { "!", "not" },
	{ "*", "all" }, { "any", "all" }, { "name:", "container:" },
};

static const char *find_synonym(struct word word)
{
	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
		if (word_is(word, synonyms[i].theirs))
			return synonyms[i].ours;
	return NULL;
}

static int unknown_kind(const struct place *place, struct word word)
{
	struct word head = word_until(word, ':');
	struct suggestion suggestion;
	const char *ours;

	head.length += head.length < word.length;
	ours = find_synonym(head);
	if (ours)
		return place_error(place, word, "\"%s\" selects nothing; did you mean \"%s\"?", word_print(word).text, ours);
	if (word.begin[0] == '!')
		return place_error(place, word_first(word), "write \"not\" instead of \"!\"");
	suggest_begin(&suggestion, head);
	suggest_offer(&suggestion, "all");
	suggest_offer(&suggestion, "not");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		suggest_offer(&suggestion, kinds[i].word);
	if (suggestion.best)
		return place_error(place, word, "\"%s\" selects nothing%s", word_print(word).text, suggest_end(&suggestion, ""));
	return place_error(place, word, "\"%s\" selects nothing: %s", word_print(word).text, help);
}

static int parse_kind(struct scan *scan, size_t index, struct selector *selector)
{
	struct word value = word_after(scan->word, strlen(kinds[index].word));

	selector->kind = kinds[index].kind;
	if (selector->kind == SELECT_LABEL)
		return parse_label(scan->place, value, &selector->key, &selector->value);
	if (selector->kind == SELECT_SERVICE)
		return parse_service(scan->place, value, &selector->project, &selector->value);
	if (name_require(scan->place, value, kinds[index].name, kinds[index].what) < 0)
		return -EINVAL;
	selector->value = word_copy(value);
	return selector->value ? 0 : place_no_memory(scan->place);
}

static int parse_or(struct scan *scan, unsigned int depth, struct selector *ret);

static int parse_group(struct scan *scan, unsigned int depth, struct selector *ret)
{
	struct word open = scan->word;
	int r;

	scan_next(scan);
	r = parse_or(scan, depth + 1, ret);
	if (r < 0)
		return r;
	if (!word_is(scan->word, ")"))
		return place_error(scan->place, open, "this parenthesis is not closed: a \")\" is missing");
	scan_next(scan);
	return 0;
}

static int parse_not(struct scan *scan, unsigned int depth, struct selector *ret);

/* One word, or what stands in parentheses or behind "not". On errors too, the caller clears @ret. */
static int parse_one(struct scan *scan, unsigned int depth, struct selector *ret)
{
	struct word word = scan->word;
	int r;

	if (depth > SELECTOR_MAX_DEPTH)
		return place_error(scan->place, word, "more than %d parentheses and \"not\" inside each other", SELECTOR_MAX_DEPTH);
	if (!word.length || word_is(word, ")") || word_is(word, "and") || word_is(word, "or"))
		return place_error(scan->place, word, "a container, a service or the like is missing here: %s", help);
	if (word_is(word, "("))
		return parse_group(scan, depth, ret);
	if (word_is(word, "not"))
		return parse_not(scan, depth, ret);
	if (word_is(word, "all")) {
		ret->kind = SELECT_ALL;
		scan_next(scan);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (word_begins(word, kinds[i].word)) {
			r = parse_kind(scan, i, ret);
			if (r == 0)
				scan_next(scan);
			return r;
		}
	return unknown_kind(scan->place, word);
}

static int parse_not(struct scan *scan, unsigned int depth, struct selector *ret)
{
	ret->kind = SELECT_NOT;
	ret->children = calloc(1, sizeof(*ret->children));
	if (!ret->children)
		return place_no_memory(scan->place);
	ret->child_count = 1;
	scan_next(scan);
	return parse_one(scan, depth + 1, ret->children);
}

/* One or more of @parse, with @word between them; one alone stays what it is. */
static int parse_chain(struct scan *scan, unsigned int depth, const char *word, enum selector_kind kind,
		       int (*parse)(struct scan *scan, unsigned int depth, struct selector *ret), struct selector *ret)
{
	_cleanup_(selector_clear) struct selector chain = { .kind = kind };
	int r;

	for (;;) {
		if (array_grow(chain.children, chain.child_count) < 0)
			return place_no_memory(scan->place);
		memset(&chain.children[chain.child_count], 0, sizeof(*chain.children));
		r = parse(scan, depth, &chain.children[chain.child_count++]);
		if (r < 0)
			return r;
		if (!word_is(scan->word, word))
			break;
		scan_next(scan);
	}
	if (chain.child_count == 1) {
		*ret = chain.children[0];
		memset(&chain.children[0], 0, sizeof(*chain.children));
	} else {
		*ret = chain;
		memset(&chain, 0, sizeof(chain));
	}
	return 0;
}

static int parse_and(struct scan *scan, unsigned int depth, struct selector *ret)
{
	return parse_chain(scan, depth, "and", SELECT_AND, parse_one, ret);
}

static int parse_or(struct scan *scan, unsigned int depth, struct selector *ret)
{
	return parse_chain(scan, depth, "or", SELECT_OR, parse_and, ret);
}

/* A word where the selector could have ended. */
static int unexpected(const struct place *place, struct word word)
{
	struct suggestion suggestion;
	const char *ours = find_synonym(word);

	if (word_is(word, ")"))
		return place_error(place, word, "this parenthesis closes nothing: a \"(\" is missing before it");
	if (word_is(word, "("))
		return place_error(place, word, "\"and\" or \"or\" is missing before this parenthesis "
				   "(in a name, \"?\" can stand for one)");
	if (word_is(word, "not"))
		return place_error(place, word, "\"and\" or \"or\" is missing before \"not\"");
	if (ours)
		return place_error(place, word, "\"%s\" is not a word of selectors: write \"%s\"", word_print(word).text, ours);
	suggest_begin(&suggestion, word);
	suggest_offer(&suggestion, "and");
	suggest_offer(&suggestion, "or");
	return place_error(place, word, "\"and\" or \"or\" is missing before \"%s\"%s", word_print(word).text,
			   suggest_end(&suggestion, ""));
}

int selector_parse_place(const struct place *place, struct selector *ret)
{
	_cleanup_(selector_clear) struct selector selector = { .kind = SELECT_ALL };
	struct scan scan;
	int r;

	scan_begin_selector(&scan, place);
	if (!scan.word.length)
		return place_error(place, scan.word, "select is empty: %s", help);
	if (scan.end - scan.word.begin > RULE_TEXT_MAX)
		return place_error(place, scan.word, "the selector is longer than %d bytes", RULE_TEXT_MAX);
	r = parse_or(&scan, 1, &selector);
	if (r < 0)
		return r;
	if (scan.word.length)
		return unexpected(place, scan.word);
	*ret = selector;
	memset(&selector, 0, sizeof(selector));
	return 0;
}

int selector_parse(const char *text, const struct origin *origin, struct selector *ret, struct error *error)
{
	struct place place = { .origin = origin, .text = text, .error = error };

	return selector_parse_place(&place, ret);
}
