/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an explanation is made from: the container interfaces and the policies that hold for them, and somebody who judges a
 * packet. The daemon asks the kernel's own tables; offline the compiled ones are asked. Everything else is the same code.
 */
#ifndef DNETBPF_EXPLAIN_WORLD_H
#define DNETBPF_EXPLAIN_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/direction.h>
#include <dnetbpf/reason.h>

#include "base/error.h"
#include "compile/compile.h"
#include "compile/explain.h"
#include "explain/packet.h"
#include "model/inventory.h"
#include "model/policy.h"

/* One interface of a container. All borrowed. */
struct explain_end {
	struct compile_endpoint compile;
	const struct dnet_addr *addresses;
	size_t address_count;
	const struct compile_verdict *verdict;
	const void *owner;	/* whose it is, for judge(): the daemon's struct live; offline: NULL */
};

enum explain_side_kind {
	EXPLAIN_END,		/* @end */
	EXPLAIN_HOST,
	EXPLAIN_OUTSIDE,
	EXPLAIN_GROUP,		/* a multicast or broadcast address */
	EXPLAIN_STRANGER,	/* in the subnet of @network, and nobody's that is known */
};

struct explain_side {
	enum explain_side_kind kind;
	struct dnet_addr addr;
	uint16_t port;			/* host order; 0: the protocol has none */
	const struct explain_end *end;
	const struct network *network;	/* of @end, or that a stranger's address belongs to; else NULL */
	const struct container *named;	/* the container that was written, or NULL */
};

/* A packet with addresses, as it would be seen. */
struct explain_packet {
	uint8_t proto, icmp_type, icmp_code;
	struct explain_side src, dst;
};

#define EXPLAIN_BLOCK_SIZE 768

/* What one end's interface says. */
struct explain_judgement {
	enum dnet_reason reason;
	enum dnet_verdict verdict;
	bool asked;	/* the rules were, and what follows is set */
	enum dnet_direction whose;	/* rules of this direction */
	enum dnet_layer layer;		/* that denied, or the last that governs */
	uint32_t rule[DNET_LAYERS];	/* index in the layer's ruleset, EXPLAIN_NO_RULE: none */
	struct explain_question question;
	char block[EXPLAIN_BLOCK_SIZE];	/* BANNED, BLOCKED: which block, until when and why, as a clause; "" when nobody knows any more */
	struct listed_rule blamed;	/* the rule whose limit was exceeded; NULL: none, or it is in force no more */
};

struct explain_world {
	const struct inventory *inventory;
	const struct policy_set *policies;
	const struct compiler *compiler;
	const struct explain_end *ends;
	size_t end_count;
	const struct dnet_addr *host_addresses;	/* those of the bridges included */
	size_t host_address_count;
	bool docker;	/* the inventory is an engine's: what it does by itself is worth a note */
	bool offline;
	/* @direction: of the packet at @end. 0 or -errno with a sentence. */
	int (*judge)(void *context, const struct explain_packet *packet, const struct explain_end *end, enum dnet_direction direction,
		     struct explain_judgement *ret, struct error *error);
	void *context;
};

/* What an address is: fills kind, end and network of @side. @near: of several ends with this address the one on this network. */
void explain_classify(const struct explain_world *world, const struct dnet_addr *addr, const struct network *near,
		      struct explain_side *side);
bool explain_is_host(const struct explain_world *world, const struct dnet_addr *addr);
bool explain_is_group(const struct dnet_addr *addr);
/* The network that has this address in a subnet, or NULL. */
const struct network *explain_network_of(const struct explain_world *world, const struct dnet_addr *addr);
/* The end with this id, or NULL. */
const struct explain_end *explain_end_by_id(const struct explain_world *world, uint32_t id);

/*
 * The packets that a text can mean, the one that Docker would send first: of several networks the one that both share, IPv4
 * before IPv6. At most EXPLAIN_MAX_PACKETS, *ret_count says how many. -EINVAL with the column.
 */
#define EXPLAIN_MAX_PACKETS 16
int explain_resolve(const struct explain_world *world, const struct packet_text *text,
		    struct explain_packet ret[EXPLAIN_MAX_PACKETS], size_t *ret_count, struct error *error);

#endif
