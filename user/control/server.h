/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon's two listeners, libmicrohttpd driven by the event loop (its epoll fd; no threads):
 * control: HTTP/JSON on a unix socket, 0660, peers of uid 0 or the daemon's uid, or of the socket's group (SO_PEERCRED);
 * metrics: HTTP on ADDR:PORT, GET /metrics alone, no credentials.
 */
#ifndef DNETBPF_CONTROL_SERVER_H
#define DNETBPF_CONTROL_SERVER_H

#include <event2/event.h>
#include <jansson.h>

#include "base/error.h"
#include "observe/history.h"
#include "observe/metrics.h"

/* Fill *ret_body with a new reference. 0: status 200. Negative errno: 404 for -ENOENT, 400 for -EINVAL, 409 for -EBUSY, else
 * 500, with {"error": sentence}. @request: the parsed JSON body of a POST, or NULL. */
typedef int (*control_handler)(void *context, const json_t *request, json_t **ret_body, struct error *error);

struct control_route {
	const char *method;	/* "GET" or "POST" */
	const char *path;	/* "/v1/ps" */
	control_handler handle;
};

struct control_server;

/*
 * Listen on @path. A socket file that nobody listens on is replaced; one that answers is -EADDRINUSE with a sentence.
 * Missing directories are made (0755). @routes is an array closed by a NULL method and must outlive the server.
 * The server adds by itself: GET /v1/events (history as JSON lines, application/x-ndjson; ?follow=1: then what comes, until
 * the client goes; ?history=N: only the newest N of the history first (0: none)).
 */
int control_server_new(struct event_base *base, const char *path, const struct control_route *routes, void *context,
		       struct history *history, struct control_server **ret, struct error *error);
void control_server_free(struct control_server *server);	/* removes the socket file */

struct metrics_server;
/* @address: "127.0.0.1:9469", "[::1]:9469", ":9469". @collect fills a fresh metrics text for each scrape.
 * -EADDRINUSE and others with a sentence that names the address and says what to do. */
int metrics_server_new(struct event_base *base, const char *address, void (*collect)(void *context, struct metrics *metrics),
		       void *context, struct metrics_server **ret, struct error *error);
void metrics_server_free(struct metrics_server *server);

#endif
