/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the Docker client share: docker.c (life, event stream) and requests.c (what is asked, and what an answer
 * does to the inventory). */
#ifndef DNETBPF_DOCKER_PRIVATE_H
#define DNETBPF_DOCKER_PRIVATE_H

#include "docker/docker.h"
#include "docker/http.h"
#include "docker/pending.h"

enum docker_state {
	DOCKER_WAITING,		/* for the next attempt to connect */
	DOCKER_ASKING,		/* GET /version under way: does it answer? */
	DOCKER_OPENING,		/* GET /events under way */
	DOCKER_READING,		/* lists under way, into `next` */
	DOCKER_LIVE,
};

enum job_kind { JOB_VERSION, JOB_CONTAINERS, JOB_NETWORKS, JOB_NETWORK, JOB_BATCH };

/* One kind of request. At most one of it is under way; what asks for it meanwhile causes one more after. */
struct job {
	struct docker *docker;
	enum job_kind kind;
	char *network_id;	/* JOB_NETWORK */
	uint64_t asked_ns;	/* CLOCK_MONOTONIC, when it was sent */
	bool in_flight;
	bool again;
	bool first;		/* the first reading after a connect waits for it */
	bool failed;		/* to be repeated by the retry timer */
	bool gone;		/* the network is: free it when it is no longer in flight */
};

struct docker {
	struct event_base *base;
	char *url;
	struct docker_callbacks callbacks;
	void *context;
	struct http *http;
	struct event *timer;		/* WAITING: next attempt; OPENING: the stream does not begin */
	struct event *retry_timer, *settle_timer;
	struct event *directory;	/* inotify: the socket appears */
	int inotify;
	enum docker_state state;
	unsigned int backoff_ms;
	bool problem_told;		/* connected(false) has been called and nothing since */
	bool was_live;
	/* What changed() shows. A reading after a connect is collected in `next` and takes its place when it is complete, so
	 * that the old inventory stands, and stays valid, until then. */
	struct inventory inventory, next;
	bool changed;
	struct job version, containers, networks, batch;
	struct job **network_jobs;
	size_t network_job_count;
	struct id_list pending;		/* containers to be read; the batch under way is in `asked` */
	struct id_list asked;
	struct settling settling;
	struct docker_statistics statistics;
};


/* The inventory that answers and events go into. */
static inline struct inventory *docker_target(struct docker *docker)
{
	return docker->state == DOCKER_READING ? &docker->next : &docker->inventory;
}

/* docker.c */
void docker_arm(struct event *timer, unsigned int milliseconds);
/* It answers: ask for the event stream. */
int docker_open_stream(struct docker *docker);
/* The connection is lost, or cannot be made: forget what is under way and try again later. */
void docker_lose(struct docker *docker, const char *problem);
/* After events and answers: tell what has changed. */
void docker_progress(struct docker *docker);

/* requests.c */
void job_want(struct job *job);
void job_send(struct job *job);
struct job *docker_network_job(const struct docker *docker, const char *network_id);
void docker_want_container(struct docker *docker, const char *id);
void docker_retry(struct docker *docker);
void docker_reset_jobs(struct docker *docker);
void docker_free_jobs(struct docker *docker);

#endif
