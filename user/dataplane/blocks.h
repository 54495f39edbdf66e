/* SPDX-License-Identifier: GPL-2.0 */
/* The table of blocks, see dnetbpf/block.h: what the user side reads, sets and removes. */
#ifndef DNETBPF_DATAPLANE_BLOCKS_H
#define DNETBPF_DATAPLANE_BLOCKS_H

#include <dnetbpf/block.h>

#include "dataplane/dataplane.h"

struct block_entry {
	struct dnet_block_key key;
	struct dnet_block block;
};

/* All entries in no order, also those that are over. *ret is the caller's; at most DNET_MAX_BLOCKS. */
int blocks_read(const struct dataplane *dataplane, struct block_entry **ret, size_t *ret_count);
/* dnet_endpoint.container of its key. */
uint64_t block_container(const struct dnet_block_key *key);
/* Is the entry in force at @now_ns, CLOCK_MONOTONIC? */
bool block_in_force(const struct block_entry *entry, uint64_t now_ns);
/* Insert or replace, and tell the programs. -ENOSPC: the table is full. */
int block_set(struct dataplane *dataplane, const struct dnet_block_key *key, const struct dnet_block *block);
/* Remove what was read, unless it has become another block since. 1: removed, 0: it was not there any more, or -errno. */
int block_remove(struct dataplane *dataplane, const struct block_entry *entry);
/* Until when the programs look for blocks. */
uint64_t blocks_until(const struct dataplane *dataplane);
/* The table was read after blocks_until() said @was_ns, and nothing in it lasts beyond @end_ns: let the programs look for nothing after
 * that. No block that is set meanwhile is lost. */
int blocks_lower(struct dataplane *dataplane, uint64_t was_ns, uint64_t end_ns);

#endif
