/* SPDX-License-Identifier: GPL-2.0 */
/* What stands around the packets: namespace, interfaces, endpoints, state. */
#include "packet.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/tc.skel.h"
#include "config/static_inventory.h"
#include "daemon/places.h"

/* Nobody on `open` is ever selected by a policy of the table, so that it has no guard; on `lab` labels alone select. */
static const char inventory_text[] =
	"networks:\n"
	"  - { name: dmz, bridge: br-dmz, subnets: [198.18.0.0/24, 'fd77:1::/64'] }\n"
	"  - { name: ops, bridge: br-ops, subnets: [198.18.1.0/24, 'fd77:2::/64'] }\n"
	"  - { name: open, bridge: br-open, subnets: [198.18.2.0/24, 'fd77:3::/64'] }\n"
	"  - { name: lab, bridge: br-lab, subnets: [198.18.3.0/24, 'fd77:4::/64'] }\n"
	"endpoints:\n"
	"  - { container: web, interface: web, network: dmz, addresses: [198.18.0.2, 'fd77:1::2'], mac: '02:00:00:00:00:02', service: shop/web }\n"
	"  - { container: db, interface: db, network: dmz, addresses: [198.18.0.3, 'fd77:1::3'], mac: '02:00:00:00:00:03', service: shop/db }\n"
	"  - { container: other, interface: other, network: dmz, addresses: [198.18.0.4, 'fd77:1::4'], mac: '02:00:00:00:00:04', service: mill/db }\n"
	"  - { container: free, interface: free, network: dmz, addresses: [198.18.0.9, 'fd77:1::9'], mac: '02:00:00:00:00:09' }\n"
	"  - { container: both, interface: both, network: dmz, addresses: [198.18.0.7, 'fd77:1::7'], mac: '02:00:00:00:00:07' }\n"
	"  - { container: both, interface: both-ops, network: ops, addresses: [198.18.1.7, 'fd77:2::7'], mac: '02:00:00:00:01:07' }\n"
	"  - { container: mon, interface: mon, network: ops, addresses: [198.18.1.2, 'fd77:2::2'], mac: '02:00:00:00:01:02', service: watch/mon }\n"
	"  - { container: lone, interface: lone, network: open, addresses: [198.18.2.2, 'fd77:3::2'], mac: '02:00:00:00:02:02' }\n"
	"  - { container: narrow, interface: narrow, network: lab, addresses: [198.18.3.2, 'fd77:4::2'], mac: '02:00:00:00:03:02',\n"
	"      service: shop/narrow, labels: { dnetbpf.ingress: 'allow 80/tcp from any as own; deny 81/tcp from any as no' } }\n"
	"  - { container: broken, interface: broken, network: lab, addresses: [198.18.3.3, 'fd77:4::3'], mac: '02:00:00:00:03:03',\n"
	"      labels: { dnetbpf.ingress: 'alow 80/tcp from any' } }\n"
	"  - { container: trial, interface: trial, network: lab, addresses: [198.18.3.4, 'fd77:4::4'], mac: '02:00:00:00:03:04',\n"
	"      labels: { dnetbpf.ingress: 'allow 80/tcp from any as own', dnetbpf.mode: audit } }\n"
	"  - { container: shut, interface: shut, network: lab, addresses: [198.18.3.5, 'fd77:4::5'], mac: '02:00:00:00:03:05',\n"
	"      labels: { dnetbpf.egress: '' } }\n"
	"  - { container: tight, interface: tight, network: lab, addresses: [198.18.3.6, 'fd77:4::6'], mac: '02:00:00:00:03:06',\n"
	"      labels: { dnetbpf.ingress: 'allow 80/tcp from any conns 1 as own' } }\n";

/* Beside the endpoints: two ways out, a bridge port that nobody enforces, one that is not identified yet. */
const char *const world_links[WORLD_LINKS] = { "uplink", "backup", "rogue", "new" };
static const struct { const char *name, *v4, *v6; } host_addresses[] = {
	{ "br-dmz", "198.18.0.1", "fd77:1::1" },
	{ "br-ops", "198.18.1.1", "fd77:2::1" },
	{ "uplink", "192.0.2.1", "2001:db8::1" },
};

/* --- interfaces */

