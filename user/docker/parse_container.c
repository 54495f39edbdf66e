/* SPDX-License-Identifier: GPL-2.0 */
#include "docker/parse.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "docker/answer.h"

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

/* "sha256:" comes and goes between Podman's versions. */
static const char *bare_digest(const char *id)
{
	static const char algorithm[] = "sha256:";

	return strncmp(id, algorithm, strlen(algorithm)) == 0 ? id + strlen(algorithm) : id;
}

static int compare_ports(const void *a, const void *b)
{
	const struct published_port *left = a, *right = b;
	int difference = (int)left->proto - right->proto;

	if (!difference)
		difference = (int)left->port - right->port;
	if (!difference)
		difference = (int)left->host_port - right->host_port;
	return difference ? difference : memcmp(&left->host_addr, &right->host_addr, sizeof(left->host_addr));
}

/* Ports that are only exposed have no PublicPort. Docker lists them in no order; here they are sorted. */
static int parse_ports(json_t *list, struct container *container)
{
	static const struct { const char *name; uint8_t proto; } types[] = {
		{ "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP },
	};
	json_t *value;
	size_t i;

	if (!json_array_size(list))
		return 0;
	container->ports = calloc(json_array_size(list), sizeof(*container->ports));
	if (!container->ports)
		return -ENOMEM;
	json_array_foreach(list, i, value) {
		struct published_port port = { 0 };
		json_int_t inside = json_integer_value(json_object_get(value, "PrivatePort"));
		json_int_t outside = json_integer_value(json_object_get(value, "PublicPort"));
		const char *type = answer_text(value, "Type"), *address = answer_text(value, "IP");

		/* What cannot be understood is left out: nothing is decided by ports. */
		if (!type || !address || inside <= 0 || inside > UINT16_MAX || outside <= 0 || outside > UINT16_MAX ||
		    (*address && text_parse_addr(address, &port.host_addr) < 0))
			continue;
		for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++)
			if (strcmp(type, types[k].name) == 0)
				port.proto = types[k].proto;
		if (!port.proto)
			continue;
		port.port = (uint16_t)inside;
		port.host_port = (uint16_t)outside;
		container->ports[container->port_count++] = port;
	}
	qsort(container->ports, container->port_count, sizeof(*container->ports), compare_ports);
	return 0;
}

static int parse_container(json_t *json, struct container *ret)
{
	_cleanup_(container_clear) struct container container = { 0 };
	json_t *names, *labels, *host_config, *ports;
	const char *state, *mode, *second, *image_id;
	int r;

	if (!json_is_object(json) || answer_member(json, "Names", JSON_ARRAY, &names) < 0 ||
	    answer_member(json, "Labels", JSON_OBJECT, &labels) < 0 || answer_member(json, "HostConfig", JSON_OBJECT, &host_config) < 0 ||
	    answer_member(json, "Ports", JSON_ARRAY, &ports) < 0)
		return -EINVAL;
	second = own_name(names, 1);
	state = answer_text(json, "State");
	mode = answer_text(host_config, "NetworkMode");
	image_id = answer_text(json, "ImageID");
	if (!state || !mode || !image_id)
		return -EINVAL;
	if ((r = answer_copy_id(answer_text(json, "Id"), &container.id)) < 0 ||
	    (r = container_set_name(&container, own_name(names, 0))) < 0 ||
	    (r = answer_copy_member(json, "Image", &container.image)) < 0 ||
	    (r = answer_copy(bare_digest(image_id), &container.image_id)) < 0 ||
	    (r = answer_labels(labels, NULL, NULL, &container.labels, &container.label_count)) < 0 ||
	    (r = parse_ports(ports, &container)) < 0 ||
	    (r = container_set_compose(&container)) < 0)
		return r;
	if (second && *second) {
		r = answer_copy(*second == '/' ? second + 1 : second, &container.other_name);
		if (r < 0)
			return r;
	}
	if (*mode) {
		/* "default" is what the client wrote; what it means on Linux is the bridge network. */
		r = answer_copy(strcmp(mode, "default") == 0 ? "bridge" : mode, &container.network_mode);
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

	r = answer_load(text, length, &json);
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

int docker_parse_image(const char *text, size_t length, char **ret_id, struct label **ret_labels, size_t *ret_count)
{
	_cleanup_json_ json_t *json = NULL;
	json_t *config, *labels;
	const char *id;
	char *copy;
	int r;

	r = answer_load(text, length, &json);
	if (r < 0)
		return r;
	id = answer_text(json, "Id");
	if (!json_is_object(json) || !id || answer_member(json, "Config", JSON_OBJECT, &config) < 0 ||
	    answer_member(config, "Labels", JSON_OBJECT, &labels) < 0)
		return -EINVAL;
	r = answer_copy_id(bare_digest(id), &copy);
	if (r < 0)
		return r;
	r = answer_labels(labels, NULL, NULL, ret_labels, ret_count);
	if (r < 0) {
		free(copy);
		return r;
	}
	*ret_id = copy;
	return 0;
}

int docker_parse_resolvers(const char *text, size_t length, struct dnet_addr **ret, size_t *ret_count)
{
	_cleanup_json_ json_t *json = NULL;
	_cleanup_free_ struct dnet_addr *resolvers = NULL;
	json_t *host_config, *list, *value;
	size_t i, count = 0;
	int r;

	r = answer_load(text, length, &json);
	if (r < 0)
		return r;
	if (!json_is_object(json) || answer_member(json, "HostConfig", JSON_OBJECT, &host_config) < 0 ||
	    answer_member(host_config, "Dns", JSON_ARRAY, &list) < 0)
		return -EINVAL;
	if (json_array_size(list)) {
		resolvers = calloc(json_array_size(list), sizeof(*resolvers));
		if (!resolvers)
			return -ENOMEM;
	}
	json_array_foreach(list, i, value) {
		const char *address = json_string_value(value);

		if (!address)
			return -EINVAL;
		/* Podman takes "none", and a scope may follow a link-local one: nothing that a rule could be made of. */
		if (text_parse_addr(address, &resolvers[count]) == 0)
			count++;
	}
	*ret = count ? TAKE_PTR(resolvers) : NULL;
	*ret_count = count;
	return 0;
}
