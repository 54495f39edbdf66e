/* SPDX-License-Identifier: GPL-2.0 */
#include "config/static_inventory.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <dnetbpf/limits.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/array.h"
#include "config/document.h"
#include "config/static_entry.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define MAX_ADDRESSES	64	/* of one endpoint, and subnets of one network */

static void entry_clear(struct entry *entry)
{
	container_clear(&entry->container);
	attachment_clear(&entry->attachment);
}

/* What the kernel takes as the name of an interface (dev_valid_name() in net/core/dev.c), and no colon: that is an alias. */
static int read_interface(const struct document *document, const struct node *key, const struct node *value, char **ret)
{
	const char *name = value->text;
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	if (strlen(name) >= IFNAMSIZ)
		return node_error(document, value, "\"%.40s\" is no interface: its name may have %d characters, and this has %zu", name,
				  IFNAMSIZ - 1, strlen(name));
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return node_error(document, value, "\"%s\" cannot be the name of an interface", name);
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '/' || *c == ':')
			return node_error(document, value, "\"%s\" cannot be the name of an interface",
					  word_print((struct word){ name, strlen(name) }).text);
	return static_copy_text(document, name, ret);
}

static int read_network_name(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct network *network = target;
	int r;

	r = static_read_word(document, key, value, NAME_EXACT, "a network", &network->name);
	return r < 0 ? r : static_copy_text(document, value->text, &network->id);
}

static int read_bridge(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct network *network = target;

	return read_interface(document, key, value, &network->bridge);
}

static int read_internal(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	static const struct node_choice choices[] = { { "true", true }, { "false", false } };
	struct network *network = target;
	int internal, r;

	r = node_read_choice(document, key, value, choices, ARRAY_SIZE(choices), &internal);
	if (r == 0)
		network->internal = internal;
	return r;
}

static int read_subnets(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct network *network = target;
	int r;

	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		char masked[TEXT_PREFIX_SIZE];
		struct prefix prefix;
		bool host_bits;

		if (item->kind != NODE_SCALAR || !strchr(item->text, '/') ||
		    text_parse_prefix(item->text, &prefix.addr, &prefix.prefix_len, &host_bits) < 0)
			return node_error(document, item, "a subnet is a prefix, such as 198.18.0.0/24 or \"2001:db8::/64\"");
		if (host_bits)
			return node_error(document, item, "%s has bits beyond its prefix length: write %s", item->text,
					  text_prefix(&prefix.addr, prefix.prefix_len, masked));
		if (network->subnet_count == MAX_ADDRESSES)
			return node_error(document, item, "more than %d subnets in one network", MAX_ADDRESSES);
		if (array_grow(network->subnets, network->subnet_count) < 0)
			return document_no_memory(document);
		network->subnets[network->subnet_count++] = prefix;
	}
	return 0;
}

static const struct node_key network_keys[] = {
	{ "name", read_network_name, true },
	{ "bridge", read_bridge, true },
	{ "subnets", read_subnets, false },
	{ "internal", read_internal, false },
};

static int read_networks(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct inventory *inventory = target;
	int r;

	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		struct network *network;

		if (inventory->network_count == DNET_MAX_BRIDGES)
			return node_error(document, item, "more than %d networks", DNET_MAX_BRIDGES);
		if (array_grow(inventory->networks, inventory->network_count) < 0)
			return document_no_memory(document);
		network = &inventory->networks[inventory->network_count++];
		memset(network, 0, sizeof(*network));
		r = node_read_map(document, item, network_keys, ARRAY_SIZE(network_keys), "a network", network);
		if (r == 0)
			r = static_copy_text(document, "bridge", &network->driver);
		if (r < 0)
			return r;
		for (const struct network *other = inventory->networks; other < network; other++) {
			if (strcmp(other->name, network->name) == 0)
				return node_error(document, node_find(item, "name"), "there are two networks \"%s\"", network->name);
			if (strcmp(other->bridge, network->bridge) == 0)
				return node_error(document, node_find(item, "bridge"), "the bridge %s belongs to the network \"%s\" already",
						  network->bridge, other->name);
		}
	}
	return 0;
}

static int read_container(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct entry *entry = target;
	int r;

	r = static_read_word(document, key, value, NAME_EXACT, "a container", &entry->container.name);
	if (r == 0)
		r = static_copy_text(document, value->text, &entry->container.id);
	return r < 0 ? r : static_copy_text(document, value->text, &entry->attachment.container_id);
}

