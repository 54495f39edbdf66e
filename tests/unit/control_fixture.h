/* SPDX-License-Identifier: GPL-2.0 */
/* A real server in a thread of its own, on a unix socket in a temporary directory, and a metrics listener; raw HTTP clients. */
#ifndef DNETBPF_TESTS_CONTROL_FIXTURE_H
#define DNETBPF_TESTS_CONTROL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/client.h"
#include "control/event_stream.h"
#include "control/server.h"

#define DEADLINE_MS 20000

struct fixture {
	char directory[64], socket[128];
	unsigned short port;		/* of the metrics listener */
	pthread_t thread;
	struct event_base *base;
	struct history *history;
	struct control_server *server;
	struct metrics_server *metrics;
	uint32_t added;
	bool running;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

__attribute__((unused)) static void rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

/* Routes. They run in the loop's thread, so they may touch the history. */

static int handle_echo(void *context, const json_t *request, json_t **ret_body, struct error *error)
{
	(void)context, (void)error;
	*ret_body = json_pack("{s:O?}", "request", request);
	return 0;
}

static int handle_fail(void *context, const json_t *request, json_t **ret_body, struct error *error)
{
	int code = (int)json_integer_value(json_object_get(request, "code"));

	(void)context, (void)ret_body;
	return error_set(error, code, "sentence of %d", code);
}

static int handle_add(void *context, const json_t *request, json_t **ret_body, struct error *error)
{
	struct fixture *fixture = context;
	json_int_t count = json_integer_value(json_object_get(request, "count"));

	(void)error;
	while (count--) {
		struct event_record record = {
			.verdict = DNET_DENY, .reason = DNET_REASON_DEFAULT_DENIED, .container = "web", .service = "", .network = "",
			.peer_container = "", .interface = "", .country = "", .policy = "", .rule = "", .origin = "",
			.bytes = ++fixture->added,
		};

		assert_int_equal(history_add(fixture->history, &record), 0);
	}
	*ret_body = json_pack("{s:i}", "added", (int)fixture->added);
	return 0;
}

/* As `unload` does: the answer must still arrive. */
static int handle_stop(void *context, const json_t *request, json_t **ret_body, struct error *error)
{
	struct fixture *fixture = context;

	(void)request, (void)error;
	event_base_loopbreak(fixture->base);
	*ret_body = json_pack("{s:b}", "stopping", 1);
	return 0;
}

static const struct control_route routes[] = {
	{ "GET", "/v1/echo", handle_echo }, { "POST", "/v1/echo", handle_echo }, { "POST", "/v1/fail", handle_fail },
	{ "POST", "/v1/add", handle_add }, { "POST", "/v1/stop", handle_stop }, { NULL, NULL, NULL },
};

static void collect(void *context, struct metrics *metrics)
{
	(void)context;
	metrics_family(metrics, "dnetbpf_events_total", "counter", "Events.");
	metrics_sample_u64(metrics, "dnetbpf_events_total", 42, NULL);
}

static void *serve(void *context)
{
	struct fixture *fixture = context;

	event_base_loop(fixture->base, EVLOOP_NO_EXIT_ON_EMPTY);
	control_server_free(fixture->server);
	metrics_server_free(fixture->metrics);
	return NULL;
}

static unsigned short free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct error error = {};
	char address[32];

	strcpy(fixture->directory, "/tmp/dnetbpf-control-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	assert_int_equal(chmod(fixture->directory, 0755), 0);
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/made/on the way/control.sock", fixture->directory);
	fixture->base = event_base_new();
	assert_int_equal(history_new(&fixture->history), 0);
	if (control_server_new(fixture->base, fixture->socket, routes, fixture, fixture->history, &fixture->server, &error) < 0)
		fail_msg("%s", error.text);
	fixture->port = free_port();
	snprintf(address, sizeof(address), "127.0.0.1:%u", fixture->port);
	if (metrics_server_new(fixture->base, address, collect, fixture, &fixture->metrics, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(pthread_create(&fixture->thread, NULL, serve, fixture), 0);
	fixture->running = true;
	*state = fixture;
	return 0;
}

__attribute__((unused)) static json_t *post(const struct fixture *fixture, const char *path, const char *body)
{
	json_t *request = json_loads(body, 0, NULL), *answer = NULL;
	struct error error = {};

	if (control_request(fixture->socket, "POST", path, request, &answer, &error) < 0)
		fail_msg("POST %s: %s", path, error.text);
	json_decref(request);
	return answer;
}

static void stop(struct fixture *fixture)
{
	json_t *answer;

	if (!fixture->running)
		return;
	answer = post(fixture, "/v1/stop", "{}");
	assert_true(json_is_true(json_object_get(answer, "stopping")));
	json_decref(answer);
	pthread_join(fixture->thread, NULL);
	fixture->running = false;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[160];
	int r;

	stop(fixture);
	r = access(fixture->socket, F_OK);
	history_free(fixture->history);
	event_base_free(fixture->base);
	snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
	if (system(command))
		r = 0;
	free(fixture);
	return r == 0 ? -1 : 0;	/* the socket file must have gone with the server */
}

/* A socket of somebody else at @path; @backlog: listen, 0: do not. */
__attribute__((unused)) static int bind_to(const char *path, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (backlog)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

__attribute__((unused)) static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

__attribute__((unused)) static int connect_to_port(unsigned short port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

__attribute__((unused)) static void send_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

		assert_true(n > 0);
		text += n;
		length -= (size_t)n;
	}
}

/* Read until @until is there (NULL: until the end); the caller frees. */
__attribute__((unused)) static char *receive(int fd, const char *until)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	size_t length = 0, size = 1 << 16;
	char *text = malloc(size);

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (now_ms() > deadline || poll(&ready, 1, DEADLINE_MS) != 1)
			fail_msg("no answer in time");
		if (length + 1 == size)
			text = realloc(text, size *= 2);
		n = recv(fd, text + length, size - length - 1, 0);
		assert_true(n >= 0);
		length += (size_t)n;
		text[length] = '\0';
		if (until && strstr(text, until))
			return text;
		if (n == 0) {
			if (until)
				fail_msg("the answer ended without \"%s\": %s", until, text);
			return text;
		}
	}
}

__attribute__((unused)) static char *exchange(int fd, const char *request)
{
	char *answer;

	send_all(fd, request, strlen(request));
	answer = receive(fd, NULL);
	close(fd);
	return answer;
}

#define REQUEST(line, headers) line " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" headers "\r\n"

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Everything on TCP stays in a namespace of our own. */
static void enter_namespace(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		print_message("no network namespace of our own (%s): the loopback of this one is used\n", strerror(errno));
		return;
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		exit(1);
	close(fd);
}

#endif
