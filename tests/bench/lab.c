/* SPDX-License-Identifier: GPL-2.0 */
#include "lab.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/netlink.h"
#include "base/text.h"
#include "bench.h"
#include "config/policy_file.h"
#include "daemon/install.h"
#include "null.skel.h"
#include "vary.h"
#include "vary.skel.h"

#define FIRST_SLOT 1
#define SET PLACE_DIRECTORY "/set.txt"
#define INTERFACE "bench0"
#define UPLINK "uplink0"

static const struct {
	const char *container, *peer;
	const char *world;	/* a prefix that has all peers in it */
} families[2] = {
	{ "198.18.0.2", "198.19.0.1", "198.19.0.0/16" },
	{ "fd77:1::2", "2001:db8::1", "2001:db8::/32" },
};

struct lab {
	struct lab_config config;
	struct dataplane *dataplane;
	struct null_bpf *null;
	struct vary_bpf *vary;
	uint32_t (*rulesets)[DNET_DIRECTIONS][DNET_LAYERS];	/* by endpoint */
	int ifindex, uplink;
	uint8_t container_mac[6];
};

/* --- policies ----------------------------------------------------------------- */

static void write_rule(FILE *file, const struct lab_config *config, unsigned int policy, unsigned int rule, const char *towards)
{
	bool first = rule == 0, last = rule == config->rules - 1;
	unsigned int number = policy * config->rules + rule;
	char ports[16];

	if (first && last)
		snprintf(ports, sizeof(ports), "%d,%d", LAB_FIRST, LAB_LAST);
	else
		snprintf(ports, sizeof(ports), "%u", first ? LAB_FIRST : last ? LAB_LAST : 10000 + rule);
	fprintf(file, "      - \"allow %s/tcp %s ", ports, towards);
	if (first || last)
		fprintf(file, "%s\"\n", config->prefixes ? "set:s" : families[config->v6].world);
	else if (config->v6)
		fprintf(file, "2001:db9::%x:%x\"\n", number >> 16, number & 0xffff);
	else
		fprintf(file, "10.%u.%u.%u\"\n", number >> 16, number >> 8 & 0xff, number & 0xff);
}

static char *write_policies(const struct lab_config *config)
{
	static const char *const lists[] = { "ingress", "egress" }, *const towards[] = { "from", "to" };
	unsigned int policies = config->own_policies ? config->endpoints : 1;
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		return NULL;
	fprintf(file, "version: 1\n");
	if (config->prefixes)
		fprintf(file, "sets:\n  s: { file: " SET " }\n");
	fprintf(file, "policies:\n");
	for (unsigned int i = 0; i < policies; i++) {
		fprintf(file, "  - name: p%u\n    select: ", i);
		fprintf(file, config->own_policies ? "\"container:c%u\"\n" : "all\n", i);
		for (size_t list = 0; list < 2; list++) {
			fprintf(file, "    %s:\n", lists[list]);
			for (unsigned int rule = 0; rule < config->rules; rule++)
				write_rule(file, config, i, rule, towards[list]);
			/* Sources are limited where they come in. */
			for (unsigned int rule = 0; list == 0 && config->limits && config->limits[rule]; rule++)
				fprintf(file, "      - \"allow %u/tcp from %s %s\"\n", LAB_LIMITED + rule, families[config->v6].world,
					config->limits[rule]);
		}
	}
	return fclose(file) == 0 ? text : NULL;
}

int lab_write_set(const char *path, unsigned int prefixes, bool v6, struct error *error)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	for (unsigned int i = 0; file && i < prefixes; i++) {
		uint32_t v4 = vary_v4(i);
		uint64_t high = vary_v6(i);

		if (v6)
			fprintf(file, "%x:%x:%x::/48\n", (unsigned int)(high >> 48), (unsigned int)(high >> 32) & 0xffff,
				(unsigned int)(high >> 16) & 0xffff);
		else
			fprintf(file, "%u.%u.%u.%u\n", v4 >> 24, v4 >> 16 & 0xff, v4 >> 8 & 0xff, v4 & 0xff);
	}
	if (!file || fflush(file) < 0)
		return error_set(error, -EIO, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

void crowd_clear(struct crowd *crowd)
{
	for (size_t i = 0; crowd->verdicts && i < crowd->count; i++)
		compile_verdict_clear(&crowd->verdicts[i]);
	free(crowd->names);
	free(crowd->containers);
	free(crowd->endpoints);
	free(crowd->verdicts);
	memset(crowd, 0, sizeof(*crowd));
}

int crowd_make(struct crowd *crowd, size_t count, struct error *error)
{
	static struct network network = { .id = "bench", .name = "bench", .driver = "bridge", .bridge = "bench" };
	static const char *const networks[] = { "bench", NULL };

	crowd->count = count;
	crowd->names = calloc(count, sizeof(*crowd->names));
	crowd->containers = calloc(count, sizeof(*crowd->containers));
	crowd->endpoints = calloc(count, sizeof(*crowd->endpoints));
	crowd->verdicts = calloc(count, sizeof(*crowd->verdicts));
	if (!crowd->names || !crowd->containers || !crowd->endpoints || !crowd->verdicts)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		char *name = crowd->names[i];

		snprintf(name, sizeof(crowd->names[i]), "c%zu", i);
		crowd->containers[i] = (struct container){ .id = name, .name = name, .image = "", .state = CONTAINER_RUNNING };
		crowd->endpoints[i] = (struct compile_endpoint){ .id = 1 + (uint32_t)i, .container = &crowd->containers[i],
								 .network = &network, .network_names = networks };
	}
	return 0;
}

