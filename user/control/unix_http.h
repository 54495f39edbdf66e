/* SPDX-License-Identifier: GPL-2.0 */
/* One HTTP request over a unix socket, to the daemon or to Docker (libcurl). Blocking; for the command line only. */
#ifndef DNETBPF_CONTROL_UNIX_HTTP_H
#define DNETBPF_CONTROL_UNIX_HTTP_H

#include <stddef.h>

#include "base/error.h"

#define UNIX_HTTP_MAX_BODY (64u << 20)	/* bytes of an answer that is kept whole */

struct unix_http_request {
	const char *socket, *method, *path;
	const char *body;	/* JSON text, or NULL */
	unsigned int timeout_sec;	/* for the whole exchange; 0: none */
	/* Called with pieces of a successful answer instead of keeping it; nonzero ends the transfer, which is then no
	 * failure. NULL: keep it. */
	int (*data)(void *context, const char *data, size_t size);
	/* Called about once a second while nothing comes, when data() is set; nonzero ends the transfer too. */
	int (*idle)(void *context);
	void *context;
};

/*
 * 0: an answer came; *ret_status is its HTTP status, *ret_body what was kept (terminated, owned by the caller, maybe "").
 * -ENOTCONN: nobody listens at the socket (no file, or a stale one). -EACCES: not allowed. -ETIMEDOUT. -EFBIG.
 * -ECONNRESET: the connection broke off. @error holds libcurl's or the system's words, without the socket's name.
 */
int unix_http(const struct unix_http_request *request, long *ret_status, char **ret_body, struct error *error);

#endif
