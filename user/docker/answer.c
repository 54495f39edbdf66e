/* SPDX-License-Identifier: GPL-2.0 */
#include "docker/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SHORT_ID 12	/* digits of an ID that Docker shows */

/*
 * jansson refuses the escape for a NUL byte in keys, whatever the flags. Anybody who builds an image can put one into a label,
 * and must not be able to make the whole list unreadable: the escape becomes one of a question mark.
 */
int answer_load(const char *text, size_t length, json_t **ret)
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

const char *answer_text(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return "";
	return json_string_value(value);
}

int answer_member(const json_t *object, const char *key, json_type type, json_t **ret)
{
	json_t *value = json_object_get(object, key);

	if (value && json_is_null(value))
		value = NULL;
	if (value && json_typeof(value) != type)
		return -EINVAL;
	*ret = value;
	return 0;
}

int answer_copy(const char *text, char **ret)
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

int answer_copy_member(const json_t *object, const char *key, char **ret)
{
	return answer_copy(answer_text(object, key), ret);
}

int answer_copy_id(const char *id, char **ret)
{
	return id && *id ? answer_copy(id, ret) : -EINVAL;
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

int answer_labels(json_t *object, const char *const *without, const char *const *without_too, struct label **ret, size_t *ret_count)
{
	size_t count = 0, room = json_object_size(object);
	struct label *labels = NULL;
	const char *key;
	json_t *value;
	int r = 0;

	if (room) {
		labels = calloc(room, sizeof(*labels));
		if (!labels)
			return -ENOMEM;
	}
	json_object_foreach(object, key, value) {
		if (in_list(without, key) || in_list(without_too, key))
			continue;
		r = answer_copy(json_string_value(value), &labels[count].value);
		if (r < 0)
			break;
		r = answer_copy(key, &labels[count++].key);
		if (r < 0)
			break;
	}
	if (r < 0) {
		labels_free(labels, count);
		return r;
	}
	if (count)
		qsort(labels, count, sizeof(*labels), compare_labels);
	*ret = labels;
	*ret_count = count;
	return 0;
}

int container_set_compose(struct container *container)
{
	const char *project = container_label(container, "com.docker.compose.project");
	const char *service = container_label(container, "com.docker.compose.service");
	int r = 0;

	if (project && *project)
		r = answer_copy(project, &container->project);
	if (r == 0 && service && *service)
		r = answer_copy(service, &container->service);
	return r;
}

int container_set_name(struct container *container, const char *name)
{
	if (!name)
		return -EINVAL;
	if (*name == '/')
		name++;
	if (*name)
		return answer_copy(name, &container->name);
	container->name = strndup(container->id, SHORT_ID);
	return container->name ? 0 : -ENOMEM;
}
