/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which containers may be shown, and with which labels.
 *
 * A container whose image's labels are not known is not shown at all: with the image's labels it could pass for another one, and
 * without any it could escape a policy. Its interface stays pending meanwhile, which denies. So that nothing waits longer than
 * it must, the image is asked for with the first word of it: by ID when a list names it, by name when `create` does, beside the
 * request that reads the container. An image is asked for once; a second container of it waits for nothing.
 *
 * What an event tells is shown when the image's name is known; the name could have moved to another image in the very moment
 * of the event, and therefore the list, which has the ID, is asked all the same and has the last word.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/printable.h"
#include "docker/parse.h"
#include "docker/private.h"
#include "docker/store.h"

#define KEY_MAX		512	/* bytes of an image's name that is put into a request */
#define TOLD_SIZE	400	/* bytes of labels' names in a log line */

struct container *docker_known(const struct docker *docker, const char *id)
{
	struct container *container = store_container(docker->state == DOCKER_READING ? &docker->next : &docker->inventory, id);

	return container ? container : store_container(&docker->held, id);
}

void docker_forget_container(struct docker *docker, const char *id)
{
	bool ignored;

	store_remove_container(docker_target(docker), id, &docker->changed);
	store_remove_container(&docker->held, id, &ignored);
}

/* ---- asking for images ---- */

/* Into the path of a request goes only what a reference is made of. */
static bool is_reference(const char *key)
{
	size_t length = strlen(key);

	for (const char *c = key; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-/:@", *c))
			return false;
	return length && length <= KEY_MAX && *key != '/' && !strstr(key, "..");
}

static struct job *image_job(const struct docker *docker, const char *key)
{
	for (size_t i = 0; i < docker->image_jobs.count; i++)
		if (!docker->image_jobs.jobs[i]->gone && strcmp(docker->image_jobs.jobs[i]->key, key) == 0)
			return docker->image_jobs.jobs[i];
	return NULL;
}

static int want_image(struct docker *docker, const char *key)
{
	struct job *job;

	if (image_job(docker, key))
		return 0;
	job = job_add(docker, &docker->image_jobs, JOB_IMAGE, key);
	if (!job)
		return -ENOMEM;
	job->first = docker->state == DOCKER_READING;
	job_want(job);
	return 0;
}

/* For a container that is held. If its image is being asked for by name, that is likely to be the answer. */
static int want_image_of(struct docker *docker, const struct container *container)
{
	const struct job *by_name = image_job(docker, container->image);

	if (!is_reference(container->image_id))
		return images_put(&docker->images, container->image_id, NULL, 0, true);
	return by_name && by_name->in_flight ? 0 : want_image(docker, container->image_id);
}

void docker_images_changed(struct docker *docker)
{
	docker->renamed++;
	images_forget_names(&docker->images);
	for (size_t i = 0; i < docker->images.count; i++)
		if (docker->images.images[i].gone)
			want_image(docker, docker->images.images[i].id);
}

/* ---- showing and holding ---- */

static void tell_claims(struct image *image, const struct container *container)
{
	char name[128], label[128], list[TOLD_SIZE] = "";

	for (char *const *key = container->image_labels; !image->told && key && *key; key++)
		if (label_is_claim(*key) && strlen(list) + sizeof(label) < sizeof(list))
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? ", " : "",
				 printable_copy(*key, label, sizeof(label)));
	if (!*list)
		return;
	image->told = true;
	log_warning("the image %s claims %s: ignored, because whoever builds an image could write that. What is given to the container "
		    "itself counts (docker run --label, or labels: in a compose file).",
		    printable_copy(container->image, name, sizeof(name)), list);
}

static void tell_gone(struct image *image, const struct container *container)
{
	char name[128], own[128];

	if (image->told || !container->labels_unknown)
		return;
	image->told = true;
	log_warning("the image %s of the container %s is gone or cannot be read: which labels are the container's own cannot be known, so "
		    "none of them counts and it is denied. Make the container anew, or bring the image back.",
		    printable_copy(container->image, name, sizeof(name)), printable_copy(container->name, own, sizeof(own)));
}

