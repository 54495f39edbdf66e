/* SPDX-License-Identifier: GPL-2.0 */
/* `blocks` and `unblock`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "compile/ruleset.h"
#include "daemon/block_words.h"

#define MOST_LISTED 2000	/* in one answer */

/* Whom a command means. */
struct selection {
	const char *text;	/* as it was written; NULL: everybody */
	struct dnet_addr addr;
	unsigned int prefix_len;
	const char *container;	/* glob; NULL: wherever */
};

static int parse_prefix(const char *text, struct selection *ret, struct error *error)
{
	bool host_bits;
	int r = text_parse_prefix(text, &ret->addr, &ret->prefix_len, &host_bits);

	if (r < 0)
		return error_set(error, -EINVAL, r == -ERANGE ? "%s: the length after the / is longer than the address" :
				 "%s is neither an address nor a prefix: write 203.0.113.7, 203.0.113.0/24, 2001:db8::7 or 2001:db8::/64", text);
	if (host_bits) {
		char masked[TEXT_PREFIX_SIZE];

		addr_mask(&ret->addr, ret->prefix_len);
		return error_set(error, -EINVAL, "%s names an address and a length that cuts it off: write %s, or the address alone", text,
				 text_prefix(&ret->addr, ret->prefix_len, masked));
	}
	ret->text = text;
	return 0;
}

/* Have the two an address in common? */
static bool selects_prefix(const struct selection *selection, const struct block_entry *entry)
{
	unsigned int length = entry->key.prefix_len - DNET_BLOCK_KEY_BITS;

	return !selection->text || prefix_covers(&entry->key.addr, length, &selection->addr, selection->prefix_len) ||
	       prefix_covers(&selection->addr, selection->prefix_len, &entry->key.addr, length);
}

static bool selects_place(const struct block_places *places, const struct selection *selection, const struct block_entry *entry)
{
	struct block_words words;

	if (!selection->container)
		return true;
	block_words(places, entry, &words);
	return !words.everywhere && text_glob_match(selection->container, words.container);
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct block_entry *)a)->block.since_ns, y = ((const struct block_entry *)b)->block.since_ns;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* What is in force, the newest first, and where. */
struct standing {
	struct block_entry *entries;
	size_t count;
	struct block_places places;
};

static void standing_clear(struct standing *standing)
{
	free(standing->entries);
	block_places_clear(&standing->places);
}

/* @ret is empty, and to be cleared in any case. */
static int standing_read(const struct daemon *daemon, uint64_t now, struct standing *ret, struct error *error)
{
	size_t count = 0;
	int r = blocks_read(daemon->dataplane, &ret->entries, &count);

	if (r == 0)
		r = block_places(daemon, &ret->places);
	if (r < 0)
		return error_set(error, r, "cannot read the table of blocks: %s", strerror(-r));
	for (size_t i = 0; i < count; i++)
		if (block_in_force(&ret->entries[i], now))
			ret->entries[ret->count++] = ret->entries[i];
	if (ret->count)
		qsort(ret->entries, ret->count, sizeof(*ret->entries), newest_first);
	return 0;
}

int report_blocks(void *context, const json_t *request, json_t **ret, struct error *error)
{
	const struct daemon *daemon = context;
	const char *prefix = json_string_value(json_object_get(request, "prefix"));
	struct selection selection = { .container = json_string_value(json_object_get(request, "container")) };
	_cleanup_(standing_clear) struct standing standing = {};
	uint64_t now = monotonic_ns();
	size_t selected = 0;
	json_t *blocks;
	int r = prefix ? parse_prefix(prefix, &selection, error) : 0;

	if (r == 0)
		r = standing_read(daemon, now, &standing, error);
	if (r < 0)
		return r;
	blocks = json_array();
	for (size_t i = 0; i < standing.count; i++) {
		const struct block_entry *entry = &standing.entries[i];

		if (selects_prefix(&selection, entry) && selects_place(&standing.places, &selection, entry) && selected++ < MOST_LISTED)
			json_array_append_new(blocks, block_json(&standing.places, entry, now));
	}
	*ret = json_pack("{s:o, s:I, s:I, s:i}", "blocks", blocks, "selected", (json_int_t)selected, "entries", (json_int_t)standing.count,
			 "capacity", DNET_MAX_BLOCKS);
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}

/* --- unblock */

