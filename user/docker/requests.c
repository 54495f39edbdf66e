/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "docker/parse.h"
#include "docker/private.h"
#include "docker/store.h"

#define RETRY_MS	5000	/* a request that failed while the stream lives */
#define BATCH_MAX	64	/* containers asked for at once: keeps the request line short */
#define PENDING_MAX	512	/* beyond it the whole list is cheaper */

void docker_want_container(struct docker *docker, const char *id)
{
	if (docker->pending.count >= PENDING_MAX) {
		job_want(&docker->containers);
		return;
	}
	if (ids_add(&docker->pending, id) == 0)
		job_want(&docker->batch);
}

static void job_reset(struct job *job)
{
	job->in_flight = job->again = job->first = job->failed = false;
}

struct job *job_find(const struct job_list *list, const char *key)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->jobs[i]->key, key) == 0)
			return list->jobs[i];
	return NULL;
}

struct job *job_add(struct docker *docker, struct job_list *list, enum job_kind kind, const char *key)
{
	struct job **grown = realloc(list->jobs, (list->count + 1) * sizeof(struct job *)), *job;

	if (!grown)
		return NULL;
	list->jobs = grown;
	job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->key = strdup(key);
	if (!job->key) {
		free(job);
		return NULL;
	}
	job->docker = docker;
	job->kind = kind;
	list->jobs[list->count++] = job;
	return job;
}

static void free_job(struct job *job)
{
	free(job->key);
	free(job);
}

static void drop_gone_jobs(struct job_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct job *job = list->jobs[i];

		if (job->gone && !job->in_flight)
			free_job(job);
		else
			list->jobs[kept++] = job;
	}
	list->count = kept;
}

static void free_jobs(struct job_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free_job(list->jobs[i]);
	free(list->jobs);
	memset(list, 0, sizeof(*list));
}

/* Containers that are attached to the network and that no list has shown. */
static void want_unknown_containers(struct docker *docker, const char *network_id)
{
	size_t count;
	struct attachment *attachments = store_attachments(docker_target(docker), network_id, &count);

	for (size_t i = 0; i < count; i++)
		if (!docker_known(docker, attachments[i].container_id))
			docker_want_container(docker, attachments[i].container_id);
}

static int containers_answered(struct docker *docker, struct job *job, const struct http_answer *answer)
{
	struct container *containers;
	size_t count;
	int r;

	(void)job;
	r = docker_parse_containers(answer->body, answer->length, &containers, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		settle(&docker->settling, &containers[i]);
	r = docker_admit_list(docker, containers, count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < docker->network_jobs.count; i++)
		want_unknown_containers(docker, docker->network_jobs.jobs[i]->key);
	return 0;
}

/* A container that does not run has no business on a network: Podman does not report that it left. */
static void want_networks_of(struct docker *docker, const char *container_id)
{
	const struct inventory *inventory = docker_target(docker);

	for (size_t i = 0; i < inventory->attachment_count; i++) {
		struct job *job = NULL;

		if (strcmp(inventory->attachments[i].container_id, container_id) == 0)
			job = job_find(&docker->network_jobs, inventory->attachments[i].network_id);
		if (job)
			job_want(job);
	}
}

static int batch_answered(struct docker *docker, struct job *job, const struct http_answer *answer)
{
	_cleanup_(inventory_clear) struct inventory list = { 0 };
	int r;

	(void)job;
	r = docker_parse_containers(answer->body, answer->length, &list.containers, &list.container_count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < docker->asked.count; i++) {
		const char *id = docker->asked.ids[i];
		bool found = false;

		for (size_t k = 0; !found && k < list.container_count; k++)
			found = strcmp(list.containers[k].id, id) == 0;
		if (!found) {
			settle_drop(&docker->settling, id);
			docker_forget_container(docker, id);
		}
	}
	for (size_t i = 0; i < list.container_count; i++) {
		struct container *container = &list.containers[i];

		settle(&docker->settling, container);
		if (container->state != CONTAINER_RUNNING)
			want_networks_of(docker, container->id);
		r = docker_admit(docker, container);
		if (r < 0)
			return r;
	}
	ids_clear(&docker->asked);
	return 0;
}

static int networks_answered(struct docker *docker, struct job *job, const struct http_answer *answer)
{
	struct network *networks;
	size_t count;
	int r;

	(void)job;
	r = docker_parse_networks(answer->body, answer->length, &networks, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < docker->network_jobs.count; i++)
		docker->network_jobs.jobs[i]->gone = true;
	/* An unchanged list must stay silent: the reconciler hints again as long as a bridge is unknown to it. */
	store_set_networks(docker_target(docker), networks, count, &docker->changed);
	networks = docker_target(docker)->networks;
	for (size_t i = 0; i < count; i++) {
		struct job *network;

		if (!networks[i].bridge)
			continue;
		network = job_find(&docker->network_jobs, networks[i].id);
		if (network) {
			network->gone = false;
			if (docker->state == DOCKER_LIVE)
				continue;	/* its own events keep it up to date */
		} else {
			network = job_add(docker, &docker->network_jobs, JOB_NETWORK, networks[i].id);
		}
		if (!network)
			return -ENOMEM;
		network->first = docker->state == DOCKER_READING;
		job_want(network);
	}
	for (size_t i = 0; i < docker->network_jobs.count; i++) {
		struct job *gone = docker->network_jobs.jobs[i];

		if (gone->gone)
			gone->first = gone->again = gone->failed = false;
	}
	drop_gone_jobs(&docker->network_jobs);
	return 0;
}

/* "/NAME" to the ID of the container that has the name. What cannot be resolved, or has the ID already, is left out. */
static int resolve_names(struct docker *docker, struct attachment *attachments, size_t *count)
{
	const struct inventory *inventory = docker_target(docker);
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < *count; i++) {
		struct attachment *attachment = &attachments[i];
		const struct container *named;
		const char *id;
		char *copy;

		if (attachment->container_id[0] != '/') {
			attachments[kept++] = *attachment;
			continue;
		}
		named = inventory_container_named(inventory, attachment->container_id + 1);
		if (!named)
			named = inventory_container_named(&docker->held, attachment->container_id + 1);
		id = named ? named->id : NULL;
		for (size_t k = 0; id && k < *count; k++)
			if (k != i && attachments[k].container_id && strcmp(attachments[k].container_id, id) == 0)
				id = NULL;
		copy = id ? strdup(id) : NULL;
		if (id && !copy)
			r = -ENOMEM;
		if (!copy) {
			attachment_clear(attachment);
			continue;
		}
		free(attachment->container_id);
		attachment->container_id = copy;
		attachments[kept++] = *attachment;
	}
	*count = kept;
	return r;
}

