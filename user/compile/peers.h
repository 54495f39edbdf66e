/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside compile/: the rows of peers that are found by a number: endpoints, interfaces, classes of sets.
 *
 * Peers of all rulesets that say the same are one pattern, with a list of its users. So an endpoint is compared with each pattern
 * that its words lead to, once, however many rulesets have it.
 */
#ifndef DNETBPF_COMPILE_PEERS_H
#define DNETBPF_COMPILE_PEERS_H

#include "compile/arena.h"
#include "compile/select.h"

struct pattern {
	const struct peer *peer;	/* borrowed of its first user */
	const char *project;		/* the owner's, where the peer asks for it; borrowed of the ruleset; or NULL */
	struct pattern_user {
		uint32_t ruleset;	/* rising */
		uint32_t rule;
	} *users;
	size_t count, room;
};

struct peer_table {
	struct pattern *patterns;
	size_t pattern_count, pattern_room;
	struct anchors identities;	/* patterns by all that they say */
	struct anchors anchors;		/* and by where to look for them */
	struct compiled_peer *rows;	/* sorted by (ruleset, kind, id) */
	size_t row_count;
	struct compiled_peer *fresh;	/* of the run that is under way */
	size_t fresh_count, fresh_room;
	/* While the rows of one subject are put together: */
	uint64_t *bits;
	size_t bits_room;
	struct touched {
		uint32_t ruleset;
		size_t bits;	/* offset */
	} *touched;
	size_t touched_count, touched_room;
	uint32_t *place;	/* by ruleset: index + 1 in touched, or 0 */
	size_t place_room;
};

/* By (ruleset, kind, id), for qsort() and bsearch(). */
int compiled_peer_compare(const void *a, const void *b);
void peers_clear(struct peer_table *table);
/* Enter the peers of a new ruleset. -ENOMEM. */
int peers_add_ruleset(struct peer_table *table, const struct arena *arena, uint32_t local);

/* Begin a run: what an earlier one left unmerged is forgotten. */
void peers_begin(struct peer_table *table);
/* The rows of one subject in the rulesets from @first_ruleset on. -ENOSPC, -ENOMEM. */
int peers_add_endpoint(struct peer_table *table, struct arena *arena, const struct compile_endpoint *endpoint, const uint64_t *anchors,
		       size_t anchor_count, uint32_t first_ruleset, struct error *error);
int peers_add_interface(struct peer_table *table, struct arena *arena, const struct compile_interface *interface, uint32_t first_ruleset,
			struct error *error);
int peers_add_classes(struct peer_table *table, struct arena *arena, const struct policy_set *policies, const struct set_classes *classes,
		      uint32_t first_ruleset, struct error *error);
/* Each country that a rule names is one subject. */
int peers_add_countries(struct peer_table *table, struct arena *arena, uint32_t first_ruleset, struct error *error);

/* Which rows go: those of these endpoints, and whole kinds. */
struct peer_drop {
	const uint32_t *endpoints;	/* sorted ids */
	size_t endpoint_count;
	unsigned int kinds;		/* bits 1 << enum dnet_peer_kind */
};
/* End the run: the fresh rows take the place of those that go. On error the rows are as before. */
int peers_merge(struct peer_table *table, const struct peer_drop *drop, struct error *error);

#endif
