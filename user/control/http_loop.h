/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to control/: a libmicrohttpd daemon that runs inside the event loop, through its epoll descriptor and a timer.
 * One thread: answer() is called from the loop, once a request, when its body is complete.
 */
#ifndef DNETBPF_CONTROL_HTTP_LOOP_H
#define DNETBPF_CONTROL_HTTP_LOOP_H

#include <event2/event.h>
#include <microhttpd.h>
#include <stddef.h>

#include "base/error.h"

/* What a client can make the daemon keep. */
#define HTTP_MAX_BODY		(1u << 20)	/* bytes of a request's body */
#define HTTP_MAX_CONNECTIONS	64		/* of one listener */
#define HTTP_IDLE_SEC		30		/* a silent connection is closed */
#define HTTP_DRAIN_MS		2000		/* answers under way when the listener is freed */

struct http_request {
	const char *method, *path;	/* borrowed from the connection */
	char *body;			/* terminated; NULL when there was none */
	size_t length;
	int too_long;			/* the body was beyond HTTP_MAX_BODY and is not there */
};

typedef enum MHD_Result (*http_answer)(void *context, struct MHD_Connection *connection, const struct http_request *request);

struct http_loop;

/* Takes @listen_fd (a listening, non-blocking socket), also on failure. */
int http_loop_new(struct event_base *base, int listen_fd, http_answer answer, void *context, struct http_loop **ret,
		  struct error *error);
/* Sends what has been answered already (bounded by HTTP_DRAIN_MS), then closes. No connection may stay suspended. */
void http_loop_free(struct http_loop *loop);
/* A connection was resumed: let the library see to it in the next turn of the loop. */
void http_loop_soon(struct http_loop *loop);

/* Queue an answer. @body is malloc()ed and taken over (also on failure); NULL makes it a plain 500. @allow: the methods of an
 * "Allow" header, or NULL. */
enum MHD_Result http_respond(struct MHD_Connection *connection, unsigned int status, const char *type, char *body,
			     size_t length, const char *allow);

#endif