static const struct container *earlier(const struct docker *docker, const char *id)
{
	const struct container *old = docker->state == DOCKER_READING ? store_container(&docker->next, id) : NULL;

	return old ? old : store_container(&docker->inventory, id);
}

static int take_resolvers(struct container *container, const struct container *old)
{
	size_t size = old->resolver_count * sizeof(*old->resolvers);

	if (size && !container->resolvers) {
		container->resolvers = malloc(size);
		if (!container->resolvers)
			return -ENOMEM;
		memcpy(container->resolvers, old->resolvers, size);
		container->resolver_count = old->resolver_count;
	}
	container->resolvers_known = old->resolvers_known;
	return 0;
}

/* Take from it what is its image's. 1: it may be shown, 0: its image is not known. */
static int prepare(struct docker *docker, struct container *container)
{
	const struct container *old = earlier(docker, container->id);
	struct image *image;
	int r;

	r = old ? take_resolvers(container, old) : 0;
	if (r < 0)
		return r;
	if (!container->label_count || (container->image_id && !*container->image_id))
		return 1;
	image = images_find(&docker->images, container->image_id ? container->image_id : container->image);
	if (image && !image->gone) {
		r = container_strip_image(container, image);
		if (r == 0)
			tell_claims(image, container);
	} else if (old && old->image_id && container->image_id && strcmp(old->image_id, container->image_id) == 0 && !old->labels_unknown) {
		r = container_strip_again(container, old);
	} else if (image) {
		r = container_strip_image(container, image);
		if (r == 0)
			tell_gone(image, container);
	} else {
		return 0;
	}
	return r < 0 ? r : 1;
}

/* Show what can be shown now, ask for what is missing. */
static int release_held(struct docker *docker)
{
	struct inventory *held = &docker->held;

	for (size_t i = 0; i < held->container_count;) {
		struct container *container = &held->containers[i];
		int r = prepare(docker, container);

		if (r > 0)
			r = store_put_container(docker_target(docker), container, &docker->changed);
		else if (r == 0 && (r = want_image_of(docker, container)) == 0 &&
			 !images_find(&docker->images, container->image_id)) {
			i++;
			continue;
		} else if (r == 0) {
			continue;	/* nobody needs to be asked about it */
		}
		if (r < 0)
			return r;
		held->container_count--;
		memmove(container, container + 1, (held->container_count - i) * sizeof(*container));
	}
	return 0;
}

int docker_admit(struct docker *docker, struct container *container)
{
	int r = prepare(docker, container);
	bool ignored;

	if (r < 0)
		return r;
	if (r > 0) {
		store_remove_container(&docker->held, container->id, &ignored);
		return store_put_container(docker_target(docker), container, &docker->changed);
	}
	r = store_put_container(&docker->held, container, &ignored);
	return r < 0 ? r : release_held(docker);
}

int docker_admit_list(struct docker *docker, struct container *containers, size_t count)
{
	struct inventory list = { .containers = containers, .container_count = count };
	size_t shown = 0;
	bool ignored;
	int r = 0;

	inventory_clear(&docker->held);
	for (size_t i = 0; i < count && r >= 0; i++) {
		struct container container = containers[i];

		memset(&containers[i], 0, sizeof(containers[i]));
		r = prepare(docker, &container);
		if (r == 0)
			r = store_put_container(&docker->held, &container, &ignored);
		else if (r > 0)
			containers[shown++] = container;
		if (r < 0)
			container_clear(&container);
	}
	if (r < 0) {
		inventory_clear(&list);
		return r;
	}
	store_set_containers(docker_target(docker), containers, shown, &docker->changed);
	return release_held(docker);
}

