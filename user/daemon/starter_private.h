/* SPDX-License-Identifier: GPL-2.0 */
/* What the two halves of the starter share: starter.c gathers, starter_text.c writes. */
#ifndef DNETBPF_DAEMON_STARTER_PRIVATE_H
#define DNETBPF_DAEMON_STARTER_PRIVATE_H

#include <errno.h>

#include <dnetbpf/direction.h>

#include "base/index.h"
#include "daemon/starter.h"

/* Who was seen, in the order in which the rules come: `outside` has lan and internet in it. */
enum seen_peer {
	SEEN_HOST,
	SEEN_GROUP,
	SEEN_METADATA,
	SEEN_LAN,
	SEEN_INTERNET,
	SEEN_OUTSIDE,
	SEEN_NOBODY,	/* an address that nobody has now */
	SEEN_UNITS,	/* and the number of the unit */
};

enum unit_skip { SKIP_NOTHING, SKIP_STOPPED, SKIP_NO_INTERFACE, SKIP_LABELS };

/* What gets one policy: a compose service, or a container. */
struct unit {
	const struct container **containers;	/* a part of starter.sorted */
	size_t count;
	bool service;
	enum unit_skip skip;
	char name[80];	/* of the policy */
};

struct seen {
	uint32_t unit, peer;
	uint8_t direction, proto;
	uint16_t port;
	uint64_t count;
};

struct starter {
	struct starter_world world;
	const struct container **sorted;
	struct unit *units;
	size_t unit_count;
	struct index unit_of;		/* by the hash of a container's id: 1 + its unit */
	struct index addresses;		/* by address: the same */
	struct index hosts;
	struct seen *seen;
	struct index seen_index;
	size_t seen_count, flow_count, strangers, dropped;
};

#endif
