/* SPDX-License-Identifier: GPL-2.0 */
/* Inside reconciling: what reconcile.c (links, identities, order), enforce.c (policy, endpoints) and adopt.c share. */
#ifndef DNETBPF_DAEMON_RECONCILE_H
#define DNETBPF_DAEMON_RECONCILE_H

#include "daemon/state.h"

/* Something is not as it should be. Said in the log when it begins, and in `status` as long as it lasts. */
void problem(struct daemon *daemon, const char *text);

/* A free slot with its counters at zero, or 0 when all are taken. */
uint32_t slot_take(struct daemon *daemon);
/* Give an endpoint's slot and id back: its link has gone from `links`. */
void slot_give(struct daemon *daemon, struct live *live);
/* Keep the names of an endpoint that goes: its events can still be in the ring. */
void past_remember(struct daemon *daemon, const struct live *live);
void past_clear(struct past_endpoint *past);

/* label_cache.c: a table of reconcile_labels(). */
void label_cache_free(struct cached_labels **labels, size_t room);

/* Is this bridge one of Docker's? */
bool bridge_is_ours(const struct daemon *daemon, const struct netlink_link *link);

/* Compile the policies in force for all identified interfaces. On failure what is in force stays. */
void enforce(struct daemon *daemon);
/* What a switch exchanges. */
struct in_force {
	struct policy_set *policies;
	struct country_database countries;
};
struct in_force enforce_now(const struct daemon *daemon);
/* Put @next in force: everything is built beside, then one flip. It is the daemon's from then on, and *ret_before (NULL: none, or the
 * same) is the caller's. On failure nothing has changed, and @next is still the caller's. */
int enforce_switch(struct daemon *daemon, const struct in_force *next, struct in_force *ret_before, struct error *error);
/* Take away what arenas that were left have in the kernel's tables. */
void enforce_withdraw_retired(struct daemon *daemon);
void enforce_clear(struct daemon *daemon);	/* frees all of it; the kernel side stays */

#endif
