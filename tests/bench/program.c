/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs cost a packet: BPF_PROG_RUN with repeat, the null program beside each case in every round. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/netlink.h"
#include "base/text.h"
#include "bench.h"
#include "compile/compile.h"
#include "config/policy_file.h"
#include "daemon/install.h"
#include "null.skel.h"
#include "vary.skel.h"

#define ROUNDS 15
#define REPEAT 100000
#define BATCH 50000	/* connections of one run; below the 65,536 of the wrapper and far below the table's size */

#define SLOT 1
#define ENDPOINT_ID 1
#define CONTAINER "198.18.0.2"
#define PEER "198.19.0.1"
#define ALLOWED 80
#define FORBIDDEN 81

static const unsigned int rule_counts[] = { 1, 10, 100, 1000 };
#define RULE_COUNTS (sizeof(rule_counts) / sizeof(rule_counts[0]))
#define UNSELECTED RULE_COUNTS	/* instead of an index in rule_counts */

enum before {
	NOTHING,
	ONE_FLOW,	/* the connection is known */
	ALL_FLOWS,	/* each of the batch is */
};

struct program_case {
	const char *name;
	size_t rules;		/* index in rule_counts */
	enum dnet_direction direction;
	bool varied;		/* each packet another connection */
	enum before before;
	uint16_t port;		/* of who answers */
	enum dnet_reason reason;
};

static const struct program_case cases[] = {
	{ "unselected, egress",			UNSELECTED, DNET_EGRESS,  false, NOTHING,   ALLOWED,   DNET_REASON_UNSELECTED },
	{ "unselected, ingress",		UNSELECTED, DNET_INGRESS, false, NOTHING,   ALLOWED,   DNET_REASON_UNSELECTED },
	{ "established, egress",		1, DNET_EGRESS,  false, ONE_FLOW,  ALLOWED,   DNET_REASON_ESTABLISHED },
	{ "established, ingress",		1, DNET_INGRESS, false, ONE_FLOW,  ALLOWED,   DNET_REASON_ESTABLISHED },
	{ "established, 50,000 in turn, egress", 1, DNET_EGRESS,  true,  ALL_FLOWS, ALLOWED,   DNET_REASON_ESTABLISHED },
	{ "established, 50,000 in turn, ingress", 1, DNET_INGRESS, true, ALL_FLOWS, ALLOWED,   DNET_REASON_ESTABLISHED },
	{ "deny, egress",			1, DNET_EGRESS,  false, NOTHING,   FORBIDDEN, DNET_REASON_DEFAULT_DENIED },
	{ "deny, ingress",			1, DNET_INGRESS, false, NOTHING,   FORBIDDEN, DNET_REASON_DEFAULT_DENIED },
	{ "deny, 50,000 sources, ingress",	1, DNET_INGRESS, true,  NOTHING,   FORBIDDEN, DNET_REASON_DEFAULT_DENIED },
	{ "new, egress",			1, DNET_EGRESS,  true,  NOTHING,   ALLOWED,   DNET_REASON_POLICY_ALLOWED },
	{ "new, ingress, 1 rule",		0, DNET_INGRESS, true,  NOTHING,   ALLOWED,   DNET_REASON_POLICY_ALLOWED },
	{ "new, ingress, 10 rules",		1, DNET_INGRESS, true,  NOTHING,   ALLOWED,   DNET_REASON_POLICY_ALLOWED },
	{ "new, ingress, 100 rules",		2, DNET_INGRESS, true,  NOTHING,   ALLOWED,   DNET_REASON_POLICY_ALLOWED },
	{ "new, ingress, 1,000 rules",		3, DNET_INGRESS, true,  NOTHING,   ALLOWED,   DNET_REASON_POLICY_ALLOWED },
	{ "deny, ingress, 1,000 rules",		3, DNET_INGRESS, false, NOTHING,   FORBIDDEN, DNET_REASON_DEFAULT_DENIED },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

struct figures {
	struct series null[CASES], cost[CASES], over[CASES];
};

struct frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t payload[10];
} __attribute__((packed));

