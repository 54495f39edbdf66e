/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "docker/parse.h"
#include "docker/private.h"
#include "docker/store.h"

#define BACKOFF_MIN_MS		100
#define BACKOFF_MAX_MS		5000
#define OPENING_TIMEOUT_MS	30000	/* for the event stream to begin */
#define SETTLE_MS		1000

void docker_arm(struct event *timer, unsigned int milliseconds)
{
	struct timeval timeout = { .tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000 };

	evtimer_add(timer, &timeout);
}

static void publish(struct docker *docker)
{
	docker->changed = false;
	inventory_index(&docker->inventory);
	docker->callbacks.changed(docker->context, &docker->inventory);
}

void docker_lose(struct docker *docker, const char *problem)
{
	struct error sentence;

	http_abort(docker->http);
	docker_reset_jobs(docker);
	settle_clear(&docker->settling);
	evtimer_del(docker->retry_timer);
	evtimer_del(docker->settle_timer);
	inventory_clear(&docker->next);
	inventory_clear(&docker->held);
	images_forget_names(&docker->images);	/* what happens to names now nobody tells */
	docker->changed = false;
	docker->state = DOCKER_WAITING;
	docker_arm(docker->timer, docker->backoff_ms);
	docker->backoff_ms = docker->backoff_ms * 2 < BACKOFF_MAX_MS ? docker->backoff_ms * 2 : BACKOFF_MAX_MS;
	if (docker->problem_told)
		return;
	docker->problem_told = true;
	error_set(&sentence, 0, "Docker at %s %s: %s. Trying again every %d s or sooner; meanwhile every policy stays in force.",
		  docker->url, docker->was_live ? "stopped answering" : "does not answer", problem, BACKOFF_MAX_MS / 1000);
	docker->callbacks.connected(docker->context, false, sentence.text);
}

static void finish_reading(struct docker *docker)
{
	bool complete = !docker->containers.first && !docker->networks.first;

	for (size_t i = 0; complete && i < docker->network_jobs.count; i++)
		complete = !docker->network_jobs.jobs[i]->first;
	for (size_t i = 0; complete && i < docker->image_jobs.count; i++)
		complete = !docker->image_jobs.jobs[i]->first;
	if (!complete)
		return;
	docker->state = DOCKER_LIVE;
	docker->backoff_ms = BACKOFF_MIN_MS;
	if (docker->was_live)
		docker->statistics.reconnects++;
	docker->was_live = true;
	docker->problem_told = false;
	docker->callbacks.connected(docker->context, true, NULL);
	/* Not before: until changed() is called the old inventory stays valid. */
	inventory_clear(&docker->inventory);
	docker->inventory = docker->next;
	memset(&docker->next, 0, sizeof(docker->next));
	publish(docker);
}

void docker_progress(struct docker *docker)
{
	if (docker->state == DOCKER_READING)
		finish_reading(docker);
	if (docker->state == DOCKER_LIVE && docker->changed)
		publish(docker);
	job_want(&docker->resolvers);
}

/* Between two attempts: something has appeared beside the socket. If it is the socket, there is nothing to wait for. */
static void on_directory(evutil_socket_t fd, short what, void *context)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct docker *docker = context;
	const char *name = strrchr(docker->url, '/') + 1;
	ssize_t n;

	(void)what;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			at += sizeof(*event) + event->len;
			if (!event->len || strcmp(event->name, name) != 0 || docker->state != DOCKER_WAITING)
				continue;
			docker->backoff_ms = BACKOFF_MIN_MS;
			docker_arm(docker->timer, 0);
		}
	}
}

/* Only a help: without it the next attempt comes when its time has come. */
static void watch_directory(struct docker *docker, const char *path)
{
	_cleanup_free_ char *directory = strndup(path, (size_t)(strrchr(path, '/') + 1 - path));

	docker->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (!directory || docker->inotify < 0 || inotify_add_watch(docker->inotify, directory, IN_CREATE | IN_MOVED_TO) < 0)
		return;
	docker->directory = event_new(docker->base, docker->inotify, EV_READ | EV_PERSIST, on_directory, docker);
	if (docker->directory)
		event_add(docker->directory, NULL);
}

