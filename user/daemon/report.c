/* SPDX-License-Identifier: GPL-2.0 */
/* What the daemon says of itself: `ps`, `status`, metrics. Reads, decides nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "daemon/policies.h"
#include "daemon/state.h"

#ifndef DNETBPF_VERSION
#define DNETBPF_VERSION "0.1.0-dev"
#endif

#define MAX_BUCKETS ((size_t)DNET_BUCKET_GROUPS * DNET_BUCKET_WAYS)
#define COUNT_AGE_NS 500000000ull	/* counting the flows means walking them: not more often than this */

static const char *const state_names[] = { "enforced", "unselected", "audit", "invalid", "pending", "unattached" };

const char *live_state_name(const struct daemon *daemon, const struct live *live)
{
	if (!attacher_has(daemon->attacher, live->link.ifindex))
		return "unattached";
	if (!live->linked)
		return "pending";
	if (live->verdict.invalid)
		return "invalid";
	if (!live->verdict.tracked)
		return live->kept ? "enforced" : "unselected";
	return live->verdict.audit ? "audit" : "enforced";
}

static const struct container *container_of_live(const struct daemon *daemon, const struct live *live)
{
	return daemon->inventory && live->identified ? inventory_container(daemon->inventory, live->container_id) : NULL;
}

static const char *network_name(const struct daemon *daemon, const struct live *live)
{
	const struct network *network = daemon->inventory && live->identified ?
					inventory_network(daemon->inventory, live->network_id) : NULL;

	return network ? network->name : "";
}

static void totals(const struct daemon *daemon, uint32_t slot, uint64_t *ret_passed, uint64_t *ret_denied)
{
	struct dnet_counter counter;

	*ret_passed = *ret_denied = 0;
#define X(id, NAME, name, class, sentence) \
	for (uint32_t direction = 0; direction < DNET_DIRECTIONS; direction++) { \
		if (id < DNET_PASS_SPAN) { \
			dataplane_pass_counter(daemon->dataplane, slot, direction, id, &counter); \
			*ret_passed += counter.packets; \
			continue; \
		} \
		dataplane_deny_counter(daemon->dataplane, slot, direction, DNET_DENY, id, &counter); \
		*ret_denied += counter.packets; \
		dataplane_deny_counter(daemon->dataplane, slot, direction, DNET_WOULD_DENY, id, &counter); \
		*ret_passed += counter.packets; \
	}
	DNET_REASONS(X)
#undef X
}

static json_t *why_not_enforced(struct daemon *daemon, const struct live *live)
{
	const char *state = live_state_name(daemon, live);

	if (strcmp(state, "unselected") == 0)
		return json_string("no policy selects it: its packets are counted, not filtered");
	if (strcmp(state, "audit") == 0)
		return json_string("its policy is in audit mode: what it would deny is reported, and passes");
	if (strcmp(state, "invalid") == 0) {
		const struct container *container = container_of_live(daemon, live);
		const struct label_policy *labels = container ? reconcile_labels(daemon, container) : NULL;

		return json_sprintf("its labels cannot be read, so everything is denied: %s",
				    labels && labels->problem ? labels->problem : "unknown problem");
	}
	if (strcmp(state, "pending") == 0)
		return json_string("its container is not identified yet: everything but address resolution is denied");
	if (strcmp(state, "unattached") == 0)
		return json_string("it carries no program: it was there before dnetbpf, and its container is not known yet");
	return json_null();
}

static json_t *policy_names(const struct live *live)
{
	json_t *names = json_array();
	_cleanup_free_ char *copy = strdup(live->verdict.policies ? live->verdict.policies : "");
	char *rest = NULL;

	for (char *name = copy ? strtok_r(copy, ",", &rest) : NULL; name; name = strtok_r(NULL, ",", &rest))
		json_array_append_new(names, json_string(name));
	return names;
}

/* Packets that limits have refused, or would have under audit. */
static uint64_t limited_packets(const struct daemon *daemon, uint32_t slot)
{
	static const enum dnet_reason reasons[] = { DNET_REASON_RATE_LIMITED, DNET_REASON_TOO_MANY_CONNECTIONS, DNET_REASON_PACKET_RATE,
						    DNET_REASON_LIMIT_TABLE_FULL };
	static const enum dnet_verdict verdicts[] = { DNET_DENY, DNET_WOULD_DENY };
	struct dnet_counter counter;
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		for (uint32_t direction = 0; direction < DNET_DIRECTIONS; direction++)
			for (size_t v = 0; v < sizeof(verdicts) / sizeof(verdicts[0]); v++) {
				dataplane_deny_counter(daemon->dataplane, slot, direction, verdicts[v], reasons[i], &counter);
				sum += counter.packets;
			}
	return sum;
}

