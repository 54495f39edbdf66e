/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a veth's joining a Docker bridge to both programs in force on it, while many join at once. The daemon runs as it does on
 * a host whose Docker does not answer, so that every interface stays pending and denies. It never makes TCX links while
 * containers start; what that would be like is measured with a loop of the bench's own over the same functions.
 *
 * Each start asks with packets: the program that is attached last judges what goes out through the veth, and the kernel
 * answers send() with ENOBUFS when it denies. Queries for programs would take the very lock (RTNL) that attaching needs.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/netlink.h"
#include "bench.h"

#define STARTS 200
#define THREADS 10
#define ROUNDS 3
#define BRIDGE "br-0123456789ab"	/* as Docker names them */
#define ASK_EVERY_NS 250000
#define PATIENCE_MS 15000
#define EXCHANGE_MS 4000
#define ETHERTYPE_EXPERIMENT 0x88b5	/* IEEE Std 802, local experiments */

enum way { CLSACT, TCX_LATER, TCX_AT_ONCE, WAYS };
static const struct {
	const char *name;
	const char *attach;	/* the daemon's option; NULL: no daemon, a loop that makes TCX links */
} ways[WAYS] = {
	[CLSACT] = { "--attach clsact", "clsact" },
	[TCX_LATER] = { "--attach tcx", "tcx" },
	[TCX_AT_ONCE] = { "tcx at once", NULL },
};

struct start_round {
	enum way way;
	const char *program;
	struct series enforced, joined, whole;	/* ms; whole: all starts of one round */
	struct series exchanged;		/* veths a second that get TCX links instead of filters afterwards */
	struct series removed;			/* ms, the deletion of all */
	unsigned int first_denied;		/* starts whose very first packet was denied */
	unsigned int starts;
};

struct worker {
	struct start_round *round;
	pthread_mutex_t *lock;
	pthread_t thread;
	int bridge, first, result;
	struct error error;
};

static int open_packet(int ifindex, int *ret_fd, struct error *error)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };	/* protocol 0: it receives nothing */
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(error, -errno, "cannot open a packet socket: %s", strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* 1: denied, 0: sent. */
static int ask(int fd, struct error *error)
{
	struct ethhdr frame = { .h_dest = { 2, 0, 0, 0, 0, 2 }, .h_source = { 2, 0, 0, 0, 0, 1 }, .h_proto = htons(ETHERTYPE_EXPERIMENT) };

	if (send(fd, &frame, sizeof(frame), 0) >= 0)
		return 0;
	return errno == ENOBUFS ? 1 : error_set(error, -errno, "cannot send a packet: %s", strerror(errno));
}

static int start_one(struct worker *worker, struct mnl_socket *socket, int number, struct error *error)
{
	const struct timespec pause = { .tv_nsec = ASK_EVERY_NS };
	char name[IF_NAMESIZE], peer[IF_NAMESIZE];
	_cleanup_close_ int fd = -1;
	double begun = now_ms(), joined;
	int ifindex, r, asked = 0;

	snprintf(name, sizeof(name), "veth%d", number);
	snprintf(peer, sizeof(peer), "peer%d", number);
	r = link_add_veth(socket, name, peer, error);
	if (r < 0)
		return r;
	ifindex = (int)if_nametoindex(name);
	r = open_packet(ifindex, &fd, error);
	if (r == 0)
		r = link_join(socket, ifindex, worker->bridge, error);
	/* The clock starts when the bridge has it: earlier nothing could be forwarded. */
	joined = now_ms();
	if (r == 0)
		r = link_up(socket, ifindex, error);
	begun = now_ms() - begun;
	while (r == 0) {
		r = ask(fd, error);
		asked++;
		if (r == 0 && now_ms() - joined > PATIENCE_MS)
			r = error_set(error, -ETIMEDOUT, "no program is in force on %s after %d ms", name, PATIENCE_MS);
		if (r == 0)
			nanosleep(&pause, NULL);
	}
	if (r < 0)
		return r;
	joined = now_ms() - joined;
	pthread_mutex_lock(worker->lock);
	series_add(&worker->round->enforced, joined);
	series_add(&worker->round->joined, begun);
	worker->round->first_denied += asked == 1;
	worker->round->starts++;
	pthread_mutex_unlock(worker->lock);
	return 0;
}

static void *work(void *context)
{
	struct worker *worker = context;
	struct mnl_socket *socket = NULL;

	worker->result = link_open(&socket, &worker->error);
	for (int i = worker->first; i < STARTS && worker->result == 0; i += THREADS)
		worker->result = start_one(worker, socket, i, &worker->error);
	link_close(socket);
	return NULL;
}

static int start_all(struct start_round *round, int bridge, struct error *error)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct worker workers[THREADS];
	double start = now_ms();
	int r = 0, running = 0;

	memset(workers, 0, sizeof(workers));
	for (int i = 0; i < THREADS && r == 0; i++) {
		workers[i].round = round;
		workers[i].lock = &lock;
		workers[i].bridge = bridge;
		workers[i].first = i;
		r = -pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		running += r == 0;
	}
	if (r < 0)
		error_set(error, r, "cannot start a thread: %s", strerror(-r));
	for (int i = 0; i < running; i++) {
		pthread_join(workers[i].thread, NULL);
		if (r == 0 && workers[i].result < 0)
			r = error_set(error, workers[i].result, "%s", workers[i].error.text);
	}
	series_add(&round->whole, now_ms() - start);
	return r;
}

