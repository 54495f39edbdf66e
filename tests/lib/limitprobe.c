/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Both ends of a limit's test: packets sent at exact times with chosen sources, those that arrive counted by their numbers, a flood of
 * random sources, and the throughput of one connection beside it.
 *
 * Usage: limitprobe MODE [NAME=VALUE...] [ARGUMENT...]; the modes are in the table at the end.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dnetbpf/limit.h>

#include "probe.h"

#define MAX_SHOTS 65536
/* The first four bytes of a datagram; its number follows. A SYN has its number as the sequence number, and this as its window. */
#define SHOT_MARK 0x444c5354u
#define SHOT_WINDOW 0x4c53

struct shot {
	uint64_t at_us, before_ns, after_ns;
	uint8_t frame[86];
	uint8_t size;
};

static struct shot shots[MAX_SHOTS];

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint32_t sum_be(uint32_t sum, const void *data, size_t length)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? byte[i] : (uint32_t)byte[i] << 8;
	return sum;
}

static uint16_t fold_be(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void mac_parse(const char *text, uint8_t *ret)
{
	if (!text || sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", ret, ret + 1, ret + 2, ret + 3, ret + 4, ret + 5) != 6) {
		fprintf(stderr, "limitprobe: '%s' is no MAC address\n", text ? text : "");
		exit(2);
	}
}

static int link_open(const char *name, struct sockaddr_ll *ret_link)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;	/* protocol 0: it hears nothing */

	*ret_link = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name), .sll_halen = 6 };
	if (fd < 0 || !ret_link->sll_ifindex)
		fail(name);
	/* Straight to the driver: a queue would lie between the time that is noted and the packet. */
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	return fd;
}

static void pin_to_cpu(const struct words *words)
{
	const char *cpu = option(words, "cpu", NULL);
	cpu_set_t set;

	if (!cpu)
		return;
	CPU_ZERO(&set);
	CPU_SET(strtoul(cpu, NULL, 10), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

/* A numbered datagram or SYN behind its Ethernet header. Addresses are binary, of the family that @v6 says. */
static size_t frame_make(uint8_t *frame, bool v6, const void *from, const void *to, bool tcp, uint16_t from_port, uint16_t port,
			 uint32_t number)
{
	uint8_t *network = frame + 14, *transport = network + (v6 ? 40 : 20);
	size_t size = tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr) + 8, address = v6 ? 16 : 4;
	uint8_t proto = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	uint16_t *check_be;

	frame[12] = (v6 ? ETH_P_IPV6 : ETH_P_IP) >> 8;
	frame[13] = (v6 ? ETH_P_IPV6 : ETH_P_IP) & 255;
	if (v6) {
		struct ip6_hdr *ip = (struct ip6_hdr *)network;

		ip->ip6_flow = htonl(6u << 28);
		ip->ip6_plen = htons((uint16_t)size);
		ip->ip6_nxt = proto;
		ip->ip6_hlim = 64;
		memcpy(&ip->ip6_src, from, 16);
		memcpy(&ip->ip6_dst, to, 16);
	} else {
		struct iphdr *ip = (struct iphdr *)network;

		*ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = proto, .tot_len = htons((uint16_t)(20 + size)) };
		memcpy(&ip->saddr, from, 4);
		memcpy(&ip->daddr, to, 4);
		ip->check = fold_be(sum_be(0, ip, 20));
	}
	if (tcp) {
		struct tcphdr *header = (struct tcphdr *)transport;

		*header = (struct tcphdr){ .source = htons(from_port), .dest = htons(port), .seq = htonl(number), .doff = 5, .syn = 1,
					   .window = htons(SHOT_WINDOW) };
		check_be = &header->check;
	} else {
		struct udphdr *header = (struct udphdr *)transport;
		uint32_t payload[2] = { htonl(SHOT_MARK), htonl(number) };

		*header = (struct udphdr){ .source = htons(from_port), .dest = htons(port), .len = htons((uint16_t)size) };
		memcpy(header + 1, payload, 8);
		check_be = &header->check;
	}
	*check_be = fold_be(sum_be(sum_be((uint32_t)(proto + size), network + (v6 ? 8 : 12), 2 * address), transport, size));
	return (size_t)(transport - frame) + size;
}

/* ---- fire: numbered packets at exact times ---- */