struct setup {
	struct dataplane *dataplane;
	struct null_bpf *null;
	struct vary_bpf *vary;
	struct compile_verdict verdicts[RULE_COUNTS];
	int ifindex, uplink;
	uint8_t container_mac[6];
};

/* A policy of @count rules of which the packets meet the last one. */
static void write_policy(FILE *file, unsigned int count)
{
	static const char *const lists[] = { "ingress", "egress" }, *const towards[] = { "from", "to" };

	fprintf(file, "  - name: rules-%u\n    select: \"container:rules-%u\"\n", count, count);
	for (size_t list = 0; list < 2; list++) {
		fprintf(file, "    %s:\n", lists[list]);
		for (unsigned int i = 0; i + 1 < count; i++)
			fprintf(file, "      - \"allow %u/tcp %s 198.18.%u.%u\"\n", 10000 + i, towards[list], 128 + i / 250, i % 250 + 1);
		fprintf(file, "      - \"allow %d/tcp %s 198.19.0.0/16\"\n", ALLOWED, towards[list]);
	}
}

static uint32_t next_counter(void *context, const char *policy, const struct rule *rule)
{
	uint32_t *counter = context;

	(void)policy;
	(void)rule;
	return ++*counter;
}

static int compile(struct setup *setup, struct error *error)
{
	char names[RULE_COUNTS][32];
	struct container containers[RULE_COUNTS] = {};
	struct compile_endpoint endpoints[RULE_COUNTS] = {};
	struct network network = { .id = "bench", .name = "bench", .driver = "bridge", .bridge = "bench" };
	static const char *const networks[] = { "bench", NULL };
	_cleanup_free_ char *text = NULL;
	struct compiler *compiler = NULL;
	struct install install = {};
	struct policy_set set = {};
	uint32_t counter = 0;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	int r;

	if (!file)
		return error_set(error, -ENOMEM, "out of memory");
	fprintf(file, "version: 1\npolicies:\n");
	for (size_t i = 0; i < RULE_COUNTS; i++) {
		write_policy(file, rule_counts[i]);
		snprintf(names[i], sizeof(names[i]), "rules-%u", rule_counts[i]);
		containers[i] = (struct container){ .id = names[i], .name = names[i], .image = "", .state = CONTAINER_RUNNING };
		endpoints[i] = (struct compile_endpoint){ .id = ENDPOINT_ID + (uint32_t)i, .container = &containers[i],
							  .network = &network, .network_names = networks };
	}
	fclose(file);
	r = policy_file_parse("bench", text, length, &set, error);
	if (r < 0)
		return r;
	r = compiler_new(dataplane_arena(setup->dataplane), &set, false, next_counter, &counter, &compiler, error);
	if (r == 0)
		r = compiler_run(compiler, endpoints, RULE_COUNTS, setup->verdicts, error);
	if (r == 0) {
		install_begin(&install, setup->dataplane, dataplane_arena(setup->dataplane));
		r = install_apply(&install, compiler, error);
		install_clear(&install);
	}
	compiler_free(compiler);
	policy_set_clear(&set);
	return r;
}

static int make_endpoint(struct setup *setup, struct error *error)
{
	struct dnet_endpoint *endpoint = &setup->dataplane->endpoints[SLOT];
	struct dnet_address_key address = { .bridge_ifindex = 0 };
	uint32_t slot = SLOT, id = ENDPOINT_ID, ifindex = setup->ifindex;
	int r;

	memcpy(endpoint->mac, setup->container_mac, 6);
	endpoint->id = ENDPOINT_ID;
	endpoint->ifindex = setup->ifindex;
	endpoint->bridge_ifindex = 0;
	text_parse_addr(CONTAINER, &address.addr);
	r = map_set(setup->dataplane->addresses_fd, &address, &id);
	if (r == 0)
		r = map_set(setup->dataplane->links_fd, &ifindex, &slot);
	return r < 0 ? error_set(error, r, "cannot make an endpoint: %s", strerror(-r)) : 0;
}