/* The simplest attacher: each veth of the bridge at its first message. */
struct simple_attacher {
	struct dataplane *dataplane;
	pthread_t thread;
	int netlink_fd, bridge;
	bool done[65536];	/* by ifindex: a new namespace counts from 1 */
	bool stop, running;
	struct error error;
};

static void on_link(void *context, const struct netlink_event *event)
{
	struct simple_attacher *attacher = context;
	int ifindex = event->link.ifindex;

	if (event->kind != NETLINK_LINK_NEW || event->link.master != attacher->bridge || ifindex >= 65536 || attacher->done[ifindex])
		return;
	attacher->done[ifindex] = true;
	/* A failure shows as an interface that never gets its programs. */
	attach_container(attacher->dataplane, ifindex, ATTACH_MODE_TCX, &attacher->error);
}

static void *attach_links(void *context)
{
	struct simple_attacher *attacher = context;
	struct pollfd fd = { .fd = attacher->netlink_fd, .events = POLLIN };

	while (!__atomic_load_n(&attacher->stop, __ATOMIC_ACQUIRE))
		if (poll(&fd, 1, 50) > 0)
			netlink_watch_read(attacher->netlink_fd, on_link, attacher);
	return NULL;
}

static int simple_attacher_start(struct simple_attacher *attacher, int bridge, struct error *error)
{
	int r;

	attacher->netlink_fd = -1;
	attacher->bridge = bridge;
	r = dataplane_open(PLACE_PIN, &attacher->dataplane, error);
	if (r == 0)
		r = netlink_watch_open(NETLINK_WATCH_LINKS, &attacher->netlink_fd, error);
	if (r == 0)
		r = -pthread_create(&attacher->thread, NULL, attach_links, attacher);
	attacher->running = r == 0;
	return r;
}

static void simple_attacher_stop(struct simple_attacher *attacher)
{
	__atomic_store_n(&attacher->stop, true, __ATOMIC_RELEASE);
	if (attacher->running)
		pthread_join(attacher->thread, NULL);
	closep(&attacher->netlink_fd);
	dataplane_close(attacher->dataplane);
}

static unsigned int pinned_links(void)
{
	DIR *directory = opendir(PLACE_PIN "/tcx");
	unsigned int count = 0;
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return count;
}

/* How fast TCX links take the place of the filters once no container starts: veths a second. All of them would take too long. */
static void watch_exchange(struct series *exchanged)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	double start = now_ms(), end;
	unsigned int done;

	do {
		nanosleep(&pause, NULL);
		done = pinned_links() / 2;	/* the odd one is the bridge's */
		end = now_ms();
	} while (done < STARTS && end - start < EXCHANGE_MS);
	series_add(exchanged, done * 1e3 / (end - start));
}

