/* SPDX-License-Identifier: GPL-2.0 */
#include "model/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void labels_free(struct label *labels, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(labels[i].key);
		free(labels[i].value);
	}
	free(labels);
}

void container_clear(struct container *container)
{
	labels_free(container->labels, container->label_count);
	free(container->id);
	free(container->name);
	free(container->other_name);
	free(container->image);
	free(container->project);
	free(container->service);
	free(container->ports);
	free(container->resolvers);
	for (char **name = container->image_labels; name && *name; name++)
		free(*name);
	free(container->image_labels);
	free(container->image_id);
	free(container->network_mode);
	memset(container, 0, sizeof(*container));
}

void network_clear(struct network *network)
{
	free(network->id);
	free(network->name);
	free(network->driver);
	free(network->bridge);
	free(network->subnets);
	memset(network, 0, sizeof(*network));
}

void attachment_clear(struct attachment *attachment)
{
	free(attachment->container_id);
	free(attachment->network_id);
	free(attachment->addresses);
	free(attachment->interface);
	memset(attachment, 0, sizeof(*attachment));
}

void inventory_clear(struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->container_count; i++)
		container_clear(&inventory->containers[i]);
	for (size_t i = 0; i < inventory->network_count; i++)
		network_clear(&inventory->networks[i]);
	for (size_t i = 0; i < inventory->attachment_count; i++)
		attachment_clear(&inventory->attachments[i]);
	free(inventory->containers);
	free(inventory->networks);
	free(inventory->attachments);
	free(inventory->index);
	memset(inventory, 0, sizeof(*inventory));
}

/* ---- lookups: each array in the order of each of its keys ---- */

enum order {
	CONTAINERS_BY_ID, CONTAINERS_BY_NAME, NETWORKS_BY_ID, NETWORKS_BY_NAME, NETWORKS_BY_BRIDGE, ATTACHMENTS_BY_CONTAINER,
	ATTACHMENTS_BY_NETWORK, ORDERS
};

