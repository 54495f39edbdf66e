/* SPDX-License-Identifier: GPL-2.0 */
/* What the reader of the static inventory (static_inventory.c) and its keys about containers (static_entry.c) share. */
#ifndef DNETBPF_CONFIG_STATIC_ENTRY_H
#define DNETBPF_CONFIG_STATIC_ENTRY_H

#include "config/document.h"
#include "model/inventory.h"

/* One entry of `endpoints`, before it is merged: several entries may be about one container. */
struct entry {
	struct container container;
	struct attachment attachment;
	const struct node *nodes[2];	/* of the network's name and the interface, for messages */
};

enum { NODE_OF_NETWORK, NODE_OF_INTERFACE };

/* Replaces *ret. */
int static_copy_text(const struct document *document, const char *text, char **ret);
/* A name. @what: "a network", for messages. */
int static_read_word(const struct document *document, const struct node *key, const struct node *value, enum name_kind kind,
		     const char *what, char **ret);

/* Readers of keys (see struct node_key) whose target is a struct entry. */
int static_read_service(const struct document *document, const struct node *key, const struct node *value, void *target);
int static_read_image(const struct document *document, const struct node *key, const struct node *value, void *target);
int static_read_labels(const struct document *document, const struct node *key, const struct node *value, void *target);
/*
 * "[HOST-ADDRESS:]HOST-PORTS:PORTS[/PROTO]", as Docker and Compose write it; PORTS may be a range: then @port is the first, and
 * *ret_count says how many there are. @port is zero before; false: it is something else.
 */
bool static_parse_port(const char *text, struct published_port *port, unsigned int *ret_count);
int static_read_ports(const struct document *document, const struct node *key, const struct node *value, void *target);
int static_read_resolvers(const struct document *document, const struct node *key, const struct node *value, void *target);
int static_read_image_labels(const struct document *document, const struct node *key, const struct node *value, void *target);

/* What a further entry says of a container must be what the first one said; it may say nothing. */
int static_check_again(const struct document *document, const struct node *item, const struct container *known,
		       const struct container *again);

#endif
