/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Docker inventory: one libcurl multi handle on the event loop; streams /events, reads lists, keeps an inventory.
 * It never asks for GET /containers/ID/json, which blocks while a container starts.
 *
 * When the stream ends it reconnects with back-off (100 ms doubling to 5 s) and reads everything again. While
 * disconnected the last inventory stands.
 */
#ifndef DNETBPF_DOCKER_DOCKER_H
#define DNETBPF_DOCKER_DOCKER_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/error.h"
#include "model/inventory.h"

struct docker;

struct docker_callbacks {
	/* The inventory changed (or a full list arrived, changed or not). It is complete and valid until the next call. */
	void (*changed)(void *context, const struct inventory *inventory);
	/* The daemon answers (a full list follows through changed()), or stopped answering: @problem is a sentence. Called
	 * once for each change of state, and once at the first failure. */
	void (*connected)(void *context, bool connected, const char *problem);
};

/* @url: "unix:///path". Starts connecting when the loop runs. -EINVAL for another kind of URL. */
int docker_new(struct event_base *base, const char *url, const struct docker_callbacks *callbacks, void *context,
	       struct docker **ret, struct error *error);
void docker_free(struct docker *docker);

/*
 * A link joined the bridge @bridge, or is still waiting for its identity: read that bridge's network again now, and the
 * containers that are attached there and not known. An unknown bridge: read the list of networks. Many hints while a
 * request is under way become one further request.
 */
void docker_hint_bridge(struct docker *docker, const char *bridge);

/* Counters for the tests and `status`. */
struct docker_statistics {
	unsigned long requests, events, reconnects, failures;
};
void docker_get_statistics(const struct docker *docker, struct docker_statistics *ret);

#endif
