/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "compile/ruleset.h"

void peers_clear(struct peer_table *table)
{
	for (size_t i = 0; i < table->pattern_count; i++)
		free(table->patterns[i].users);
	free(table->patterns);
	anchors_clear(&table->identities);
	anchors_clear(&table->anchors);
	free(table->rows);
	free(table->fresh);
	free(table->bits);
	free(table->touched);
	free(table->place);
	memset(table, 0, sizeof(*table));
}

static int no_memory(struct error *error)
{
	return error_set(error, -ENOMEM, "out of memory");
}

/* --- patterns */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static uint64_t identity(const struct peer *peer, const char *project)
{
	const char *parts[] = { peer->project, peer->key, peer->name, project };
	char kind[2] = { (char)('a' + peer->kind), '\0' };
	uint64_t hash = text_hash(TEXT_HASH_SEED, kind);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		hash = text_hash(text_hash(hash, parts[i] ? parts[i] : ""), parts[i] ? "\n" : "\t");
	return hash;
}

/* Its index, made when there is none, or -ENOMEM. */
static long pattern_of(struct peer_table *table, const struct peer *peer, const char *project)
{
	uint64_t hash = identity(peer, project);
	uint32_t position = 0, index;

	while (anchors_next(&table->identities, hash, &position, &index)) {
		const struct pattern *pattern = &table->patterns[index];

		if (pattern->peer->kind == peer->kind && same_text(pattern->peer->project, peer->project) &&
		    same_text(pattern->peer->key, peer->key) && same_text(pattern->peer->name, peer->name) &&
		    same_text(pattern->project, project))
			return index;
	}
	if (array_grow((void **)&table->patterns, &table->pattern_room, table->pattern_count, sizeof(*table->patterns)) < 0)
		return -ENOMEM;
	index = (uint32_t)table->pattern_count;
	table->patterns[index] = (struct pattern){ .peer = peer, .project = project };
	table->pattern_count++;
	if (anchors_add(&table->identities, hash, index) < 0 || anchors_add(&table->anchors, peer_anchor(peer, project), index) < 0)
		return -ENOMEM;
	return index;
}

int peers_add_ruleset(struct peer_table *table, const struct arena *arena, uint32_t local)
{
	const struct ruleset *source = &arena->sources[local];

	for (size_t i = 0; i < source->count; i++) {
		const struct rule *rule = source->rules[i].rule;

		for (size_t j = 0; j < rule->peer_count; j++) {
			const struct peer *peer = &rule->peers[j];
			struct pattern *pattern;
			long index;

			if (!peer_is_name(peer) && peer->kind != PEER_INTERFACE && peer->kind != PEER_SET &&
			    peer->kind != PEER_COUNTRY)
				continue;
			index = pattern_of(table, peer, peer_needs_project(peer) ? source->project : NULL);
			if (index < 0)
				return -ENOMEM;
			pattern = &table->patterns[index];
			if (array_grow((void **)&pattern->users, &pattern->room, pattern->count, sizeof(*pattern->users)) < 0)
				return -ENOMEM;
			pattern->users[pattern->count++] = (struct pattern_user){ local, (uint32_t)i };
		}
	}
	return 0;
}

/* --- the rows of one subject */

void peers_begin(struct peer_table *table)
{
	table->fresh_count = 0;
}

static int full(struct error *error)
{
	return error_set(error, -ENOSPC, "the policies name more than %d pairs of a list of rules and a container, interface, country or class of sets, "
			 "which is the limit; use networks, outside or fewer names", DNET_MAX_PEER_ROWS);
}

/* Memory for a bit of every ruleset that there is. */
static int begin_subject(struct peer_table *table, const struct arena *arena)
{
	table->touched_count = 0;
	if (table->place_room < arena->ruleset_count) {
		size_t room = arena->ruleset_count * 2;
		uint32_t *place = calloc(room, sizeof(*place));

		if (!place)
			return -ENOMEM;
		free(table->place);
		table->place = place;
		table->place_room = room;
	}
	return 0;
}

static int touch(struct peer_table *table, const struct arena *arena, const struct pattern_user *user)
{
	uint32_t words = arena->sources[user->ruleset].words;
	struct touched *touched;

	if (!table->place[user->ruleset]) {
		size_t bits = 0;

		if (table->touched_count) {
			touched = &table->touched[table->touched_count - 1];
			bits = touched->bits + arena->sources[touched->ruleset].words;
		}
		if (array_grow((void **)&table->touched, &table->touched_room, table->touched_count, sizeof(*table->touched)) < 0 ||
		    array_grow((void **)&table->bits, &table->bits_room, bits + words, sizeof(*table->bits)) < 0)
			return -ENOMEM;
		memset(table->bits + bits, 0, words * sizeof(*table->bits));
		table->touched[table->touched_count++] = (struct touched){ user->ruleset, bits };
		table->place[user->ruleset] = (uint32_t)table->touched_count;
	}
	touched = &table->touched[table->place[user->ruleset] - 1];
	bit_set(table->bits + touched->bits, user->rule);
	return 0;
}