/* @blocks: of blocks_count(). */
static json_t *endpoint_json(struct daemon *daemon, const struct live *live, const struct index *blocks)
{
	const struct container *container = container_of_live(daemon, live);
	json_t *addresses = json_array();
	uint64_t passed = 0, denied = 0, limited = 0, suppressed = 0;
	char text[TEXT_ADDR_SIZE], service[CONTAINER_SERVICE_SIZE];

	for (size_t i = 0; i < live->address_count; i++)
		json_array_append_new(addresses, json_string(text_addr(&live->addresses[i], text)));
	if (live->slot) {
		totals(daemon, live->slot, &passed, &denied);
		limited = limited_packets(daemon, live->slot);
		suppressed = daemon->dataplane->event_budgets[live->slot].suppressed;
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o}",
			 "container", container ? container->name : "", "container_id", live->container_id ? live->container_id : "",
			 "service", container_service(container, service), "network", network_name(daemon, live),
			 "interface", live->link.name, "state", live_state_name(daemon, live), "policies", policy_names(live),
			 "addresses", addresses, "packets_passed", (json_int_t)passed, "packets_denied", (json_int_t)denied,
			 "packets_limited", (json_int_t)limited, "blocks", (json_int_t)(live->id ? index_get(blocks, live->container) : 0),
			 "events_suppressed", (json_int_t)suppressed, "not_enforced", why_not_enforced(daemon, live));
}

/* Running containers without an interface of ours, and why. */
static const char *why_unprotected(const struct daemon *daemon, const struct container *container)
{
	const char *mode = container->network_mode ? container->network_mode : "";

	if (container->state != CONTAINER_RUNNING)
		return NULL;
	for (size_t i = 0; i < daemon->live.count; i++)
		if (daemon->live.items[i]->identified && strcmp(daemon->live.items[i]->container_id, container->id) == 0)
			return NULL;
	if (strcmp(mode, "host") == 0)
		return "it uses the host's network: it has no interface of its own, and its traffic is the host's";
	if (strcmp(mode, "none") == 0)
		return "it has no network";
	if (strncmp(mode, "container:", 10) == 0)
		return "it shares another container's network: that container's policy rules";
	for (size_t i = 0; i < daemon->inventory->attachment_count; i++) {
		const struct network *network;

		if (strcmp(daemon->inventory->attachments[i].container_id, container->id) != 0)
			continue;
		network = inventory_network(daemon->inventory, daemon->inventory->attachments[i].network_id);
		if (network && !network->bridge)
			return "its network's driver gives it no interface on this host (macvlan, ipvlan or another plugin)";
	}
	return "no interface of it was found";
}

static int compare_live(const void *a, const void *b)
{
	return strcmp((*(struct live *const *)a)->link.name, (*(struct live *const *)b)->link.name);
}

struct table_use {
	const char *name, *full;	/* full: what follows when it is */
	size_t entries, capacity;
};

#define PRESSURE_PERCENT 80

/* Tables that packets fill, and that are nearly full. As of the last sweep. */
static json_t *pressure(const struct daemon *daemon)
{
	const struct table_use tables[] = {
		{ "connections", "new ones are denied, and those that are not established go early", daemon->flows_standing, DNET_MAX_FLOWS },
		{ "allowances of limits", "those that are nearly full again are forgotten for others", daemon->buckets_standing, MAX_BUCKETS },
		{ "blocks", "further bans find no room", blocks_standing(daemon), DNET_MAX_BLOCKS },
	};
	json_t *sentences = json_array();

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		size_t percent = tables[i].entries * 100 / tables[i].capacity;

		if (percent >= PRESSURE_PERCENT)
			json_array_append_new(sentences, json_sprintf("%zu %% of the %zu %s that can be kept are in use; when all are, %s",
								      percent, tables[i].capacity, tables[i].name, tables[i].full));
	}
	return sentences;
}

static void index_clearp(struct index *index)
{
	index_clear(index);
}

