/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a provider (Docker, or a static file) knows: containers, networks, and which container is attached to which
 * network. Plain data; the reconciler matches it with the links that netlink shows.
 */
#ifndef DNETBPF_MODEL_INVENTORY_H
#define DNETBPF_MODEL_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/address.h>

struct label {
	char *key, *value;
};

/* Docker forwards @host_port of @host_addr to @port of the container. */
struct published_port {
	struct dnet_addr host_addr;	/* :: and 0.0.0.0: every address */
	uint16_t host_port, port;	/* host order */
	uint8_t proto;
};

enum container_state {
	CONTAINER_CREATED,	/* exists, not running: created, exited, or being started */
	CONTAINER_RUNNING,	/* running or paused */
};

struct container {
	char *id;		/* 64 hex digits; static inventory: the name */
	char *name;		/* without the leading slash */
	char *other_name;	/* while Docker renames it, its list shows the old and the new name; else NULL */
	char *image;		/* as the list shows it; "" if unknown */
	char *project;		/* compose project, or NULL */
	char *service;		/* compose service, or NULL */
	struct label *labels;
	size_t label_count;
	enum container_state state;
	struct published_port *ports;	/* owned */
	size_t port_count;
	struct dnet_addr *resolvers;	/* configured for it alone (`docker run --dns`); owned. None: those of the host */
	size_t resolver_count;
	bool resolvers_known;	/* Docker: they have been asked for (only when it runs); until then those of the host are assumed */
	char *image_id;		/* Docker: what the engine calls the image; NULL: not known yet, or static */
	char **image_labels;	/* names of labels that its image brought: they are not in `labels`; owned, closed by NULL; NULL: none */
	bool labels_unknown;	/* its image is gone, so nobody can tell which labels are its own: `labels` has none of them, and it is
				 * to be denied (label_policy_parse() says `invalid`) */
	char *network_mode;	/* "host", "none", "container:ID", "bridge", a network's name, or NULL if unknown */
};

struct prefix {
	struct dnet_addr addr;
	unsigned int prefix_len;	/* 0 to 128; IPv4 is 96 + n */
};

struct network {
	char *id;
	char *name;
	char *driver;		/* "bridge", "macvlan", ...; static: "bridge" */
	char *bridge;		/* interface name of the bridge; NULL: this driver has none */
	struct prefix *subnets;
	size_t subnet_count;
	bool internal;
	uint64_t asked_ns;	/* CLOCK_MONOTONIC when the answer that shows its attachments was asked for; 0: never */
};

/* One container on one network. */
struct attachment {
	char *container_id;
	char *network_id;
	bool has_mac;
	uint8_t mac[6];
	struct dnet_addr *addresses;	/* without prefix length */
	size_t address_count;
	char *interface;	/* static inventory: the host-side interface; Docker: NULL */
};

struct inventory {
	struct container *containers;
	size_t container_count;
	struct network *networks;
	size_t network_count;
	struct attachment *attachments;
	size_t attachment_count;
	struct inventory_index *index;	/* owned; see inventory_index() */
};

void labels_free(struct label *labels, size_t count);
void container_clear(struct container *container);
void network_clear(struct network *network);
void attachment_clear(struct attachment *attachment);
void inventory_clear(struct inventory *inventory);

/*
 * Make the lookups below fast. Who builds an inventory, or changes it, calls this when it is complete; with the first change of
 * an array, an ID or a name after that the index must go (inventory_drop_index()). Without an index, also when memory was too
 * short for it, the lookups go through the arrays from the front.
 */
void inventory_index(struct inventory *inventory);
void inventory_drop_index(struct inventory *inventory);

const struct container *inventory_container(const struct inventory *inventory, const char *id);
/* By its name; also by the other one while it is renamed. */
const struct container *inventory_container_named(const struct inventory *inventory, const char *name);
const struct network *inventory_network(const struct inventory *inventory, const char *id);
const struct network *inventory_network_named(const struct inventory *inventory, const char *name);
const struct network *inventory_network_of_bridge(const struct inventory *inventory, const char *bridge);
const struct attachment *inventory_attachment(const struct inventory *inventory, const char *container_id, const char *network_id);
/*
 * One after the other, in no order, NULL after the last:
 *	for (size_t cursor = 0; (attachment = inventory_container_attachment(inventory, id, &cursor));)
 */
const struct attachment *inventory_container_attachment(const struct inventory *inventory, const char *container_id, size_t *cursor);
const struct attachment *inventory_network_attachment(const struct inventory *inventory, const char *network_id, size_t *cursor);

#define CONTAINER_SERVICE_SIZE 256
/* "PROJECT/SERVICE" as rules and selectors have it, "SERVICE" without a project, "" without a service. Returns @buffer, which has
 * CONTAINER_SERVICE_SIZE bytes. @container may be NULL. */
const char *container_service(const struct container *container, char *buffer);
/* The value of a label, or NULL. */
const char *container_label(const struct container *container, const char *key);
/* In the same order. */
bool container_same_ports(const struct container *a, const struct container *b);
bool container_same_resolvers(const struct container *a, const struct container *b);

#endif
