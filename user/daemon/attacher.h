/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Puts programs on interfaces, on a thread of its own: a veth that joins a Docker bridge gets them at its RTM_NEWLINK, while it
 * is still down, whatever the main loop is busy with. Until the main loop has identified the container the interface is
 * pending, because it has no entry in `links`.
 *
 * Interfaces that were there before the daemon are held: they are attached when the main loop says so, which is when it
 * knows their containers, so that no connection of a running container is cut for want of a name.
 */
#ifndef DNETBPF_DAEMON_ATTACHER_H
#define DNETBPF_DAEMON_ATTACHER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/netlink.h"
#include "dataplane/attach.h"
#include "observe/metrics.h"

struct attacher;

/* @held: interfaces that are there already. @watch: attach new veths of Docker bridges by itself (the Docker inventory). @held: what is there already. */
int attacher_start(struct dataplane *dataplane, enum attach_mode mode, bool watch, const struct netlink_link *held,
		   size_t held_count, struct attacher **ret, struct error *error);
void attacher_stop(struct attacher *attacher);

/* A bridge with another name than Docker's usual ones is Docker's too. */
void attacher_add_bridge(struct attacher *attacher, int ifindex);
bool attacher_is_docker_name(const char *bridge);

/* Make sure that our programs are on the interface. Idempotent. The kernel may let it wait for RTNL, which is why the main loop
 * asks the thread to do it once it runs: attacher_request(). */
int attacher_ensure(struct attacher *attacher, int ifindex, bool bridge, struct error *error);
void attacher_request(struct attacher *attacher, int ifindex, bool bridge);
/* A filter of this interface went away: look whether it was ours, and put it back. */
void attacher_verify(struct attacher *attacher, int ifindex);
/* The interface is there, but no longer ours to guard: take the programs away. */
void attacher_release(struct attacher *attacher, int ifindex);
bool attacher_has(struct attacher *attacher, int ifindex);
/* Readable when the thread has attached something since attacher_seen(). */
int attacher_fd(const struct attacher *attacher);
void attacher_seen(struct attacher *attacher);
void attacher_histogram(struct attacher *attacher, struct metrics_histogram *ret);
/* How many programs somebody removed and we put back. */
unsigned long attacher_repairs(struct attacher *attacher);

#endif
