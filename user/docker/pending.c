/* SPDX-License-Identifier: GPL-2.0 */
#include "docker/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ids_clear(struct id_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->ids[i]);
	free(list->ids);
	memset(list, 0, sizeof(*list));
}

bool ids_contain(const struct id_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->ids[i], id) == 0)
			return true;
	return false;
}

int ids_add(struct id_list *list, const char *id)
{
	char **grown, *copy;

	if (ids_contain(list, id))
		return 0;
	grown = realloc(list->ids, (list->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->ids = grown;
	copy = strdup(id);
	if (!copy)
		return -ENOMEM;
	list->ids[list->count++] = copy;
	return 0;
}

int ids_move(struct id_list *from, struct id_list *to, size_t max)
{
	size_t n = from->count < max ? from->count : max;

	if (!n)
		return 0;
	to->ids = malloc(n * sizeof(*to->ids));
	if (!to->ids)
		return -ENOMEM;
	memcpy(to->ids, from->ids, n * sizeof(*to->ids));
	to->count = n;
	from->count -= n;
	memmove(from->ids, from->ids + n, from->count * sizeof(*from->ids));
	return 0;
}

static struct settling_container *find(const struct settling *settling, const char *id)
{
	for (size_t i = 0; i < settling->count; i++)
		if (strcmp(settling->containers[i].id, id) == 0)
			return &settling->containers[i];
	return NULL;
}

void settle_clear(struct settling *settling)
{
	for (size_t i = 0; i < settling->count; i++)
		free(settling->containers[i].id);
	free(settling->containers);
	memset(settling, 0, sizeof(*settling));
}

void settle_drop(struct settling *settling, const char *id)
{
	struct settling_container *container = find(settling, id);

	if (!container)
		return;
	free(container->id);
	*container = settling->containers[--settling->count];
}

/* Memory that runs out costs only the second look. */
void settle_add(struct settling *settling, const char *id)
{
	struct settling_container *container = find(settling, id), *grown;
	char *copy;

	if (!container) {
		grown = realloc(settling->containers, (settling->count + 1) * sizeof(*grown));
		if (!grown)
			return;
		settling->containers = grown;
		copy = strdup(id);
		if (!copy)
			return;
		container = &grown[settling->count++];
		container->id = copy;
	}
	container->tries = 0;
}

void settle_tick(struct settling *settling)
{
	for (size_t i = settling->count; i-- > 0;)
		if (++settling->containers[i].tries > SETTLE_TRIES)
			settle_drop(settling, settling->containers[i].id);
}

void settle(struct settling *settling, struct container *container)
{
	if (!find(settling, container->id))
		return;
	if (container->state == CONTAINER_RUNNING)
		container->state = CONTAINER_CREATED;
	else
		settle_drop(settling, container->id);
}
