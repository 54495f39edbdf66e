/* SPDX-License-Identifier: GPL-2.0 */
/* Which limit has which id, what it is called, and how often it was exceeded. */
#ifndef DNETBPF_DAEMON_LIMITS_H
#define DNETBPF_DAEMON_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/index.h"
#include "model/policy.h"
#include "observe/metrics.h"

struct daemon;

/* A limit of a rule in force. Borrowed from the policies or from the labels. */
struct limit_name {
	uint32_t id;
	const char *policy;
	const struct rule *rule;
	const struct limit *limit;
};

struct limit_names {
	struct index places;	/* from an id to 1 + the place in items */
	struct limit_name *items;	/* owned */
	size_t count, room;
	bool ids_full;	/* `limit_ids` is, and nothing in it can be forgotten */
};

void limit_names_clear(struct limit_names *names);

/* A compile_limit(): the id that `limit_ids` has for it, or a new one; and its name. @context: the daemon. */
uint32_t limits_id(void *context, const char *policy, const struct rule *rule, const struct limit *limit);
/* The limit in force with this id, or NULL. Until the policies change. */
const struct limit_name *limits_name(const struct daemon *daemon, uint32_t id);
/* Take over what an earlier daemon left in `limit_ids`. */
void limits_adopt(struct daemon *daemon);
/* Remove hits of endpoints that are gone and of limits that are in force no more: the table is bounded. */
void limits_sweep(struct daemon *daemon);
/* How often an endpoint has exceeded limit number @limit (index in `limits`) in all. */
uint64_t limits_exceeded(const struct daemon *daemon, uint32_t endpoint_id, uint32_t limit);
/* dnetbpf_limit_exceeded_total */
void limits_metrics(const struct daemon *daemon, struct metrics *metrics);

#endif