bool world_link(const char *name, const char *kind, struct error *error)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE], peer[IFNAMSIZ];
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
	struct nlattr *info, *data, *other;
	ssize_t length;
	int r = -1;

	header->nlmsg_type = RTM_NEWLINK;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, kind);
	if (strcmp(kind, "veth") == 0) {
		data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
		other = mnl_attr_nest_start(header, 1 /* VETH_INFO_PEER */);

		mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
		snprintf(peer, sizeof(peer), "%.11s-in", name);
		mnl_attr_put_strz(header, IFLA_IFNAME, peer);
		mnl_attr_nest_end(header, other);
		mnl_attr_nest_end(header, data);
	}
	mnl_attr_nest_end(header, info);
	if (socket && mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 && mnl_socket_sendto(socket, header, header->nlmsg_len) > 0) {
		length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		r = mnl_cb_run(buffer, (size_t)(length > 0 ? length : 0), 0, mnl_socket_get_portid(socket), NULL, NULL);
	}
	if (r < 0)
		error_set(error, -errno, "cannot make the %s interface %s: %s", kind, name, strerror(errno));
	if (socket)
		mnl_socket_close(socket);
	return r >= 0;
}

static bool host_address(const char *name, const char *v4, const char *v6)
{
	_cleanup_close_ int four = socket(AF_INET, SOCK_DGRAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0);
	struct { struct in6_addr addr; uint32_t prefix_len; int ifindex; } request = { .prefix_len = 64, .ifindex = (int)if_nametoindex(name) };
	struct ifreq ifr = {};
	struct sockaddr_in *addr = (struct sockaddr_in *)&ifr.ifr_addr;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	addr->sin_family = AF_INET;
	inet_pton(AF_INET, v4, &addr->sin_addr);
	inet_pton(AF_INET6, v6, &request.addr);
	return four >= 0 && six >= 0 && ioctl(four, SIOCSIFADDR, &ifr) == 0 && ioctl(six, SIOCSIFADDR, &request) == 0;
}

/* BPF_PROG_RUN compares the destination with the interface's own MAC to say whether a frame is routed or bridged. */
static bool set_mac(uint32_t ifindex, const uint8_t *mac)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = {};

	if (fd < 0 || !if_indextoname(ifindex, ifr.ifr_name) || ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		return false;
	if (memcmp(ifr.ifr_hwaddr.sa_data, mac, 6) == 0)
		return true;
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	return ioctl(fd, SIOCSIFHWADDR, &ifr) == 0;
}

/* --- endpoints */

struct live *world_endpoint(struct world *world, const char *interface)
{
	return live_find(&world->live, (int)if_nametoindex(interface));
}

struct dnet_endpoint *world_slot(struct world *world, const char *interface)
{
	struct live *live = world_endpoint(world, interface);

	return live ? &world->dataplane->endpoints[live->slot] : NULL;
}

static bool add_endpoint(struct world *world, const struct attachment *attachment, struct error *error)
{
	const struct network *network = inventory_network(&world->inventory, attachment->network_id);
	struct live *live;

	if (!world_link(attachment->interface, "veth", error))
		return false;
	live = network ? calloc(1, sizeof(*live)) : NULL;
	if (!live)
		return error_set(error, -ENOMEM, "out of memory"), false;
	live->link.ifindex = (int)if_nametoindex(attachment->interface);
	live->id = world->next_id++;
	if (live_add(&world->live, live) < 0) {
		free(live);
		return error_set(error, -ENOMEM, "out of memory"), false;
	}
	snprintf(live->link.name, sizeof(live->link.name), "%s", attachment->interface);
	snprintf(live->bridge, sizeof(live->bridge), "%s", network->bridge);
	live->bridge_ifindex = (int)if_nametoindex(network->bridge);
	live->link.master = live->bridge_ifindex;
	live->slot = (uint32_t)world->live.count;
	if (!live_identify_static(live, attachment) || live_update_networks(live, &world->inventory, 1) < 0)
		return error_set(error, -EINVAL, "%s is not in the inventory", attachment->interface), false;
	live->identity = live_identity(live->container_id, live->network_id);
	live->container = live_container(live->container_id);
	return true;
}

static void on_event(void *context, const struct dnet_event *event)
{
	struct world *world = context;

	world->last_event = *event;
	world->events++;
}

