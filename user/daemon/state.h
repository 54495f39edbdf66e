/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's one state. reconcile.c is the only place that decides; the others read, or mark that something is due. */
#ifndef DNETBPF_DAEMON_STATE_H
#define DNETBPF_DAEMON_STATE_H

#include <event2/event.h>

#include "base/index.h"
#include "control/server.h"
#include "daemon/addresser.h"
#include "daemon/attacher.h"
#include "daemon/blocks.h"
#include "daemon/countries.h"
#include "daemon/daemon.h"
#include "daemon/install.h"
#include "daemon/limits.h"
#include "daemon/live.h"
#include "daemon/places.h"
#include "docker/docker.h"
#include "model/policy.h"
#include "observe/history.h"

#define GRACE_SECONDS 300	/* how long connections that are older than we are may show themselves first */
#define SLOT_REST_NS 1000000000ull	/* see the invariants in dnetbpf/endpoint.h */
#define MAX_PAST 512		/* endpoints whose names are kept for events that are still on their way */
#define MAX_PROBLEMS 32

/* Of a counter in `rule_hits`: whose it is. Borrowed from the policies in force or from the labels. */
struct rule_name {
	const char *policy;	/* NULL: of no rule in force */
	const struct rule *rule;
};

/* A container's labels, parsed. By content, and never freed while the compiler that may refer to it lives. */
struct cached_labels {
	char *key;
	struct label_policy labels;
};

/* Which files a policy set was read from, and what was in them. */
struct policy_version {
	struct policy_set *set;	/* owned; NULL where it is daemon->policies */
	char *file;		/* owned; NULL: there was none */
	bool configured;	/* it is the file that a reload reads */
	uint64_t files_hash;	/* of the files' content; 0: unknown */
	uint64_t folders_hash;	/* of the names in the folders that are included */
	uint64_t loaded_unix_ns;
	size_t rules;
	json_t *warnings;	/* a reference */
	bool other_countries;	/* they are judged by another database than daemon->countries has */
	struct country_database countries;	/* which, then */
};

/* The life of the policies, see policies.c. */
struct policies_state {
	const char *path;	/* --config, or the default: what a reload reads */
	char *hand_path;	/* owned; of the rules by hand, which belong to every configuration */
	struct policy_version now;
	struct policy_version before;	/* `policy apply --confirm`: what comes back; file and set NULL: nothing is pending */
	uint64_t confirm_until_unix_ns;	/* 0: nothing is pending */
	bool change_seen;	/* the files changed while something was pending */
	unsigned long reloads, failures;
	char last_error[768];	/* "" when the files are what is in force */
	struct watch *watch;
	struct event *confirm_timer, *expiry_timer;
	uint64_t compiled_unix_ns;	/* the time that the compiler was given: policies that were over then are left out */
	uint64_t next_end_unix_ns;	/* the next `until` after that; 0: none */
};

