/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Both ends of every test connection, inside containers (it is static, so an image needs nothing else) and in namespaces.
 * Results are lines on standard output, flushed at once, so that a test can wait for them.
 *
 * Usage: netprobe MODE [NAME=VALUE...] [ARGUMENT...]; the modes are in the table at the end.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "probe.h"

#define MAX_SOCKETS 1024
#define MAX_TARGETS 8

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_parse(const char *host, const char *port, union address *ret)
{
	*ret = (union address){ 0 };
	ret->v4.sin_port = htons(strtoul(port, NULL, 10));	/* at the same place in both families */
	if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1) {
		ret->any.sa_family = AF_INET;
		return sizeof(ret->v4);
	}
	if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1) {
		ret->any.sa_family = AF_INET6;
		return sizeof(ret->v6);
	}
	fprintf(stderr, "netprobe: '%s' is no address\n", host);
	exit(2);
}

static const char *errno_word(int code)
{
	switch (code) {
	case ECONNREFUSED: return "refused";
	case ENETUNREACH: case EHOSTUNREACH: case EACCES: return "unreachable";
	case ETIMEDOUT: return "timeout";
	default: return strerror(code);
	}
}

static bool wait_readable(int fd, short events, uint64_t deadline)
{
	while (!stopped) {
		uint64_t now = now_us();
		struct pollfd waiting = { fd, events, 0 };

		if (now >= deadline)
			return false;
		if (poll(&waiting, 1, (int)((deadline - now + 999) / 1000)) > 0)
			return true;
	}
	return false;
}

/* ---- serve: echo on ports, "tcp:80-99", "udp:53" ---- */

struct listener {
	int fd;
	bool datagram, connection;
};

static struct listener listeners[MAX_SOCKETS];
static int listener_count;

static void listen_on(bool datagram, unsigned int port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, off = 0;

	if (fd < 0) {	/* a namespace without IPv6 */
		struct sockaddr_in old = { .sin_family = AF_INET, .sin_port = htons(port) };

		fd = socket(AF_INET, (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&old, sizeof(old)))
			fail("bind");
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
			fail("bind");
	}
	if (!datagram && listen(fd, 64))
		fail("listen");
	if (listener_count == MAX_SOCKETS)
		fail("too many ports");
	listeners[listener_count++] = (struct listener){ fd, datagram, false };
}

static void serve_ready(struct listener *listener)
{
	char data[2048];
	union address from;
	socklen_t length = sizeof(from);
	ssize_t got;

	if (listener->datagram) {
		got = recvfrom(listener->fd, data, sizeof(data), 0, &from.any, &length);
		if (got >= 0)
			sendto(listener->fd, data, got, 0, &from.any, length);
	} else if (listener->connection) {
		got = read(listener->fd, data, sizeof(data));
		if (got > 0 && write(listener->fd, data, got) == got)
			return;
		if (got < 0 && errno == EAGAIN)
			return;
		close(listener->fd);
		*listener = listeners[--listener_count];
	} else if (listener_count < MAX_SOCKETS) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			listeners[listener_count++] = (struct listener){ fd, false, true };
	}
}

static int mode_serve(const struct words *words)
{
	const char *text;

	for (int i = 0; (text = argument(words, i)); i++) {
		char proto[4];
		unsigned int first, last;
		int fields = sscanf(text, "%3[a-z]:%u-%u", proto, &first, &last);

		if (fields < 2) {
			fprintf(stderr, "netprobe: '%s' is not PROTO:PORT or PROTO:FIRST-LAST\n", text);
			return 2;
		}
		for (unsigned int port = first; port <= (fields == 3 ? last : first); port++)
			listen_on(!strcmp(proto, "udp"), port);
	}
	puts("ready");
	while (!stopped) {
		struct pollfd waiting[MAX_SOCKETS];
		int count = listener_count;

		for (int i = 0; i < count; i++)
			waiting[i] = (struct pollfd){ listeners[i].fd, POLLIN, 0 };
		if (poll(waiting, count, 1000) <= 0)
			continue;
		/* Downwards: a closed connection is replaced by the last listener, which has been served already or is new. */
		for (int i = count - 1; i >= 0; i--)
			if (waiting[i].revents)
				serve_ready(&listeners[i]);
	}
	return 0;
}

/* ---- connect, ask, ping: one question, one word as the answer ---- */

static void bind_source(int fd, const struct words *words)
{
	const char *source = option(words, "source", NULL);
	union address own;

	if (source && bind(fd, &own.any, address_parse(source, "0", &own)))
		fail("bind");
}

