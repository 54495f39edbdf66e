/* SPDX-License-Identifier: GPL-2.0 */
/* The command line's side of the control socket (libcurl). */
#ifndef DNETBPF_CONTROL_CLIENT_H
#define DNETBPF_CONTROL_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

/* Send @method @path (with @body as JSON, or NULL) to the daemon at the unix socket @socket. 0: *ret_body is a new reference.
 * -ENOTCONN: nobody listens; the sentence says that `dnetbpf run` is not running or another --control is meant.
 * -EACCES: no permission. Other: the daemon's own error sentence. */
int control_request(const char *socket, const char *method, const char *path, const json_t *body, json_t **ret_body,
		    struct error *error);
/* Stream lines; @line gets each without newline (terminated) and returns nonzero to stop. It is also called with NULL about
 * once a second, so that it can stop while nothing comes. 0: it stopped, or the daemon ended the stream in order. */
int control_stream(const char *socket, const char *path, int (*line)(void *context, const char *text), void *context,
		   struct error *error);

#endif
