/* SPDX-License-Identifier: GPL-2.0 */
#include "base/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define WATCH_BUFFER	(8 << 20)
#define MESSAGE_BUFFER	(64 << 10)	/* more than the kernel puts into one datagram */
#define REQUEST_BUFFER(name) char name[256] __attribute__((aligned(__alignof__(struct nlmsghdr))))
#define WATCH_DATAGRAMS	1024		/* that one read takes: others of the loop want their turn */
#define DUMP_TRIES	16		/* a dump that something changed under is begun again */

/* ---- requests ---- */

/* Called once for each answer. Negative ends the request with that error. */
typedef int (*answer_handler)(const struct nlmsghdr *message, void *context);

/* Every attribute of a message whose type is not above @max, by type. */
struct attributes {
	const struct nlattr **table;
	uint16_t max;
};

static int collect(const struct nlattr *attribute, void *context)
{
	struct attributes *attributes = context;
	uint16_t type = mnl_attr_get_type(attribute);

	if (type <= attributes->max)
		attributes->table[type] = attribute;
	return MNL_CB_OK;
}

static void parse_attributes(const struct nlmsghdr *message, size_t header, const struct nlattr **table, uint16_t max)
{
	struct attributes attributes = { table, max };

	memset(table, 0, ((size_t)max + 1) * sizeof(*table));
	mnl_attr_parse(message, (unsigned int)header, collect, &attributes);
}

static int open_request_socket(int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int one = 1;

	if (fd < 0)
		return -errno;
	/* Filters and target namespaces of dumps are only read by a kernel that checks requests strictly. */
	if (setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The code in an error message, or at the end of a dump. */
static int message_error(const struct nlmsghdr *message)
{
	int code;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(code))
		return 0;
	memcpy(&code, mnl_nlmsg_get_payload(message), sizeof(code));
	return code;
}

/* Messages of one datagram. 1: the answer is complete. */
static int handle_datagram(const char *buffer, int length, uint32_t sequence, bool dump, answer_handler handle, void *context)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;

	for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
		int r;

		if (message->nlmsg_seq != sequence)
			continue;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EINTR;
		if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
			r = message_error(message);
			return r < 0 ? r : 1;
		}
		r = handle(message, context);
		if (r < 0 || !dump)
			return r < 0 ? r : 1;
	}
	return 0;
}

static int request_once(struct nlmsghdr *request, answer_handler handle, void *context)
{
	_cleanup_free_ char *buffer = malloc(MESSAGE_BUFFER);
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	_cleanup_close_ int fd = -1;
	int r;

	if (!buffer)
		return -ENOMEM;
	r = open_request_socket(&fd);
	if (r < 0)
		return r;
	if (send(fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	do {
		ssize_t length = recv(fd, buffer, MESSAGE_BUFFER, MSG_TRUNC);

		if (length < 0 && errno == EINTR) {
			r = 0;
			continue;
		}
		if (length < 0)
			return -errno;
		if (length > MESSAGE_BUFFER)
			return -EMSGSIZE;
		r = handle_datagram(buffer, (int)length, request->nlmsg_seq, dump, handle, context);
	} while (r == 0);
	return r < 0 ? r : 0;
}

static struct nlmsghdr *begin_request(void *buffer, uint16_t type, bool dump)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0);
	request->nlmsg_seq = 1;
	return request;
}

/* ---- links ---- */

static int parse_info(const struct nlattr *attribute, void *context)
{
	struct netlink_link *link = context;

	if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
		snprintf(link->kind, sizeof(link->kind), "%.*s", (int)mnl_attr_get_payload_len(attribute),
			 mnl_attr_get_str(attribute));
	return MNL_CB_OK;
}

