/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "compile/ruleset.h"

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

bool selector_selects(const struct selector *selector, const struct compile_endpoint *endpoint)
{
	const struct container *container = endpoint->container;
	const char *value;

	switch (selector->kind) {
	case SELECT_ALL:
		return true;
	case SELECT_CONTAINER:
		return text_glob_match(selector->value, container->name);
	case SELECT_SERVICE:
		return container->service && text_glob_match(selector->value, container->service) &&
		       (!selector->project || text_glob_match(selector->project, text_or_empty(container->project)));
	case SELECT_LABEL:
		value = container_label(container, selector->key);
		return value && text_glob_match(selector->value, value);
	case SELECT_NETWORK:
		for (const char *const *name = endpoint->network_names; name && *name; name++)
			if (strcmp(*name, selector->value) == 0)
				return true;
		return false;
	case SELECT_PROJECT:
		return container->project && text_glob_match(selector->value, container->project);
	case SELECT_IMAGE:
		return text_glob_match(selector->value, text_or_empty(container->image));
	case SELECT_AND:
		for (size_t i = 0; i < selector->child_count; i++)
			if (!selector_selects(&selector->children[i], endpoint))
				return false;
		return true;
	case SELECT_OR:
		for (size_t i = 0; i < selector->child_count; i++)
			if (selector_selects(&selector->children[i], endpoint))
				return true;
		return false;
	case SELECT_NOT:
		return !selector_selects(&selector->children[0], endpoint);
	}
	return false;
}

bool peer_is_name(const struct peer *peer)
{
	return peer->kind == PEER_PROJECT || peer->kind == PEER_CONTAINER || peer->kind == PEER_SERVICE || peer->kind == PEER_NETWORK ||
	       peer->kind == PEER_LABEL;
}

bool peer_needs_project(const struct peer *peer)
{
	return peer->kind == PEER_PROJECT || (peer->kind == PEER_SERVICE && !peer->project);
}

bool peer_names_endpoint(const struct peer *peer, const char *project, const struct compile_endpoint *endpoint)
{
	const struct container *container = endpoint->container;
	const char *value;

	switch (peer->kind) {
	case PEER_CONTAINER:
		return text_glob_match(peer->name, container->name);
	case PEER_SERVICE:
		if (!container->service || !text_glob_match(peer->name, container->service))
			return false;
		if (peer->project)
			return text_glob_match(peer->project, text_or_empty(container->project));
		/* A bare service name means the rule owner's own project. */
		return strcmp(text_or_empty(project), text_or_empty(container->project)) == 0;
	case PEER_PROJECT:
		/* Containers without a project have nothing in common. */
		return project && container->project && strcmp(project, container->project) == 0;
	case PEER_NETWORK:
		return strcmp(peer->name, endpoint->network->name) == 0;
	case PEER_LABEL:
		value = container_label(container, peer->key);
		return value && text_glob_match(peer->name, value);
	default:
		return false;
	}
}

/* --- anchors */

/* The kind of word is part of the hash. */
enum { ANCHOR_NONE, ANCHOR_CONTAINER, ANCHOR_SERVICE, ANCHOR_ANY_SERVICE, ANCHOR_NETWORK, ANCHOR_PROJECT, ANCHOR_IMAGE, ANCHOR_LABEL,
       ANCHOR_ANY_LABEL, ANCHOR_INTERFACE, ANCHOR_SET, ANCHOR_COUNTRY };

static uint64_t anchor(int kind, const char *first, const char *second)
{
	char head[2] = { (char)('a' + kind), '\0' };

	return text_hash(text_hash(text_hash(text_hash(TEXT_HASH_SEED, head), first), "\n"), second);
}

static bool is_exact(const char *glob)
{
	return !strpbrk(glob, "*?");
}

static uint64_t service_anchor(const char *project, const char *service)
{
	if (!is_exact(service))
		return anchor(ANCHOR_NONE, "", "");
	return project && is_exact(project) ? anchor(ANCHOR_SERVICE, project, service) : anchor(ANCHOR_ANY_SERVICE, service, "");
}

static uint64_t label_anchor(const char *key, const char *value)
{
	return is_exact(value) ? anchor(ANCHOR_LABEL, key, value) : anchor(ANCHOR_ANY_LABEL, key, "");
}

static uint64_t word_anchor(int kind, const char *glob)
{
	return is_exact(glob) ? anchor(kind, glob, "") : anchor(ANCHOR_NONE, "", "");
}

int selector_anchors(const struct selector *selector, int (*add)(void *context, uint64_t hash), void *context)
{
	switch (selector->kind) {
	case SELECT_CONTAINER:
		return add(context, word_anchor(ANCHOR_CONTAINER, selector->value));
	case SELECT_SERVICE:
		return add(context, service_anchor(selector->project, selector->value));
	case SELECT_LABEL:
		return add(context, label_anchor(selector->key, selector->value));
	case SELECT_NETWORK:
		return add(context, anchor(ANCHOR_NETWORK, selector->value, ""));
	case SELECT_PROJECT:
		return add(context, word_anchor(ANCHOR_PROJECT, selector->value));
	case SELECT_IMAGE:
		return add(context, word_anchor(ANCHOR_IMAGE, selector->value));
	case SELECT_AND:
		/* Any one part is enough to be found by: the first that is a word. */
		for (size_t i = 0; i < selector->child_count; i++)
			if (selector->children[i].kind != SELECT_ALL && selector->children[i].kind != SELECT_NOT)
				return selector_anchors(&selector->children[i], add, context);
		return add(context, anchor(ANCHOR_NONE, "", ""));
	case SELECT_OR:
		for (size_t i = 0; i < selector->child_count; i++) {
			int r = selector_anchors(&selector->children[i], add, context);

			if (r < 0)
				return r;
		}
		return 0;
	case SELECT_ALL:
	case SELECT_NOT:
		break;
	}
	return add(context, anchor(ANCHOR_NONE, "", ""));
}

