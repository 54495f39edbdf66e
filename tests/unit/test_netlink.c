/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rtnetlink, against the kernel: in a network namespace of this process and one of a child, which both vanish with their
 * processes. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/netlink.h"
#include "base/text.h"

#define DEADLINE_MS 10000

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
	char command[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static int ifindex_of(const char *name)
{
	int ifindex = (int)if_nametoindex(name);

	if (!ifindex)
		fail_msg("there is no %s", name);
	return ifindex;
}

/* ---- another namespace ---- */

struct elsewhere {
	pid_t pid;
	int fd;		/* the namespace */
};

static struct elsewhere elsewhere_begin(void)
{
	struct elsewhere other = { .fd = -1 };
	char path[64], byte;
	int ready[2];

	assert_int_equal(pipe(ready), 0);
	other.pid = fork();
	assert_true(other.pid >= 0);
	if (other.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", other.pid);
	other.fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(other.fd >= 0);
	return other;
}

static void elsewhere_end(struct elsewhere *other)
{
	close(other->fd);
	kill(other->pid, SIGKILL);
	waitpid(other->pid, NULL, 0);
}

#define inside(other, format, ...) run("nsenter --net=/proc/%d/ns/net " format, (other).pid, __VA_ARGS__)

/* ---- dumps ---- */

static const struct netlink_link *find_link(const struct netlink_link *links, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(links[i].name, name) == 0)
			return &links[i];
	fail_msg("%s is not in the list", name);
	return NULL;
}

/* A new namespace has lo, and on some kernels fallback tunnels. */
static size_t count_links(void)
{
	_cleanup_free_ struct netlink_link *links = NULL;
	struct error error;
	size_t count;

	assert_int_equal(netlink_dump_links(&links, &count, &error), 0);
	return count;
}

static void test_dump_links(void **state)
{
	_cleanup_free_ struct netlink_link *links = NULL;
	const struct netlink_link *bridge, *veth, *peer, *lo;
	struct netlink_link one;
	struct error error;
	size_t before, count;

	(void)state;
	before = count_links();
	run("ip link add br0 type bridge");
	run("ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02");
	run("ip link set v0 master br0 up");
	run("ip link set v1 up");
	assert_int_equal(netlink_dump_links(&links, &count, &error), 0);
	assert_int_equal(count, before + 3);
	lo = find_link(links, count, "lo");
	bridge = find_link(links, count, "br0");
	veth = find_link(links, count, "v0");
	peer = find_link(links, count, "v1");
	assert_string_equal(lo->kind, "");
	assert_false(lo->up);
	assert_string_equal(bridge->kind, "bridge");
	assert_int_equal(bridge->master, 0);
	assert_int_equal(bridge->peer_ifindex, 0);
	assert_string_equal(veth->kind, "veth");
	assert_int_equal(veth->ifindex, ifindex_of("v0"));
	assert_int_equal(veth->master, ifindex_of("br0"));
	assert_int_equal(veth->peer_ifindex, ifindex_of("v1"));
	assert_int_equal(veth->nsid, NETLINK_NSID_NONE);
	assert_true(veth->up);
	assert_true(veth->lower_up);
	assert_true(veth->has_mac);
	assert_memory_equal(veth->mac, "\2\0\0\0\0\1", 6);
	assert_int_equal(peer->peer_ifindex, veth->ifindex);
	assert_int_equal(peer->master, 0);
	assert_memory_equal(peer->mac, "\2\0\0\0\0\2", 6);

	assert_int_equal(netlink_get_link(veth->ifindex, &one), 0);
	assert_string_equal(one.name, "v0");
	assert_int_equal(one.master, veth->master);
	run("ip link set v1 down");
	assert_int_equal(netlink_get_link(veth->ifindex, &one), 0);
	assert_true(one.up);
	assert_false(one.lower_up);
	run("ip link del v0");
	assert_int_equal(netlink_get_link(veth->ifindex, &one), -ENODEV);
	assert_string_equal(one.name, "v0");
	assert_int_equal(netlink_get_link(0, &one), -ENODEV);
}

/* More than one datagram. */
static void test_dump_many(void **state)
{
	_cleanup_free_ struct netlink_link *links = NULL;
	struct error error;
	size_t before, count;

	(void)state;
	before = count_links();
	run("for i in $(seq 120); do echo link add m$i type veth peer name n$i; done | ip -batch -");
	assert_int_equal(netlink_dump_links(&links, &count, &error), 0);
	assert_int_equal(count, before + 240);
	for (int i = 1; i <= 120; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		assert_string_equal(find_link(links, count, name)->kind, "veth");
	}
}

static void check_address(const struct netlink_address *addresses, size_t count, int ifindex, const char *want, bool is_there)
{
	char text[TEXT_PREFIX_SIZE];
	bool found = false;

	for (size_t i = 0; i < count; i++)
		/* The address, not the subnet: text_prefix() does not mask. */
		found |= addresses[i].ifindex == ifindex &&
			 strcmp(text_prefix(&addresses[i].addr, addresses[i].prefix_len, text), want) == 0;
	if (found != is_there)
		fail_msg("%s is %sin the list", want, found ? "" : "not ");
}

static void test_dump_addresses(void **state)
{
	_cleanup_free_ struct netlink_address *addresses = NULL;
	struct error error;
	size_t count;
	int ifindex;

	(void)state;
	run("ip link add v0 type veth peer name v1");
	run("ip addr add 198.18.4.1/24 dev v0");
	run("ip addr add 198.18.5.1 peer 198.18.5.2/32 dev v0");
	run("ip addr add 2001:db8::1/64 dev v0 nodad");
	ifindex = ifindex_of("v0");
	assert_int_equal(netlink_dump_addresses(&addresses, &count, &error), 0);
	check_address(addresses, count, ifindex, "198.18.4.1/24", true);
	check_address(addresses, count, ifindex, "198.18.5.1", true);
	check_address(addresses, count, ifindex, "198.18.5.2", false);
	check_address(addresses, count, ifindex, "2001:db8::1/64", true);
}

/* ---- the peer in another namespace ---- */

static void test_peer(void **state)
{
	struct elsewhere other = elsewhere_begin();
	struct netlink_peer peer = { 0 };
	struct netlink_link link;
	int nsid, ifindex;
	long deadline;

	(void)state;
	assert_int_equal(netlink_get_nsid(other.fd, &nsid), 0);
	assert_int_equal(nsid, NETLINK_NSID_NONE);
	run("ip link add v0 type veth peer name v1");
	run("ip link set v1 netns %d", other.pid);
	ifindex = ifindex_of("v0");
	assert_int_equal(netlink_get_link(ifindex, &link), 0);
	assert_true(link.nsid >= 0);
	assert_int_equal(netlink_get_nsid(other.fd, &nsid), 0);
	assert_int_equal(nsid, link.nsid);

	inside(other, "ip link set %s address 02:aa:00:00:00:07 up", "v1");
	inside(other, "ip addr add 198.18.6.2/%d dev v1", 24);
	inside(other, "ip addr add 2001:db8:6::2/%d dev v1 nodad", 64);
	inside(other, "ip addr add 198.18.7.2/%d dev lo", 32);
	/* Of this namespace, under the same ifindex: it must not be taken for the peer's. */
	run("ip link add own index %d type veth peer name own1 2>/dev/null || true", link.peer_ifindex);
	run("ip addr add 198.18.8.1/24 dev own 2>/dev/null || ip addr add 198.18.8.1/24 dev v0");
	assert_int_equal(netlink_get_peer(link.nsid, link.peer_ifindex, &peer), 0);
	assert_memory_equal(peer.mac, "\2\xaa\0\0\0\7", 6);
	check_address(peer.addresses, peer.address_count, link.peer_ifindex, "198.18.6.2/24", true);
	check_address(peer.addresses, peer.address_count, link.peer_ifindex, "2001:db8:6::2/64", true);
	for (size_t i = 0; i < peer.address_count; i++) {
		char text[TEXT_ADDR_SIZE];

		assert_int_equal(peer.addresses[i].ifindex, link.peer_ifindex);
		text_addr(&peer.addresses[i].addr, text);
		assert_string_not_equal(text, "198.18.7.2");	/* another interface of that namespace */
		assert_string_not_equal(text, "198.18.8.1");
	}
	netlink_peer_clear(&peer);
	assert_null(peer.addresses);

	assert_int_equal(netlink_get_peer(link.nsid, 4711, &peer), -ENODEV);
	assert_int_equal(netlink_get_peer(4711, link.peer_ifindex, &peer), -ENODEV);
	assert_int_equal(netlink_get_peer(NETLINK_NSID_NONE, link.peer_ifindex, &peer), -ENODEV);
	assert_int_equal(netlink_get_peer(link.nsid, 0, &peer), -ENODEV);
	assert_int_equal(netlink_get_nsid(STDERR_FILENO, &nsid), -EINVAL);

	elsewhere_end(&other);
	/* The namespace is taken apart by a kernel thread. */
	for (deadline = now_ms() + DEADLINE_MS; netlink_get_peer(link.nsid, link.peer_ifindex, &peer) != -ENODEV;) {
		netlink_peer_clear(&peer);
		assert_true(now_ms() < deadline);
		poll(NULL, 0, 5);
	}
}

/* ---- events ---- */

struct expectation {
	enum netlink_event_kind kind;
	int ifindex, master;	/* master -1: any */
	bool lower_up;		/* at least */
	bool seen, gone;	/* gone: some LINK_GONE for ifindex came */
	unsigned int others;
	struct netlink_link link;
};

static void on_event(void *context, const struct netlink_event *event)
{
	struct expectation *want = context;

	if (event->kind == NETLINK_LINK_GONE && event->link.ifindex == want->ifindex)
		want->gone = true;
	if (event->kind == want->kind && (event->kind == NETLINK_OVERRUN || event->link.ifindex == want->ifindex) &&
	    (want->master < 0 || event->link.master == want->master) && event->link.lower_up >= want->lower_up) {
		want->seen = true;
		want->link = event->link;
	} else {
		want->others++;
	}
}

static void wait_event(int fd, struct expectation *want)
{
	long deadline = now_ms() + DEADLINE_MS;

	while (!want->seen) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (now_ms() >= deadline)
			fail_msg("no event of kind %d for interface %d", want->kind, want->ifindex);
		poll(&ready, 1, 100);
		assert_int_equal(netlink_watch_read(fd, on_event, want), 0);
	}
}

