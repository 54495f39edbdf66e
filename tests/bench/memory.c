/* SPDX-License-Identifier: GPL-2.0 */
/* What the daemon takes: memory with no and with many containers, and the time until it answers. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bench.h"

#define ROUNDS 3
#define BRIDGE "br-bench"
#define CONFIG PLACE_DIRECTORY "/policy.yaml"
#define INVENTORY PLACE_DIRECTORY "/inventory.yaml"

static const int endpoint_counts[] = { 0, 200 };
#define COUNTS (sizeof(endpoint_counts) / sizeof(endpoint_counts[0]))

struct memory_round {
	const char *program;
	int endpoints;
	struct series ready, enforced;	/* ms */
	struct series resident, anonymous, mapped, maps;	/* MiB */
};

static int write_files(int endpoints, struct error *error)
{
	_cleanup_fclose_ FILE *config = fopen(CONFIG, "we"), *inventory = fopen(INVENTORY, "we");

	if (!config || !inventory)
		return error_set(error, -errno, "cannot write the configuration: %s", strerror(errno));
	fprintf(config, "version: 1\npolicies:\n  - name: web\n    select: all\n    ingress:\n      - \"allow 80,443/tcp from any\"\n"
			"      - \"allow 9100/tcp from container:c1\"\n    egress:\n      - \"allow 5432/tcp to container:c2\"\n"
			"      - \"allow 53/udp to 198.19.0.0/16\"\n");
	fprintf(inventory, "networks:\n  - { name: bench, bridge: " BRIDGE ", subnets: [198.18.0.0/16] }\nendpoints:%s\n",
		endpoints ? "" : " []");
	for (int i = 0; i < endpoints; i++)
		fprintf(inventory, "  - { container: c%d, interface: veth%d, network: bench, addresses: [198.18.%d.%d], mac: \"02:00:00:00:%02x:%02x\" }\n",
			i, i, 1 + i / 250, 1 + i % 250, i >> 8, i & 0xff);
	return 0;
}

static int make_veths(struct mnl_socket *socket, int count, struct error *error)
{
	int r = link_add_bridge(socket, BRIDGE, error);

	for (int i = 0; i < count && r == 0; i++) {
		char name[IF_NAMESIZE], peer[IF_NAMESIZE];

		snprintf(name, sizeof(name), "veth%d", i);
		snprintf(peer, sizeof(peer), "peer%d", i);
		r = link_add_port(socket, name, peer, (int)if_nametoindex(BRIDGE), error);
	}
	return r;
}

static int body(void *context, struct error *error)
{
	static const char *const arguments[] = { "--inventory", "static:" INVENTORY, "--config", CONFIG, "--attach", "clsact", NULL };
	struct memory_round *round = context;
	struct mnl_socket *socket = NULL;
	double ready, start;
	struct usage usage;
	pid_t pid = 0;
	int r = link_open(&socket, error);

	if (r == 0)
		r = make_veths(socket, round->endpoints, error);
	if (r == 0)
		r = write_files(round->endpoints, error);
	start = now_ms();
	if (r == 0)
		r = daemon_start(round->program, arguments, &pid, &ready, error);
	if (r == 0)
		r = daemon_wait("enforced", round->endpoints, error);
	if (r == 0) {
		series_add(&round->ready, ready);
		series_add(&round->enforced, now_ms() - start);
		usage_of(pid, &usage);
		series_add(&round->resident, usage.resident);
		series_add(&round->anonymous, usage.own);
		series_add(&round->mapped, usage.mapped);
		series_add(&round->maps, map_mebibytes(pid));
	}
	if (pid)
		daemon_stop(pid);
	if (socket)
		link_delete_group(socket, NULL);
	link_close(socket);
	return r;
}

int bench_memory(const char *program)
{
	struct memory_round *rounds = shared_memory(COUNTS * sizeof(*rounds));
	int r = 0;

	for (int i = 0; i < ROUNDS && r == 0; i++)
		for (size_t k = 0; k < COUNTS && r == 0; k++) {
			rounds[k].program = program;
			rounds[k].endpoints = endpoint_counts[k];
			r = place_run("memory", 60, body, &rounds[k]);
		}
	if (r < 0)
		return r;
	printf("\nDaemon: median of %d interleaved rounds; MiB, ms (min..max)\n", ROUNDS);
	printf("  %-12s %10s %10s %14s %14s %10s  %-20s %10s  %-20s\n", "containers", "resident", "of it own", "of it mapped", "kernel's maps",
	       "", "run to status", "", "run to all enforced");
	for (size_t k = 0; k < COUNTS; k++) {
		printf("  %-12d %10.1f %10.1f %14.1f %14.1f ", rounds[k].endpoints, series_part(&rounds[k].resident, 0.5),
		       series_part(&rounds[k].anonymous, 0.5), series_part(&rounds[k].mapped, 0.5), series_part(&rounds[k].maps, 0.5));
		series_print(&rounds[k].ready, 10, 0);
		series_print(&rounds[k].enforced, 10, 0);
		printf("\n");
	}
	printf("  Mapped: tables of the kernel's, which the daemon sees as its memory; the rest is program text and libraries.\n");
	return 0;
}