uint32_t crowd_limit(void *context, const char *policy, const struct rule *rule, const struct limit *limit)
{
	uint32_t *last = context;

	(void)policy;
	(void)rule;
	(void)limit;
	return ++*last;
}

uint32_t crowd_counter(void *context, const char *policy, const struct rule *rule)
{
	uint32_t *counter = context;

	(void)policy;
	(void)rule;
	return ++*counter < DNET_MAX_RULE_COUNTERS ? *counter : DNET_NO_RULE;
}

int crowd_install_sets(struct dataplane *dataplane, uint32_t arena, const struct set_classes *sets, uint64_t tag, struct error *error)
{
	int r = 0;

	for (int family = 0; family < DNET_SET_FAMILIES && r == 0; family++) {
		const uint64_t *words;
		size_t count = set_classes_words(sets, family, &words);

		r = dataplane_set_table(dataplane, arena, family, words, count, tag, error);
	}
	return r;
}

struct compilation {
	struct crowd crowd;
	struct policy_set policies;
	struct set_classes *sets;
	struct compiler *compiler;
	struct install install;
};

static void compilation_clear(struct compilation *compilation)
{
	crowd_clear(&compilation->crowd);
	compiler_free(compilation->compiler);
	set_classes_free(compilation->sets);
	policy_set_clear(&compilation->policies);
	install_clear(&compilation->install);
}

static int compile(struct lab *lab, struct error *error)
{
	_cleanup_(compilation_clear) struct compilation compilation = {};
	const struct lab_config *config = &lab->config;
	_cleanup_free_ char *text = write_policies(config);
	struct compile_input input = { .policies = &compilation.policies, .counter = crowd_counter, .limit = crowd_limit };
	uint32_t counter = 0, next_class = 1;
	int r;

	if (!text)
		return error_set(error, -ENOMEM, "out of memory");
	r = crowd_make(&compilation.crowd, config->endpoints, error);
	if (r == 0 && config->prefixes)
		r = lab_write_set(SET, config->prefixes, config->v6, error);
	if (r == 0)
		r = policy_file_parse("bench", text, strlen(text), &compilation.policies, NULL, error);
	unlink(SET);
	if (r == 0 && config->prefixes)
		r = set_classes_new(&compilation.policies, NULL, &next_class, &compilation.sets, error);
	if (r == 0 && config->prefixes)
		r = crowd_install_sets(lab->dataplane, dataplane_arena(lab->dataplane), compilation.sets, 1, error);
	if (r < 0)
		return r;
	input.arena = compilation.install.arena = dataplane_arena(lab->dataplane);
	input.sets = compilation.sets;
	input.context = &counter;
	r = compiler_new(&input, &compilation.compiler, error);
	if (r == 0)
		r = compiler_run(compilation.compiler, compilation.crowd.endpoints, config->endpoints, NULL, 0,
				 compilation.crowd.verdicts, error);
	if (r == 0)
		r = install_apply(&compilation.install, lab->dataplane, compilation.compiler, error);
	for (size_t i = 0; i < config->endpoints; i++)
		memcpy(lab->rulesets[i], compilation.crowd.verdicts[i].ruleset, sizeof(lab->rulesets[i]));
	return r;
}

/* --- endpoints and programs ------------------------------------------------------ */

