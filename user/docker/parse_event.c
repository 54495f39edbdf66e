/* SPDX-License-Identifier: GPL-2.0 */
#include "docker/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "docker/answer.h"

/* What Docker calls an action, and what it means to us. Actions that are not here do not change what we keep. */
struct action {
	const char *type, *name;	/* name NULL: whatever it is */
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
	{ "image", NULL, DOCKER_EVENT_IMAGE, 0, CONTAINER_CREATED, NULL },
};

static const struct action *find_action(const char *type, const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].type, type) == 0 && (!actions[i].name || strcmp(actions[i].name, name) == 0))
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

	r = answer_copy_id(id, &event->container_id);
	if (r < 0 || action->kind == DOCKER_EVENT_CONTAINER_GONE || !attributes)
		return r;
	if ((r = answer_copy_id(id, &container->id)) < 0 ||
	    (r = container_set_name(container, answer_text(attributes, "name"))) < 0 ||
	    (r = answer_copy_member(attributes, "image", &container->image)) < 0 ||
	    (r = answer_labels(attributes, no_labels, action->attributes, &container->labels, &container->label_count)) < 0)
		return r;
	event->has_container = 1;
	event->has_state = action->has_state;
	container->state = action->state;
	return container_set_compose(container);
}

static int fill_attach_event(const char *id, json_t *attributes, struct docker_event *event)
{
	const char *container = answer_text(attributes, "container");
	const char *network = answer_text(attributes, "network");
	int r;

	if (!container || !network)
		return -EINVAL;
	if (*container) {
		r = answer_copy_id(id, &event->network_id);
		return r < 0 ? r : answer_copy(container, &event->container_id);
	}
	if (*network) {	/* Podman: the actor is the container, the network has only its name */
		r = answer_copy_id(id, &event->container_id);
		return r < 0 ? r : answer_copy(network, &event->network_id);
	}
	return answer_copy_id(id, &event->network_id);
}

int docker_parse_event(const char *text, size_t length, struct docker_event *ret)
{
	_cleanup_(docker_event_clear) struct docker_event event = { .kind = DOCKER_EVENT_OTHER };
	_cleanup_json_ json_t *json = NULL;
	const char *type, *name, *id;
	const struct action *action;
	json_t *actor, *attributes;
	int r;

	r = answer_load(text, length, &json);
	if (r < 0)
		return r;
	if (!json_is_object(json))
		return -EINVAL;
	type = answer_text(json, "Type");
	name = answer_text(json, "Action");
	if (!type || !name || answer_member(json, "Actor", JSON_OBJECT, &actor) < 0 ||
	    answer_member(actor, "Attributes", JSON_OBJECT, &attributes) < 0)
		return -EINVAL;
	action = find_action(type, name);
	if (!action) {
		*ret = (struct docker_event) { .kind = DOCKER_EVENT_OTHER };
		return 0;
	}
	event.kind = action->kind;
	id = answer_text(actor, "ID");
	if (!id)
		return -EINVAL;
	if (strcmp(action->type, "container") == 0)
		r = fill_container_event(action, id, attributes, &event);
	else if (action->kind == DOCKER_EVENT_ATTACH)
		r = fill_attach_event(id, attributes, &event);
	else if (action->kind == DOCKER_EVENT_NETWORK)
		r = answer_copy_id(id, &event.network_id);
	if (r < 0)
		return r;
	*ret = event;
	memset(&event, 0, sizeof(event));
	return 0;
}
