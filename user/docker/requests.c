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

struct job *docker_network_job(const struct docker *docker, const char *network_id)
{
	for (size_t i = 0; i < docker->network_job_count; i++)
		if (strcmp(docker->network_jobs[i]->network_id, network_id) == 0)
			return docker->network_jobs[i];
	return NULL;
}

static struct job *add_network_job(struct docker *docker, const char *network_id)
{
	struct job **grown = realloc(docker->network_jobs, (docker->network_job_count + 1) * sizeof(struct job *)), *job;

	if (!grown)
		return NULL;
	docker->network_jobs = grown;
	job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->network_id = strdup(network_id);
	if (!job->network_id) {
		free(job);
		return NULL;
	}
	job->docker = docker;
	job->kind = JOB_NETWORK;
	docker->network_jobs[docker->network_job_count++] = job;
	return job;
}

static void free_job(struct job *job)
{
	free(job->network_id);
	free(job);
}

static void drop_gone_jobs(struct docker *docker)
{
	size_t kept = 0;

	for (size_t i = 0; i < docker->network_job_count; i++) {
		struct job *job = docker->network_jobs[i];

		if (job->gone && !job->in_flight)
			free_job(job);
		else
			docker->network_jobs[kept++] = job;
	}
	docker->network_job_count = kept;
}

/* Containers that are attached to the network and that no list has shown. */
static void want_unknown_containers(struct docker *docker, const char *network_id)
{
	size_t count;
	struct attachment *attachments = store_attachments(docker_target(docker), network_id, &count);

	for (size_t i = 0; i < count; i++)
		if (!store_container(docker_target(docker), attachments[i].container_id))
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
	store_set_containers(docker_target(docker), containers, count, &docker->changed);
	for (size_t i = 0; i < docker->network_job_count; i++)
		want_unknown_containers(docker, docker->network_jobs[i]->network_id);
	return 0;
}

