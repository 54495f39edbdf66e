/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 1,000 containers under 100 rules each: what a reload of the policy takes, and what one more container's start takes.
 *
 * The daemon is measured from outside. What its reload consists of is measured beside it, with the same functions and files, in
 * this process.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench.h"
#include "config/policy_file.h"
#include "control/client.h"
#include "daemon/install.h"
#include "lab.h"

#define ROUNDS 7
#define CONTAINERS 1000	/* a bridge takes 1,023 ports */
#define STARTS 20
#define RULES 100
#define PREFIXES 1000000
#define BRIDGE "br-bench"
/* A link to the folder of one of two versions: so no file is new when it is read, and the daemon does not see the change by itself. */
#define CURRENT PLACE_DIRECTORY "/current"
#define VERSION PLACE_DIRECTORY "/version-%u"
#define CONFIG "/policy.yaml"
#define INCLUDED PLACE_DIRECTORY "/parts"
#define POLICIES_OF_FILE 100
#define SET PLACE_DIRECTORY "/set.txt"
#define INVENTORY PLACE_DIRECTORY "/inventory.yaml"
#define PAUSE_MS 600	/* two of them: the daemon need not wait for a grace period */
#define STEADY_MS 25
#define PATIENCE_MS 20000

static const struct variant {
	const char *name;
	bool own_policies, set;
} variants[] = {
	{ "one policy of 100 rules", false, false },
	{ "1,000 policies of 100 rules", true, false },
	{ "one policy of 100 rules, set of 1,000,000", false, true },
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

enum part { PARSE, SETS, COMPILE, INSTALL, GRACE, PARTS };
static const char *const part_names[PARTS] = { "read", "sets", "compile", "install", "grace" };

struct reload_round {
	const char *program;
	const struct variant *variant;
	struct series reload, at_once, part[PARTS];	/* ms */
	struct series resident, own, mapped, maps;	/* MiB */
	struct series start_cpu, start_wall;		/* ms */
	struct series reconciles, reconcile;		/* of one start, ms of one of them */
};

static void pause_ms(long ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

/* --- files ------------------------------------------------------------------- */

/* One in ten names a container, four a prefix. @version: what differs between the two files. */
static void write_rules(FILE *file, unsigned int policy, unsigned int version)
{
	fprintf(file, "    ingress:\n");
	for (unsigned int i = 0; i < RULES; i++) {
		unsigned int number = policy * RULES + i, port = 1000 + i * 7 + (i == RULES - 1 ? version : 0);

		if (i % 10 == 0)
			fprintf(file, "      - \"allow %u/tcp from container:c%u\"\n", port, (policy * 10 + i / 10) % CONTAINERS);
		else if (i % 10 < 5)
			fprintf(file, "      - \"allow %u/tcp from 10.%u.%u.%u\"\n", port, number >> 16, number >> 8 & 0xff, number & 0xff);
		else
			fprintf(file, "      - \"%s %u/tcp, %u/udp from %s\"\n", i % 10 == 9 ? "deny" : "allow", port, port,
				i % 10 == 9 ? "lan" : "outside");
	}
}

static void write_policy(FILE *file, const struct variant *variant, unsigned int policy, unsigned int version)
{
	fprintf(file, variant->own_policies ? "  - name: p%u\n    select: \"container:c%u\"\n" : "  - name: p%u\n    select: all\n", policy,
		policy);
	write_rules(file, policy, version);
}

/* One version of the policy file: it has the first policy, and includes the others. */
static int write_config(const struct variant *variant, unsigned int version, struct error *error)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64];

	snprintf(path, sizeof(path), VERSION, version);
	if (mkdir(path, 0700) < 0)
		return error_set(error, -errno, "cannot make %s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), VERSION CONFIG, version);
	file = fopen(path, "we");
	if (!file)
		return error_set(error, -errno, "cannot write %s: %s", path, strerror(errno));
	fprintf(file, "version: 1\n");
	if (variant->set)
		fprintf(file, "sets:\n  s: { file: " SET " }\nhost:\n  rules: [ \"deny from set:s\" ]\n");
	if (variant->own_policies)
		fprintf(file, "include: [ \"" INCLUDED "/*.yaml\" ]\n");
	fprintf(file, "policies:\n");
	write_policy(file, variant, 0, version);
	return 0;
}

/* A file may have 4 MiB. */
static int write_included(const struct variant *variant, struct error *error)
{
	if (mkdir(INCLUDED, 0700) < 0)
		return error_set(error, -errno, "cannot make %s: %s", INCLUDED, strerror(errno));
	for (unsigned int first = 1; first < CONTAINERS + STARTS; first += POLICIES_OF_FILE) {
		_cleanup_fclose_ FILE *file = NULL;
		char path[64];

		snprintf(path, sizeof(path), INCLUDED "/%04u.yaml", first);
		file = fopen(path, "we");
		if (!file)
			return error_set(error, -errno, "cannot write %s: %s", path, strerror(errno));
		fprintf(file, "version: 1\npolicies:\n");
		for (unsigned int i = first; i < first + POLICIES_OF_FILE && i < CONTAINERS + STARTS; i++)
			write_policy(file, variant, i, 0);
	}
	return 0;
}

static int write_files(const struct variant *variant, struct error *error)
{
	_cleanup_fclose_ FILE *inventory = fopen(INVENTORY, "we");
	int r = inventory ? 0 : error_set(error, -errno, "cannot write the inventory: %s", strerror(errno));

	if (r == 0 && variant->set)
		r = lab_write_set(SET, PREFIXES, false, error);
	if (r == 0 && variant->own_policies)
		r = write_included(variant, error);
	for (unsigned int version = 0; version < 2 && r == 0; version++)
		r = write_config(variant, version, error);
	if (r < 0)
		return r;
	fprintf(inventory, "networks:\n  - { name: bench, bridge: " BRIDGE ", subnets: [198.18.0.0/16] }\nendpoints:\n");
	for (int i = 0; i < CONTAINERS + STARTS; i++)
		fprintf(inventory, "  - { container: c%d, interface: c%d, network: bench, addresses: [198.18.%d.%d], mac: \"02:00:00:00:%02x:%02x\" }\n",
			i, i, 1 + i / 250, 1 + i % 250, i >> 8, i & 0xff);
	return 0;
}

static int choose(unsigned int version, struct error *error)
{
	char path[64];

	snprintf(path, sizeof(path), VERSION, version);
	unlink(CURRENT ".new");
	if (symlink(path, CURRENT ".new") < 0 || rename(CURRENT ".new", CURRENT) < 0)
		return error_set(error, -errno, "cannot change %s: %s", CURRENT, strerror(errno));
	return 0;
}

/* --- reload -------------------------------------------------------------------- */

static int reload(unsigned int version, double *ret_ms, struct error *error)
{
	json_t *request = json_object(), *body = NULL;
	double start;
	int r = choose(version, error);

	start = now_ms();
	if (r == 0)
		r = control_request(PLACE_CONTROL, "POST", "/v1/policy/reload", request, &body, error);
	*ret_ms = now_ms() - start;
	if (r == 0 && !json_is_true(json_object_get(body, "changed")))
		r = error_set(error, -EPROTO, "the daemon has seen no change");
	json_decref(request);
	json_decref(body);
	return r;
}

static int reloads(struct reload_round *round, unsigned int *version, struct error *error)
{
	double ms;
	int r;

	pause_ms(PAUSE_MS);
	r = reload(++*version % 2, &ms, error);
	if (r < 0)
		return r;
	series_add(&round->reload, ms);
	/* The next three come within a second: the third meets an arena that was left just now. */
	for (int i = 0; i < 3 && r == 0; i++)
		r = reload(++*version % 2, &ms, error);
	if (r == 0)
		series_add(&round->at_once, ms);
	pause_ms(PAUSE_MS);
	return r;
}

struct workshop {
	struct crowd crowd;
	struct dataplane *dataplane;
	struct install installed[DNET_ARENAS];
	uint32_t counter, next_class;
	uint64_t tag;
};

/* The same as the daemon's reload, one part after the other. */
static int parts(struct reload_round *round, struct workshop *workshop, unsigned int version, struct error *error)
{
	uint32_t arena = dataplane_next_arena(workshop->dataplane);
	struct install *install = &workshop->installed[arena];
	struct compiler *compiler = NULL;
	struct set_classes *sets = NULL;
	struct policy_set policies = {};
	struct compile_input input = { .arena = arena, .policies = &policies, .counter = crowd_counter, .limit = crowd_limit,
				       .context = &workshop->counter };
	double at[PARTS + 1] = { now_ms() };
	char path[64];
	int r;

	workshop->counter = 0;
	snprintf(path, sizeof(path), VERSION CONFIG, version);
	r = policy_file_load(path, &policies, NULL, error);
	at[PARSE + 1] = now_ms();
	if (r == 0 && policies.set_count)
		r = set_classes_new(&policies, NULL, &workshop->next_class, &sets, error);
	at[SETS + 1] = now_ms();
	input.sets = sets;
	if (r == 0)
		r = compiler_new(&input, &compiler, error);
	if (r == 0)
		r = compiler_run(compiler, workshop->crowd.endpoints, workshop->crowd.count, NULL, 0, workshop->crowd.verdicts, error);
	at[COMPILE + 1] = now_ms();
	if (r == 0) {
		install_withdraw(install, workshop->dataplane);
		install->arena = arena;
		r = install_apply(install, workshop->dataplane, compiler, error);
	}
	if (r == 0 && sets)
		r = crowd_install_sets(workshop->dataplane, arena, sets, ++workshop->tag, error);
	dataplane_flip(workshop->dataplane);
	at[INSTALL + 1] = now_ms();
	/* As if the arena that comes next had been left just now. */
	workshop->dataplane->left_ns[dataplane_next_arena(workshop->dataplane)] = (uint64_t)(now_ms() * 1e6);
	dataplane_wait_for_next_arena(workshop->dataplane);
	at[GRACE + 1] = now_ms();
	for (int i = 0; i < PARTS && r == 0; i++)
		series_add(&round->part[i], at[i + 1] - at[i]);
	for (size_t i = 0; i < workshop->crowd.count; i++)
		compile_verdict_clear(&workshop->crowd.verdicts[i]);
	compiler_free(compiler);
	set_classes_free(sets);
	policy_set_clear(&policies);
	return r;
}

/* --- one start ------------------------------------------------------------------- */

/* Time that the daemon's first thread has run: the one that reconciles. Attaching has a thread of its own. */
static double thread_ms(pid_t pid)
{
	_cleanup_fclose_ FILE *file = NULL;
	unsigned long long ns = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &ns) != 1)
		return 0;
	return (double)ns / 1e6;
}

