/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "bench.h"

#define BUFFER_SIZE 8192

int link_open(struct mnl_socket **ret, struct error *error)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;

		link_close(socket);
		return error_set(error, r, "cannot open a netlink socket: %s", strerror(-r));
	}
	*ret = socket;
	return 0;
}

void link_close(struct mnl_socket *socket)
{
	if (socket)
		mnl_socket_close(socket);
}

static struct nlmsghdr *request(char *buffer, int type, int flags, struct ifinfomsg **ret_info)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	*ret_info = mnl_nlmsg_put_extra_header(header, sizeof(**ret_info));
	return header;
}

/* Send, and wait for the kernel's acknowledgement. */
static int ask(struct mnl_socket *socket, struct nlmsghdr *header, const char *what, struct error *error)
{
	char answer[BUFFER_SIZE];
	ssize_t n = mnl_socket_sendto(socket, header, header->nlmsg_len);
	int r = 0;

	if (n >= 0)
		n = mnl_socket_recvfrom(socket, answer, sizeof(answer));
	if (n < 0 || mnl_cb_run(answer, n, 0, mnl_socket_get_portid(socket), NULL, NULL) < 0)
		r = -errno;
	return r < 0 ? error_set(error, r, "cannot %s: %s", what, strerror(-r)) : 0;
}

int link_add_bridge(struct mnl_socket *socket, const char *name, struct error *error)
{
	char buffer[BUFFER_SIZE];
	struct ifinfomsg *info;
	struct nlmsghdr *header = request(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info);
	struct nlattr *kind;

	info->ifi_flags = info->ifi_change = IFF_UP;
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	kind = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(header, kind);
	return ask(socket, header, "make a bridge", error);
}

int link_add_veth(struct mnl_socket *socket, const char *name, const char *peer, struct error *error)
{
	char buffer[BUFFER_SIZE];
	struct ifinfomsg *info;
	struct nlmsghdr *header = request(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info);
	struct nlattr *kind, *data, *other;
	int r;

	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	mnl_attr_put_u32(header, IFLA_GROUP, LINK_GROUP);
	kind = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(header, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, peer);
	mnl_attr_nest_end(header, other);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, kind);
	r = ask(socket, header, "make a veth", error);
	if (r < 0)
		return r;
	/* Not in the first request: a veth whose other end is not there yet cannot be up. */
	header = request(buffer, RTM_NEWLINK, 0, &info);
	info->ifi_flags = info->ifi_change = IFF_UP;
	mnl_attr_put_strz(header, IFLA_IFNAME, peer);
	return ask(socket, header, "set the other end of a veth up", error);
}

int link_join(struct mnl_socket *socket, int ifindex, int master, struct error *error)
{
	char buffer[BUFFER_SIZE];
	struct ifinfomsg *info;
	struct nlmsghdr *header = request(buffer, RTM_NEWLINK, 0, &info);

	info->ifi_index = ifindex;
	mnl_attr_put_u32(header, IFLA_MASTER, master);
	return ask(socket, header, "put a veth into a bridge", error);
}

int link_up(struct mnl_socket *socket, int ifindex, struct error *error)
{
	char buffer[BUFFER_SIZE];
	struct ifinfomsg *info;
	struct nlmsghdr *header = request(buffer, RTM_NEWLINK, 0, &info);

	info->ifi_index = ifindex;
	info->ifi_flags = info->ifi_change = IFF_UP;
	return ask(socket, header, "set an interface up", error);
}

int link_add_port(struct mnl_socket *socket, const char *name, const char *peer, int bridge, struct error *error)
{
	int r = link_add_veth(socket, name, peer, error), ifindex = (int)if_nametoindex(name);

	if (r == 0)
		r = link_join(socket, ifindex, bridge, error);
	return r < 0 ? r : link_up(socket, ifindex, error);
}

int link_delete_group(struct mnl_socket *socket, struct error *error)
{
	char buffer[BUFFER_SIZE];
	struct ifinfomsg *info;
	struct nlmsghdr *header = request(buffer, RTM_DELLINK, 0, &info);

	mnl_attr_put_u32(header, IFLA_GROUP, LINK_GROUP);
	return ask(socket, header, "delete the veths", error);
}
