/* SPDX-License-Identifier: GPL-2.0 */
#include "docker/images.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NAMES_MAX IMAGES_MAX

#define COMPOSE "com.docker.compose."

static void image_clear(struct image *image)
{
	labels_free(image->labels, image->label_count);
	free(image->id);
	memset(image, 0, sizeof(*image));
}

void images_clear(struct images *images)
{
	images_forget_names(images);
	for (size_t i = 0; i < images->count; i++)
		image_clear(&images->images[i]);
	free(images->images);
	memset(images, 0, sizeof(*images));
}

static struct image *find_id(const struct images *images, const char *id)
{
	for (size_t i = 0; i < images->count; i++)
		if (strcmp(images->images[i].id, id) == 0)
			return &images->images[i];
	return NULL;
}

static struct image_name *find_name(const struct images *images, const char *name)
{
	for (size_t i = 0; i < images->name_count; i++)
		if (strcmp(images->names[i].name, name) == 0)
			return &images->names[i];
	return NULL;
}

struct image *images_find(const struct images *images, const char *key)
{
	struct image *image = find_id(images, key);
	struct image_name *name = image ? NULL : find_name(images, key);

	return name ? find_id(images, name->id) : image;
}

static void drop_oldest(struct images *images)
{
	image_clear(&images->images[0]);
	images->count--;
	memmove(images->images, images->images + 1, images->count * sizeof(*images->images));
}

int images_put(struct images *images, const char *id, struct label *labels, size_t count, bool gone)
{
	struct image *image = find_id(images, id), *grown;
	char *copy;

	if (!image) {
		if (images->count == IMAGES_MAX)
			drop_oldest(images);
		grown = realloc(images->images, (images->count + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		images->images = grown;
		copy = strdup(id);
		if (!copy)
			return -ENOMEM;
		image = &grown[images->count++];
		*image = (struct image) { .id = copy };
	}
	labels_free(image->labels, image->label_count);
	image->labels = labels;
	image->label_count = count;
	image->gone = gone;
	return 0;
}

int images_put_name(struct images *images, const char *name, const char *id)
{
	struct image_name *known = find_name(images, name), *grown;
	_cleanup_free_ char *name_copy = NULL, *id_copy = strdup(id);

	if (!id_copy)
		return -ENOMEM;
	if (known) {
		free(known->id);
		known->id = TAKE_PTR(id_copy);
		return 0;
	}
	if (images->name_count == NAMES_MAX)
		images_forget_names(images);
	name_copy = strdup(name);
	grown = realloc(images->names, (images->name_count + 1) * sizeof(*grown));
	if (grown)
		images->names = grown;
	if (!grown || !name_copy)
		return -ENOMEM;
	grown[images->name_count++] = (struct image_name) { TAKE_PTR(name_copy), TAKE_PTR(id_copy) };
	return 0;
}

void images_forget_names(struct images *images)
{
	for (size_t i = 0; i < images->name_count; i++) {
		free(images->names[i].name);
		free(images->names[i].id);
	}
	free(images->names);
	images->names = NULL;
	images->name_count = 0;
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool label_is_claim(const char *key)
{
	return begins(key, "dnetbpf.") || begins(key, COMPOSE);
}

static int compare_key(const void *key, const void *label)
{
	return strcmp(key, ((const struct label *)label)->key);
}

static bool image_has(const struct image *image, const struct label *label)
{
	const struct label *own = !image->label_count ? NULL :
		bsearch(label->key, image->labels, image->label_count, sizeof(*own), compare_key);

	return own && strcmp(own->value, label->value) == 0;
}

/* They say what is in an image, and only build tools write them (OCI image annotations and what was there before them). */
static bool describes_image(const char *key)
{
	return begins(key, "org.opencontainers.image.") || begins(key, "org.label-schema.") || strcmp(key, "maintainer") == 0;
}

static bool compose_started(const struct container *container, const struct image *image)
{
	for (size_t i = 0; i < container->label_count; i++)
		if (strcmp(container->labels[i].key, COMPOSE "config-hash") == 0)
			return !image_has(image, &container->labels[i]);
	return false;
}

/* What Compose writes to images, too. */
static bool is_compose_identity(const char *key)
{
	return strcmp(key, COMPOSE "project") == 0 || strcmp(key, COMPOSE "service") == 0 || strcmp(key, COMPOSE "version") == 0;
}

/* Who knows which labels are the container's own: its image, or the same container at an earlier time. */
struct witness {
	const struct image *image;
	bool compose;
	const struct container *before;
};

static bool is_own(const struct witness *witness, const struct label *label)
{
	if (witness->before)
		return container_label(witness->before, label->key);
	if (witness->image->gone)
		return false;
	return !image_has(witness->image, label) || (witness->compose && is_compose_identity(label->key));
}

static int strip(struct container *container, const struct witness *witness)
{
	size_t kept = 0, taken = 0;
	char **names;

	if (!container->label_count)
		return 0;
	names = calloc(container->label_count + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < container->label_count; i++) {
		struct label *label = &container->labels[i];

		if (is_own(witness, label)) {
			container->labels[kept++] = *label;
			continue;
		}
		free(label->value);
		names[taken++] = label->key;
	}
	container->label_count = kept;
	if (taken)
		container->image_labels = names;
	else
		free(names);
	if (!container_label(container, COMPOSE "project")) {
		free(container->project);
		container->project = NULL;
	}
	if (!container_label(container, COMPOSE "service")) {
		free(container->service);
		container->service = NULL;
	}
	return 0;
}

int container_strip_image(struct container *container, const struct image *image)
{
	bool unknown = false;
	int r;

	for (size_t i = 0; image->gone && i < container->label_count; i++)
		unknown = unknown || !describes_image(container->labels[i].key);
	r = strip(container, &(struct witness) { .image = image, .compose = compose_started(container, image) });
	if (r == 0)
		container->labels_unknown = unknown;
	return r;
}

int container_strip_again(struct container *container, const struct container *before)
{
	int r = strip(container, &(struct witness) { .before = before });

	if (r == 0)
		container->labels_unknown = before->labels_unknown;
	return r;
}