static int read_endpoint_interface(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct entry *entry = target;

	entry->nodes[NODE_OF_INTERFACE] = value;
	return read_interface(document, key, value, &entry->attachment.interface);
}

static int read_endpoint_network(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct entry *entry = target;

	entry->nodes[NODE_OF_NETWORK] = value;
	return static_read_word(document, key, value, NAME_EXACT, "a network", &entry->attachment.network_id);
}

static bool is_unicast(const struct dnet_addr *addr)
{
	static const struct dnet_addr none;

	if (addr_is_v4(addr))
		return addr->byte[12] != 0 && addr->byte[12] < 224;
	return addr->byte[0] != 0xff && !addr_equal(addr, &none);
}

static int read_addresses(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct entry *entry = target;
	struct attachment *attachment = &entry->attachment;
	int r;

	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		struct dnet_addr addr;

		if (item->kind != NODE_SCALAR || text_parse_addr(item->text, &addr) < 0)
			return node_error(document, item, "this is not an address: write one without a prefix length, such as 198.18.0.2 or \"2001:db8::2\"");
		if (!is_unicast(&addr))
			return node_error(document, item, "%s cannot be a container's address", item->text);
		for (size_t i = 0; i < attachment->address_count; i++)
			if (addr_equal(&attachment->addresses[i], &addr))
				return node_error(document, item, "the address %s is there twice", item->text);
		if (attachment->address_count == MAX_ADDRESSES)
			return node_error(document, item, "more than %d addresses of one endpoint", MAX_ADDRESSES);
		if (array_grow(attachment->addresses, attachment->address_count) < 0)
			return document_no_memory(document);
		attachment->addresses[attachment->address_count++] = addr;
	}
	return 0;
}

static int read_mac(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	static const uint8_t none[6];
	struct entry *entry = target;
	uint8_t mac[6];
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	if (text_parse_mac(value->text, mac) < 0)
		return node_error(document, value, "this is not a MAC address: write one such as \"02:00:00:00:00:02\"");
	/* Bit 0 of the first byte: a group of stations (IEEE 802). */
	if ((mac[0] & 1) || memcmp(mac, none, sizeof(mac)) == 0)
		return node_error(document, value, "%s cannot be an interface's own MAC address", value->text);
	memcpy(entry->attachment.mac, mac, sizeof(mac));
	entry->attachment.has_mac = true;
	return 0;
}

static const struct node_key endpoint_keys[] = {
	{ "container", read_container, true },
	{ "interface", read_endpoint_interface, true },
	{ "network", read_endpoint_network, true },
	{ "addresses", read_addresses, false },
	{ "mac", read_mac, false },
	{ "service", static_read_service, false },
	{ "image", static_read_image, false },
	{ "labels", static_read_labels, false },
	{ "ports", static_read_ports, false },
	{ "resolvers", static_read_resolvers, false },
	{ "image-labels", static_read_image_labels, false },
};

/* The text of the address with that index, for messages. */
static const struct node *address_node(const struct node *item, size_t index)
{
	const struct node *node = node_find(item, "addresses")->child;

	while (index--)
		node = node->next;
	return node;
}

/* Is the address the network's? Link-local ones belong to every link; a network without subnets of a family says nothing. */
static bool in_network(const struct network *network, const struct dnet_addr *addr)
{
	bool asked = false;

	if (addr->byte[0] == 0xfe && (addr->byte[1] & 0xc0) == 0x80)
		return true;
	for (size_t i = 0; i < network->subnet_count; i++) {
		if (addr_is_v4(&network->subnets[i].addr) != addr_is_v4(addr))
			continue;
		asked = true;
		if (addr_in_prefix(addr, &network->subnets[i].addr, network->subnets[i].prefix_len))
			return true;
	}
	return !asked;
}

static int check_against(const struct document *document, const struct node *item, const struct entry *entry,
			 const struct attachment *other)
{
	const struct attachment *attachment = &entry->attachment;
	char text[TEXT_ADDR_SIZE];

	if (strcmp(other->interface, attachment->interface) == 0)
		return node_error(document, entry->nodes[NODE_OF_INTERFACE], "the interface %s belongs to the container \"%s\" already",
				  attachment->interface, other->container_id);
	if (strcmp(other->network_id, attachment->network_id) != 0)
		return 0;
	if (strcmp(other->container_id, attachment->container_id) == 0)
		return node_error(document, entry->nodes[NODE_OF_NETWORK], "the container \"%s\" is on the network \"%s\" already",
				  other->container_id, other->network_id);
	for (size_t i = 0; i < attachment->address_count; i++)
		for (size_t j = 0; j < other->address_count; j++)
			if (addr_equal(&attachment->addresses[i], &other->addresses[j]))
				return node_error(document, address_node(item, i), "the address %s belongs to the container \"%s\" already",
						  text_addr(&attachment->addresses[i], text), other->container_id);
	return 0;
}