static void on_settle(evutil_socket_t fd, short what, void *context)
{
	struct docker *docker = context;

	(void)fd, (void)what;
	for (size_t i = 0; i < docker->settling.count; i++)
		docker_want_container(docker, docker->settling.containers[i].id);
	settle_tick(&docker->settling);
	if (docker->settling.count)
		docker_arm(docker->settle_timer, SETTLE_MS);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	struct docker *docker = context;

	(void)fd, (void)what;
	/* A first request that could not even be sent has no answer that ends the attempt. */
	if (docker->state == DOCKER_ASKING)
		docker_lose(docker, "out of memory");
	else
		docker_retry(docker);
}

/* ---- the event stream ---- */

static void on_opened(void *context)
{
	struct docker *docker = context;

	evtimer_del(docker->timer);
	docker->state = DOCKER_READING;
	docker->containers.first = docker->networks.first = true;
	job_want(&docker->containers);
	job_want(&docker->networks);
}

/* We shall never know what it said. */
static void on_skipped(void *context)
{
	struct docker *docker = context;

	docker->statistics.failures++;
	job_want(&docker->containers);
	job_want(&docker->networks);
}

static void on_closed(void *context, const char *problem)
{
	docker_lose(context, problem);
}

static void container_event(struct docker *docker, struct docker_event *event)
{
	struct container *known = docker_known(docker, event->container_id);
	struct container *told = &event->container;
	bool died = event->has_state && told->state == CONTAINER_CREATED;

	if (event->has_container && !known) {
		docker_admit_event(docker, told);
	} else if (event->has_container) {
		/* Labels and image do not change; the event's may have other attributes among them. */
		if (strcmp(known->name, told->name) != 0) {
			inventory_drop_index(docker_target(docker));
			free(known->name);
			known->name = TAKE_PTR(told->name);
			docker->changed = true;
		}
		if (event->has_state && known->state != told->state) {
			known->state = told->state;
			docker->changed = true;
		}
	}
	if (died) {
		settle_add(&docker->settling, event->container_id);
		if (!evtimer_pending(docker->settle_timer, NULL))
			docker_arm(docker->settle_timer, SETTLE_MS);
		return;
	}
	if (event->has_state)
		settle_drop(&docker->settling, event->container_id);
	docker_want_container(docker, event->container_id);
}

static void attach_event(struct docker *docker, const struct docker_event *event)
{
	const struct inventory *inventory = docker_target(docker);
	struct job *job = job_find(&docker->network_jobs, event->network_id);
	/* Podman names the network, Docker gives its ID. */
	const struct network *named = job ? NULL : inventory_network_named(inventory, event->network_id);

	if (named)
		job = job_find(&docker->network_jobs, named->id);
	if (job)
		job_want(job);
	else if (!store_network(inventory, event->network_id))
		job_want(&docker->networks);
}

static void one_event(struct docker *docker, const char *line, size_t length)
{
	_cleanup_(docker_event_clear) struct docker_event event = { 0 };

	if (!length)
		return;
	docker->statistics.events++;
	if (docker_parse_event(line, length, &event) < 0) {
		docker->statistics.failures++;
		return;
	}
	switch (event.kind) {
	case DOCKER_EVENT_OTHER:
		break;
	case DOCKER_EVENT_CONTAINER:
		container_event(docker, &event);
		break;
	case DOCKER_EVENT_CONTAINER_GONE:
		settle_drop(&docker->settling, event.container_id);
		docker_forget_container(docker, event.container_id);
		/* An answer that is on its way may be older and bring it back. */
		if (docker->containers.in_flight || ids_contain(&docker->asked, event.container_id))
			docker_want_container(docker, event.container_id);
		break;
	case DOCKER_EVENT_NETWORK:
		job_want(&docker->networks);
		break;
	case DOCKER_EVENT_ATTACH:
		attach_event(docker, &event);
		break;
	case DOCKER_EVENT_IMAGE:
		docker_images_changed(docker);
		break;
	}
}

