/* SPDX-License-Identifier: GPL-2.0 */
/* Which containers are to be read, and which are to be read once more. Pure. */
#ifndef DNETBPF_DOCKER_PENDING_H
#define DNETBPF_DOCKER_PENDING_H

#include <stdbool.h>
#include <stddef.h>

#include "model/inventory.h"

/* A set of IDs in the order of their arrival. */
struct id_list {
	char **ids;
	size_t count;
};

void ids_clear(struct id_list *list);
bool ids_contain(const struct id_list *list, const char *id);
int ids_add(struct id_list *list, const char *id);
/* Move the first of @from, at most @max, to the empty @to. */
int ids_move(struct id_list *from, struct id_list *to, size_t max);

#define SETTLE_TRIES 60

/*
 * Docker reports that a container died before the list that it serves says so (moby writes the list's snapshot after the
 * event). Until the list agrees the event is believed, and the container is read again and again; after SETTLE_TRIES the list
 * is believed.
 */
struct settling {
	struct settling_container {
		char *id;
		unsigned int tries;
	} *containers;
	size_t count;
};

void settle_clear(struct settling *settling);
void settle_add(struct settling *settling, const char *id);
void settle_drop(struct settling *settling, const char *id);
/* One more try for every container. */
void settle_tick(struct settling *settling);
/* Correct what the list says of a container. */
void settle(struct settling *settling, struct container *container);

#endif
