/* SPDX-License-Identifier: GPL-2.0 */
#include "control/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "control/unix_http.h"

#define REQUEST_TIMEOUT_SEC 60		/* unload detaches one link after another: 16 ms each with TCX */
#define MAX_LINE (1u << 20)

static const struct {
	long status;
	int code;
} codes[] = {
	{ 400, -EINVAL }, { 403, -EACCES }, { 404, -ENOENT }, { 405, -EINVAL }, { 409, -EBUSY }, { 413, -EFBIG }, { 503, -EAGAIN },
};

static int say_failure(int code, const char *socket, struct error *error)
{
	switch (code) {
	case -ENOTCONN:
		return error_set(error, code, "no daemon answers at %s; start it with `dnetbpf run`, or say with --control where "
				 "its socket is", socket);
	case -EACCES:
		return error_set(error, code, "no permission to talk to the daemon at %s; run this as root, or join the socket's "
				 "group", socket);
	default:
		return error_prefix(error, code, "the daemon at %s", socket);
	}
}

/* The daemon's own sentence, when it sent one. */
static int say_status(long status, const char *body, const char *socket, struct error *error)
{
	json_t *object = json_loads(body, 0, NULL);
	const char *sentence = json_string_value(json_object_get(object, "error"));
	int code = -EIO;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].status == status)
			code = codes[i].code;
	if (sentence)
		error_set(error, code, "%s", sentence);
	else
		error_set(error, code, "the daemon at %s answers with HTTP status %ld", socket, status);
	json_decref(object);
	return code;
}

int control_request(const char *socket, const char *method, const char *path, const json_t *body, json_t **ret_body,
		    struct error *error)
{
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	_cleanup_free_ char *answer = NULL;
	struct unix_http_request request = {
		.socket = socket, .method = method, .path = path, .body = text, .timeout_sec = REQUEST_TIMEOUT_SEC,
	};
	json_error_t where;
	json_t *object;
	long status;
	int r;

	if (body && !text)
		return error_set(error, -ENOMEM, "out of memory");
	r = unix_http(&request, &status, &answer, error);
	if (r < 0)
		return say_failure(r, socket, error);
	if (status != 200)
		return say_status(status, answer, socket, error);
	object = json_loads(answer, JSON_DECODE_ANY, &where);
	if (!object)
		return error_set(error, -EPROTO, "what answers at %s is no dnetbpf daemon: its answer is no JSON (%s)", socket,
				 where.text);
	*ret_body = object;
	return 0;
}

struct lines {
	int (*line)(void *context, const char *text);
	void *context;
	char *text;	/* a line that has not ended yet */
	size_t length;
	bool stopped;
	int failure;
};

static int add(struct lines *lines, const char *data, size_t size)
{
	char *bigger;

	if (size > MAX_LINE - lines->length) {
		lines->failure = -EFBIG;
		return -EFBIG;
	}
	bigger = realloc(lines->text, lines->length + size + 1);
	if (!bigger) {
		lines->failure = -ENOMEM;
		return -ENOMEM;
	}
	memcpy(bigger + lines->length, data, size);
	lines->text = bigger;
	lines->length += size;
	bigger[lines->length] = '\0';
	return 0;
}

/* Pieces come as the network cut them, not as lines. */
static int on_data(void *context, const char *data, size_t size)
{
	struct lines *lines = context;

	while (size) {
		const char *end = memchr(data, '\n', size);
		size_t part = end ? (size_t)(end - data) : size;

		if (add(lines, data, part) < 0)
			return 1;
		if (!end)
			return 0;
		lines->length = 0;
		if (lines->line(lines->context, lines->text)) {
			lines->stopped = true;
			return 1;
		}
		data += part + 1;
		size -= part + 1;
	}
	return 0;
}

static int on_idle(void *context)
{
	struct lines *lines = context;

	if (!lines->line(lines->context, NULL))
		return 0;
	lines->stopped = true;
	return 1;
}

int control_stream(const char *socket, const char *path, int (*line)(void *context, const char *text), void *context,
		   struct error *error)
{
	struct lines lines = { .line = line, .context = context };
	struct unix_http_request request = {
		.socket = socket, .method = "GET", .path = path, .data = on_data, .idle = on_idle, .context = &lines,
	};
	_cleanup_free_ char *answer = NULL;
	long status;
	int r;

	r = unix_http(&request, &status, &answer, error);
	free(lines.text);
	if (r < 0)
		return say_failure(r, socket, error);
	if (lines.stopped)
		return 0;
	if (lines.failure)
		return error_set(error, lines.failure, "the daemon at %s: %s", socket, lines.failure == -EFBIG ?
				 "it sent a line of more than 1 MiB" : "out of memory");
	return status == 200 ? 0 : say_status(status, answer, socket, error);
}
