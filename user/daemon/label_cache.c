/* SPDX-License-Identifier: GPL-2.0 */
/* Containers' labels, parsed: once for all containers that have the same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "check/lint.h"
#include "config/labels.h"
#include "daemon/policies.h"
#include "daemon/reconcile.h"
#include "geo/need.h"

/* The place of a key in the table, or of the free slot where it would be. */
static struct cached_labels **find_labels(struct cached_labels **labels, size_t room, const char *key)
{
	size_t i = text_hash(TEXT_HASH_SEED, key) & (room - 1);

	while (labels[i] && strcmp(labels[i]->key, key) != 0)
		i = (i + 1) & (room - 1);
	return &labels[i];
}

static int grow_labels(struct daemon *daemon)
{
	size_t room = daemon->label_room ? daemon->label_room * 2 : 64;
	struct cached_labels **larger;

	if (daemon->label_count * 2 < daemon->label_room)
		return 0;
	larger = calloc(room, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	for (size_t i = 0; i < daemon->label_room; i++)
		if (daemon->labels[i])
			*find_labels(larger, room, daemon->labels[i]->key) = daemon->labels[i];
	free(daemon->labels);
	daemon->labels = larger;
	daemon->label_room = room;
	return 0;
}

/* What cannot be put in force is said when the labels are first read, once for all containers that have the same. */
static void parse_labels(const struct daemon *daemon, const struct container *container, struct label_policy *ret)
{
	struct diagnostics diagnostics = {};

	label_policy_parse(container, daemon->policies, ret);
	/* When a database comes, all labels are read again. */
	if (!ret->invalid && !daemon->countries.now.geo)
		geo_refuse_labels(ret);
	if (ret->invalid)
		log_error("container %s is denied everything: %s", container->name, ret->problem);
	for (int direction = 0; direction < DNET_DIRECTIONS && !ret->invalid; direction++) {
		const struct lint_list list = {
			.rules = &ret->policy.direction[direction], .direction = direction, .whose = "its labels", .governs = true, .label = true,
		};

		if (list.rules->present)
			lint_rules(&list, &diagnostics);
	}
	for (size_t i = 0; i < diagnostics.count; i++)
		log_warning("container %s: %s: %s", container->name, diagnostics.items[i].file, diagnostics.items[i].sentence);
	diagnostics_clear(&diagnostics);
}

const struct label_policy *reconcile_labels(struct daemon *daemon, const struct container *container)
{
	_cleanup_free_ char *key = NULL;
	struct cached_labels *cached, **slot;
	size_t size = 0, length = 0;

	/* Labels that cannot be told from the image's make the container invalid, though none is left of them. */
	if (container->labels_unknown)
		size += 2;
	for (size_t i = 0; i < container->label_count; i++)
		if (strncmp(container->labels[i].key, "dnetbpf.", 8) == 0)
			size += strlen(container->labels[i].key) + strlen(container->labels[i].value) + 2;
	if (!size)
		return NULL;
	key = malloc(size + 1);
	if (!key || grow_labels(daemon) < 0)
		return NULL;
	if (container->labels_unknown)
		length = sprintf(key, "\3\3");
	for (size_t i = 0; i < container->label_count; i++)
		if (strncmp(container->labels[i].key, "dnetbpf.", 8) == 0)
			length += sprintf(key + length, "%s\1%s\2", container->labels[i].key, container->labels[i].value);
	slot = find_labels(daemon->labels, daemon->label_room, key);
	if (*slot)
		return &(*slot)->labels;
	cached = calloc(1, sizeof(*cached));
	if (!cached)
		return NULL;
	cached->key = TAKE_PTR(key);
	parse_labels(daemon, container, &cached->labels);
	*slot = cached;
	daemon->label_count++;
	return &cached->labels;
}

void label_cache_free(struct cached_labels **labels, size_t room)
{
	for (size_t i = 0; i < room; i++) {
		if (!labels[i])
			continue;
		label_policy_clear(&labels[i]->labels);
		free(labels[i]->key);
		free(labels[i]);
	}
	free(labels);
}
