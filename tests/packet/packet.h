/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packet table: frames run through the real programs by BPF_PROG_RUN, beside tables that the real compiler made of real
 * policies. A case is a list of steps; every step is checked in full: the verdict, the one counter that changed and by how
 * much, the event or its absence; and before it is run the explain program must say the same of it. Cases begin without flows and fragments, in a network namespace of their own.
 *
 * A step is a line:
 *	web < uplink PACKET	what the container `web` receives; it came in by the interface `uplink` (`host`: from this host)
 *	web > PACKET		what `web` sends
 *	br-dmz ^ PACKET		what arrives at a bridge from a port without the stamp of an enforced one
 *	@ACTION ...		something else happens, see actions in runner.c
 * PACKET is
 *	ADDRESS[:PORT] -> ADDRESS[:PORT] PROTOCOL WORD...	IPv6 with a port in brackets
 *	arp request|reply SENDER TARGET WORD...
 *	ether NUMBER WORD...
 * PROTOCOL is `tcp FLAGS` (letters of FSRPA, or "."), `udp`, `udplite`, `sctp`, `icmp TYPE/CODE`, `icmp6 TYPE/CODE` or
 * `proto NUMBER`. frame.c has the words. MAC addresses are right unless a word says otherwise.
 */
#ifndef TESTS_PACKET_PACKET_H
#define TESTS_PACKET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <dnetbpf/block.h>

#include "daemon/install.h"
#include "daemon/live.h"
#include "daemon/places.h"
#include "dataplane/dataplane.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* --- frame.c: from words to bytes, with nothing of the project's own parser */

struct frame {
	uint8_t bytes[2048];
	size_t length;
	bool is_ip;
	/* What an event is to say of it. */
	struct dnet_addr src, dst;
	uint16_t src_port, dst_port, ethertype;	/* ICMP: 0, and type and code */
	uint8_t proto, tcp_flags;
	/* Its flow. */
	uint16_t flow_src_port, flow_dst_port;
	size_t headers;		/* bytes before the payload: what each segment of a GSO packet has again */
	size_t needed;		/* bytes without which it cannot be judged */
	uint32_t gso_segments, gso_size;
};

/* @smac, @dmac: unless the text has others. False, with a sentence in @problem (of 256 bytes), for a text without sense. */
bool frame_build(const char *text, const uint8_t *smac, const uint8_t *dmac, struct frame *ret, char *problem);

/* --- world.c: namespace, interfaces, inventory, tables */

#define WORLD_SLOTS 32	/* endpoint slots that are looked at */
#define WORLD_LINKS 4
extern const char *const world_links[WORLD_LINKS];	/* interfaces that are no container's */

struct ring_buffer;
struct set_classes;

struct world {
	struct dataplane *dataplane;
	struct inventory inventory;
	struct live_set live;
	struct mirror places, addresses;
	struct install install[DNET_ARENAS];
	struct set_classes *sets;	/* of the policy that was loaded last */
	struct ring_buffer *ring;
	struct dnet_event last_event;
	size_t events;	/* since world_forget_events() */
	uint32_t next_id;
	bool limits_in_force;	/* the policy has limits */
	bool limited;		/* buckets may hold something */
	uint64_t evictions;	/* of buckets, at the last world_reset() */
};

bool world_open(struct world *world, struct error *error);
void world_close(struct world *world);
/* What the daemon does with a verdict, without the daemon. @flags: the guard's. */
void world_write_endpoint(struct world *world, struct live *live, const struct compile_verdict *verdict, uint32_t flags, uint32_t arena,
			  const struct policy_set *policies);
/* Remove all flows, fragments and what limits hold, and give every endpoint a full budget of events. */
void world_reset(struct world *world);
/* Run one frame. 0 or -errno. @routed: as if it were for the interface's own MAC, else as bridged from another port. */
int world_run(struct world *world, enum dataplane_program program, uint32_t ifindex, uint32_t origin, bool routed,
	      const struct frame *frame, int *ret_answer);
struct live *world_endpoint(struct world *world, const char *interface);
struct dnet_endpoint *world_slot(struct world *world, const char *interface);
void world_read_events(struct world *world);
void world_forget_events(struct world *world);
/* Every bridge: all its ports are containers', or not. world_reset() opens them. */
void world_seal(struct world *world, bool sealed);
bool world_flow(struct world *world, const struct frame *frame, struct dnet_flow_key *ret_key, struct dnet_flow *ret);
/* Make all flows, fragments and rates older. */
void world_age(struct world *world, unsigned int seconds);
/* Ask the explain program of the direction what world_run() would find. */
int world_explain(struct world *world, enum dnet_direction direction, uint32_t ifindex, uint32_t origin, bool routed,
		  const struct frame *frame, struct dnet_explanation *ret, struct error *error);
