/* SPDX-License-Identifier: GPL-2.0 */
/* What can be said of policies beside the containers that are there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "check/private.h"
#include "compile/select.h"
#include "config/labels.h"

static void scene_clear(struct scene *scene)
{
	for (size_t i = 0; i < scene->container_count; i++)
		label_policy_clear(&scene->containers[i].labels);
	free(scene->containers);
	free(scene->endpoints);
	free(scene->names);
	free(scene->selected);
}

/* One endpoint for each attachment; a container without any is one as well, on no network. */
static void add_container(struct scene *scene, const struct container *container, size_t *names)
{
	static const struct network nowhere = { .id = "", .name = "" };
	const struct inventory *inventory = scene->world->inventory;
	struct scene_container *added = &scene->containers[scene->container_count++];
	const struct attachment *attachment;
	const char **own = &scene->names[*names];

	*added = (struct scene_container){ .container = container, .first = scene->endpoint_count };
	for (size_t cursor = 0; (attachment = inventory_container_attachment(inventory, container->id, &cursor));) {
		const struct network *network = inventory_network(inventory, attachment->network_id);

		if (!network)
			continue;
		scene->names[(*names)++] = network->name;
		scene->endpoints[scene->endpoint_count++] = (struct compile_endpoint){ .container = container, .network = network };
	}
	(*names)++;
	if (scene->endpoint_count == added->first)
		scene->endpoints[scene->endpoint_count++] = (struct compile_endpoint){ .container = container, .network = &nowhere };
	added->count = scene->endpoint_count - added->first;
	for (size_t i = added->first; i < scene->endpoint_count; i++) {
		scene->endpoints[i].id = (uint32_t)(i + 1);
		scene->endpoints[i].network_names = own;
	}
	if (!scene->world->compose)
		label_policy_parse(container, scene->world->set, &added->labels);
}

static int scene_fill(struct scene *scene)
{
	const struct inventory *inventory = scene->world->inventory;
	size_t room = inventory->attachment_count + inventory->container_count + 1, names = 0;

	scene->containers = calloc(inventory->container_count + 1, sizeof(*scene->containers));
	scene->endpoints = calloc(room, sizeof(*scene->endpoints));
	scene->names = calloc(room, sizeof(*scene->names));
	scene->selected = calloc(inventory->container_count + 1, sizeof(*scene->selected));
	if (!scene->containers || !scene->endpoints || !scene->names || !scene->selected)
		return -ENOMEM;
	for (size_t i = 0; i < inventory->container_count; i++)
		add_container(scene, &inventory->containers[i], &names);
	return 0;
}

static bool selects(const struct scene *scene, const struct policy *policy, const struct scene_container *container)
{
	return (container->labels.policy_name && strcmp(container->labels.policy_name, policy->name) == 0) ||
	       selector_selects(&policy->selector, &scene->endpoints[container->first]);
}

static void select_containers(struct scene *scene, const struct policy *policy)
{
	scene->selected_count = 0;
	for (size_t i = 0; i < scene->container_count; i++)
		if (selects(scene, policy, &scene->containers[i]))
			scene->selected[scene->selected_count++] = &scene->containers[i];
}

/* --- directions in which nothing is allowed, over all policies that select one container */

static bool is_allowed_something(const struct scene *scene, const struct scene_container *container, int direction)
{
	const struct policy_set *set = scene->world->set;

	for (size_t i = 0; i < set->policy_count; i++) {
		const struct policy *policy = &set->policies[i];

		if (policy_is_over(policy, scene->world->now_unix_ns) || !selects(scene, policy, container))
			continue;
		if (policy->labels_add)
			return true;	/* perhaps by its labels, and these are not the file's matter */
		for (size_t j = 0; j < policy->direction[direction].count; j++)
			if (policy->direction[direction].rules[j].action == DNET_RULE_ALLOW)
				return true;
	}
	return false;
}