int docker_admit_event(struct docker *docker, struct container *container)
{
	int r = prepare(docker, container);

	if (r > 0)
		return store_put_container(docker_target(docker), container, &docker->changed);
	return r == 0 && is_reference(container->image) ? want_image(docker, container->image) : r;
}

/* ---- answers ---- */

static bool has_image(const struct inventory *inventory, const char *image_id)
{
	for (size_t i = 0; i < inventory->container_count; i++)
		if (inventory->containers[i].image_id && strcmp(inventory->containers[i].image_id, image_id) == 0)
			return true;
	return false;
}

/*
 * An image that cannot be read must not keep everything else from being shown, so other failures than silence are as if it were
 * gone, but for a further try.
 */
int docker_image_answered(struct docker *docker, struct job *job, const struct http_answer *answer)
{
	const struct image *known = images_find(&docker->images, job->key);
	bool was_gone = known && known->gone;
	_cleanup_free_ char *id = NULL;
	struct label *labels = NULL;
	size_t count = 0;
	int r;

	r = answer->status == 200 ? docker_parse_image(answer->body, answer->length, &id, &labels, &count) : -ENOENT;
	if (r == -ENOMEM)
		return r;
	if (r == 0) {
		r = images_put(&docker->images, id, labels, count, false);
		if (r < 0) {
			labels_free(labels, count);
			return r;
		}
		/* Not if the name may have been given to another image since it was asked for. */
		if (strcmp(job->key, id) != 0 && job->renamed == docker->renamed &&
		    (r = images_put_name(&docker->images, job->key, id)) < 0)
			return r;
		if (was_gone)
			job_want(&docker->containers);
	} else if (has_image(&docker->held, job->key) || has_image(docker_target(docker), job->key)) {
		r = images_put(&docker->images, job->key, NULL, 0, true);
		if (r < 0)
			return r;
		if (answer->status != 404)
			job_fail(job);
	}
	job->gone = !job->failed;
	return release_held(docker);
}

/* Others have no resolvers of their own, or no packets that we see. */
static bool has_own_network(const struct container *container)
{
	const char *mode = container->network_mode ? container->network_mode : "";

	return strcmp(mode, "host") != 0 && strcmp(mode, "none") != 0 && strncmp(mode, "container:", strlen("container:")) != 0;
}

/*
 * Inspecting waits for a lock that the engine holds while a container starts. So only one that the list shows as running is asked
 * for, one at a time, each once; and a slow one keeps nobody but the next of these waiting.
 */
bool docker_resolvers_are_due(struct docker *docker)
{
	struct job *job = &docker->resolvers;
	const struct inventory *inventory = &docker->inventory;
	size_t after = 0;

	if (docker->state != DOCKER_LIVE || job->in_flight || job->failed)
		return false;
	/* Behind the last one, so that one that fails does not hold up the others. */
	while (job->key && after < inventory->container_count && strcmp(inventory->containers[after].id, job->key) <= 0)
		after++;
	for (size_t i = 0; i < inventory->container_count; i++) {
		const struct container *container = &inventory->containers[(after + i) % inventory->container_count];
		char *key;

		if (container->state != CONTAINER_RUNNING || container->resolvers_known || !container->image_id ||
		    !has_own_network(container) || !is_reference(container->id))
			continue;
		key = strdup(container->id);
		if (!key)
			return false;
		free(job->key);
		job->key = key;
		return true;
	}
	return false;
}

int docker_resolvers_answered(struct docker *docker, struct job *job, const struct http_answer *answer)
{
	struct container *container = store_container(&docker->inventory, job->key);
	struct dnet_addr *resolvers = NULL;
	size_t count = 0;
	int r;

	r = answer->status == 200 ? docker_parse_resolvers(answer->body, answer->length, &resolvers, &count) : 0;
	if (r < 0)
		return r;
	if (!container) {
		free(resolvers);
		return 0;
	}
	free(container->resolvers);
	container->resolvers = resolvers;
	container->resolver_count = count;
	container->resolvers_known = true;
	docker->changed |= count > 0;
	return 0;
}
