/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "config/static_inventory.h"
#include "daemon/policies.h"
#include "daemon/state.h"
#include "dataplane/probe.h"
#include "dataplane/unload.h"

#define EXIT_USAGE 2
#define EXIT_UNSUPPORTED 3
#define SWEEP_SECONDS 5

/* --- events on the loop -------------------------------------------------- */

/* What is ready at once goes in this order. A container that comes up does not wait for denied packets to be reported. */
enum urgency {
	URGENT,		/* links, their peers and their programs, and what follows from them */
	USUAL,		/* libevent's default, the middle: Docker and the control socket */
	LEISURELY,
	URGENCIES,
};

static void on_reconcile(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	reconcile(context);
}

static void on_link_event(void *context, const struct netlink_event *event)
{
	struct daemon *daemon = context;

	switch (event->kind) {
	case NETLINK_LINK_NEW:
	case NETLINK_LINK_GONE:
		reconcile_link(daemon, event);
		reconcile_soon(daemon);
		break;
	case NETLINK_NSID_NEW:
	case NETLINK_NSID_GONE:
		reconcile_nsid(daemon, event->link.nsid, event->kind == NETLINK_NSID_GONE);
		reconcile_soon(daemon);
		break;
	case NETLINK_ADDRESS_NEW:
	case NETLINK_ADDRESS_GONE:
		addresser_request(daemon->addresser);
		break;
	case NETLINK_FILTER_GONE:
		attacher_verify(daemon->attacher, event->link.ifindex);
		break;
	case NETLINK_OVERRUN:
		daemon->links_lost = true;
		veth_peers_clear(&daemon->peers);
		addresser_request(daemon->addresser);
		reconcile_soon(daemon);
		break;
	}
}

static void on_netlink(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;

	(void)what;
	netlink_watch_read(fd, on_link_event, daemon);
}

static void on_peer_event(void *context, const struct netlink_event *event)
{
	struct daemon *daemon = context;

	if (event->kind == NETLINK_OVERRUN) {
		veth_peers_clear(&daemon->peers);
		reconcile_soon(daemon);
		return;
	}
	if (event->nsid == NETLINK_NSID_NONE)
		return;
	/* That a peer is there now was said before it said anything itself, on the other socket. */
	netlink_watch_read(daemon->netlink_fd, on_link_event, daemon);
	if (veth_peers_hear(&daemon->peers, event))
		reconcile_soon(daemon);
}

static void on_peers(evutil_socket_t fd, short what, void *context)
{
	(void)what;
	netlink_watch_read(fd, on_peer_event, context);
}

static void on_addresses(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;
	struct netlink_address *addresses;
	size_t count;

	(void)fd;
	(void)what;
	if (addresser_take(daemon->addresser, &addresses, &count) < 0)
		return;
	free(daemon->addresses);
	daemon->addresses = addresses;
	daemon->address_count = count;
	daemon->addresses_stale = true;
	reconcile_soon(daemon);
}

/* Programs are on an interface now: it can be linked, a bridge may be sealed. */
static void on_attached(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;

	(void)fd;
	(void)what;
	attacher_seen(daemon->attacher);
	reconcile_soon(daemon);
}

static void on_ring(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;

	(void)fd;
	(void)what;
	dataplane_events_read(daemon->ring);
	fflush(stdout);
}

/* Every few seconds: expired flows go, and what no event told is found all the same. */
static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;

	(void)fd;
	(void)what;
	reconcile_sweep(daemon, 0);
	policies_tick(daemon);
	countries_tick(daemon);
	if (++daemon->sweeps % DUMP_SWEEPS == 0) {
		daemon->links_lost = true;
		addresser_request(daemon->addresser);
	}
	reconcile_soon(daemon);
}

/* An endpoint has gone: what its address still has open must not pass to whoever is given that address next. */
static void on_purge(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	reconcile_sweep(context, 0);
}

static void on_hangup(evutil_socket_t fd, short what, void *context)
{
	struct error error = {};
	bool changed;

	(void)fd;
	(void)what;
	if (policies_reload(context, "SIGHUP", &changed, &error) == -EBUSY)
		log_warning("SIGHUP: %s", error.text);
	else if (!error.text[0] && !changed)
		log_info("SIGHUP: the policy files are what is in force");
}

static void on_signal(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;

	(void)what;
	log_info("%s: stopping; what is in force stays in force", fd == SIGTERM ? "SIGTERM" : "SIGINT");
	event_base_loopbreak(daemon->base);
}

static void on_inventory(void *context, const struct inventory *inventory)
{
	struct daemon *daemon = context;

	daemon->inventory = inventory;
	daemon->inventory_serial++;
	if (daemon->options->once) {
		reconcile(daemon);
		event_base_loopbreak(daemon->base);
		return;
	}
	reconcile_soon(daemon);
}

