/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The programs with tables of their own, packets for them, and endpoints: what is measured by BPF_PROG_RUN. In a place. Several
 * may be open at once, each with its own programs and maps, so that rounds can be interleaved.
 */
#ifndef DNETBPF_TESTS_LAB_H
#define DNETBPF_TESTS_LAB_H

#include "base/error.h"
#include "compile/compile.h"
#include "dataplane/dataplane.h"

/* Each policy is `rules` rules: packets to LAB_FIRST meet the first, to LAB_LAST the last, to LAB_NONE none of them. */
#define LAB_FIRST	79
#define LAB_LAST	80
#define LAB_NONE	81
/* Behind those of an ingress list stand the rules with limits, in order, each with a port of its own. */
#define LAB_LIMITED	100

struct lab_config {
	unsigned int rules;	/* at least 1 */
	unsigned int endpoints;
	bool own_policies;	/* each endpoint has a policy of its own, all different; else there is one for all */
	unsigned int prefixes;	/* of the set that the last rule's peer is; 0: the peer is one prefix */
	const char *const *limits;	/* of the rules for LAB_LIMITED and what follows; closed by NULL. NULL: there are none */
	bool v6;
};

struct lab_packet {
	enum dnet_direction direction;
	uint16_t port;		/* of who answers: LAB_* */
	bool begins;		/* SYN, else ACK */
	bool varied;		/* each packet another connection */
	unsigned int sources;	/* of those; a power of two, 0: 65,536 */
	bool all_endpoints;	/* and for another endpoint; else all for the first */
	bool v6;
};

#define LAB_BATCH 50000	/* varied packets of one run; below the 65,536 of the wrapper and far below the table of flows */

struct lab;
int lab_open(const struct lab_config *config, struct lab **ret, struct error *error);
void lab_close(struct lab *lab);
/* Whether a policy governs the endpoints; and no flows, no events. */
void lab_reset(struct lab *lab, bool governed);
/* ns a packet of the attached program, or of the null program in its place; called in the same way. @expected: its answer. */
int lab_run(struct lab *lab, const struct lab_packet *packet, bool null, uint32_t repeat, uint32_t expected, double *ret_ns,
	    struct error *error);
/* Packets that left with this reason, over all endpoints. */
uint64_t lab_counted(const struct lab *lab, enum dnet_direction direction, enum dnet_reason reason);
/* One figure: null program, then the attached one. -EPROTO when not every packet took the path that is to be measured. */
int lab_measure(struct lab *lab, const struct lab_packet *packet, uint32_t repeat, enum dnet_reason reason, double *ret_null,
		double *ret_cost, struct error *error);

/* Containers c0, c1, ... on one network, for the compiler. */
struct crowd {
	size_t count;
	char (*names)[16];
	struct container *containers;
	struct compile_endpoint *endpoints;
	struct compile_verdict *verdicts;
};
int crowd_make(struct crowd *crowd, size_t count, struct error *error);
void crowd_clear(struct crowd *crowd);
/* The simplest compile_counter and compile_limit: @context is the last number that was given out. */
uint32_t crowd_counter(void *context, const char *policy, const struct rule *rule);
uint32_t crowd_limit(void *context, const char *policy, const struct rule *rule, const struct limit *limit);
int crowd_install_sets(struct dataplane *dataplane, uint32_t arena, const struct set_classes *sets, uint64_t tag, struct error *error);

/* A file of that many prefixes, one a line. */
int lab_write_set(const char *path, unsigned int prefixes, bool v6, struct error *error);

#endif
