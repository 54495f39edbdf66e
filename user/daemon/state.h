/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's one state. reconcile.c is the only place that decides; the others read, or mark that something is due. */
#ifndef DNETBPF_DAEMON_STATE_H
#define DNETBPF_DAEMON_STATE_H

#include <event2/event.h>

#include "control/server.h"
#include "daemon/addresser.h"
#include "daemon/attacher.h"
#include "daemon/daemon.h"
#include "daemon/install.h"
#include "daemon/live.h"
#include "docker/docker.h"
#include "model/policy.h"
#include "observe/history.h"

#define GRACE_SECONDS 300	/* how long connections that are older than we are may show themselves first */
#define SLOT_REST_NS 1000000000ull	/* see the invariants in dnetbpf/endpoint.h */
#define MAX_PAST 512		/* endpoints whose names are kept for events that are still on their way */
#define MAX_PROBLEMS 32

/* Of a counter in `rule_hits`: whose it is. */
struct rule_name {
	char *policy, *rule, *origin;	/* owned; NULL: not of the policies in force */
};

/* A container's labels, parsed. By content, and never freed while the compiler that may refer to it lives. */
struct cached_labels {
	char *key;
	struct label_policy labels;
};

struct past_endpoint {
	uint32_t id;
	char *container, *service, *network, *policies, *interface;
};

struct daemon {
	const struct run_options *options;
	struct event_base *base;
	struct dataplane *dataplane;
	enum attach_mode attach_mode;
	const char *attach_why;
	struct attacher *attacher;
	uint64_t started_ns;

	/* Inventory. */
	bool is_static;
	struct inventory static_inventory;
	const struct inventory *inventory;	/* NULL until the first full list */
	struct docker *docker;
	bool docker_connected;
	char docker_problem[512];

	/* Netlink. */
	int netlink_fd;
	struct netlink_link *links;	/* every link of this namespace, kept up to date by events */
	size_t link_count, link_room;
	bool links_lost;	/* events were lost, or it is time to look: dump */
	struct addresser *addresser;
	struct netlink_address *addresses;	/* of this host, as last read; owned */
	size_t address_count;
	bool addresses_stale;	/* `places` does not show them yet */
	uint64_t networks_hash;	/* of the inventory's networks, as far as `places` shows them */
	struct live_set live;
	int *baseline;	/* interfaces that were there when the daemon started */
	size_t baseline_count;

	/* Policy. */
	const char *config_path;	/* NULL: none was read */
	struct policy_set policies;
	struct compiler *compiler;
	struct install install;
	struct cached_labels **labels;
	size_t label_count, label_room;
	struct rule_name *rule_names;	/* DNET_MAX_RULE_COUNTERS */
	uint32_t next_rule_counter;

	/* Endpoint slots. */
	uint64_t slot_free_ns[DNET_MAX_ENDPOINTS];	/* when it was freed; 0: never used */
	bool slot_used[DNET_MAX_ENDPOINTS];
	struct past_endpoint past[MAX_PAST];
	size_t past_next;

	/* Events on the loop. */
	struct event *reconcile_event, *retry_timer, *sweep_timer, *purge_timer, *netlink_event, *ring_event, *address_event, *attached_event,
		     *signal_events[3];
	struct ring_buffer *ring;

	/* Seeing. */
	struct history *history;
	struct control_server *control;
	struct metrics_server *metrics;
	struct metrics_histogram reconcile_histogram;
	uint64_t events_reported[3];	/* by verdict */
	size_t flows_standing;	/* at the last sweep */
	uint64_t swept_ns;
	unsigned int sweeps;
	char *problems[MAX_PROBLEMS];	/* what is wrong since the last reconcile; owned */
	size_t problem_count;
	char *old_problems[MAX_PROBLEMS];	/* what was wrong before it */
	size_t old_problem_count;
	bool unloading;
	int exit_code;
};

/* Something changed: reconcile when the loop comes round. */
void reconcile_soon(struct daemon *daemon);
void reconcile(struct daemon *daemon);
/* Take over what an earlier daemon left in the pins. Before the first reconcile. @links: all that are there now. */
void reconcile_adopt(struct daemon *daemon, const struct netlink_link *links, size_t count);
void reconcile_clear(struct daemon *daemon);	/* frees what reconciling made; the kernel side stays */

/* A link event. */
void reconcile_link(struct daemon *daemon, const struct netlink_event *event);
/* Remove flows that have expired or whose endpoint is gone, if the last time is longer ago than @age_ns. */
void reconcile_sweep(struct daemon *daemon, uint64_t age_ns);
/* The labels of a container, parsed, or NULL when it has none. */
const struct label_policy *reconcile_labels(struct daemon *daemon, const struct container *container);

/* events.c */
void events_report(void *context, const struct dnet_event *event);
/* report.c */
int report_ps(void *context, const json_t *request, json_t **ret, struct error *error);
int report_status(void *context, const json_t *request, json_t **ret, struct error *error);
void report_metrics(void *context, struct metrics *metrics);
const char *live_state_name(const struct daemon *daemon, const struct live *live);
/* privilege.c: keep CAP_BPF and CAP_NET_ADMIN alone, and gain no others. */
int privilege_drop(struct error *error);

#endif
