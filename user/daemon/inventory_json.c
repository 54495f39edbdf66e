/* SPDX-License-Identifier: GPL-2.0 */
/* The inventory for `policy check`, and to ask questions elsewhere. */
#include "daemon/inventory_json.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/place.h"
#include "daemon/state.h"
#include "docker/images.h"

#define LABELS_MAX 256	/* of one container, as the provider has it */

static bool is_name(const char *text, enum name_kind kind)
{
	return text && !name_check(word_of(text), kind);
}

/* YAML takes no control characters but tabs and line breaks, and no JSON text that jansson refuses gets here. */
static bool is_writable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f ||
		    ((unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0) ||
		    ((unsigned char)text[0] == 0xef && (unsigned char)text[1] == 0xbf && (unsigned char)text[2] >= 0xbe))
			return false;
	return true;
}

static json_t *network_json(const struct network *network)
{
	json_t *subnets = json_array();
	char text[TEXT_PREFIX_SIZE + 4];

	for (size_t i = 0; i < network->subnet_count; i++) {
		text_prefix(&network->subnets[i].addr, network->subnets[i].prefix_len, text);
		/* The provider takes prefixes alone. */
		if (!strchr(text, '/'))
			strcat(text, addr_is_v4(&network->subnets[i].addr) ? "/32" : "/128");
		json_array_append_new(subnets, json_string(text));
	}
	return json_pack("{s:s, s:s, s:o, s:b}", "name", network->name, "bridge", network->bridge, "subnets", subnets,
			 "internal", network->internal);
}

static json_t *ports_json(const struct container *container)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < container->port_count; i++) {
		const struct published_port *port = &container->ports[i];
		bool v6 = !addr_is_v4(&port->host_addr);
		char proto[8], address[TEXT_ADDR_SIZE];

		json_array_append_new(ports, json_sprintf("%s%s%s:%u:%u/%s", v6 ? "[" : "", text_addr(&port->host_addr, address), v6 ? "]" : "",
							  port->host_port, port->port, proto_name(port->proto, proto)));
	}
	return ports;
}

/* What holds for the container: one of its entries is enough to say it. */
static void add_container(json_t *endpoint, const struct container *container)
{
	json_t *labels = json_object(), *resolvers = json_array(), *claimed = json_array();
	char text[TEXT_ADDR_SIZE], service[CONTAINER_SERVICE_SIZE];

	for (size_t i = 0; i < container->label_count && json_object_size(labels) < LABELS_MAX; i++)
		if (*container->labels[i].key && is_writable(container->labels[i].key) && is_writable(container->labels[i].value))
			json_object_set_new(labels, container->labels[i].key, json_string(container->labels[i].value));
	for (size_t i = 0; i < container->resolver_count && i < 16; i++)
		json_array_append_new(resolvers, json_string(text_addr(&container->resolvers[i], text)));
	for (char **name = container->image_labels; name && *name && json_array_size(claimed) < LABELS_MAX; name++)
		if (label_is_claim(*name) && is_writable(*name))
			json_array_append_new(claimed, json_string(*name));
	json_object_set_new(endpoint, "labels", labels);
	json_object_set_new(endpoint, "ports", ports_json(container));
	json_object_set_new(endpoint, "resolvers", resolvers);
	json_object_set_new(endpoint, "image-labels", claimed);
	/* Both come from labels that anybody may have written. */
	if (is_name(container->service, NAME_EXACT) && (!container->project || is_name(container->project, NAME_EXACT)))
		json_object_set_new(endpoint, "service", json_string(container_service(container, service)));
	if (is_name(container->image, NAME_VALUE))
		json_object_set_new(endpoint, "image", json_string(container->image));
}

static json_t *endpoint_json(const struct attachment *attachment, const struct container *container, const struct network *network,
			     const char *interface)
{
	json_t *addresses = json_array(), *endpoint;
	char text[TEXT_ADDR_SIZE];

	for (size_t i = 0; i < attachment->address_count; i++)
		json_array_append_new(addresses, json_string(text_addr(&attachment->addresses[i], text)));
	endpoint = json_pack("{s:s, s:s, s:s, s:o}", "container", container->name, "interface", interface, "network", network->name,
			     "addresses", addresses);
	if (endpoint && attachment->has_mac && !(attachment->mac[0] & 1)) {
		const uint8_t *mac = attachment->mac;

		json_object_set_new(endpoint, "mac", json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
								  mac[4], mac[5]));
	}
	return endpoint;
}

/* Docker allows two networks of one name; the provider does not, and neither can a rule tell them apart. */
static bool is_known(const struct inventory *inventory, const struct network *network)
{
	return network && network->bridge && is_name(network->name, NAME_EXACT) &&
	       inventory_network_named(inventory, network->name) == network;
}

json_t *inventory_to_json(const struct inventory *inventory,
			  const char *(*interface)(void *context, const struct attachment *attachment), void *context)
{
	json_t *networks = json_array(), *endpoints = json_array();

	for (size_t i = 0; i < inventory->network_count; i++)
		if (is_known(inventory, &inventory->networks[i]))
			json_array_append_new(networks, network_json(&inventory->networks[i]));
	for (size_t i = 0, number = 0; i < inventory->container_count; i++) {
		const struct container *container = &inventory->containers[i];
		const struct attachment *attachment;
		bool first = true;

		for (size_t cursor = 0; (attachment = inventory_container_attachment(inventory, container->id, &cursor));) {
			const struct network *network = inventory_network(inventory, attachment->network_id);
			const char *name = interface(context, attachment);
			char absent[IFNAMSIZ];
			json_t *endpoint;

			if (!is_known(inventory, network) || !is_name(container->name, NAME_EXACT))
				continue;
			/* A name that no interface has: it does not run. */
			if (!name)
				snprintf(absent, sizeof(absent), "absent%zu", number++);
			endpoint = endpoint_json(attachment, container, network, name ? name : absent);
			if (first && endpoint)
				add_container(endpoint, container);
			first = false;
			json_array_append_new(endpoints, endpoint);
		}
	}
	return json_pack("{s:o, s:o}", "networks", networks, "endpoints", endpoints);
}

static const char *interface_of(void *context, const struct attachment *attachment)
{
	const struct daemon *daemon = context;

	if (attachment->interface)
		return attachment->interface;
	for (size_t i = 0; i < daemon->live.count; i++) {
		const struct live *live = daemon->live.items[i];

		if (live->identified && strcmp(live->container_id, attachment->container_id) == 0 &&
		    strcmp(live->network_id, attachment->network_id) == 0)
			return live->link.name;
	}
	return NULL;
}

int report_inventory(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;

	(void)request;
	if (!daemon->inventory)
		return error_set(error, -EBUSY, "the containers are not known yet; try again in a moment");
	*ret = inventory_to_json(daemon->inventory, interface_of, daemon);
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}