static void on_docker(void *context, bool connected, const char *problem)
{
	struct daemon *daemon = context;

	daemon->docker_connected = connected;
	snprintf(daemon->docker_problem, sizeof(daemon->docker_problem), "%s", connected ? "" : problem);
	if (connected)
		log_info("connected to Docker at %s", daemon->options->docker);
	else
		log_warning("%s", problem);
}

static int unload_request(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;

	(void)request;
	(void)error;
	daemon->unloading = true;
	log_info("unload: taking everything away");
	attacher_stop(daemon->attacher);
	daemon->attacher = NULL;
	dataplane_close(daemon->dataplane);
	daemon->dataplane = NULL;
	event_base_loopbreak(daemon->base);
	struct unload_report report;
	int r = dataplane_unload(daemon->options->pin, &report, error);

	if (r < 0)
		return r;
	*ret = json_pack("{s:i, s:i}", "interfaces", (int)report.interfaces, "pins", (int)report.pins);
	return *ret ? 0 : -ENOMEM;
}

static const struct control_route routes[] = {
	{ "GET", "/v1/ps", report_ps },
	{ "GET", "/v1/status", report_status },
	{ "GET", "/v1/flows", report_flows },
	{ "POST", "/v1/blocks", report_blocks },
	{ "POST", "/v1/unblock", unblock_request },
	{ "GET", "/v1/init", report_init },
	{ "GET", "/v1/geo", countries_request },
	{ "GET", "/v1/inventory", report_inventory },
	{ "POST", "/v1/policy/show", report_policy_show },
	{ "POST", "/v1/policy/explain", report_explain },
	{ "POST", "/v1/policy/reload", policies_reload_request },
	{ "POST", "/v1/policy/apply", policies_apply_request },
	{ "POST", "/v1/policy/confirm", policies_confirm_request },
	{ "POST", "/v1/rules", by_hand_request },
	{ "POST", "/v1/unload", unload_request },
	{},
};

/* --- start --------------------------------------------------------------- */

static int load_policy(struct daemon *daemon)
{
	struct error error = {};

	if (policies_start(daemon, &error) == 0)
		return 0;
	log_error("%s", error.text);
	return EXIT_USAGE;
}

static int compare_interfaces(const void *a, const void *b)
{
	return strcmp((*(const struct attachment *const *)a)->interface, (*(const struct attachment *const *)b)->interface);
}

static int load_static_inventory(struct daemon *daemon)
{
	const char *source = daemon->options->inventory;
	struct error error = {};

	if (strcmp(source, "docker") == 0)
		return 0;
	if (strncmp(source, "static:", 7) != 0) {
		log_error("--inventory takes `docker` or `static:FILE`, not `%s`", source);
		return EXIT_USAGE;
	}
	daemon->is_static = true;
	if (static_inventory_load(source + 7, &daemon->static_inventory, &error) < 0) {
		log_error("%s", error.text);
		return EXIT_USAGE;
	}
	daemon->static_interfaces = calloc(daemon->static_inventory.attachment_count + 1, sizeof(*daemon->static_interfaces));
	if (!daemon->static_interfaces) {
		log_error("out of memory");
		return 1;
	}
	for (size_t i = 0; i < daemon->static_inventory.attachment_count; i++)
		daemon->static_interfaces[i] = &daemon->static_inventory.attachments[i];
	qsort(daemon->static_interfaces, daemon->static_inventory.attachment_count, sizeof(*daemon->static_interfaces),
	      compare_interfaces);
	return 0;
}

static int check_host(struct daemon *daemon)
{
	struct error error = {};
	struct probe probe;
	bool mounted;

	probe_run(&probe);
	if (!probe.kernel_supported) {
		log_error("this kernel (%s) is too old: dnetbpf needs Linux 5.15 or newer, because older ones lack atomic operations in "
			  "BPF that exact limits are built on; install a newer kernel", probe.kernel);
		return EXIT_UNSUPPORTED;
	}
	if (!probe.cap_bpf || !probe.cap_net_admin) {
		log_error("missing %s%s%s: run dnetbpf as root (sudo dnetbpf run), or give it these capabilities",
			  probe.cap_bpf ? "" : "CAP_BPF", !probe.cap_bpf && !probe.cap_net_admin ? " and " : "",
			  probe.cap_net_admin ? "" : "CAP_NET_ADMIN");
		return 1;
	}
	if (probe_bpffs(daemon->options->pin, &mounted, &error) < 0) {
		log_error("%s", error.text);
		return 1;
	}
	if (mounted)
		log_info("mounted a bpffs at /sys/fs/bpf");
	switch (daemon->options->attach) {
	case ATTACH_TCX:
		if (!probe.tcx) {
			log_error("--attach tcx needs Linux 6.6 or newer, this is %s; use --attach clsact or leave the option out", probe.kernel);
			return EXIT_UNSUPPORTED;
		}
		daemon->attach_mode = ATTACH_MODE_TCX;
		daemon->attach_why = "asked for with --attach tcx";
		break;
	case ATTACH_CLSACT:
		daemon->attach_mode = ATTACH_MODE_CLSACT;
		daemon->attach_why = "asked for with --attach clsact";
		break;
	case ATTACH_AUTO:
		daemon->attach_mode = ATTACH_MODE_CLSACT;
		daemon->attach_why = "default: at many starts at once clsact is in force first; what somebody removes is put back";
		break;
	}
	return 0;
}

