/* SPDX-License-Identifier: GPL-2.0 */
/* Bans and blocks by hand: who is hit, and how a ban is set. The contract is in dnetbpf/block.h. */
#ifndef DNETBPF_BLOCK_BPF_H
#define DNETBPF_BLOCK_BPF_H

#include "exit.bpf.h"
#include "limit.bpf.h"
#include "maps.bpf.h"
#include "place.bpf.h"
#include "policy.bpf.h"

/* An entry that is over, or does not hit, may hide a shorter one that does: look beyond so many. */
#define BLOCK_STEPS 3

/* The block in force at a container (0: those that hold everywhere) for an address, or NULL. @spared: bans do not count. */
static __noinline struct dnet_block *block_at(const struct dnet_addr *peer, __u64 container, __u64 now, bool spared)
{
	struct dnet_block_key key = { .prefix_len = DNET_BLOCK_KEY_BITS + 128, .container = { container, container >> 32 }, .addr = *peer };

	for (int i = 0; i < BLOCK_STEPS; i++) {
		struct dnet_block *block = bpf_map_lookup_elem(&blocks, &key);

		if (!block || (block->until_ns > now && !(spared && block->kind == DNET_BLOCK_BAN)))
			return block;
		if (!block->address_bits)
			break;
		key.prefix_len = DNET_BLOCK_KEY_BITS + block->address_bits - 1;
	}
	return NULL;
}

/* No ban hits the host, a gateway or an endpoint, also when its prefix holds them. */
static __always_inline bool ban_spares(const struct dnet_addr *peer)
{
	__u32 place = place_of(peer);

	return place == DNET_PLACE_HOST || place == DNET_PLACE_DOCKER || owner_of(peer, 0);
}

static __always_inline const struct dnet_addr *peer_of(const struct run *run)
{
	return run->direction == DNET_EGRESS ? &run->packet->dst : &run->packet->src;
}

/*
 * Do the host's rules name an address as one that is never blocked? The last of them allows any, and says nothing. @arena_direction:
 * arena * DNET_DIRECTIONS + direction, of the rules to ask; @whose: SCRATCH_*. Global functions, which are checked once, from here
 * on: these are asked from several places.
 */
__noinline int never_blocked(const struct dnet_addr *peer, const struct dnet_endpoint *endpoint, __u32 arena_direction, __u32 whose)
{
	__u32 index = arena_direction * DNET_LAYERS + DNET_LAYER_HOST;
	struct scratch *scratch = scratch_of(whose);
	struct question *question;
	struct dnet_ruleset *ruleset;
	struct dnet_rule *rule;

	if (!peer || !endpoint || !scratch || index >= RULESETS || !(&endpoint->ruleset[0][0][0])[index])
		return 0;
	question = &scratch->never;
	__builtin_memset(question, 0, sizeof(*question));
	question->peer = *peer;
	question->asked = arena_direction % DNET_DIRECTIONS;
	question->arena = arena_direction / DNET_DIRECTIONS;
	question->origin_ifindex = DNET_ORIGIN_UNKNOWN;
	decide(question, endpoint);
	index = question->ruleset[DNET_LAYER_HOST];
	ruleset = bpf_map_lookup_elem(&rulesets, &index);
	index = question->rule[DNET_LAYER_HOST];
	rule = bpf_map_lookup_elem(&rules, &index);
	return ruleset && rule && rule->action == DNET_RULE_ALLOW && index != ruleset->rule_base + ruleset->rule_count - 1;
}

/* What blocks a peer of an endpoint, but for never_blocked(): 0, BANNED or BLOCKED, and then *ret. @count: the packet is refused. */
__noinline int block_ask(const struct dnet_addr *peer, const struct dnet_endpoint *endpoint, __u64 now, __u32 count, struct block_hit *ret)
{
	struct dnet_block *block;
	bool here = false;

	if (!peer || !endpoint || !ret)
		return 0;
	block = block_at(peer, 0, now, false);
	if (!block) {
		block = block_at(peer, endpoint->container, now, false);
		here = true;
	}
	if (block && block->kind == DNET_BLOCK_BAN && ban_spares(peer)) {
		block = block_at(peer, 0, now, true);
		here = !block;
		if (here)
			block = block_at(peer, endpoint->container, now, true);
	}
	if (!block)
		return 0;
	ret->counter = block->rule_counter;
	ret->layer = block->layer;
	/* What was done elsewhere no mode of this container lifts. */
	ret->would = here && endpoint->flags & DNET_ENDPOINT_AUDIT;
	if (count)
		__sync_fetch_and_add(&block->packets, 1);
	return block->kind == DNET_BLOCK_BAN ? DNET_REASON_BANNED : DNET_REASON_BLOCKED;
}

