/* SPDX-License-Identifier: GPL-2.0 */
#include "control/http_loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/cleanup.h"

struct http_loop {
	struct MHD_Daemon *daemon;
	int epoll_fd;			/* the library's own */
	struct event *readable, *timer;
	http_answer answer;
	void *context;
	unsigned int in_flight;		/* requests begun and not completed */
};

static void run(struct http_loop *loop)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(loop->daemon);
	if (MHD_get_timeout(loop->daemon, &ms) == MHD_YES) {
		struct timeval after = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

		evtimer_add(loop->timer, &after);
	} else {
		evtimer_del(loop->timer);
	}
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	run(context);
}

void http_loop_soon(struct http_loop *loop)
{
	static const struct timeval now;

	evtimer_add(loop->timer, &now);
}

static int append(struct http_request *request, const char *data, size_t size)
{
	char *bigger;

	if (request->too_long)
		return 0;
	if (size > HTTP_MAX_BODY - request->length) {
		free(TAKE_PTR(request->body));
		request->length = 0;
		request->too_long = 1;
		return 0;
	}
	bigger = realloc(request->body, request->length + size + 1);
	if (!bigger)
		return -ENOMEM;
	memcpy(bigger + request->length, data, size);
	request->body = bigger;
	request->length += size;
	bigger[request->length] = '\0';
	return 0;
}

/* The library calls this when the headers are there, for each piece of the body, and once more at the body's end. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *data, size_t *size, void **state)
{
	struct http_loop *loop = context;
	struct http_request *request = *state;

	(void)version;
	if (!request) {
		request = calloc(1, sizeof(*request));
		if (!request)
			return MHD_NO;
		*state = request;
		loop->in_flight++;
		return MHD_YES;
	}
	if (*size) {
		/* What is too long is read to its end and thrown away: an answer in the middle of an upload would be
		 * lost with the connection. */
		if (append(request, data, *size) < 0)
			return MHD_NO;
		*size = 0;
		return MHD_YES;
	}
	request->method = method;
	request->path = url;
	return loop->answer(loop->context, connection, request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct http_loop *loop = context;
	struct http_request *request = *state;

	(void)connection;
	(void)code;
	if (!request)
		return;
	loop->in_flight--;
	free(request->body);
	free(request);
	*state = NULL;
}

int http_loop_new(struct event_base *base, int listen_fd, http_answer answer, void *context, struct http_loop **ret,
		  struct error *error)
{
	struct http_loop *loop = calloc(1, sizeof(*loop));
	const union MHD_DaemonInfo *info;

	if (!loop) {
		close(listen_fd);
		return error_set(error, -ENOMEM, "out of memory");
	}
	loop->answer = answer;
	loop->context = context;
	/* From here on the library owns the descriptor, and closes it on most of its failures: to close it again could
	 * hit somebody else's. */
	loop->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, loop,
					MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listen_fd,
					MHD_OPTION_NOTIFY_COMPLETED, on_completed, loop,
					MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_MAX_CONNECTIONS,
					MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)HTTP_IDLE_SEC,
					MHD_OPTION_END);
	if (!loop->daemon) {
		free(loop);
		return error_set(error, -EIO, "the HTTP library does not start (out of memory or of file descriptors)");
	}
	info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	loop->epoll_fd = info ? info->epoll_fd : -1;
	loop->timer = evtimer_new(base, on_event, loop);
	/* The library's epoll descriptor is readable while any of its sockets is: one event for all of them. */
	loop->readable = event_new(base, loop->epoll_fd, EV_READ | EV_PERSIST, on_event, loop);
	if (!loop->timer || !loop->readable || event_add(loop->readable, NULL) < 0) {
		http_loop_free(loop);
		return error_set(error, -EIO, "the event loop does not take the HTTP listener");
	}
	*ret = loop;
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void http_loop_free(struct http_loop *loop)
{
	uint64_t deadline = now_ms() + HTTP_DRAIN_MS;

	if (!loop)
		return;
	if (loop->readable)
		event_free(loop->readable);
	if (loop->timer)
		event_free(loop->timer);
	/* At least once: it puts resumed connections back, and the library does not stop while one is suspended. */
	do {
		struct pollfd ready = { .fd = loop->epoll_fd, .events = POLLIN };

		MHD_run(loop->daemon);
		if (loop->in_flight)
			poll(&ready, 1, 10);
	} while (loop->in_flight && now_ms() < deadline);
	MHD_stop_daemon(loop->daemon);
	free(loop);
}

enum MHD_Result http_respond(struct MHD_Connection *connection, unsigned int status, const char *type, char *body,
			     size_t length, const char *allow)
{
	struct MHD_Response *response;
	enum MHD_Result queued;

	if (body)
		response = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
	else
		response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
	if (!response) {
		free(body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	queued = MHD_queue_response(connection, body ? status : MHD_HTTP_INTERNAL_SERVER_ERROR, response);
	MHD_destroy_response(response);
	return queued;
}