static int mode_connect(const struct words *words)
{
	union address to;
	socklen_t length = address_parse(need(words, 0, "ADDRESS"), need(words, 1, "PORT"), &to);
	uint64_t deadline = now_us() + number(words, "timeout", 5000) * 1000;
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0), problem = 0;
	socklen_t size = sizeof(problem);
	char byte = '?';

	bind_source(fd, words);
	if (connect(fd, &to.any, length) && errno != EINPROGRESS) {
		puts(errno_word(errno));
		return 1;
	}
	if (!wait_readable(fd, POLLOUT, deadline)) {
		puts("timeout");
		return 1;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size);
	if (problem) {
		puts(errno_word(problem));
		return 1;
	}
	/* A proxy accepts before it knows whether its own connection works, so only the echo counts. */
	if (write(fd, &byte, 1) != 1 || !wait_readable(fd, POLLIN, deadline)) {
		puts("mute");
		return 1;
	}
	if (read(fd, &byte, 1) != 1) {
		puts("closed");
		return 1;
	}
	puts("open");
	return 0;
}

static int mode_ask(const struct words *words)
{
	union address to;
	socklen_t length = address_parse(need(words, 0, "ADDRESS"), need(words, 1, "PORT"), &to);
	uint64_t deadline = now_us() + number(words, "timeout", 5000) * 1000;
	int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char data[256];

	bind_source(fd, words);
	if (connect(fd, &to.any, length))
		fail("connect");
	/* UDP has no retransmission of its own: ask again every 300 ms, so that one datagram lost for another reason is no verdict. */
	while (now_us() < deadline && !stopped) {
		uint64_t again = now_us() + 300000;

		if (send(fd, PAYLOAD_MARK "ask:0", 9, 0) < 0 && errno == ECONNREFUSED) {
			puts("refused");
			return 1;
		}
		if (!wait_readable(fd, POLLIN, again < deadline ? again : deadline))
			continue;
		if (recv(fd, data, sizeof(data), 0) >= 0) {
			puts("open");
			return 0;
		}
		if (errno == ECONNREFUSED) {
			puts("refused");
			return 1;
		}
	}
	puts("timeout");
	return 1;
}

