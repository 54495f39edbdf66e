/* SPDX-License-Identifier: GPL-2.0 */
#include "docker/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "docker/answer.h"

#define SHORT_ID 12	/* digits of an ID that Docker names bridges with */

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
		const char *subnet = json_is_object(value) ? answer_text(value, "Subnet") : NULL;
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
	const char *name = answer_text(options, "com.docker.network.bridge.name");
	const char *standard = answer_text(options, "com.docker.network.bridge.default_bridge");

	if (!name || !standard)
		return -EINVAL;
	if (strcmp(network->driver, "bridge") != 0)
		return 0;
	if (*name)
		return answer_copy(name, &network->bridge);
	if (strcmp(standard, "true") == 0)
		return answer_copy("docker0", &network->bridge);
	return asprintf(&network->bridge, "br-%.*s", SHORT_ID, network->id) < 0 ? -ENOMEM : 0;
}

static int parse_network(json_t *json, struct network *ret)
{
	_cleanup_(network_clear) struct network network = { 0 };
	json_t *ipam, *config, *options, *internal;
	int r;

	if (!json_is_object(json) || answer_member(json, "IPAM", JSON_OBJECT, &ipam) < 0 ||
	    answer_member(ipam, "Config", JSON_ARRAY, &config) < 0 || answer_member(json, "Options", JSON_OBJECT, &options) < 0)
		return -EINVAL;
	internal = json_object_get(json, "Internal");
	if (internal && !json_is_boolean(internal))
		return -EINVAL;
	network.internal = json_is_true(internal);
	if ((r = answer_copy_id(answer_text(json, "Id"), &network.id)) < 0 ||
	    (r = answer_copy_member(json, "Name", &network.name)) < 0 ||
	    (r = answer_copy_member(json, "Driver", &network.driver)) < 0 ||
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

	r = answer_load(text, length, &json);
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
	mac = answer_text(json, "MacAddress");
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
	if ((r = answer_copy(container_id, &attachment.container_id)) < 0 ||
	    (r = answer_copy(network_id, &attachment.network_id)) < 0 ||
	    (r = add_address(answer_text(json, "IPv4Address"), &attachment)) < 0 ||
	    (r = add_address(answer_text(json, "IPv6Address"), &attachment)) < 0)
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
	const char *name = answer_text(json, "Name");

	*ret = NULL;
	if (!name)
		return -EINVAL;
	if (*key && strspn(key, "0123456789abcdef") == strlen(key))
		return answer_copy(key, ret);
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

	r = answer_load(text, length, &json);
	if (r < 0)
		return r;
	r = parse_network(json, &network);
	if (r < 0)
		return r;
	r = answer_member(json, "Containers", JSON_OBJECT, &containers);
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