static int make_endpoints(struct lab *lab, struct error *error)
{
	uint32_t slot = FIRST_SLOT, id = 1, ifindex = lab->ifindex;
	int r = map_set(lab->dataplane->links_fd, &ifindex, &slot);

	for (int family = 0; family < 2 && r == 0; family++) {
		struct dnet_address_key address = { .bridge_ifindex = 0 };

		text_parse_addr(families[family].container, &address.addr);
		r = map_set(lab->dataplane->addresses_fd, &address, &id);
	}
	for (size_t i = 0; i < lab->config.endpoints; i++) {
		struct dnet_endpoint *endpoint = &lab->dataplane->endpoints[FIRST_SLOT + i];

		memcpy(endpoint->mac, lab->container_mac, 6);
		endpoint->id = 1 + (uint32_t)i;
		endpoint->container = 1 + i;
		endpoint->ifindex = lab->ifindex;
		memcpy(endpoint->ruleset[dataplane_arena(lab->dataplane)], lab->rulesets[i], sizeof(lab->rulesets[i]));
	}
	return r < 0 ? error_set(error, r, "cannot make an endpoint: %s", strerror(-r)) : 0;
}

/* One pair for all labs of a place. */
static int interfaces(struct lab *lab, struct error *error)
{
	struct netlink_link link = {};
	struct mnl_socket *socket = NULL;
	int r = 0;

	if (!if_nametoindex(INTERFACE)) {
		r = link_open(&socket, error);
		if (r == 0)
			r = link_add_veth(socket, INTERFACE, UPLINK, error);
		link_close(socket);
	}
	if (r < 0)
		return r;
	lab->ifindex = (int)if_nametoindex(INTERFACE);
	lab->uplink = (int)if_nametoindex(UPLINK);
	r = netlink_get_link(lab->ifindex, &link);
	/* BPF_PROG_RUN takes a frame for the interface's own MAC for one that is routed here: the container has that MAC. */
	memcpy(lab->container_mac, link.mac, 6);
	return r < 0 ? error_set(error, r, "cannot read an interface: %s", strerror(-r)) : 0;
}

static int load(struct lab *lab, struct error *error)
{
	int r = dataplane_open(NULL, &lab->dataplane, error);

	if (r < 0)
		return r;
	lab->null = null_bpf__open_and_load();
	lab->vary = vary_bpf__open();
	if (!lab->null || !lab->vary || bpf_map__reuse_fd(lab->vary->maps.links, lab->dataplane->links_fd) < 0 ||
	    vary_bpf__load(lab->vary) < 0)
		return error_set(error, -EINVAL, "the kernel refused the programs of the bench");
	lab->vary->bss->set_size = lab->config.prefixes;
	return 0;
}

int lab_open(const struct lab_config *config, struct lab **ret, struct error *error)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	int r;

	if (!lab)
		return error_set(error, -ENOMEM, "out of memory");
	lab->config = *config;
	lab->rulesets = calloc(config->endpoints, sizeof(*lab->rulesets));
	r = lab->rulesets ? load(lab, error) : error_set(error, -ENOMEM, "out of memory");
	if (r == 0)
		r = interfaces(lab, error);
	if (r == 0)
		r = compile(lab, error);
	if (r == 0)
		r = make_endpoints(lab, error);
	if (r < 0)
		lab_close(lab);
	else
		*ret = lab;
	return r;
}

void lab_close(struct lab *lab)
{
	if (!lab)
		return;
	null_bpf__destroy(lab->null);
	vary_bpf__destroy(lab->vary);
	dataplane_close(lab->dataplane);
	free(lab->rulesets);
	free(lab);
}

static bool nobody(void *context, uint32_t endpoint_id)
{
	(void)context;
	(void)endpoint_id;
	return false;
}

void lab_reset(struct lab *lab, bool governed)
{
	dataplane_sweep_flows(lab->dataplane, nobody, NULL);
	for (size_t i = 0; i < lab->config.endpoints; i++) {
		/* No event may be sent: a budget that is spent until tomorrow. */
		lab->dataplane->event_budgets[FIRST_SLOT + i].theoretical_arrival_ns = (uint64_t)(now_ms() * 1e6) + 86400ull * 1000000000;
		lab->dataplane->endpoints[FIRST_SLOT + i].flags = governed ? DNET_ENDPOINT_GUARD | DNET_ENDPOINT_TRACKED : 0;
	}
}

/* --- packets ------------------------------------------------------------------- */

struct frame {
	uint8_t bytes[sizeof(struct ethhdr) + sizeof(struct ipv6hdr) + sizeof(struct tcphdr) + 10];
	size_t length;
};