/* The users of a pattern that is the subject. New rulesets are at the end. */
static int touch_users(struct peer_table *table, const struct arena *arena, const struct pattern *pattern, uint32_t first_ruleset)
{
	for (size_t i = pattern->count; i-- > 0 && pattern->users[i].ruleset >= first_ruleset;)
		if (touch(table, arena, &pattern->users[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* @r: what touching said. Always ends the subject. */
static int end_subject(struct peer_table *table, struct arena *arena, enum dnet_peer_kind kind, uint32_t id, int r, struct error *error)
{
	if (r < 0)
		r = no_memory(error);
	for (size_t i = 0; i < table->touched_count; i++) {
		const struct touched *touched = &table->touched[i];
		uint32_t row;

		table->place[touched->ruleset] = 0;
		if (r == 0)
			r = arena_row(arena, table->bits + touched->bits, arena->sources[touched->ruleset].words, &row, error);
		if (r == 0 && table->fresh_count >= DNET_MAX_PEER_ROWS)
			r = full(error);
		if (r == 0 && array_grow((void **)&table->fresh, &table->fresh_room, table->fresh_count, sizeof(*table->fresh)) < 0)
			r = no_memory(error);
		if (r == 0)
			table->fresh[table->fresh_count++] = (struct compiled_peer){ touched->ruleset, kind, id, row };
	}
	return r;
}

int peers_add_endpoint(struct peer_table *table, struct arena *arena, const struct compile_endpoint *endpoint, const uint64_t *anchors,
		       size_t anchor_count, uint32_t first_ruleset, struct error *error)
{
	int r = begin_subject(table, arena);

	for (size_t i = 0; i < anchor_count && r == 0; i++) {
		uint32_t position = 0, index;

		while (r == 0 && anchors_next(&table->anchors, anchors[i], &position, &index)) {
			const struct pattern *pattern = &table->patterns[index];

			if (pattern->count && pattern->users[pattern->count - 1].ruleset >= first_ruleset &&
			    peer_names_endpoint(pattern->peer, pattern->project, endpoint))
				r = touch_users(table, arena, pattern, first_ruleset);
		}
	}
	return end_subject(table, arena, DNET_PEER_KIND_ENDPOINT, endpoint->id, r, error);
}

/* The users of a pattern that is one exact name. */
static int touch_name(struct peer_table *table, const struct arena *arena, enum peer_kind kind, uint64_t anchor, const char *name,
		      uint32_t first_ruleset)
{
	uint32_t position = 0, index;
	int r = 0;

	while (r == 0 && anchors_next(&table->anchors, anchor, &position, &index)) {
		const struct pattern *pattern = &table->patterns[index];

		if (pattern->peer->kind == kind && strcmp(pattern->peer->name, name) == 0)
			r = touch_users(table, arena, pattern, first_ruleset);
	}
	return r;
}

int peers_add_interface(struct peer_table *table, struct arena *arena, const struct compile_interface *interface, uint32_t first_ruleset,
			struct error *error)
{
	int r = begin_subject(table, arena);

	if (r == 0)
		r = touch_name(table, arena, PEER_INTERFACE, interface_anchor(interface->name), interface->name, first_ruleset);
	return end_subject(table, arena, DNET_PEER_KIND_INTERFACE, interface->ifindex, r, error);
}

int peers_add_classes(struct peer_table *table, struct arena *arena, const struct policy_set *policies, const struct set_classes *classes,
		      uint32_t first_ruleset, struct error *error)
{
	const struct set_class *list;
	size_t count = classes ? set_classes_list(classes, &list) : 0;

	for (size_t i = 0; i < count; i++) {
		int r = begin_subject(table, arena);

		for (size_t j = 0; j < list[i].set_count && r == 0; j++) {
			const char *name = policies->sets[list[i].sets[j]].name;

			r = touch_name(table, arena, PEER_SET, set_anchor(name), name, first_ruleset);
		}
		r = end_subject(table, arena, DNET_PEER_KIND_SET_CLASS, list[i].id, r, error);
		if (r < 0)
			return r;
	}
	return 0;
}

int peers_add_countries(struct peer_table *table, struct arena *arena, uint32_t first_ruleset, struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < table->pattern_count && r == 0; i++) {
		const struct pattern *pattern = &table->patterns[i];

		if (pattern->peer->kind != PEER_COUNTRY)
			continue;
		r = begin_subject(table, arena);
		if (r == 0)
			r = touch_users(table, arena, pattern, first_ruleset);
		r = end_subject(table, arena, DNET_PEER_KIND_COUNTRY, dnet_country(pattern->peer->name), r, error);
	}
	return r;
}

/* --- all rows */

int compiled_peer_compare(const void *a, const void *b)
{
	const struct compiled_peer *x = a, *y = b;

	if (x->ruleset != y->ruleset)
		return x->ruleset < y->ruleset ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static bool goes(const struct compiled_peer *row, const struct peer_drop *drop)
{
	return drop->kinds >> row->kind & 1 ||
	       (row->kind == DNET_PEER_KIND_ENDPOINT && drop->endpoint_count &&
		bsearch(&row->id, drop->endpoints, drop->endpoint_count, sizeof(*drop->endpoints), compare_u32));
}

int peers_merge(struct peer_table *table, const struct peer_drop *drop, struct error *error)
{
	size_t old = 0, fresh = 0, count = 0;
	struct compiled_peer *merged;

	if (!table->fresh_count && !drop->endpoint_count && !drop->kinds)
		return 0;
	if (table->fresh_count)
		qsort(table->fresh, table->fresh_count, sizeof(*table->fresh), compiled_peer_compare);
	merged = malloc((table->row_count + table->fresh_count + 1) * sizeof(*merged));
	if (!merged)
		return no_memory(error);
	while (old < table->row_count || fresh < table->fresh_count) {
		if (old < table->row_count && goes(&table->rows[old], drop))
			old++;
		else if (fresh >= table->fresh_count ||
			 (old < table->row_count && compiled_peer_compare(&table->rows[old], &table->fresh[fresh]) < 0))
			merged[count++] = table->rows[old++];
		else
			merged[count++] = table->fresh[fresh++];
	}
	if (count > DNET_MAX_PEER_ROWS) {
		free(merged);
		return full(error);
	}
	free(table->rows);
	table->rows = merged;
	table->row_count = count;
	table->fresh_count = 0;
	return 0;
}
