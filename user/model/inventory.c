/* SPDX-License-Identifier: GPL-2.0 */
#include "model/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void container_clear(struct container *container)
{
	for (size_t i = 0; i < container->label_count; i++) {
		free(container->labels[i].key);
		free(container->labels[i].value);
	}
	free(container->labels);
	free(container->id);
	free(container->name);
	free(container->other_name);
	free(container->image);
	free(container->project);
	free(container->service);
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
	memset(inventory, 0, sizeof(*inventory));
}

const struct container *inventory_container(const struct inventory *inventory, const char *id)
{
	for (size_t i = 0; i < inventory->container_count; i++)
		if (strcmp(inventory->containers[i].id, id) == 0)
			return &inventory->containers[i];
	return NULL;
}

const struct network *inventory_network(const struct inventory *inventory, const char *id)
{
	for (size_t i = 0; i < inventory->network_count; i++)
		if (strcmp(inventory->networks[i].id, id) == 0)
			return &inventory->networks[i];
	return NULL;
}

const struct network *inventory_network_of_bridge(const struct inventory *inventory, const char *bridge)
{
	for (size_t i = 0; i < inventory->network_count; i++)
		if (inventory->networks[i].bridge && strcmp(inventory->networks[i].bridge, bridge) == 0)
			return &inventory->networks[i];
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