int report_ps(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;
	_cleanup_(index_clearp) struct index blocks = {};
	json_t *endpoints = json_array(), *unprotected = json_array();
	_cleanup_free_ struct live **sorted = calloc(daemon->live.count + 1, sizeof(*sorted));

	(void)request;
	if (!sorted || blocks_count(daemon, &blocks) < 0) {
		json_decref(endpoints);
		json_decref(unprotected);
		return error_set(error, -ENOMEM, "out of memory");
	}
	if (daemon->live.count)
		memcpy(sorted, daemon->live.items, daemon->live.count * sizeof(*sorted));
	qsort(sorted, daemon->live.count, sizeof(*sorted), compare_live);
	for (size_t i = 0; i < daemon->live.count; i++)
		json_array_append_new(endpoints, endpoint_json(daemon, sorted[i], &blocks));
	for (size_t i = 0; daemon->inventory && i < daemon->inventory->container_count; i++) {
		const char *why = why_unprotected(daemon, &daemon->inventory->containers[i]);

		if (why)
			json_array_append_new(unprotected, json_pack("{s:s, s:s}", "container", daemon->inventory->containers[i].name,
								     "why", why));
	}
	*ret = json_pack("{s:o, s:o, s:I, s:o}", "endpoints", endpoints, "unprotected", unprotected, "blocks_everywhere",
			 (json_int_t)index_get(&blocks, 0), "pressure", pressure(daemon));
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}

static uint64_t event_total(const struct daemon *daemon, bool suppressed)
{
	uint64_t sum = 0;

	for (uint32_t slot = 0; slot < DNET_ENDPOINT_SLOTS; slot++)
		sum += suppressed ? daemon->dataplane->event_budgets[slot].suppressed : daemon->dataplane->event_budgets[slot].sent;
	return sum;
}

static uint64_t pending_denied(const struct daemon *daemon)
{
	struct dnet_counter counter;
	uint64_t sum = 0;

	for (uint32_t direction = 0; direction < DNET_DIRECTIONS; direction++) {
		dataplane_deny_counter(daemon->dataplane, 0, direction, DNET_DENY, DNET_REASON_PENDING, &counter);
		sum += counter.packets;
	}
	return sum;
}

static unsigned int count_state(const struct daemon *daemon, const char *state)
{
	unsigned int count = 0;

	for (size_t i = 0; i < daemon->live.count; i++)
		count += strcmp(live_state_name(daemon, daemon->live.items[i]), state) == 0;
	return count;
}

int report_status(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;
	json_t *states = json_object(), *problems = json_array();

	(void)request;
	reconcile_sweep(daemon, COUNT_AGE_NS);
	for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++)
		json_object_set_new(states, state_names[i], json_integer(count_state(daemon, state_names[i])));
	for (size_t i = 0; i < daemon->problem_count; i++)
		json_array_append_new(problems, json_string(daemon->problems[i]));
	policies_problems(daemon, problems);
	countries_problems(daemon, problems);
	if (daemon->docker_problem[0])
		json_array_append_new(problems, json_string(daemon->docker_problem));
	if (attacher_repairs(daemon->attacher))
		json_array_append_new(problems, json_sprintf("somebody removed programs from interfaces %lu times; they were put back",
							     attacher_repairs(daemon->attacher)));
	*ret = json_pack("{s:s, s:i, s:I, s:I, s:{s:s, s:s, s:b, s:s}, s:{s:s, s:s}, s:s, s:o, s:s, s:o, s:{s:I, s:I}, "
			 "s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:I, s:o, s:o}",
			 "version", DNETBPF_VERSION, "pid", (int)getpid(),
			 "uptime_seconds", (json_int_t)((monotonic_ns() - daemon->started_ns) / 1000000000ull),
			 "namespace_cookie", (json_int_t)daemon->dataplane->state->netns_cookie,
			 "inventory", "kind", daemon->is_static ? "static" : "docker",
			 "url", daemon->is_static ? daemon->options->inventory + strlen("static:") : daemon->options->docker,
			 "connected", daemon->is_static || daemon->docker_connected, "problem", daemon->docker_problem,
			 "attach", "mode", daemon->attach_mode == ATTACH_MODE_TCX ? "tcx" : "clsact", "why", daemon->attach_why,
			 "pin", daemon->options->pin,
			 "policy", policies_status(daemon), "unknown", daemon->policies->unknown_deny ? "deny" : "allow",
			 "endpoints", states,
			 "flows", "entries", (json_int_t)daemon->flows_standing, "capacity", (json_int_t)DNET_MAX_FLOWS,
			 "limits", "buckets", (json_int_t)daemon->buckets_standing, "capacity", (json_int_t)MAX_BUCKETS,
			 "evictions", (json_int_t)daemon->dataplane->state->bucket_evictions,
			 "blocks", "entries", (json_int_t)blocks_standing(daemon), "capacity", (json_int_t)DNET_MAX_BLOCKS,
			 "bans", (json_int_t)daemon->dataplane->state->bans, "refused", (json_int_t)daemon->dataplane->state->bans_refused,
			 "events", "sent", (json_int_t)event_total(daemon, false), "suppressed", (json_int_t)event_total(daemon, true),
			 "lost", (json_int_t)daemon->dataplane->state->events_lost,
			 "pending_denied", (json_int_t)pending_denied(daemon), "geo", countries_status(daemon), "problems", problems);
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}

