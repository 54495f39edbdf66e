/* SPDX-License-Identifier: GPL-2.0 */
#include "dataplane/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Older UAPI headers, Debian 12's too, do not know TCX (Linux 6.6). */
#define ATTACH_TYPE_TCX_INGRESS 46
#define ATTACH_TYPE_TCX_EGRESS 47

/* Ours among the filters of a hook. The first preference: a packet that we deny must not have side effects before. */
#define FILTER_PRIORITY 1
#define FILTER_HANDLE 0xd7b1

struct hook {
	const char *name;
	enum bpf_tc_attach_point point;
	int tcx_type;
	enum dataplane_program program;
};

/* In the order in which they are attached. */
static const struct hook container_hooks[] = {
	{ "egress", BPF_TC_INGRESS, ATTACH_TYPE_TCX_INGRESS, PROGRAM_EGRESS },
	{ "ingress", BPF_TC_EGRESS, ATTACH_TYPE_TCX_EGRESS, PROGRAM_INGRESS },
};
static const struct hook bridge_hooks[] = {
	{ "bridge", BPF_TC_INGRESS, ATTACH_TYPE_TCX_INGRESS, PROGRAM_BRIDGE },
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static void link_path(char *path, size_t size, const char *pin, int ifindex, const char *hook)
{
	snprintf(path, size, "%s/tcx/%d-%s", pin, ifindex, hook);
}

static int attach_tcx(struct dataplane *dataplane, int ifindex, const struct hook *hook, struct error *error)
{
	_cleanup_close_ int link = -1;
	char path[4096];
	int program = dataplane->program_fd[hook->program];

	link_path(path, sizeof(path), dataplane->pin, ifindex, hook->name);
	link = bpf_obj_get(path);
	if (link >= 0) {
		if (bpf_link_update(link, program, NULL) == 0)
			return 0;
		/* A link whose interface is gone answers ENOLINK; the number has been given to another interface since. */
		unlink(path);
		close(TAKE_FD(link));
	}
	link = bpf_link_create(program, ifindex, hook->tcx_type, NULL);
	if (link < 0)
		return error_set(error, -errno, "cannot attach a TCX program to interface %d: %s", ifindex, strerror(errno));
	snprintf(path, sizeof(path), "%s/tcx", dataplane->pin);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(error, -errno, "cannot make %s: %s", path, strerror(errno));
	link_path(path, sizeof(path), dataplane->pin, ifindex, hook->name);
	if (bpf_obj_pin(link, path) < 0)
		return error_set(error, -errno, "cannot pin the link %s: %s", path, strerror(errno));
	return 0;
}

static void remove_tcx(const char *pin, int ifindex, const struct hook *hook)
{
	_cleanup_close_ int link = -1;
	char path[4096];

	link_path(path, sizeof(path), pin, ifindex, hook->name);
	/* Without the detach the program would go some milliseconds after the pin, when RCU frees the inode. */
	link = bpf_obj_get(path);
	if (link >= 0)
		bpf_link_detach(link);
	unlink(path);
}

static int attach_clsact(struct dataplane *dataplane, int ifindex, const struct hook *hook, struct error *error)
{
	LIBBPF_OPTS(bpf_tc_hook, point, .ifindex = ifindex, .attach_point = hook->point);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		    .prog_fd = dataplane->program_fd[hook->program], .flags = BPF_TC_F_REPLACE);
	int r = bpf_tc_attach(&point, &options);

	return r < 0 ? error_set(error, r, "cannot attach a program to the clsact hook of interface %d: %s", ifindex, strerror(-r)) : 0;
}

static void remove_clsact(int ifindex, const struct hook *hook)
{
	LIBBPF_OPTS(bpf_tc_hook, point, .ifindex = ifindex, .attach_point = hook->point);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	bpf_tc_detach(&point, &options);
}

/* *ret_made: the qdisc was not there before. */
static int make_clsact(int ifindex, bool *ret_made, struct error *error)
{
	LIBBPF_OPTS(bpf_tc_hook, point, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int r = bpf_tc_hook_create(&point);

	if (r < 0 && r != -EEXIST)
		return error_set(error, r, "cannot make a clsact qdisc on interface %d: %s", ifindex, strerror(-r));
	*ret_made = r == 0;
	return 0;
}

/* Is there any filter on a hook? bpf_tc_query() answers for one handle only; the dump is rtnetlink's. */
static int note_filter(const struct nlmsghdr *header, void *context)
{
	if (header->nlmsg_type == RTM_NEWTFILTER)
		*(bool *)context = true;
	return MNL_CB_OK;
}

static bool hook_in_use(int ifindex, uint32_t parent)
{
	char buffer[32768];
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct tcmsg *message;
	bool used = false;
	ssize_t n = -1;

	if (!socket)
		return true;
	header->nlmsg_type = RTM_GETTFILTER;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->tcm_family = AF_UNSPEC;
	message->tcm_ifindex = ifindex;
	message->tcm_parent = parent;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 && mnl_socket_sendto(socket, header, header->nlmsg_len) > 0)
		while ((n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer))) > 0)
			if (mnl_cb_run(buffer, n, 0, mnl_socket_get_portid(socket), note_filter, &used) <= MNL_CB_STOP)
				break;
	mnl_socket_close(socket);
	return used || n < 0;
}

