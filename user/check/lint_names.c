/* SPDX-License-Identifier: GPL-2.0 */
/* Names in rules and selectors that nobody has now, and who may have been meant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "base/text.h"
#include "check/private.h"
#include "compile/select.h"

#define NAME_TEXT 400	/* bytes of a name in a sentence */

/* A name as a rule or a selector has it. */
struct name {
	const char *word;	/* "container:" */
	const char *project, *key, *value;
	char text[NAME_TEXT];
};

static void name_write(struct name *name, const char *word, const char *project, const char *key, const char *value)
{
	*name = (struct name){ .word = word, .project = project, .key = key, .value = value };
	snprintf(name->text, sizeof(name->text), "%s%s%s%s%s%s", word, project ? project : "", project ? "/" : "", key ? key : "",
		 key ? "=" : "", value ? value : "");
}

/* What stands behind "service:" for this container. @project: write the project. */
static bool offer_service(struct suggestion *suggestion, const struct container *container, bool project, char *buffer)
{
	if (!container->service || (project && !container->project))
		return false;
	snprintf(buffer, NAME_TEXT, "%s%s%s", project ? container->project : "", project ? "/" : "", container->service);
	suggest_offer(suggestion, buffer);
	return true;
}

/* The candidate that is nearest to what was written, in @best; false when none is near. */
static bool nearest(const struct scene *scene, const struct name *name, char *best)
{
	const struct inventory *inventory = scene->world->inventory;
	const char *written = name->text + strlen(name->word);
	struct suggestion suggestion;
	char candidate[NAME_TEXT];
	unsigned int distance;

	suggest_begin(&suggestion, word_of(written));
	for (size_t i = 0; i < inventory->container_count; i++) {
		const struct container *container = &inventory->containers[i];

		distance = suggestion.best ? suggestion.distance : ~0u;
		candidate[0] = '\0';
		if (strcmp(name->word, "container:") == 0)
			snprintf(candidate, sizeof(candidate), "%s", container->name);
		else if (strcmp(name->word, "service:") == 0)
			offer_service(&suggestion, container, name->project, candidate);
		else if (strcmp(name->word, "project:") == 0)
			snprintf(candidate, sizeof(candidate), "%s", container->project ? container->project : "");
		else if (strcmp(name->word, "image:") == 0)
			snprintf(candidate, sizeof(candidate), "%s", container->image ? container->image : "");
		if (*candidate && strcmp(name->word, "service:") != 0)
			suggest_offer(&suggestion, candidate);
		if (suggestion.best && suggestion.distance < distance)
			memcpy(best, candidate, NAME_TEXT);
		for (size_t j = 0; strcmp(name->word, "label:") == 0 && j < container->label_count; j++) {
			distance = suggestion.best ? suggestion.distance : ~0u;
			snprintf(candidate, sizeof(candidate), "%s=%s", container->labels[j].key, container->labels[j].value);
			suggest_offer(&suggestion, candidate);
			if (suggestion.best && suggestion.distance < distance)
				memcpy(best, candidate, NAME_TEXT);
		}
	}
	for (size_t i = 0; strcmp(name->word, "network:") == 0 && i < inventory->network_count; i++) {
		distance = suggestion.best ? suggestion.distance : ~0u;
		suggest_offer(&suggestion, inventory->networks[i].name);
		if (suggestion.best && suggestion.distance < distance)
			snprintf(best, NAME_TEXT, "%s", inventory->networks[i].name);
	}
	return suggestion.best && suggestion.distance;
}

/* The service with this very name, in another project. */
static const struct container *elsewhere(const struct scene *scene, const struct name *name)
{
	const struct inventory *inventory = scene->world->inventory;

	for (size_t i = 0; i < inventory->container_count; i++) {
		const struct container *container = &inventory->containers[i];

		if (container->service && container->project && strcmp(name->word, "service:") == 0 && !name->project &&
		    strcmp(container->service, name->value) == 0)
			return container;
	}
	return NULL;
}

/* The sentence's end, and in @better what to write instead; "" when nobody knows. */
static void advise(const struct scene *scene, const struct name *name, char *advice, char *better)
{
	const struct container *other = elsewhere(scene, name);
	char best[NAME_TEXT];

	*better = '\0';
	if (other) {
		snprintf(better, NAME_TEXT, "service:%s/%s", other->project, other->service);
		snprintf(advice, NAME_TEXT, ": without a project it is the container's own; did you mean \"%s\"?", better);
	} else if (nearest(scene, name, best)) {
		snprintf(better, NAME_TEXT, "%s%s", name->word, best);
		snprintf(advice, NAME_TEXT, "; did you mean \"%s\"?", better);
	} else {
		snprintf(advice, NAME_TEXT, ": it waits for one");
	}
}

static bool network_exists(const struct scene *scene, const char *name)
{
	return inventory_network_named(scene->world->inventory, name);
}

/* --- rules */

/* What a bare service means depends on whose rule it is; equal projects are asked once where they stand together. */
static bool peer_is_there(const struct scene *scene, const struct peer *peer)
{
	const char *asked = NULL;

	for (size_t i = 0; i < (peer_needs_project(peer) ? scene->selected_count : 1); i++) {
		const char *project = peer_needs_project(peer) ? scene->selected[i]->container->project : NULL;

		if (i && (project == asked || (project && asked && strcmp(project, asked) == 0)))
			continue;
		asked = project;
		for (size_t j = 0; j < scene->endpoint_count; j++)
			if (peer_names_endpoint(peer, project, &scene->endpoints[j]))
				return true;
	}
	return false;
}

