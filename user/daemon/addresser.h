/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads this host's addresses, on a thread of its own: the dump waits for RTNL, which containers that start hold for tens of
 * milliseconds, and the main loop has their identities to find in that time.
 */
#ifndef DNETBPF_DAEMON_ADDRESSER_H
#define DNETBPF_DAEMON_ADDRESSER_H

#include <stddef.h>

#include "base/error.h"
#include "base/netlink.h"

struct addresser;

int addresser_start(struct addresser **ret, struct error *error);
void addresser_stop(struct addresser *addresser);
/* Read them again. Many requests while one is under way become one more. */
void addresser_request(struct addresser *addresser);
/* Readable when addresser_take() has something. */
int addresser_fd(const struct addresser *addresser);
/* The newest addresses, owned by the caller. 0, or -EAGAIN when nothing new is there. */
int addresser_take(struct addresser *addresser, struct netlink_address **ret, size_t *ret_count);

#endif
