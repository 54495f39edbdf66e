/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The version word flips as fast as it can while two CPUs judge: a program that reads it twice would meet two policies. Both
 * policies stand in their arenas already, so that nothing but the flip itself takes time; tests/net/test_net_switch.py has the
 * rest.
 */
#include "packet.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define RUNNERS 2
#define REPEAT 256
#define FRAMES 16
#define SECONDS 1.0
#define LEAST_RUNS 2000	/* and flips: fewer would show nothing */

/* What both policies (policies.c: switch-a, switch-b) let pass, and what both deny; a mixture of them says otherwise. */
static const char *const passing[] = {
	"192.0.2.9:1 -> 198.18.0.2:83 udp", "192.0.2.66:1 -> 198.18.0.2:84 udp", "192.0.2.9:1 -> 198.18.0.2:86 udp",
	"192.0.2.9:1 -> 198.18.0.2:87 udp", "192.0.2.66:1 -> 198.18.0.2:89 udp", "192.0.2.9:1 -> 198.18.0.2:91 udp",
	"[2001:db8::9]:1 -> [fd77:1::2]:87 udp",
};
static const char *const denied[] = {
	"192.0.2.9:1 -> 198.18.0.2:81 udp", "192.0.2.9:1 -> 198.18.0.2:82 udp", "192.0.2.66:1 -> 198.18.0.2:83 udp",
	"192.0.2.9:1 -> 198.18.0.2:84 udp", "192.0.2.9:1 -> 198.18.0.2:85 udp", "192.0.2.66:1 -> 198.18.0.2:87 udp",
	"192.0.2.9:1 -> 198.18.0.2:89 udp", "192.0.2.9:1 -> 198.18.0.2:92 udp", "[2001:db8::66]:1 -> [fd77:1::2]:87 udp",
};

struct runner {
	pthread_t thread;
	int cpu, program, error;
	const struct frame *frames;
	size_t count;
	atomic_bool *stop;
	uint64_t runs;
};

static void *run_frames(void *argument)
{
	struct runner *runner = argument;
	struct __sk_buff context = { .ifindex = if_nametoindex("web"), .ingress_ifindex = if_nametoindex("uplink") };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(runner->cpu, &cpus);
	/* With one CPU alone there is nothing to race with, and the counts are as they are. */
	pthread_setaffinity_np(runner->thread, sizeof(cpus), &cpus);
	for (size_t i = 0; !atomic_load(runner->stop) && !runner->error; i++) {
		const struct frame *frame = &runner->frames[i % runner->count];
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes, .data_size_in = (uint32_t)frame->length,
			    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = REPEAT);

		if (bpf_prog_test_run_opts(runner->program, &options) < 0)
			runner->error = errno;
		else
			runner->runs += REPEAT;
	}
	return NULL;
}

static uint64_t sum(const struct dnet_counter *counters, size_t count)
{
	uint64_t packets = 0;

	for (size_t i = 0; i < count; i++)
		packets += counters[i].packets;
	return packets;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Flip while they run. False with a sentence in @problem. */
static bool flip_under(struct world *world, struct runner *runners, uint64_t *ret_runs, uint64_t *ret_flips, char *problem,
		       size_t size)
{
	double end = seconds() + SECONDS;
	size_t started = 0;
	atomic_bool stop = false;

	*ret_runs = *ret_flips = 0;
	for (; started < RUNNERS; started++) {
		runners[started].stop = &stop;
		if (pthread_create(&runners[started].thread, NULL, run_frames, &runners[started]))
			break;
	}
	while (started == RUNNERS && seconds() < end)
		for (int i = 0; i < 100; i++, (*ret_flips)++)
			dataplane_flip(world->dataplane);
	atomic_store(&stop, true);
	for (size_t i = 0; i < started; i++) {
		pthread_join(runners[i].thread, NULL);
		*ret_runs += runners[i].runs;
		if (runners[i].error)
			snprintf(problem, size, "a run failed: %s", strerror(runners[i].error));
	}
	if (started < RUNNERS)
		snprintf(problem, size, "cannot start a thread");
	else if (!problem[0] && (*ret_runs < LEAST_RUNS || *ret_flips < LEAST_RUNS))
		snprintf(problem, size, "only %lu runs and %lu flips", *ret_runs, *ret_flips);
	return !problem[0];
}

static void switch_under(struct world *world, const char *const *texts, size_t count, bool pass)
{
	static const uint8_t uplink_mac[6] = { 2, 0, 0, 0, 0xff, 1 };
	static struct world_counters before, after;
	struct runner runners[RUNNERS] = {};
	struct frame frames[FRAMES];
	uint64_t runs = 0, flips = 0, passed = 0, dropped = 0;
	char problem[512] = "";
	int answer;

	world_reset(world);
	for (size_t i = 0; i < count && !problem[0]; i++) {
		/* Once in the usual way, which gives the interface its MAC address as well. */
		if (!frame_build(texts[i], uplink_mac, world_slot(world, "web")->mac, &frames[i], problem))
			break;
		if (world_run(world, PROGRAM_INGRESS, if_nametoindex("web"), if_nametoindex("uplink"), true, &frames[i], &answer) < 0 ||
		    (answer == 2) == pass)	/* TC_ACT_SHOT */
			snprintf(problem, sizeof(problem), "%s is not judged as it is meant", texts[i]);
	}
	for (int i = 0; i < RUNNERS; i++)
		runners[i] = (struct runner){ .cpu = i, .program = world->dataplane->program_fd[PROGRAM_INGRESS], .frames = frames,
					      .count = count };
	if (!problem[0] && world_count(world, &before) && flip_under(world, runners, &runs, &flips, problem, sizeof(problem)) &&
	    world_count(world, &after)) {
		passed = sum(after.pass, COUNT(after.pass)) - sum(before.pass, COUNT(before.pass));
		dropped = sum(after.deny, COUNT(after.deny)) - sum(before.deny, COUNT(before.deny));
		if (passed != (pass ? runs : 0) || dropped != (pass ? 0 : runs))
			snprintf(problem, sizeof(problem), "of %lu packets %lu passed and %lu were denied", runs, passed, dropped);
	}
	printf("# summary the version word flipped %lu times under %lu packets that both policies %s: %lu judged by a mixture\n", flips,
	       runs, pass ? "allow" : "deny", pass ? dropped : passed);
	tap(!problem[0], pass ? "no mixture of two policies denies" : "no mixture of two policies lets pass", "%s", problem);
	world_forget_events(world);
}

void run_switch(struct world *world)
{
	/* By name and arena: dataplane_flip() goes through all three. */
	static const char *const arenas[DNET_ARENAS] = { "switch-a", "switch-b", "switch-a" };
	struct error error = {};

	for (size_t i = 0; i < DNET_ARENAS; i++)
		if (!world_policy(world, arenas[i], &error)) {
			tap(false, "two policies to switch between", "%s", error.text);
			return;
		}
	switch_under(world, passing, COUNT(passing), true);
	switch_under(world, denied, COUNT(denied), false);
}
