/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel side, seen from user space: load, pin, adopt, and the maps with their types. With attach.c, unload.c and
 * probe.c the only place that knows libbpf.
 *
 * Invariants of the pins:
 *  1. One daemon: it holds an flock on the pin directory. `unload` takes the same lock.
 *  2. One network namespace: its cookie is in `state`; another namespace's daemon is refused.
 *  3. One ABI: `state` has its version; other pins are refused until `unload`.
 *  4. A packet never sees half a policy: an arena is filled before the version word points at it, an endpoint's slot is
 *     filled before `links` leads to it.
 */
#ifndef DNETBPF_DATAPLANE_DATAPLANE_H
#define DNETBPF_DATAPLANE_DATAPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/counter.h>
#include <dnetbpf/endpoint.h>
#include <dnetbpf/event.h>
#include <dnetbpf/explain.h>
#include <dnetbpf/flow.h>
#include <dnetbpf/limit.h>
#include <dnetbpf/policy.h>
#include <dnetbpf/set.h>

#include "base/error.h"

/* The first three are attached; the last corrects a count of connections and is run by BPF_PROG_RUN alone. */
enum dataplane_program { PROGRAM_EGRESS, PROGRAM_INGRESS, PROGRAM_BRIDGE, PROGRAM_RECOUNT, PROGRAM_COUNT };

struct tc_bpf;
struct ring_buffer;

struct dataplane {
	char *pin;
	int lock_fd;
	struct tc_bpf *skeleton;
	int program_fd[PROGRAM_COUNT];
	bool adopted;	/* the pins were there before */
	int cpus;	/* values per entry of a per-CPU map */

	/* Mapped memory of the kernel's arrays: single aligned words may be stored at any time, see the invariants. */
	struct dnet_state *state;
	struct dnet_endpoint *endpoints;	/* by slot */
	struct dnet_ruleset *rulesets;
	struct dnet_bound *bounds;
	uint64_t *rows;
	struct dnet_rule *rules;
	struct dnet_limit *limits;
	struct dnet_counter *deny_counters;
	struct dnet_event_budget *event_budgets;

	int links_fd, addresses_fd, bridges_fd, places_fd, peer_rows_fd, prefix_rows_fd, flows_fd, pass_counters_fd,
	    rule_hits_fd, events_fd, attached_fd, rule_ids_fd, sets_fd, buckets_fd, limit_exceeded_fd, limit_ids_fd, blocks_fd, proven_fd;
	uint64_t left_ns[DNET_ARENAS];	/* when an arena was switched away from, CLOCK_MONOTONIC; 0: longer ago than this process */
	uint64_t set_tag[DNET_TABLES][DNET_SET_FAMILIES];
	struct explain_bpf *explain;	/* see dataplane_explain_load(); NULL: not loaded */
};

/*
 * Load the programs and open or make the pins in @pin. Errors: -EBUSY another daemon holds them; -EXDEV they belong to
 * another network namespace; -EPROTO to another version of this program; others from the kernel, with a sentence.
 * @pin NULL: nothing is pinned and nothing locked (tests).
 */
int dataplane_open(const char *pin, struct dataplane **ret, struct error *error);
void dataplane_close(struct dataplane *dataplane);	/* programs, links and pins stay in force */

/* The lock alone, for `unload`. -EBUSY with a sentence; -ENOENT: no such directory. */
int dataplane_lock(const char *pin, int *ret_fd, struct error *error);

/* Raise the generation: every flow is judged again at its next packet. */
void dataplane_raise_generation(struct dataplane *dataplane);
/* Point all endpoints at the next arena, and raise the generation. */
void dataplane_flip(struct dataplane *dataplane);
/* The arena in force, and the one to fill next. */
uint32_t dataplane_arena(const struct dataplane *dataplane);
uint32_t dataplane_next_arena(const struct dataplane *dataplane);
/* Wait until no program can still read the arena that is to be filled next: it was left two flips ago. Returns at once when that is
 * longer ago than a second, else after a grace period (8 to 32 ms). */
