/* SPDX-License-Identifier: GPL-2.0 */
#include "docker/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_names(char *const *a, char *const *b)
{
	for (; a && b && *a && *b; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return (!a || !*a) && (!b || !*b);
}

/* To those who are told. Which image it is by ID, and whether its resolvers were asked for, is between us and the engine. */
static bool same_container(const struct container *a, const struct container *b)
{
	if (!same_text(a->name, b->name) || !same_text(a->image, b->image) || !same_text(a->project, b->project) ||
	    !same_text(a->service, b->service) || !same_text(a->network_mode, b->network_mode) || a->state != b->state ||
	    a->label_count != b->label_count || a->labels_unknown != b->labels_unknown || !same_names(a->image_labels, b->image_labels) ||
	    !container_same_ports(a, b) || !container_same_resolvers(a, b))
		return false;
	for (size_t i = 0; i < a->label_count; i++)
		if (!same_text(a->labels[i].key, b->labels[i].key) || !same_text(a->labels[i].value, b->labels[i].value))
			return false;
	return true;
}

static bool same_network(const struct network *a, const struct network *b)
{
	if (!same_text(a->name, b->name) || !same_text(a->driver, b->driver) || !same_text(a->bridge, b->bridge) ||
	    a->internal != b->internal || a->subnet_count != b->subnet_count)
		return false;
	for (size_t i = 0; i < a->subnet_count; i++)
		if (a->subnets[i].prefix_len != b->subnets[i].prefix_len || !addr_equal(&a->subnets[i].addr, &b->subnets[i].addr))
			return false;
	return true;
}

static bool same_attachment(const struct attachment *a, const struct attachment *b)
{
	if (!same_text(a->container_id, b->container_id) || a->has_mac != b->has_mac || memcmp(a->mac, b->mac, sizeof(a->mac)) != 0 ||
	    a->address_count != b->address_count)
		return false;
	for (size_t i = 0; i < a->address_count; i++)
		if (!addr_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	return true;
}

static int compare_containers(const void *a, const void *b)
{
	return strcmp(((const struct container *)a)->id, ((const struct container *)b)->id);
}

static int compare_networks(const void *a, const void *b)
{
	return strcmp(((const struct network *)a)->id, ((const struct network *)b)->id);
}

static int compare_attachments(const void *a, const void *b)
{
	return strcmp(((const struct attachment *)a)->container_id, ((const struct attachment *)b)->container_id);
}

/* Where @id is, or would be, in an array that is sorted by the string at @id_offset of its members. */
static size_t position(const void *array, size_t count, size_t size, size_t id_offset, const char *id, bool after_equal)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		char *const *key = (char *const *)((const char *)array + middle * size + id_offset);
		int order = strcmp(*key, id);

		if (order < 0 || (after_equal && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t container_position(const struct inventory *inventory, const char *id)
{
	return position(inventory->containers, inventory->container_count, sizeof(struct container),
			offsetof(struct container, id), id, false);
}

static size_t network_position(const struct inventory *inventory, const char *id)
{
	return position(inventory->networks, inventory->network_count, sizeof(struct network),
			offsetof(struct network, id), id, false);
}

struct container *store_container(const struct inventory *inventory, const char *id)
{
	size_t at = container_position(inventory, id);

	return at < inventory->container_count && strcmp(inventory->containers[at].id, id) == 0 ? &inventory->containers[at] : NULL;
}

struct network *store_network(const struct inventory *inventory, const char *id)
{
	size_t at = network_position(inventory, id);

	return at < inventory->network_count && strcmp(inventory->networks[at].id, id) == 0 ? &inventory->networks[at] : NULL;
}

static size_t attachment_position(const struct inventory *inventory, const char *network_id, bool after)
{
	return position(inventory->attachments, inventory->attachment_count, sizeof(struct attachment),
			offsetof(struct attachment, network_id), network_id, after);
}

struct attachment *store_attachments(const struct inventory *inventory, const char *network_id, size_t *ret_count)
{
	size_t first = attachment_position(inventory, network_id, false);

	*ret_count = attachment_position(inventory, network_id, true) - first;
	return *ret_count ? inventory->attachments + first : NULL;
}

/* Make room for one more member at @at. The hole is the caller's to fill. */
static int open_hole(void **array, size_t *count, size_t size, size_t at)
{
	char *grown = realloc(*array, (*count + 1) * size);

	if (!grown)
		return -ENOMEM;
	*array = grown;
	memmove(grown + (at + 1) * size, grown + at * size, (*count - at) * size);
	(*count)++;
	return 0;
}

int store_put_container(struct inventory *inventory, struct container *container, bool *changed)
{
	size_t at = container_position(inventory, container->id);
	struct container *old = store_container(inventory, container->id);

	/* In the middle of a rename both names are listed, in no order: the one that an event told of stands. */
	if (old && container->other_name && same_text(old->name, container->other_name)) {
		char *name = container->name;

		container->name = container->other_name;
		container->other_name = name;
	}
	if (old && same_container(old, container)) {
		char *image_id = old->image_id;

		old->image_id = container->image_id;
		container->image_id = image_id;
		old->resolvers_known = container->resolvers_known;
		container_clear(container);
		return 0;
	}
	inventory_drop_index(inventory);
	if (old)
		container_clear(old);
	else if (open_hole((void **)&inventory->containers, &inventory->container_count, sizeof(*container), at) < 0)
		return -ENOMEM;
	inventory->containers[at] = *container;
	memset(container, 0, sizeof(*container));
	*changed = true;
	return 0;
}

int store_put_network(struct inventory *inventory, struct network *network, bool *changed)
{
	size_t at = network_position(inventory, network->id);
	struct network *old = store_network(inventory, network->id);

	if (old && same_network(old, network)) {
		old->asked_ns = network->asked_ns;	/* fresher, but no news */
		network_clear(network);
		return 0;
	}
	inventory_drop_index(inventory);
	if (old)
		network_clear(old);
	else if (open_hole((void **)&inventory->networks, &inventory->network_count, sizeof(*network), at) < 0)
		return -ENOMEM;
	inventory->networks[at] = *network;
	memset(network, 0, sizeof(*network));
	*changed = true;
	return 0;
}

static void free_attachments(struct attachment *attachments, size_t count)
{
	for (size_t i = 0; i < count; i++)
		attachment_clear(&attachments[i]);
	free(attachments);
}

int store_put_attachments(struct inventory *inventory, const char *network_id, struct attachment *attachments, size_t count,
			  bool *changed)
{
	size_t first = attachment_position(inventory, network_id, false);
	size_t end = attachment_position(inventory, network_id, true);
	size_t old = end - first, total = inventory->attachment_count - old + count;
	bool same = old == count;

	if (count)
		qsort(attachments, count, sizeof(*attachments), compare_attachments);
	for (size_t i = 0; same && i < count; i++)
		same = same_attachment(&inventory->attachments[first + i], &attachments[i]);
	if (same) {
		free_attachments(attachments, count);
		return 0;
	}
	inventory_drop_index(inventory);
	if (count > old) {
		struct attachment *grown = realloc(inventory->attachments, total * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		inventory->attachments = grown;
	}
	for (size_t i = first; i < end; i++)
		attachment_clear(&inventory->attachments[i]);
	if (end < inventory->attachment_count)
		memmove(inventory->attachments + first + count, inventory->attachments + end,
			(inventory->attachment_count - end) * sizeof(*attachments));
	if (count)
		memcpy(inventory->attachments + first, attachments, count * sizeof(*attachments));
	inventory->attachment_count = total;
	free(attachments);
	*changed = true;
	return 0;
}

void store_set_containers(struct inventory *inventory, struct container *containers, size_t count, bool *changed)
{
	bool same = count == inventory->container_count;

	if (count)
		qsort(containers, count, sizeof(*containers), compare_containers);
	for (size_t i = 0; same && i < count; i++)
		same = strcmp(containers[i].id, inventory->containers[i].id) == 0 &&
		       same_container(&containers[i], &inventory->containers[i]);
	if (!same)
		*changed = true;
	inventory_drop_index(inventory);
	for (size_t i = 0; i < inventory->container_count; i++)
		container_clear(&inventory->containers[i]);
	free(inventory->containers);
	inventory->containers = containers;
	inventory->container_count = count;
}

void store_set_networks(struct inventory *inventory, struct network *networks, size_t count, bool *changed)
{
	bool same = count == inventory->network_count;
	size_t kept = 0;

	if (count)
		qsort(networks, count, sizeof(*networks), compare_networks);
	for (size_t i = 0; same && i < count; i++)
		same = strcmp(networks[i].id, inventory->networks[i].id) == 0 && same_network(&networks[i], &inventory->networks[i]);
	if (!same)
		*changed = true;
	inventory_drop_index(inventory);
	/* The list shows no attachments: those that are known are as fresh as they were. */
	for (size_t i = 0; i < count; i++) {
		const struct network *old = store_network(inventory, networks[i].id);

		networks[i].asked_ns = old ? old->asked_ns : 0;
	}
	for (size_t i = 0; i < inventory->network_count; i++)
		network_clear(&inventory->networks[i]);
	free(inventory->networks);
	inventory->networks = networks;
	inventory->network_count = count;
	for (size_t i = 0; i < inventory->attachment_count; i++) {
		struct attachment *attachment = &inventory->attachments[i];

		if (store_network(inventory, attachment->network_id))
			inventory->attachments[kept++] = *attachment;
		else
			attachment_clear(attachment);
	}
	inventory->attachment_count = kept;
}

void store_remove_container(struct inventory *inventory, const char *id, bool *changed)
{
	struct container *container = store_container(inventory, id);
	size_t kept = 0;

	inventory_drop_index(inventory);
	for (size_t i = 0; i < inventory->attachment_count; i++) {
		struct attachment *attachment = &inventory->attachments[i];

		if (strcmp(attachment->container_id, id) != 0)
			inventory->attachments[kept++] = *attachment;
		else
			attachment_clear(attachment);
	}
	if (kept != inventory->attachment_count)
		*changed = true;
	inventory->attachment_count = kept;
	if (!container)
		return;
	/* Last: @id may be the container's own. */
	container_clear(container);
	inventory->container_count--;
	memmove(container, container + 1,
		(size_t)(inventory->containers + inventory->container_count - container) * sizeof(*container));
	*changed = true;
}

void store_remove_network(struct inventory *inventory, const char *id, bool *changed)
{
	struct network *network = store_network(inventory, id);

	store_put_attachments(inventory, id, NULL, 0, changed);
	if (!network)
		return;
	inventory_drop_index(inventory);
	network_clear(network);
	inventory->network_count--;
	memmove(network, network + 1, (size_t)(inventory->networks + inventory->network_count - network) * sizeof(*network));
	*changed = true;
}
