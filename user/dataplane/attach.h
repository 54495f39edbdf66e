/* SPDX-License-Identifier: GPL-2.0 */
/* Programs on interfaces: clsact filters or TCX links. All functions are thread-safe as long as one ifindex is handled by
 * one thread at a time. */
#ifndef DNETBPF_DATAPLANE_ATTACH_H
#define DNETBPF_DATAPLANE_ATTACH_H

#include <stdbool.h>

#include "dataplane/dataplane.h"

enum attach_mode { ATTACH_MODE_CLSACT, ATTACH_MODE_TCX };

/*
 * Put our programs on a container's veth: what it sends first, then what it receives; or the safety net on a bridge.
 * Programs of ours that are there already are replaced atomically; those of the other mode are removed after the new ones
 * are in force. Noted in the map `attached`. -ENODEV: the interface is gone.
 */
int attach_container(struct dataplane *dataplane, int ifindex, enum attach_mode mode, struct error *error);
int attach_bridge(struct dataplane *dataplane, int ifindex, enum attach_mode mode, struct error *error);
/* Are they still there? */
bool attach_present(const struct dataplane *dataplane, int ifindex, bool bridge, enum attach_mode mode);
/* Take them away, with the clsact qdisc if we made it and nobody else uses it. @flags: as noted in `attached`. @pin: the pin
 * directory. The note is not touched. */
void attach_remove(const char *pin, int ifindex, uint32_t flags);
/* The interface is gone: remove the note and the pins of dead links. */
void attach_forget(struct dataplane *dataplane, int ifindex);

#endif
