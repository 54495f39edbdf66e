/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel's verifier says of each program: the instructions that it followed, and the time that this took. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bench.h"
#include "bpf/explain.skel.h"
#include "bpf/tc.skel.h"

#define ROUNDS 5
#define LIMIT 1000000.0		/* BPF_COMPLEXITY_LIMIT_INSNS */
#define LOG_STATS 4		/* BPF_LOG_STATS: a few lines, nothing of the program */
#define LOG_SIZE 4096
#define MAX_PROGRAMS 8

struct verified {
	char name[32];
	unsigned int written, followed, machine;	/* instructions, instructions, bytes */
	struct series ms;
};

struct verifier_round {
	struct verified programs[MAX_PROGRAMS];
	size_t count;
	struct series whole;	/* ms: opening and loading both objects, maps included */
};

/* "... WORD NUMBER ..." of the kernel's log; 0: not there. */
static unsigned int number_after(const char *log, const char *word)
{
	const char *found = strstr(log, word);

	return found ? (unsigned int)strtoul(found + strlen(word), NULL, 10) : 0;
}

static struct verified *find(struct verifier_round *round, const char *name)
{
	for (size_t i = 0; i < round->count; i++)
		if (strcmp(round->programs[i].name, name) == 0)
			return &round->programs[i];
	if (round->count == MAX_PROGRAMS)
		return NULL;
	snprintf(round->programs[round->count].name, sizeof(round->programs[0].name), "%s", name);
	return &round->programs[round->count++];
}

/* Ask the kernel for its figures of each program that is about to be loaded. @logs: MAX_PROGRAMS * LOG_SIZE bytes. */
static void ask_for_figures(struct bpf_object *object, char *logs)
{
	struct bpf_program *program;
	size_t i = 0;

	bpf_object__for_each_program(program, object) {
		if (i == MAX_PROGRAMS)
			break;
		bpf_program__set_log_level(program, LOG_STATS);
		bpf_program__set_log_buf(program, logs + i++ * LOG_SIZE, LOG_SIZE);
	}
}

static void note_figures(struct bpf_object *object, const char *logs, struct verifier_round *round)
{
	struct bpf_program *program;
	size_t i = 0;

	bpf_object__for_each_program(program, object) {
		struct verified *verified = find(round, bpf_program__name(program));
		const char *log = logs + i++ * LOG_SIZE;
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);

		if (!verified || i > MAX_PROGRAMS)
			break;
		bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);
		verified->written = info.xlated_prog_len / sizeof(struct bpf_insn);
		verified->followed = info.verified_insns;
		verified->machine = info.jited_prog_len;
		series_add(&verified->ms, number_after(log, "verification time ") / 1e3);
	}
}

static int body(void *context, struct error *error)
{
	struct verifier_round *round = context;
	_cleanup_free_ char *logs = calloc(2 * MAX_PROGRAMS, LOG_SIZE);
	double start = now_ms();
	struct tc_bpf *tc = tc_bpf__open();
	struct explain_bpf *explain = explain_bpf__open();
	struct bpf_map *map;
	int r = tc && explain && logs ? 0 : -ENOMEM;

	if (r == 0) {
		ask_for_figures(tc->obj, logs);
		ask_for_figures(explain->obj, logs + MAX_PROGRAMS * LOG_SIZE);
		r = tc_bpf__load(tc);
	}
	/* As the daemon has them: one set of maps. */
	if (r == 0)
		bpf_object__for_each_map(map, explain->obj) {
			struct bpf_map *shared = bpf_object__find_map_by_name(tc->obj, bpf_map__name(map));

			if (shared && !strchr(bpf_map__name(map), '.'))
				bpf_map__reuse_fd(map, bpf_map__fd(shared));
		}
	if (r == 0)
		r = explain_bpf__load(explain);
	if (r < 0) {
		error_set(error, r, "the kernel refused the programs: %s", strerror(-r));
	} else {
		series_add(&round->whole, now_ms() - start);
		note_figures(tc->obj, logs, round);
		note_figures(explain->obj, logs + MAX_PROGRAMS * LOG_SIZE, round);
	}
	tc_bpf__destroy(tc);
	explain_bpf__destroy(explain);
	return r;
}

int bench_verifier(void)
{
	struct verifier_round *round = shared_memory(sizeof(*round));
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++)
		r = place_run("verifier", 30, body, round);
	if (r < 0)
		return r;
	printf("\nVerifier: of each program, median and min..max of %d loads; all of them with their maps: %.0f ms\n", ROUNDS,
	       series_part(&round->whole, 0.5));
	printf("  %-24s %12s %12s %10s %9s %12s %6s  %s\n", "", "instructions", "followed", "of a limit", "headroom", "machine code", "",
	       "ms in the verifier");
	for (size_t i = 0; i < round->count; i++) {
		const struct verified *verified = &round->programs[i];

		printf("  %-24s %12u %12u %9.1f%% %8.0fx %6u bytes ", verified->name, verified->written, verified->followed,
		       verified->followed / LIMIT * 100, verified->followed ? LIMIT / verified->followed : 0, verified->machine);
		series_print(&verified->ms, 6, 1);
		printf("\n");
	}
	printf("  The limit is 1,000,000 instructions followed, functions and every path through them included.\n");
	return 0;
}
