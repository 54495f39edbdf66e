/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is below sockets: count what really arrived, send frames with borrowed addresses, list the TCX programs here.
 *
 * Usage: packetprobe MODE [NAME=VALUE...] [ARGUMENT...]; the modes are in the table at the end.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"

/* linux/bpf.h of Debian 12 is older than TCX. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47

/* ---- sniff: what really arrived on an interface ---- */

static void sniff_packet(const uint8_t *packet, size_t length)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], text[160] = "";
	const uint8_t *transport;
	size_t left;
	int proto;

	if (length >= 20 && packet[0] >> 4 == 4) {
		size_t header = (packet[0] & 15) * 4u;

		if (header > length || (packet[6] & 0x1f) || packet[7])
			return;
		proto = packet[9];
		transport = packet + header;
		inet_ntop(AF_INET, packet + 12, from, sizeof(from));
		inet_ntop(AF_INET, packet + 16, to, sizeof(to));
	} else if (length >= 40 && packet[0] >> 4 == 6) {
		proto = packet[6];
		transport = packet + 40;
		inet_ntop(AF_INET6, packet + 8, from, sizeof(from));
		inet_ntop(AF_INET6, packet + 24, to, sizeof(to));
	} else {
		return;
	}
	left = length - (transport - packet);
	if (proto == IPPROTO_UDP && left > 8 + strlen(PAYLOAD_MARK) &&
	    !memcmp(transport + 8, PAYLOAD_MARK, strlen(PAYLOAD_MARK))) {
		size_t size = left - 8 - strlen(PAYLOAD_MARK);
		size_t announced = (size_t)(transport[4] << 8 | transport[5]) - 8 - strlen(PAYLOAD_MARK);

		if (size > announced)
			size = announced;
		snprintf(text, sizeof(text), "%.*s", (int)size, transport + 8 + strlen(PAYLOAD_MARK));
	} else if (proto == IPPROTO_TCP && left >= 20 && (transport[13] & 0x12) == 0x02) {
		snprintf(text, sizeof(text), "SYN:0");
	}
	if (*text)
		printf("%s %s %u %s %u\n", text, from, transport[0] << 8 | transport[1], to, transport[2] << 8 | transport[3]);
}

static int mode_sniff(const struct words *words)
{
	const char *name = need(words, 0, "INTERFACE");
	/* Deaf until it is bound, so that no packet of another interface is counted. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 64 << 20;
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct tpacket_stats statistics;
	socklen_t length = sizeof(statistics);
	uint64_t deadline = now_us() + 20000000;

	if (fd < 0)
		fail("packet socket");
	/* As a container's first act, the interface may be a moment away. */
	while (!(address.sll_ifindex = (int)if_nametoindex(name)) && now_us() < deadline && !stopped)
		pause_us(1000);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		fail(name);
	puts("ready");
	while (!stopped) {
		struct pollfd waiting = { fd, POLLIN, 0 };
		uint8_t packet[2048];
		struct sockaddr_ll from;
		socklen_t from_length = sizeof(from);
		ssize_t got;

		if (poll(&waiting, 1, 1000) <= 0)
			continue;
		while ((got = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_length)) > 0)
			if (from.sll_pkttype != PACKET_OUTGOING)
				sniff_packet(packet, got);
	}
	if (!getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length))
		printf("end seen %u missed %u\n", statistics.tp_packets, statistics.tp_drops);
	return 0;
}

/* ---- spoof: UDP frames with chosen addresses, below the kernel's own idea of who we are ---- */

static void mac_parse(const char *text, uint8_t *ret)
{
	if (!text || sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", ret, ret + 1, ret + 2, ret + 3, ret + 4, ret + 5) != 6) {
		fprintf(stderr, "packetprobe: '%s' is no MAC address\n", text ? text : "");
		exit(2);
	}
}