/* A link: "veth" (its other end is called NAME-in) or "bridge". */
bool world_link(const char *name, const char *kind, struct error *error);

struct world_counters {
	struct dnet_counter pass[WORLD_SLOTS * DNET_DIRECTIONS * DNET_PASS_SPAN];
	struct dnet_counter deny[WORLD_SLOTS * DNET_DIRECTIONS * 2 * DNET_DENY_SPAN];
};
bool world_count(struct world *world, struct world_counters *ret);

/* --- limits.c: buckets */
/* Empty all buckets and what they have refused. */
void limits_reset(struct world *world);
/* SECONDS go by for rates. */
void limits_age(struct world *world, unsigned int seconds);
/* Actions, see runner.c. */
bool act_open(struct world *world, const char *argument);
bool act_exceeded(struct world *world, const char *argument);
bool act_evicted(struct world *world, const char *argument);
bool act_drift(struct world *world, const char *argument);
bool act_fill_counts(struct world *world, const char *argument);
bool act_fill_rates(struct world *world, const char *argument);
bool act_sweep(struct world *world, const char *argument);
bool act_lose_flows(struct world *world, const char *argument);
/* --- blocks.c: bans, and blocks by hand */
void blocks_reset(struct world *world);
bool act_block(struct world *world, const char *argument);
bool act_bans(struct world *world, const char *argument);
bool act_refused(struct world *world, const char *argument);
bool act_fill_blocks(struct world *world, const char *argument);

/* Two CPUs at one bucket. */
void run_limits(struct world *world);

/* --- policy.c */
/* Put the policy of this name in force, through parser, compiler and install; endpoints as the daemon writes them. */
/* A table of countries, for all policies. */
bool world_countries(struct world *world, struct error *error);
bool world_policy(struct world *world, const char *name, struct error *error);
void world_policy_clear(struct world *world);
/* "POLICY/RULE" -> index in rule_hits, or DNET_NO_RULE. */
uint32_t world_rule(const char *name);

/* --- policies.c */
const char *policy_text(const char *name);	/* NULL: there is none */

/* --- runner.c */

struct step {
	const char *line;
	enum dnet_verdict verdict;
	enum dnet_reason reason;
	const char *rule;	/* POLICY/RULE that decided: its hits grow by one, and an event names it; NULL: none in the event */
	unsigned int layer;	/* that denied, as LAYER(NAME); none: the file's */
	const char *flow;	/* afterwards: "none", "new", "established", "closing", and " by ADDRESS" that began it; NULL: any */
};

/* Expectations. */
#define PASS(reason_) .verdict = DNET_PASS, .reason = DNET_REASON_##reason_
#define DENY(reason_) .verdict = DNET_DENY, .reason = DNET_REASON_##reason_
#define LAYER(name) (DNET_LAYER_##name + 1)
#define WOULD(reason_) .verdict = DNET_WOULD_DENY, .reason = DNET_REASON_##reason_

#define CASE_STEPS 20
struct packet_case {
	const char *name, *policy;
	struct step steps[CASE_STEPS];	/* up to one without a line */
};

struct case_table {
	const char *name;
	const struct packet_case *cases;
	size_t count;
};

void run_table(struct world *world, const struct case_table *table);
/* One step outside a table, for loops. False with a sentence. */
bool run_step(struct world *world, const struct step *step, char *problem, size_t size);
void reason_seen(enum dnet_reason reason);
bool reason_was_seen(enum dnet_reason reason);
/* A line of TAP; @format: what went wrong, for a failure. */
void tap(bool good, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
int tap_end(void);

/* --- cases_*.c */
extern const struct case_table policy_cases, label_cases, peer_cases, scope_cases, layer_cases, flow_cases, guard_cases, parse_cases, limit_cases,
			       ban_cases, geo_cases;

/* --- loops.c: what is more than a list of packets */
void run_loops(struct world *world);
/* --- switch.c: two policies at once */
void run_switch(struct world *world);
/* --- wire.c: what only a frame on a wire shows */
void run_wire(struct world *world);

#endif