static void wait_for(uint64_t at_ns)
{
	uint64_t now = now_ns();

	/* The timer wakes us up to 60 us late; the last stretch is spent looking at the clock. */
	if (now + 100000 < at_ns) {
		uint64_t until = at_ns - 80000;
		struct timespec time = { (time_t)(until / 1000000000), (long)(until % 1000000000) };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
	}
	while (now_ns() < at_ns && !stopped)
		;
}

/*
 * Lines of standard input or file=: MICROSECONDS PROTO SOURCE SOURCE-PORT TARGET PORT, in the order of time. The number of a packet is
 * that of its line, from 0. Afterwards, for each: its number and the times in ns before and after it was handed over. The firewall's
 * look at its clock lies between the two, because a veth's receiver runs on the sender's CPU before the sender goes on.
 */
static int mode_fire(const struct words *words)
{
	const char *name = need(words, 0, "INTERFACE"), *path = option(words, "file", "/dev/stdin");
	struct sched_param urgent = { .sched_priority = 10 };
	struct sockaddr_ll link;
	int fd = link_open(name, &link), count = 0;
	FILE *file = fopen(path, "re");
	uint8_t macs[12];
	uint64_t start;
	unsigned long at;
	char proto[8], from_text[64], to_text[64];
	unsigned int from_port, port;

	if (!file)
		fail(path);
	mac_parse(option(words, "to-mac", NULL), macs);
	mac_parse(option(words, "from-mac", NULL), macs + 6);
	while (fscanf(file, "%lu %7s %63s %u %63s %u", &at, proto, from_text, &from_port, to_text, &port) == 6) {
		struct shot *shot = &shots[count];
		uint8_t from[16], to[16];
		bool v6 = strchr(from_text, ':');

		if (inet_pton(v6 ? AF_INET6 : AF_INET, from_text, from) != 1 || inet_pton(v6 ? AF_INET6 : AF_INET, to_text, to) != 1 ||
		    count + 1 == MAX_SHOTS) {
			fprintf(stderr, "limitprobe: line %d is wrong or too much\n", count + 1);
			return 2;
		}
		shot->at_us = at;
		memcpy(shot->frame, macs, 12);
		shot->size = (uint8_t)frame_make(shot->frame, v6, from, to, !strcmp(proto, "tcp"), (uint16_t)from_port, (uint16_t)port,
						 (uint32_t)count++);
	}
	fclose(file);
	pin_to_cpu(words);
	/* Ahead of everything but softirqs: who is preempted between two looks at the clock learns nothing. */
	sched_setscheduler(0, SCHED_FIFO, &urgent);
	start = now_ns() + 20000000;
	for (int i = 0; i < count && !stopped; i++) {
		struct shot *shot = &shots[i];

		wait_for(start + shot->at_us * 1000);
		shot->before_ns = now_ns();
		if (sendto(fd, shot->frame, shot->size, 0, (struct sockaddr *)&link, sizeof(link)) < 0)
			fail("a packet was not sent");
		shot->after_ns = now_ns();
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (int i = 0; i < count; i++)
		printf("%d %lu %lu\n", i, (unsigned long)shots[i].before_ns, (unsigned long)shots[i].after_ns);
	printf("end %d\n", count);
	return 0;
}

/* ---- count: which of them arrive ---- */

/* The number of a packet that `fire` made, or -1. */
static int64_t shot_number(const uint8_t *packet, size_t length, unsigned int *ret_port)
{
	bool v6 = length >= 40 && packet[0] >> 4 == 6;
	size_t header = v6 ? 40 : 20;
	const uint8_t *transport = packet + header;
	uint8_t proto = length >= 40 || !v6 ? packet[v6 ? 6 : 9] : 0;
	uint32_t words[4];

	if (length < header + 16)
		return -1;
	memcpy(words, transport, sizeof(words));
	*ret_port = ntohl(words[0]) & 0xffff;
	if (proto == IPPROTO_UDP && words[2] == htonl(SHOT_MARK))
		return ntohl(words[3]);
	if (proto == IPPROTO_TCP && (transport[13] & 0x12) == 0x02 && (ntohl(words[3]) & 0xffff) == SHOT_WINDOW)
		return ntohl(words[1]);
	return -1;
}

/* The same question in the kernel, so that a flood does not come up here: whether a packet is one that `fire` made. */
static void only_shots(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 7),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),	/* IPv6 */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 48),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SHOT_MARK, 10, 11),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 10),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 54),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SHOT_WINDOW, 7, 8),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),	/* IPv4 */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 28),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SHOT_MARK, 3, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 34),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SHOT_WINDOW, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		fail("SO_ATTACH_FILTER");
}