static int check_endpoint(const struct document *document, const struct node *item, const struct inventory *inventory,
			  const struct entry *entry)
{
	const struct attachment *attachment = &entry->attachment;
	const struct network *network = inventory_network(inventory, attachment->network_id);
	char text[TEXT_ADDR_SIZE];

	if (!network) {
		struct suggestion suggestion;

		suggest_begin(&suggestion, (struct word){ attachment->network_id, strlen(attachment->network_id) });
		for (size_t i = 0; i < inventory->network_count; i++)
			suggest_offer(&suggestion, inventory->networks[i].name);
		return node_error(document, entry->nodes[NODE_OF_NETWORK], "there is no network \"%s\"%s",
				  word_print(suggestion.word).text, suggest_end(&suggestion, ": add it to \"networks\""));
	}
	if (inventory_network_of_bridge(inventory, attachment->interface))
		return node_error(document, entry->nodes[NODE_OF_INTERFACE], "%s is a bridge: write the interface that leads to the container",
				  attachment->interface);
	for (size_t i = 0; i < attachment->address_count; i++)
		if (!in_network(network, &attachment->addresses[i]))
			return node_error(document, address_node(item, i), "%s is in no subnet of the network \"%s\"",
					  text_addr(&attachment->addresses[i], text), network->name);
	for (size_t i = 0; i < inventory->attachment_count; i++) {
		int r = check_against(document, item, entry, &inventory->attachments[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int add_endpoint(const struct document *document, const struct node *item, struct inventory *inventory, struct entry *entry)
{
	const struct container *known = inventory_container(inventory, entry->container.id);
	int r;

	r = check_endpoint(document, item, inventory, entry);
	if (r == 0 && known)
		r = static_check_again(document, item, known, &entry->container);
	if (r < 0)
		return r;
	if (!known) {
		entry->container.state = CONTAINER_RUNNING;
		if (!entry->container.image && static_copy_text(document, "", &entry->container.image) < 0)
			return -ENOMEM;
		if (array_grow(inventory->containers, inventory->container_count) < 0)
			return document_no_memory(document);
		inventory->containers[inventory->container_count++] = entry->container;
		memset(&entry->container, 0, sizeof(entry->container));
	}
	if (array_grow(inventory->attachments, inventory->attachment_count) < 0)
		return document_no_memory(document);
	inventory->attachments[inventory->attachment_count++] = entry->attachment;
	memset(&entry->attachment, 0, sizeof(entry->attachment));
	return 0;
}

static int read_endpoints(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct inventory *inventory = target;
	int r;

	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		_cleanup_(entry_clear) struct entry entry = { .nodes = { NULL } };

		if (inventory->attachment_count == DNET_MAX_ENDPOINTS)
			return node_error(document, item, "more than %d endpoints", DNET_MAX_ENDPOINTS);
		r = node_read_map(document, item, endpoint_keys, ARRAY_SIZE(endpoint_keys), "an endpoint", &entry);
		if (r == 0)
			r = add_endpoint(document, item, inventory, &entry);
		if (r < 0)
			return r;
	}
	return 0;
}

/* In this order: endpoints name networks. */
static const struct node_key file_keys[] = {
	{ "networks", read_networks, true },
	{ "endpoints", read_endpoints, true },
};

int static_inventory_parse(const char *name, const char *text, size_t length, struct inventory *ret, struct error *error)
{
	_cleanup_(document_clear) struct document document = { .name = name };
	_cleanup_(inventory_clear) struct inventory inventory = { .container_count = 0 };
	int r;

	r = document_parse(name, text, length, &document, error);
	if (r < 0)
		return r;
	if (!document.root || document.root->null)
		return node_error(&document, NULL, "the file is empty: it has the keys \"networks\" and \"endpoints\"");
	r = node_read_map(&document, document.root, file_keys, ARRAY_SIZE(file_keys), "the inventory", &inventory);
	if (r < 0)
		return r;
	inventory_index(&inventory);
	*ret = inventory;
	memset(&inventory, 0, sizeof(inventory));
	return 0;
}

int static_inventory_load(const char *path, struct inventory *ret, struct error *error)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r;

	r = document_read_file(path, &text, &length, error);
	return r < 0 ? r : static_inventory_parse(path, text, length, ret, error);
}
