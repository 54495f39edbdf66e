/* SPDX-License-Identifier: GPL-2.0 */
#include "docker/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

struct transfer {
	struct http *http;
	CURL *easy;
	char *target;
	bool running;	/* libcurl has it */
	bool too_long;		/* a request: the answer is */
	bool skipping;		/* the stream: until the next newline */
	bool skipped;		/* and not told yet */
	char *body;
	size_t length, capacity;
	char problem[CURL_ERROR_SIZE + 64];
	http_done done;	/* NULL: the stream */
	void *context;
	struct transfer *next;
};

struct http {
	struct event_base *base;
	char *socket_path;
	CURLM *multi;
	struct event *timer;	/* libcurl's own */
	struct event *start;	/* there are requests to start */
	struct transfer *transfers;	/* in the order of their start */
	unsigned int running;
	struct transfer *stream;
	struct http_stream_callbacks stream_callbacks;
	bool stream_opened;
};

static void transfer_free(struct transfer *transfer)
{
	if (transfer->easy && transfer->running)
		curl_multi_remove_handle(transfer->http->multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	free(transfer->target);
	free(transfer->body);
	free(transfer);
}

static void detach(struct http *http, struct transfer *transfer)
{
	struct transfer **link = &http->transfers;

	while (*link && *link != transfer)
		link = &(*link)->next;
	if (*link)
		*link = transfer->next;
	if (transfer == http->stream)
		http->stream = NULL;
	else if (transfer->running)
		http->running--;
}

static int append(struct transfer *transfer, const char *data, size_t length)
{
	size_t need = transfer->length + length + 1;

	if (need > transfer->capacity) {
		size_t capacity = need < 4096 ? 4096 : need * 2;
		char *grown = realloc(transfer->body, capacity);

		if (!grown)
			return -ENOMEM;
		transfer->body = grown;
		transfer->capacity = capacity;
	}
	memcpy(transfer->body + transfer->length, data, length);
	transfer->length += length;
	transfer->body[transfer->length] = '\0';
	return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t length = size * count;

	transfer->too_long = transfer->length + length > HTTP_BODY_MAX;
	return transfer->too_long || append(transfer, data, length) < 0 ? 0 : length;
}

/* Chunks are not lines. A line without end must not fill our memory, nor cost us the lines after it. */
static size_t on_stream(char *data, size_t size, size_t count, void *context)
{
	struct transfer *stream = context;
	size_t length = size * count, whole = 0;
	const char *begin = data, *newline;

	if (stream->skipping) {
		begin = memchr(data, '\n', length);
		if (!begin++)
			return length;
		stream->skipping = false;
	}
	if (append(stream, begin, length - (size_t)(begin - data)) < 0)
		return 0;
	if (stream->length <= HTTP_LINE_MAX)
		return length;
	newline = memrchr(stream->body, '\n', stream->length);
	if (newline)
		whole = (size_t)(newline + 1 - stream->body);
	if (stream->length - whole > HTTP_LINE_MAX) {
		stream->skipping = stream->skipped = true;
		stream->length = whole;
	}
	return length;
}

/* Hand whole lines to the stream's owner, who may abort everything meanwhile: the buffer is ours until then. */
static void deliver_lines(struct http *http)
{
	struct transfer *stream = http->stream;
	_cleanup_free_ char *lines = NULL;
	size_t whole;
	char *newline;

	newline = stream->length ? memrchr(stream->body, '\n', stream->length) : NULL;
	if (!newline)
		return;
	whole = (size_t)(newline + 1 - stream->body);
	lines = TAKE_PTR(stream->body);
	http->stream_callbacks.lines(stream->context, lines, whole);
	if (http->stream != stream)
		return;
	stream->length -= whole;
	memmove(lines, lines + whole, stream->length);
	stream->body = TAKE_PTR(lines);
}

static void deliver_stream(struct http *http)
{
	struct transfer *stream = http->stream;
	long status = 0;

	if (!stream || !stream->running)
		return;
	if (!http->stream_opened) {
		curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
		if (status != 200)
			return;
		http->stream_opened = true;
		http->stream_callbacks.opened(stream->context);
	}
	if (http->stream == stream)
		deliver_lines(http);
	if (http->stream == stream && stream->skipped) {
		stream->skipped = false;
		http->stream_callbacks.skipped(stream->context);
	}
}

static const char *describe(struct transfer *transfer, CURLcode code)
{
	long os_error = 0;

	if (transfer->too_long) {
		snprintf(transfer->problem, sizeof(transfer->problem), "an answer is longer than %u MiB", HTTP_BODY_MAX >> 20);
		return transfer->problem;
	}
	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT && os_error)
		return strerror((int)os_error);
	if (!transfer->done && (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING))
		return "it closed the event stream";
	if (code == CURLE_OPERATION_TIMEDOUT)
		return "no answer in time";
	return transfer->problem[0] ? transfer->problem : curl_easy_strerror(code);
}

