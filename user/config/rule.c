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

#define NAME_MAX_LENGTH 64	/* a rule's name is a label of its counters */

/* Words of the grammar that are read but not enforced: refusing them is safe, ignoring them would not be. */
static const char *const later_peers[] = { "lan", "internet", "metadata", "dns", "multicast", "project" };
static const char *const later_peer_kinds[] = { "set:", "geo:", "label:", "iface:" };
static const char *const later_tails[] = { "on", "rate", "conns", "packets", "per", "burst", "ban", "log" };

static const struct {
	const char *word;
	enum peer_kind kind;
} plain_peers[] = {
	{ "any", PEER_ANY },
	{ "outside", PEER_OUTSIDE },
	{ "host", PEER_HOST },
};

static const struct {
	const char *word, *what;
	enum peer_kind kind;
	enum name_kind name;
} named_peers[] = {
	{ "container:", "a container", PEER_CONTAINER, NAME_GLOB },
	{ "service:", "a service", PEER_SERVICE, NAME_GLOB },
	{ "network:", "a network", PEER_NETWORK, NAME_EXACT },
};

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

void scan_begin(struct scan *scan, const struct place *place, const char *begin, const char *end)
{
	while (end > begin && is_space(end[-1]))
		end--;
	*scan = (struct scan){ .place = place, .at = begin, .end = end };
	scan_next(scan);
}

void scan_next(struct scan *scan)
{
	const char *at = scan->at;

	while (at < scan->end && is_space(*at))
		at++;
	scan->word.begin = at;
	if (at < scan->end && *at == ',')
		at++;
	else
		while (at < scan->end && !is_space(*at) && *at != ',')
			at++;
	scan->word.length = (size_t)(at - scan->word.begin);
	scan->at = at;
}

static bool one_of(struct word word, const char *const *table, size_t count, bool beginning)
{
	for (size_t i = 0; i < count; i++)
		if (beginning ? word_begins(word, table[i]) : word_is(word, table[i]))
			return true;
	return false;
}

static void peer_clear(struct peer *peer)
{
	free(peer->project);
	free(peer->name);
	memset(peer, 0, sizeof(*peer));
}

static int unknown_peer(struct scan *scan, struct word word)
{
	static const char help[] = "a peer is any, an address, a prefix, outside, host, container:NAME, service:NAME or network:NAME";
	const char *colon = memchr(word.begin, ':', word.length);
	struct word head = { word.begin, colon ? (size_t)(colon - word.begin) + 1 : word.length };
	struct suggestion suggestion;
	char hint[256];

	suggest_begin(&suggestion, head);
	for (size_t i = 0; i < ARRAY_SIZE(plain_peers); i++)
		suggest_offer(&suggestion, plain_peers[i].word);
	for (size_t i = 0; i < ARRAY_SIZE(named_peers); i++)
		suggest_offer(&suggestion, named_peers[i].word);
	if (strspn(word.begin, "0123456789abcdefABCDEF:./") >= word.length && (colon || memchr(word.begin, '.', word.length)))
		snprintf(hint, sizeof(hint), ": write an address such as 192.0.2.7 or 2001:db8::7, or a prefix such as 192.0.2.0/24");
	else if (!name_check(word, NAME_GLOB) && !memchr(word.begin, '/', word.length))
		snprintf(hint, sizeof(hint), ": if that is a container or a service, write container:%s or service:%s",
			 word_print(word).text, word_print(word).text);
	else
		snprintf(hint, sizeof(hint), ": %s", help);
	return place_error(scan->place, word.begin, "\"%s\" is not a peer%s", word_print(word).text, suggest_end(&suggestion, hint));
}

/* An address or a prefix. 1 when the word is neither. */
static int parse_prefix(struct scan *scan, struct word word, struct peer *peer)
{
	char masked[TEXT_PREFIX_SIZE], text[72];
	bool host_bits;
	int r;

	if (word.length >= sizeof(text))
		return 1;
	memcpy(text, word.begin, word.length);
	text[word.length] = '\0';
	r = text_parse_prefix(text, &peer->prefix, &peer->prefix_len, &host_bits);
	if (r == -ERANGE)
		return place_error(scan->place, word.begin + (strchr(text, '/') - text) + 1,
				   "the length of the prefix %s is wrong: write /0 to /%d", word_print(word).text,
				   memchr(word.begin, ':', word.length) ? 128 : 32);
	if (r < 0)
		return 1;
	if (host_bits)
		return place_error(scan->place, word.begin, "%s has bits beyond its prefix length: write %s, or the address without a length",
				   word_print(word).text, text_prefix(&peer->prefix, peer->prefix_len, masked));
	peer->kind = PEER_PREFIX;
	return 0;
}

