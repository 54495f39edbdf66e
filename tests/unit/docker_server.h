/* SPDX-License-Identifier: GPL-2.0 */
/* For tests of the Docker client: a server in the same loop that answers what a test tells it to: late, wrong, or not at all. */
#ifndef TESTS_UNIT_DOCKER_SERVER_H
#define TESTS_UNIT_DOCKER_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "docker/docker.h"

#define DEADLINE_SEC	20
#define HELD_MAX	8

#define ID_A	"aaaaaaaaaaaaaaaa"
#define ID_B	"bbbbbbbbbbbbbbbb"
#define NET_1	"1111111111111111"
#define NET_2	"2222222222222222"
#define IMAGE	"2547"

#define CONTAINER(id, name, state) \
	"{\"Id\":\"" id "\",\"Names\":[\"/" name "\"],\"Image\":\"bb\",\"State\":\"" state "\",\"HostConfig\":{\"NetworkMode\":\"dmz\"}}"
#define LABELLED(id, name, state, labels) \
	"{\"Id\":\"" id "\",\"Names\":[\"/" name "\"],\"Image\":\"bb\",\"ImageID\":\"sha256:" IMAGE "\",\"State\":\"" state "\"," \
	"\"HostConfig\":{\"NetworkMode\":\"dmz\"},\"Labels\":{" labels "}}"
#define NETWORK(id, name, containers) \
	"{\"Name\":\"" name "\",\"Id\":\"" id "\",\"Driver\":\"bridge\",\"Containers\":{" containers "}}"
#define ENDPOINT(key, name, address) "\"" key "\":{\"Name\":\"" name "\",\"IPv4Address\":\"" address "/24\"}"
#define EVENT(type, action, id, attributes) \
	"{\"Type\":\"" type "\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" id "\",\"Attributes\":{" attributes "}}}\n"

/* What is asked, and what is answered. A path of the batch is known by its beginning. */
enum route { VERSION, EVENTS, BATCH, CONTAINERS, NETWORKS, DETAIL_1, DETAIL_2, IMAGE_NAME, IMAGE_ID, INSPECT_A, ROUTES };
static const char *const paths[ROUTES] = {
	"/version", "/events?", "/containers/json?all=1&filters=", "/containers/json?all=1", "/networks", "/networks/" NET_1,
	"/networks/" NET_2, "/images/bb/json", "/images/" IMAGE "/json", "/containers/" ID_A "/json",
};

static struct fixture {
	char directory[64], path[80], url[96];
	struct event_base *base;
	struct event *tick;
	struct evhttp *server;
	struct evhttp_request *stream;
	struct {
		const char *body;
		int status;
		bool hold;		/* requests wait for release() */
		unsigned int asked;
		struct evhttp_request *held[HELD_MAX];
		unsigned int held_count;
	} route[ROUTES];
	struct docker *docker;
	unsigned int changed, up, down;
	char inventory[1024], problem[1024];
	const struct inventory *last;
} f;

static void answer(struct evhttp_request *request, enum route route)
{
	struct evbuffer *body = evbuffer_new();

	evbuffer_add_printf(body, "%s", f.route[route].body ? f.route[route].body : "");
	evhttp_send_reply(request, f.route[route].status, "x", body);
	evbuffer_free(body);
}

static void on_request(struct evhttp_request *request, void *context)
{
	const char *uri = evhttp_request_get_uri(request);

	(void)context;
	for (int i = 0; i < ROUTES; i++) {
		bool prefix = i == EVENTS || i == BATCH;

		if (prefix ? strncmp(uri, paths[i], strlen(paths[i])) != 0 : strcmp(uri, paths[i]) != 0)
			continue;
		f.route[i].asked++;
		if (i == EVENTS) {
			if (f.stream)	/* the client has left it: only this frees it */
				evhttp_send_reply_end(f.stream);
			f.stream = request;
			evhttp_send_reply_start(request, 200, "OK");
		} else if (f.route[i].hold) {
			assert_true(f.route[i].held_count < HELD_MAX);
			f.route[i].held[f.route[i].held_count++] = request;
		} else {
			answer(request, (enum route)i);
		}
		return;
	}
	evhttp_send_reply(request, 404, "x", NULL);
}

static void answer_held(enum route route)
{
	for (unsigned int i = 0; i < f.route[route].held_count; i++)
		answer(f.route[route].held[i], route);
	f.route[route].held_count = 0;
}

__attribute__((unused)) static void release(enum route route)
{
	f.route[route].hold = false;
	answer_held(route);
}

static void send_text(const char *text, size_t length)
{
	struct evbuffer *chunk = evbuffer_new();

	assert_non_null(f.stream);
	evbuffer_add(chunk, text, length);
	evhttp_send_reply_chunk(f.stream, chunk);
	evbuffer_free(chunk);
}