#define DUMP_SWEEPS 12	/* every minute all links and addresses are read, whatever the events said */

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
	const struct attachment **static_interfaces;	/* sorted by their interface; owned */
	const struct inventory *inventory;	/* NULL until the first full list */
	uint64_t inventory_serial;	/* raised when it has changed */
	struct docker *docker;
	bool docker_connected;
	char docker_problem[512];

	/* Netlink. */
	int netlink_fd;
	int peers_fd;	/* tells of the containers' ends of interfaces; -1: not to be had */
	struct veth_peers peers;
	struct netlink_link *links;	/* every link of this namespace, kept up to date by events */
	size_t link_count, link_room;
	struct index link_index;	/* from ifindex to 1 + the place in `links` */
	bool links_lost;	/* events were lost, or it is time to look: dump */
	struct addresser *addresser;
	struct netlink_address *addresses;	/* of this host, as last read; owned */
	size_t address_count;
	bool addresses_stale;	/* `places` does not show them yet */
	struct mirror places, endpoint_addresses;	/* what is in the kernel's maps */
	struct resolvers resolvers;	/* of this host */
	uint64_t networks_hash;	/* of the inventory's networks, as far as `places` shows them */
	struct live_set live;
	struct index baseline;	/* interfaces that were there when the daemon started */

	/* Policy. What belongs together is exchanged together, see enforce.c. */
	struct policy_set *policies;	/* in force; owned; never NULL once the daemon runs */
	struct set_classes *sets;	/* of the policies' sets; NULL: none */
	uint64_t set_tag;		/* names their tables' content */
	struct compiler *compiler;	/* NULL until the first inventory */
	struct install install;
	struct cached_labels **labels;	/* open addressing, by their key's hash */
	size_t label_count, label_room;
	struct rule_name *rule_names;	/* by counter, DNET_MAX_RULE_COUNTERS; NULL until the first inventory */
	struct install retired[DNET_ARENAS];	/* by arena: entries that are still in the kernel and in force no more */
	struct index rule_counters;	/* `rule_ids`: from a rule's key to its counter */
	uint32_t next_rule_counter;
	struct limit_names limit_names;	/* of the limits in force */
	struct index limit_ids;	/* `limit_ids`: from a limit's key to its id */
	struct blocks_state blocks;
	struct countries_state countries;
	uint64_t next_set_tag;
	struct policies_state policy;

	/* Endpoint slots. */
	uint64_t slot_free_ns[DNET_ENDPOINT_SLOTS];	/* when it was freed; 0: never used */
	bool slot_used[DNET_ENDPOINT_SLOTS];
	struct past_endpoint past[MAX_PAST];
	size_t past_next;

	/* Events on the loop. */
	struct event *reconcile_event, *retry_timer, *sweep_timer, *purge_timer, *netlink_event, *peers_event, *ring_event, *address_event, *attached_event,
		     *signal_events[3];	/* SIGTERM, SIGINT, SIGHUP */
	struct ring_buffer *ring;

	/* Seeing. */
	struct history *history;
	struct control_server *control;
	struct metrics_server *metrics;
	struct metrics_histogram reconcile_histogram;
	uint64_t events_reported[3];	/* by verdict */
	size_t flows_standing, buckets_standing;	/* at the last sweep */
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
/* This nsid means a namespace that is new, or none any more. */
void reconcile_nsid(struct daemon *daemon, int nsid, bool gone);
/* Remove flows that have expired or whose endpoint is gone, if the last time is longer ago than @age_ns. */
void reconcile_sweep(struct daemon *daemon, uint64_t age_ns);
/* The labels of a container, parsed, or NULL when it has none. */
const struct label_policy *reconcile_labels(struct daemon *daemon, const struct container *container);
/* What the compiler is told of an interface: for questions to it. Borrowed, until the next reconcile. False: it is not identified. */
bool enforce_endpoint(struct daemon *daemon, const struct live *live, struct compile_endpoint *ret);

/* events.c */
void events_report(void *context, const struct dnet_event *event);
/* Borrowed from the inventory, from the past or from here; "" where nothing is known. @id 0: of the interface @ifindex. */
struct endpoint_names {
	const char *container, *service, *network, *policies, *interface;
	char service_text[CONTAINER_SERVICE_SIZE];
};
void endpoint_names(const struct daemon *daemon, uint32_t id, uint32_t ifindex, struct endpoint_names *ret);
/* The kernel counts from boot, people from 1970. */
uint64_t unix_of_monotonic(uint64_t monotonic);
/* report.c, show.c, explain.c, flows.c, unblock.c, inventory_json.c, init.c: control routes */
int report_ps(void *context, const json_t *request, json_t **ret, struct error *error);
int report_status(void *context, const json_t *request, json_t **ret, struct error *error);
int report_policy_show(void *context, const json_t *request, json_t **ret, struct error *error);
int report_explain(void *context, const json_t *request, json_t **ret, struct error *error);
int report_flows(void *context, const json_t *request, json_t **ret, struct error *error);
int report_blocks(void *context, const json_t *request, json_t **ret, struct error *error);
int unblock_request(void *context, const json_t *request, json_t **ret, struct error *error);
int report_inventory(void *context, const json_t *request, json_t **ret, struct error *error);
int report_init(void *context, const json_t *request, json_t **ret, struct error *error);
void report_metrics(void *context, struct metrics *metrics);
/* flows.c: the connections that are known and have not expired, in no order. */
typedef void flow_visitor(void *context, const struct dnet_flow_key *key, const struct dnet_flow *flow);
void flows_for_each(const struct daemon *daemon, flow_visitor *visit, void *context);
const char *live_state_name(const struct daemon *daemon, const struct live *live);
/* privilege.c: keep CAP_BPF and CAP_NET_ADMIN alone, and gain no others. */
int privilege_drop(struct error *error);

#endif