static uint32_t add_words(uint32_t sum, const void *data, size_t length)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? byte[i] : byte[i] << 8;
	return sum;
}

static uint16_t fold_be(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* A UDP frame behind its Ethernet header; the ethertype is written, too. Returns its whole length. */
static size_t udp_frame(uint8_t *frame, const char *from, const char *to, unsigned int from_port, unsigned int port, const char *payload)
{
	bool v6 = strchr(from, ':');
	uint8_t *network = frame + 14;
	size_t header = v6 ? 40 : 20, length = strlen(payload), size = 8 + length;
	struct udphdr *udp = (struct udphdr *)(network + header);

	frame[12] = (v6 ? ETH_P_IPV6 : ETH_P_IP) >> 8;
	frame[13] = (v6 ? ETH_P_IPV6 : ETH_P_IP) & 255;
	memcpy(udp + 1, payload, length);
	*udp = (struct udphdr){ .source = htons(from_port), .dest = htons(port), .len = htons(size) };
	if (v6) {
		struct ip6_hdr *ip = (struct ip6_hdr *)network;

		ip->ip6_flow = htonl(6u << 28);
		ip->ip6_plen = htons(size);
		ip->ip6_nxt = IPPROTO_UDP;
		ip->ip6_hlim = 64;
		if (inet_pton(AF_INET6, from, &ip->ip6_src) != 1 || inet_pton(AF_INET6, to, &ip->ip6_dst) != 1)
			fail("from, to");
		udp->check = fold_be(add_words(add_words(IPPROTO_UDP + size, &ip->ip6_src, 32), udp, size));
	} else {
		struct iphdr *ip = (struct iphdr *)network;

		*ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(20 + size) };
		if (inet_pton(AF_INET, from, &ip->saddr) != 1 || inet_pton(AF_INET, to, &ip->daddr) != 1)
			fail("from, to");
		ip->check = fold_be(add_words(0, ip, 20));
	}
	return 14 + header + size;
}

static size_t arp_frame(uint8_t *frame, const char *from, const char *to)
{
	static const uint8_t reply[8] = { 0, 1, 8, 0, 6, 4, 0, 2 };
	uint8_t *arp = frame + 14;

	frame[12] = ETH_P_ARP >> 8;
	frame[13] = ETH_P_ARP & 255;
	memcpy(arp, reply, 8);
	memcpy(arp + 8, frame + 6, 6);
	inet_pton(AF_INET, from, arp + 14);
	memcpy(arp + 18, frame, 6);
	inet_pton(AF_INET, to, arp + 24);
	return 14 + 28;
}

static struct sockaddr_ll link_of(const char *name)
{
	return (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name), .sll_halen = 6 };
}

/* arp=1 sends an ARP reply which claims that from= is at from-mac=, instead of UDP. */
static int mode_spoof(const struct words *words)
{
	const char *name = need(words, 0, "INTERFACE"), *from = option(words, "from", ""), *to = option(words, "to", "");
	struct sockaddr_ll link = link_of(name);
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	unsigned long count = number(words, "count", 1);
	uint8_t frame[256] = { 0 };
	char payload[100];
	size_t size;

	mac_parse(option(words, "to-mac", NULL), frame);
	mac_parse(option(words, "from-mac", NULL), frame + 6);
	for (unsigned long i = 0; i < count && !stopped; i++) {
		snprintf(payload, sizeof(payload), PAYLOAD_MARK "%s:%lu", option(words, "tag", "spoof"), i);
		if (option(words, "arp", NULL))
			size = arp_frame(frame, from, to);
		else
			size = udp_frame(frame, from, to, number(words, "from-port", 4000), number(words, "port", 9), payload);
		if (sendto(fd, frame, size, 0, (struct sockaddr *)&link, sizeof(link)) < 0)
			fail(name);
	}
	printf("sent %lu\n", count);
	return 0;
}

/* ---- hail: UDP from many ports, from one CPU, until it is stopped ---- */