static int body(void *context, struct error *error)
{
	struct start_round *round = context;
	const char *attach = ways[round->way].attach;
	const char *arguments[] = { "--inventory", "docker", "--docker", "unix://" PLACE_DIRECTORY "/no-docker.sock", "--attach",
				    attach, NULL };
	static struct simple_attacher attacher = { .netlink_fd = -1 };
	struct mnl_socket *socket = NULL;
	double start, ignored;
	pid_t pid = 0;
	int bridge, r = link_open(&socket, error);

	if (r == 0)
		r = link_add_bridge(socket, BRIDGE, error);
	bridge = (int)if_nametoindex(BRIDGE);
	if (r == 0)
		r = attach ? daemon_start(round->program, arguments, &pid, &ignored, error) :
			     simple_attacher_start(&attacher, bridge, error);
	if (r == 0)
		r = start_all(round, bridge, error);
	if (r == 0 && round->way == TCX_LATER)
		watch_exchange(&round->exchanged);
	/* While the attacher runs, as when containers stop. And here, not by the namespace's end, which the next round would meet. */
	start = now_ms();
	if (r == 0)
		r = link_delete_group(socket, error);
	series_add(&round->removed, now_ms() - start);
	if (pid)
		daemon_stop(pid);
	if (!attach)
		simple_attacher_stop(&attacher);
	link_close(socket);
	return r;
}

static void print_row(const struct start_round *round)
{
	const struct series *enforced = &round->enforced;
	char exchanged[32] = "";

	if (round->exchanged.count)
		snprintf(exchanged, sizeof(exchanged), "%.1f", series_part(&round->exchanged, 0.5));
	printf("  %-16s %8.1f %8.1f %8.1f %9.1f %9.1f %10.0f %11s %8.0f %5u of %u\n", ways[round->way].name,
	       series_part(enforced, 0.5), series_part(enforced, 0.99), series_part(enforced, 1), series_part(&round->joined, 0.5),
	       series_part(&round->joined, 0.99), series_part(&round->whole, 0.5), exchanged, series_part(&round->removed, 0.5),
	       round->first_denied, round->starts);
}

int bench_starts(const char *program)
{
	struct start_round *rounds = shared_memory(WAYS * sizeof(*rounds));
	double tcx, clsact;
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++)
		for (int way = 0; way < WAYS && r == 0; way++) {
			rounds[way].way = (enum way)way;
			rounds[way].program = program;
			r = place_run(ways[way].name, 60, body, &rounds[way]);
		}
	if (r < 0)
		return r;
	printf("\nStarts: %d veths join a Docker bridge, %d at a time, %d interleaved rounds; ms\n", STARTS, THREADS, ROUNDS);
	printf("  %-16s %26s %19s %10s %11s %8s %12s\n", "", "join -> both in force", "make, join, up", "all of a", "then veths", "remove",
	       "first packet");
	printf("  %-16s %8s %8s %8s %9s %9s %10s %11s %8s %12s\n", "", "median", "p99", "max", "median", "p99", "round", "to TCX/s",
	       "all", "denied");
	for (int way = 0; way < WAYS; way++)
		print_row(&rounds[way]);
	clsact = series_part(&rounds[CLSACT].enforced, 0.99);
	tcx = series_part(&rounds[TCX_AT_ONCE].enforced, 0.99);
	printf("  \"First packet denied\": this bench sends as soon as the veth is up; a container does so tens of ms later, at a live connect some 10 ms.\n");
	/* A tie goes to TCX: nobody else can sweep its links away. */
	printf("  => %s at a start: with clsact both programs are in force %.1f ms after the join (p99, %d starts at a time), with TCX "
	       "links made at once %.1f ms.\n", tcx > clsact * 1.2 ? "clsact" : "TCX", clsact, THREADS, tcx);
	return 0;
}