/* A container that does not run has no business on a network: Podman does not report that it left. */
static void want_networks_of(struct docker *docker, const char *container_id)
{
	const struct inventory *inventory = docker_target(docker);

	for (size_t i = 0; i < inventory->attachment_count; i++) {
		struct job *job = NULL;

		if (strcmp(inventory->attachments[i].container_id, container_id) == 0)
			job = docker_network_job(docker, inventory->attachments[i].network_id);
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
			store_remove_container(docker_target(docker), id, &docker->changed);
		}
	}
	for (size_t i = 0; i < list.container_count; i++) {
		struct container *container = &list.containers[i];

		settle(&docker->settling, container);
		if (container->state != CONTAINER_RUNNING)
			want_networks_of(docker, container->id);
		r = store_put_container(docker_target(docker), container, &docker->changed);
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
	for (size_t i = 0; i < docker->network_job_count; i++)
		docker->network_jobs[i]->gone = true;
	/* An unchanged list must stay silent: the reconciler hints again as long as a bridge is unknown to it. */
	store_set_networks(docker_target(docker), networks, count, &docker->changed);
	networks = docker_target(docker)->networks;
	for (size_t i = 0; i < count; i++) {
		struct job *network;

		if (!networks[i].bridge)
			continue;
		network = docker_network_job(docker, networks[i].id);
		if (network) {
			network->gone = false;
			if (docker->state == DOCKER_LIVE)
				continue;	/* its own events keep it up to date */
		} else {
			network = add_network_job(docker, networks[i].id);
		}
		if (!network)
			return -ENOMEM;
		network->first = docker->state == DOCKER_READING;
		job_want(network);
	}
	for (size_t i = 0; i < docker->network_job_count; i++)
		if (docker->network_jobs[i]->gone)
			docker->network_jobs[i]->first = docker->network_jobs[i]->again = docker->network_jobs[i]->failed = false;
	drop_gone_jobs(docker);
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
		const char *id = NULL;
		char *copy;

		if (attachment->container_id[0] != '/') {
			attachments[kept++] = *attachment;
			continue;
		}
		for (size_t k = 0; !id && k < inventory->container_count; k++)
			if (strcmp(inventory->containers[k].name, attachment->container_id + 1) == 0)
				id = inventory->containers[k].id;
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
		store_remove_network(inventory, job->network_id, &docker->changed);
		job->gone = true;
		job->again = false;
		return 0;
	}
	r = docker_parse_network(answer->body, answer->length, &network, &list.attachments, &list.attachment_count);
	if (r < 0)
		return r;
	if (strcmp(network.id, job->network_id) != 0)
		return -EINVAL;
	network.asked_ns = job->asked_ns;
	if ((r = resolve_names(docker, list.attachments, &list.attachment_count)) < 0 ||
	    (r = store_put_network(inventory, &network, &docker->changed)) < 0 ||
	    (r = store_put_attachments(inventory, job->network_id, list.attachments, list.attachment_count, &docker->changed)) < 0)
		return r;
	/* They belong to the inventory now. */
	list.attachments = NULL;
	list.attachment_count = 0;
	/* A full list that is under way will look for unknown ones itself. */
	if (!docker->containers.in_flight)
		want_unknown_containers(docker, job->network_id);
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
	return asprintf(ret, "/networks/%s", job->network_id);
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
	bool may_be_missing;
} kinds[] = {
	[JOB_VERSION] = { "GET /version", version_target, version_answered, false },
	[JOB_CONTAINERS] = { "GET /containers/json", containers_target, containers_answered, false },
	[JOB_NETWORKS] = { "GET /networks", networks_target, networks_answered, false },
	[JOB_NETWORK] = { "GET /networks/ID", network_target, network_answered, true },
	[JOB_BATCH] = { "GET /containers/json", batch_target, batch_answered, false },
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
	if (answer->status != 200 && !(answer->status == 404 && kinds[job->kind].may_be_missing))
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

	job->in_flight = false;
	if (use_answer(docker, job, answer, &error) < 0) {
		docker->statistics.failures++;
		if (docker->state != DOCKER_LIVE) {
			docker_lose(docker, error.text);
			return;
		}
		/* The old inventory stands; the stream lives. */
		job->failed = true;
		docker_arm(docker->retry_timer, RETRY_MS);
	} else {
		job->first = job->failed = false;
	}
	if (job->again && !job->failed) {
		job->again = false;
		job_want(job);
	}
	drop_gone_jobs(docker);	/* perhaps this one: not to be touched below */
	if (!docker->batch.failed)
		job_want(&docker->batch);
	docker_progress(docker);
}

void job_send(struct job *job)
{
	struct docker *docker = job->docker;
	_cleanup_free_ char *path = NULL;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	job->asked_ns = (uint64_t)now.tv_sec * 1000000000ull + now.tv_nsec;
	if (kinds[job->kind].target(job, &path) < 0) {
		path = NULL;	/* asprintf leaves it undefined */
	} else if (http_get(docker->http, path, on_answer, job) == 0) {
		job->in_flight = true;
		docker->statistics.requests++;
		return;
	}
	docker->statistics.failures++;
	job->failed = true;
	docker_arm(docker->retry_timer, RETRY_MS);
}

void job_want(struct job *job)
{
	struct docker *docker = job->docker;

	if (docker->state != DOCKER_READING && docker->state != DOCKER_LIVE)
		return;
	if (job->kind == JOB_BATCH && !batch_is_due(docker))
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

void docker_retry(struct docker *docker)
{
	retry(&docker->containers);
	retry(&docker->networks);
	retry(&docker->batch);
	for (size_t i = 0; i < docker->network_job_count; i++)
		retry(docker->network_jobs[i]);
}

void docker_reset_jobs(struct docker *docker)
{
	job_reset(&docker->version);
	job_reset(&docker->containers);
	job_reset(&docker->networks);
	job_reset(&docker->batch);
	for (size_t i = 0; i < docker->network_job_count; i++)
		job_reset(docker->network_jobs[i]);
	drop_gone_jobs(docker);
	ids_clear(&docker->pending);
	ids_clear(&docker->asked);
}

void docker_free_jobs(struct docker *docker)
{
	for (size_t i = 0; i < docker->network_job_count; i++)
		free_job(docker->network_jobs[i]);
	free(docker->network_jobs);
	ids_clear(&docker->pending);
	ids_clear(&docker->asked);
}
