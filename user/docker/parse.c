/* SPDX-License-Identifier: GPL-2.0 */
#include "docker/parse.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define SHORT_ID 12	/* digits of an ID that Docker shows, and names bridges with */

#define _cleanup_json_ _cleanup_(json_decrefp)	/* jansson has the function */

static void labels_free(struct label *labels, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(labels[i].key);
		free(labels[i].value);
	}
	free(labels);
}

/*
 * jansson refuses the escape for a NUL byte in keys, whatever the flags. Anybody who builds an image can put one into a label,
 * and must not be able to make the whole list unreadable: the escape becomes one of a question mark.
 */
static int load_json(const char *text, size_t length, json_t **ret)
{
	static const char nul[] = "\\u0000";
	_cleanup_free_ char *copy = NULL;
	json_t *json;

	if (memmem(text, length, nul, strlen(nul))) {
		copy = malloc(length);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, text, length);
		for (size_t i = 0; i + 1 < length; i++) {
			if (copy[i] != '\\')
				continue;
			if (length - i >= strlen(nul) && memcmp(copy + i, nul, strlen(nul)) == 0)
				memcpy(copy + i, "\\u003f", strlen(nul));
			i++;	/* what a backslash escapes begins no escape itself */
		}
		text = copy;
	}
	json = json_loadb(text, length, 0, NULL);
	if (!json)
		return -EINVAL;
	*ret = json;
	return 0;
}

/* A member that is a string; missing and null are "". NULL: another type. Borrowed from @object. */
static const char *get_string(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return "";
	return json_string_value(value);
}

