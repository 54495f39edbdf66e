/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the Docker client share: docker.c (life, event stream), requests.c (what is asked, and what an answer does
 * to the inventory) and admit.c (which containers may be shown, and with which labels). */
#ifndef DNETBPF_DOCKER_PRIVATE_H
#define DNETBPF_DOCKER_PRIVATE_H

#include "docker/docker.h"
#include "docker/http.h"
#include "docker/images.h"
#include "docker/pending.h"

enum docker_state {
	DOCKER_WAITING,		/* for the next attempt to connect */
	DOCKER_ASKING,		/* GET /version under way: does it answer? */
	DOCKER_OPENING,		/* GET /events under way */
	DOCKER_READING,		/* lists under way, into `next` */
	DOCKER_LIVE,
};

enum job_kind { JOB_VERSION, JOB_CONTAINERS, JOB_NETWORKS, JOB_NETWORK, JOB_BATCH, JOB_IMAGE, JOB_RESOLVERS };

/* One kind of request. At most one of it is under way; what asks for it meanwhile causes one more after. */
struct job {
	struct docker *docker;
	enum job_kind kind;
	char *key;		/* JOB_NETWORK, JOB_RESOLVERS: an ID; JOB_IMAGE: an ID or a name */
	uint64_t asked_ns;	/* CLOCK_MONOTONIC, when it was sent */
	bool in_flight;
	bool again;
	bool first;		/* the first reading after a connect waits for it */
	bool failed;		/* to be repeated by the retry timer */
	bool gone;		/* nobody wants it any more: free it when it is no longer in flight */
	unsigned int renamed;	/* JOB_IMAGE: docker.renamed when it was sent */
};

/* Jobs of one kind, each with its key. */
struct job_list {
	struct job **jobs;
	size_t count;
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
	struct job version, containers, networks, batch, resolvers;
	struct job_list network_jobs, image_jobs;
	struct id_list pending;		/* containers to be read; the batch under way is in `asked` */
	struct id_list asked;
	struct settling settling;
	struct images images;		/* their labels; an ID never means other ones, so they stay when the connection is lost */
	struct inventory held;		/* containers alone, as the list has them: shown when their images are known */
	unsigned int renamed;		/* how often names of images may have changed */
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
/* Count the failure, and try again later. */
void job_fail(struct job *job);
struct job *job_find(const struct job_list *list, const char *key);
/* NULL: out of memory. */
struct job *job_add(struct docker *docker, struct job_list *list, enum job_kind kind, const char *key);
void docker_want_container(struct docker *docker, const char *id);
void docker_retry(struct docker *docker);
void docker_reset_jobs(struct docker *docker);
void docker_free_jobs(struct docker *docker);

/* admit.c. All return 0 or -ENOMEM; containers are taken over on success. */
/* A container that a list has: show it, or hold it and ask for its image. */
int docker_admit(struct docker *docker, struct container *container);
/* All that the list has. */
int docker_admit_list(struct docker *docker, struct container *containers, size_t count);
/* A container that an event told of, which knows the image's name alone: show it if that is enough, else ask for the image. */
int docker_admit_event(struct docker *docker, struct container *container);
/* It is known, shown or held. */
struct container *docker_known(const struct docker *docker, const char *id);
/* @id is not the container's own string. */
void docker_forget_container(struct docker *docker, const char *id);
/* Names of images may mean other ones, and images may have come or gone. */
void docker_images_changed(struct docker *docker);
int docker_image_answered(struct docker *docker, struct job *job, const struct http_answer *answer);
/* A container runs whose resolvers have not been asked for: its ID becomes the job's key. */
bool docker_resolvers_are_due(struct docker *docker);
int docker_resolvers_answered(struct docker *docker, struct job *job, const struct http_answer *answer);

#endif
