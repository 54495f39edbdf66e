/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/block_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/ruleset.h"
#include "explain/explanation.h"

#define SECOND_NS 1000000000ull

void block_places_clear(struct block_places *places)
{
	index_clear(&places->containers);
	index_clear(&places->running);
}

int block_places(const struct daemon *daemon, struct block_places *ret)
{
	const struct inventory *inventory = daemon->inventory;
	struct block_places places = { .daemon = daemon };
	int r = 0;

	for (size_t i = 0; inventory && i < inventory->container_count && r == 0; i++)
		r = index_set(&places.containers, live_container(inventory->containers[i].id), (uintptr_t)&inventory->containers[i]);
	for (size_t i = 0; i < daemon->live.count && r == 0; i++)
		if (daemon->live.items[i]->id)
			r = index_set(&places.running, daemon->live.items[i]->container, 1);
	if (r < 0) {
		block_places_clear(&places);
		return r;
	}
	*ret = places;
	return 0;
}

static const char *container_name(const struct block_places *places, uint64_t hash)
{
	const struct container *container = hash ? (const struct container *)index_get(&places->containers, hash) : NULL;

	return container ? container->name : "";
}

void block_words(const struct block_places *places, const struct block_entry *entry, struct block_words *ret)
{
	const struct daemon *daemon = places->daemon;
	const struct dnet_block *block = &entry->block;
	uint64_t container = block_container(&entry->key);
	const struct rule_name *rule = daemon->rule_names && block->rule_counter < DNET_MAX_RULE_COUNTERS ?
				       &daemon->rule_names[block->rule_counter] : NULL;
	const struct limit_name *limit = limits_name(daemon, block->limit_id);
	bool labels;

	*ret = (struct block_words){
		.everywhere = !container, .running = container && index_get(&places->running, container),
		.container = container_name(places, container), .exceeded_at = container_name(places, block->container),
	};
	text_prefix(&entry->key.addr, entry->key.prefix_len - DNET_BLOCK_KEY_BITS, ret->prefix);
	if (block->kind == DNET_BLOCK_BY_HAND) {
		snprintf(ret->why, sizeof(ret->why), "somebody has blocked it by hand");
		return;
	}
	if (limit)
		limit_text(limit->limit, ret->limit);
	if (!rule || !rule->policy) {
		snprintf(ret->why, sizeof(ret->why), "it exceeded a limit of a rule that is not in force any more");
		return;
	}
	ret->rule = rule;
	labels = strcmp(rule->policy, "labels") == 0;
	snprintf(ret->why, sizeof(ret->why), "it exceeded %s%sof rule \"%s\" of %s%s", limit ? ret->limit : "a limit", " ",
		 rule->rule->name, labels ? "the container's labels" : "policy ", labels ? "" : rule->policy);
}

json_t *block_json(const struct block_places *places, const struct block_entry *entry, uint64_t now_ns)
{
	const struct dnet_block *block = &entry->block;
	bool forever = block->until_ns == DNET_BLOCK_FOREVER;
	uint64_t age_ns = now_ns > block->since_ns ? now_ns - block->since_ns : 0,
		 left_ns = block->until_ns > now_ns ? block->until_ns - now_ns : 0;
	char since[TEXT_TIME_SIZE], until[TEXT_TIME_SIZE], origin[EXPLAIN_ORIGIN_SIZE] = "";
	struct block_words words;

	block_words(places, entry, &words);
	if (words.rule)
		explain_origin(&words.rule->rule->origin, origin);
	text_time(unix_of_monotonic(block->since_ns), since);
	if (!forever)
		text_time(unix_of_monotonic(block->until_ns), until);
	return json_pack("{s:s, s:b, s:s, s:b, s:s, s:s, s:I, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:I}",
			 "prefix", words.prefix, "everywhere", words.everywhere, "container", words.container,
			 "running", words.running, "kind", block->kind == DNET_BLOCK_BY_HAND ? "hand" : "ban", "since", since,
			 "seconds", (json_int_t)(age_ns / SECOND_NS), "until", forever ? json_null() : json_string(until),
			 /* Rounded up: what is in force has some time left. */
			 "seconds_left", forever ? json_null() : json_integer((json_int_t)((left_ns + SECOND_NS - 1) / SECOND_NS)),
			 "exceeded_at", words.exceeded_at, "policy", words.rule ? words.rule->policy : "",
			 "rule", words.rule ? words.rule->rule->name : "", "origin", origin, "limit", words.limit,
			 "packets", (json_int_t)block->packets);
}

/* Of several the longest prefix, as the programs have it. */
static const struct block_entry *find(const struct block_entry *entries, size_t count, uint64_t container,
				      const struct dnet_addr *peer, enum dnet_block_kind kind)
{
	const struct block_entry *best = NULL;
	uint64_t now = monotonic_ns();

	for (size_t i = 0; i < count; i++) {
		const struct block_entry *entry = &entries[i];

		if (entry->block.kind == kind && block_container(&entry->key) == container && block_in_force(entry, now) &&
		    prefix_covers(&entry->key.addr, entry->key.prefix_len - DNET_BLOCK_KEY_BITS, peer, 128) &&
		    (!best || entry->key.prefix_len > best->key.prefix_len))
			best = entry;
	}
	return best;
}

void block_clause(const struct daemon *daemon, uint64_t container, const struct dnet_addr *peer, enum dnet_reason reason, char *buffer,
		  size_t size)
{
	/* The kind that refuses is the reason's: what is of the other kind the programs have passed over, or would have named. */
	enum dnet_block_kind kind = reason == DNET_REASON_BANNED ? DNET_BLOCK_BAN : DNET_BLOCK_BY_HAND;
	_cleanup_(block_places_clear) struct block_places places = {};
	_cleanup_free_ struct block_entry *entries = NULL;
	char duration[TEXT_DURATION_SIZE], left[TEXT_DURATION_SIZE + 16] = "without end";
	const struct block_entry *entry;
	struct block_words words;
	size_t count = 0;

	buffer[0] = '\0';
	if (blocks_read(daemon->dataplane, &entries, &count) < 0 || block_places(daemon, &places) < 0)
		return;
	/* What holds everywhere is asked first. */
	entry = find(entries, count, 0, peer, kind);
	entry = entry ? entry : find(entries, count, container, peer, kind);
	if (!entry)
		return;
	block_words(&places, entry, &words);
	if (entry->block.until_ns != DNET_BLOCK_FOREVER) {
		uint64_t now = monotonic_ns(), end = entry->block.until_ns;

		snprintf(left, sizeof(left), "for another %s", text_duration(end > now ? (end - now + SECOND_NS - 1) / SECOND_NS : 0, duration));
	}
	snprintf(buffer, size, "%s is %s %s %s, because %s; `dnetbpf unblock %s` lifts it", words.prefix,
		 entry->block.kind == DNET_BLOCK_BY_HAND ? "blocked" : "banned", words.everywhere ? "everywhere" : "there", left, words.why,
		 words.prefix);
}
