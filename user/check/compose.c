/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A compose file is read as what it will make: each service a container with its labels and ports, and its labels as a policy of
 * its own. Then it is looked at like any other policy and inventory.
 */
#include "check/compose.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "check/private.h"
#include "config/array.h"
#include "config/labels.h"
#include "config/static_entry.h"

#define PROJECT "project"	/* its name depends on the folder, and does not matter */
#define MAX_PORTS 4096		/* of one service */

bool compose_is(const struct node *root)
{
	const struct node *services = root && root->kind == NODE_MAP ? node_find(root, "services") : NULL;

	return services && services->kind == NODE_MAP;
}

bool compose_looks_like(const char *text, size_t length)
{
	static const char key[] = "services:";

	for (const char *line = text; line && (size_t)(text + length - line) >= strlen(key);) {
		if (memcmp(line, key, strlen(key)) == 0)
			return true;
		line = memchr(line, '\n', (size_t)(text + length - line));
		line = line ? line + 1 : NULL;
	}
	return false;
}

void compose_refuse(const char *name, const struct error *error, struct diagnostics *diagnostics)
{
	const struct origin origin = { .file = (char *)name, .line = error->line, .column = error->column };
	const char *sentence = error->text + error->sentence, *end = strstr(sentence, " not supported");

	/* config/document.c understands no anchors, aliases and tags, and says so. */
	if (error->line && end)
		lint_error(diagnostics, &origin, "%.*s not supported here: check what Docker makes of this compose file, `docker compose config "
			   "| dnetbpf policy check /dev/stdin`", (int)(end - sentence), sentence);
	else
		diagnostics_add_error(diagnostics, error);
}

struct reading {
	const struct document *document;
	struct diagnostics *diagnostics;
	struct policy_set set;		/* a policy for each service with dnetbpf labels */
	struct inventory inventory;	/* every service */
};

static void reading_clear(struct reading *reading)
{
	policy_set_clear(&reading->set);
	inventory_clear(&reading->inventory);
}

static void warn(struct reading *reading, const char *name, const struct node *at, char *fix, const char *sentence)
{
	const struct origin origin = { .file = (char *)reading->document->name, .line = at->line, .column = at->column };

	lint_warn(reading->diagnostics, name, &origin, fix, "%s", sentence);
}

/* --- labels: a mapping, or a list of KEY=VALUE */

/* Calls @label for each; @at: where the value's text stands, or the key's when there is none. */
static void for_each_label(const struct reading *reading, const struct node *labels,
			   void (*label)(void *context, const char *key, const struct node *at, struct place place), void *context)
{
	struct origin origin;
	struct place place;

	for (const struct node *item = labels && labels->kind != NODE_SCALAR ? labels->child : NULL; item;) {
		_cleanup_free_ char *key = NULL;
		const struct node *value = labels->kind == NODE_MAP ? item->next : item;
		size_t skip = 0;

		if (!value)
			return;
		if (value->kind == NODE_SCALAR) {
			place = node_place(reading->document, value, &origin);
			if (labels->kind == NODE_LIST) {
				skip = strcspn(item->text, "=");
				key = strndup(item->text, skip);
				skip += item->text[skip] == '=';
			} else {
				key = strdup(item->text ? item->text : "");
				skip = value->null ? strlen(value->text) : 0;	/* Compose makes an empty text of it */
			}
			place.text += skip;
			if (!place.fixed)
				origin.column += (unsigned int)skip;
			if (key && label_policy_concerns(key))
				label(context, key, value, place);
		}
		item = value->next;
	}
}

struct label_reading {
	struct reading *reading;
	struct label_policy *labels;
};

/* $NAME and ${NAME}; $$ stands for a dollar sign. */
static bool has_variable(const char *text)
{
	for (const char *at = strchr(text, '$'); at; at = strchr(at, '$')) {
		if (at[1] != '$')
			return true;
		at += 2;
	}
	return false;
}

static void read_label(void *context, const char *key, const struct node *at, struct place place)
{
	struct label_reading *of = context;
	struct error error = {};

	(void)at;
	of->labels->present = true;
	if (has_variable(place.text)) {
		lint_warn(of->reading->diagnostics, LINT_VARIABLE, place.origin, NULL, "what the variable in this label will be is not known "
			  "here, so it is not checked: check what Docker makes of it, `docker compose config | dnetbpf policy check /dev/stdin`");
		return;
	}
	place.error = &error;
	if (label_policy_read(key, &place, NULL, of->labels) < 0)
		diagnostics_add_error(of->reading->diagnostics, &error);
}