/* The same, for whoever the host's rules do not name as never to be blocked; a packet of an attached program is counted. */
__noinline int block_judge(const struct dnet_addr *peer, const struct dnet_endpoint *endpoint, __u64 now, __u32 arena_direction_whose,
			   struct block_hit *ret)
{
	__u32 whose = arena_direction_whose % SCRATCH_COUNT;
	int reason;

	if (!peer || !endpoint || !ret)
		return 0;
	reason = block_ask(peer, endpoint, now, false, ret);
	if (!reason)
		return 0;
	if (never_blocked(peer, endpoint, arena_direction_whose / SCRATCH_COUNT, whose)) {
		ret->counter = DNET_NO_RULE;
		return 0;
	}
	if (whose == SCRATCH_ATTACHED)
		block_ask(peer, endpoint, now, true, ret);
	return reason;
}

/* The source of a packet that a limit refused: ban it, if the limit says so and it may be, but for never_blocked(). */
__noinline int ban(const struct dnet_addr *peer, const struct dnet_endpoint *endpoint, __u32 limit_index)
{
	struct dnet_limit *limit = limit_at(limit_index);
	__u32 zero = 0, bits;
	struct dnet_state *writable = bpf_map_lookup_elem(&state, &zero);
	struct dnet_proof_key proof = {};
	struct dnet_block_key key = {};
	struct dnet_block block = {};
	__u64 now, until, *proven_at;

	if (!peer || !endpoint || !writable || !limit || !limit->ban_sec)
		return 0;
	now = bpf_ktime_get_ns();
	proof.container = endpoint->container;
	proof.addr = *peer;
	proven_at = bpf_map_lookup_elem(&proven, &proof);
	if (!proven_at || (__s64)(now - *proven_at) > (__s64)(DNET_PROOF_SEC * NSEC_PER_SEC) || ban_spares(peer))
		return 0;
	bits = addr_v4_mapped(peer) ? DNET_V4_PREFIX_OFFSET + limit->v4_len : limit->v6_len;
	key.prefix_len = DNET_BLOCK_KEY_BITS + bits;
	if (!(limit->flags & DNET_LIMIT_BAN_HOST)) {
		key.container[0] = endpoint->container;
		key.container[1] = endpoint->container >> 32;
	}
	key.addr.quad[0] = masked(peer->quad[0], bits);
	key.addr.quad[1] = masked(peer->quad[1], bits > 64 ? bits - 64 : 0);
	block.since_ns = now;
	block.until_ns = until = now + limit->ban_sec * NSEC_PER_SEC;
	block.rule_counter = limit->rule_counter;
	block.limit_id = limit->id;
	block.container = endpoint->container;
	block.kind = DNET_BLOCK_BAN;
	block.layer = limit->layer;
	block.address_bits = bits;
	if (bpf_map_update_elem(&blocks, &key, &block, BPF_ANY) != 0) {
		__sync_fetch_and_add(&writable->bans_refused, 1);
		return 0;
	}
	for (int i = 0; i < 4; i++) {
		__u64 end = *(volatile __u64 *)&writable->blocked_until_ns;

		if (end >= until || __sync_val_compare_and_swap(&writable->blocked_until_ns, end, until) == end)
			goto raised;
	}
	/* Other CPUs were faster each time: look for ever rather than not at all, the sweep corrects it. */
	__sync_lock_test_and_set(&writable->blocked_until_ns, DNET_BLOCK_FOREVER);
raised:
	__sync_fetch_and_add(&writable->block_epoch, 1);
	__sync_fetch_and_add(&writable->bans, 1);
	return 1;
}

/* Has the initiator of a connection shown that it receives what is sent to its address? */
__noinline int prove(struct dnet_flow *flow, const struct packet *packet, __u64 container, __u32 sender, __u64 now)
{
	struct dnet_proof_key key = { .container = container };

	if (!flow || !packet || packet->tcp_flags & TCP_RST)
		return 0;
	if (sender != flow->initiator) {
		if ((packet->tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
			flow->responder_sequence = packet->tcp_sequence + 1;
		return 0;
	}
	if (packet->tcp_flags & TCP_SYN || !(packet->tcp_flags & TCP_ACK) || flow->heard & DNET_HEARD_PROOF ||
	    !flow->responder_sequence || packet->tcp_acknowledged != flow->responder_sequence)
		return 0;
	flow->heard |= DNET_HEARD_PROOF;
	key.addr = packet->src;
	bpf_map_update_elem(&proven, &key, &now, BPF_ANY);
	return 1;
}

#endif