static void on_lines(void *context, const char *text, size_t length)
{
	struct docker *docker = context;
	const char *end = text + length;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		one_event(docker, text, (size_t)(newline - text));
		text = newline + 1;
	}
	docker_progress(docker);
}

int docker_open_stream(struct docker *docker)
{
	static const struct http_stream_callbacks stream = { on_opened, on_lines, on_skipped, on_closed };
	char path[160];

	docker->state = DOCKER_OPENING;
	docker_arm(docker->timer, OPENING_TIMEOUT_MS);
	/* Docker sends the header of the stream before it subscribes; "since" makes it repeat what happens in between. */
	snprintf(path, sizeof(path), "/events?since=%lld&filters=%%7B%%22type%%22%%3A%%5B"
		 "%%22container%%22%%2C%%22network%%22%%2C%%22image%%22%%5D%%7D", (long long)time(NULL));
	return http_stream(docker->http, path, &stream, docker);
}

/* ---- life ---- */

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct docker *docker = context;

	(void)fd, (void)what;
	if (docker->state == DOCKER_WAITING) {
		docker->state = DOCKER_ASKING;
		job_send(&docker->version);
	} else {
		docker_lose(docker, "the event stream does not begin");
	}
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

int docker_new(struct event_base *base, const char *url, const struct docker_callbacks *callbacks, void *context,
	       struct docker **ret, struct error *error)
{
	static const char scheme[] = "unix://";
	struct docker *docker;
	const char *path;

	if (strncmp(url, scheme, strlen(scheme)) != 0 || url[strlen(scheme)] != '/')
		return error_set(error, -EINVAL, "\"%s\" is no address of a Docker socket: write unix:///PATH, e.g. "
				 "unix:///var/run/docker.sock", url);
	path = url + strlen(scheme);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return error_set(error, -EINVAL, "the path of the Docker socket, \"%s\", is too long: at most %zu bytes", path,
				 sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	docker = calloc(1, sizeof(*docker));
	if (!docker)
		return error_set(error, -ENOMEM, "out of memory");
	docker->base = base;
	docker->callbacks = *callbacks;
	docker->context = context;
	docker->backoff_ms = BACKOFF_MIN_MS;
	docker->inotify = -1;
	docker->version = (struct job) { .docker = docker, .kind = JOB_VERSION };
	docker->containers = (struct job) { .docker = docker, .kind = JOB_CONTAINERS };
	docker->networks = (struct job) { .docker = docker, .kind = JOB_NETWORKS };
	docker->batch = (struct job) { .docker = docker, .kind = JOB_BATCH };
	docker->resolvers = (struct job) { .docker = docker, .kind = JOB_RESOLVERS };
	docker->url = strdup(url);
	docker->timer = evtimer_new(base, on_timer, docker);
	docker->retry_timer = evtimer_new(base, on_retry, docker);
	docker->settle_timer = evtimer_new(base, on_settle, docker);
	if (!docker->url || !docker->timer || !docker->retry_timer || !docker->settle_timer ||
	    http_new(base, path, &docker->http) < 0) {
		docker_free(docker);
		return error_set(error, -ENOMEM, "out of memory");
	}
	watch_directory(docker, path);
	docker_arm(docker->timer, 0);
	*ret = docker;
	return 0;
}

void docker_free(struct docker *docker)
{
	if (!docker)
		return;
	http_free(docker->http);
	free_event(docker->timer);
	free_event(docker->retry_timer);
	free_event(docker->settle_timer);
	free_event(docker->directory);
	closep(&docker->inotify);
	docker_free_jobs(docker);
	settle_clear(&docker->settling);
	inventory_clear(&docker->inventory);
	inventory_clear(&docker->next);
	inventory_clear(&docker->held);
	images_clear(&docker->images);
	free(docker->url);
	free(docker);
}

void docker_hint_bridge(struct docker *docker, const char *bridge)
{
	const struct network *network = inventory_network_of_bridge(docker_target(docker), bridge);
	struct job *job = network ? job_find(&docker->network_jobs, network->id) : NULL;

	job_want(job ? job : &docker->networks);
}

void docker_get_statistics(const struct docker *docker, struct docker_statistics *ret)
{
	*ret = docker->statistics;
}