static int mode_count(const struct words *words)
{
	const char *name = need(words, 0, "INTERFACE");
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 64 << 20;
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)if_nametoindex(name) };
	struct tpacket_stats statistics;
	socklen_t length = sizeof(statistics);

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	only_shots(fd);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		fail(name);
	puts("ready");
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	while (!stopped) {
		struct pollfd waiting = { fd, POLLIN, 0 };
		uint8_t packet[128];
		struct sockaddr_ll from;
		socklen_t from_length = sizeof(from);
		ssize_t got;

		if (poll(&waiting, 1, 200) <= 0) {
			fflush(stdout);
			continue;
		}
		while ((got = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_length)) > 0) {
			unsigned int port;
			int64_t number = from.sll_pkttype == PACKET_OUTGOING ? -1 : shot_number(packet, (size_t)got, &port);

			if (number >= 0)
				printf("%ld %u\n", (long)number, port);
		}
	}
	if (!getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length))
		printf("end seen %u missed %u\n", statistics.tp_packets, statistics.tp_drops);
	return 0;
}

/* ---- flood: every packet from another random source; pace= packets a second, or as fast as it goes ---- */

static int mode_flood(const struct words *words)
{
	const char *name = need(words, 0, "INTERFACE"), *to_text = need(words, 1, "TARGET");
	unsigned long count = number(words, "count", 1000000), port = number(words, "port", 80), sent = 0;
	bool tcp = !strcmp(option(words, "proto", "tcp"), "tcp"), v6 = strchr(to_text, ':');
	uint64_t deadline = now_us() + number(words, "timeout", 10000) * 1000, random = number(words, "seed", 1) * 0x9e3779b97f4a7c15;
	struct sockaddr_ll link;
	int fd = link_open(name, &link);
	uint8_t frame[86] = { 0 }, to[16], from[16];
	unsigned long pace = number(words, "pace", 0);
	uint64_t start;

	mac_parse(option(words, "to-mac", NULL), frame);
	mac_parse(option(words, "from-mac", NULL), frame + 6);
	if (inet_pton(v6 ? AF_INET6 : AF_INET, to_text, to) != 1 || inet_pton(AF_INET6, "2001:db8::", from) != 1)
		fail("TARGET");
	pin_to_cpu(words);
	setpriority(PRIO_PROCESS, 0, -10);	/* a flood does not wait for what else there is to do here */
	puts("ready");
	start = now_us();
	for (; sent < count && !stopped; sent++) {
		size_t size;

		if (!(sent & 63)) {
			uint64_t now = now_us(), due = pace ? start + sent * 1000000 / pace : now;

			if (now > deadline)
				break;
			if (due > now)
				pause_us(due - now);
		}
		random ^= random << 13;	/* xorshift64: Marsaglia 2003 */
		random ^= random >> 7;
		random ^= random << 17;
		/* v6: all of the /64 below the /32, and half of the host part. v4: 198.18.0.0/15, which has but 131072 of them. */
		if (v6)
			memcpy(from + 4, &random, 8);
		else
			memcpy(from, (uint8_t[]){ 198, 18 | (random & 1), (uint8_t)(random >> 8), (uint8_t)(random >> 16) }, 4);
		size = frame_make(frame, v6, from, to, tcp, (uint16_t)(1024 + (random >> 32) % 60000), (uint16_t)port, (uint32_t)random);
		/* These are not those that `count` counts. */
		if (tcp)
			((struct tcphdr *)(frame + 14 + (v6 ? 40 : 20)))->window = 0;
		else
			memset(frame + 14 + (v6 ? 40 : 20) + 8, 0, 4);
		while (sendto(fd, frame, size, 0, (struct sockaddr *)&link, sizeof(link)) < 0 && !stopped)
			if (errno != ENOBUFS && errno != EAGAIN)
				fail("a packet was not sent");
	}
	printf("end sent %lu us %lu\n", sent, (unsigned long)(now_us() - start));
	return 0;
}

/* ---- sink, pour: the throughput of one connection ---- */