void dataplane_wait_for_next_arena(struct dataplane *dataplane);

/*
 * Put a family's set table (dnetbpf/set.h) into an arena's slot. @words NULL: none. The table is made, filled and then entered at
 * once; a slot that holds the same table already (by @tag, which names its content and is not 0) is left alone. The kernel waits
 * for a grace period inside.
 */
int dataplane_set_table(struct dataplane *dataplane, uint32_t arena, enum dnet_set_family family, const uint64_t *words, size_t count,
			uint64_t tag, struct error *error);
/* Idle times of flows; 0: the standard. */
void dataplane_set_timeouts(struct dataplane *dataplane, const uint32_t timeout_sec[DNET_TIMEOUT_COUNT]);
/* The idle time after which a flow counts as absent. */
uint64_t dataplane_flow_timeout_ns(const struct dataplane *dataplane, const struct dnet_flow_key *key, const struct dnet_flow *flow);

/* A frame for the explain program of a direction. */
struct dataplane_frame {
	const uint8_t *bytes;
	size_t length;
	enum dnet_direction direction;
	uint32_t ifindex;	/* of the judging interface */
	uint32_t origin_ifindex;	/* ingress: where it came from, 0: this host */
	bool bridged;		/* ingress: the container's own bridge forwarded it from another port (a container's or not) */
};
/*
 * Load the explain programs beside the pinned maps. As long as all privileges are there: without CAP_PERFMON the verifier asks for
 * more than they can show. Until then dataplane_explain() tries by itself.
 */
int dataplane_explain_load(struct dataplane *dataplane, struct error *error);
/* 0 or a sentence. The answer is the attached program's, but for a full table of connections, which only the packet itself can find. */
int dataplane_explain(struct dataplane *dataplane, const struct dataplane_frame *frame, struct dnet_explanation *ret,
		      struct error *error);

/* Sum over all CPUs of one pass counter. */
void dataplane_pass_counter(const struct dataplane *dataplane, uint32_t slot, uint32_t direction, uint32_t reason,
			    struct dnet_counter *ret);
void dataplane_deny_counter(const struct dataplane *dataplane, uint32_t slot, uint32_t direction, uint32_t verdict,
			    uint32_t reason, struct dnet_counter *ret);
uint64_t dataplane_rule_hits(const struct dataplane *dataplane, uint32_t counter);
/* Set all counters of a slot to zero, before it is given out. */
void dataplane_clear_slot(struct dataplane *dataplane, uint32_t slot);

/*
 * Walk the flows: remove what has expired, and what belongs to an endpoint that @alive says is gone. When more than 4/5 of the table
 * is in use, what is not established goes too after 5 s of silence. What is removed is taken out of the counts of `conns` limits;
 * counts that then are not what the flows say are corrected. Returns how many entries stand. Bounded by the size of the
 * table; 262,144 entries take some 50 ms a walk, of which there are at most two, and two more when counts are to be looked at.
 */
size_t dataplane_sweep_flows(struct dataplane *dataplane, bool (*alive)(void *context, uint32_t endpoint_id), void *context);

/* Buckets of limits that hold something: connections, or a rate that is not full again. Reads them all, in some 3 ms. */
size_t dataplane_buckets_in_use(const struct dataplane *dataplane);

/* Deny events. The ring buffer's epoll fd is readable when some are there. */
int dataplane_events_open(struct dataplane *dataplane, void (*event)(void *context, const struct dnet_event *event),
			  void *context, struct ring_buffer **ret, int *ret_epoll_fd, struct error *error);
void dataplane_events_read(struct ring_buffer *ring);
void dataplane_events_close(struct ring_buffer *ring);

/* Plain map access; 0 or -errno. Updates insert or replace; deleting what is not there is success. */
int map_set(int fd, const void *key, const void *value);
int map_get(int fd, const void *key, void *value);
int map_delete(int fd, const void *key);
/* Call @entry for each key, which may be deleted meanwhile. @key_size up to 64. */
int map_for_each_key(int fd, size_t key_size, void (*entry)(void *context, const void *key), void *context);

#endif
