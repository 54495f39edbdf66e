/* SPDX-License-Identifier: GPL-2.0 */
/* A block in words: for the log, for sentences, as JSON. */
#ifndef DNETBPF_DAEMON_BLOCK_WORDS_H
#define DNETBPF_DAEMON_BLOCK_WORDS_H

#include "base/text.h"
#include "compile/limits.h"
#include "daemon/state.h"

/* Who is behind the hashes of dnet_endpoint.container, as of now: for one request. */
struct block_places {
	const struct daemon *daemon;
	struct index containers;	/* to those that the inventory has, borrowed */
	struct index running;		/* 1 for those with an interface that has an id */
};

/* Texts are borrowed from the daemon until its next event; "" where nothing is known, or nothing is meant. */
struct block_words {
	char prefix[TEXT_PREFIX_SIZE];
	bool everywhere, running;	/* else it holds at: */
	const char *container;
	const char *exceeded_at;	/* the container */
	const struct rule_name *rule;	/* NULL: it is in force no more, or it is a block by hand */
	char limit[LIMIT_TEXT_SIZE];
	char why[512];			/* "it exceeded rate 100/s per src of rule \"public\" of policy web" */
};

/* 0 or -ENOMEM. */
int block_places(const struct daemon *daemon, struct block_places *ret);
void block_places_clear(struct block_places *places);
void block_words(const struct block_places *places, const struct block_entry *entry, struct block_words *ret);
/*
 * { prefix, everywhere, container, running, kind (ban, hand), since, seconds, until (null: without end), seconds_left (null),
 *   exceeded_at, policy, rule, origin, limit, packets }. A new reference.
 */
json_t *block_json(const struct block_places *places, const struct block_entry *entry, uint64_t now_ns);
/* What blocks @peer at this container with @reason, BANNED or BLOCKED, as a clause: "203.0.113.7 is banned there for ..."; "" when
 * nothing does any more. */
void block_clause(const struct daemon *daemon, uint64_t container, const struct dnet_addr *peer, enum dnet_reason reason, char *buffer,
		  size_t size);

#endif