static int parse_named_peer(struct scan *scan, struct word word, size_t index, struct peer *peer)
{
	struct word name = word_after(word, strlen(named_peers[index].word));
	const char *slash = memchr(name.begin, '/', name.length);

	peer->kind = named_peers[index].kind;
	if (peer->kind == PEER_SERVICE && slash) {
		struct word project = { name.begin, (size_t)(slash - name.begin) };

		if (name_require(scan->place, project, NAME_GLOB, "a project") < 0)
			return -EINVAL;
		peer->project = word_copy(project);
		if (!peer->project)
			return place_no_memory(scan->place);
		name = word_after(name, project.length + 1);
	}
	if (name_require(scan->place, name, named_peers[index].name, named_peers[index].what) < 0)
		return -EINVAL;
	peer->name = word_copy(name);
	return peer->name ? 0 : place_no_memory(scan->place);
}

static int parse_peer(struct scan *scan, struct peer *peer)
{
	struct word word = scan->word;
	int r;

	if (!word.length || word_is(word, ","))
		return place_error(scan->place, word.begin, "a peer is missing here: write any, an address, a prefix, outside, host, "
				   "container:NAME, service:NAME or network:NAME");
	for (size_t i = 0; i < ARRAY_SIZE(plain_peers); i++)
		if (word_is(word, plain_peers[i].word)) {
			peer->kind = plain_peers[i].kind;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_SIZE(named_peers); i++)
		if (word_begins(word, named_peers[i].word))
			return parse_named_peer(scan, word, i, peer);
	if (one_of(word, later_peers, ARRAY_SIZE(later_peers), false) ||
	    one_of(word, later_peer_kinds, ARRAY_SIZE(later_peer_kinds), true))
		return place_error(scan->place, word.begin, "the peer %s is not supported yet", word_print(word).text);
	r = parse_prefix(scan, word, peer);
	return r > 0 ? unknown_peer(scan, word) : r;
}

int parse_peers(struct scan *scan, struct rule *rule)
{
	for (;;) {
		_cleanup_(peer_clear) struct peer peer = { .kind = PEER_ANY };
		int r = parse_peer(scan, &peer);

		if (r < 0)
			return r;
		if (array_grow(rule->peers, rule->peer_count) < 0)
			return place_no_memory(scan->place);
		rule->peers[rule->peer_count++] = peer;
		memset(&peer, 0, sizeof(peer));
		scan_next(scan);
		if (!word_is(scan->word, ","))
			return 0;
		scan_next(scan);
	}
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
		return place_error(scan->place, word.begin, "the rule is empty: write one such as \"allow 80/tcp from any\"");
	if (word_is(word, "reject"))
		return place_error(scan->place, word.begin, "\"reject\" is not supported yet: write deny");
	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
		if (word_is(word, synonyms[i].theirs))
			return place_error(scan->place, word.begin, "a rule begins with allow or deny, not with \"%s\"; did you mean \"%s\"?",
					   synonyms[i].theirs, synonyms[i].ours);
	suggest_begin(&suggestion, word);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		suggest_offer(&suggestion, actions[i].word);
	return place_error(scan->place, word.begin, "a rule begins with allow or deny, not with \"%s\"%s", word_print(word).text,
			   suggest_end(&suggestion, ""));
}

static int parse_direction(struct scan *scan, enum dnet_direction direction)
{
	bool ingress = direction == DNET_INGRESS;
	const char *right = ingress ? "from" : "to";
	struct suggestion suggestion;
	struct word word = scan->word;

	if (word_is(word, right)) {
		scan_next(scan);
		return 0;
	}
	if (word_is(word, "from") || word_is(word, "to"))
		return place_error(scan->place, word.begin, "this is an %s rule, about what the container %s: write \"%s\" instead of \"%s\"",
				   ingress ? "ingress" : "egress", ingress ? "receives" : "sends", right, ingress ? "to" : "from");
	if (!word.length)
		return place_error(scan->place, word.begin, "the rule does not say with whom: add \"%s\" and a peer, such as \"%s any\"",
				   right, right);
	suggest_begin(&suggestion, word);
	suggest_offer(&suggestion, right);
	return place_error(scan->place, word.begin, "\"%s\" or a comma is expected here, not \"%s\"%s", right,
			   word_print(word).text, suggest_end(&suggestion, ""));
}

