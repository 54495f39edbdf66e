/* SPDX-License-Identifier: GPL-2.0 */
/* Private to control/: answers to GET /v1/events, each a reader of the history with a place of its own in it. */
#ifndef DNETBPF_CONTROL_EVENT_STREAM_H
#define DNETBPF_CONTROL_EVENT_STREAM_H

#include "control/http_loop.h"
#include "observe/history.h"

#define EVENT_STREAM_MAX_FOLLOWERS 32	/* half of the connections: the commands still get through */

struct event_streams;

int event_streams_new(struct event_base *base, struct history *history, struct event_streams **ret);
/* The listener exists only after its context does. */
void event_streams_set_loop(struct event_streams *streams, struct http_loop *loop);
/* End all followers. To be called before http_loop_free(), which frees them. */
void event_streams_end(struct event_streams *streams);
/* After http_loop_free(). */
void event_streams_free(struct event_streams *streams);
/* Answer the request. -EINVAL with a sentence for a bad query, -EAGAIN for too many followers; otherwise *ret_result. */
int event_streams_answer(struct event_streams *streams, struct MHD_Connection *connection, enum MHD_Result *ret_result,
			 struct error *error);

#endif