static struct frame make_frame(const struct lab *lab, const struct lab_packet *packet)
{
	bool egress = packet->direction == DNET_EGRESS;
	const char *src = egress ? families[packet->v6].container : families[packet->v6].peer;
	const char *dst = egress ? families[packet->v6].peer : families[packet->v6].container;
	struct tcphdr tcp = { .source = htons(40000), .dest = htons(packet->port), .doff = 5, .syn = packet->begins, .ack = !packet->begins };
	struct ethhdr ethernet = { .h_proto = htons(packet->v6 ? ETH_P_IPV6 : ETH_P_IP) };
	size_t header = packet->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr), payload = 10;
	struct frame frame = { .length = sizeof(ethernet) + header + sizeof(tcp) + payload };

	memcpy(egress ? ethernet.h_source : ethernet.h_dest, lab->container_mac, 6);
	memcpy(frame.bytes, &ethernet, sizeof(ethernet));
	if (packet->v6) {
		struct ipv6hdr ip = { .version = 6, .hop_limit = 64, .nexthdr = IPPROTO_TCP, .payload_len = htons(sizeof(tcp) + payload) };

		inet_pton(AF_INET6, src, &ip.saddr);
		inet_pton(AF_INET6, dst, &ip.daddr);
		memcpy(frame.bytes + sizeof(ethernet), &ip, sizeof(ip));
	} else {
		struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP,
				    .tot_len = htons(header + sizeof(tcp) + payload), .saddr = inet_addr(src), .daddr = inet_addr(dst) };

		memcpy(frame.bytes + sizeof(ethernet), &ip, sizeof(ip));
	}
	memcpy(frame.bytes + sizeof(ethernet) + header, &tcp, sizeof(tcp));
	return frame;
}

/* The program, or the wrapper that varies the connection and then calls it. */
static int entry(struct lab *lab, const struct lab_packet *packet, int program)
{
	uint32_t zero = 0;

	if (!packet->varied)
		return program;
	bpf_map_update_elem(bpf_map__fd(lab->vary->maps.target), &zero, &program, BPF_ANY);
	lab->vary->bss->next = 0;
	lab->vary->bss->vary_destination = packet->direction == DNET_EGRESS;
	lab->vary->bss->source_mask = (packet->sources ? packet->sources : 1 << 16) - 1;
	lab->vary->bss->slot_count = packet->all_endpoints ? lab->config.endpoints : 0;
	return bpf_program__fd(lab->vary->progs.vary);
}

int lab_run(struct lab *lab, const struct lab_packet *packet, bool null, uint32_t repeat, uint32_t expected, double *ret_ns,
	    struct error *error)
{
	struct __sk_buff context = { .ifindex = lab->ifindex, .ingress_ifindex = lab->uplink };
	struct frame frame = make_frame(lab, packet);
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.bytes, .data_size_in = frame.length, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)repeat);
	int program = null ? bpf_program__fd(lab->null->progs.null) :
			     lab->dataplane->program_fd[packet->direction == DNET_EGRESS ? PROGRAM_EGRESS : PROGRAM_INGRESS];

	if (bpf_prog_test_run_opts(entry(lab, packet, program), &options) < 0)
		return error_set(error, -errno, "BPF_PROG_RUN: %s", strerror(errno));
	if (options.retval != expected)
		return error_set(error, -EPROTO, "a program returns %d instead of %d", (int)options.retval, (int)expected);
	*ret_ns = options.duration;
	return 0;
}

uint64_t lab_counted(const struct lab *lab, enum dnet_direction direction, enum dnet_reason reason)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < lab->config.endpoints; i++) {
		struct dnet_counter counter;

		if (dnet_reason_class(reason) == DNET_CLASS_PASS)
			dataplane_pass_counter(lab->dataplane, FIRST_SLOT + i, direction, reason, &counter);
		else
			dataplane_deny_counter(lab->dataplane, FIRST_SLOT + i, direction, DNET_DENY, reason, &counter);
		sum += counter.packets;
	}
	return sum;
}

int lab_measure(struct lab *lab, const struct lab_packet *packet, uint32_t repeat, enum dnet_reason reason, double *ret_null,
		double *ret_cost, struct error *error)
{
	uint32_t expected = dnet_reason_class(reason) == DNET_CLASS_PASS ? (uint32_t)TC_ACT_UNSPEC : TC_ACT_SHOT;
	uint64_t counted;
	int r;

	r = lab_run(lab, packet, true, repeat, (uint32_t)TC_ACT_UNSPEC, ret_null, error);
	if (r < 0)
		return r;
	counted = lab_counted(lab, packet->direction, reason);
	r = lab_run(lab, packet, false, repeat, expected, ret_cost, error);
	if (r < 0)
		return r;
	counted = lab_counted(lab, packet->direction, reason) - counted;
	/* Another path through the program would be measured: no figure is better than that one. */
	if (counted != repeat)
		return error_set(error, -EPROTO, "%llu of %u packets took the path that is to be measured", (unsigned long long)counted, repeat);
	return 0;
}
