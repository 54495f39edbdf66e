/* SPDX-License-Identifier: GPL-2.0 */
/* Sets: from a file of 1,000,000 prefixes to the table that is in force. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "bench.h"
#include "compile/set_classes.h"
#include "config/policy_file.h"
#include "lab.h"

#define ROUNDS 5
#define SWAPS 20	/* in a round */
#define SET PLACE_DIRECTORY "/set.txt"

static const struct { const char *name; unsigned int prefixes; bool v6; } tables[] = {
	{ "IPv4, 10,000 prefixes", 10000, false },
	{ "IPv4, 1,000,000 prefixes", 1000000, false },
	{ "IPv6, 1,000,000 prefixes", 1000000, true },
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

struct table_round {
	size_t index;
	struct series parse, build, install, swap;	/* ms */
	size_t words;
};

static int swap(struct table_round *round, struct dataplane *dataplane, enum dnet_set_family family, struct error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = DNET_SET_MAP_FLAGS);
	const uint32_t slot = dataplane_arena(dataplane) * DNET_SET_FAMILIES + family;
	int fds[2] = { -1, -1 }, r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		fds[i] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bench", sizeof(uint32_t), sizeof(uint64_t), (uint32_t)round->words, &options);
		r = fds[i] < 0 ? -errno : 0;
	}
	for (int i = 0; i < SWAPS && r == 0; i++) {
		double start = now_ms();

		r = map_set(dataplane->sets_fd, &slot, &fds[i % 2]);
		series_add(&round->swap, now_ms() - start);
	}
	closep(&fds[0]);
	closep(&fds[1]);
	return r < 0 ? error_set(error, r, "cannot swap a table: %s", strerror(-r)) : 0;
}

static int body(void *context, struct error *error)
{
	static const char text[] = "version: 1\nsets:\n  s: { file: " SET " }\n";
	struct table_round *round = context;
	enum dnet_set_family family = tables[round->index].v6 ? DNET_SET_V6 : DNET_SET_V4;
	struct dataplane *dataplane = NULL;
	struct set_classes *classes = NULL;
	struct policy_set policies = {};
	const uint64_t *words;
	uint32_t next_class = 1;
	double start;
	int r = lab_write_set(SET, tables[round->index].prefixes, tables[round->index].v6, error);

	if (r == 0)
		r = dataplane_open(NULL, &dataplane, error);
	start = now_ms();
	if (r == 0)
		r = policy_file_parse("bench", text, sizeof(text) - 1, &policies, NULL, error);
	if (r == 0) {
		series_add(&round->parse, now_ms() - start);
		start = now_ms();
		r = set_classes_new(&policies, NULL, &next_class, &classes, error);
	}
	if (r == 0) {
		series_add(&round->build, now_ms() - start);
		round->words = set_classes_words(classes, family, &words);
		start = now_ms();
		r = dataplane_set_table(dataplane, dataplane_arena(dataplane), family, words, round->words, 1, error);
	}
	if (r == 0) {
		series_add(&round->install, now_ms() - start);
		r = swap(round, dataplane, family, error);
	}
	set_classes_free(classes);
	policy_set_clear(&policies);
	dataplane_close(dataplane);
	return r;
}

int bench_sets(void)
{
	struct table_round *rounds = shared_memory(TABLES * sizeof(*rounds));
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++)
		for (size_t k = 0; k < TABLES && r == 0; k++) {
			rounds[k].index = k;
			r = place_run(tables[k].name, 60, body, &rounds[k]);
		}
	if (r < 0)
		return r;
	printf("\nSets: ms, median and min..max of %d interleaved rounds (the swap: of %d)\n", ROUNDS, ROUNDS * SWAPS);
	printf("  %-26s %10s %6s  %-14s %6s  %-14s %6s  %-14s %6s  %-14s\n", "", "bytes", "", "read the file", "", "build", "", "install", "",
	       "a swap alone");
	for (size_t k = 0; k < TABLES; k++) {
		const struct series *columns[] = { &rounds[k].parse, &rounds[k].build, &rounds[k].install, &rounds[k].swap };

		printf("  %-26s %10zu ", tables[k].name, rounds[k].words * sizeof(uint64_t));
		for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
			series_print(columns[i], 6, 1);
		printf("\n");
	}
	printf("  Install: the map is made, filled and entered. The swap is one pointer; its time is the kernel waiting for a grace period.\n");
	return 0;
}