static int open_dataplane(struct daemon *daemon)
{
	_cleanup_free_ struct netlink_link *links = NULL;
	struct error error = {};
	size_t count = 0;

	/* The countries before the programs of this version are attached, and before its rules. */
	if (dataplane_open(daemon->options->pin, &daemon->dataplane, &error) < 0 || countries_install(daemon, &error) < 0 ||
	    netlink_watch_open(NETLINK_WATCH_ALL, &daemon->netlink_fd, &error) < 0 ||
	    addresser_start(&daemon->addresser, &error) < 0 ||
	    netlink_dump_links(&links, &count, &error) < 0 ||
	    netlink_dump_addresses(&daemon->addresses, &daemon->address_count, &error) < 0 ||
	    attacher_start(daemon->dataplane, daemon->attach_mode, !daemon->is_static, links, count, &daemon->attacher, &error) < 0) {
		log_error("%s", error.text);
		return 1;
	}
	if (!daemon->is_static && netlink_watch_open(NETLINK_WATCH_PEERS, &daemon->peers_fd, &error) < 0)
		log_warning("containers are asked for their addresses, because nobody tells them: what one sends in its first milliseconds "
			    "on a network that it is connected to while it runs can be lost (%s)", error.text);
	daemon->links_lost = daemon->addresses_stale = true;
	reconcile_adopt(daemon, links, count);
	return 0;
}

static int open_listeners(struct daemon *daemon)
{
	struct error error = {};

	if (control_server_new(daemon->base, daemon->options->control, routes, daemon, daemon->history, &daemon->control, &error) < 0) {
		log_error("%s", error.text);
		return 1;
	}
	if (strcmp(daemon->options->metrics, "off") != 0 &&
	    metrics_server_new(daemon->base, daemon->options->metrics, report_metrics, daemon, &daemon->metrics, &error) < 0) {
		log_error("%s", error.text);
		return 1;
	}
	return 0;
}

static int add_events(struct daemon *daemon)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	const struct timeval period = { .tv_sec = SWEEP_SECONDS };
	struct error error = {};
	int ring_fd;

	if (dataplane_events_open(daemon->dataplane, events_report, daemon, &daemon->ring, &ring_fd, &error) < 0) {
		log_error("%s", error.text);
		return 1;
	}
	daemon->reconcile_event = event_new(daemon->base, -1, 0, on_reconcile, daemon);
	daemon->retry_timer = evtimer_new(daemon->base, on_reconcile, daemon);
	daemon->purge_timer = evtimer_new(daemon->base, on_purge, daemon);
	daemon->sweep_timer = event_new(daemon->base, -1, EV_PERSIST, on_sweep, daemon);
	daemon->netlink_event = event_new(daemon->base, daemon->netlink_fd, EV_READ | EV_PERSIST, on_netlink, daemon);
	daemon->ring_event = event_new(daemon->base, ring_fd, EV_READ | EV_PERSIST, on_ring, daemon);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		daemon->signal_events[i] = evsignal_new(daemon->base, signals[i], signals[i] == SIGHUP ? on_hangup : on_signal, daemon);
		event_add(daemon->signal_events[i], NULL);
	}
	daemon->address_event = event_new(daemon->base, addresser_fd(daemon->addresser), EV_READ | EV_PERSIST, on_addresses, daemon);
	daemon->attached_event = event_new(daemon->base, attacher_fd(daemon->attacher), EV_READ | EV_PERSIST, on_attached, daemon);
	if (daemon->peers_fd >= 0)
		daemon->peers_event = event_new(daemon->base, daemon->peers_fd, EV_READ | EV_PERSIST, on_peers, daemon);
	event_priority_set(daemon->reconcile_event, URGENT);
	event_priority_set(daemon->netlink_event, URGENT);
	event_priority_set(daemon->attached_event, URGENT);
	if (daemon->peers_event)
		event_priority_set(daemon->peers_event, URGENT);
	event_priority_set(daemon->ring_event, LEISURELY);
	event_add(daemon->sweep_timer, &period);
	event_add(daemon->netlink_event, NULL);
	event_add(daemon->ring_event, NULL);
	event_add(daemon->address_event, NULL);
	event_add(daemon->attached_event, NULL);
	if (daemon->peers_event)
		event_add(daemon->peers_event, NULL);
	if (policies_watch(daemon, &error) < 0 || countries_watch(daemon, &error) < 0) {
		log_error("%s", error.text);
		return 1;
	}
	return 0;
}