static void parse_link(const struct nlmsghdr *message, struct netlink_link *ret)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute[IFLA_LINK_NETNSID + 1];

	memset(ret, 0, sizeof(*ret));
	parse_attributes(message, sizeof(*info), attribute, IFLA_LINK_NETNSID);
	ret->ifindex = info->ifi_index;
	ret->up = info->ifi_flags & IFF_UP;
	ret->lower_up = info->ifi_flags & (1 << 16);	/* IFF_LOWER_UP of linux/if.h, which does not go with net/if.h */
	ret->nsid = NETLINK_NSID_NONE;
	if (attribute[IFLA_IFNAME])
		snprintf(ret->name, sizeof(ret->name), "%.*s", (int)mnl_attr_get_payload_len(attribute[IFLA_IFNAME]),
			 mnl_attr_get_str(attribute[IFLA_IFNAME]));
	if (attribute[IFLA_MASTER])
		ret->master = (int)mnl_attr_get_u32(attribute[IFLA_MASTER]);
	if (attribute[IFLA_LINK])
		ret->peer_ifindex = (int)mnl_attr_get_u32(attribute[IFLA_LINK]);
	if (attribute[IFLA_LINK_NETNSID])
		ret->nsid = (int)mnl_attr_get_u32(attribute[IFLA_LINK_NETNSID]);
	if (attribute[IFLA_ADDRESS] && mnl_attr_get_payload_len(attribute[IFLA_ADDRESS]) == sizeof(ret->mac)) {
		memcpy(ret->mac, mnl_attr_get_payload(attribute[IFLA_ADDRESS]), sizeof(ret->mac));
		ret->has_mac = true;
	}
	if (attribute[IFLA_LINKINFO])
		mnl_attr_parse_nested(attribute[IFLA_LINKINFO], parse_info, ret);
}

/* A growing array. */
struct list {
	char *items;
	size_t count, room;
};

static void *list_add(struct list *list, size_t size)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		char *grown = realloc(list->items, room * size);

		if (!grown)
			return NULL;
		list->items = grown;
		list->room = room;
	}
	return list->items + list->count++ * size;
}

static int add_link(const struct nlmsghdr *message, void *context)
{
	struct netlink_link *link;

	if (message->nlmsg_type != RTM_NEWLINK)
		return 0;
	link = list_add(context, sizeof(*link));
	if (!link)
		return -ENOMEM;
	parse_link(message, link);
	return 0;
}

/* @request: a dump. The list is empty after a failure. */
static int dump(struct nlmsghdr *request, answer_handler handle, struct list *list)
{
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < DUMP_TRIES; i++) {
		list->count = 0;
		r = request_once(request, handle, list);
	}
	if (r < 0) {
		free(list->items);
		memset(list, 0, sizeof(*list));
	}
	return r;
}

static struct nlmsghdr *link_request(void *buffer, int ifindex, int nsid)
{
	struct nlmsghdr *request = begin_request(buffer, RTM_GETLINK, ifindex == 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifi_family = AF_UNSPEC;
	info->ifi_index = ifindex;
	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (nsid != NETLINK_NSID_NONE)
		mnl_attr_put_u32(request, IFLA_TARGET_NETNSID, (uint32_t)nsid);
	return request;
}

int netlink_dump_links(struct netlink_link **ret, size_t *ret_count, struct error *error)
{
	REQUEST_BUFFER(buffer);
	struct list list = { 0 };
	int r;

	r = dump(link_request(buffer, 0, NETLINK_NSID_NONE), add_link, &list);
	if (r < 0)
		return error_set(error, r, "the network interfaces cannot be listed: %s", strerror(-r));
	*ret = (struct netlink_link *)list.items;
	*ret_count = list.count;
	return 0;
}

static int one_link(const struct nlmsghdr *message, void *context)
{
	if (message->nlmsg_type != RTM_NEWLINK)
		return -EPROTO;
	parse_link(message, context);
	return 0;
}

int netlink_get_link(int ifindex, struct netlink_link *ret)
{
	struct netlink_link link = { 0 };
	REQUEST_BUFFER(buffer);
	int r;

	if (ifindex <= 0)
		return -ENODEV;
	r = request_once(link_request(buffer, ifindex, NETLINK_NSID_NONE), one_link, &link);
	if (r < 0)
		return r;
	*ret = link;
	return 0;
}

/* ---- addresses ---- */

/* False: not an address of an interface. */
static bool parse_address(const struct nlmsghdr *message, const struct nlattr **attribute, struct netlink_address *ret)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	size_t length = info->ifa_family == AF_INET ? 4 : 16;
	const struct nlattr *value;