struct series {
	const char *container, *service, *network;
	uint32_t slot;
};

static void packet_samples(const struct daemon *daemon, struct metrics *metrics, const struct series *series, const char *family,
			   bool bytes)
{
	static const char *const directions[] = { "ingress", "egress" };
	struct dnet_counter counter;

#define SAMPLE(verdict, name) \
	if (counter.packets) \
		metrics_sample_u64(metrics, family, bytes ? counter.bytes : counter.packets, "container", series->container, \
				   "service", series->service, "network", series->network, "direction", directions[direction], \
				   "verdict", verdict, "reason", name, NULL)
#define X(id, NAME, name, class, sentence) \
	for (uint32_t direction = 0; direction < DNET_DIRECTIONS; direction++) { \
		if (id < DNET_PASS_SPAN) { \
			dataplane_pass_counter(daemon->dataplane, series->slot, direction, id, &counter); \
			SAMPLE("pass", name); \
			continue; \
		} \
		dataplane_deny_counter(daemon->dataplane, series->slot, direction, DNET_DENY, id, &counter); \
		SAMPLE("deny", name); \
		dataplane_deny_counter(daemon->dataplane, series->slot, direction, DNET_WOULD_DENY, id, &counter); \
		SAMPLE(id >= 48 ? "pass" : "would_deny", name); \
	}
	DNET_REASONS(X)
#undef X
#undef SAMPLE
}

static void for_all_series(struct daemon *daemon, struct metrics *metrics, const char *family, bool bytes)
{
	char service[CONTAINER_SERVICE_SIZE];

	/* Interfaces without an endpoint: pending ones, and unknown senders at the bridges. */
	packet_samples(daemon, metrics, &(struct series){ "", "", "", 0 }, family, bytes);
	for (size_t i = 0; i < daemon->live.count; i++) {
		const struct live *live = daemon->live.items[i];
		const struct container *container = container_of_live(daemon, live);

		if (live->slot && container)
			packet_samples(daemon, metrics, &(struct series){ container->name, container_service(container, service),
				       network_name(daemon, live), live->slot }, family, bytes);
	}
}

static void count_entry(void *context, const void *key)
{
	(void)key;
	++*(size_t *)context;
}

static size_t count_entries(int fd, size_t key_size)
{
	size_t count = 0;

	map_for_each_key(fd, key_size, count_entry, &count);
	return count;
}

static void table_samples(struct daemon *daemon, struct metrics *metrics)
{
	const struct dataplane *dataplane = daemon->dataplane;
	const struct { const char *name; size_t entries, capacity; } tables[] = {
		{ "flows", daemon->flows_standing, DNET_MAX_FLOWS },
		{ "endpoints", count_entries(dataplane->links_fd, sizeof(uint32_t)), DNET_MAX_ENDPOINTS },
		{ "addresses", count_entries(dataplane->addresses_fd, sizeof(struct dnet_address_key)), DNET_MAX_ADDRESSES },
		{ "peer_rows", daemon->install.peer_count, DNET_MAX_PEER_ROWS },
		{ "prefix_rows", daemon->install.prefix_count, DNET_MAX_PREFIX_ROWS },
		{ "rulesets", daemon->install.rulesets, DNET_MAX_RULESETS },
		{ "rules", daemon->install.rules, DNET_MAX_RULE_ENTRIES },
		{ "bounds", daemon->install.bounds, DNET_MAX_BOUNDS },
		{ "limits", daemon->install.limits, DNET_MAX_LIMITS },
		{ "buckets", daemon->buckets_standing, MAX_BUCKETS },
		{ "blocks", blocks_standing(daemon), DNET_MAX_BLOCKS },
		{ "row_words", daemon->install.row_words, DNET_MAX_ROW_WORDS },
	};

	metrics_family(metrics, "dnetbpf_map_entries", "gauge", "Entries of a table in the kernel.");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		metrics_sample_u64(metrics, "dnetbpf_map_entries", tables[i].entries, "map", tables[i].name, NULL);
	metrics_family(metrics, "dnetbpf_map_capacity", "gauge", "How many entries a table in the kernel can hold.");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		metrics_sample_u64(metrics, "dnetbpf_map_capacity", tables[i].capacity, "map", tables[i].name, NULL);
}

