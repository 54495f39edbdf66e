/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What BPF_PROG_RUN cannot say: a VLAN tag is taken out of the data before TC sees it, and tc_index is set by one program and
 * read by the next. Frames on veths and a bridge of the test's own namespace.
 */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dataplane/attach.h"

static bool up(const char *name)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = {};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return false;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
}

static bool join(const char *bridge, const char *port)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = {};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", bridge);
	ifr.ifr_ifindex = (int)if_nametoindex(port);
	return fd >= 0 && ioctl(fd, SIOCBRADDIF, &ifr) == 0;
}

static bool send_frame(const char *interface, const uint8_t *bytes, size_t length)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface), .sll_halen = 6 };

	memcpy(to.sll_addr, bytes, 6);
	return fd >= 0 && sendto(fd, bytes, length, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)length;
}

static uint64_t counted(struct world *world, uint32_t slot, enum dnet_reason reason)
{
	struct dnet_counter counter;

	if (reason < DNET_PASS_SPAN)
		dataplane_pass_counter(world->dataplane, slot, DNET_EGRESS, reason, &counter);
	else
		dataplane_deny_counter(world->dataplane, slot, DNET_EGRESS, DNET_DENY, reason, &counter);
	return counter.packets;
}

/* Until the counter has reached @wanted, for 5 s at most. */
static bool reaches(struct world *world, uint32_t slot, enum dnet_reason reason, uint64_t wanted)
{
	const struct timespec pause = { .tv_nsec = 2000000 };

	for (int i = 0; i < 2500; i++) {
		if (counted(world, slot, reason) >= wanted)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool prepare_wire(struct world *world, char *problem, size_t size)
{
	static const char *const interfaces[] = { "br-dmz", "web", "web-in", "rogue", "rogue-in" };
	struct error error = {};

	for (size_t i = 0; i < COUNT(interfaces); i++)
		if (!up(interfaces[i])) {
			snprintf(problem, size, "%s does not come up: %s", interfaces[i], strerror(errno));
			return false;
		}
	if (!join("br-dmz", "web") || !join("br-dmz", "rogue")) {
		snprintf(problem, size, "the veths do not join the bridge: %s", strerror(errno));
		return false;
	}
	if (world_policy(world, "unknown-deny", &error) && attach_container(world->dataplane, (int)if_nametoindex("web"), ATTACH_MODE_CLSACT, &error) == 0 &&
	    attach_bridge(world->dataplane, (int)if_nametoindex("br-dmz"), ATTACH_MODE_CLSACT, &error) == 0)
		return true;
	snprintf(problem, size, "%s", error.text);
	return false;
}

static bool bridge_frame(const char *text, const uint8_t *smac, struct frame *frame, char *problem)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = { .ifr_name = "br-dmz" };

	return fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &ifr) == 0 &&
	       frame_build(text, smac, (const uint8_t *)ifr.ifr_hwaddr.sa_data, frame, problem);
}

static void check_vlan(struct world *world, struct frame *frame, char *problem, size_t size)
{
	uint32_t slot = world_endpoint(world, "web")->slot;
	uint64_t before = counted(world, slot, DNET_REASON_VLAN);
	uint8_t tagged[2048];

	memcpy(tagged, frame->bytes, 12);
	memcpy(tagged + 12, "\x81\x00\x00\x07", 4);
	memcpy(tagged + 16, frame->bytes + 12, frame->length - 12);
	world_forget_events(world);
	if (!send_frame("web-in", tagged, frame->length + 4))
		snprintf(problem, size, "cannot send: %s", strerror(errno));
	else if (!reaches(world, slot, DNET_REASON_VLAN, before + 1))
		snprintf(problem, size, "the frame was not denied because of its tag");
	else
		reason_seen(DNET_REASON_VLAN);
}

