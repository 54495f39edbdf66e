/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "base/text.h"
#include "compile/limits.h"

#define MAX_NAMES 5	/* of one kind; the rest is counted */

static uint64_t hash_text(uint64_t hash, const char *text)
{
	return text_hash(text_hash(hash, text ? text : "\1"), "\n");
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return hash_text(hash, text);
}

static uint64_t hash_selector(uint64_t hash, const struct selector *selector)
{
	hash = hash_number(hash_number(hash, selector->kind), selector->child_count);
	hash = hash_text(hash_text(hash_text(hash, selector->project), selector->key), selector->value);
	for (size_t i = 0; i < selector->child_count; i++)
		hash = hash_selector(hash, &selector->children[i]);
	return hash;
}

/* The text does not say what it has from `limits:`. */
static uint64_t hash_rule(uint64_t hash, const struct rule *rule)
{
	char text[LIMIT_TEXT_SIZE], ban[BAN_TEXT_SIZE];

	hash = hash_text(hash_text(hash, rule->text), rule->name);
	for (size_t i = 0; i < rule->limit_count; i++)
		hash = hash_text(hash, limit_text(&rule->limits[i], text));
	return hash_text(hash, ban_text(rule, ban));
}

/* Of all that makes a policy what it is. Never 0. */
static uint64_t hash_policy(const struct policy *policy)
{
	uint64_t hash = hash_selector(TEXT_HASH_SEED, &policy->selector);

	hash = hash_number(hash, policy->mode | policy->labels_add << 8 | policy->override << 9);
	hash = hash_number(hash, policy->until_unix_ns);
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		const struct rule_list *list = &policy->direction[direction];

		hash = hash_number(hash, list->present);
		for (size_t i = 0; i < list->count; i++)
			hash = hash_rule(hash, &list->rules[i]);
	}
	return hash ? hash : 1;
}

static void say(FILE *out, const char *kind, const char *name, size_t *count, size_t *said)
{
	if (++*count > MAX_NAMES)
		return;
	if (*count == 1)
		fprintf(out, "%s%s: %s", (*said)++ ? "; " : "", kind, name);
	else
		fprintf(out, ", %s", name);
}

static void say_rest(FILE *out, size_t count)
{
	if (count > MAX_NAMES)
		fprintf(out, " and %zu more", count - MAX_NAMES);
}

static int index_policies(struct index *ret, const struct policy_set *set)
{
	for (size_t i = 0; i < set->policy_count; i++)
		if (index_set(ret, text_hash(TEXT_HASH_SEED, set->policies[i].name), hash_policy(&set->policies[i])) < 0)
			return -1;
	return 0;
}

char *changes_between(const struct policy_set *before, const struct policy_set *after)
{
	struct index old = {}, new = {};
	size_t said = 0, size, added = 0, changed = 0, gone = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (index_policies(&old, before) == 0 && index_policies(&new, after) == 0) {
		for (size_t i = 0; i < after->policy_count; i++)
			if (!index_get(&old, text_hash(TEXT_HASH_SEED, after->policies[i].name)))
				say(out, "new", after->policies[i].name, &added, &said);
		say_rest(out, added);
		for (size_t i = 0; i < after->policy_count; i++) {
			uint64_t name = text_hash(TEXT_HASH_SEED, after->policies[i].name);

			if (index_get(&old, name) && index_get(&old, name) != index_get(&new, name))
				say(out, "changed", after->policies[i].name, &changed, &said);
		}
		say_rest(out, changed);
		for (size_t i = 0; i < before->policy_count; i++)
			if (!index_get(&new, text_hash(TEXT_HASH_SEED, before->policies[i].name)))
				say(out, "gone", before->policies[i].name, &gone, &said);
		say_rest(out, gone);
	}
	index_clear(&old);
	index_clear(&new);
	return fclose(out) == 0 ? text : NULL;
}