	if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
		return false;
	parse_attributes(message, sizeof(*info), attribute, IFA_TARGET_NETNSID);
	/* IFA_ADDRESS is the other end's on a point-to-point link; IFA_LOCAL is always ours, where it is given. */
	value = attribute[IFA_LOCAL] ? attribute[IFA_LOCAL] : attribute[IFA_ADDRESS];
	if (!value || mnl_attr_get_payload_len(value) != length)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->ifindex = (int)info->ifa_index;
	ret->prefix_len = info->ifa_prefixlen;
	if (length == 4) {
		ret->addr.half_be[5] = 0xffff;	/* the same in both byte orders */
		ret->prefix_len += DNET_V4_PREFIX_OFFSET;
	}
	memcpy(ret->addr.byte + 16 - length, mnl_attr_get_payload(value), length);
	return true;
}

struct address_dump {
	struct list list;	/* first: dump() sees only this */
	int ifindex;		/* 0: all */
	int nsid;		/* where the answer must come from */
};

static int add_address(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *attribute[IFA_TARGET_NETNSID + 1];
	struct address_dump *addresses = context;
	struct netlink_address address, *added;

	if (message->nlmsg_type != RTM_NEWADDR || !parse_address(message, attribute, &address) ||
	    (addresses->ifindex && address.ifindex != addresses->ifindex))
		return 0;
	/* A kernel that does not know the attribute answers with the addresses of this namespace. */
	if (addresses->nsid != NETLINK_NSID_NONE &&
	    (!attribute[IFA_TARGET_NETNSID] || (int)mnl_attr_get_u32(attribute[IFA_TARGET_NETNSID]) != addresses->nsid))
		return -EOPNOTSUPP;
	added = list_add(&addresses->list, sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = address;
	return 0;
}

static int dump_addresses(struct address_dump *addresses)
{
	REQUEST_BUFFER(buffer);
	struct nlmsghdr *request = begin_request(buffer, RTM_GETADDR, true);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifa_family = AF_UNSPEC;
	info->ifa_index = (uint32_t)addresses->ifindex;
	if (addresses->nsid != NETLINK_NSID_NONE)
		mnl_attr_put_u32(request, IFA_TARGET_NETNSID, (uint32_t)addresses->nsid);
	return dump(request, add_address, &addresses->list);
}

int netlink_dump_addresses(struct netlink_address **ret, size_t *ret_count, struct error *error)
{
	struct address_dump addresses = { .nsid = NETLINK_NSID_NONE };
	int r = dump_addresses(&addresses);

	if (r < 0)
		return error_set(error, r, "the addresses of this host cannot be listed: %s", strerror(-r));
	*ret = (struct netlink_address *)addresses.list.items;
	*ret_count = addresses.list.count;
	return 0;
}

/* ---- other namespaces ---- */

/* The kernel says EINVAL for a namespace id that it does not know. */
static int peer_error(int code)
{
	return code == -EINVAL ? -ENODEV : code;
}

int netlink_get_peer_addresses(int nsid, int peer_ifindex, struct netlink_peer *ret)
{
	struct address_dump addresses = { .ifindex = peer_ifindex, .nsid = nsid };
	int r = nsid < 0 || peer_ifindex <= 0 ? -ENODEV : dump_addresses(&addresses);

	if (r < 0)
		return peer_error(r);
	memset(ret->mac, 0, sizeof(ret->mac));
	ret->addresses = (struct netlink_address *)addresses.list.items;
	ret->address_count = addresses.list.count;
	return 0;
}

int netlink_get_peer(int nsid, int peer_ifindex, struct netlink_peer *ret)
{
	struct address_dump addresses = { .ifindex = peer_ifindex, .nsid = nsid };
	struct netlink_link link = { 0 };
	REQUEST_BUFFER(buffer);
	int r;

	if (nsid < 0 || peer_ifindex <= 0)
		return -ENODEV;
	r = request_once(link_request(buffer, peer_ifindex, nsid), one_link, &link);
	if (r < 0)
		return peer_error(r);
	if (!link.has_mac)
		return -ENODEV;
	r = dump_addresses(&addresses);
	if (r < 0)
		return peer_error(r);
	memcpy(ret->mac, link.mac, sizeof(ret->mac));
	ret->addresses = (struct netlink_address *)addresses.list.items;
	ret->address_count = addresses.list.count;
	return 0;
}

void netlink_peer_clear(struct netlink_peer *peer)
{
	free(peer->addresses);
	memset(peer, 0, sizeof(*peer));
}

static int parse_nsid(const struct nlmsghdr *message)
{
	const struct nlattr *attribute[NETNSA_NSID + 1];

	parse_attributes(message, sizeof(struct rtgenmsg), attribute, NETNSA_NSID);
	return attribute[NETNSA_NSID] ? (int)mnl_attr_get_u32(attribute[NETNSA_NSID]) : NETLINK_NSID_NONE;
}

static int take_nsid(const struct nlmsghdr *message, void *context)
{
	if (message->nlmsg_type != RTM_NEWNSID)
		return -EPROTO;
	*(int *)context = parse_nsid(message);
	return 0;
}

int netlink_get_nsid(int netns_fd, int *ret_nsid)
{
	int nsid = NETLINK_NSID_NONE, r;
	struct nlmsghdr *request;
	struct rtgenmsg *header;
	REQUEST_BUFFER(buffer);

	request = begin_request(buffer, RTM_GETNSID, false);
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(request, NETNSA_FD, (uint32_t)netns_fd);
	r = request_once(request, take_nsid, &nsid);
	if (r < 0)
		return r;
	*ret_nsid = nsid < 0 ? NETLINK_NSID_NONE : nsid;
	return 0;
}

/* ---- the watch ---- */

static int join(int fd, int group)
{
	return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ? -errno : 0;
}

int netlink_watch_open(enum netlink_watch what, int *ret_fd, struct error *error)
{
	/* Each watch takes the groups up to its 0. */
	static const int groups[][6] = {
		[NETLINK_WATCH_LINKS] = { RTNLGRP_LINK },
		[NETLINK_WATCH_ALL] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_NSID, RTNLGRP_TC },
		[NETLINK_WATCH_PEERS] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR },
	};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int size = WATCH_BUFFER, one = 1, r = 0;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(error, -errno, "network interfaces cannot be watched: %s", strerror(errno));
	/* Beyond the limit of the system with CAP_NET_ADMIN, up to it without. An overrun is noticed in any case. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (what == NETLINK_WATCH_PEERS && setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &one, sizeof(one)) < 0)
		r = -errno;
	for (const int *group = groups[what]; r == 0 && *group; group++)
		r = join(fd, *group);
	/* The capability counts as of now: the kernel asks whether the socket's maker had it. */
	if (r < 0)
		return error_set(error, r, "network interfaces cannot be watched: %s", strerror(-r));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static void parse_move(const struct nlmsghdr *message, struct netlink_event *ret)
{
	const struct nlattr *attribute[IFLA_NEW_IFINDEX + 1];

	parse_attributes(message, sizeof(struct ifinfomsg), attribute, IFLA_NEW_IFINDEX);
	if (!attribute[IFLA_NEW_NETNSID])
		return;
	ret->moved_nsid = (int)mnl_attr_get_u32(attribute[IFLA_NEW_NETNSID]);
	ret->moved_ifindex = attribute[IFLA_NEW_IFINDEX] ? (int)mnl_attr_get_u32(attribute[IFLA_NEW_IFINDEX]) : ret->link.ifindex;
}

