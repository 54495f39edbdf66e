/* SPDX-License-Identifier: GPL-2.0 */
#include "dataplane/blocks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "dataplane/clock.h"

#define BATCH 1024

struct batch {
	struct dnet_block_key keys[BATCH];
	struct dnet_block blocks[BATCH];
};

/* The walk goes on behind the last key that was read; were that removed meanwhile, it would begin anew. So nobody removes anything
 * during a walk, and it ends at the latest when it has read as much as the table can hold. */
int blocks_read(const struct dataplane *dataplane, struct block_entry **ret, size_t *ret_count)
{
	_cleanup_free_ struct batch *batch = malloc(sizeof(*batch));
	_cleanup_free_ struct block_entry *entries = NULL;
	struct dnet_block_key token;
	size_t total = 0;
	int r = batch ? 0 : -ENOMEM;

	while (r == 0 && total < DNET_MAX_BLOCKS) {
		uint32_t count = BATCH;
		struct block_entry *more;

		r = bpf_map_lookup_batch(dataplane->blocks_fd, total ? &token : NULL, &token, batch->keys, batch->blocks, &count, NULL) < 0 ?
		    -errno : 0;
		if (r < 0 && r != -ENOENT)
			break;
		if (!count)
			continue;
		more = reallocarray(entries, total + count, sizeof(*entries));
		if (!more) {
			r = -ENOMEM;
			break;
		}
		entries = more;
		for (uint32_t i = 0; i < count; i++)
			entries[total++] = (struct block_entry){ batch->keys[i], batch->blocks[i] };
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = TAKE_PTR(entries);
	*ret_count = total;
	return 0;
}

uint64_t block_container(const struct dnet_block_key *key)
{
	return (uint64_t)key->container[1] << 32 | key->container[0];
}

bool block_in_force(const struct block_entry *entry, uint64_t now_ns)
{
	return entry->block.until_ns > now_ns;
}

/* The order is the contract's: the entry, then how long to look for it, then that there is something to look for. */
static void announce(struct dataplane *dataplane, __u64 until_ns)
{
	__u64 *word = &dataplane->state->blocked_until_ns, end = __atomic_load_n(word, __ATOMIC_SEQ_CST);

	while (end < until_ns && !__atomic_compare_exchange_n(word, &end, until_ns, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	__atomic_fetch_add(&dataplane->state->block_epoch, 1, __ATOMIC_SEQ_CST);
}

int block_set(struct dataplane *dataplane, const struct dnet_block_key *key, const struct dnet_block *block)
{
	int r = map_set(dataplane->blocks_fd, key, block);

	if (r == 0)
		announce(dataplane, block->until_ns);
	return r;
}

int block_remove(struct dataplane *dataplane, const struct block_entry *entry)
{
	struct dnet_block now;

	/* An LPM answers with a shorter prefix when this one is not there. What has another time was set anew. */
	if (map_get(dataplane->blocks_fd, &entry->key, &now) < 0 || now.address_bits != entry->block.address_bits ||
	    now.since_ns != entry->block.since_ns || now.until_ns != entry->block.until_ns)
		return 0;
	if (bpf_map_delete_elem(dataplane->blocks_fd, &entry->key) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

uint64_t blocks_until(const struct dataplane *dataplane)
{
	return __atomic_load_n(&dataplane->state->blocked_until_ns, __ATOMIC_SEQ_CST);
}

/*
 * Who sets a block has written its entry before he looks whether blocked_until_ns must be raised. If he has raised it since @was_ns, it
 * stays. If he looks after it was lowered here, he raises it; if before, his entry is there when the table is read once more.
 */
int blocks_lower(struct dataplane *dataplane, uint64_t was_ns, uint64_t end_ns)
{
	__u64 *word = &dataplane->state->blocked_until_ns, expected = was_ns, found = 0;
	_cleanup_free_ struct block_entry *entries = NULL;
	size_t count = 0;
	int r;

	/* What is over by itself costs nobody anything. */
	if (was_ns <= end_ns || was_ns <= clock_ns(CLOCK_MONOTONIC) ||
	    !__atomic_compare_exchange_n(word, &expected, end_ns, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return 0;
	r = blocks_read(dataplane, &entries, &count);
	for (size_t i = 0; i < count; i++)
		found = entries[i].block.until_ns > found ? entries[i].block.until_ns : found;
	if (r < 0)
		found = was_ns;
	if (found > end_ns)
		announce(dataplane, found);
	return r;
}
