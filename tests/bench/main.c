/* SPDX-License-Identifier: GPL-2.0 */
/* bench DNETBPF [programs|attach|starts|memory]... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench.h"

static const char *dnetbpf;

static int starts(void)
{
	return bench_starts(dnetbpf);
}

static int memory(void)
{
	return bench_memory(dnetbpf);
}

/* The order in which they are printed: what decides a default comes last. */
static const struct {
	const char *name;
	int (*run)(void);
} parts[] = { { "programs", bench_programs }, { "memory", memory }, { "attach", bench_attach }, { "starts", starts } };

int main(int argc, char **argv)
{
	double load[1] = { 0 }, start = now_ms();
	_cleanup_free_ char *program = NULL;
	struct utsname name;
	int failed = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: bench DNETBPF [programs|memory|attach|starts]...\n");
		return 2;
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
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
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