/* context: struct label_reading, whose labels are not used */
static void warn_deploy(void *context, const char *key, const struct node *at, struct place place)
{
	struct label_reading *of = context;

	(void)key;
	(void)place;
	warn(of->reading, LINT_NO_EFFECT, at, NULL, "labels under \"deploy\" belong to the service of a swarm and not to its "
	     "containers: put this one under \"labels\" of the service");
}

static void warn_build(void *context, const char *key, const struct node *at, struct place place)
{
	struct label_reading *of = context;

	(void)key;
	(void)place;
	warn(of->reading, LINT_IMAGE, at, NULL, "labels under \"build\" belong to the image, and what an image says of itself is "
	     "ignored: put this one under \"labels\" of the service");
}

/* --- ports: "8080:80", or { target: 80, published: 8080 } */

static void add_port(struct container *container, struct published_port port, unsigned int count)
{
	for (; count--; port.port++, port.host_port++) {
		if (container->port_count == MAX_PORTS || array_grow(container->ports, container->port_count) < 0)
			return;
		container->ports[container->port_count++] = port;
	}
}

static const char *text_of(const struct node *map, const char *key)
{
	const struct node *value = node_find(map, key);

	return value && value->kind == NODE_SCALAR && !value->null ? value->text : NULL;
}

/* What is not understood is left out: it is Compose's to complain. */
static void read_ports(const struct node *ports, struct container *container)
{
	for (const struct node *item = ports && ports->kind == NODE_LIST ? ports->child : NULL; item; item = item->next) {
		struct published_port port = {};
		char text[128];
		unsigned int count;

		if (item->kind == NODE_SCALAR) {
			snprintf(text, sizeof(text), "%s", item->text);
		} else if (item->kind == NODE_MAP && text_of(item, "target") && text_of(item, "published")) {
			const char *address = text_of(item, "host_ip"), *protocol = text_of(item, "protocol");
			bool v6 = address && strchr(address, ':');

			snprintf(text, sizeof(text), "%s%s%s%s%s:%s/%s", v6 ? "[" : "", address ? address : "", v6 ? "]" : "", address ? ":" : "",
				 text_of(item, "published"), text_of(item, "target"), protocol ? protocol : "tcp");
		} else {
			continue;
		}
		if (static_parse_port(text, &port, &count))
			add_port(container, port, count);
	}
}

/* --- networks */

/* Only of a network of this file that does not ask for IPv6 it is known that it has none. */
static bool lacks_v6(const struct document *document, const char *name)
{
	const struct node *networks = node_find(document->root, "networks");
	const struct node *network = networks && networks->kind == NODE_MAP ? node_find(networks, name) : NULL;

	if (!network)
		return strcmp(name, "default") == 0;
	return network->kind != NODE_MAP || (!text_of(network, "external") && !node_find(network, "external") &&
					     !node_find(network, "enable_ipv6") && !node_find(network, "ipam"));
}

static bool service_lacks_v6(const struct document *document, const struct node *service)
{
	const struct node *networks = node_find(service, "networks");

	if (node_find(service, "network_mode"))
		return false;
	if (!networks || networks->kind == NODE_SCALAR || !networks->child)
		return lacks_v6(document, "default");
	for (const struct node *name = networks->child; name; name = name->next) {
		if (!name->text || !lacks_v6(document, name->text))
			return false;
		if (networks->kind == NODE_MAP)
			name = name->next;
	}
	return true;
}

/* Two networks stand for all: one has IPv6, as far as anybody knows, and one has none. */
static int add_networks(struct inventory *inventory)
{
	static const char *const names[] = { "v4", "v6" };

	for (size_t i = 0; i < 2; i++) {
		struct network network = { .id = strdup(names[i]), .name = strdup(names[i]) };

		if (array_grow(inventory->networks, inventory->network_count) < 0) {
			network_clear(&network);
			return -ENOMEM;
		}
		inventory->networks[inventory->network_count++] = network;
		if (!network.id || !network.name)
			return -ENOMEM;
	}
	inventory->networks[1].subnets = calloc(1, sizeof(struct prefix));
	inventory->networks[1].subnet_count = inventory->networks[1].subnets ? 1 : 0;
	return inventory->networks[1].subnets ? 0 : -ENOMEM;
}