/* False: nothing that we report. */
static bool make_event(const struct nlmsghdr *message, int nsid, struct netlink_event *ret)
{
	const struct nlattr *attribute[IFA_TARGET_NETNSID + 1];
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);

	memset(ret, 0, sizeof(*ret));
	ret->nsid = nsid;
	ret->moved_nsid = NETLINK_NSID_NONE;
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		/* Bridges report their ports with a family of their own; a port that leaves is a DELLINK, but the link lives.
		 * Joining and leaving come as AF_UNSPEC too, with all attributes. */
		if (mnl_nlmsg_get_payload_len(message) < sizeof(*info) || info->ifi_family != AF_UNSPEC)
			return false;
		ret->kind = message->nlmsg_type == RTM_NEWLINK ? NETLINK_LINK_NEW : NETLINK_LINK_GONE;
		parse_link(message, &ret->link);
		if (ret->kind == NETLINK_LINK_GONE)
			parse_move(message, ret);
		return true;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (mnl_nlmsg_get_payload_len(message) < sizeof(struct ifaddrmsg) || !parse_address(message, attribute, &ret->address))
			return false;
		ret->kind = message->nlmsg_type == RTM_NEWADDR ? NETLINK_ADDRESS_NEW : NETLINK_ADDRESS_GONE;
		ret->link.ifindex = ret->address.ifindex;
		return true;
	case RTM_NEWNSID:
	case RTM_DELNSID:
		ret->kind = message->nlmsg_type == RTM_NEWNSID ? NETLINK_NSID_NEW : NETLINK_NSID_GONE;
		ret->link.nsid = parse_nsid(message);
		return ret->link.nsid != NETLINK_NSID_NONE;
	case RTM_DELTFILTER:
	case RTM_DELQDISC:
		if (mnl_nlmsg_get_payload_len(message) < sizeof(struct tcmsg))
			return false;
		ret->kind = NETLINK_FILTER_GONE;
		ret->link.ifindex = ((const struct tcmsg *)mnl_nlmsg_get_payload(message))->tcm_ifindex;
		return true;
	default:
		return false;
	}
}

