/* SPDX-License-Identifier: GPL-2.0 */
/* bench DNETBPF [PART]... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench.h"

static const char *dnetbpf;

static int limits(void)
{
	return bench_limits(dnetbpf);
}

static int reload(void)
{
	return bench_reload(dnetbpf);
}

static int memory(void)
{
	return bench_memory(dnetbpf);
}

static int starts(void)
{
	return bench_starts(dnetbpf);
}

/* The order in which they are printed: what decides a default comes last. */
static const struct {
	const char *name;
	int (*run)(void);
} parts[] = {
	{ "programs", bench_programs }, { "curves", bench_curves }, { "limits", limits }, { "verifier", bench_verifier }, { "sets", bench_sets },
	{ "reload", reload }, { "memory", memory }, { "attach", bench_attach }, { "starts", starts },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static int usage(void)
{
	fprintf(stderr, "usage: bench DNETBPF [PART]...\nparts:");
	for (size_t i = 0; i < PARTS; i++)
		fprintf(stderr, " %s", parts[i].name);
	fprintf(stderr, "\n");
	return 2;
}

int main(int argc, char **argv)
{
	double load[1] = { 0 }, start = now_ms();
	_cleanup_free_ char *program = NULL;
	struct utsname name;
	int failed = 0;

	if (argc < 2)
		return usage();
	for (int i = 2; i < argc; i++) {
		bool known = false;

		for (size_t k = 0; k < PARTS; k++)
			known = known || strcmp(argv[i], parts[k].name) == 0;
		if (!known)
			return usage();
	}
	if (geteuid() != 0) {
		fprintf(stderr, "bench: run this as root: it makes namespaces and loads BPF programs\n");
		return 1;
	}
	program = realpath(argv[1], NULL);
	if (!program) {
		fprintf(stderr, "bench: there is no %s; build it with `make`\n", argv[1]);
		return 1;
	}
	dnetbpf = program;
	/* Whoever else works on this machine should be measured as little as possible. The daemon inherits it. */
	setpriority(PRIO_PROCESS, 0, -20);
	uname(&name);
	getloadavg(load, 1);
	printf("%ld cores, Linux %s, load %.1f: compare only what stands in one run\n", sysconf(_SC_NPROCESSORS_ONLN), name.release,
	       load[0]);
	for (size_t i = 0; i < PARTS; i++) {
		bool wanted = argc == 2;

		for (int k = 2; k < argc; k++)
			wanted = wanted || strcmp(argv[k], parts[i].name) == 0;
		if (wanted && parts[i].run() < 0)
			failed++;
	}
	getloadavg(load, 1);
	printf("\n%.0f s, load at the end %.1f\n", (now_ms() - start) / 1e3, load[0]);
	return failed ? 1 : 0;
}
