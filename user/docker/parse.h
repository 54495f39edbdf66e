/* SPDX-License-Identifier: GPL-2.0 */
/* Docker's JSON to the model. Pure; unknown fields are ignored, missing ones get defaults, wrong types are -EINVAL. */
#ifndef DNETBPF_DOCKER_PARSE_H
#define DNETBPF_DOCKER_PARSE_H

#include <stddef.h>

#include "model/inventory.h"

enum docker_event_kind {
	DOCKER_EVENT_OTHER,
	DOCKER_EVENT_CONTAINER,	/* create, start, die, rename, update: the container is to be read again */
	DOCKER_EVENT_CONTAINER_GONE,	/* destroy */
	DOCKER_EVENT_NETWORK,	/* create, destroy: the networks are to be read again */
	DOCKER_EVENT_ATTACH,	/* network connect, disconnect: that network is to be read again */
	DOCKER_EVENT_IMAGE,	/* whatever: a name may mean another image now, and an image may have come or gone */
};

struct docker_event {
	enum docker_event_kind kind;
	char *container_id;	/* owned, NULL if none */
	char *network_id;	/* owned, NULL if none; Podman's attach events have the network's name instead */
	/* From a container event's attributes: a container as far as the event tells it (id, name, image, labels (its image's
	 * among them), project, service), so that a policy can be computed from `create` on; has_container says that it is filled. */
	int has_container;
	int has_state;		/* start, die: the action itself says what container.state is */
	struct container container;
};

void docker_event_clear(struct docker_event *event);
/* One line of GET /events. */
int docker_parse_event(const char *json, size_t length, struct docker_event *ret);
/* GET /containers/json?all=1. The labels are the image's and the container's own, see images.h. The array is owned by the caller. */
int docker_parse_containers(const char *json, size_t length, struct container **ret, size_t *ret_count);
/* GET /images/NAME/json: its ID without "sha256:", as container.image_id has it, and its labels, sorted by key. */
int docker_parse_image(const char *json, size_t length, char **ret_id, struct label **ret_labels, size_t *ret_count);
/* GET /containers/ID/json: the resolvers that it was given, in order. */
int docker_parse_resolvers(const char *json, size_t length, struct dnet_addr **ret, size_t *ret_count);
/* GET /networks: an array without attachments. */
int docker_parse_networks(const char *json, size_t length, struct network **ret, size_t *ret_count);
/* GET /networks/ID: the network and who is attached to it. While a container is being connected Docker gives only its name:
 * then container_id is "/NAME", for the caller to resolve. */
int docker_parse_network(const char *json, size_t length, struct network *ret, struct attachment **ret_attachments,
			 size_t *ret_count);

#endif