/* Once it does nothing any more. */
static double idle_thread_ms(pid_t pid)
{
	double end = now_ms() + PATIENCE_MS, last, now = thread_ms(pid);

	do {
		last = now;
		pause_ms(STEADY_MS);
		now = thread_ms(pid);
	} while (now != last && now_ms() < end);
	return now;
}

struct histogram {
	double sum, count;
};

static int reconcile_histogram(struct histogram *ret, struct error *error)
{
	static const char *const names[2] = { "\ndnetbpf_reconcile_seconds_sum ", "\ndnetbpf_reconcile_seconds_count " };
	double *const values[2] = { &ret->sum, &ret->count };
	_cleanup_free_ char *text = NULL;
	int r = metrics_fetch(&text, error);

	for (int i = 0; i < 2 && r == 0; i++) {
		const char *found = strstr(text, names[i]);

		if (!found)
			return error_set(error, -EPROTO, "the daemon has no metric%s", names[i] + 1);
		*values[i] = strtod(found + strlen(names[i]), NULL);
	}
	return r;
}

/* The daemon is not asked: answering would be time of its own. */
static int wait_linked(int links_fd, int ifindex, struct error *error)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	double end = now_ms() + PATIENCE_MS;
	uint32_t key = ifindex, slot;

	while (map_get(links_fd, &key, &slot) < 0) {
		if (now_ms() > end)
			return error_set(error, -ETIMEDOUT, "interface %d was never enforced", ifindex);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int start_one(struct reload_round *round, struct mnl_socket *socket, int links_fd, pid_t pid, int number, struct error *error)
{
	char name[IF_NAMESIZE], peer[IF_NAMESIZE];
	double cpu, up;
	int r;

	snprintf(name, sizeof(name), "c%d", number);
	snprintf(peer, sizeof(peer), "peer%d", number);
	cpu = idle_thread_ms(pid);
	r = link_add_port(socket, name, peer, (int)if_nametoindex(BRIDGE), error);
	up = now_ms();
	if (r == 0)
		r = wait_linked(links_fd, (int)if_nametoindex(name), error);
	if (r < 0)
		return r;
	series_add(&round->start_wall, now_ms() - up);
	series_add(&round->start_cpu, idle_thread_ms(pid) - cpu);
	return 0;
}

static int starts(struct reload_round *round, struct mnl_socket *socket, pid_t pid, struct error *error)
{
	_cleanup_close_ int links_fd = bpf_obj_get(PLACE_PIN "/links");
	struct histogram before, after;
	int r = links_fd < 0 ? error_set(error, -errno, "cannot open the daemon's table of links: %s", strerror(errno)) : 0;

	if (r == 0)
		r = reconcile_histogram(&before, error);
	for (int i = 0; i < STARTS && r == 0; i++)
		r = start_one(round, socket, links_fd, pid, CONTAINERS + i, error);
	if (r == 0)
		r = reconcile_histogram(&after, error);
	if (r < 0)
		return r;
	series_add(&round->reconciles, (after.count - before.count) / STARTS);
	series_add(&round->reconcile, (after.sum - before.sum) / (after.count - before.count) * 1e3);
	return 0;
}

/* --- all ------------------------------------------------------------------------- */

static int begin(struct reload_round *round, struct mnl_socket *socket, struct workshop *workshop, pid_t *ret_pid, struct error *error)
{
	static const char *const arguments[] = { "--inventory", "static:" INVENTORY, "--config", CURRENT CONFIG, "--attach", "clsact", NULL };
	double ignored;
	int r = link_add_bridge(socket, BRIDGE, error);

	for (int i = 0; i < CONTAINERS && r == 0; i++) {
		char name[IF_NAMESIZE], peer[IF_NAMESIZE];

		snprintf(name, sizeof(name), "c%d", i);
		snprintf(peer, sizeof(peer), "peer%d", i);
		r = link_add_port(socket, name, peer, (int)if_nametoindex(BRIDGE), error);
	}
	if (r == 0)
		r = write_files(round->variant, error);
	if (r == 0)
		r = choose(0, error);
	if (r == 0)
		r = crowd_make(&workshop->crowd, CONTAINERS, error);
	if (r == 0)
		r = dataplane_open(NULL, &workshop->dataplane, error);
	if (r == 0)
		r = daemon_start(round->program, arguments, ret_pid, &ignored, error);
	if (r == 0)
		r = daemon_wait("enforced", CONTAINERS, error);
	return r;
}

static int body(void *context, struct error *error)
{
	struct reload_round *round = context;
	struct workshop workshop = { .next_class = 1 };
	struct mnl_socket *socket = NULL;
	unsigned int version = 0;
	struct usage usage;
	pid_t pid = 0;
	int r = link_open(&socket, error);

	if (r == 0)
		r = begin(round, socket, &workshop, &pid, error);
	for (int i = 0; i < ROUNDS && r == 0; i++) {
		r = reloads(round, &version, error);
		if (r == 0)
			r = parts(round, &workshop, i % 2, error);
	}
	if (r == 0) {
		usage_of(pid, &usage);
		series_add(&round->resident, usage.resident);
		series_add(&round->own, usage.own);
		series_add(&round->mapped, usage.mapped);
		series_add(&round->maps, map_mebibytes(pid));
		r = starts(round, socket, pid, error);
	}
	if (pid)
		daemon_stop(pid);
	if (socket)
		link_delete_group(socket, NULL);
	link_close(socket);
	for (int i = 0; i < DNET_ARENAS; i++)
		install_clear(&workshop.installed[i]);
	crowd_clear(&workshop.crowd);
	dataplane_close(workshop.dataplane);
	return r;
}

static void print(const struct reload_round *rounds)
{
	printf("\nReload: %d containers, 100 rules each; ms, median and min..max of %d rounds\n", CONTAINERS, ROUNDS);
	printf("  %-42s %7s  %-16s %7s  %-16s", "", "", "in all", "", "third at once");
	for (int part = 0; part < PARTS; part++)
		printf(" %8s", part_names[part]);
	printf("\n");
	for (size_t k = 0; k < VARIANTS; k++) {
		printf("  %-42s ", variants[k].name);
		series_print(&rounds[k].reload, 7, 1);
		series_print(&rounds[k].at_once, 7, 1);
		for (int part = 0; part < PARTS; part++)
			printf(" %8.1f", series_part(&rounds[k].part[part], 0.5));
		printf("\n");
	}
	printf("  In all: `policy reload`, asked over the control socket, which needs no grace period when the last ones are a second ago;\n"
	       "  the third within a second waits for one. The parts: the same functions on the same files in this process.\n");
	printf("\nDaemon after these reloads: MiB; and one container's start among the %d: ms, median and min..max of %d\n", CONTAINERS, STARTS);
	printf("  %-42s %9s %9s %9s %13s %8s  %-14s %11s %8s %8s  %-14s\n", "", "resident", "of it own", "mapped", "kernel's maps", "",
	       "daemon's time", "reconciles", "ms each", "", "up -> judged");
	for (size_t k = 0; k < VARIANTS; k++) {
		printf("  %-42s %9.1f %9.1f %9.1f %13.1f ", variants[k].name, series_part(&rounds[k].resident, 0.5),
		       series_part(&rounds[k].own, 0.5), series_part(&rounds[k].mapped, 0.5), series_part(&rounds[k].maps, 0.5));
		series_print(&rounds[k].start_cpu, 8, 1);
		printf(" %9.1f %8.2f ", series_part(&rounds[k].reconciles, 0.5), series_part(&rounds[k].reconcile, 0.5));
		series_print(&rounds[k].start_wall, 8, 1);
		printf("\n");
	}
	printf("  Mapped: tables of the kernel's, which the daemon sees as its memory. Daemon's time: of the thread that reconciles, for all that a\n"
	       "  start brings about (the interface appears, joins, goes up, is attached); the attaching has a thread of its own.\n");
}

int bench_reload(const char *program)
{
	struct reload_round *rounds = shared_memory(VARIANTS * sizeof(*rounds));
	int r = 0;

	for (size_t k = 0; k < VARIANTS && r == 0; k++) {
		rounds[k].program = program;
		rounds[k].variant = &variants[k];
		r = place_run(variants[k].name, 180, body, &rounds[k]);
	}
	if (r == 0)
		print(rounds);
	return r;
}
