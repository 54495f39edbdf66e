/* SPDX-License-Identifier: GPL-2.0 */
/* The part of a rule that says with whom: "192.0.2.0/24, service:shop/db, set:office". */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/array.h"
#include "config/rule_parser.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What stands behind the colon is read by @read; NULL: the word is all. */
struct peer_word {
	const char *word;
	enum peer_kind kind;
	int (*read)(const struct place *place, struct word word, struct peer *peer);
};

static int read_name(const struct place *place, struct word word, enum name_kind kind, const char *what, struct peer *peer)
{
	if (name_require(place, word, kind, what) < 0)
		return -EINVAL;
	peer->name = word_copy(word);
	return peer->name ? 0 : place_no_memory(place);
}

static int read_container(const struct place *place, struct word word, struct peer *peer)
{
	return read_name(place, word, NAME_GLOB, "a container", peer);
}

static int read_service(const struct place *place, struct word word, struct peer *peer)
{
	return parse_service(place, word, &peer->project, &peer->name);
}

static int read_network(const struct place *place, struct word word, struct peer *peer)
{
	return read_name(place, word, NAME_EXACT, "a network", peer);
}

static int read_label(const struct place *place, struct word word, struct peer *peer)
{
	return parse_label(place, word, &peer->key, &peer->name);
}

static int read_set(const struct place *place, struct word word, struct peer *peer)
{
	return read_name(place, word, NAME_EXACT, "a set", peer);
}

static int read_country(const struct place *place, struct word word, struct peer *peer)
{
	char code[3];

	if (parse_country(place, word, code) < 0)
		return -EINVAL;
	peer->name = strdup(code);
	return peer->name ? 0 : place_no_memory(place);
}

static int read_interface(const struct place *place, struct word word, struct peer *peer)
{
	if (word.length >= IFNAMSIZ)
		return place_error(place, word, "no interface has a name of more than %d characters", IFNAMSIZ - 1);
	return read_name(place, word, NAME_EXACT, "an interface", peer);
}

static const struct peer_word peer_words[] = {
	{ "any", PEER_ANY, NULL },
	{ "outside", PEER_OUTSIDE, NULL },
	{ "host", PEER_HOST, NULL },
	{ "lan", PEER_LAN, NULL },
	{ "internet", PEER_INTERNET, NULL },
	{ "metadata", PEER_METADATA, NULL },
	{ "dns", PEER_DNS, NULL },
	{ "multicast", PEER_GROUP, NULL },
	{ "project", PEER_PROJECT, NULL },
	{ "container:", PEER_CONTAINER, read_container },
	{ "service:", PEER_SERVICE, read_service },
	{ "network:", PEER_NETWORK, read_network },
	{ "label:", PEER_LABEL, read_label },
	{ "set:", PEER_SET, read_set },
	{ "geo:", PEER_COUNTRY, read_country },
	{ "iface:", PEER_INTERFACE, read_interface },
};

/* What other firewalls say, and words of ours that stand elsewhere. */
static const struct {
	const char *theirs, *ours;
} synonyms[] = {
	{ "all", "any" }, { "anywhere", "any" }, { "everywhere", "any" }, { "everyone", "any" }, { "*", "any" },
	{ "world", "outside" }, { "external", "outside" }, { "public", "internet" }, { "wan", "internet" },
	{ "private", "lan" }, { "local", "lan" }, { "localhost", "host" }, { "gateway", "host" }, { "resolver", "dns" },
	{ "broadcast", "multicast" }, { "country:", "geo:" }, { "interface:", "iface:" }, { "ipset:", "set:" },
};

static const char help[] = "a peer is any, an address, a prefix, outside, host, lan, internet, metadata, dns, multicast, project, "
			   "container:, service:, network:, label:, set:, geo: or iface:";

static void peer_clear(struct peer *peer)
{
	free(peer->project);
	free(peer->key);
	free(peer->name);
	memset(peer, 0, sizeof(*peer));
}

/* @last: the peer before it, NULL: it is the first. */
static int unknown_peer(struct scan *scan, struct word word, const struct peer *last)
{
	struct word head = word_until(word, ':'), tail;
	bool colon = head.length < word.length;
	struct suggestion suggestion;
	char hint[320];

	head.length += colon;
	tail = word_after(word, head.length);
	if (word_is(head, "project:"))
		return place_error(scan->place, word, "project stands for the container's own: for another write service:%s/*",
				   tail.length ? word_print(tail).text : "NAME");
	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
		if (word_is(head, synonyms[i].theirs))
			return place_error(scan->place, word, "\"%s\" is not a peer; did you mean \"%s\"?", word_print(word).text,
					   synonyms[i].ours);
	suggest_begin(&suggestion, head);
	for (size_t i = 0; i < ARRAY_SIZE(peer_words); i++)
		suggest_offer(&suggestion, peer_words[i].word);
	if (last && last->kind == PEER_COUNTRY && word.length == 2)
		snprintf(hint, sizeof(hint), ": if that is a country, write geo:%s", word_print(word).text);
	else if (strspn(word.begin, "0123456789abcdefABCDEF:./") >= word.length && (colon || memchr(word.begin, '.', word.length)))
		snprintf(hint, sizeof(hint), ": write an address such as 192.0.2.7 or 2001:db8::7, or a prefix such as 192.0.2.0/24");
	else if (!name_check(word, NAME_GLOB))
		snprintf(hint, sizeof(hint), ": if that is a container or a service, write container:%s or service:%s",
			 word_print(word).text, word_print(word).text);
	else
		snprintf(hint, sizeof(hint), ": %s", help);
	return place_error(scan->place, word, "\"%s\" is not a peer%s", word_print(word).text, suggest_end(&suggestion, hint));
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
		return place_error(scan->place, word_after(word, word_until(word, '/').length + 1),
				   "the length of the prefix %s is wrong: write /0 to /%d", word_print(word).text,
				   memchr(word.begin, ':', word.length) ? 128 : 32);
	if (r < 0)
		return 1;
	if (host_bits)
		return place_error(scan->place, word, "%s has bits beyond its prefix length: write %s, or the address without a length",
				   word_print(word).text, text_prefix(&peer->prefix, peer->prefix_len, masked));
	peer->kind = PEER_PREFIX;
	return 0;
}

