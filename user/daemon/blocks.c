/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/block_words.h"
#include "daemon/state.h"

#define MOST_TOLD 20	/* bans that a sweep logs one by one */
#define SECOND_NS 1000000000ull

static unsigned int kind_of(const struct block_entry *entry)
{
	return entry->block.kind < BLOCK_KINDS ? entry->block.kind : DNET_BLOCK_BAN;
}

void blocks_adopt(struct daemon *daemon)
{
	_cleanup_free_ struct block_entry *entries = NULL;
	uint64_t now = monotonic_ns();
	size_t count = 0, standing = 0;

	daemon->blocks.told_ns = now;
	if (blocks_read(daemon->dataplane, &entries, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		standing += block_in_force(&entries[i], now);
	if (standing)
		log_info("%zu bans and blocks from before are still in force", standing);
}

/* --- the sweep */

struct sweep {
	struct daemon *daemon;
	struct block_places places;
	uint64_t now_ns, told_ns;	/* bans between the two are new */
	size_t standing[BLOCK_KINDS], new;
	uint64_t end_ns;		/* of what lasts longest */
};

static void tell(const struct block_places *places, const struct block_entry *entry)
{
	char duration[TEXT_DURATION_SIZE];
	struct block_words words;

	block_words(places, entry, &words);
	text_duration((entry->block.until_ns - entry->block.since_ns) / SECOND_NS, duration);
	if (words.everywhere)
		log_info("%s is banned everywhere for %s: %s%s%s", words.prefix, duration, words.why, *words.exceeded_at ? " at " : "",
			 words.exceeded_at);
	else
		log_info("%s is banned at %s for %s: %s", words.prefix, words.container, duration, words.why);
}

/* Is the container there, running or not? One that is being removed has its interfaces for a while longer. */
static bool has_place(const struct sweep *sweep, uint64_t container)
{
	return !container || !sweep->daemon->inventory || index_get(&sweep->places.containers, container) ||
	       index_get(&sweep->places.running, container);
}

static void sweep_entry(struct sweep *sweep, const struct block_entry *entry)
{
	if (!block_in_force(entry, sweep->now_ns) || !has_place(sweep, block_container(&entry->key))) {
		block_remove(sweep->daemon->dataplane, entry);
		return;
	}
	sweep->standing[kind_of(entry)]++;
	if (entry->block.until_ns > sweep->end_ns)
		sweep->end_ns = entry->block.until_ns;
	if (entry->block.kind == DNET_BLOCK_BAN && entry->block.since_ns > sweep->daemon->blocks.told_ns &&
	    entry->block.since_ns <= sweep->told_ns && sweep->new++ < MOST_TOLD)
		tell(&sweep->places, entry);
}

void blocks_sweep(struct daemon *daemon)
{
	_cleanup_free_ struct block_entry *entries = NULL;
	/* A ban is in the table a moment after its time was taken: the youngest are told the next time. */
	struct sweep sweep = { .daemon = daemon, .now_ns = monotonic_ns(), .told_ns = monotonic_ns() - SECOND_NS / 1000 };
	uint64_t until = blocks_until(daemon->dataplane);
	size_t count = 0;
	int r = blocks_read(daemon->dataplane, &entries, &count);

	if (r == 0)
		r = block_places(daemon, &sweep.places);
	if (r < 0) {
		log_debug("cannot read the table of blocks: %s", strerror(-r));
		return;
	}
	for (size_t i = 0; i < count; i++)
		sweep_entry(&sweep, &entries[i]);
	if (sweep.new > MOST_TOLD)
		log_info("... and %zu more bans", sweep.new - MOST_TOLD);
	r = blocks_lower(daemon->dataplane, until, sweep.end_ns);
	if (r < 0)
		log_debug("cannot read the table of blocks: %s", strerror(-r));
	block_places_clear(&sweep.places);
	daemon->blocks.told_ns = sweep.told_ns;
	memcpy(daemon->blocks.standing, sweep.standing, sizeof(sweep.standing));
}

/* --- numbers */

size_t blocks_standing(const struct daemon *daemon)
{
	return daemon->blocks.standing[DNET_BLOCK_BAN] + daemon->blocks.standing[DNET_BLOCK_BY_HAND];
}

int blocks_count(const struct daemon *daemon, struct index *ret)
{
	_cleanup_free_ struct block_entry *entries = NULL;
	uint64_t now = monotonic_ns();
	size_t count = 0;
	int r = blocks_read(daemon->dataplane, &entries, &count);

	for (size_t i = 0; i < count && r == 0; i++) {
		uint64_t container = block_container(&entries[i].key);

		if (block_in_force(&entries[i], now))
			r = index_set(ret, container, index_get(ret, container) + 1);
	}
	return r;
}

void blocks_metrics(const struct daemon *daemon, struct metrics *metrics)
{
	static const char *const kinds[BLOCK_KINDS] = { [DNET_BLOCK_BAN] = "ban", [DNET_BLOCK_BY_HAND] = "hand" };
	const struct dnet_state *state = daemon->dataplane->state;

	metrics_family(metrics, "dnetbpf_bans_total", "counter", "Bans that were set because a source exceeded a limit.");
	metrics_sample_u64(metrics, "dnetbpf_bans_total", state->bans, NULL);
	metrics_family(metrics, "dnetbpf_bans_refused_total", "counter", "Bans that found the table of blocks full.");
	metrics_sample_u64(metrics, "dnetbpf_bans_refused_total", state->bans_refused, NULL);
	metrics_family(metrics, "dnetbpf_blocks", "gauge", "Bans and blocks by hand that are in force.");
	for (size_t i = 0; i < BLOCK_KINDS; i++)
		metrics_sample_u64(metrics, "dnetbpf_blocks", daemon->blocks.standing[i], "kind", kinds[i], NULL);
}