#define MAX_KINDS 64

struct kind {
	char tag[32], from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], mac[18];
	unsigned int port, from_port;	/* from_port 0: another one for each packet */
	unsigned long sent;
};

static int mode_hail(const struct words *words)
{
	static struct kind kinds[MAX_KINDS];
	const char *name = need(words, 0, "INTERFACE"), *text;
	unsigned long gap = number(words, "gap", 0), first = number(words, "first", 10000), span = number(words, "span", 10000);
	struct sockaddr_ll link = link_of(name);
	int fd = socket(AF_PACKET, SOCK_RAW, 0), count = 0;
	uint8_t frame[256] = { 0 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(number(words, "cpu", 0), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		fail("cpu=");
	mac_parse(option(words, "from-mac", NULL), frame + 6);
	for (; count < MAX_KINDS && (text = argument(words, count + 1)); count++) {
		struct kind *kind = &kinds[count];

		if (sscanf(text, "%31[^,],%45[^,],%45[^,],%17[^,],%u,%u", kind->tag, kind->from, kind->to, kind->mac, &kind->port,
			   &kind->from_port) < 5) {
			fprintf(stderr, "packetprobe: '%s' is not TAG,FROM,TO,TO-MAC,PORT[,FROM-PORT]\n", text);
			return 2;
		}
	}
	puts("ready");
	for (unsigned long i = 0; count && !stopped; i++) {
		for (struct kind *kind = kinds; kind < kinds + count && !stopped; kind++) {
			char payload[100];
			size_t size;

			snprintf(payload, sizeof(payload), PAYLOAD_MARK "%s:%lu", kind->tag, kind->sent);
			mac_parse(kind->mac, frame);
			size = udp_frame(frame, kind->from, kind->to, kind->from_port ? kind->from_port : first + i % span, kind->port,
					 payload);
			if (sendto(fd, frame, size, 0, (struct sockaddr *)&link, sizeof(link)) < 0)
				fail(name);
			kind->sent++;
		}
		if (gap)
			pause_us(gap);
	}
	for (struct kind *kind = kinds; kind < kinds + count; kind++)
		printf("sent %s %lu\n", kind->tag, kind->sent);
	puts("end");
	return 0;
}

/* ---- programs: TCX programs of every interface here; tc and bpftool of Debian 12 are too old to show them ---- */

static int mode_programs(const struct words *words)
{
	struct if_nameindex *all = if_nameindex();

	(void)words;
	for (struct if_nameindex *link = all; link && link->if_index; link++) {
		for (int type = ATTACH_TCX_INGRESS; type <= ATTACH_TCX_EGRESS; type++) {
			uint32_t ids[64];
			union bpf_attr attr;

			memset(&attr, 0, sizeof(attr));
			attr.query.target_fd = link->if_index;
			attr.query.attach_type = type;
			attr.query.prog_ids = (uintptr_t)ids;
			attr.query.prog_cnt = 64;
			if (!syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) && attr.query.prog_cnt)
				printf("%s %s %u\n", link->if_name, type == ATTACH_TCX_INGRESS ? "ingress" : "egress",
				       attr.query.prog_cnt);
		}
	}
	if_freenameindex(all);
	return 0;
}

static const struct mode modes[] = {
	{ "sniff", "INTERFACE: a line for each marked datagram and TCP SYN that comes in", mode_sniff },
	{ "spoof", "INTERFACE from= from-mac= to= to-mac= [port=] [count=] [tag=] [arp=1]: raw frames", mode_spoof },
	{ "hail", "INTERFACE from-mac= [cpu=] [gap=US] [first=PORT] [span=PORTS] TAG,FROM,TO,TO-MAC,PORT[,FROM-PORT]...: UDP until stopped",
	  mode_hail },
	{ "programs", "TCX programs of the interfaces here", mode_programs },
	{ NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
	return probe_main(argc, argv, modes);
}
