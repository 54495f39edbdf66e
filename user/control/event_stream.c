/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A follower that has read everything is suspended; history_watch() resumes it. Invariants:
 * 1. a stream is in the list from its making until the library frees its response, and its `closed` event lives no longer
 *    (the library closes the descriptor only after that);
 * 2. only fill() suspends, and only right before it returns 0; wake() and end() resume what is suspended, once;
 * 3. nobody but the history holds its lines: a line is copied before a byte of it is sent, since the next event may evict it.
 */
#include "control/event_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct stream {
	struct stream *next, **link;
	struct event_streams *streams;
	struct MHD_Connection *connection;
	struct event *closed;		/* followers: the client has gone */
	uint64_t sequence;		/* next line to send */
	uint64_t end;			/* not followers: the first line that is not sent */
	bool follow, suspended, gone;
	char *line;			/* being sent, with its newline */
	size_t length, sent, size;
};

struct event_streams {
	struct event_base *base;
	struct history *history;
	struct http_loop *loop;
	struct stream *first;
	unsigned int followers;
	bool ended;
};

static void resume(struct stream *stream)
{
	if (!stream->suspended)
		return;
	stream->suspended = false;
	MHD_resume_connection(stream->connection);
	http_loop_soon(stream->streams->loop);
}

static void wake(void *context)
{
	struct event_streams *streams = context;

	for (struct stream *stream = streams->first; stream; stream = stream->next)
		resume(stream);
}

/*
 * A suspended connection is not watched by the library: without this a follower that went away would stay until the next
 * event, and a quiet host could collect them. The event is also for reading, because libevent tells a reset (the client closed
 * with unread data) only so; and edge-triggered, because what the client may still write stays unread.
 */
static void on_closed(evutil_socket_t fd, short what, void *context)
{
	struct pollfd end = { .fd = fd, .events = POLLRDHUP };
	struct stream *stream = context;

	(void)what;
	if (poll(&end, 1, 0) != 1)
		return;
	stream->gone = true;
	event_del(stream->closed);
	resume(stream);
}

static void stream_free(void *context)
{
	struct stream *stream = context;

	if (stream->closed)
		event_free(stream->closed);
	if (stream->link) {
		*stream->link = stream->next;
		if (stream->next)
			stream->next->link = stream->link;
		if (stream->follow)
			stream->streams->followers--;
	}
	free(stream->line);
	free(stream);
}

static int set_line(struct stream *stream, const char *text)
{
	size_t length = strlen(text) + 1;

	if (length > stream->size) {
		char *bigger = realloc(stream->line, length);

		if (!bigger)
			return -ENOMEM;
		stream->line = bigger;
		stream->size = length;
	}
	memcpy(stream->line, text, length - 1);
	stream->line[length - 1] = '\n';
	stream->length = length;
	stream->sent = 0;
	return 0;
}

/* Put the next line into stream->line: 1, 0 when there is none now, -ENOMEM. */
static int next_line(struct stream *stream)
{
	struct history *history = stream->streams->history;
	uint64_t first = history_first(history);
	int r;

	if (!stream->follow && stream->sequence >= stream->end)
		return 0;
	if (stream->sequence < first) {
		char lost[48];

		snprintf(lost, sizeof(lost), "{\"lost\":%" PRIu64 "}", first - stream->sequence);
		r = set_line(stream, lost);
		if (r < 0)
			return r;
		stream->sequence = first;
		return 1;
	}
	if (stream->sequence >= history_next(history))
		return 0;
	r = set_line(stream, history_line(history, stream->sequence));
	if (r < 0)
		return r;
	stream->sequence++;
	return 1;
}

/* The library asks for the next bytes whenever the socket takes some. */
static ssize_t fill(void *context, uint64_t position, char *buffer, size_t max)
{
	struct stream *stream = context;
	size_t used = 0;

	(void)position;
	if (stream->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	while (used < max) {
		size_t rest = stream->length - stream->sent;
		size_t part = rest < max - used ? rest : max - used;

		if (part) {
			memcpy(buffer + used, stream->line + stream->sent, part);
			stream->sent += part;
			used += part;
			continue;
		}
		switch (next_line(stream)) {
		case 1:
			continue;
		case 0:
			break;
		default:
			return used ? (ssize_t)used : MHD_CONTENT_READER_END_WITH_ERROR;
		}
		break;
	}
	if (used)
		return (ssize_t)used;
	if (!stream->follow || stream->streams->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	stream->suspended = true;
	MHD_suspend_connection(stream->connection);
	return 0;
}

int event_streams_new(struct event_base *base, struct history *history, struct event_streams **ret)
{
	struct event_streams *streams = calloc(1, sizeof(*streams));

	if (!streams)
		return -ENOMEM;
	streams->base = base;
	streams->history = history;
	history_watch(history, wake, streams);
	*ret = streams;
	return 0;
}

void event_streams_set_loop(struct event_streams *streams, struct http_loop *loop)
{
	streams->loop = loop;
}

void event_streams_end(struct event_streams *streams)
{
	streams->ended = true;
	wake(streams);
}

void event_streams_free(struct event_streams *streams)
{
	if (!streams)
		return;
	history_watch(streams->history, NULL, NULL);
	free(streams);
}

/* A number of at most 9 digits; -EINVAL otherwise. */
static int query_number(const char *text, uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 9 || text[digits])
		return -EINVAL;
	*ret = strtoull(text, NULL, 10);
	return 0;
}

static int watch_close(struct stream *stream)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(stream->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (!info)
		return -EIO;
	stream->closed = event_new(stream->streams->base, info->connect_fd, EV_READ | EV_CLOSED | EV_PERSIST | EV_ET,
				   on_closed, stream);
	if (!stream->closed || event_add(stream->closed, NULL) < 0)
		return -ENOMEM;
	/* A quiet host sends nothing for hours; who is gone is seen above. */
	MHD_set_connection_option(stream->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
	return 0;
}

int event_streams_answer(struct event_streams *streams, struct MHD_Connection *connection, enum MHD_Result *ret_result,
			 struct error *error)
{
	const char *follow = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "follow");
	const char *count = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "history");
	uint64_t follow_value = 0, count_value = HISTORY_EVENTS, first = history_first(streams->history);
	struct MHD_Response *response;
	struct stream *stream;
	int r;

	if (follow && (query_number(follow, &follow_value) < 0 || follow_value > 1))
		return error_set(error, -EINVAL, "follow=%s: write follow=1 or follow=0", follow);
	if (count && query_number(count, &count_value) < 0)
		return error_set(error, -EINVAL, "history=%s is no number of events", count);
	if (follow_value && streams->followers >= EVENT_STREAM_MAX_FOLLOWERS)
		return error_set(error, -EAGAIN, "%d clients follow the events already, which is the most the daemon serves; "
				 "end one of them", EVENT_STREAM_MAX_FOLLOWERS);
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return error_set(error, -ENOMEM, "out of memory");
	stream->streams = streams;
	stream->connection = connection;
	stream->follow = follow_value;
	stream->end = history_next(streams->history);
	stream->sequence = stream->end - first > count_value ? stream->end - count_value : first;

	r = stream->follow ? watch_close(stream) : 0;
	response = r < 0 ? NULL : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, fill, stream, stream_free);
	if (!response) {
		stream_free(stream);
		return error_set(error, -ENOMEM, "out of memory");
	}
	/* From here on the response owns the stream. */
	stream->next = streams->first;
	stream->link = &streams->first;
	if (stream->next)
		stream->next->link = &stream->next;
	streams->first = stream;
	if (stream->follow)
		streams->followers++;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/x-ndjson");
	*ret_result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return 0;
}