static int interfaces(struct setup *setup, struct error *error)
{
	struct netlink_link link = {};
	struct mnl_socket *socket = NULL;
	int r = link_open(&socket, error);

	if (r == 0)
		r = link_add_veth(socket, "bench0", "uplink0", error);
	link_close(socket);
	if (r < 0)
		return r;
	setup->ifindex = (int)if_nametoindex("bench0");
	setup->uplink = (int)if_nametoindex("uplink0");
	r = netlink_get_link(setup->ifindex, &link);
	/* BPF_PROG_RUN takes a frame for the interface's own MAC for one that is routed here: the container has that MAC. */
	memcpy(setup->container_mac, link.mac, 6);
	return r;
}

static int load(struct setup *setup, struct error *error)
{
	int r = dataplane_open(NULL, &setup->dataplane, error);

	if (r < 0)
		return r;
	setup->null = null_bpf__open_and_load();
	setup->vary = vary_bpf__open_and_load();
	if (!setup->null || !setup->vary)
		return error_set(error, -EINVAL, "the kernel refused the programs of the bench");
	return 0;
}

static struct frame make_frame(const struct setup *setup, const struct program_case *this, bool syn)
{
	bool egress = this->direction == DNET_EGRESS;
	struct frame frame = {
		.ethernet.h_proto = htons(ETH_P_IP),
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP,
			.tot_len = htons(sizeof(frame) - sizeof(frame.ethernet)),
			.saddr = inet_addr(egress ? CONTAINER : PEER), .daddr = inet_addr(egress ? PEER : CONTAINER) },
		.tcp = { .source = htons(40000), .dest = htons(this->port), .doff = 5, .syn = syn, .ack = !syn },
	};

	memcpy(egress ? frame.ethernet.h_source : frame.ethernet.h_dest, setup->container_mac, 6);
	return frame;
}

static int run(const struct setup *setup, int program, struct frame frame, uint32_t repeat, uint32_t expected, double *ret_ns,
	       struct error *error)
{
	struct __sk_buff context = { .ifindex = setup->ifindex, .ingress_ifindex = setup->uplink };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &frame, .data_size_in = sizeof(frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)repeat);

	if (bpf_prog_test_run_opts(program, &options) < 0)
		return error_set(error, -errno, "BPF_PROG_RUN: %s", strerror(errno));
	if (options.retval != expected)
		return error_set(error, -EPROTO, "a program returns %d instead of %d", (int)options.retval, (int)expected);
	*ret_ns = options.duration;
	return 0;
}

/* @program through the wrapper that varies the connection, or as it is. */
static int entry(const struct setup *setup, const struct program_case *this, int program)
{
	uint32_t zero = 0;

	if (!this->varied)
		return program;
	bpf_map_update_elem(bpf_map__fd(setup->vary->maps.target), &zero, &program, BPF_ANY);
	setup->vary->bss->next = 0;
	setup->vary->bss->vary_destination = this->direction == DNET_EGRESS;
	return bpf_program__fd(setup->vary->progs.vary);
}

static bool nobody(void *context, uint32_t endpoint_id)
{
	(void)context;
	(void)endpoint_id;
	return false;
}

static uint64_t counted(const struct setup *setup, const struct program_case *this)
{
	struct dnet_counter counter;

	if (dnet_reason_class(this->reason) == DNET_CLASS_PASS)
		dataplane_pass_counter(setup->dataplane, SLOT, this->direction, this->reason, &counter);
	else
		dataplane_deny_counter(setup->dataplane, SLOT, this->direction, DNET_DENY, this->reason, &counter);
	return counter.packets;
}

static void apply(struct setup *setup, const struct program_case *this)
{
	struct dnet_endpoint *endpoint = &setup->dataplane->endpoints[SLOT];
	uint32_t arena = dataplane_arena(setup->dataplane);

	/* No event may be sent: a budget that is spent until tomorrow. */
	setup->dataplane->event_budgets[SLOT].theoretical_arrival_ns = (uint64_t)(now_ms() * 1e6) + 86400ull * 1000000000;
	dataplane_sweep_flows(setup->dataplane, nobody, NULL);
	endpoint->flags = 0;
	if (this->rules == UNSELECTED)
		return;
	memcpy(endpoint->ruleset[arena], setup->verdicts[this->rules].ruleset, sizeof(endpoint->ruleset[arena]));
	endpoint->flags = DNET_ENDPOINT_GUARD | DNET_ENDPOINT_TRACKED;
}