/* In a compose file only the services of its own project are known. */
static bool is_known_ground(const struct scene *scene, const struct peer *peer)
{
	return !scene->world->compose || (peer->kind == PEER_SERVICE && !peer->project);
}

static void check_rule(struct scene *scene, const struct lint_list *list, size_t index)
{
	static const char *const words[] = { [PEER_CONTAINER] = "container:", [PEER_SERVICE] = "service:", [PEER_NETWORK] = "network:",
					     [PEER_LABEL] = "label:" };
	const struct rule *rule = &list->rules->rules[index];
	char advice[NAME_TEXT], better[NAME_TEXT];
	struct name name;

	if (rule->network && !scene->world->compose && !network_exists(scene, rule->network)) {
		_cleanup_free_ char *text = NULL;

		name_write(&name, "network:", NULL, NULL, rule->network);
		advise(scene, &name, advice, better);
		text = *better ? fix_word(rule->text, name.text, better) : NULL;
		lint_warn(scene->diagnostics, LINT_NOTHING, &rule->origin, fix_rule(list, index, text), "there is no network %s now%s",
			  rule->network, advice);
	}
	for (size_t i = 0; i < rule->peer_count; i++) {
		const struct peer *peer = &rule->peers[i];
		_cleanup_free_ char *text = NULL;

		if (!peer_is_name(peer) || !is_known_ground(scene, peer))
			continue;
		/* Who has no container yet has no project: that is said of the policy. */
		if (peer_is_there(scene, peer) || (peer_needs_project(peer) && !scene->selected_count))
			continue;
		if (peer->kind == PEER_PROJECT) {
			lint_warn(scene->diagnostics, LINT_NOTHING, &rule->origin, NULL, "\"project\" is nobody here: the container %s belongs to "
				  "no compose project", scene->selected[0]->container->name);
			continue;
		}
		name_write(&name, words[peer->kind], peer->project, peer->key, peer->name);
		if (peer->kind == PEER_NETWORK && network_exists(scene, peer->name)) {
			lint_warn(scene->diagnostics, LINT_NOTHING, &rule->origin, NULL, "there is no container on the network %s now", peer->name);
			continue;
		}
		advise(scene, &name, advice, better);
		text = *better ? fix_word(rule->text, name.text, better) : NULL;
		lint_warn(scene->diagnostics, LINT_NOTHING, &rule->origin, fix_rule(list, index, text), "%s matches no %s now%s", name.text,
			  scene->world->compose ? "service of this file" : "container", advice);
	}
}

/* --- selectors */

static void check_leaf(struct scene *scene, const struct policy *policy, const struct selector *leaf, bool alone)
{
	static const char *const words[] = { [SELECT_CONTAINER] = "container:", [SELECT_SERVICE] = "service:", [SELECT_LABEL] = "label:",
					     [SELECT_NETWORK] = "network:", [SELECT_PROJECT] = "project:", [SELECT_IMAGE] = "image:" };
	char advice[NAME_TEXT], better[NAME_TEXT], *fix = NULL;
	struct name name;

	for (size_t i = 0; i < scene->container_count; i++)
		if (selector_selects(leaf, &scene->endpoints[scene->containers[i].first]))
			return;
	name_write(&name, words[leaf->kind], leaf->project, leaf->key, leaf->value);
	advise(scene, &name, advice, better);
	if (*better && alone && asprintf(&fix, "select: \"%s\"", better) < 0)
		fix = NULL;
	lint_warn(scene->diagnostics, LINT_NOTHING, &policy->origin, fix, "the policy %s selects %s, which is no container now%s",
		  policy->name, name.text, advice);
}

/* What stands behind "not" is allowed to be nobody. */
static void check_selector(struct scene *scene, const struct policy *policy, const struct selector *selector, bool alone)
{
	if (selector->kind == SELECT_AND || selector->kind == SELECT_OR)
		for (size_t i = 0; i < selector->child_count; i++)
			check_selector(scene, policy, &selector->children[i], alone && selector->child_count == 1);
	else if (selector->kind != SELECT_NOT && selector->kind != SELECT_ALL)
		check_leaf(scene, policy, selector, alone);
}

void lint_names(struct scene *scene, const struct policy *policy)
{
	size_t said = scene->diagnostics->warnings;
	char name[128];

	/* A label may have chosen it. */
	if (!scene->selected_count || policy->selector.kind == SELECT_OR)
		check_selector(scene, policy, &policy->selector, true);
	if (!scene->selected_count && said == scene->diagnostics->warnings)
		lint_warn(scene->diagnostics, LINT_NOTHING, &policy->origin, NULL, "the policy %s selects no container now: it waits for one",
			  policy->name);
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		struct lint_list list = lint_list_of(policy, (enum dnet_direction)direction, scene->world->compose, name, sizeof(name));

		for (size_t i = 0; i < list.rules->count; i++)
			check_rule(scene, &list, i);
	}
}
