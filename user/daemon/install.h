/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Compiled tables into the kernel's maps.
 *
 * Order, so that no moment is more open than both the old and the new state:
 *  - within an arena: rows, bounds and rules before the ruleset that leads to them, peers and prefixes before the endpoints
 *    that use it; a peer entry goes as soon as its endpoint has gone;
 *  - a new policy set: the other arena is filled, every endpoint gets its rulesets of that arena, then the version flips;
 *    what belonged to the old arena is removed after the grace period.
 */
#ifndef DNETBPF_DAEMON_INSTALL_H
#define DNETBPF_DAEMON_INSTALL_H

#include "compile/compile.h"
#include "dataplane/dataplane.h"

struct install {
	struct dataplane *dataplane;
	uint32_t arena;
	/* How much of the compiler's append-only tables is in the kernel. */
	size_t rulesets, bounds, row_words, rules, prefixes;
	/* Peers that are in the kernel, sorted by (ruleset, endpoint). */
	struct compiled_peer *peers;
	size_t peer_count;
};

/* Begin with an arena that is not in force: removes what is left of it in the peer and prefix tables. */
void install_begin(struct install *install, struct dataplane *dataplane, uint32_t arena);
void install_clear(struct install *install);
/* Bring the kernel's tables up to the compiler's. -errno with a sentence: some entry could not be made. */
int install_apply(struct install *install, const struct compiler *compiler, struct error *error);
/* Remove the entries of an arena that is no longer in force. */
void install_remove_arena(struct dataplane *dataplane, uint32_t arena);

#endif