/* Our filters, and the qdisc if it is ours and nobody else uses it. */
static void remove_filters(int ifindex, const struct hook *hooks, size_t count, uint32_t flags)
{
	for (size_t i = 0; i < count; i++)
		remove_clsact(ifindex, &hooks[i]);
	if (flags & DNET_ATTACHED_MADE_CLSACT && !hook_in_use(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) &&
	    !hook_in_use(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS))) {
		LIBBPF_OPTS(bpf_tc_hook, both, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

		bpf_tc_hook_destroy(&both);
	}
}

static int attach(struct dataplane *dataplane, int ifindex, const struct hook *hooks, size_t count, uint32_t kind,
		  enum attach_mode mode, struct error *error)
{
	uint32_t key = ifindex, flags = kind, old = 0;
	libbpf_print_fn_t printer;
	bool was, made = false;
	int r = 0;

	was = map_get(dataplane->attached_fd, &key, &old) == 0;
	flags |= old & DNET_ATTACHED_MADE_CLSACT;
	printer = libbpf_set_print(quiet);
	if (mode == ATTACH_MODE_TCX) {
		flags |= DNET_ATTACHED_TCX;
	} else {
		r = make_clsact(ifindex, &made, error);
		if (made)
			flags |= DNET_ATTACHED_MADE_CLSACT;
	}
	/* Noted before it is done: what a crash leaves half done, `unload` must find. */
	if (r == 0)
		r = map_set(dataplane->attached_fd, &key, &flags);
	for (size_t i = 0; i < count && r == 0; i++)
		r = mode == ATTACH_MODE_TCX ? attach_tcx(dataplane, ifindex, &hooks[i], error) :
					      attach_clsact(dataplane, ifindex, &hooks[i], error);
	/* Ours of the other mode go now that these are in force; also those that a predecessor was about to remove when it died. */
	if (r == 0 && was && mode == ATTACH_MODE_CLSACT && old & DNET_ATTACHED_TCX) {
		for (size_t i = 0; i < count; i++)
			remove_tcx(dataplane->pin, ifindex, &hooks[i]);
	} else if (r == 0 && was && mode == ATTACH_MODE_TCX && (!(old & DNET_ATTACHED_TCX) || old & DNET_ATTACHED_MADE_CLSACT)) {
		remove_filters(ifindex, hooks, count, old);
		flags &= ~DNET_ATTACHED_MADE_CLSACT;
		map_set(dataplane->attached_fd, &key, &flags);
	}
	libbpf_set_print(printer);
	return r;
}

int attach_container(struct dataplane *dataplane, int ifindex, enum attach_mode mode, struct error *error)
{
	return attach(dataplane, ifindex, container_hooks, 2, 0, mode, error);
}

int attach_bridge(struct dataplane *dataplane, int ifindex, enum attach_mode mode, struct error *error)
{
	return attach(dataplane, ifindex, bridge_hooks, 1, DNET_ATTACHED_BRIDGE, mode, error);
}

static bool hook_present(const struct dataplane *dataplane, int ifindex, const struct hook *hook, enum attach_mode mode)
{
	LIBBPF_OPTS(bpf_tc_hook, point, .ifindex = ifindex, .attach_point = hook->point);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	char path[4096];

	if (mode == ATTACH_MODE_TCX) {
		link_path(path, sizeof(path), dataplane->pin, ifindex, hook->name);
		return access(path, F_OK) == 0;
	}
	if (bpf_tc_query(&point, &options) < 0 ||
	    bpf_obj_get_info_by_fd(dataplane->program_fd[hook->program], &info, &size) < 0)
		return false;
	return options.prog_id == info.id;
}

bool attach_present(const struct dataplane *dataplane, int ifindex, bool bridge, enum attach_mode mode)
{
	libbpf_print_fn_t printer = libbpf_set_print(quiet);
	bool present = bridge ? hook_present(dataplane, ifindex, &bridge_hooks[0], mode) :
				hook_present(dataplane, ifindex, &container_hooks[0], mode) &&
				hook_present(dataplane, ifindex, &container_hooks[1], mode);

	libbpf_set_print(printer);
	return present;
}

void attach_remove(const char *pin, int ifindex, uint32_t flags)
{
	const struct hook *hooks = flags & DNET_ATTACHED_BRIDGE ? bridge_hooks : container_hooks;
	size_t count = flags & DNET_ATTACHED_BRIDGE ? 1 : 2;
	libbpf_print_fn_t printer = libbpf_set_print(quiet);

	if (flags & DNET_ATTACHED_TCX)
		for (size_t i = 0; i < count; i++)
			remove_tcx(pin, ifindex, &hooks[i]);
	/* Both can be there when a daemon died while TCX links took the place of filters. */
	if (!(flags & DNET_ATTACHED_TCX) || flags & DNET_ATTACHED_MADE_CLSACT)
		remove_filters(ifindex, hooks, count, flags);
	libbpf_set_print(printer);
}

void attach_forget(struct dataplane *dataplane, int ifindex)
{
	uint32_t key = ifindex, flags = 0;

	if (map_get(dataplane->attached_fd, &key, &flags) < 0)
		return;
	if (flags & DNET_ATTACHED_TCX) {
		const struct hook *hooks = flags & DNET_ATTACHED_BRIDGE ? bridge_hooks : container_hooks;
		size_t count = flags & DNET_ATTACHED_BRIDGE ? 1 : 2;

		/* Without detaching: there is nothing to detach from, and it would wait for RTNL while others of its network start. */
		for (size_t i = 0; i < count; i++) {
			char path[4096];

			link_path(path, sizeof(path), dataplane->pin, ifindex, hooks[i].name);
			unlink(path);
		}
	}
	map_delete(dataplane->attached_fd, &key);
}