struct lifting {
	struct daemon *daemon;
	struct standing standing;
	size_t lifted;
	bool *gone;	/* parallel to its entries */
	uint64_t now_ns;
	json_t *blocks, *missing;	/* owned */
};

static void lifting_clear(struct lifting *lifting)
{
	standing_clear(&lifting->standing);
	free(lifting->gone);
	json_decref(lifting->blocks);
	json_decref(lifting->missing);
}

static int lift_one(struct lifting *lifting, size_t i, struct error *error)
{
	const struct block_entry *entry = &lifting->standing.entries[i];
	/* Before it is removed: what it has refused up to now is told. */
	json_t *block = lifting->lifted < MOST_LISTED ? block_json(&lifting->standing.places, entry, lifting->now_ns) : NULL;
	int r = map_delete(lifting->daemon->dataplane->blocks_fd, &entry->key);

	if (r < 0) {
		json_decref(block);
		return error_set(error, r, "cannot remove a block: %s", strerror(-r));
	}
	lifting->gone[i] = true;
	lifting->lifted++;
	if (block)
		json_array_append_new(lifting->blocks, block);
	return 0;
}

/* @elsewhere: but not where it was meant. */
static json_t *missing_sentence(const struct selection *selection, bool elsewhere)
{
	const char *at = selection->container ? " at " : "", *container = selection->container ? selection->container : "";

	if (!selection->text)
		return json_sprintf("nothing is blocked%s%s", at, container);
	if (elsewhere)
		return json_sprintf("%s is blocked, but not at %s alone: leave --container out, or name the container that `dnetbpf blocks` shows",
				    selection->text, container);
	return json_sprintf("%s is not blocked%s%s", selection->text, at, container);
}

static int lift(struct lifting *lifting, const struct selection *selection, struct error *error)
{
	bool found = false, elsewhere = false;
	int r = 0;

	for (size_t i = 0; i < lifting->standing.count && r == 0; i++) {
		const struct block_entry *entry = &lifting->standing.entries[i];

		if (!selects_prefix(selection, entry))
			continue;
		if (!selects_place(&lifting->standing.places, selection, entry)) {
			elsewhere = true;
			continue;
		}
		found = true;
		if (!lifting->gone[i])
			r = lift_one(lifting, i, error);
	}
	if (r < 0 || found)
		return r;
	json_array_append_new(lifting->missing, missing_sentence(selection, elsewhere));
	return 0;
}

int unblock_request(void *context, const json_t *request, json_t **ret, struct error *error)
{
	_cleanup_(lifting_clear) struct lifting lifting = { .daemon = context, .now_ns = monotonic_ns(), .blocks = json_array(),
							    .missing = json_array() };
	const char *container = json_string_value(json_object_get(request, "container"));
	const json_t *prefixes = json_object_get(request, "prefixes");
	bool all = json_is_true(json_object_get(request, "all"));
	const json_t *prefix;
	size_t i;
	int r = 0;

	if (!all && !json_array_size(prefixes))
		return error_set(error, -EINVAL, "the request needs \"prefixes\", or \"all\"");
	/* All are looked at before something is done. */
	json_array_foreach(prefixes, i, prefix) {
		struct selection selection = {};

		r = parse_prefix(json_string_value(prefix) ? json_string_value(prefix) : "", &selection, error);
		if (r < 0)
			return r;
	}
	r = standing_read(lifting.daemon, lifting.now_ns, &lifting.standing, error);
	if (r < 0)
		return r;
	lifting.gone = calloc(lifting.standing.count + 1, sizeof(*lifting.gone));
	if (!lifting.gone || !lifting.blocks || !lifting.missing)
		return error_set(error, -ENOMEM, "out of memory");
	if (all)
		r = lift(&lifting, &(struct selection){ .container = container }, error);
	json_array_foreach(prefixes, i, prefix) {
		struct selection selection = { .container = container };

		if (r == 0)
			r = parse_prefix(json_string_value(prefix), &selection, error);
		if (r == 0)
			r = lift(&lifting, &selection, error);
	}
	if (lifting.lifted) {
		log_info("unblock: %zu lifted", lifting.lifted);
		blocks_sweep(lifting.daemon);
	}
	if (r < 0)
		return r;
	*ret = json_pack("{s:O, s:I, s:O}", "blocks", lifting.blocks, "lifted", (json_int_t)lifting.lifted, "missing", lifting.missing);
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}
