/* SPDX-License-Identifier: GPL-2.0 */
/* JSON as Docker writes it: what parse_*.c share. Functions return 0, -EINVAL or -ENOMEM. */
#ifndef DNETBPF_DOCKER_ANSWER_H
#define DNETBPF_DOCKER_ANSWER_H

#include <jansson.h>
#include <stddef.h>

#include "model/inventory.h"

#define _cleanup_json_ _cleanup_(json_decrefp)	/* jansson has the function */

int answer_load(const char *text, size_t length, json_t **ret);
/* A member that is a string; missing and null are "". NULL: another type. Borrowed from @object. */
const char *answer_text(const json_t *object, const char *key);
/* A member of the given type; missing and null yield NULL in @ret. */
int answer_member(const json_t *object, const char *key, json_type type, json_t **ret);
/* Copies; @text NULL: -EINVAL. An ID may not be empty. */
int answer_copy(const char *text, char **ret);
int answer_copy_member(const json_t *object, const char *key, char **ret);
int answer_copy_id(const char *id, char **ret);

/* Labels from an object of strings (or NULL), without the keys in the lists. Sorted by key, so that equal sets compare equal. */
int answer_labels(json_t *object, const char *const *without, const char *const *without_too, struct label **ret, size_t *ret_count);

/* Its name without the slash; an empty one: the beginning of its ID. */
int container_set_name(struct container *container, const char *name);
/* Its project and service, from its labels. */
int container_set_compose(struct container *container);

#endif