/* Frames without a whole IP header, which newer kernels do not let BPF_PROG_RUN have. */
static void check_short(struct world *world, char *problem, size_t size)
{
	static const char *const texts[] = { "198.18.0.2:1 -> 192.0.2.9:80 udp", "[fd77:1::2]:1 -> [2001:db8::9]:80 udp" };
	const uint8_t web_mac[6] = { 2, 0, 0, 0, 0, 2 };
	uint32_t slot = world_endpoint(world, "web")->slot;
	uint64_t before = counted(world, slot, DNET_REASON_MALFORMED), wanted = before;
	struct frame frame;

	for (size_t i = 0; i < COUNT(texts); i++) {
		if (!bridge_frame(texts[i], web_mac, &frame, problem))
			return;
		for (size_t length = ETH_HLEN + 1; length < frame.needed; length++, wanted++)
			if (!send_frame("web-in", frame.bytes, length)) {
				snprintf(problem, size, "cannot send %zu bytes: %s", length, strerror(errno));
				return;
			}
	}
	if (!reaches(world, slot, DNET_REASON_MALFORMED, wanted))
		snprintf(problem, size, "%llu of %llu were denied as malformed",
			 (unsigned long long)(counted(world, slot, DNET_REASON_MALFORMED) - before), (unsigned long long)(wanted - before));
}

static int open_tap(const char *interface)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Send until the tap has seen two of them: a port forwards only when its carrier has been noticed, and when the second is
 * there the first has been judged. */
static bool arrives(int tap_fd, const char *interface, const struct frame *frame)
{
	uint8_t bytes[2048];
	int seen = 0;

	for (int i = 0; i < 200 && seen < 2; i++) {
		struct pollfd ready = { .fd = tap_fd, .events = POLLIN };

		if (!send_frame(interface, frame->bytes, frame->length))
			return false;
		poll(&ready, 1, 25);
		for (ssize_t size; (size = recv(tap_fd, bytes, sizeof(bytes), 0)) >= 0;)
			seen += size >= (ssize_t)frame->length && memcmp(bytes, frame->bytes, frame->length) == 0;
	}
	return seen >= 2;
}

static void check_stamp(struct world *world, const struct frame *own, const struct frame *stranger, char *problem, size_t size)
{
	_cleanup_close_ int tap_fd = open_tap("br-dmz");
	uint64_t denied = counted(world, 0, DNET_REASON_UNKNOWN_ENDPOINT);

	if (!arrives(tap_fd, "web-in", own))
		snprintf(problem, size, "the container's own frame does not arrive at the bridge");
	else if (counted(world, 0, DNET_REASON_UNKNOWN_ENDPOINT) != denied)
		snprintf(problem, size, "the bridge denied what the container's own interface had judged");
	else if (!arrives(tap_fd, "rogue-in", stranger))
		snprintf(problem, size, "the other port's frame does not arrive at the bridge");
	else if (!reaches(world, 0, DNET_REASON_UNKNOWN_ENDPOINT, denied + 1))
		snprintf(problem, size, "the frame from the port that nobody enforces was not denied at the bridge");
}

void run_wire(struct world *world)
{
	const uint8_t web_mac[6] = { 2, 0, 0, 0, 0, 2 }, rogue_mac[6] = { 2, 0, 0, 0, 0x77, 1 };
	struct frame own, stranger;
	char problem[1024] = "", later[1024];

	world_reset(world);
	if (prepare_wire(world, problem, sizeof(problem)) &&
	    bridge_frame("198.18.0.2:1 -> 192.0.2.9:80 udp len 20", web_mac, &own, problem) &&
	    bridge_frame("198.18.0.50:1 -> 192.0.2.9:80 udp len 20", rogue_mac, &stranger, problem))
		check_vlan(world, &own, problem, sizeof(problem));
	snprintf(later, sizeof(later), "%s", problem);
	tap(!problem[0], "on the wire: a container's VLAN tag", "%s", problem);
	if (!later[0])
		check_stamp(world, &own, &stranger, later, sizeof(later));
	if (!problem[0])
		check_short(world, problem, sizeof(problem));
	tap(!problem[0], "on the wire: frames cut short before or in their headers are malformed", "%s", problem);
	tap(!later[0], "on the wire: the bridge passes what an enforced port has stamped, and denies the rest", "%s", later);
}