static int parse_peer(struct scan *scan, enum dnet_direction direction, const struct peer *last, struct peer *peer)
{
	struct word word = scan->word;
	int r;

	if (!word.length || word_is(word, ","))
		return place_error(scan->place, word, "a peer is missing here: %s", help);
	for (size_t i = 0; i < ARRAY_SIZE(peer_words); i++) {
		const struct peer_word *known = &peer_words[i];

		if (known->read ? !word_begins(word, known->word) : !word_is(word, known->word))
			continue;
		peer->kind = known->kind;
		if (peer->kind == PEER_INTERFACE && direction == DNET_EGRESS)
			return place_error(scan->place, word, "iface: says where a packet came in, and this is an egress rule: "
					   "write an address, a prefix, outside, lan or internet");
		return known->read ? known->read(scan->place, word_after(word, strlen(known->word)), peer) : 0;
	}
	r = parse_prefix(scan, word, peer);
	return r > 0 ? unknown_peer(scan, word, last) : r;
}

int parse_peers(struct scan *scan, enum dnet_direction direction, struct rule *rule)
{
	for (;;) {
		_cleanup_(peer_clear) struct peer peer = { .kind = PEER_ANY };
		int r = parse_peer(scan, direction, rule->peer_count ? &rule->peers[rule->peer_count - 1] : NULL, &peer);

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

int parse_label(const struct place *place, struct word word, char **key, char **value)
{
	struct word head = word_until(word, '='), tail;

	if (head.length && head.length == word.length)
		return place_error(place, word_after(word, word.length),
				   "a value is missing: write label:%s=VALUE, or label:%s=* for any value", word_print(word).text, word_print(word).text);
	if (name_require(place, head, NAME_KEY, "a label") < 0)
		return -EINVAL;
	/* A label may have an empty value. */
	tail = word_after(word, head.length + 1);
	if (tail.length && name_require(place, tail, NAME_VALUE, "a label's value") < 0)
		return -EINVAL;
	*key = word_copy(head);
	*value = word_copy(tail);
	return *key && *value ? 0 : place_no_memory(place);
}

int parse_service(const struct place *place, struct word word, char **project, char **name)
{
	struct word head = word_until(word, '/');

	if (head.length < word.length) {
		if (name_require(place, head, NAME_GLOB, "a project") < 0)
			return -EINVAL;
		*project = word_copy(head);
		if (!*project)
			return place_no_memory(place);
		word = word_after(word, head.length + 1);
	}
	if (name_require(place, word, NAME_GLOB, "a service") < 0)
		return -EINVAL;
	*name = word_copy(word);
	return *name ? 0 : place_no_memory(place);
}

/* Where in the text of a rule a set is named. */
static struct word find_set(const struct place *place, const struct rule *rule, const char *name)
{
	const char *begin = place->text + (place->fixed ? 0 : rule->origin.column - place->origin->column);
	struct scan scan;

	/* No other part of a rule has such a word; a semicolon ends the rule where the text is a list. */
	scan_begin(&scan, place, begin, begin + strcspn(begin, ";"));
	while (scan.word.length && !(word_begins(scan.word, "set:") && word_is(word_after(scan.word, strlen("set:")), name)))
		scan_next(&scan);
	return scan.word;
}

int rule_check_sets(const struct place *place, const struct rule *rule, const struct policy_set *policies)
{
	for (size_t i = 0; i < rule->peer_count; i++) {
		const char *name = rule->peers[i].name;
		struct suggestion suggestion;

		if (rule->peers[i].kind != PEER_SET || policy_set_find(policies, name))
			continue;
		suggest_begin(&suggestion, word_of(name));
		for (size_t j = 0; j < policies->set_count; j++)
			suggest_offer(&suggestion, policies->sets[j].name);
		return place_error(place, find_set(place, rule, name), "there is no set \"%s\"%s",
				   word_print(suggestion.word).text,
				   suggest_end(&suggestion, policies->set_count ? ": \"sets\" of the policy file does not have it" :
							    ": the policy file has no \"sets\""));
	}
	return 0;
}
