/* SPDX-License-Identifier: GPL-2.0 */
/* Every map, and who writes it. All are pinned: they outlive the daemon, and the next one goes on with them. */
#ifndef DNETBPF_MAPS_BPF_H
#define DNETBPF_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <dnetbpf/address.h>
#include <dnetbpf/block.h>
#include <dnetbpf/counter.h>
#include <dnetbpf/endpoint.h>
#include <dnetbpf/event.h>
#include <dnetbpf/flow.h>
#include <dnetbpf/limit.h>
#include <dnetbpf/limits.h>
#include <dnetbpf/policy.h>
#include <dnetbpf/set.h>

/* Written by the user side, read here. */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dnet_state);
} state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DNET_MAX_ENDPOINTS);
	__type(key, __u32);
	__type(value, __u32);
} links SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DNET_ENDPOINT_SLOTS);
	__type(key, __u32);
	__type(value, struct dnet_endpoint);
} endpoints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DNET_MAX_ADDRESSES);
	__type(key, struct dnet_address_key);
	__type(value, __u32);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DNET_MAX_BRIDGES);
	__type(key, __u32);
	__type(value, __u32);
} bridges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DNET_MAX_PLACES);
	__type(key, struct dnet_place_key);
	__type(value, __u32);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DNET_ARENAS * DNET_MAX_RULESETS);
	__type(key, __u32);
	__type(value, struct dnet_ruleset);
} rulesets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DNET_ARENAS * DNET_MAX_BOUNDS);
	__type(key, __u32);
	__type(value, struct dnet_bound);
} bounds SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DNET_ARENAS * DNET_MAX_ROW_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DNET_ARENAS * DNET_MAX_RULE_ENTRIES);
	__type(key, __u32);
	__type(value, struct dnet_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DNET_ARENAS * DNET_MAX_LIMITS);
	__type(key, __u32);
	__type(value, struct dnet_limit);
} limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DNET_ARENAS * DNET_MAX_PEER_ROWS);
	__type(key, struct dnet_peer_key);
	__type(value, __u32);
} peer_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DNET_ARENAS * DNET_MAX_PREFIX_ROWS);
	__type(key, struct dnet_prefix_key);
	__type(value, __u32);
} prefix_rows SEC(".maps");

/* The inner maps are as large as their tables, which BPF_F_INNER_MAP permits; one entry is the template's size alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, DNET_TABLES * DNET_SET_FAMILIES);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(map_flags, DNET_SET_MAP_FLAGS);
		__uint(max_entries, 1);
		__type(key, __u32);
		__type(value, __u64);
	});
} sets SEC(".maps");

/* Written by both sides. */

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DNET_MAX_BLOCKS);
	__type(key, struct dnet_block_key);
	__type(value, struct dnet_block);
} blocks SEC(".maps");

/* Written here, read by the user side. */

/* Never LRU: an entry that is evicted silently would cut a connection that is alive. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DNET_MAX_FLOWS);
	__type(key, struct dnet_flow_key);
	__type(value, struct dnet_flow);
} flows SEC(".maps");

/* Not mmapable: a value with a lock cannot be. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DNET_BUCKET_GROUPS);
	__type(key, __u32);
	__type(value, struct dnet_bucket_group);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DNET_MAX_EXCEEDED);
	__type(key, struct dnet_exceeded_key);
	__type(value, __u64);
} limit_exceeded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DNET_MAX_PROVEN);
	__type(key, struct dnet_proof_key);
	__type(value, __u64);
} proven SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DNET_MAX_FRAGMENTS);
	__type(key, struct dnet_fragment_key);
	__type(value, __u64);	/* when its first fragment passed, CLOCK_MONOTONIC */
} fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DNET_ENDPOINT_SLOTS * DNET_DIRECTIONS * DNET_PASS_SPAN);
	__type(key, __u32);
	__type(value, struct dnet_counter);
} pass_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DNET_ENDPOINT_SLOTS * DNET_DIRECTIONS * 2 * DNET_DENY_SPAN);
	__type(key, __u32);
	__type(value, struct dnet_counter);
} deny_counters SEC(".maps");

/* Decisions (new connections, denied packets) by rule. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DNET_MAX_RULE_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} rule_hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DNET_ENDPOINT_SLOTS);
	__type(key, __u32);
	__type(value, struct dnet_event_budget);
} event_budgets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DNET_EVENT_RING_BYTES);
} events SEC(".maps");

/* The user side's own notes, in maps so that the next daemon and `unload` find them. */

/* Interfaces that carry our programs, by ifindex; the value has DNET_ATTACHED_* bits. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DNET_MAX_ENDPOINTS + DNET_MAX_BRIDGES);
	__type(key, __u32);
	__type(value, __u32);
} attached SEC(".maps");

/* Which counter in `rule_hits` a rule has, by the hash of its policy's name and its own: counters survive a restart. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DNET_MAX_RULE_COUNTERS);
	__type(key, __u64);
	__type(value, __u32);
} rule_ids SEC(".maps");

/* Which id a limit has, by the hash of its policy's and rule's names and its numbers: a limit that is as it was keeps its buckets. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DNET_MAX_LIMITS);
	__type(key, __u64);
	__type(value, __u32);
} limit_ids SEC(".maps");

#endif
