/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a limit costs each new connection: our program alone, and on the whole way through a host into a container, there beside
 * iptables and nftables with their own limits of the same kind.
 */
#include <errno.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "bench.h"
#include "lab.h"
#include "live.h"

#define PROGRAM_ROUNDS 11
#define ROUNDS 9
#define CONNECTIONS 16384
#define CONFIG PLACE_DIRECTORY "/policy.yaml"
#define INVENTORY PLACE_DIRECTORY "/inventory.yaml"

#define NEW "-m conntrack --ctstate NEW "
#define HASHLIMIT(name, rate) "-m hashlimit --hashlimit-name " name " --hashlimit-upto " rate " --hashlimit-mode srcip "
#define RATE HASHLIMIT("r", "1000/s --hashlimit-burst 2000")
#define PACKETS HASHLIMIT("p", "1000/s --hashlimit-burst 2000")
#define CONNLIMIT "-m connlimit --connlimit-upto 50 "
#define SET(name) "set " name " { type ipv4_addr; size 65536; flags dynamic; }; "
#define SET_RATE(name) "add @" name " { ip saddr limit rate 1000/second burst 2000 packets } "
#define SET_COUNT(name) "add @" name " { ip saddr ct count 50 } "

static const struct limit_case {
	const char *name;
	uint32_t connections, sources;	/* the first from all sources in turn */
	bool refused;			/* all but the first of each source */
	const char *ours;		/* of an ingress rule */
	const char *iptables;		/* matches; NULL: there is nothing of that kind */
	const char *nft_sets, *nft;	/* statements; NULL: nothing of that kind */
} cases[] = {
	{ "none", CONNECTIONS, 2048, false, "", NEW, "", "ct state new" },
	{ "rate", CONNECTIONS, 2048, false, "rate 1000000/s burst 1000000",
	  NEW "-m hashlimit --hashlimit-name all --hashlimit-upto 1000000/s --hashlimit-burst 1000000",
	  "", "ct state new limit rate 1000000/second burst 1000000 packets" },
	{ "rate per src", CONNECTIONS, 2048, false, "rate 1000/s per src burst 2000", NEW RATE, SET("r"), "ct state new " SET_RATE("r") },
	{ "rate per src, ban", CONNECTIONS, 2048, false, "rate 1000/s per src burst 2000 ban 10m", NULL, "", NULL },
	/* Theirs walk through a list of all that are counted together. */
	{ "conns, up to 1,024", 1024, 1024, false, "conns 100000", NEW "-m connlimit --connlimit-upto 100000 --connlimit-mask 0",
	  "", "ct state new ct count 100000" },
	{ "conns per src, 1", 4096, 4096, false, "conns 50 per src", NEW CONNLIMIT, SET("c"), "ct state new " SET_COUNT("c") },
	{ "conns per src, up to 8", CONNECTIONS, 2048, false, "conns 50 per src", NEW CONNLIMIT, SET("c"), "ct state new " SET_COUNT("c") },
	{ "conns per src, up to 32", CONNECTIONS, 512, false, "conns 50 per src", NEW CONNLIMIT, SET("c"), "ct state new " SET_COUNT("c") },
	{ "packets per src", CONNECTIONS, 2048, false, "packets 1000/s per src burst 2000", NEW PACKETS, SET("p"),
	  "ct state new " SET_RATE("p") },
	{ "all three per src", CONNECTIONS, 2048, false, "rate 1000/s per src burst 2000 conns 50 per src packets 1000/s per src burst 2000",
	  NEW RATE CONNLIMIT PACKETS, SET("r") SET("c") SET("p"), "ct state new " SET_RATE("r") SET_COUNT("c") SET_RATE("p") },
	{ "rate per src, refused", CONNECTIONS, 16, true, "rate 1/h per src burst 1", NEW HASHLIMIT("x", "1/h --hashlimit-burst 1"),
	  SET("r"), "ct state new add @r { ip saddr limit rate 1/hour burst 1 packets }" },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

/* --- the program alone --- */

static int program_body(void *context, struct error *error)
{
	const char *limits[CASES + 1] = {};
	struct series *over = context;
	struct lab *lab = NULL;
	int r;

	for (size_t i = 0; i < CASES; i++)
		limits[i] = cases[i].ours;
	place_pin_to_core();
	r = lab_open(&(struct lab_config){ .rules = 10, .endpoints = 1, .limits = limits }, &lab, error);
	for (int round = 0; round < PROGRAM_ROUNDS && r == 0; round++)
		for (size_t i = 0; i < CASES && r == 0; i++) {
			struct lab_packet packet = { .direction = DNET_INGRESS, .port = LAB_LIMITED + (uint16_t)i, .begins = true,
						     .varied = true, .sources = cases[i].sources };
			double null, cost;

			lab_reset(lab, true);
			if (cases[i].refused && round == 0) {
				/* The first connections use up what each source is allowed, and end. */
				r = lab_run(lab, &packet, false, cases[i].sources, (uint32_t)TC_ACT_UNSPEC, &cost, error);
				lab_reset(lab, true);
			}
			if (r == 0)
				r = lab_measure(lab, &packet, cases[i].connections, cases[i].refused ? DNET_REASON_RATE_LIMITED :
						DNET_REASON_POLICY_ALLOWED, &null, &cost, error);
			if (r == 0)
				series_add(&over[i], cost - null);
			else
				error_prefix(error, r, "%s", cases[i].name);
		}
	lab_close(lab);
	return r;
}

static int programs(void)
{
	struct series *over = shared_memory(CASES * sizeof(*over));
	int r = place_run("limits: the program", 60, program_body, over);

	if (r < 0)
		return r;
	printf("\nLimits, the program alone: ns for a new connection, ingress, over the null program; median and min..max of %d interleaved\n"
	       "rounds on one core\n", PROGRAM_ROUNDS);
	printf("  %-24s %6s  %-14s %8s\n", "limit of the rule", "", "", "it adds");
	for (size_t i = 0; i < CASES; i++) {
		printf("  %-24s ", cases[i].name);
		series_print(&over[i], 6, 0);
		printf(" %8.0f\n", series_part(&over[i], 0.5) - series_part(&over[0], 0.5));
	}
	return 0;
}

/* --- the whole way --- */

enum contender { OURS, IPTABLES, NFT, CONTENDERS };
static const char *const contenders[CONTENDERS] = { "dnetbpf", "iptables", "nftables" };

struct way {
	const char *program;
	enum contender contender;
	size_t first;	/* of the cases; another one in each round */
	struct series nothing;
	struct series over[CONTENDERS][CASES];	/* what there was in the same place before */
};

static bool takes_part(enum contender contender, const struct limit_case *this)
{
	return contender == OURS || (contender == IPTABLES ? this->iptables : this->nft) != NULL;
}

static uint16_t port_of(size_t index)
{
	return LAB_LIMITED + (uint16_t)index;
}

static int write_file(const char *path, const char *text, struct error *error)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	if (!file || fputs(text, file) < 0 || fflush(file) < 0)
		return error_set(error, -EIO, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

/* All cases at once, each a rule with a port of its own: where it stands in a list makes no difference. */
static int set_up_ours(const struct way *way, pid_t *ret_pid, struct error *error)
{
	const char *arguments[] = { "--config", CONFIG, "--inventory", "static:" INVENTORY, "--attach", "clsact", NULL };
	_cleanup_free_ char *text = NULL;
	double ignored;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	int r;

	if (!file)
		return error_set(error, -ENOMEM, "out of memory");
	fprintf(file, "version: 1\npolicies:\n  - name: box\n    select: all\n    ingress:\n");
	for (size_t i = 0; i < CASES; i++)
		fprintf(file, "      - \"allow %u/tcp from any %s\"\n", port_of(i), cases[i].ours);
	if (fclose(file) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	r = write_file(CONFIG, text, error);
	if (r == 0)
		r = write_file(INVENTORY, live_inventory, error);
	if (r == 0)
		r = daemon_start(way->program, arguments, ret_pid, &ignored, error);
	return r < 0 ? r : daemon_wait("enforced", 1, error);
}

/* One rule at a time, as if it were the first of all. */
static int set_up_theirs(enum contender contender, size_t index, struct error *error)
{
	const struct limit_case *this = &cases[index];
	_cleanup_free_ char *script = NULL;
	int n;

	if (contender == IPTABLES)
		n = asprintf(&script, "iptables -w -P FORWARD DROP\niptables -w -F FORWARD\n"
			     "iptables -w -A FORWARD -p tcp --dport %u %s -j ACCEPT\n", port_of(index), this->iptables);
	else
		n = asprintf(&script, "nft 'table ip bench; delete table ip bench; table ip bench { %schain forward { "
			     "type filter hook forward priority 0; policy drop; tcp dport %u %s accept; }; }'\n",
			     this->nft_sets, port_of(index), this->nft);
	return n < 0 ? error_set(error, -ENOMEM, "out of memory") : live_shell("set the firewall up", script, error);
}

static int measure(struct way *way, struct live *live, size_t index, double nothing, struct error *error)
{
	const struct limit_case *this = &cases[index];
	double cost;
	int r = way->contender == OURS ? 0 : set_up_theirs(way->contender, index, error);

	if (r == 0)
		r = live_measure(live, port_of(index), this->connections, this->sources, this->refused ? this->sources : this->connections,
				 &cost, error);
	if (r < 0)
		return error_prefix(error, r, "%s, %s", contenders[way->contender], this->name);
	series_add(&way->over[way->contender][index], cost - nothing);
	return 0;
}

static int way_body(void *context, struct error *error)
{
	struct way *way = context;
	struct live *live = NULL;
	double nothing;
	pid_t pid = 0;
	int r;

	place_pin_to_core();
	r = live_open(&live, error);
	/* The first time is for the caches. */
	for (int i = 0; i < 2 && r == 0; i++)
		r = live_measure(live, LAB_NONE, CONNECTIONS, 2048, CONNECTIONS, &nothing, error);
	if (r == 0)
		series_add(&way->nothing, nothing);
	if (r == 0 && way->contender == OURS)
		r = set_up_ours(way, &pid, error);
	for (size_t i = 0; i < CASES && r == 0; i++)
		if (takes_part(way->contender, &cases[(way->first + i) % CASES]))
			r = measure(way, live, (way->first + i) % CASES, nothing, error);
	if (pid)
		daemon_stop(pid);
	live_close(live);
	return r;
}

/* Median of what a limit adds to the same firewall without one, round by round. */
static double added(const struct way *way, enum contender contender, size_t index)
{
	struct series adds = {};

	for (size_t i = 0; i < way->over[contender][index].count; i++)
		series_add(&adds, way->over[contender][index].value[i] - way->over[contender][0].value[i]);
	return series_part(&adds, 0.5);
}

static void print_ways(const struct way *way)
{
	printf("\nLimits, the whole way: ns for a new connection from outside through forwarding, bridge and veth, over a host without a\n"
	       "firewall (%.0f); median and min..max of %d interleaved rounds on one core; \"adds\": over \"none\" of the same firewall\n",
	       series_part(&way->nothing, 0.5), ROUNDS);
	printf("  %-24s", "limit of the rule");
	for (int k = 0; k < CONTENDERS; k++)
		printf("  %10s %-16s %7s", contenders[k], "", "adds");
	printf("  theirs : ours, in all (added)\n");
	for (size_t i = 0; i < CASES; i++) {
		bool compared = i > 0 && !cases[i].refused;	/* what is refused does not go the same way as the first case */

		printf("  %-24s", cases[i].name);
		for (int k = 0; k < CONTENDERS; k++) {
			const struct series *over = &way->over[k][i];

			if (!takes_part((enum contender)k, &cases[i])) {
				printf("  %35s", "");
				continue;
			}
			printf("  ");
			series_print(over, 7, 0);
			if (compared)
				printf("  %7.0f", added(way, (enum contender)k, i));
			else
				printf("  %7s", "");
		}
		for (int k = IPTABLES; k < CONTENDERS && takes_part((enum contender)k, &cases[i]); k++) {
			printf("  %.1f", series_part(&way->over[k][i], 0.5) / series_part(&way->over[OURS][i], 0.5));
			if (compared)
				printf(" (%.1f)", added(way, (enum contender)k, i) / added(way, OURS, i));
		}
		printf("\n");
	}
	printf("  \"Up to N\": so many of a source, or all together, are open at the end of a round. \"Refused\": 16 sources, the first\n"
	       "  connection of each passes. Theirs are asked behind --ctstate NEW, ct state new: connection tracking is in all their figures.\n");
}

static int ways(const char *program)
{
	struct way *way = shared_memory(sizeof(*way));
	int r = 0;

	way->program = program;
	for (int round = 0; round < ROUNDS && r == 0; round++)
		for (int k = 0; k < CONTENDERS && r == 0; k++) {
			way->contender = (enum contender)k;
			way->first = (size_t)round % CASES;
			r = place_run("limits: the whole way", 60, way_body, way);
		}
	if (r == 0)
		print_ways(way);
	return r;
}

int bench_limits(const char *program)
{
	int r = programs();

	return r < 0 ? r : ways(program);
}
