/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/attacher.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define UPGRADE_PAUSE_MS 2000	/* without any link event: then TCX links take the place of clsact filters, which nobody waits for */
#define UPGRADE_NEXT_MS 10	/* between two of them, so that others get at RTNL */
#define MAX_INTERFACES (DNET_MAX_ENDPOINTS + DNET_MAX_BRIDGES)

struct set {
	int *ifindex;	/* rising */
	size_t count;
};

struct attacher {
	struct dataplane *dataplane;
	enum attach_mode mode;
	bool watch, stopping;
	int netlink_fd;
	int wake_fd;	/* for the thread */
	int done_fd;	/* for the main loop */
	pthread_t thread;
	bool running;
	/* Held while programs are attached: two threads must not do it to one interface at a time, and the kernel takes the
	 * same lock (RTNL) for all of them anyway. That can take long while containers start. */
	pthread_mutex_t work;
	/* For what follows, and never held while the kernel is asked: the main loop must not wait for RTNL. */
	pthread_mutex_t lock;
	struct set attached, bridges, held;
	struct set requests, bridge_requests;	/* of the main loop */
	struct set upgrades;	/* carry clsact filters that TCX links are to replace */
	struct metrics_histogram histogram;
	unsigned long repairs;
};

/* Where it stands, or would. */
static size_t set_place(const struct set *set, int ifindex)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (set->ifindex[middle] < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool set_has(const struct set *set, int ifindex)
{
	size_t place = set_place(set, ifindex);

	return place < set->count && set->ifindex[place] == ifindex;
}

static bool has(struct attacher *attacher, const struct set *set, int ifindex)
{
	bool found;

	pthread_mutex_lock(&attacher->lock);
	found = set_has(set, ifindex);
	pthread_mutex_unlock(&attacher->lock);
	return found;
}

static void add(struct attacher *attacher, struct set *set, int ifindex)
{
	pthread_mutex_lock(&attacher->lock);
	if (!set_has(set, ifindex) && set->count < MAX_INTERFACES) {
		size_t place = set_place(set, ifindex);

		memmove(&set->ifindex[place + 1], &set->ifindex[place], (set->count++ - place) * sizeof(*set->ifindex));
		set->ifindex[place] = ifindex;
	}
	pthread_mutex_unlock(&attacher->lock);
}

/* Returns whether it was there. */
static bool drop(struct attacher *attacher, struct set *set, int ifindex)
{
	bool found;

	pthread_mutex_lock(&attacher->lock);
	found = set_has(set, ifindex);
	if (found) {
		size_t place = set_place(set, ifindex);

		memmove(&set->ifindex[place], &set->ifindex[place + 1], (--set->count - place) * sizeof(*set->ifindex));
	}
	pthread_mutex_unlock(&attacher->lock);
	return found;
}

bool attacher_is_docker_name(const char *bridge)
{
	if (strcmp(bridge, "docker0") == 0 || strcmp(bridge, "docker_gwbridge") == 0)
		return true;
	return strncmp(bridge, "br-", 3) == 0 && strlen(bridge) == 15 && strspn(bridge + 3, "0123456789abcdef") == 12;
}

static void raise_event(int fd)
{
	uint64_t one = 1;

	/* It can only fail when the counter is full, and then the reader is awake. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/*
 * With `work` held. @quick: a container is starting. Making a TCX link waits for RCU while it holds RTNL, 11 to 16 ms each, and
 * at ten starts at once the last in the queue would send before its programs are there. So in TCX mode too a new
 * interface gets clsact filters at once, and TCX links take their place when the rush is over.
 */
static int ensure(struct attacher *attacher, int ifindex, bool bridge, bool quick, struct error *error)
{
	struct timespec start;
	int r;

	if (has(attacher, &attacher->attached, ifindex))
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &start);
	r = bridge ? attach_bridge(attacher->dataplane, ifindex, attacher->mode, error) :
		     attach_container(attacher->dataplane, ifindex, quick ? ATTACH_MODE_CLSACT : attacher->mode, error);
	if (r < 0)
		return r;
	if (quick && attacher->mode != ATTACH_MODE_CLSACT)
		add(attacher, &attacher->upgrades, ifindex);
	add(attacher, &attacher->attached, ifindex);
	drop(attacher, &attacher->held, ifindex);
	raise_event(attacher->done_fd);
	pthread_mutex_lock(&attacher->lock);
	metrics_observe(&attacher->histogram, seconds_since(&start));
	pthread_mutex_unlock(&attacher->lock);
	return 0;
}

static bool is_docker_bridge(struct attacher *attacher, int ifindex)
{
	char name[IF_NAMESIZE];

	if (has(attacher, &attacher->bridges, ifindex))
		return true;
	if (!if_indextoname(ifindex, name) || !attacher_is_docker_name(name))
		return false;
	add(attacher, &attacher->bridges, ifindex);
	return true;
}

static void new_link(struct attacher *attacher, const struct netlink_link *link)
{
	struct error error = {};
	int r;

	if (!attacher->watch || !link->master || strcmp(link->kind, "veth") != 0 || has(attacher, &attacher->attached, link->ifindex) ||
	    has(attacher, &attacher->held, link->ifindex) || !is_docker_bridge(attacher, link->master))
		return;
	pthread_mutex_lock(&attacher->work);
	r = ensure(attacher, link->ifindex, false, true, &error);
	pthread_mutex_unlock(&attacher->work);
	/* A link that is gone already needs nothing. */
	if (r < 0 && if_indextoname(link->ifindex, (char[IF_NAMESIZE]){ 0 }))
		log_error("interface %s is NOT under enforcement: %s", link->name, error.text);
}

static void gone_link(struct attacher *attacher, int ifindex)
{
	drop(attacher, &attacher->bridges, ifindex);
	drop(attacher, &attacher->held, ifindex);
	drop(attacher, &attacher->upgrades, ifindex);
	if (drop(attacher, &attacher->attached, ifindex)) {
		pthread_mutex_lock(&attacher->work);
		attach_forget(attacher->dataplane, ifindex);
		pthread_mutex_unlock(&attacher->work);
	}
}

/* Messages were lost: what would they have said? */
static void look_again(struct attacher *attacher)
{
	_cleanup_free_ struct netlink_link *links = NULL;
	size_t count = 0;

	if (netlink_dump_links(&links, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		new_link(attacher, &links[i]);
}

static void on_event(void *context, const struct netlink_event *event)
{
	struct attacher *attacher = context;

	switch (event->kind) {
	case NETLINK_LINK_NEW:
		new_link(attacher, &event->link);
		break;
	case NETLINK_LINK_GONE:
		gone_link(attacher, event->link.ifindex);
		break;
	case NETLINK_OVERRUN:
		look_again(attacher);
		break;
	default:
		break;
	}
}

static int first_upgrade(struct attacher *attacher)
{
	int ifindex;

	pthread_mutex_lock(&attacher->lock);
	ifindex = attacher->upgrades.count ? attacher->upgrades.ifindex[0] : 0;
	pthread_mutex_unlock(&attacher->lock);
	return ifindex;
}

/* One interface at a time, so that a link that comes meanwhile does not wait for more than one. */
static void upgrade(struct attacher *attacher, int ifindex)
{
	struct error error = {};
	char name[IF_NAMESIZE];
	int r;

	pthread_mutex_lock(&attacher->work);
	r = has(attacher, &attacher->upgrades, ifindex) ?
	    attach_container(attacher->dataplane, ifindex, ATTACH_MODE_TCX, &error) : 0;
	drop(attacher, &attacher->upgrades, ifindex);
	pthread_mutex_unlock(&attacher->work);
	if (r < 0 && if_indextoname(ifindex, name))
		log_warning("interface %s keeps its clsact filters: %s", name, error.text);
}

static int take_first(struct attacher *attacher, struct set *set)
{
	int ifindex = 0;

	pthread_mutex_lock(&attacher->lock);
	if (set->count) {
		ifindex = set->ifindex[0];
		memmove(set->ifindex, set->ifindex + 1, --set->count * sizeof(int));
	}
	pthread_mutex_unlock(&attacher->lock);
	return ifindex;
}

static void serve(struct attacher *attacher)
{
	char name[IF_NAMESIZE];
	struct error error;
	int ifindex, r;
	bool bridge;

	for (;;) {
		bridge = false;
		ifindex = take_first(attacher, &attacher->requests);
		if (!ifindex) {
			bridge = true;
			ifindex = take_first(attacher, &attacher->bridge_requests);
		}
		if (!ifindex)
			return;
		pthread_mutex_lock(&attacher->work);
		r = ensure(attacher, ifindex, bridge, !bridge, &error);
		pthread_mutex_unlock(&attacher->work);
		if (r < 0 && if_indextoname(ifindex, name))
			log_error("interface %s is NOT under enforcement: %s", name, error.text);
	}
}

static void *run(void *context)
{
	struct attacher *attacher = context;
	struct pollfd fds[] = {
		{ .fd = attacher->netlink_fd, .events = POLLIN },
		{ .fd = attacher->wake_fd, .events = POLLIN },
	};
	int pause_ms = UPGRADE_PAUSE_MS;

	for (;;) {
		int next = first_upgrade(attacher);
		int ready = poll(fds, 2, next ? pause_ms : -1);

		if (ready < 0 && errno != EINTR)
			break;
		if (ready == 0) {
			upgrade(attacher, next);
			pause_ms = UPGRADE_NEXT_MS;
			continue;
		}
		pause_ms = UPGRADE_PAUSE_MS;
		/* Links first: a request is about an interface that can wait. */
		if (fds[0].revents)
			netlink_watch_read(attacher->netlink_fd, on_event, attacher);
		if (fds[1].revents) {
			uint64_t count;

			if (read(attacher->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
				break;
			if (__atomic_load_n(&attacher->stopping, __ATOMIC_ACQUIRE))
				break;
			serve(attacher);
		}
	}
	return NULL;
}

#define SETS 6

static struct set *set_number(struct attacher *attacher, size_t number)
{
	struct set *const sets[SETS] = { &attacher->attached, &attacher->bridges, &attacher->held, &attacher->requests,
					 &attacher->bridge_requests, &attacher->upgrades };

	return sets[number];
}

int attacher_start(struct dataplane *dataplane, enum attach_mode mode, bool watch, const struct netlink_link *held,
		   size_t held_count, struct attacher **ret, struct error *error)
{
	struct attacher *attacher = calloc(1, sizeof(*attacher));
	int r;

	if (!attacher)
		return error_set(error, -ENOMEM, "out of memory");
	attacher->dataplane = dataplane;
	attacher->mode = mode;
	attacher->netlink_fd = attacher->wake_fd = attacher->done_fd = -1;
	pthread_mutex_init(&attacher->work, NULL);
	pthread_mutex_init(&attacher->lock, NULL);
	for (size_t i = 0; i < SETS; i++) {
		struct set *set = set_number(attacher, i);

		set->ifindex = calloc(MAX_INTERFACES, sizeof(int));
		if (!set->ifindex) {
			attacher_stop(attacher);
			return error_set(error, -ENOMEM, "out of memory");
		}
	}
	for (size_t i = 0; i < held_count; i++)
		add(attacher, &attacher->held, held[i].ifindex);
	attacher->watch = watch;
	r = netlink_watch_open(NETLINK_WATCH_LINKS, &attacher->netlink_fd, error);
	if (r == 0) {
		attacher->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		attacher->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (attacher->wake_fd < 0 || attacher->done_fd < 0)
			r = error_set(error, -errno, "cannot make an eventfd: %s", strerror(errno));
	}
	if (r == 0) {
		r = -pthread_create(&attacher->thread, NULL, run, attacher);
		attacher->running = r == 0;
		if (r < 0)
			error_set(error, r, "cannot start a thread: %s", strerror(-r));
	}
	if (r < 0) {
		attacher_stop(attacher);
		return r;
	}
	/* What came between the caller's dump and our subscription. */
	look_again(attacher);
	*ret = attacher;
	return 0;
}

void attacher_request(struct attacher *attacher, int ifindex, bool bridge)
{
	if (has(attacher, &attacher->attached, ifindex))
		return;
	add(attacher, bridge ? &attacher->bridge_requests : &attacher->requests, ifindex);
	raise_event(attacher->wake_fd);
}

void attacher_stop(struct attacher *attacher)
{
	if (!attacher)
		return;
	if (attacher->running) {
		__atomic_store_n(&attacher->stopping, true, __ATOMIC_RELEASE);
		raise_event(attacher->wake_fd);
		pthread_join(attacher->thread, NULL);
	}
	closep(&attacher->netlink_fd);
	closep(&attacher->wake_fd);
	closep(&attacher->done_fd);
	pthread_mutex_destroy(&attacher->work);
	pthread_mutex_destroy(&attacher->lock);
	for (size_t i = 0; i < SETS; i++)
		free(set_number(attacher, i)->ifindex);
	free(attacher);
}

void attacher_add_bridge(struct attacher *attacher, int ifindex)
{
	add(attacher, &attacher->bridges, ifindex);
}

int attacher_ensure(struct attacher *attacher, int ifindex, bool bridge, struct error *error)
{
	int r;

	if (has(attacher, &attacher->attached, ifindex))
		return 0;
	pthread_mutex_lock(&attacher->work);
	r = ensure(attacher, ifindex, bridge, false, error);
	pthread_mutex_unlock(&attacher->work);
	return r;
}

void attacher_verify(struct attacher *attacher, int ifindex)
{
	struct error error = {};
	char name[IF_NAMESIZE];
	uint32_t key = ifindex, flags = 0;

	if (!has(attacher, &attacher->attached, ifindex))
		return;
	pthread_mutex_lock(&attacher->work);
	if (if_indextoname(ifindex, name) && map_get(attacher->dataplane->attached_fd, &key, &flags) == 0) {
		bool bridge = flags & DNET_ATTACHED_BRIDGE;

		if (!has(attacher, &attacher->upgrades, ifindex) &&
		    !attach_present(attacher->dataplane, ifindex, bridge, flags & DNET_ATTACHED_TCX ? ATTACH_MODE_TCX : ATTACH_MODE_CLSACT)) {
			drop(attacher, &attacher->attached, ifindex);
			if (ensure(attacher, ifindex, bridge, true, &error) == 0) {
				__atomic_add_fetch(&attacher->repairs, 1, __ATOMIC_RELAXED);
				log_warning("somebody removed the programs from interface %s; they are back in force", name);
			} else if (if_indextoname(ifindex, name)) {
				log_error("somebody removed the programs from interface %s and they cannot be put back: %s", name, error.text);
			}
		}
	}
	pthread_mutex_unlock(&attacher->work);
}

void attacher_release(struct attacher *attacher, int ifindex)
{
	uint32_t key = ifindex, flags;

	pthread_mutex_lock(&attacher->work);
	if (drop(attacher, &attacher->attached, ifindex) && map_get(attacher->dataplane->attached_fd, &key, &flags) == 0) {
		attach_remove(attacher->dataplane->pin, ifindex, flags);
		map_delete(attacher->dataplane->attached_fd, &key);
	}
	drop(attacher, &attacher->upgrades, ifindex);
	pthread_mutex_unlock(&attacher->work);
}

int attacher_fd(const struct attacher *attacher)
{
	return attacher->done_fd;
}

void attacher_seen(struct attacher *attacher)
{
	uint64_t count;

	if (read(attacher->done_fd, &count, sizeof(count)) < 0)
		return;
}

bool attacher_has(struct attacher *attacher, int ifindex)
{
	return has(attacher, &attacher->attached, ifindex);
}

void attacher_histogram(struct attacher *attacher, struct metrics_histogram *ret)
{
	pthread_mutex_lock(&attacher->lock);
	*ret = attacher->histogram;
	pthread_mutex_unlock(&attacher->lock);
}

unsigned long attacher_repairs(struct attacher *attacher)
{
	return __atomic_load_n(&attacher->repairs, __ATOMIC_RELAXED);
}
