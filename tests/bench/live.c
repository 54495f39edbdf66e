/* SPDX-License-Identifier: GPL-2.0 */
#include "live.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bench.h"
#include "live.skel.h"

#define CONTAINER	"198.18.10.11"
#define CONTAINER_MAC	"02:00:00:00:00:0b"
#define UPLINK_MAC	"02:00:00:00:00:01"

/* eth0 is the container's. It is in the host's namespace, which changes nothing on the way to it. */
static const char road[] =
	"echo 1 > /proc/sys/net/ipv4/ip_forward\n"
	"for i in all default; do echo 0 > /proc/sys/net/ipv4/conf/$i/rp_filter; done\n"
	"filtered=/proc/sys/net/bridge/bridge-nf-call-iptables\n"
	"if [ -e $filtered ]; then echo 0 > $filtered; fi\n"
	"ip link add br-front type bridge forward_delay 0\n"
	"ip link add up0 address " UPLINK_MAC " type veth peer name out0\n"
	"ip link add v-box type veth peer name eth0 address " CONTAINER_MAC "\n"
	"ip link set v-box master br-front\n"
	"for i in br-front up0 out0 v-box eth0; do ip link set $i up; done\n"
	"ip address add 198.18.10.1/24 dev br-front\n"
	"ip route add 198.19.0.0/16 dev up0\n"
	"ip neighbour add " CONTAINER " lladdr " CONTAINER_MAC " dev br-front nud permanent\n"
	"bridge fdb replace " CONTAINER_MAC " dev v-box master static\n";

const char live_inventory[] =
	"networks:\n"
	"  - { name: front, bridge: br-front, subnets: [198.18.10.0/24] }\n"
	"endpoints:\n"
	"  - { container: box, interface: v-box, network: front, addresses: [" CONTAINER "], mac: \"" CONTAINER_MAC "\" }\n";

struct live {
	struct live_bpf *programs;
	int uplink;
};

int live_shell(const char *what, const char *script, struct error *error)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "set -e\n%s", script) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	return system(text) == 0 ? 0 : error_set(error, -EINVAL, "cannot %s; what failed is said above", what);
}

static uint16_t checksum_be(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* What the program on the outside varies is 0 here, and its complement 0xffff. */
static void make_pattern(struct live_frame *pattern, uint16_t port)
{
	struct live_frame frame = {
		.ethernet = { .h_dest = { 2, 0, 0, 0, 0, 0x01 }, .h_source = { 2, 0, 0, 0, 0, 0x02 }, .h_proto = htons(ETH_P_IP) },
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .id = 0xffff,
			.tot_len = htons(sizeof(struct iphdr) + sizeof(struct tcphdr)), .saddr = htonl(LIVE_SOURCES),
			.daddr = inet_addr(CONTAINER) },
		.tcp = { .dest = htons(port), .seq = 0xffffffff, .doff = 5, .syn = 1, .window = htons(64240) },
	};

	frame.ip.check = checksum_be(&frame.ip, sizeof(frame.ip), 0);
	/* The pseudo-header: both addresses stand before the TCP header (RFC 9293). */
	frame.tcp.check = checksum_be(&frame.ip.saddr, 8 + sizeof(frame.tcp), IPPROTO_TCP + sizeof(frame.tcp));
	*pattern = frame;
}

static int attach_end(const struct live *live, struct error *error)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("eth0"), .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = bpf_program__fd(live->programs->progs.end));
	int r = bpf_tc_hook_create(&hook);

	if (r == 0)
		r = bpf_tc_attach(&hook, &options);
	return r < 0 ? error_set(error, r, "cannot attach the program behind the container's interface: %s", strerror(-r)) : 0;
}

int live_open(struct live **ret, struct error *error)
{
	struct live *live = calloc(1, sizeof(*live));
	int r;

	if (!live)
		return error_set(error, -ENOMEM, "out of memory");
	r = live_shell("make the interfaces", road, error);
	live->uplink = (int)if_nametoindex("up0");
	live->programs = r == 0 ? live_bpf__open_and_load() : NULL;
	if (r == 0 && !live->programs)
		r = error_set(error, -EINVAL, "the kernel refused the programs of the bench");
	if (r == 0)
		r = attach_end(live, error);
	if (r < 0)
		live_close(live);
	else
		*ret = live;
	return r;
}

void live_close(struct live *live)
{
	if (!live)
		return;
	live_bpf__destroy(live->programs);
	free(live);
}

int live_measure(struct live *live, uint16_t port, uint32_t connections, uint32_t sources, uint32_t expected, double *ret_ns,
		 struct error *error)
{
	uint8_t data[sizeof(struct live_frame)] = { 0 };
	struct xdp_md context = { .data_end = sizeof(data), .ingress_ifindex = (uint32_t)live->uplink };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data, .data_size_in = sizeof(data), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)connections, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	struct live_bpf__bss *bss = live->programs->bss;

	make_pattern(&bss->pattern, port);
	bss->source_mask = sources - 1;
	bss->next = 0;
	bss->arrived = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(live->programs->progs.client), &options) < 0)
		return error_set(error, -errno, "BPF_PROG_RUN with live frames: %s", strerror(errno));
	if (bss->arrived != expected)
		return error_set(error, -EPROTO, "%llu of %u packets came through instead of %u",
				 (unsigned long long)bss->arrived, connections, expected);
	*ret_ns = options.duration;
	return 0;
}