/* What lint_policies() left open, because another policy might have allowed something. */
static void check_only_denies(struct scene *scene, const struct policy *policy, const struct lint_list *list)
{
	bool other = false;

	for (size_t i = 0; i < list->rules->count; i++)
		if (list->rules->rules[i].action == DNET_RULE_ALLOW)
			return;
	for (size_t i = 0; i < scene->world->set->policy_count && !other; i++) {
		const struct policy *candidate = &scene->world->set->policies[i];

		if (candidate == policy || !selectors_meet(&candidate->selector, &policy->selector))
			continue;
		for (size_t j = 0; j < candidate->direction[list->direction].count; j++)
			other = other || candidate->direction[list->direction].rules[j].action == DNET_RULE_ALLOW;
	}
	for (size_t i = 0; other && i < scene->selected_count; i++)
		if (!is_allowed_something(scene, scene->selected[i], list->direction)) {
			lint_only_denies(list, scene->selected[i]->container->name, scene->diagnostics);
			return;
		}
}

static void check_policy(struct scene *scene, const struct policy *policy)
{
	bool compose = scene->world->compose;
	char name[128];

	select_containers(scene, policy);
	lint_names(scene, policy);
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		struct lint_list list = lint_list_of(policy, (enum dnet_direction)direction, compose, name, sizeof(name));

		for (size_t i = 0; i < list.rules->count; i++)
			lint_ports(scene, &list, i);
		lint_families(scene, &list);
		if (!compose)
			check_only_denies(scene, policy, &list);
	}
}

/* --- modes */

/* Only what the selectors alone do not show: lint_policies() has said the rest. Each policy is complained of once. */
static void check_modes(struct scene *scene, const struct scene_container *container, bool *said)
{
	const struct policy_set *set = scene->world->set;
	const struct policy *first = NULL;

	for (size_t i = 0; i < set->policy_count; i++) {
		const struct policy *policy = &set->policies[i];

		if (policy->override || policy_is_over(policy, scene->world->now_unix_ns) || !selects(scene, policy, container))
			continue;
		if (!first) {
			first = policy;
			continue;
		}
		if (policy->mode == first->mode || said[i] || selector_covers(&first->selector, &policy->selector) ||
		    selector_covers(&policy->selector, &first->selector))
			continue;
		said[i] = true;
		lint_modes(first, policy, container->container->name, scene->diagnostics);
	}
}

/* --- labels */

static void check_labels(struct scene *scene, const struct scene_container *of)
{
	const struct container *container = of->container;
	char file[300];
	struct origin origin = { .file = file };

	snprintf(file, sizeof(file), "container %s", container->name);
	if (of->labels.invalid)
		lint_warn(scene->diagnostics, LINT_LABEL, &origin, NULL, "all its traffic is denied with this policy file: %s",
			  of->labels.problem ? of->labels.problem : "its labels cannot be read");
	for (char **name = container->image_labels; name && *name; name++) {
		bool ours = label_policy_concerns(*name);

		if (!ours && strcmp(*name, "com.docker.compose.project") != 0 && strcmp(*name, "com.docker.compose.service") != 0)
			continue;
		lint_warn(scene->diagnostics, LINT_IMAGE, &origin, NULL, "its image%s%s claims the label %s, which is ignored: an image must not "
			  "choose %s; set it on the container if it is meant", container->image && *container->image ? " " : "",
			  container->image ? container->image : "", *name, ours ? "its own policy" : "whose permissions it has");
	}
}

int lint_inventory(const struct lint_world *world, struct diagnostics *diagnostics)
{
	_cleanup_(scene_clear) struct scene scene = { .world = world, .diagnostics = diagnostics };
	_cleanup_free_ bool *said = calloc(world->set->policy_count + 1, sizeof(*said));
	int r = scene_fill(&scene);

	if (r < 0 || !said)
		return -ENOMEM;
	for (size_t i = 0; i < world->set->policy_count; i++)
		if (!policy_is_over(&world->set->policies[i], world->now_unix_ns))
			check_policy(&scene, &world->set->policies[i]);
	if (world->compose)
		return 0;
	for (size_t i = 0; i < scene.container_count; i++) {
		check_modes(&scene, &scene.containers[i], said);
		check_labels(&scene, &scene.containers[i]);
	}
	return 0;
}
