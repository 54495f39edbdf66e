/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bans and blocks by hand: their life (blocks.c), and the commands `blocks` and `unblock` (unblock.c).
 *
 * A block holds at a container, in all of its networks and while it is stopped, until it is over or the container is removed.
 */
#ifndef DNETBPF_DAEMON_BLOCKS_H
#define DNETBPF_DAEMON_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/index.h"
#include "dataplane/blocks.h"
#include "observe/metrics.h"

struct daemon;

#define BLOCK_KINDS (DNET_BLOCK_BY_HAND + 1)

struct blocks_state {
	size_t standing[BLOCK_KINDS];	/* in force at the last sweep */
	uint64_t told_ns;	/* what was set later has not been logged yet, CLOCK_MONOTONIC */
};

/* What an earlier daemon left behind. */
void blocks_adopt(struct daemon *daemon);
/* Remove what is over and what holds at nobody, log what is new. */
void blocks_sweep(struct daemon *daemon);
/* How many were in force at the last sweep. */
size_t blocks_standing(const struct daemon *daemon);
/* How many are in force at each container, by dnet_endpoint.container; under 0 those that hold everywhere. -errno. */
int blocks_count(const struct daemon *daemon, struct index *ret);
void blocks_metrics(const struct daemon *daemon, struct metrics *metrics);

#endif