static int socket_to(const struct words *words, struct sockaddr_in *ret)
{
	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(need(words, 1, "PORT"), NULL, 10)) };
	if (inet_pton(AF_INET, need(words, 0, "ADDRESS"), &ret->sin_addr) != 1)
		fail("ADDRESS");
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int mode_sink(const struct words *words)
{
	struct sockaddr_in own;
	int listener = socket_to(words, &own), on = 1, fd;
	static char data[1 << 18];

	pin_to_cpu(words);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&own, sizeof(own)) || listen(listener, 1))
		fail("bind");
	puts("ready");
	fd = accept(listener, NULL, NULL);
	while (fd >= 0 && !stopped && read(fd, data, sizeof(data)) > 0)
		;
	return 0;
}

/*
 * "bytes N us T cpu C": bytes so far, the time, and the CPU time of this process, in which all of the way into the container is: what
 * a veth is given is received on the CPU of the sender. What else there is to do on the machine is not in it.
 */
static int mode_pour(const struct words *words)
{
	struct sockaddr_in to;
	int fd = socket_to(words, &to);
	static char data[1 << 17];
	uint64_t bytes = 0, next = 0;

	pin_to_cpu(words);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
	puts("open");
	while (!stopped) {
		ssize_t written = write(fd, data, sizeof(data));
		uint64_t now = now_us();
		struct timespec cpu;

		if (written < 0 && errno != EINTR)
			fail("write");
		bytes += written > 0 ? (uint64_t)written : 0;
		if (now < next)
			continue;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
		printf("bytes %lu us %lu cpu %lu\n", (unsigned long)bytes, (unsigned long)now,
		       (unsigned long)(cpu.tv_sec * 1000000 + cpu.tv_nsec / 1000));
		next = now + 20000;
	}
	return 0;
}

/* ---- buckets: what the kernel has counted ---- */

static int bpf_call(int command, union bpf_attr *attribute)
{
	return (int)syscall(SYS_bpf, command, attribute, sizeof(*attribute));
}

/* The sums over all buckets. With drift=N, N is added to the first count that is found: a fault, for a test of who repairs it. */
static int mode_buckets(const struct words *words)
{
	const char *path = need(words, 0, "PIN"), *drift = option(words, "drift", NULL);
	union bpf_attr attribute = { .pathname = (uint64_t)(uintptr_t)path };
	int fd = bpf_call(BPF_OBJ_GET, &attribute);
	unsigned long counts = 0, connections = 0, rates = 0;

	if (fd < 0)
		fail(path);
	for (uint32_t key = 0; key < DNET_BUCKET_GROUPS; key++) {
		struct dnet_bucket_group group;

		attribute = (union bpf_attr){ .map_fd = (uint32_t)fd, .key = (uint64_t)(uintptr_t)&key,
					      .value = (uint64_t)(uintptr_t)&group };
		attribute.flags = BPF_F_LOCK;
		if (bpf_call(BPF_MAP_LOOKUP_ELEM, &attribute))
			fail("BPF_MAP_LOOKUP_ELEM");
		for (int way = 0; way < DNET_BUCKET_WAYS; way++) {
			struct dnet_bucket *bucket = &group.bucket[way];

			if (!bucket->tag)
				continue;
			if (!(bucket->word & DNET_BUCKET_IS_COUNT)) {
				rates++;
				continue;
			}
			if (drift) {
				bucket->word += strtoul(drift, NULL, 10);
				if (bpf_call(BPF_MAP_UPDATE_ELEM, &attribute))
					fail("BPF_MAP_UPDATE_ELEM");
				drift = NULL;
			}
			counts++;
			connections += bucket->word & ~DNET_BUCKET_IS_COUNT;
		}
	}
	printf("end counts %lu connections %lu rates %lu\n", counts, connections, rates);
	return 0;
}

static const struct mode modes[] = {
	{ "fire", "INTERFACE to-mac=M from-mac=M [file=PATH] [cpu=N]: numbered packets at exact times", mode_fire },
	{ "count", "INTERFACE: the numbers and ports of those that arrive", mode_count },
	{ "flood", "INTERFACE TARGET to-mac=M from-mac=M [port=N] [proto=tcp|udp] [count=N] [timeout=MS] [pace=N] [seed=N] [cpu=N]", mode_flood },
	{ "sink", "ADDRESS PORT [cpu=N]: read one connection", mode_sink },
	{ "pour", "ADDRESS PORT [cpu=N]: write one connection, print bytes and CPU time so far", mode_pour },
	{ "buckets", "PIN [drift=N]: how many buckets of limits are in use, and the connections counted in them", mode_buckets },
	{ NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
	return probe_main(argc, argv, modes);
}