static int mode_ping(const struct words *words)
{
	union address to;
	socklen_t length = address_parse(need(words, 0, "ADDRESS"), "0", &to);
	bool v6 = to.any.sa_family == AF_INET6;
	uint64_t deadline = now_us() + number(words, "timeout", 5000) * 1000;
	int fd = socket(to.any.sa_family, SOCK_RAW, v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
	/* Echo request, identifier from the process; IPv6's checksum is the kernel's work. */
	uint8_t request[16] = { v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO, 0, 0, 0, getpid() >> 8, getpid(), 0, 1 };
	uint8_t data[512];
	uint32_t sum = 0;

	if (fd < 0)
		fail("raw socket");
	if (!v6) {
		for (int i = 0; i < 16; i += 2)
			sum += request[i] << 8 | request[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
		request[2] = ~sum >> 8;
		request[3] = ~sum;
	}
	while (now_us() < deadline && !stopped) {
		uint64_t again = now_us() + 300000;

		if (sendto(fd, request, sizeof(request), 0, &to.any, length) < 0) {
			puts(errno_word(errno));
			return 1;
		}
		while (wait_readable(fd, POLLIN, again < deadline ? again : deadline)) {
			ssize_t got = recv(fd, data, sizeof(data), 0);
			const uint8_t *icmp = data + (v6 ? 0 : (data[0] & 15) * 4);

			if (got < icmp - data + 8 || icmp[0] != (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY))
				continue;
			if (memcmp(icmp + 4, request + 4, 4))
				continue;
			puts("open");
			return 0;
		}
	}
	puts("timeout");
	return 1;
}

/* ---- burst: the first act of this process is to send ---- */

struct target {
	union address address;
	socklen_t length;
	int fd;
	unsigned long sent;
};

/*
 * The address that packets to the target would come from, all zeros when there is no way to it. It is another one as soon as a nearer
 * interface is up and has an address. A look for a route takes no lock; SIOCGIFADDR takes RTNL, and some processes that call it in a
 * loop keep Docker itself waiting for a second.
 */
static union address source_towards(const struct target *target)
{
	int fd = socket(target->address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union address source = { 0 };
	socklen_t length = sizeof(source);

	if (!connect(fd, &target->address.any, target->length))
		getsockname(fd, &source.any, &length);
	source.v4.sin_port = 0;
	close(fd);
	return source;
}

/* Some next hop has not answered ARP yet. */
static bool resolving(void)
{
	FILE *table = fopen("/proc/net/arp", "re");
	bool pending = false;
	char line[256], flags[16];

	while (table && fgets(line, sizeof(line), table))
		pending |= sscanf(line, "%*s %*s %15s", flags) == 1 && !strcmp(flags, "0x0");
	if (table)
		fclose(table);
	return pending;
}

static int mode_burst(const struct words *words)
{
	unsigned long count = number(words, "count", 10), gap = number(words, "gap", 1000), done = 0;
	const char *tag = option(words, "tag", "burst"), *text;
	uint64_t deadline = now_us() + number(words, "timeout", 20000) * 1000;
	struct target targets[MAX_TARGETS];
	int target_count = 0;

	for (; (text = argument(words, target_count)) && target_count < MAX_TARGETS; target_count++) {
		struct target *target = &targets[target_count];
		char host[64];
		const char *colon = strrchr(text, ':');

		if (!colon || colon == text) {
			fprintf(stderr, "netprobe: '%s' is not ADDRESS:PORT\n", text);
			return 2;
		}
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
		target->length = address_parse(host, colon + 1, &target->address);
		target->fd = socket(target->address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		target->sent = 0;
	}
	if (option(words, "wait", NULL)) {
		const union address before = source_towards(&targets[0]);
		union address source;

		puts("waiting");
		/* Busy on purpose: the test wants the first packet that a new interface can possibly carry. */
		do
			source = source_towards(&targets[0]);
		while (!memcmp(&source, &before, sizeof(source)) && now_us() < deadline && !stopped);
	}
	while (done < count * target_count && now_us() < deadline && !stopped) {
		for (int i = 0; i < target_count; i++) {
			struct target *target = &targets[i];
			char payload[128];
			int length = snprintf(payload, sizeof(payload), PAYLOAD_MARK "%s:%lu", tag, target->sent);

			if (target->sent == count)
				continue;
			/* No route yet (an interface that is being added): the packet was not sent and is still owed. */
			if (sendto(target->fd, payload, length, 0, &target->address.any, target->length) == length) {
				target->sent++;
				done++;
			}
		}
		if (gap)
			pause_us(gap);
	}
	/*
	 * A port of a bridge may need a moment before it forwards; the ARP request of the first packet is then lost and asked again
	 * after a second, with the packets queued here. To end now would lose them, and nobody else would be to blame.
	 */
	deadline = now_us() + 6000000;
	while (resolving() && now_us() < deadline && !stopped)
		pause_us(10000);
	printf("sent %lu\n", done);
	while (option(words, "stay", NULL) && !stopped)
		pause_us(1000000);
	return 0;
}

/* ---- lines: a long-lived TCP connection ---- */

static int mode_lines(const struct words *words)
{
	union address to;
	socklen_t length = address_parse(need(words, 0, "ADDRESS"), need(words, 1, "PORT"), &to);
	uint64_t interval = number(words, "interval", 100) * 1000, next, last, longest = 0;
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned long sent = 0, echoed = 0;
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (connect(fd, &to.any, length)) {
		printf("broken %s\n", errno_word(errno));
		return 1;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	puts("open");
	next = last = now_us();
	while (!stopped) {
		char data[4096];
		ssize_t got;

		if (now_us() >= next) {
			if (write(fd, ".", 1) == 1)
				printf("sent %lu\n", ++sent);
			next += interval;
		}
		if (!wait_readable(fd, POLLIN, next))
			continue;
		got = read(fd, data, sizeof(data));
		if (got > 0) {
			uint64_t now = now_us();

			longest = now - last > longest ? now - last : longest;
			last = now;
			echoed += got;
			printf("echoed %lu\n", echoed);
		} else if (got == 0 || errno != EAGAIN) {
			printf("broken %s\n", got ? errno_word(errno) : "closed");
			return 1;
		}
	}
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
	printf("end sent %lu echoed %lu retransmitted %u longest-gap-ms %lu\n", sent, echoed, info.tcpi_total_retrans,
	       (unsigned long)(longest / 1000));
	return 0;
}

/* ---- get: the body of an HTTP/1.0 answer ---- */

static int mode_get(const struct words *words)
{
	union address to;
	socklen_t length = address_parse(need(words, 0, "ADDRESS"), need(words, 1, "PORT"), &to);
	int fd = socket(to.any.sa_family, SOCK_STREAM, 0);
	static char answer[8 << 20];
	size_t size = 0;
	ssize_t got;
	char *body;

	if (connect(fd, &to.any, length))
		fail("connect");
	dprintf(fd, "GET %s HTTP/1.0\r\nHost: test\r\n\r\n", need(words, 2, "PATH"));
	while (size < sizeof(answer) - 1 && (got = read(fd, answer + size, sizeof(answer) - 1 - size)) > 0)
		size += (size_t)got;
	body = strstr(answer, "\r\n\r\n");
	if (!body || !strstr(answer, " 200 ")) {
		fprintf(stderr, "netprobe: the answer is no success: %.200s\n", answer);
		return 1;
	}
	fputs(body + 4, stdout);
	return 0;
}

static const struct mode modes[] = {
	{ "serve", "PROTO:PORT[-PORT]...: echo server", mode_serve },
	{ "connect", "ADDRESS PORT [timeout=MS] [source=ADDRESS]: open, refused, timeout, unreachable, mute, closed", mode_connect },
	{ "ask", "ADDRESS PORT [timeout=MS]: the same over UDP", mode_ask },
	{ "ping", "ADDRESS [timeout=MS]: the same with ICMP echo", mode_ping },
	{ "burst", "ADDRESS:PORT... [count=N] [gap=US] [tag=T] [wait=1] [stay=1]: UDP as the first act, or as soon as there is another way to the first", mode_burst },
	{ "lines", "ADDRESS PORT [interval=MS]: a byte each interval over one TCP connection", mode_lines },
	{ "get", "ADDRESS PORT PATH: HTTP", mode_get },
	{ NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
	return probe_main(argc, argv, modes);
}