/* What may follow the peers. */
static int parse_tail(struct scan *scan, struct rule *rule)
{
	struct suggestion suggestion;
	struct word word = scan->word;

	if (!word.length)
		return 0;
	if (one_of(word, later_tails, ARRAY_SIZE(later_tails), false))
		return place_error(scan->place, word.begin, "\"%s\" in a rule is not supported yet", word_print(word).text);
	if (!word_is(word, "as")) {
		suggest_begin(&suggestion, word);
		for (size_t i = 0; i < ARRAY_SIZE(later_tails); i++)
			suggest_offer(&suggestion, later_tails[i]);
		return place_error(scan->place, word.begin, "\"%s\" is not expected after the peers%s", word_print(word).text,
				   suggest_end(&suggestion, ": write a comma before a further peer, or \"as NAME\""));
	}
	scan_next(scan);
	if (word_is(scan->word, ","))
		scan->word.length = 0;
	if (name_require(scan->place, scan->word, NAME_EXACT, "the rule") < 0)
		return -EINVAL;
	if (scan->word.length > NAME_MAX_LENGTH)
		return place_error(scan->place, scan->word.begin, "the name of the rule is longer than %d characters", NAME_MAX_LENGTH);
	rule->name = word_copy(scan->word);
	if (!rule->name)
		return place_no_memory(scan->place);
	scan_next(scan);
	if (scan->word.length)
		return place_error(scan->place, scan->word.begin, "\"%s\" is not expected here: \"as NAME\" ends the rule",
				   word_print(scan->word).text);
	return 0;
}

/* One space between words, none before a comma; after a comma as it was written, one or none. */
static char *normalise(const char *begin, const char *end)
{
	char *text = malloc((size_t)(end - begin) + 1), *out = text;

	if (!text)
		return NULL;
	for (const char *at = begin; at < end; at++) {
		if (!is_space(*at))
			*out++ = *at;
		else if (at + 1 < end && !is_space(at[1]) && at[1] != ',')
			*out++ = ' ';
	}
	*out = '\0';
	return text;
}

/* @begin to @end: the rule; the place's text may hold more, as labels do. */
static int parse_part(const struct place *place, const char *begin, const char *end, enum dnet_direction direction, struct rule *ret)
{
	_cleanup_(rule_clear) struct rule rule = { .action = DNET_RULE_DENY };
	struct scan scan;
	int r;

	scan_begin(&scan, place, begin, end);
	begin = scan.word.begin;
	if (scan.end - begin > RULE_TEXT_MAX)
		return place_error(place, begin, "the rule is longer than %d bytes: make several of it", RULE_TEXT_MAX);
	r = parse_action(&scan, &rule);
	if (r == 0)
		r = parse_matches(&scan, &rule);
	if (r == 0)
		r = parse_direction(&scan, direction);
	if (r == 0)
		r = parse_peers(&scan, &rule);
	if (r == 0)
		r = parse_tail(&scan, &rule);
	if (r < 0)
		return r;
	rule.text = normalise(begin, scan.end);
	if (!rule.text || place_origin(place, begin, &rule.origin) < 0)
		return place_no_memory(place);
	if (!rule.name && asprintf(&rule.name, "%08" PRIx32, (uint32_t)text_hash(TEXT_HASH_SEED, rule.text)) < 0) {
		rule.name = NULL;	/* asprintf() leaves it undefined */
		return place_no_memory(place);
	}
	*ret = rule;
	memset(&rule, 0, sizeof(rule));
	return 0;
}

int rule_parse_place(const struct place *place, enum dnet_direction direction, struct rule *ret)
{
	return parse_part(place, place->text, place->text + strlen(place->text), direction, ret);
}

int rule_parse(const char *text, enum dnet_direction direction, const struct origin *origin, struct rule *ret, struct error *error)
{
	struct place place = { .origin = origin, .text = text, .error = error };

	return rule_parse_place(&place, direction, ret);
}

int rule_list_parse(const char *text, enum dnet_direction direction, const struct origin *origin, struct rule_list *ret,
		    struct error *error)
{
	struct place place = { .origin = origin, .text = text, .error = error };
	_cleanup_(rule_list_clear) struct rule_list list = { .present = true };
	const char *end;

	for (const char *begin = text; *begin; begin = *end ? end + 1 : end) {
		int r;

		while (is_space(*begin))
			begin++;
		end = begin + strcspn(begin, ";");
		if (end == begin)
			continue;
		if (list.count == DNET_MAX_RULES)
			return place_error(&place, begin, "more than %d rules in one direction", DNET_MAX_RULES);
		if (array_grow(list.rules, list.count) < 0)
			return place_no_memory(&place);
		r = parse_part(&place, begin, end, direction, &list.rules[list.count]);
		if (r < 0)
			return r;
		list.count++;
	}
	*ret = list;
	memset(&list, 0, sizeof(list));
	return 0;
}

void rule_clear(struct rule *rule)
{
	for (size_t i = 0; i < rule->peer_count; i++)
		peer_clear(&rule->peers[i]);
	free(rule->peers);
	free(rule->matches);
	free(rule->text);
	free(rule->name);
	free(rule->origin.file);
	memset(rule, 0, sizeof(*rule));
}