/* The namespace that a datagram is about, on a socket that hears all of them. */
static int nsid_of(struct msghdr *header)
{
	int nsid = NETLINK_NSID_NONE;

	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control))
		if (control->cmsg_level == SOL_NETLINK && control->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&nsid, CMSG_DATA(control), sizeof(nsid));
	return nsid;
}

int netlink_watch_read(int fd, void (*callback)(void *context, const struct netlink_event *event), void *context)
{
	_cleanup_free_ char *buffer = malloc(MESSAGE_BUFFER);
	struct netlink_event event;

	if (!buffer)
		return -ENOMEM;
	for (int datagrams = 0; datagrams < WATCH_DATAGRAMS; datagrams++) {
		char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr))));
		struct iovec part = { buffer, MESSAGE_BUFFER };
		struct sockaddr_nl sender = { 0 };
		struct msghdr header = {
			.msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &part, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		ssize_t received = recvmsg(fd, &header, MSG_TRUNC);
		int length = (int)received;

		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (received < 0 && errno != ENOBUFS)
			return -errno;
		/* A datagram that does not fit is as lost as one that the kernel could not queue. */
		if (received < 0 || received > MESSAGE_BUFFER) {
			event = (struct netlink_event) { NETLINK_OVERRUN, .nsid = NETLINK_NSID_NONE, .moved_nsid = NETLINK_NSID_NONE };
			callback(context, &event);
			continue;
		}
		if (sender.nl_pid != 0)
			continue;	/* only the kernel knows */
		for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length))
			if (make_event(message, nsid_of(&header), &event))
				callback(context, &event);
	}
	return 0;
}
