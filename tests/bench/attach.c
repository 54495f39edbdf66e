/* SPDX-License-Identifier: GPL-2.0 */
/* What attaching both programs to one veth takes, one veth after the other. */
#include <net/if.h>
#include <stdio.h>

#include "bench.h"

#define VETHS 50
#define ROUNDS 3

struct attach_round {
	enum attach_mode mode;
	struct series attach, again;
};

static int body(void *context, struct error *error)
{
	struct attach_round *round = context;
	struct dataplane *dataplane = NULL;
	struct mnl_socket *socket = NULL;
	int ifindex[VETHS];
	int r = link_open(&socket, error);

	if (r == 0)
		r = dataplane_open(PLACE_PIN, &dataplane, error);
	for (int i = 0; i < VETHS && r == 0; i++) {
		char name[IF_NAMESIZE], peer[IF_NAMESIZE];

		snprintf(name, sizeof(name), "veth%d", i);
		snprintf(peer, sizeof(peer), "peer%d", i);
		r = link_add_veth(socket, name, peer, error);
		ifindex[i] = (int)if_nametoindex(name);
	}
	for (int i = 0; i < VETHS && r == 0; i++) {
		double start = now_ms();

		r = attach_container(dataplane, ifindex[i], round->mode, error);
		series_add(&round->attach, now_ms() - start);
	}
	for (int i = 0; i < VETHS && r == 0; i++) {
		double start = now_ms();

		r = attach_container(dataplane, ifindex[i], round->mode, error);
		series_add(&round->again, now_ms() - start);
	}
	if (socket)
		link_delete_group(socket, NULL);
	link_close(socket);
	dataplane_close(dataplane);
	return r;
}

static const char *const names[2] = { [ATTACH_MODE_CLSACT] = "clsact", [ATTACH_MODE_TCX] = "tcx" };

int bench_attach(void)
{
	struct attach_round *rounds = shared_memory(2 * sizeof(*rounds));
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++)
		for (int mode = 0; mode < 2 && r == 0; mode++) {
			rounds[mode].mode = (enum attach_mode)mode;
			r = place_run("attach", 30, body, &rounds[mode]);
		}
	if (r < 0)
		return r;
	printf("\nAttach: ms for both programs on one veth, %d veths one by one, median and min..max of %d interleaved rounds\n", VETHS,
	       ROUNDS);
	printf("  %-8s %8s  %-18s %8s  %-18s\n", "", "", "first", "", "replace");
	for (int mode = 0; mode < 2; mode++) {
		printf("  %-8s ", names[mode]);
		series_print(&rounds[mode].attach, 8, 2);
		printf(" ");
		series_print(&rounds[mode].again, 8, 2);
		printf("\n");
	}
	printf("  ratio    %8.0f  %18s %8.1f\n", series_part(&rounds[ATTACH_MODE_TCX].attach, 0.5) /
	       series_part(&rounds[ATTACH_MODE_CLSACT].attach, 0.5), "",
	       series_part(&rounds[ATTACH_MODE_TCX].again, 0.5) / series_part(&rounds[ATTACH_MODE_CLSACT].again, 0.5));
	return 0;
}
