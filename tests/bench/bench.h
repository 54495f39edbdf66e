/* SPDX-License-Identifier: GPL-2.0 */
/* Measuring: figures, no verdicts. Each measurement runs in a process, a network and a mount namespace of its own, so that
 * nothing is left behind whatever happens to it. */
#ifndef DNETBPF_TESTS_BENCH_H
#define DNETBPF_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "dataplane/attach.h"

#define SERIES_ROOM 1024

/* Values that were measured. In shared memory when a child fills it. */
struct series {
	size_t count;
	double value[SERIES_ROOM];
};
void series_add(struct series *series, double value);
/* @part: 0 is the smallest, 0.5 the median, 1 the largest. 0 for an empty series. */
double series_part(const struct series *series, double part);
/* "MEDIAN  MIN..MAX" in columns. */
void series_print(const struct series *series, int width, int decimals);

double now_ms(void);
/* Zeroed memory that children share; never given back. Ends the program when there is none. */
void *shared_memory(size_t size);

/* Inside a place: a directory that vanishes with it, and a bpffs in it. */
#define PLACE_DIRECTORY "/mnt"
#define PLACE_BPFFS	PLACE_DIRECTORY "/bpf"
#define PLACE_PIN	PLACE_BPFFS "/dnetbpf"
#define PLACE_CONTROL	PLACE_DIRECTORY "/control.sock"

/*
 * Run @body in a new place; killed after @seconds, with the processes that it started. Returns what it returns, or a negative
 * errno. Failures are printed.
 */
int place_run(const char *what, unsigned int seconds, int (*body)(void *context, struct error *error), void *context);
/* Keep the calling process on one core. */
void place_pin_to_core(void);

/* Interfaces, over a netlink socket of the caller's. */
struct mnl_socket;
#define LINK_GROUP 77
int link_open(struct mnl_socket **ret, struct error *error);
void link_close(struct mnl_socket *socket);
int link_add_bridge(struct mnl_socket *socket, const char *name, struct error *error);
/* A veth in LINK_GROUP, and its peer, which is up. */
int link_add_veth(struct mnl_socket *socket, const char *name, const char *peer, struct error *error);
/* The same, a port of @bridge and up: as a container's is that has started. */
int link_add_port(struct mnl_socket *socket, const char *name, const char *peer, int bridge, struct error *error);
int link_join(struct mnl_socket *socket, int ifindex, int master, struct error *error);
int link_up(struct mnl_socket *socket, int ifindex, struct error *error);
/* All of LINK_GROUP in one request. */
int link_delete_group(struct mnl_socket *socket, struct error *error);

/* `dnetbpf run` in this place. @arguments: further ones, closed by NULL. Returns once `status` answers; *ret_ms is how long that took. */
int daemon_start(const char *program, const char *const *arguments, pid_t *ret_pid, double *ret_ms, struct error *error);
/* Wait until that many interfaces are in that state. */
int daemon_wait(const char *state, int count, struct error *error);
void daemon_stop(pid_t pid);
/* What it says to Prometheus; owned by the caller. */
int metrics_fetch(char **ret, struct error *error);

/* A line "NAME: NUMBER ..." of a file in /proc; -1: not there. */
long long number_of(const char *path, const char *name);
/* Of a process, MiB: what is resident, what of it is its own (anonymous), and what is the kernel's tables, mapped. */
struct usage {
	double resident, own, mapped;
};
void usage_of(pid_t pid, struct usage *ret);
/* What the kernel itself takes for the maps of a process, MiB, each counted once. */
double map_mebibytes(pid_t pid);

/* The measurements. They print; 0, or a negative errno when one failed. */
int bench_programs(void);
int bench_curves(void);
int bench_limits(const char *program);
int bench_verifier(void);
int bench_sets(void);
int bench_reload(const char *program);
int bench_memory(const char *program);
int bench_attach(void);
int bench_starts(const char *program);

#endif