static void finish(struct http *http, struct transfer *transfer, CURLcode code)
{
	struct http_answer answer = { 0 };
	bool is_stream = transfer == http->stream;
	char text[64];

	/* The last lines come before the end. */
	if (is_stream && code == CURLE_OK) {
		deliver_stream(http);
		if (http->stream != transfer)
			return;
	}
	detach(http, transfer);
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	if (is_stream) {
		const char *problem = code != CURLE_OK ? describe(transfer, code) : "it closed the event stream";

		if (code == CURLE_OK && answer.status != 200) {
			snprintf(text, sizeof(text), "the answer to GET /events has status %ld", answer.status);
			problem = text;
		}
		http->stream_callbacks.closed(transfer->context, problem);
	} else {
		answer.body = transfer->body ? transfer->body : "";
		answer.length = transfer->length;
		if (code != CURLE_OK) {
			answer.status = 0;
			answer.problem = describe(transfer, code);
		}
		transfer->done(transfer->context, &answer);
	}
	transfer_free(transfer);
}

static struct transfer *next_waiting(const struct http *http)
{
	struct transfer *transfer = http->transfers;

	while (transfer && (transfer->running || (transfer != http->stream && http->running >= HTTP_RUNNING_MAX)))
		transfer = transfer->next;
	return transfer;
}

static void start_transfers(struct http *http)
{
	struct transfer *transfer;

	while ((transfer = next_waiting(http))) {
		if (curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK) {
			finish(http, transfer, CURLE_OUT_OF_MEMORY);
			continue;
		}
		transfer->running = true;
		if (transfer != http->stream)
			http->running++;
	}
}

/* After libcurl has worked: what is there now? */
static void deliver(struct http *http)
{
	CURLMsg *message;
	int left;

	deliver_stream(http);
	/* Removing a handle takes its message back, so that an abort within a callback leaves nothing stale here. */
	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct transfer *transfer = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		finish(http, transfer, code);
	}
	start_transfers(http);
}

static void on_socket_ready(evutil_socket_t fd, short what, void *context)
{
	struct http *http = context;
	int running, action = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(http->multi, fd, action, &running);
	deliver(http);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct http *http = context;
	int running;

	(void)fd, (void)what;
	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	deliver(http);
}

static void on_start(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	start_transfers(context);
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
	struct event *event = socket_context;
	struct http *http = context;
	short events = EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);

	(void)easy;
	if (event)
		event_free(event);
	event = what == CURL_POLL_REMOVE ? NULL : event_new(http->base, fd, events, on_socket_ready, http);
	curl_multi_assign(http->multi, fd, event);
	if (what == CURL_POLL_REMOVE)
		return 0;
	return event && event_add(event, NULL) == 0 ? 0 : -1;
}

static int want_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct timeval timeout = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	struct http *http = context;

	(void)multi;
	if (timeout_ms < 0)
		return evtimer_del(http->timer);
	return evtimer_add(http->timer, &timeout);
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)context, (void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int add_transfer(struct http *http, const char *target, http_done done, void *context, struct transfer **ret)
{
	_cleanup_free_ char *url = NULL;
	struct transfer *transfer, **link = &http->transfers;
	CURL *easy;

	if (asprintf(&url, "http://docker%s", target) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		return -ENOMEM;
	transfer->http = http;
	transfer->target = strdup(target);
	transfer->easy = easy = curl_easy_init();
	transfer->done = done;
	transfer->context = context;
	if (!transfer->target || !easy || curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, http->socket_path) != CURLE_OK ||
	    /* A proxy from the environment has no business here. */
	    curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_USERAGENT, "dnetbpf") != CURLE_OK) {
		transfer_free(transfer);
		return -ENOMEM;
	}
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, done ? on_body : on_stream);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->problem);
	if (done)
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)HTTP_TIMEOUT_MS);
	else
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_TIMEOUT_MS);
	while (*link)
		link = &(*link)->next;
	*link = transfer;
	*ret = transfer;
	/* Not started here: the caller may be a callback in the middle of deliver(). */
	event_active(http->start, EV_TIMEOUT, 0);
	return 0;
}

int http_get(struct http *http, const char *target, http_done done, void *context)
{
	struct transfer *transfer;

	return add_transfer(http, target, done, context, &transfer);
}

int http_stream(struct http *http, const char *target, const struct http_stream_callbacks *callbacks, void *context)
{
	http->stream_callbacks = *callbacks;
	http->stream_opened = false;
	return add_transfer(http, target, NULL, context, &http->stream);
}

static int multi_new(struct http *http)
{
	http->multi = curl_multi_init();
	if (!http->multi)
		return -ENOMEM;
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	return 0;
}

int http_new(struct event_base *base, const char *socket_path, struct http **ret)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return -ENOMEM;
	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK) {
		free(http);
		return -ENOMEM;
	}
	http->base = base;
	http->socket_path = strdup(socket_path);
	http->timer = evtimer_new(base, on_timer, http);
	http->start = event_new(base, -1, 0, on_start, http);
	if (!http->socket_path || !http->timer || !http->start || multi_new(http) < 0) {
		http_free(http);
		return -ENOMEM;
	}
	*ret = http;
	return 0;
}

void http_abort(struct http *http)
{
	while (http->transfers) {
		struct transfer *transfer = http->transfers;

		detach(http, transfer);
		transfer_free(transfer);
	}
}

void http_free(struct http *http)
{
	if (!http)
		return;
	http_abort(http);
	if (http->multi)
		curl_multi_cleanup(http->multi);
	if (http->timer)
		event_free(http->timer);
	if (http->start)
		event_free(http->start);
	free(http->socket_path);
	free(http);
	curl_global_cleanup();
}