static int measure(struct setup *setup, size_t index, struct figures *figures, struct error *error)
{
	const struct program_case *this = &cases[index];
	int program = setup->dataplane->program_fd[this->direction == DNET_EGRESS ? PROGRAM_EGRESS : PROGRAM_INGRESS];
	uint32_t repeat = this->varied ? BATCH : REPEAT;
	uint32_t expected = dnet_reason_class(this->reason) == DNET_CLASS_PASS ? (uint32_t)TC_ACT_UNSPEC : TC_ACT_SHOT;
	double null, cost, ignored;
	uint64_t before;
	int r;

	apply(setup, this);
	r = run(setup, entry(setup, this, bpf_program__fd(setup->null->progs.null)), make_frame(setup, this, true), repeat,
		(uint32_t)TC_ACT_UNSPEC, &null, error);
	if (r == 0 && this->before != NOTHING)
		r = run(setup, entry(setup, this, program), make_frame(setup, this, true), this->before == ONE_FLOW ? 1 : BATCH,
			(uint32_t)TC_ACT_UNSPEC, &ignored, error);
	if (r < 0)
		return r;
	before = counted(setup, this);
	r = run(setup, entry(setup, this, program), make_frame(setup, this, this->before == NOTHING), repeat, expected, &cost, error);
	if (r < 0)
		return r;
	/* Another path through the program would be measured: no figure is better than that one. */
	if (counted(setup, this) - before != repeat)
		return error_set(error, -EPROTO, "%llu of %u packets took the path that is to be measured",
				 (unsigned long long)(counted(setup, this) - before), repeat);
	series_add(&figures->null[index], null);
	series_add(&figures->cost[index], cost);
	series_add(&figures->over[index], cost - null);
	return 0;
}

static int body(void *context, struct error *error)
{
	struct figures *figures = context;
	struct setup setup = {};
	int r;

	place_pin_to_core();
	r = load(&setup, error);
	if (r == 0)
		r = interfaces(&setup, error);
	if (r == 0)
		r = compile(&setup, error);
	if (r == 0)
		r = make_endpoint(&setup, error);
	for (int round = 0; round < ROUNDS && r == 0; round++)
		for (size_t i = 0; i < CASES && r == 0; i++) {
			r = measure(&setup, i, figures, error);
			if (r < 0)
				error_prefix(error, r, "%s", cases[i].name);
		}
	for (size_t i = 0; i < RULE_COUNTS; i++)
		compile_verdict_clear(&setup.verdicts[i]);
	null_bpf__destroy(setup.null);
	vary_bpf__destroy(setup.vary);
	dataplane_close(setup.dataplane);
	return r;
}

int bench_programs(void)
{
	struct figures *figures = shared_memory(sizeof(*figures));
	int r;

	r = place_run("programs", 60, body, figures);
	if (r < 0)
		return r;
	printf("\nPrograms: ns a packet, median and min..max of %d rounds on one core, BPF_PROG_RUN\n", ROUNDS);
	printf("  %-38s %6s  %-14s %7s  %-14s %8s %6s\n", "10 rules where it says nothing", "", "program", "", "null program",
	       "over it", "ratio");
	for (size_t i = 0; i < CASES; i++) {
		printf("  %-38s ", cases[i].name);
		series_print(&figures->cost[i], 6, 0);
		printf(" ");
		series_print(&figures->null[i], 6, 0);
		printf(" %8.0f %6.1f\n", series_part(&figures->over[i], 0.5),
		       series_part(&figures->cost[i], 0.5) / series_part(&figures->null[i], 0.5));
	}
	printf("  \"New\" and \"50,000\": a small program in front makes each repetition a packet of another connection and calls the\n"
	       "  program under test; the null program beside it is called in the same way. \"Deny\": the event budget is spent, so that\n"
	       "  the ring buffer is not in the figure. Egress has the check of the sender's MAC and address in it.\n");
	return 0;
}
