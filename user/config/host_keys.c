/* SPDX-License-Identifier: GPL-2.0 */
/* `host:` and `timeouts:` of a policy file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/policy_reader.h"
#include "config/rule_parser.h"

#define MAX_HOST_RULES (DNET_MAX_RULES - 1)	/* the last one is "what no rule answers passes" */

static int append(const struct document *document, const struct node *item, struct policy_reader *reader, enum dnet_direction direction,
		  struct rule *rule)
{
	struct rule_list *list = &reader->set->host.direction[direction];
	int r = policy_grow_rules(document, item, list, MAX_HOST_RULES);

	if (r < 0)
		return r;
	list->present = true;
	list->rules[list->count++] = *rule;
	memset(rule, 0, sizeof(*rule));
	return 0;
}

/* A peer as a rule that allows it. */
static int read_never_block_as(const struct document *document, const struct node *item, struct policy_reader *reader,
			       enum dnet_direction direction)
{
	static const char *const heads[DNET_DIRECTIONS] = { [DNET_INGRESS] = "allow from ", [DNET_EGRESS] = "allow to " };
	_cleanup_free_ char *text = NULL;
	_cleanup_(rule_clear) struct rule rule = {};
	struct origin origin;
	struct place place;
	int r;

	if (asprintf(&text, "%s%s", heads[direction], item->text) < 0) {
		text = NULL;	/* asprintf() leaves it undefined */
		return document_no_memory(document);
	}
	place = node_place(document, item, &origin);
	place.text = text;
	/* Columns are counted from the peer, which stands behind our own words. Below 0 they wrap, and come back when an offset is added. */
	if (!place.fixed)
		origin.column -= (unsigned int)strlen(heads[direction]);
	r = rule_parse_place(&place, direction, &rule);
	if (r == 0)
		r = rule_check_sets(&place, &rule, reader->set);
	if (r < 0)
		return r;
	rule.origin.column = item->text_column;
	return append(document, item, reader, direction, &rule);
}

static int read_never_block_item(const struct document *document, const struct node *item, struct policy_reader *reader)
{
	int r;

	if (item->kind != NODE_SCALAR || item->null || !*item->text || strpbrk(item->text, " \t\r\n,"))
		return node_error(document, item, "each item of never-block is one peer, such as 203.0.113.0/24 or \"set:office\"");
	r = read_never_block_as(document, item, reader, DNET_INGRESS);
	/* `iface:` is where something came in: nothing goes to it. */
	if (r < 0 || strncmp(item->text, "iface:", 6) == 0)
		return r;
	return read_never_block_as(document, item, reader, DNET_EGRESS);
}

static int read_never_block(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	int r = node_require_list(document, key, value);

	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		r = document_note(document, read_never_block_item(document, item, target));
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_host_rule(const struct document *document, const struct node *item, struct policy_reader *reader)
{
	_cleanup_(rule_clear) struct rule rule = {};
	enum dnet_direction direction;
	struct origin origin;
	struct place place;
	int r;

	if (item->kind != NODE_SCALAR || item->null)
		return node_error(document, item, "a rule is one text, such as \"deny from 203.0.113.0/24\" or \"deny to set:bad\"");
	place = node_place(document, item, &origin);
	r = rule_parse_either_place(&place, &direction, &rule);
	if (r == 0)
		r = rule_check_sets(&place, &rule, reader->set);
	if (r < 0)
		return r;
	if (rule.action != DNET_RULE_DENY)
		return node_error(document, item, "the rules of \"host\" only deny: what none of them answers goes on to the container's own "
				  "policy; peers that are never to be blocked belong to never-block");
	return append(document, item, reader, direction, &rule);
}

static int read_host_rules(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	int r = node_require_list(document, key, value);

	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		r = document_note(document, read_host_rule(document, item, target));
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_host_limits(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_reader *reader = target;

	return policy_read_limits(document, key, value, &reader->set->host);
}

/* In this order: the first match wins. */
static const struct node_key host_keys[] = {
	{ "never-block", read_never_block, false },
	{ "rules", read_host_rules, false },
	{ "limits", read_host_limits, false },
};

int policy_read_host(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_reader *reader = target;
	struct policy *host = &reader->set->host;

	if (value->null)
		return node_error(document, key, "\"host\" has no value: leave the key out, or write {}");
	host->name = strdup("host");
	host->origin = (struct origin){ .file = strdup(document->name), .line = key->line, .column = key->column };
	if (!host->name || !host->origin.file)
		return document_no_memory(document);
	return node_read_map(document, value, host_keys, ARRAY_SIZE(host_keys), "\"host\"", reader);
}

static const char *const timeout_names[DNET_TIMEOUT_COUNT] = {
#define X(NAME, key, seconds) [DNET_TIMEOUT_##NAME] = key,
	DNET_TIMEOUTS(X)
#undef X
};

static int read_timeout(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_reader *reader = target;
	uint64_t ns;
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	if (word_duration(word_of(value->text), &ns) < 0)
		return node_error(document, value, "\"%s\" must be a duration from 1s to %dd, such as 30s, 10m, 2h or 5d", key->text,
				  WORD_DURATION_MAX_DAYS);
	for (int i = 0; i < DNET_TIMEOUT_COUNT; i++)
		if (strcmp(timeout_names[i], key->text) == 0)
			reader->set->timeout_sec[i] = (uint32_t)(ns / 1000000000ull);
	return 0;
}

static const struct node_key timeout_keys[] = {
#define X(NAME, key, seconds) { key, read_timeout, false },
	DNET_TIMEOUTS(X)
#undef X
};

int policy_read_timeouts(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	if (value->null)
		return node_error(document, key, "\"timeouts\" has no value: leave the key out, or write {}");
	return node_read_map(document, value, timeout_keys, ARRAY_SIZE(timeout_keys), "\"timeouts\"", target);
}