static int network_answered(struct docker *docker, struct job *job, const struct http_answer *answer)
{
	_cleanup_(inventory_clear) struct inventory list = { 0 };
	_cleanup_(network_clear) struct network network = { 0 };
	struct inventory *inventory = docker_target(docker);
	int r;

	/* It can go between the list and this; also while the answer is on its way. */
	if (answer->status == 404 || job->gone) {
		store_remove_network(inventory, job->key, &docker->changed);
		job->gone = true;
		job->again = false;
		return 0;
	}
	r = docker_parse_network(answer->body, answer->length, &network, &list.attachments, &list.attachment_count);
	if (r < 0)
		return r;
	if (strcmp(network.id, job->key) != 0)
		return -EINVAL;
	network.asked_ns = job->asked_ns;
	if ((r = resolve_names(docker, list.attachments, &list.attachment_count)) < 0 ||
	    (r = store_put_network(inventory, &network, &docker->changed)) < 0 ||
	    (r = store_put_attachments(inventory, job->key, list.attachments, list.attachment_count, &docker->changed)) < 0)
		return r;
	/* They belong to the inventory now. */
	list.attachments = NULL;
	list.attachment_count = 0;
	/* A full list that is under way will look for unknown ones itself. */
	if (!docker->containers.in_flight)
		want_unknown_containers(docker, job->key);
	return 0;
}

static int version_answered(struct docker *docker, struct job *job, const struct http_answer *answer)
{
	(void)job, (void)answer;
	return docker_open_stream(docker);
}

static int version_target(const struct job *job, char **ret)
{
	(void)job;
	return asprintf(ret, "/version");
}

static int containers_target(const struct job *job, char **ret)
{
	(void)job;
	return asprintf(ret, "/containers/json?all=1");
}

static int networks_target(const struct job *job, char **ret)
{
	(void)job;
	return asprintf(ret, "/networks");
}

static int network_target(const struct job *job, char **ret)
{
	return asprintf(ret, "/networks/%s", job->key);
}

static int image_target(const struct job *job, char **ret)
{
	return asprintf(ret, "/images/%s/json", job->key);
}

static int resolvers_target(const struct job *job, char **ret)
{
	return asprintf(ret, "/containers/%s/json", job->key);
}

