/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Merging what Docker answers into an inventory. Pure. The arrays are kept sorted (containers and networks by ID,
 * attachments by network, then container), so that a lookup is a binary search and an event costs microseconds in an
 * inventory of thousands. What changes an inventory drops its index. What is passed in is taken over on success, and left
 * empty where it is a single struct.
 */
#ifndef DNETBPF_DOCKER_STORE_H
#define DNETBPF_DOCKER_STORE_H

#include <stdbool.h>

#include "model/inventory.h"

struct container *store_container(const struct inventory *inventory, const char *id);
struct network *store_network(const struct inventory *inventory, const char *id);
/* The attachments of a network: a run of the array. */
struct attachment *store_attachments(const struct inventory *inventory, const char *network_id, size_t *ret_count);

/* Add or replace; *changed is set when the inventory differs from before, and never cleared. 0 or -ENOMEM. */
int store_put_container(struct inventory *inventory, struct container *container, bool *changed);
int store_put_network(struct inventory *inventory, struct network *network, bool *changed);
/* All older attachments of the network go. */
int store_put_attachments(struct inventory *inventory, const char *network_id, struct attachment *attachments, size_t count,
			  bool *changed);
/* The whole list. With a network that is gone go its attachments. */
void store_set_containers(struct inventory *inventory, struct container *containers, size_t count, bool *changed);
void store_set_networks(struct inventory *inventory, struct network *networks, size_t count, bool *changed);
/* With its attachments. */
void store_remove_container(struct inventory *inventory, const char *id, bool *changed);
void store_remove_network(struct inventory *inventory, const char *id, bool *changed);

#endif