/* --- services */

static int add_container(struct reading *reading, const char *name, const struct node *service)
{
	struct inventory *inventory = &reading->inventory;
	struct container container = { .id = strdup(name), .name = strdup(name), .image = strdup(""), .project = strdup(PROJECT),
				       .service = strdup(name) };
	struct attachment attachment = { .container_id = strdup(name),
					 .network_id = strdup(service_lacks_v6(reading->document, service) ? "v4" : "v6") };

	read_ports(node_find(service, "ports"), &container);
	if (array_grow(inventory->containers, inventory->container_count) < 0) {
		container_clear(&container);
		attachment_clear(&attachment);
		return -ENOMEM;
	}
	inventory->containers[inventory->container_count++] = container;
	if (array_grow(inventory->attachments, inventory->attachment_count) < 0) {
		attachment_clear(&attachment);
		return -ENOMEM;
	}
	inventory->attachments[inventory->attachment_count++] = attachment;
	return container.id && container.name && container.image && container.project && container.service && attachment.container_id &&
	       attachment.network_id ? 0 : -ENOMEM;
}

static int add_policy(struct reading *reading, const struct node *name, struct label_policy *labels)
{
	struct policy_set *set = &reading->set;
	struct policy policy = { .name = strdup(name->text), .mode = labels->policy.mode,
				 .selector = { .kind = SELECT_SERVICE, .value = strdup(name->text) },
				 .origin = { .file = strdup(reading->document->name), .line = name->line, .column = name->column } };

	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		policy.direction[direction] = labels->policy.direction[direction];
		labels->policy.direction[direction] = (struct rule_list){};
	}
	if (array_grow(set->policies, set->policy_count) < 0) {
		policy_clear(&policy);
		return -ENOMEM;
	}
	set->policies[set->policy_count++] = policy;
	return policy.name && policy.selector.value && policy.origin.file ? 0 : -ENOMEM;
}

static int read_service(struct reading *reading, const struct node *name, const struct node *service)
{
	_cleanup_(label_policy_clear) struct label_policy labels = {};
	struct label_reading context = { reading, &labels };
	const struct node *list = node_find(service, "labels"), *deploy = node_find(service, "deploy");
	const struct node *build = node_find(service, "build");
	const char *mode = text_of(service, "network_mode");
	int r;

	for_each_label(reading, list, read_label, &context);
	for_each_label(reading, deploy && deploy->kind == NODE_MAP ? node_find(deploy, "labels") : NULL, warn_deploy, &context);
	for_each_label(reading, build && build->kind == NODE_MAP ? node_find(build, "labels") : NULL, warn_build, &context);
	r = add_container(reading, name->text, service);
	if (r < 0 || !labels.present)
		return r;
	if (mode && (strcmp(mode, "host") == 0 || strcmp(mode, "none") == 0 || strchr(mode, ':')))
		warn(reading, LINT_NO_EFFECT, node_find(service, "network_mode"), NULL, "with this network_mode the service has no network "
		     "interface of its own, and its dnetbpf labels do nothing");
	return add_policy(reading, name, &labels);
}

void compose_check(const struct document *document, struct diagnostics *diagnostics, struct check_result *result)
{
	_cleanup_(reading_clear) struct reading reading = { .document = document, .diagnostics = diagnostics };
	const struct node *services = node_find(document->root, "services");
	struct error error = {};
	char name[128];
	int r = add_networks(&reading.inventory);

	for (const struct node *service = services->child; r == 0 && service && service->next; service = service->next->next)
		if (service->next->kind == NODE_MAP)
			r = read_service(&reading, service, service->next);
	inventory_index(&reading.inventory);
	for (size_t i = 0; r == 0 && i < reading.set.policy_count; i++)
		for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
			struct lint_list list = lint_list_of(&reading.set.policies[i], (enum dnet_direction)direction, true, name, sizeof(name));

			result->rules += list.rules->count;
			lint_rules(&list, diagnostics);
		}
	result->policies = reading.set.policy_count;
	if (r == 0)
		r = lint_inventory(&(struct lint_world){ .set = &reading.set, .inventory = &reading.inventory, .compose = true }, diagnostics);
	if (r < 0) {
		error_set(&error, r, "%s: out of memory", document->name);
		diagnostics_add_error(diagnostics, &error);
	}
}