bool world_open(struct world *world, struct error *error)
{
	_cleanup_free_ struct netlink_address *addresses = NULL;
	size_t address_count = 0;
	uint32_t one = 1;
	int epoll_fd;

	memset(world, 0, sizeof(*world));
	world->next_id = 101;
	if (unshare(CLONE_NEWNET) < 0)
		return error_set(error, -errno, "cannot make a network namespace: %s", strerror(errno)), false;
	if (dataplane_open(NULL, &world->dataplane, error) < 0 ||
	    dataplane_events_open(world->dataplane, on_event, world, &world->ring, &epoll_fd, error) < 0 ||
	    static_inventory_parse("inventory.yaml", inventory_text, sizeof(inventory_text) - 1, &world->inventory, error) < 0)
		return false;
	for (size_t i = 0; i < world->inventory.network_count; i++) {
		uint32_t ifindex;

		if (!world_link(world->inventory.networks[i].bridge, "bridge", error))
			return false;
		ifindex = if_nametoindex(world->inventory.networks[i].bridge);
		map_set(world->dataplane->bridges_fd, &ifindex, &one);
	}
	for (size_t i = 0; i < WORLD_LINKS; i++)
		if (!world_link(world_links[i], "veth", error))
			return false;
	for (size_t i = 0; i < COUNT(host_addresses); i++)
		if (!host_address(host_addresses[i].name, host_addresses[i].v4, host_addresses[i].v6))
			return error_set(error, -errno, "cannot give %s its addresses: %s", host_addresses[i].name, strerror(errno)), false;
	for (size_t i = 0; i < world->inventory.attachment_count; i++)
		if (!add_endpoint(world, &world->inventory.attachments[i], error))
			return false;
	if (world->live.count >= WORLD_SLOTS)
		return error_set(error, -ENOSPC, "there are more endpoints than WORLD_SLOTS"), false;
	return netlink_dump_addresses(&addresses, &address_count, error) >= 0 &&
	       places_update(world->dataplane, &world->places, addresses, address_count, &world->inventory, error) >= 0 &&
	       addresses_update(world->dataplane, &world->addresses, &world->live, error) >= 0;
}

void world_close(struct world *world)
{
	if (world->ring)
		dataplane_events_close(world->ring);
	world_policy_clear(world);
	dataplane_close(world->dataplane);
	mirror_clear(&world->places);
	mirror_clear(&world->addresses);
	live_set_clear(&world->live);
	inventory_clear(&world->inventory);
}

/* --- state */

static void delete_key(void *context, const void *key)
{
	map_delete(*(const int *)context, key);
}

void world_seal(struct world *world, bool sealed)
{
	uint32_t flags = DNET_BRIDGE_KNOWN | (sealed ? DNET_BRIDGE_SEALED : 0);

	for (size_t i = 0; i < world->inventory.network_count; i++) {
		uint32_t ifindex = if_nametoindex(world->inventory.networks[i].bridge);

		map_set(world->dataplane->bridges_fd, &ifindex, &flags);
	}
}

void world_reset(struct world *world)
{
	int fragments_fd = bpf_map__fd(world->dataplane->skeleton->maps.fragments);

	map_for_each_key(world->dataplane->flows_fd, sizeof(struct dnet_flow_key), delete_key, &world->dataplane->flows_fd);
	map_for_each_key(fragments_fd, sizeof(struct dnet_fragment_key), delete_key, &fragments_fd);
	memset(world->dataplane->event_budgets, 0, WORLD_SLOTS * sizeof(*world->dataplane->event_budgets));
	limits_reset(world);
	blocks_reset(world);
	world_seal(world, false);
	world_forget_events(world);
}

static void older(int fd, size_t key_size, size_t time_at, uint64_t age_ns)
{
	uint8_t key[64], next[64], value[128];
	bool more = bpf_map_get_next_key(fd, NULL, next) == 0;

	while (more) {
		uint64_t time;

		memcpy(key, next, key_size);
		if (map_get(fd, key, value) < 0)
			return;
		memcpy(&time, value + time_at, sizeof(time));
		time -= age_ns;
		memcpy(value + time_at, &time, sizeof(time));
		map_set(fd, key, value);
		more = bpf_map_get_next_key(fd, key, next) == 0;
	}
}