uint64_t peer_anchor(const struct peer *peer, const char *project)
{
	switch (peer->kind) {
	case PEER_CONTAINER:
		return word_anchor(ANCHOR_CONTAINER, peer->name);
	case PEER_SERVICE:
		/* The owner's project is a word, whatever characters are in it. */
		if (!peer->project)
			return is_exact(peer->name) ? anchor(ANCHOR_SERVICE, text_or_empty(project), peer->name) : anchor(ANCHOR_NONE, "", "");
		return service_anchor(peer->project, peer->name);
	case PEER_NETWORK:
		return anchor(ANCHOR_NETWORK, peer->name, "");
	case PEER_PROJECT:
		return anchor(ANCHOR_PROJECT, text_or_empty(project), "");
	case PEER_LABEL:
		return label_anchor(peer->key, peer->name);
	case PEER_INTERFACE:
		return interface_anchor(peer->name);
	case PEER_SET:
		return set_anchor(peer->name);
	case PEER_COUNTRY:
		return anchor(ANCHOR_COUNTRY, peer->name, "");
	default:
		return anchor(ANCHOR_NONE, "", "");
	}
}

uint64_t interface_anchor(const char *name)
{
	return anchor(ANCHOR_INTERFACE, name, "");
}

uint64_t set_anchor(const char *name)
{
	return anchor(ANCHOR_SET, name, "");
}

int endpoint_anchors(const struct compile_endpoint *endpoint, uint64_t **ret, size_t *ret_count)
{
	const struct container *container = endpoint->container;
	size_t room = 7 + container->label_count * 2, count = 0;
	uint64_t *hashes;

	for (const char *const *name = endpoint->network_names; name && *name; name++)
		room++;
	hashes = malloc(room * sizeof(*hashes));
	if (!hashes)
		return -ENOMEM;
	hashes[count++] = anchor(ANCHOR_NONE, "", "");
	hashes[count++] = anchor(ANCHOR_CONTAINER, container->name, "");
	hashes[count++] = anchor(ANCHOR_IMAGE, text_or_empty(container->image), "");
	hashes[count++] = anchor(ANCHOR_NETWORK, endpoint->network->name, "");
	for (const char *const *name = endpoint->network_names; name && *name; name++)
		if (strcmp(*name, endpoint->network->name) != 0)
			hashes[count++] = anchor(ANCHOR_NETWORK, *name, "");
	if (container->service) {
		hashes[count++] = anchor(ANCHOR_SERVICE, text_or_empty(container->project), container->service);
		hashes[count++] = anchor(ANCHOR_ANY_SERVICE, container->service, "");
	}
	if (container->project)
		hashes[count++] = anchor(ANCHOR_PROJECT, container->project, "");
	for (size_t i = 0; i < container->label_count; i++) {
		hashes[count++] = anchor(ANCHOR_LABEL, container->labels[i].key, container->labels[i].value);
		hashes[count++] = anchor(ANCHOR_ANY_LABEL, container->labels[i].key, "");
	}
	*ret = hashes;
	*ret_count = count;
	return 0;
}

void anchors_clear(struct anchors *anchors)
{
	free(anchors->heads);
	free(anchors->items);
	memset(anchors, 0, sizeof(*anchors));
}

static void link_item(struct anchors *anchors, size_t index)
{
	uint32_t *head = &anchors->heads[anchors->items[index].hash & (anchors->bucket_count - 1)];

	anchors->items[index].next = *head;
	*head = (uint32_t)index + 1;
}

int anchors_add(struct anchors *anchors, uint64_t hash, uint32_t value)
{
	if (array_grow((void **)&anchors->items, &anchors->room, anchors->count, sizeof(*anchors->items)) < 0)
		return -ENOMEM;
	if (anchors->count >= anchors->bucket_count) {
		size_t bucket_count = anchors->bucket_count ? anchors->bucket_count * 2 : 256;
		uint32_t *heads = calloc(bucket_count, sizeof(*heads));

		if (!heads)
			return -ENOMEM;
		free(anchors->heads);
		anchors->heads = heads;
		anchors->bucket_count = bucket_count;
		for (size_t i = 0; i < anchors->count; i++)
			link_item(anchors, i);
	}
	anchors->items[anchors->count] = (struct anchor){ .hash = hash, .value = value };
	link_item(anchors, anchors->count++);
	return 0;
}

bool anchors_next(const struct anchors *anchors, uint64_t hash, uint32_t *position, uint32_t *ret_value)
{
	uint32_t at;

	if (!anchors->bucket_count)
		return false;
	at = *position ? anchors->items[*position - 1].next : anchors->heads[hash & (anchors->bucket_count - 1)];
	while (at && anchors->items[at - 1].hash != hash)
		at = anchors->items[at - 1].next;
	if (!at)
		return false;
	*position = at;
	*ret_value = anchors->items[at - 1].value;
	return true;
}
