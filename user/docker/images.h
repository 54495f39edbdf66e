/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whose labels are they? Docker shows a container's labels with its image's among them, and whoever builds an image can write
 * anything there. So the labels of images are remembered, by ID, and what a container has from its image is taken from it:
 * it is nobody's policy, and no selector and no peer matches it. Pure.
 */
#ifndef DNETBPF_DOCKER_IMAGES_H
#define DNETBPF_DOCKER_IMAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "model/inventory.h"

#define IMAGES_MAX 512	/* remembered; beyond it the oldest are forgotten, and asked for again for a next container */

struct image {
	char *id;		/* as container.image_id */
	struct label *labels;	/* sorted by key */
	size_t label_count;
	bool gone;		/* the engine does not have it any more, or cannot read it: what labels it had nobody knows */
	bool told;		/* that it claims what is not its business; for who logs it */
};

/* What an image was called when it was asked for. */
struct image_name {
	char *name, *id;
};

struct images {
	struct image *images;	/* the oldest first */
	size_t count;
	struct image_name *names;
	size_t name_count;
};

void images_clear(struct images *images);
/* By its ID or by a name that it has. */
struct image *images_find(const struct images *images, const char *key);
/* Add or replace. @labels are taken over on success. 0 or -ENOMEM. */
int images_put(struct images *images, const char *id, struct label *labels, size_t count, bool gone);
int images_put_name(struct images *images, const char *name, const char *id);
/* A name can be given to another image: to be called when that may have happened. */
void images_forget_names(struct images *images);

/*
 * Take from the container the labels that are its image's, key and value; their names go to image_labels. One that was given to
 * the container with another value is the container's own.
 *
 * Compose writes com.docker.compose.project, .service and .version to the images that it builds as well as to the containers
 * that it starts: they stay when Compose started this container, which shows by com.docker.compose.config-hash. Compose
 * gives that to every container and to no image; one that is the image's own claim proves nothing.
 *
 * Of an image that is gone nobody knows the labels. Then the container keeps none: to match by what may be the image's would
 * give rights away, and not to match could open what a policy selects by it; hence labels_unknown, which denies. Only labels
 * that describe images by convention do not have this effect, they are ignored alone.
 *
 * 0 or -ENOMEM, then the container is unchanged.
 */
int container_strip_image(struct container *container, const struct image *image);
/* The same by what was found earlier for the same container: labels never change. */
int container_strip_again(struct container *container, const struct container *before);

/* Is that a label that dnetbpf would act upon: dnetbpf.*, com.docker.compose.*? An image that has it claims something. */
bool label_is_claim(const char *key);

#endif