static int start_inventory(struct daemon *daemon)
{
	const struct docker_callbacks callbacks = { .changed = on_inventory, .connected = on_docker };
	struct error error = {};

	if (daemon->is_static) {
		daemon->inventory = &daemon->static_inventory;
		return 0;
	}
	if (docker_new(daemon->base, daemon->options->docker, &callbacks, daemon, &daemon->docker, &error) < 0) {
		log_error("%s", error.text);
		return EXIT_USAGE;
	}
	return 0;
}

static void daemon_clear(struct daemon *daemon)
{
	struct event **events[] = { &daemon->reconcile_event, &daemon->retry_timer, &daemon->purge_timer, &daemon->sweep_timer,
				    &daemon->netlink_event, &daemon->peers_event, &daemon->ring_event, &daemon->address_event, &daemon->attached_event,
				    &daemon->signal_events[0], &daemon->signal_events[1], &daemon->signal_events[2] };

	control_server_free(daemon->control);
	metrics_server_free(daemon->metrics);
	docker_free(daemon->docker);
	attacher_stop(daemon->attacher);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (*events[i])
			event_free(*events[i]);
	if (daemon->ring)
		dataplane_events_close(daemon->ring);
	addresser_stop(daemon->addresser);
	reconcile_clear(daemon);
	countries_stop(daemon);
	policies_stop(daemon);
	free(daemon->static_interfaces);
	inventory_clear(&daemon->static_inventory);
	history_free(daemon->history);
	closep(&daemon->netlink_fd);
	closep(&daemon->peers_fd);
	dataplane_close(daemon->dataplane);
	if (daemon->base)
		event_base_free(daemon->base);
	free(daemon);
}

int daemon_run(const struct run_options *options)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	struct error error = {};
	int code;

	if (!daemon)
		return 1;
	log_set_json(options->log_json);
	daemon->options = options;
	daemon->netlink_fd = daemon->peers_fd = -1;
	daemon->started_ns = monotonic_ns();
	daemon->rule_names = calloc(DNET_MAX_RULE_COUNTERS, sizeof(*daemon->rule_names));
	daemon->base = event_base_new();
	code = daemon->rule_names && daemon->base && event_base_priority_init(daemon->base, URGENCIES) == 0 &&
	       history_new(&daemon->history) == 0 ? 0 : 1;
	/* First what a person can get wrong, before anything in the kernel is touched. */
	if (code == 0)
		code = load_policy(daemon);
	if (code == 0)
		code = load_static_inventory(daemon);
	if (code == 0)
		code = check_host(daemon);
	if (code == 0 && !options->once)
		code = open_listeners(daemon);
	/* Containers race us from their first instruction, and a loaded host must not decide that race. Before there are threads: each
	 * has a priority of its own, which it takes from who makes it. */
	if (code == 0 && setpriority(PRIO_PROCESS, 0, -10) < 0)
		log_debug("cannot raise the priority: %s", strerror(errno));
	if (code == 0)
		code = open_dataplane(daemon);
	if (code == 0)
		code = add_events(daemon);
	if (code == 0)
		code = start_inventory(daemon);
	/* Only now, because it takes a while; and not later, because the verifier wants privileges that are about to go. */
	if (code == 0 && !options->once && dataplane_explain_load(daemon->dataplane, &error) < 0)
		log_warning("`policy explain` will not work: %s", error.text);
	if (code == 0 && privilege_drop(&error) < 0) {
		log_error("%s", error.text);
		code = 1;
	}
	if (code == 0) {
		reconcile(daemon);
		/* The link watch is armed: whatever starts from now on is under enforcement, with or without Docker. */
		sd_notify(0, "READY=1\nSTATUS=Enforcing");
		log_info("enforcing, %s, pins in %s", daemon->attach_mode == ATTACH_MODE_TCX ? "tcx" : "clsact", options->pin);
		if (!(options->once && daemon->is_static))
			event_base_dispatch(daemon->base);
		sd_notify(0, "STOPPING=1");
		code = daemon->exit_code;
	}
	daemon_clear(daemon);
	return code;
}
