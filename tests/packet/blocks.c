/* SPDX-License-Identifier: GPL-2.0 */
/* Bans and blocks by hand: set and counted by hand. */
#include "packet.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/word.h"
#include "config/prefix_file.h"
#include "dataplane/blocks.h"

static void delete_key(void *context, const void *key)
{
	map_delete(*(const int *)context, key);
}

void blocks_reset(struct world *world)
{
	struct dataplane *dataplane = world->dataplane;

	map_for_each_key(dataplane->blocks_fd, sizeof(struct dnet_block_key), delete_key, &dataplane->blocks_fd);
	map_for_each_key(dataplane->proven_fd, sizeof(struct dnet_proof_key), delete_key, &dataplane->proven_fd);
	dataplane->state->blocked_until_ns = 0;
}

bool act_block(struct world *world, const char *argument)
{
	struct dnet_block block = { .until_ns = DNET_BLOCK_FOREVER, .rule_counter = DNET_NO_RULE, .kind = DNET_BLOCK_BY_HAND };
	struct dnet_block_key key = {};
	struct prefix prefix;
	char problem[PREFIX_PROBLEM_SIZE];

	if (prefix_parse(word_of(argument), &prefix, problem) < 0)
		return false;
	key.prefix_len = DNET_BLOCK_KEY_BITS + prefix.prefix_len;
	key.addr = prefix.addr;
	block.address_bits = (uint8_t)prefix.prefix_len;
	return block_set(world->dataplane, &key, &block) == 0;
}

static bool sum(struct world *world, const char *argument, bool packets)
{
	struct block_entry *entries;
	uint64_t total = 0;
	size_t count;

	if (blocks_read(world->dataplane, &entries, &count) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		total += packets ? entries[i].block.packets : entries[i].block.kind == DNET_BLOCK_BAN;
	free(entries);
	if (total == strtoull(argument, NULL, 10))
		return true;
	printf("# %s: %llu, not %s\n", packets ? "refused" : "bans", (unsigned long long)total, argument);
	return false;
}

bool act_bans(struct world *world, const char *argument)
{
	return sum(world, argument, false);
}

bool act_refused(struct world *world, const char *argument)
{
	return sum(world, argument, true);
}

bool act_fill_blocks(struct world *world, const char *argument)
{
	struct dnet_block block = { .until_ns = DNET_BLOCK_FOREVER, .rule_counter = DNET_NO_RULE, .kind = DNET_BLOCK_BY_HAND,
				    .address_bits = 128 };
	struct dnet_block_key key = { .prefix_len = DNET_BLOCK_KEY_BITS + 128 };

	(void)argument;
	key.addr.half_be[0] = htons(0x2001);
	key.addr.half_be[1] = htons(0x0db8);
	key.addr.half_be[2] = htons(0xffff);
	for (uint32_t i = 0; i < DNET_MAX_BLOCKS; i++) {
		key.addr.word_be[3] = htonl(i);
		if (map_set(world->dataplane->blocks_fd, &key, &block) < 0)
			return false;
	}
	return true;
}