void world_age(struct world *world, unsigned int seconds)
{
	uint64_t age_ns = seconds * 1000000000ull;

	older(world->dataplane->flows_fd, sizeof(struct dnet_flow_key), offsetof(struct dnet_flow, last_seen_ns), age_ns);
	older(bpf_map__fd(world->dataplane->skeleton->maps.fragments), sizeof(struct dnet_fragment_key), 0, age_ns);
	limits_age(world, seconds);
	older(world->dataplane->blocks_fd, sizeof(struct dnet_block_key), offsetof(struct dnet_block, until_ns), age_ns);
	older(world->dataplane->proven_fd, sizeof(struct dnet_proof_key), 0, age_ns);
}

bool world_flow(struct world *world, const struct frame *frame, struct dnet_flow_key *ret_key, struct dnet_flow *ret)
{
	for (int source = 0; source < 2; source++) {
		struct dnet_flow_key key = { .proto = frame->proto };

		key.addr[source] = frame->src;
		key.addr[!source] = frame->dst;
		key.port_be[source] = htons(frame->flow_src_port);
		key.port_be[!source] = htons(frame->flow_dst_port);
		if (map_get(world->dataplane->flows_fd, &key, ret) == 0) {
			*ret_key = key;
			return true;
		}
	}
	return false;
}

void world_read_events(struct world *world)
{
	dataplane_events_read(world->ring);
}

void world_forget_events(struct world *world)
{
	dataplane_events_read(world->ring);
	world->events = 0;
	memset(&world->last_event, 0, sizeof(world->last_event));
}

bool world_count(struct world *world, struct world_counters *ret)
{
	enum { PASS_ENTRIES = COUNT(ret->pass) };
	static struct dnet_counter values[PASS_ENTRIES * 64];
	static uint32_t keys[PASS_ENTRIES];
	const int cpus = world->dataplane->cpus;
	uint32_t token = 0, count = PASS_ENTRIES;

	memcpy(ret->deny, world->dataplane->deny_counters, sizeof(ret->deny));
	memset(ret->pass, 0, sizeof(ret->pass));
	if (cpus > 64)
		return false;
	/* In one call: one for each counter would take as long as all the rest. */
	if (bpf_map_lookup_batch(world->dataplane->pass_counters_fd, NULL, &token, keys, values, &count, NULL) < 0 || count != PASS_ENTRIES)
		return false;
	for (uint32_t i = 0; i < count; i++)
		for (int cpu = 0; cpu < cpus; cpu++) {
			ret->pass[keys[i]].packets += values[i * (uint32_t)cpus + (uint32_t)cpu].packets;
			ret->pass[keys[i]].bytes += values[i * (uint32_t)cpus + (uint32_t)cpu].bytes;
		}
	return true;
}

int world_run(struct world *world, enum dataplane_program program, uint32_t ifindex, uint32_t origin, bool routed,
	      const struct frame *frame, int *ret_answer)
{
	static const uint8_t bridged_mac[6] = { 0x02, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb };
	struct __sk_buff context = { .ifindex = ifindex, .ingress_ifindex = origin, .gso_segs = frame->gso_segments,
				     .gso_size = frame->gso_size };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes, .data_size_in = (uint32_t)frame->length,
		    .ctx_in = &context, .ctx_size_in = sizeof(context));

	/* A group is nobody's own MAC. */
	if (!set_mac(ifindex, routed && !(frame->bytes[0] & 1) ? frame->bytes : bridged_mac))
		return -ENODEV;
	if (bpf_prog_test_run_opts(world->dataplane->program_fd[program], &options) < 0)
		return -errno;
	*ret_answer = (int)options.retval;
	return 0;
}

int world_explain(struct world *world, enum dnet_direction direction, uint32_t ifindex, uint32_t origin, bool routed,
		  const struct frame *frame, struct dnet_explanation *ret, struct error *error)
{
	const struct dataplane_frame question = {
		.bytes = frame->bytes, .length = frame->length, .direction = direction, .ifindex = ifindex, .origin_ifindex = origin,
		.bridged = !routed || frame->bytes[0] & 1,	/* as world_run() */
	};

	return dataplane_explain(world->dataplane, &question, ret, error);
}
