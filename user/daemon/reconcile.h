/* SPDX-License-Identifier: GPL-2.0 */
/* Inside reconciling: what reconcile.c (links, identities, order), enforce.c (policy, endpoints) and adopt.c share. */
#ifndef DNETBPF_DAEMON_RECONCILE_H
#define DNETBPF_DAEMON_RECONCILE_H

#include "daemon/state.h"

/* Something is not as it should be. Said in the log when it begins, and in `status` as long as it lasts. */
void problem(struct daemon *daemon, const char *text);
/* The link with this ifindex, or NULL. */
const struct netlink_link *link_of(const struct netlink_link *links, size_t count, int ifindex);

/* A free slot with its counters at zero, or 0 when all are taken. */
uint32_t slot_take(struct daemon *daemon);
void slot_give(struct daemon *daemon, uint32_t slot);
/* Keep the names of an endpoint that goes: its events can still be in the ring. */
void past_remember(struct daemon *daemon, const struct live *live);
void past_clear(struct past_endpoint *past);

/* Compile the policy for all identified interfaces and put it in force. On failure what is in force stays. */
void enforce(struct daemon *daemon);
void enforce_clear(struct daemon *daemon);	/* the compiler and the labels that it refers to */

#endif
