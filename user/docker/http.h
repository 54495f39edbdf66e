/* SPDX-License-Identifier: GPL-2.0 */
/*
 * HTTP over one unix socket on the event loop: libcurl's multi interface, told by libevent when sockets are ready.
 * Connections are kept alive and shared; a few requests run at once, the others wait in order.
 *
 * Callbacks run outside of libcurl: they may start requests and abort them, but not free the client.
 */
#ifndef DNETBPF_DOCKER_HTTP_H
#define DNETBPF_DOCKER_HTTP_H

#include <event2/event.h>
#include <stddef.h>

#define HTTP_RUNNING_MAX	4		/* requests at once, beside the stream */
#define HTTP_BODY_MAX		(64u << 20)	/* bytes of an answer */
#define HTTP_LINE_MAX		(1u << 20)	/* bytes of a line of the stream */
#define HTTP_TIMEOUT_MS		30000		/* of a request */

struct http;

struct http_answer {
	long status;		/* HTTP status; 0: no answer, @problem says why */
	const char *body;	/* terminated by a NUL that is not counted */
	size_t length;
	const char *problem;
};

typedef void (*http_done)(void *context, const struct http_answer *answer);

struct http_stream_callbacks {
	void (*opened)(void *context);	/* status 200 has arrived */
	/* One or more whole lines, each with its newline. */
	void (*lines)(void *context, const char *text, size_t length);
	/* A line longer than HTTP_LINE_MAX was left out. */
	void (*skipped)(void *context);
	/* The end, for whatever reason; also instead of opened(). @problem: why. */
	void (*closed)(void *context, const char *problem);
};

int http_new(struct event_base *base, const char *socket_path, struct http **ret);
/* Nothing is called back any more. */
void http_free(struct http *http);
/* GET @target ("/version"). @done is called once, later, unless http_abort() comes first. 0 or -ENOMEM. */
int http_get(struct http *http, const char *target, http_done done, void *context);
/* GET @target and read lines until it ends. One at a time. */
int http_stream(struct http *http, const char *target, const struct http_stream_callbacks *callbacks, void *context);
/* Forget every request and the stream. Nothing of them is called back. */
void http_abort(struct http *http);

#endif