/* A member of the given type; missing and null yield NULL in @ret. */
static int get_typed(const json_t *object, const char *key, json_type type, json_t **ret)
{
	json_t *value = json_object_get(object, key);

	if (value && json_is_null(value))
		value = NULL;
	if (value && json_typeof(value) != type)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int copy_string(const char *text, char **ret)
{
	char *copy;

	if (!text)
		return -EINVAL;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

static int copy_member(const json_t *object, const char *key, char **ret)
{
	return copy_string(get_string(object, key), ret);
}

static int copy_id(const char *id, char **ret)
{
	return id && *id ? copy_string(id, ret) : -EINVAL;
}

static bool in_list(const char *const *list, const char *text)
{
	for (; list && *list; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

/* Labels from an object of strings, without the keys in the lists. Sorted, so that equal sets compare equal. */
static int parse_labels(json_t *object, const char *const *without, const char *const *without_too, struct container *container)
{
	size_t count = 0, room = json_object_size(object);
	struct label *labels;
	const char *key;
	json_t *value;
	int r = 0;

	if (!room)
		return 0;
	labels = calloc(room, sizeof(*labels));
	if (!labels)
		return -ENOMEM;
	json_object_foreach(object, key, value) {
		if (in_list(without, key) || in_list(without_too, key))
			continue;
		r = copy_string(json_string_value(value), &labels[count].value);
		if (r < 0)
			break;
		r = copy_string(key, &labels[count++].key);
		if (r < 0)
			break;
	}
	if (r < 0) {
		labels_free(labels, count);
		return r;
	}
	qsort(labels, count, sizeof(*labels), compare_labels);
	container->labels = labels;
	container->label_count = count;
	return 0;
}

static int set_compose(struct container *container)
{
	const char *project = container_label(container, "com.docker.compose.project");
	const char *service = container_label(container, "com.docker.compose.service");
	int r = 0;

	if (project && *project)
		r = copy_string(project, &container->project);
	if (r == 0 && service && *service)
		r = copy_string(service, &container->service);
	return r;
}

static int set_name(struct container *container, const char *name)
{
	if (!name)
		return -EINVAL;
	if (*name == '/')
		name++;
	if (*name)
		return copy_string(name, &container->name);
	container->name = strndup(container->id, SHORT_ID);
	return container->name ? 0 : -ENOMEM;
}

/* What Docker calls an action, and what it means to us. Actions that are not here do not change what we keep. */
struct action {
	const char *type, *name;
	enum docker_event_kind kind;
	int has_state;
	enum container_state state;
	const char *const *attributes;	/* that this action adds to the labels */
};

static const char *const no_labels[] = { "name", "image", "containerExitCode", "podId", NULL };
static const char *const rename_attributes[] = { "oldName", NULL };
static const char *const exit_attributes[] = { "exitCode", "execDuration", NULL };
static const char *const signal_attributes[] = { "signal", NULL };

static const struct action actions[] = {
	{ "container", "create", DOCKER_EVENT_CONTAINER, 0, CONTAINER_CREATED, NULL },
	{ "container", "start", DOCKER_EVENT_CONTAINER, 1, CONTAINER_RUNNING, NULL },
	{ "container", "restart", DOCKER_EVENT_CONTAINER, 0, CONTAINER_CREATED, NULL },
	{ "container", "die", DOCKER_EVENT_CONTAINER, 1, CONTAINER_CREATED, exit_attributes },
	{ "container", "died", DOCKER_EVENT_CONTAINER, 1, CONTAINER_CREATED, exit_attributes },	/* Podman */
	{ "container", "stop", DOCKER_EVENT_CONTAINER, 0, CONTAINER_CREATED, signal_attributes },
	{ "container", "pause", DOCKER_EVENT_CONTAINER, 0, CONTAINER_CREATED, NULL },
	{ "container", "unpause", DOCKER_EVENT_CONTAINER, 0, CONTAINER_CREATED, NULL },
	{ "container", "update", DOCKER_EVENT_CONTAINER, 0, CONTAINER_CREATED, NULL },
	{ "container", "rename", DOCKER_EVENT_CONTAINER, 0, CONTAINER_CREATED, rename_attributes },
	{ "container", "destroy", DOCKER_EVENT_CONTAINER_GONE, 0, CONTAINER_CREATED, NULL },
	{ "container", "remove", DOCKER_EVENT_CONTAINER_GONE, 0, CONTAINER_CREATED, NULL },	/* Podman */
	{ "network", "create", DOCKER_EVENT_NETWORK, 0, CONTAINER_CREATED, NULL },
	{ "network", "destroy", DOCKER_EVENT_NETWORK, 0, CONTAINER_CREATED, NULL },
	{ "network", "remove", DOCKER_EVENT_NETWORK, 0, CONTAINER_CREATED, NULL },	/* Podman */
	{ "network", "update", DOCKER_EVENT_NETWORK, 0, CONTAINER_CREATED, NULL },
	{ "network", "connect", DOCKER_EVENT_ATTACH, 0, CONTAINER_CREATED, NULL },
	{ "network", "disconnect", DOCKER_EVENT_ATTACH, 0, CONTAINER_CREATED, NULL },
};

static const struct action *find_action(const char *type, const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].type, type) == 0 && strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

void docker_event_clear(struct docker_event *event)
{
	free(event->container_id);
	free(event->network_id);
	container_clear(&event->container);
	memset(event, 0, sizeof(*event));
}

static int fill_container_event(const struct action *action, const char *id, json_t *attributes, struct docker_event *event)
{
	struct container *container = &event->container;
	int r;

	r = copy_id(id, &event->container_id);
	if (r < 0 || action->kind == DOCKER_EVENT_CONTAINER_GONE || !attributes)
		return r;
	if ((r = copy_id(id, &container->id)) < 0 ||
	    (r = set_name(container, get_string(attributes, "name"))) < 0 ||
	    (r = copy_member(attributes, "image", &container->image)) < 0 ||
	    (r = parse_labels(attributes, no_labels, action->attributes, container)) < 0)
		return r;
	event->has_container = 1;
	event->has_state = action->has_state;
	container->state = action->state;
	return set_compose(container);
}

static int fill_attach_event(const char *id, json_t *attributes, struct docker_event *event)
{
	const char *container = get_string(attributes, "container");
	const char *network = get_string(attributes, "network");
	int r;

	if (!container || !network)
		return -EINVAL;
	if (*container) {
		r = copy_id(id, &event->network_id);
		return r < 0 ? r : copy_string(container, &event->container_id);
	}
	if (*network) {	/* Podman: the actor is the container, the network has only its name */
		r = copy_id(id, &event->container_id);
		return r < 0 ? r : copy_string(network, &event->network_id);
	}
	return copy_id(id, &event->network_id);
}

int docker_parse_event(const char *text, size_t length, struct docker_event *ret)
{
	_cleanup_(docker_event_clear) struct docker_event event = { .kind = DOCKER_EVENT_OTHER };
	_cleanup_json_ json_t *json = NULL;
	const char *type, *name, *id;
	const struct action *action;
	json_t *actor, *attributes;
	int r;

	r = load_json(text, length, &json);
	if (r < 0)
		return r;
	if (!json_is_object(json))
		return -EINVAL;
	type = get_string(json, "Type");
	name = get_string(json, "Action");
	if (!type || !name || get_typed(json, "Actor", JSON_OBJECT, &actor) < 0 ||
	    get_typed(actor, "Attributes", JSON_OBJECT, &attributes) < 0)
		return -EINVAL;
	action = find_action(type, name);
	if (!action) {
		*ret = (struct docker_event) { .kind = DOCKER_EVENT_OTHER };
		return 0;
	}
	event.kind = action->kind;
	id = get_string(actor, "ID");
	if (!id)
		return -EINVAL;
	if (strcmp(action->type, "container") == 0)
		r = fill_container_event(action, id, attributes, &event);
	else if (action->kind == DOCKER_EVENT_ATTACH)
		r = fill_attach_event(id, attributes, &event);
	else
		r = copy_id(id, &event.network_id);
	if (r < 0)
		return r;
	*ret = event;
	memset(&event, 0, sizeof(event));
	return 0;
}

/* The first of Names that is the container's own: "/web", after @skip of them. Links of other containers show as "/other/alias". */
static const char *own_name(json_t *names, size_t skip)
{
	json_t *value;
	size_t i;

	json_array_foreach(names, i, value) {
		const char *name = json_string_value(value);

		if (!name)
			return NULL;
		if (!strchr(*name == '/' ? name + 1 : name, '/') && !skip--)
			return name;
	}
	return "";
}

static int parse_container(json_t *json, struct container *ret)
{
	_cleanup_(container_clear) struct container container = { 0 };
	json_t *names, *labels, *host_config;
	const char *state, *mode, *second;
	int r;

	if (!json_is_object(json) || get_typed(json, "Names", JSON_ARRAY, &names) < 0 ||
	    get_typed(json, "Labels", JSON_OBJECT, &labels) < 0 || get_typed(json, "HostConfig", JSON_OBJECT, &host_config) < 0)
		return -EINVAL;
	second = own_name(names, 1);
	state = get_string(json, "State");
	mode = get_string(host_config, "NetworkMode");
	if (!state || !mode)
		return -EINVAL;
	if ((r = copy_id(get_string(json, "Id"), &container.id)) < 0 ||
	    (r = set_name(&container, own_name(names, 0))) < 0 ||
	    (r = copy_member(json, "Image", &container.image)) < 0 ||
	    (r = parse_labels(labels, NULL, NULL, &container)) < 0 ||
	    (r = set_compose(&container)) < 0)
		return r;
	if (second && *second) {
		r = copy_string(*second == '/' ? second + 1 : second, &container.other_name);
		if (r < 0)
			return r;
	}
	if (*mode) {
		/* "default" is what the client wrote; what it means on Linux is the bridge network. */
		r = copy_string(strcmp(mode, "default") == 0 ? "bridge" : mode, &container.network_mode);
		if (r < 0)
			return r;
	}
	/* "restarting" waits for its next start: nothing runs. */
	container.state = strcmp(state, "running") == 0 || strcmp(state, "paused") == 0 ? CONTAINER_RUNNING : CONTAINER_CREATED;
	*ret = container;
	memset(&container, 0, sizeof(container));
	return 0;
}

int docker_parse_containers(const char *text, size_t length, struct container **ret, size_t *ret_count)
{
	_cleanup_json_ json_t *json = NULL;
	struct inventory list = { 0 };	/* frees what was parsed before a failure */
	json_t *value;
	size_t i;
	int r;

	r = load_json(text, length, &json);
	if (r < 0)
		return r;
	if (!json_is_array(json))
		return -EINVAL;
	list.containers = calloc(json_array_size(json) + 1, sizeof(*list.containers));
	if (!list.containers)
		return -ENOMEM;
	json_array_foreach(json, i, value) {
		r = parse_container(value, &list.containers[i]);
		if (r < 0) {
			inventory_clear(&list);
			return r;
		}
		list.container_count++;
	}
	*ret = list.containers;
	*ret_count = list.container_count;
	return 0;
}

static int parse_subnets(json_t *config, struct network *network)
{
	json_t *value;
	size_t i;

	if (!json_array_size(config))
		return 0;
	network->subnets = calloc(json_array_size(config), sizeof(*network->subnets));
	if (!network->subnets)
		return -ENOMEM;
	json_array_foreach(config, i, value) {
		struct prefix *prefix = &network->subnets[network->subnet_count];
		const char *subnet = json_is_object(value) ? get_string(value, "Subnet") : NULL;
		bool host_bits;

		if (!subnet)
			return -EINVAL;
		if (!*subnet)
			continue;
		if (text_parse_prefix(subnet, &prefix->addr, &prefix->prefix_len, &host_bits) < 0)
			return -EINVAL;
		network->subnet_count++;
	}
	return 0;
}

/* The interface of a network of driver "bridge": its option, or the names that Docker's bridge driver makes up. */
static int set_bridge(const json_t *options, struct network *network)
{
	const char *name = get_string(options, "com.docker.network.bridge.name");
	const char *standard = get_string(options, "com.docker.network.bridge.default_bridge");

	if (!name || !standard)
		return -EINVAL;
	if (strcmp(network->driver, "bridge") != 0)
		return 0;
	if (*name)
		return copy_string(name, &network->bridge);
	if (strcmp(standard, "true") == 0)
		return copy_string("docker0", &network->bridge);
	return asprintf(&network->bridge, "br-%.*s", SHORT_ID, network->id) < 0 ? -ENOMEM : 0;
}

static int parse_network(json_t *json, struct network *ret)
{
	_cleanup_(network_clear) struct network network = { 0 };
	json_t *ipam, *config, *options, *internal;
	int r;

	if (!json_is_object(json) || get_typed(json, "IPAM", JSON_OBJECT, &ipam) < 0 ||
	    get_typed(ipam, "Config", JSON_ARRAY, &config) < 0 || get_typed(json, "Options", JSON_OBJECT, &options) < 0)
		return -EINVAL;
	internal = json_object_get(json, "Internal");
	if (internal && !json_is_boolean(internal))
		return -EINVAL;
	network.internal = json_is_true(internal);
	if ((r = copy_id(get_string(json, "Id"), &network.id)) < 0 ||
	    (r = copy_member(json, "Name", &network.name)) < 0 ||
	    (r = copy_member(json, "Driver", &network.driver)) < 0 ||
	    (r = set_bridge(options, &network)) < 0 ||
	    (r = parse_subnets(config, &network)) < 0)
		return r;
	*ret = network;
	memset(&network, 0, sizeof(network));
	return 0;
}

int docker_parse_networks(const char *text, size_t length, struct network **ret, size_t *ret_count)
{
	_cleanup_json_ json_t *json = NULL;
	struct inventory list = { 0 };
	json_t *value;
	size_t i;
	int r;

	r = load_json(text, length, &json);
	if (r < 0)
		return r;
	if (!json_is_array(json))
		return -EINVAL;
	list.networks = calloc(json_array_size(json) + 1, sizeof(*list.networks));
	if (!list.networks)
		return -ENOMEM;
	json_array_foreach(json, i, value) {
		r = parse_network(value, &list.networks[i]);
		if (r < 0) {
			inventory_clear(&list);
			return r;
		}
		list.network_count++;
	}
	*ret = list.networks;
	*ret_count = list.network_count;
	return 0;
}

/* "198.18.92.2/24" without its length. An empty text adds nothing. */
static int add_address(const char *text, struct attachment *attachment)
{
	_cleanup_free_ char *head = NULL;

	if (!text)
		return -EINVAL;
	if (!*text)
		return 0;
	head = strndup(text, strcspn(text, "/"));
	if (!head)
		return -ENOMEM;
	if (text_parse_addr(head, &attachment->addresses[attachment->address_count]) < 0)
		return -EINVAL;
	attachment->address_count++;
	return 0;
}

static int parse_attachment(const char *container_id, const char *network_id, json_t *json, struct attachment *ret)
{
	_cleanup_(attachment_clear) struct attachment attachment = { 0 };
	const char *mac;
	int r;

	if (!json_is_object(json))
		return -EINVAL;
	mac = get_string(json, "MacAddress");
	if (!mac)
		return -EINVAL;
	if (*mac) {
		if (text_parse_mac(mac, attachment.mac) < 0)
			return -EINVAL;
		attachment.has_mac = true;
	}
	attachment.addresses = calloc(2, sizeof(*attachment.addresses));
	if (!attachment.addresses)
		return -ENOMEM;
	if ((r = copy_string(container_id, &attachment.container_id)) < 0 ||
	    (r = copy_string(network_id, &attachment.network_id)) < 0 ||
	    (r = add_address(get_string(json, "IPv4Address"), &attachment)) < 0 ||
	    (r = add_address(get_string(json, "IPv6Address"), &attachment)) < 0)
		return r;
	*ret = attachment;
	memset(&attachment, 0, sizeof(attachment));
	return 0;
}

/*
 * The key of an attachment: the container's ID, in hex digits; "ep-..." as long as the endpoint exists and its sandbox does not,
 * which is so from the moment when the link joins the bridge (measured: up to 80 ms after the link is up, on a connect of
 * a running container). "lb-..." and "ingress-sbox" are Swarm's and no containers.
 */
static int attachment_key(const char *key, const json_t *json, char **ret)
{
	const char *name = get_string(json, "Name");

	*ret = NULL;
	if (!name)
		return -EINVAL;
	if (*key && strspn(key, "0123456789abcdef") == strlen(key))
		return copy_string(key, ret);
	if (strncmp(key, "ep-", 3) != 0 || !*name)
		return 0;
	return asprintf(ret, "/%s", name) < 0 ? -ENOMEM : 0;
}

int docker_parse_network(const char *text, size_t length, struct network *ret, struct attachment **ret_attachments,
			 size_t *ret_count)
{
	_cleanup_(inventory_clear) struct inventory list = { 0 };
	_cleanup_(network_clear) struct network network = { 0 };
	_cleanup_json_ json_t *json = NULL;
	json_t *containers, *value;
	const char *key;
	int r;

	r = load_json(text, length, &json);
	if (r < 0)
		return r;
	r = parse_network(json, &network);
	if (r < 0)
		return r;
	r = get_typed(json, "Containers", JSON_OBJECT, &containers);
	if (r < 0)
		return r;
	list.attachments = calloc(json_object_size(containers) + 1, sizeof(*list.attachments));
	if (!list.attachments)
		return -ENOMEM;
	json_object_foreach(containers, key, value) {
		_cleanup_free_ char *container = NULL;

		r = attachment_key(key, value, &container);
		if (r < 0)
			return r;
		if (!container)
			continue;
		r = parse_attachment(container, network.id, value, &list.attachments[list.attachment_count]);
		if (r < 0)
			return r;
		list.attachment_count++;
	}
	*ret = network;
	memset(&network, 0, sizeof(network));
	*ret_attachments = TAKE_PTR(list.attachments);
	*ret_count = list.attachment_count;
	list.attachment_count = 0;
	return 0;
}