static void send_event(const char *text)
{
	send_text(text, strlen(text));
}

static void on_changed(void *context, const struct inventory *inventory)
{
	char *text = f.inventory;
	size_t size = sizeof(f.inventory);

	(void)context;
	f.changed++;
	f.last = inventory;
	*text = '\0';
	for (size_t i = 0; i < inventory->container_count; i++)
		snprintf(text + strlen(text), size - strlen(text), "%s%s ", inventory->containers[i].name,
			 inventory->containers[i].state == CONTAINER_RUNNING ? "+" : "-");
	for (size_t i = 0; i < inventory->network_count; i++)
		snprintf(text + strlen(text), size - strlen(text), "[%s] ", inventory->networks[i].name);
	for (size_t i = 0; i < inventory->attachment_count; i++)
		snprintf(text + strlen(text), size - strlen(text), "%.1s@%.1s ", inventory->attachments[i].container_id,
			 inventory->attachments[i].network_id);
}

static void on_connected(void *context, bool connected, const char *problem)
{
	(void)context;
	if (connected) {
		f.up++;
		return;
	}
	f.down++;
	snprintf(f.problem, sizeof(f.problem), "%s", problem);
}

/* Run the loop until the condition holds. */
#define until(condition) do { \
		time_t deadline_ = time(NULL) + DEADLINE_SEC; \
		while (!(condition)) { \
			if (time(NULL) > deadline_) \
				fail_msg("line %d: never: %s; inventory: %s", __LINE__, #condition, f.inventory); \
			event_base_loop(f.base, EVLOOP_ONCE); \
		} \
	} while (0)

static void until_inventory(const char *want)
{
	until(strcmp(f.inventory, want) == 0);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what, (void)context;
}

static void start_server(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f.path);
	unlink(f.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	f.server = evhttp_new(f.base);
	evhttp_set_gencb(f.server, on_request, NULL);
	assert_int_equal(evhttp_accept_socket(f.server, fd), 0);
}

static void stop_server(void)
{
	/* A request that is never answered is never freed. */
	for (int i = 0; i < ROUTES; i++)
		answer_held((enum route)i);
	if (f.server)
		evhttp_free(f.server);
	f.server = NULL;
	f.stream = NULL;
	unlink(f.path);
}

static void start_client(void)
{
	static const struct docker_callbacks callbacks = { on_changed, on_connected };
	struct error error;

	assert_int_equal(docker_new(f.base, f.url, &callbacks, NULL, &f.docker, &error), 0);
}

static int set_up(void **state)
{
	static const struct timeval interval = { .tv_usec = 20000 };

	(void)state;
	memset(&f, 0, sizeof(f));
	snprintf(f.directory, sizeof(f.directory), "/tmp/test_docker_client.XXXXXX");
	if (!mkdtemp(f.directory))
		return -1;
	snprintf(f.path, sizeof(f.path), "%s/socket", f.directory);
	snprintf(f.url, sizeof(f.url), "unix://%s", f.path);
	f.base = event_base_new();
	f.tick = event_new(f.base, -1, EV_PERSIST, on_tick, NULL);
	event_add(f.tick, &interval);
	for (int i = 0; i < ROUTES; i++)
		f.route[i].status = 200;
	f.route[VERSION].body = f.route[INSPECT_A].body = "{}";
	f.route[IMAGE_NAME].body = f.route[IMAGE_ID].body = "{\"Id\":\"sha256:" IMAGE "\"}";
	f.route[CONTAINERS].body = f.route[BATCH].body = "[" CONTAINER(ID_A, "web", "running") "]";
	f.route[NETWORKS].body = "[" NETWORK(NET_1, "dmz", "") "]";
	f.route[DETAIL_1].body = NETWORK(NET_1, "dmz", ENDPOINT(ID_A, "web", "198.18.0.2"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	docker_free(f.docker);
	stop_server();
	event_free(f.tick);
	event_base_free(f.base);
	rmdir(f.directory);
	return 0;
}

__attribute__((unused)) static void go_live(void)
{
	start_server();
	start_client();
	until_inventory("web+ [dmz] a@1 ");
	assert_int_equal(f.up, 1);
	assert_int_equal(f.down, 0);
	assert_int_equal(f.changed, 1);
	assert_int_equal(f.route[DETAIL_1].asked, 1);
}

__attribute__((unused)) static unsigned long failures(void)
{
	struct docker_statistics statistics;

	docker_get_statistics(f.docker, &statistics);
	return statistics.failures;
}

__attribute__((unused)) static unsigned long events(void)
{
	struct docker_statistics statistics;

	docker_get_statistics(f.docker, &statistics);
	return statistics.events;
}

#endif
