/* SPDX-License-Identifier: GPL-2.0 */
/* Whether one rule, peer or selector includes another, by their texts alone. */
#include <string.h>

#include "base/text.h"
#include "check/private.h"

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_pattern(const char *glob)
{
	return strpbrk(glob, "*?");
}

/* Of two patterns only equal ones and "*" are certain. */
static bool glob_covers(const char *outer, const char *inner)
{
	return strcmp(outer, "*") == 0 || strcmp(outer, inner) == 0 || (!is_pattern(inner) && text_glob_match(outer, inner));
}

static bool globs_meet(const char *a, const char *b)
{
	return is_pattern(a) ? is_pattern(b) || text_glob_match(a, b) : is_pattern(b) ? text_glob_match(b, a) : strcmp(a, b) == 0;
}

static bool is_v4(const struct peer *peer)
{
	return peer->prefix_len >= DNET_V4_PREFIX_OFFSET && addr_is_v4(&peer->prefix);
}

bool peer_covers(const struct peer *outer, const struct peer *inner)
{
	if (outer->kind == PEER_ANY)
		return true;
	if (outer->kind == PEER_OUTSIDE && (inner->kind == PEER_LAN || inner->kind == PEER_INTERNET || inner->kind == PEER_INTERFACE))
		return true;
	if (outer->kind == PEER_PROJECT && inner->kind == PEER_SERVICE && !inner->project)
		return false;	/* without a project a bare service still names others without one */
	if (outer->kind != inner->kind)
		return false;
	switch (outer->kind) {
	case PEER_PREFIX:
		return is_v4(outer) == is_v4(inner) && outer->prefix_len <= inner->prefix_len &&
		       addr_in_prefix(&inner->prefix, &outer->prefix, outer->prefix_len);
	case PEER_SERVICE:
		/* No project: the container's own, which "*" has in it. */
		if (!same_text(outer->project, inner->project) &&
		    !(outer->project && (inner->project ? glob_covers(outer->project, inner->project) : strcmp(outer->project, "*") == 0)))
			return false;
		return glob_covers(outer->name, inner->name);
	case PEER_LABEL:
		return same_text(outer->key, inner->key) && glob_covers(outer->name, inner->name);
	case PEER_CONTAINER:
		return glob_covers(outer->name, inner->name);
	default:
		return same_text(outer->name, inner->name);
	}
}

static bool same_selector(const struct selector *a, const struct selector *b)
{
	if (a->kind != b->kind || a->child_count != b->child_count || !same_text(a->project, b->project) || !same_text(a->key, b->key) ||
	    !same_text(a->value, b->value))
		return false;
	for (size_t i = 0; i < a->child_count; i++)
		if (!same_selector(&a->children[i], &b->children[i]))
			return false;
	return true;
}

static bool leaf_covers(const struct selector *outer, const struct selector *inner)
{
	if (outer->kind == SELECT_PROJECT && inner->kind == SELECT_SERVICE)
		return inner->project && glob_covers(outer->value, inner->project);
	if (outer->kind != inner->kind)
		return false;
	switch (outer->kind) {
	case SELECT_CONTAINER:
	case SELECT_PROJECT:
	case SELECT_IMAGE:
		return glob_covers(outer->value, inner->value);
	case SELECT_SERVICE:
		return (!outer->project || (inner->project && glob_covers(outer->project, inner->project))) &&
		       glob_covers(outer->value, inner->value);
	case SELECT_LABEL:
		return strcmp(outer->key, inner->key) == 0 && glob_covers(outer->value, inner->value);
	case SELECT_NETWORK:
		return strcmp(outer->value, inner->value) == 0;
	default:
		return false;
	}
}