/* {"id":["...","..."]}, percent-encoded; IDs are hex digits. */
static int batch_target(const struct job *job, char **ret)
{
	static const char head[] = "/containers/json?all=1&filters=%7B%22id%22%3A%5B", tail[] = "%5D%7D";
	struct docker *docker = job->docker;
	size_t size = sizeof(head) + sizeof(tail), n;
	char *text;

	/* What a failed batch asked for is asked again; more is taken only when it is done. */
	if (!docker->asked.count && ids_move(&docker->pending, &docker->asked, BATCH_MAX) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < docker->asked.count; i++)
		size += strlen(docker->asked.ids[i]) + strlen("%22%22%2C");
	text = malloc(size);
	if (!text)
		return -ENOMEM;
	n = (size_t)snprintf(text, size, "%s", head);
	for (size_t i = 0; i < docker->asked.count; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%%22%s%%22", i ? "%2C" : "", docker->asked.ids[i]);
	snprintf(text + n, size - n, "%s", tail);
	*ret = text;
	return 0;
}

static const struct {
	const char *name;
	int (*target)(const struct job *job, char **ret);
	int (*answered)(struct docker *docker, struct job *job, const struct http_answer *answer);
	enum { MUST_BE_THERE, MAY_BE_MISSING, ANY_STATUS } status;
} kinds[] = {
	[JOB_VERSION] = { "GET /version", version_target, version_answered, MUST_BE_THERE },
	[JOB_CONTAINERS] = { "GET /containers/json", containers_target, containers_answered, MUST_BE_THERE },
	[JOB_NETWORKS] = { "GET /networks", networks_target, networks_answered, MUST_BE_THERE },
	[JOB_NETWORK] = { "GET /networks/ID", network_target, network_answered, MAY_BE_MISSING },
	[JOB_BATCH] = { "GET /containers/json", batch_target, batch_answered, MUST_BE_THERE },
	[JOB_IMAGE] = { "GET /images/NAME/json", image_target, docker_image_answered, ANY_STATUS },
	[JOB_RESOLVERS] = { "GET /containers/ID/json", resolvers_target, docker_resolvers_answered, MAY_BE_MISSING },
};

static bool batch_is_due(const struct docker *docker)
{
	/* After the full list, not beside it: the list would overwrite the newer answer. */
	return !docker->containers.in_flight && (docker->pending.count || docker->asked.count);
}

static int use_answer(struct docker *docker, struct job *job, const struct http_answer *answer, struct error *error)
{
	int r;

	if (!answer->status)
		return error_set(error, -EIO, "%s", answer->problem);
	if (answer->status != 200 && kinds[job->kind].status != ANY_STATUS &&
	    !(answer->status == 404 && kinds[job->kind].status == MAY_BE_MISSING))
		return error_set(error, -EIO, "the answer to %s has status %ld (%.*s)", kinds[job->kind].name, answer->status,
				 (int)strcspn(answer->body, "\r\n"), answer->body);
	r = kinds[job->kind].answered(docker, job, answer);
	if (r == -ENOMEM)
		return error_set(error, r, "out of memory");
	if (r < 0)
		return error_set(error, r, "the answer to %s cannot be understood", kinds[job->kind].name);
	return 0;
}

static void on_answer(void *context, const struct http_answer *answer)
{
	struct job *job = context;
	struct docker *docker = job->docker;
	struct error error;

	job->in_flight = job->first = job->failed = false;
	if (use_answer(docker, job, answer, &error) < 0) {
		job_fail(job);
		if (docker->state != DOCKER_LIVE) {
			docker_lose(docker, error.text);
			return;
		}
		/* The old inventory stands; the stream lives. */
	}
	if (job->again && !job->failed) {
		job->again = false;
		job_want(job);
	}
	drop_gone_jobs(&docker->network_jobs);	/* perhaps this one: not to be touched below */
	drop_gone_jobs(&docker->image_jobs);
	if (!docker->batch.failed)
		job_want(&docker->batch);
	docker_progress(docker);
}

void job_fail(struct job *job)
{
	job->docker->statistics.failures++;
	job->failed = true;
	docker_arm(job->docker->retry_timer, RETRY_MS);
}

void job_send(struct job *job)
{
	struct docker *docker = job->docker;
	_cleanup_free_ char *path = NULL;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	job->asked_ns = (uint64_t)now.tv_sec * 1000000000ull + now.tv_nsec;
	job->renamed = docker->renamed;
	if (kinds[job->kind].target(job, &path) < 0) {
		path = NULL;	/* asprintf leaves it undefined */
	} else if (http_get(docker->http, path, on_answer, job) == 0) {
		job->in_flight = true;
		docker->statistics.requests++;
		return;
	}
	job_fail(job);
}

void job_want(struct job *job)
{
	struct docker *docker = job->docker;

	if (docker->state != DOCKER_READING && docker->state != DOCKER_LIVE)
		return;
	if ((job->kind == JOB_BATCH && !batch_is_due(docker)) || (job->kind == JOB_RESOLVERS && !docker_resolvers_are_due(docker)))
		return;
	if (job->in_flight)
		job->again = true;
	else
		job_send(job);
}

static void retry(struct job *job)
{
	if (!job->failed)
		return;
	job->failed = false;
	job_want(job);
}

static void retry_all(const struct job_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		retry(list->jobs[i]);
}

void docker_retry(struct docker *docker)
{
	retry(&docker->containers);
	retry(&docker->networks);
	retry(&docker->batch);
	retry(&docker->resolvers);
	retry_all(&docker->network_jobs);
	retry_all(&docker->image_jobs);
}

void docker_reset_jobs(struct docker *docker)
{
	job_reset(&docker->version);
	job_reset(&docker->containers);
	job_reset(&docker->networks);
	job_reset(&docker->batch);
	job_reset(&docker->resolvers);
	for (size_t i = 0; i < docker->network_jobs.count; i++)
		job_reset(docker->network_jobs.jobs[i]);
	drop_gone_jobs(&docker->network_jobs);
	free_jobs(&docker->image_jobs);	/* the next reading knows which are missing */
	ids_clear(&docker->pending);
	ids_clear(&docker->asked);
}

void docker_free_jobs(struct docker *docker)
{
	free_jobs(&docker->network_jobs);
	free_jobs(&docker->image_jobs);
	free(docker->resolvers.key);
	ids_clear(&docker->pending);
	ids_clear(&docker->asked);
}
