/* SPDX-License-Identifier: GPL-2.0 */
/* Every bound that a container, a client or a configuration can run into, in one place. */
#ifndef DNETBPF_LIMITS_H
#define DNETBPF_LIMITS_H

#define DNET_MAX_ENDPOINTS	4096	/* container interfaces under enforcement at once */
#define DNET_ENDPOINT_SLOTS	(DNET_MAX_ENDPOINTS + 1)	/* slot 0 stands for "no endpoint" */
#define DNET_MAX_ADDRESSES	32768	/* addresses of all endpoints, two entries each (see address.h) */
#define DNET_MAX_BRIDGES	1024	/* Docker bridges */
#define DNET_MAX_PLACES		16384	/* host addresses and Docker subnets */
#define DNET_MAX_FLOWS		262144	/* connections known at once */
#define DNET_MAX_FRAGMENTS	8192	/* fragmented datagrams in flight */
#define DNET_MAX_RULES		1024	/* rules of one ruleset */
#define DNET_ROW_WORDS		(DNET_MAX_RULES / 64)
#define DNET_MAX_POLICIES	4096	/* in the policy file and what it includes */
#define DNET_MAX_RULESETS	16384	/* per arena */
#define DNET_MAX_BOUNDS		524288	/* port boundaries of all rulesets, per arena */
#define DNET_MAX_ROW_WORDS	524288	/* 64-bit words of all rows, per arena */
#define DNET_MAX_RULE_ENTRIES	131072	/* rules of all rulesets, per arena */
#define DNET_MAX_PEER_ROWS	131072	/* (ruleset, endpoint, interface or class of sets) pairs, per arena */
#define DNET_MAX_PREFIX_ROWS	131072	/* (ruleset, prefix) pairs, per arena */
#define DNET_MAX_RULE_COUNTERS	131072	/* rules whose hits are counted */
#define DNET_MAX_LIMITS		32768	/* limits of all rules, per arena */
#define DNET_BUCKET_GROUPS	32768	/* of DNET_BUCKET_WAYS buckets, as many as connections: who is limited by source, and how many at once */
#define DNET_MAX_EXCEEDED	65536	/* (endpoint, limit) pairs that have refused something */
#define DNET_MAX_BLOCKS		65536	/* bans and blocks by hand */
#define DNET_MAX_PROVEN		65536	/* sources that have completed a handshake where bans are possible; the least recent are forgotten */
#define DNET_MAX_SETS		1024	/* sets of a configuration */
#define DNET_MAX_SET_PREFIXES	1000000	/* prefixes of all sets */
#define DNET_MAX_SET_RANGES	2097152	/* ranges of a family: a prefix makes at most two boundaries */
#define DNET_MAX_SET_CLASSES	65536	/* combinations of sets that some address is in */
#define DNET_EVENT_RING_BYTES	(1 << 20)

#define DNET_MAX_IPV6_EXTENSIONS 6	/* extension headers that are walked before the packet is refused */

/* Deny events: an endpoint may send this many at once, and this many a second after that. The rest is counted. */
#define DNET_EVENT_BURST	200
#define DNET_EVENTS_PER_SEC	100

#endif