bool selector_covers(const struct selector *outer, const struct selector *inner)
{
	if (outer->kind == SELECT_ALL || same_selector(outer, inner))
		return true;
	if (inner->kind == SELECT_OR) {
		for (size_t i = 0; i < inner->child_count; i++)
			if (!selector_covers(outer, &inner->children[i]))
				return false;
		return true;
	}
	if (outer->kind == SELECT_AND) {
		for (size_t i = 0; i < outer->child_count; i++)
			if (!selector_covers(&outer->children[i], inner))
				return false;
		return true;
	}
	if (outer->kind == SELECT_OR)
		for (size_t i = 0; i < outer->child_count; i++)
			if (selector_covers(&outer->children[i], inner))
				return true;
	if (inner->kind == SELECT_AND)
		for (size_t i = 0; i < inner->child_count; i++)
			if (selector_covers(outer, &inner->children[i]))
				return true;
	return leaf_covers(outer, inner);
}

bool selectors_meet(const struct selector *a, const struct selector *b)
{
	if (a->kind == SELECT_OR || a->kind == SELECT_AND) {
		bool all = a->kind == SELECT_AND;

		for (size_t i = 0; i < a->child_count; i++)
			if (selectors_meet(&a->children[i], b) != all)
				return !all;
		return all;
	}
	if (b->kind == SELECT_OR || b->kind == SELECT_AND)
		return selectors_meet(b, a);
	if (a->kind != b->kind)
		return true;
	switch (a->kind) {
	case SELECT_CONTAINER:
	case SELECT_PROJECT:
	case SELECT_IMAGE:
		return globs_meet(a->value, b->value);
	case SELECT_SERVICE:
		return globs_meet(a->value, b->value) && (!a->project || !b->project || globs_meet(a->project, b->project));
	case SELECT_LABEL:
		return strcmp(a->key, b->key) != 0 || globs_meet(a->value, b->value);
	default:
		return true;
	}
}

bool rule_has_port(const struct rule *rule, uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < rule->match_count; i++)
		if (rule->matches[i].first <= DNET_SELECTOR(proto, port) && DNET_SELECTOR(proto, port) <= rule->matches[i].last)
			return true;
	return false;
}

bool rule_names_port(const struct rule *rule, uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < rule->match_count; i++)
		if (rule->matches[i].first == DNET_SELECTOR(proto, port) && rule->matches[i].last == DNET_SELECTOR(proto, port))
			return true;
	return false;
}

bool rules_share_ports(const struct rule *a, const struct rule *b)
{
	for (size_t i = 0; i < a->match_count; i++)
		for (size_t j = 0; j < b->match_count; j++)
			if (a->matches[i].first <= b->matches[j].last && b->matches[j].first <= a->matches[i].last)
				return true;
	return false;
}

/* The first rule that decides @selector for @peer on @network (NULL: on every one), and how far it does. */
static const struct listed_rule *decides(const struct listed_rule *before, size_t count, uint32_t selector, const struct peer *peer,
					 const char *network, uint32_t *ret_last)
{
	for (size_t i = 0; i < count; i++) {
		const struct rule *earlier = before[i].rule;

		if (earlier->network && !same_text(earlier->network, network))
			continue;
		for (size_t j = 0; j < earlier->match_count; j++) {
			if (earlier->matches[j].first > selector || earlier->matches[j].last < selector)
				continue;
			for (size_t k = 0; k < earlier->peer_count; k++)
				if (peer_covers(&earlier->peers[k], peer)) {
					*ret_last = earlier->matches[j].last;
					return &before[i];
				}
		}
	}
	return NULL;
}

unsigned int rules_cover(const struct listed_rule *before, size_t count, const struct rule *rule,
			 const struct listed_rule **ret_first)
{
	const struct listed_rule *first = NULL;
	unsigned int needed = 0;

	for (size_t i = 0; i < rule->match_count; i++)
		for (size_t j = 0; j < rule->peer_count; j++)
			for (uint32_t at = rule->matches[i].first, last; at <= rule->matches[i].last; at = last + 1) {
				const struct listed_rule *by = decides(before, count, at, &rule->peers[j], rule->network, &last);

				if (!by)
					return 0;
				needed = needed == 0 || by == first ? (needed ? needed : 1) : 2;
				first = first ? first : by;
			}
	*ret_first = first;
	return needed;
}