static void expect(int fd, enum netlink_event_kind kind, const char *name, int master)
{
	struct expectation want = { .kind = kind, .ifindex = ifindex_of(name), .master = master };

	wait_event(fd, &want);
}

static void test_events(void **state)
{
	struct expectation want;
	struct error error;
	int fd, bridge, veth;

	(void)state;
	assert_int_equal(netlink_watch_open(NETLINK_WATCH_ALL, &fd, &error), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	/* Nothing there: it does not block. */
	want = (struct expectation) { .kind = NETLINK_OVERRUN };
	assert_int_equal(netlink_watch_read(fd, on_event, &want), 0);
	assert_int_equal(want.seen, false);

	run("ip link add br0 type bridge");
	run("ip link add v0 type veth peer name v1");
	bridge = ifindex_of("br0");
	veth = ifindex_of("v0");
	want = (struct expectation) { .kind = NETLINK_LINK_NEW, .ifindex = veth, .master = 0 };
	wait_event(fd, &want);
	assert_string_equal(want.link.name, "v0");
	assert_string_equal(want.link.kind, "veth");
	run("ip link set v0 master br0");
	want = (struct expectation) { .kind = NETLINK_LINK_NEW, .ifindex = veth, .master = bridge };
	wait_event(fd, &want);
	/* In the message itself, or the daemon would have to ask before it can act. */
	assert_string_equal(want.link.kind, "veth");
	assert_int_equal(want.link.peer_ifindex, ifindex_of("v1"));
	assert_false(want.link.up);
	run("ip link set v0 up; ip link set v1 up");
	want = (struct expectation) { .kind = NETLINK_LINK_NEW, .ifindex = veth, .master = bridge, .lower_up = true };
	wait_event(fd, &want);
	run("ip link set v0 nomaster");
	want = (struct expectation) { .kind = NETLINK_LINK_NEW, .ifindex = veth, .master = 0 };
	wait_event(fd, &want);
	assert_false(want.gone);

	run("ip addr add 198.18.9.1/24 dev v0");
	expect(fd, NETLINK_ADDRESS_NEW, "v0", -1);
	run("ip addr del 198.18.9.1/24 dev v0");
	expect(fd, NETLINK_ADDRESS_GONE, "v0", -1);
	run("ip addr add 2001:db8:9::1/64 dev v1 nodad");
	expect(fd, NETLINK_ADDRESS_NEW, "v1", -1);
	run("tc qdisc add dev v0 clsact");
	run("tc qdisc del dev v0 clsact");
	expect(fd, NETLINK_FILTER_GONE, "v0", -1);
	run("tc qdisc add dev v0 clsact");
	run("tc filter add dev v0 ingress bpf bytecode '1,6 0 0 4294967295' flowid 1:1");
	run("tc filter del dev v0 ingress");
	expect(fd, NETLINK_FILTER_GONE, "v0", -1);

	/* A port that leaves by being deleted: once for the port, once for the link. */
	run("ip link set v0 master br0");
	run("ip link del v0");
	want = (struct expectation) { .kind = NETLINK_LINK_GONE, .ifindex = veth, .master = -1 };
	wait_event(fd, &want);
	close(fd);
}

/* A peer that moves away says so in the event. */
static void test_event_nsid(void **state)
{
	struct elsewhere other = elsewhere_begin();
	struct expectation want = { .kind = NETLINK_LINK_NEW, .master = -1, .lower_up = true };
	struct error error;
	int fd;

	(void)state;
	run("ip link add v0 type veth peer name v1");
	run("ip link set v1 netns %d", other.pid);
	want.ifindex = ifindex_of("v0");
	assert_int_equal(netlink_watch_open(NETLINK_WATCH_LINKS, &fd, &error), 0);
	run("ip link set v0 up");
	inside(other, "ip link set %s up", "v1");
	wait_event(fd, &want);
	assert_true(want.link.nsid >= 0);
	close(fd);
	elsewhere_end(&other);
}

struct told {
	int nsid, ifindex;
	bool moved, mac, address, gone;
};

static void on_told(void *context, const struct netlink_event *event)
{
	struct told *told = context;

	if (event->kind == NETLINK_LINK_GONE && event->nsid == NETLINK_NSID_NONE && event->moved_nsid != NETLINK_NSID_NONE) {
		told->moved = true;
		told->nsid = event->moved_nsid;
		told->ifindex = event->moved_ifindex;
		assert_int_equal(event->link.peer_ifindex, ifindex_of("v0"));
		assert_int_equal(event->link.nsid, NETLINK_NSID_NONE);
	}
	if (!told->moved || event->nsid != told->nsid || event->link.ifindex != told->ifindex)
		return;
	/* Before it is up, when nothing can have been sent yet. */
	told->mac |= event->kind == NETLINK_LINK_NEW && !event->link.up && event->link.has_mac && event->link.mac[5] == 0x42;
	told->address |= event->kind == NETLINK_ADDRESS_NEW && event->address.prefix_len == 96 + 24 &&
			 event->address.addr.byte[15] == 7;
	told->gone |= event->kind == NETLINK_ADDRESS_GONE;
}

/* Where a peer goes is told when it goes, and what it is given there when it is given. */
static void test_peers(void **state)
{
	struct elsewhere other = elsewhere_begin();
	struct told told = { .nsid = NETLINK_NSID_NONE };
	struct error error;
	int here, there;

	(void)state;
	assert_int_equal(netlink_watch_open(NETLINK_WATCH_ALL, &here, &error), 0);
	assert_int_equal(netlink_watch_open(NETLINK_WATCH_PEERS, &there, &error), 0);
	run("ip link add v0 type veth peer name v1");
	run("ip link set v0 up; ip link set v1 netns %d", other.pid);
	inside(other, "ip link set %s address 02:00:00:00:00:42", "v1");
	inside(other, "ip addr add 198.18.9.7/24 dev %s", "v1");
	inside(other, "ip addr del 198.18.9.7/24 dev %s", "v1");
	assert_int_equal(netlink_watch_read(here, on_told, &told), 0);
	assert_true(told.moved);
	assert_int_equal(netlink_watch_read(there, on_told, &told), 0);
	assert_true(told.mac);
	assert_true(told.address);
	assert_true(told.gone);
	close(here);
	close(there);
	elsewhere_end(&other);
}

static void test_links_only(void **state)
{
	struct expectation want = { .kind = NETLINK_ADDRESS_NEW, .master = -1 };
	struct error error;
	int fd;

	(void)state;
	run("ip link add v0 type veth peer name v1");
	run("ip link set v0 up");	/* a new alias makes an event only then */
	want.ifindex = ifindex_of("v0");
	assert_int_equal(netlink_watch_open(NETLINK_WATCH_LINKS, &fd, &error), 0);
	run("ip addr add 198.18.9.1/24 dev v0");
	/* A later event of another kind is there, so the address's would be. */
	run("ip link set v0 alias done");
	assert_int_equal(netlink_watch_read(fd, on_event, &want), 0);
	assert_false(want.seen);
	assert_true(want.others > 0);
	close(fd);
}

static void test_overrun(void **state)
{
	struct expectation want = { .kind = NETLINK_OVERRUN, .master = -1 };
	struct error error;
	int fd, size = 1;

	(void)state;
	assert_int_equal(netlink_watch_open(NETLINK_WATCH_ALL, &fd, &error), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);	/* the kernel's minimum */
	run("ip link add v0 type veth peer name v1");
	run("ip link set v0 up");	/* a new alias makes an event only then */
	run("for i in $(seq 50); do echo link set v0 alias a$i; done | ip -batch -");
	assert_int_equal(netlink_watch_read(fd, on_event, &want), 0);
	assert_true(want.seen);
	/* And it goes on after that. */
	run("ip link set v0 alias last");
	expect(fd, NETLINK_LINK_NEW, "v0", -1);
	close(fd);
}

/* A namespace for each test: nothing that a failed one left is in the way of the next. */
static int isolate(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "test_netlink: needs a network namespace of its own, and for that root: %s\n", strerror(errno));
		return -1;
	}
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_dump_links, isolate),
		cmocka_unit_test_setup(test_dump_many, isolate),
		cmocka_unit_test_setup(test_dump_addresses, isolate),
		cmocka_unit_test_setup(test_peer, isolate),
		cmocka_unit_test_setup(test_events, isolate),
		cmocka_unit_test_setup(test_event_nsid, isolate),
		cmocka_unit_test_setup(test_peers, isolate),
		cmocka_unit_test_setup(test_links_only, isolate),
		cmocka_unit_test_setup(test_overrun, isolate),
	};

	/* Without the right nothing runs, and that is a failure. */
	return cmocka_run_group_tests(tests, isolate, NULL);
}
