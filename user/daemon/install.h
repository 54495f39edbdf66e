/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Compiled tables into the kernel's maps.
 *
 * Order, so that no moment is more open than both the old and the new state:
 *  - within an arena: rows, bounds, limits and rules before the ruleset that leads to them, peers and prefixes before the endpoints
 *    that use it; a peer entry goes as soon as its endpoint has gone;
 *  - a new policy set: the next arena is filled, every endpoint gets its rulesets of that arena, then the version flips. What
 *    the arena that was left had in the peer and prefix tables goes when no program can be reading it any more: at a later
 *    sweep, or before the arena is filled again.
 */
#ifndef DNETBPF_DAEMON_INSTALL_H
#define DNETBPF_DAEMON_INSTALL_H

#include "compile/compile.h"
#include "dataplane/dataplane.h"

struct install {
	uint32_t arena;
	/* How much of the compiler's append-only tables is in the kernel. */
	size_t rulesets, bounds, row_words, rules, limits;
	/* Peers that are in the kernel, sorted by (ruleset, kind, id), and prefixes; owned. */
	struct compiled_peer *peers;
	size_t peer_count;
	struct compiled_prefix *prefixes;
	size_t prefix_count, prefix_room;
};

/* Bring the kernel's tables up to the compiler's. -errno with a sentence: some entry could not be made. */
int install_apply(struct install *install, struct dataplane *dataplane, const struct compiler *compiler, struct error *error);
/* Take the arena's entries out of the peer and prefix tables. It must not be in force, and no program may be reading it. */
void install_withdraw(struct install *install, struct dataplane *dataplane);
/* What an earlier daemon left: the entries of the arena in force are taken over, all others removed. */
void install_adopt(struct install *install, struct dataplane *dataplane);
void install_clear(struct install *install);

#endif
