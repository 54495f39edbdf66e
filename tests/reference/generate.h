/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random but repeatable: the text of an inventory and of a policy file, so that the readers of both are part of what is tested,
 * and packets that are likely to meet a rule, or to miss one by little.
 */
#ifndef TESTS_REFERENCE_GENERATE_H
#define TESTS_REFERENCE_GENERATE_H

#include <stdio.h>

#include "evaluate.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct random {
	uint64_t state;
};

uint32_t random_below(struct random *random, uint32_t bound);
/* True in @percent of 100 cases. */
bool random_chance(struct random *random, uint32_t percent);
#define random_pick(random, table) ((table)[random_below((random), COUNT(table))])

/* The networks are always the same (see generate_networks); the bridge is "br-NAME". Endpoints are called e0, e1, ... */
#define GENERATE_NETWORKS 4
#define GENERATE_ENDPOINTS 12

struct generate_network {
	const char *name, *v4, *v6;	/* the subnets; v4 and v6 begin the addresses */
	const char *v4_base, *v6_base, *gateway_v4, *gateway_v6;
};
extern const struct generate_network generate_networks[GENERATE_NETWORKS];

/* Interfaces of the host that are no bridges, and a port of a bridge that nobody enforces. */
#define GENERATE_UPLINK "uplink"
#define GENERATE_TUNNEL "vpn0"
#define GENERATE_STRANGER "rogue"

/* Each writes a whole file. */
void generate_inventory(struct random *random, FILE *out);
void generate_policy(struct random *random, FILE *out);

/* Everything that a packet may be taken from. */
struct packet_source {
	const struct reference_world *world;
	struct dnet_addr *addresses;	/* that stand in the policy, their neighbours, and some more; owned */
	size_t address_count, address_room;
	uint32_t *selectors;		/* that begin and end matches, and their neighbours; owned */
	size_t selector_count, selector_room;
};
bool packet_source_begin(struct packet_source *source, const struct reference_world *world);
void packet_source_end(struct packet_source *source);
/* False when the world has no endpoint that could judge it. */
bool generate_packet(struct random *random, const struct packet_source *source, struct reference_packet *ret);
/* The packet in the words of tests/packet/packet.h. Returns @buffer. */
#define PACKET_TEXT_SIZE 256
const char *packet_text(const struct reference_packet *packet, char *buffer);

#endif