void report_metrics(void *context, struct metrics *metrics)
{
	static const char *const verdicts[] = { "pass", "deny", "would_deny" };
	struct daemon *daemon = context;
	struct metrics_histogram attach;

	reconcile_sweep(daemon, COUNT_AGE_NS);
	metrics_family(metrics, "dnetbpf_build_info", "gauge", "Always 1; the version is in the label.");
	metrics_sample_u64(metrics, "dnetbpf_build_info", 1, "version", DNETBPF_VERSION, NULL);
	metrics_family(metrics, "dnetbpf_packets_total", "counter", "Packets on the wire by verdict and reason.");
	for_all_series(daemon, metrics, "dnetbpf_packets_total", false);
	metrics_family(metrics, "dnetbpf_bytes_total", "counter", "Bytes on the wire by verdict and reason.");
	for_all_series(daemon, metrics, "dnetbpf_bytes_total", true);
	metrics_family(metrics, "dnetbpf_rule_hits_total", "counter", "Decisions of a rule: new connections and denied packets.");
	for (uint32_t i = 0; daemon->rule_names && i < daemon->next_rule_counter; i++)
		if (daemon->rule_names[i].policy)
			metrics_sample_u64(metrics, "dnetbpf_rule_hits_total", dataplane_rule_hits(daemon->dataplane, i), "policy",
					   daemon->rule_names[i].policy, "rule", daemon->rule_names[i].rule->name, NULL);
	limits_metrics(daemon, metrics);
	metrics_family(metrics, "dnetbpf_limit_evictions_total", "counter",
		       "Buckets of limits that were not full again and were forgotten for others.");
	metrics_sample_u64(metrics, "dnetbpf_limit_evictions_total", daemon->dataplane->state->bucket_evictions, NULL);
	blocks_metrics(daemon, metrics);
	countries_metrics(daemon, metrics);
	metrics_family(metrics, "dnetbpf_flows", "gauge", "Connections in the flow table.");
	metrics_sample_u64(metrics, "dnetbpf_flows", daemon->flows_standing, NULL);
	metrics_family(metrics, "dnetbpf_events_total", "counter", "Events that reached the daemon, by verdict.");
	for (int i = 0; i < 3; i++)
		metrics_sample_u64(metrics, "dnetbpf_events_total", daemon->events_reported[i], "verdict", verdicts[i], NULL);
	metrics_family(metrics, "dnetbpf_events_suppressed_total", "counter", "Events that an endpoint's budget held back.");
	metrics_sample_u64(metrics, "dnetbpf_events_suppressed_total", event_total(daemon, true), NULL);
	metrics_family(metrics, "dnetbpf_events_lost_total", "counter", "Events that found the ring buffer full.");
	metrics_sample_u64(metrics, "dnetbpf_events_lost_total", daemon->dataplane->state->events_lost, NULL);
	metrics_family(metrics, "dnetbpf_endpoints", "gauge", "Container interfaces by state.");
	for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++)
		metrics_sample_u64(metrics, "dnetbpf_endpoints", count_state(daemon, state_names[i]), "state", state_names[i], NULL);
	table_samples(daemon, metrics);
	attacher_histogram(daemon->attacher, &attach);
	metrics_family(metrics, "dnetbpf_attach_seconds", "histogram", "Time to put the programs on an interface.");
	metrics_histogram(metrics, "dnetbpf_attach_seconds", &attach);
	metrics_family(metrics, "dnetbpf_reconcile_seconds", "histogram", "Time of one reconcile.");
	metrics_histogram(metrics, "dnetbpf_reconcile_seconds", &daemon->reconcile_histogram);
	metrics_family(metrics, "dnetbpf_docker_connected", "gauge", "1 when the inventory's source answers.");
	metrics_sample_u64(metrics, "dnetbpf_docker_connected", daemon->is_static || daemon->docker_connected, NULL);
}