static const struct {
	size_t array, count;	/* members of struct inventory */
	size_t size;		/* of an element */
	size_t key;		/* the member of the element that is the key, a char * */
} orders[ORDERS] = {
#define ORDER(type, name, member) \
	{ offsetof(struct inventory, name##s), offsetof(struct inventory, name##_count), sizeof(type), offsetof(type, member) }
	[CONTAINERS_BY_ID] = ORDER(struct container, container, id),
	[CONTAINERS_BY_NAME] = ORDER(struct container, container, name),
	[NETWORKS_BY_ID] = ORDER(struct network, network, id),
	[NETWORKS_BY_NAME] = ORDER(struct network, network, name),
	[NETWORKS_BY_BRIDGE] = ORDER(struct network, network, bridge),
	[ATTACHMENTS_BY_CONTAINER] = ORDER(struct attachment, attachment, container_id),
	[ATTACHMENTS_BY_NETWORK] = ORDER(struct attachment, attachment, network_id),
};

/* The position, not the address, so that an array may move. */
struct index_entry {
	const char *key;	/* borrowed from the element */
	size_t position;
};

struct inventory_index {
	bool renaming;		/* some container has another name */
	struct index_entry *order[ORDERS];
	struct index_entry entries[];
};

static size_t count_of(const struct inventory *inventory, enum order order)
{
	return *(const size_t *)((const char *)inventory + orders[order].count);
}

static const void *element(const struct inventory *inventory, enum order order, size_t position)
{
	return *(const char *const *)((const char *)inventory + orders[order].array) + position * orders[order].size;
}

/* What has no key sorts as "", and nobody looks for that. */
static const char *key_of(const struct inventory *inventory, enum order order, size_t position)
{
	const char *key = *(char *const *)((const char *)element(inventory, order, position) + orders[order].key);

	return key ? key : "";
}

/* Equal keys stay in the order of the array: the lookup finds the same one with and without the index. */
static int compare_entries(const void *a, const void *b)
{
	const struct index_entry *left = a, *right = b;
	int difference = strcmp(left->key, right->key);

	return difference ? difference : left->position < right->position ? -1 : left->position > right->position;
}

void inventory_drop_index(struct inventory *inventory)
{
	free(inventory->index);
	inventory->index = NULL;
}

void inventory_index(struct inventory *inventory)
{
	struct inventory_index *index;
	struct index_entry *entry;
	size_t total = 0;

	inventory_drop_index(inventory);
	for (int order = 0; order < ORDERS; order++)
		total += count_of(inventory, order);
	index = malloc(sizeof(*index) + total * sizeof(*entry));
	if (!index)
		return;
	entry = index->entries;
	for (int order = 0; order < ORDERS; order++) {
		size_t count = count_of(inventory, order);
		bool sorted = true;

		index->order[order] = entry;
		for (size_t i = 0; i < count; i++) {
			entry[i] = (struct index_entry) { key_of(inventory, order, i), i };
			sorted = sorted && (!i || strcmp(entry[i - 1].key, entry[i].key) <= 0);
		}
		if (!sorted)	/* Docker's are, by ID */
			qsort(entry, count, sizeof(*entry), compare_entries);
		entry += count;
	}
	index->renaming = false;
	for (size_t i = 0; i < inventory->container_count; i++)
		index->renaming |= inventory->containers[i].other_name != NULL;
	inventory->index = index;
}

static size_t first_entry(const struct index_entry *entries, size_t count, const char *key)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(entries[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The next element with that key. @cursor: 0 at first, then one behind where the last was found. */
static const void *next(const struct inventory *inventory, enum order order, const char *key, size_t *cursor)
{
	const struct index_entry *entries = inventory->index ? inventory->index->order[order] : NULL;
	size_t count = count_of(inventory, order), at = *cursor;

	if (entries && !at)
		at = first_entry(entries, count, key);
	for (; at < count; at++) {
		if (strcmp(entries ? entries[at].key : key_of(inventory, order, at), key) == 0) {
			*cursor = at + 1;
			return element(inventory, order, entries ? entries[at].position : at);
		}
		if (entries)
			break;
	}
	*cursor = count ? count : 1;	/* and not from the front again */
	return NULL;
}

static const void *first(const struct inventory *inventory, enum order order, const char *key)
{
	size_t cursor = 0;

	return next(inventory, order, key, &cursor);
}

const struct container *inventory_container(const struct inventory *inventory, const char *id)
{
	return first(inventory, CONTAINERS_BY_ID, id);
}

const struct container *inventory_container_named(const struct inventory *inventory, const char *name)
{
	const struct container *container = first(inventory, CONTAINERS_BY_NAME, name);

	if (container || (inventory->index && !inventory->index->renaming))
		return container;
	for (size_t i = 0; i < inventory->container_count; i++)
		if (inventory->containers[i].other_name && strcmp(inventory->containers[i].other_name, name) == 0)
			return &inventory->containers[i];
	return NULL;
}

const struct network *inventory_network(const struct inventory *inventory, const char *id)
{
	return first(inventory, NETWORKS_BY_ID, id);
}

const struct network *inventory_network_named(const struct inventory *inventory, const char *name)
{
	return first(inventory, NETWORKS_BY_NAME, name);
}

const struct network *inventory_network_of_bridge(const struct inventory *inventory, const char *bridge)
{
	return *bridge ? first(inventory, NETWORKS_BY_BRIDGE, bridge) : NULL;
}

const struct attachment *inventory_container_attachment(const struct inventory *inventory, const char *container_id, size_t *cursor)
{
	return next(inventory, ATTACHMENTS_BY_CONTAINER, container_id, cursor);
}

const struct attachment *inventory_network_attachment(const struct inventory *inventory, const char *network_id, size_t *cursor)
{
	return next(inventory, ATTACHMENTS_BY_NETWORK, network_id, cursor);
}

const struct attachment *inventory_attachment(const struct inventory *inventory, const char *container_id, const char *network_id)
{
	const struct attachment *attachment;

	/* A container is on a few networks, a network may have thousands of containers. */
	for (size_t cursor = 0; (attachment = inventory_container_attachment(inventory, container_id, &cursor));)
		if (strcmp(attachment->network_id, network_id) == 0)
			return attachment;
	return NULL;
}

const char *container_label(const struct container *container, const char *key)
{
	for (size_t i = 0; i < container->label_count; i++)
		if (strcmp(container->labels[i].key, key) == 0)
			return container->labels[i].value;
	return NULL;
}

const char *container_service(const struct container *container, char *buffer)
{
	const char *project = container && container->service ? container->project : NULL;

	snprintf(buffer, CONTAINER_SERVICE_SIZE, "%s%s%s", project ? project : "", project ? "/" : "",
		 container && container->service ? container->service : "");
	return buffer;
}

bool container_same_ports(const struct container *a, const struct container *b)
{
	if (a->port_count != b->port_count)
		return false;
	for (size_t i = 0; i < a->port_count; i++)
		if (!addr_equal(&a->ports[i].host_addr, &b->ports[i].host_addr) || a->ports[i].host_port != b->ports[i].host_port ||
		    a->ports[i].port != b->ports[i].port || a->ports[i].proto != b->ports[i].proto)
			return false;
	return true;
}

bool container_same_resolvers(const struct container *a, const struct container *b)
{
	if (a->resolver_count != b->resolver_count)
		return false;
	for (size_t i = 0; i < a->resolver_count; i++)
		if (!addr_equal(&a->resolvers[i], &b->resolvers[i]))
			return false;
	return true;
}
