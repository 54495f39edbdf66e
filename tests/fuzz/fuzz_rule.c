/* SPDX-License-Identifier: GPL-2.0 */
/* The rule grammar: rules, lists of rules and selectors, from text that a container's labels may hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/rule.h"

static void require(int condition)
{
	if (!condition)
		abort();
}

static int same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int is_allowed_name(const char *name)
{
	return !name || (*name && !strpbrk(name, " ,;\t\n\r"));
}

static void check_peer(const struct peer *peer, enum dnet_direction direction)
{
	require(peer->prefix_len <= 128);
	require((peer->kind >= PEER_CONTAINER) == (peer->name != NULL));
	require((peer->kind == PEER_LABEL) == (peer->key != NULL));
	require(!peer->project || peer->kind == PEER_SERVICE);
	require(peer->kind != PEER_INTERFACE || direction == DNET_INGRESS);
	require(peer->kind != PEER_COUNTRY || (strlen(peer->name) == 2 && peer->name[0] >= 'A' && peer->name[1] <= 'Z'));
	require(is_allowed_name(peer->project) && is_allowed_name(peer->key));
	require(peer->kind == PEER_LABEL || is_allowed_name(peer->name));
}

static void check_limit(const struct rule *rule, size_t index, enum dnet_direction direction)
{
	const struct limit *limit = &rule->limits[index];

	require(rule->action == DNET_RULE_ALLOW && limit->count > 0 && limit->count <= 10000000 && limit->burst <= 1000000);
	require((limit->kind == LIMIT_CONNS) == (limit->unit_ns == 0) && (limit->kind != LIMIT_CONNS || limit->burst == 0));
	require(limit->per != (direction == DNET_INGRESS ? LIMIT_PER_DST : LIMIT_PER_SRC));
	require(limit->v4_len >= 1 && limit->v4_len <= 32 && limit->v6_len >= 33 && limit->v6_len <= 128);
	require(limit->source == LIMIT_OF_RULE && !(rule->no_limits & 1u << limit->kind));
	for (size_t i = 0; i < index; i++)
		require(rule->limits[i].kind != limit->kind);
}

static void check_same(const struct rule *a, const struct rule *b)
{
	require(same_text(a->text, b->text) && same_text(a->name, b->name) && same_text(a->network, b->network));
	require(a->action == b->action && a->ban_ns == b->ban_ns && a->ban_host == b->ban_host && a->log == b->log);
	require(a->no_limits == b->no_limits && a->no_ban == b->no_ban);
	require(a->match_count == b->match_count && a->peer_count == b->peer_count && a->limit_count == b->limit_count);
	require(memcmp(a->matches, b->matches, a->match_count * sizeof(*a->matches)) == 0);
	for (size_t i = 0; i < a->peer_count; i++) {
		const struct peer *p = &a->peers[i], *q = &b->peers[i];

		require(p->kind == q->kind && p->prefix_len == q->prefix_len && memcmp(&p->prefix, &q->prefix, sizeof(p->prefix)) == 0);
		require(same_text(p->project, q->project) && same_text(p->key, q->key) && same_text(p->name, q->name));
	}
	for (size_t i = 0; i < a->limit_count; i++) {
		const struct limit *l = &a->limits[i], *m = &b->limits[i];

		require(l->kind == m->kind && l->count == m->count && l->unit_ns == m->unit_ns && l->burst == m->burst);
		require(l->per == m->per && l->v4_len == m->v4_len && l->v6_len == m->v6_len);
	}
}

/* The compiler and the counters count on these. */
static void check_rule(const struct rule *rule, enum dnet_direction direction)
{
	struct origin origin = { .file = (char *)"again", .line = 1, .column = 1 };
	enum dnet_direction either;
	struct rule again;

	require(rule->match_count > 0 && rule->peer_count > 0 && *rule->name && *rule->text);
	for (size_t i = 0; i < rule->match_count; i++)
		require(rule->matches[i].first <= rule->matches[i].last && rule->matches[i].last <= DNET_SELECTOR_MAX);
	for (size_t i = 0; i < rule->peer_count; i++)
		check_peer(&rule->peers[i], direction);
	for (size_t i = 0; i < rule->limit_count; i++)
		check_limit(rule, i, direction);
	require(!rule->ban_ns || (rule->limit_count && direction == DNET_INGRESS && !rule->no_ban));
	/* The normalised text means the same and is its own normal form, in whichever way it is read. */
	require(rule_parse(rule->text, direction, &origin, &again, NULL) == 0);
	check_same(rule, &again);
	rule_clear(&again);
	require(rule_parse_either(rule->text, &origin, &either, &again, NULL) == 0 && either == direction);
	check_same(rule, &again);
	rule_clear(&again);
	require(rule_parse(rule->text, direction == DNET_INGRESS ? DNET_EGRESS : DNET_INGRESS, &origin, &again, NULL) < 0);
}

static void check_selector(const struct selector *selector, unsigned int depth)
{
	int chain = selector->kind == SELECT_AND || selector->kind == SELECT_OR;

	/* A chain adds a level of its own to every parenthesis. */
	require(depth <= 3 * SELECTOR_MAX_DEPTH);
	require(chain ? selector->child_count >= 2 : selector->child_count == (selector->kind == SELECT_NOT));
	require((selector->value != NULL) == (selector->kind >= SELECT_CONTAINER && selector->kind <= SELECT_IMAGE));
	require((selector->key != NULL) == (selector->kind == SELECT_LABEL));
	for (size_t i = 0; i < selector->child_count; i++)
		check_selector(&selector->children[i], depth + 1);
}

static void check_error(const struct error *error, const char *begin, size_t size)
{
	require(error->column >= 1 && error->column - 1 + error->length <= size);
	require(error->sentence > 0 && error->sentence < strlen(error->text));
	require(strncmp(error->text, begin, strlen(begin)) == 0);
	for (const char *c = error->text; *c; c++)
		require(*c >= ' ' && *c <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct origin place = { .file = (char *)"f", .line = 1, .column = 1 };
	struct origin label = { .file = (char *)"label x", .line = 0, .column = 1 };
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		struct error error = {};
		struct rule_list list;
		struct rule rule;

		if (rule_parse(text, (enum dnet_direction)direction, &place, &rule, &error) == 0) {
			check_rule(&rule, (enum dnet_direction)direction);
			rule_clear(&rule);
		} else {
			check_error(&error, "f:1:", strlen(text));
		}
		if (rule_list_parse(text, (enum dnet_direction)direction, &label, &list, &error) == 0) {
			require(list.present && list.count <= DNET_MAX_RULES);
			for (size_t i = 0; i < list.count; i++)
				check_rule(&list.rules[i], (enum dnet_direction)direction);
			rule_list_clear(&list);
		} else {
			check_error(&error, "label x, column ", strlen(text));
		}
	}
	{
		struct policy policy = { .name = NULL };
		struct error error = {};

		if (selector_parse(text, &place, &policy.selector, &error) < 0)
			check_error(&error, "f:1:", strlen(text));
		else
			check_selector(&policy.selector, 1);
		policy_clear(&policy);
	}
	free(text);
	return 0;
}
