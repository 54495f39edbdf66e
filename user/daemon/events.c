/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's records get names: history, log lines, counters. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "daemon/state.h"
#include "explain/explanation.h"

static void names_of_live(const struct daemon *daemon, const struct live *live, struct endpoint_names *ret)
{
	const struct container *container = NULL;
	const struct network *network = NULL;

	if (daemon->inventory && live->identified) {
		container = inventory_container(daemon->inventory, live->container_id);
		network = inventory_network(daemon->inventory, live->network_id);
	}
	ret->interface = live->link.name;
	ret->container = container ? container->name : "";
	ret->service = container_service(container, ret->service_text);
	ret->network = network ? network->name : "";
	ret->policies = live->verdict.policies ? live->verdict.policies : "";
}

void endpoint_names(const struct daemon *daemon, uint32_t id, uint32_t ifindex, struct endpoint_names *ret)
{
	const struct live *live = id ? live_find_id(&daemon->live, id) : live_find(&daemon->live, (int)ifindex);

	*ret = (struct endpoint_names){ .container = "", .service = "", .network = "", .policies = "", .interface = "" };
	if (live) {
		names_of_live(daemon, live, ret);
		return;
	}
	for (size_t i = 0; id && i < MAX_PAST; i++) {
		const struct past_endpoint *past = &daemon->past[i];

		if (past->id == id && past->container) {
			ret->container = past->container;
			ret->service = past->service;
			ret->network = past->network;
			ret->policies = past->policies;
			ret->interface = past->interface;
			return;
		}
	}
}

static const char *container_at(const struct daemon *daemon, const struct dnet_addr *addr)
{
	for (size_t i = 0; daemon->inventory && i < daemon->live.count; i++) {
		const struct live *live = daemon->live.items[i];

		for (size_t j = 0; live->identified && j < live->address_count; j++)
			if (memcmp(&live->addresses[j], addr, sizeof(*addr)) == 0) {
				const struct container *container = inventory_container(daemon->inventory, live->container_id);

				return container ? container->name : "";
			}
	}
	return "";
}

/* Asked anew each time: clocks are set. */
uint64_t unix_of_monotonic(uint64_t monotonic)
{
	struct timespec real, since_boot;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &since_boot);
	return (uint64_t)real.tv_sec * 1000000000ull + real.tv_nsec -
	       ((uint64_t)since_boot.tv_sec * 1000000000ull + since_boot.tv_nsec - monotonic);
}

/* "FILE:LINE", or what stands for the file where there are no lines. */
static const char *origin_text(const struct origin *origin, char *buffer, size_t size)
{
	if (!origin->line)
		return origin->file ? origin->file : "";
	snprintf(buffer, size, "%s:%u", origin->file, origin->line);
	return buffer;
}

void events_report(void *context, const struct dnet_event *event)
{
	struct daemon *daemon = context;
	const struct rule_name *rule = daemon->rule_names && event->rule_counter < DNET_MAX_RULE_COUNTERS ?
				       &daemon->rule_names[event->rule_counter] : NULL;
	struct event_record record = {};
	struct endpoint_names names;
	const struct dnet_addr *remote = event->direction == DNET_EGRESS ? &event->dst : &event->src;
	uint32_t country = countries_find(daemon, remote);
	char origin[256], policy[256], letters[3];

	endpoint_names(daemon, event->endpoint_id, event->ifindex, &names);
	record.time_unix_ns = unix_of_monotonic(event->time_ns);
	record.verdict = event->verdict;
	record.reason = event->reason;
	record.direction = event->direction;
	record.container = names.container;
	record.service = names.service;
	record.network = names.network;
	record.interface = names.interface;
	record.peer_container = container_at(daemon, remote);
	record.src = event->src;
	record.dst = event->dst;
	record.ethertype = ntohs(event->ethertype_be);
	record.proto = event->proto;
	record.tcp_flags = event->tcp_flags;
	if (event->proto == IPPROTO_ICMP || event->proto == IPPROTO_ICMPV6) {
		record.icmp_type = ntohs(event->dst_port_be) >> 8;
		record.icmp_code = ntohs(event->dst_port_be) & 0xff;
	} else {
		record.src_port = ntohs(event->src_port_be);
		record.dst_port = ntohs(event->dst_port_be);
	}
	record.country = country ? country_text(country, letters) : "";
	record.policy = record.rule = record.origin = "";
	if (rule && rule->policy) {
		record.policy = rule->policy;
		record.rule = rule->rule->name;
		record.origin = origin_text(&rule->rule->origin, origin, sizeof(origin));
	} else if (event->reason == DNET_REASON_DEFAULT_DENIED || event->reason == DNET_REASON_FLOW_REVOKED) {
		/* No rule matched: what denies is the end of the list. */
		record.policy = explain_default_policy(names.policies, event->layer, policy, sizeof(policy));
		record.rule = "default";
	} else if (event->reason == DNET_REASON_POLICY_INVALID) {
		record.policy = "labels";
	}
	record.bytes = event->bytes;
	record.count = event->packets;
	if (event->verdict < 3)
		daemon->events_reported[event->verdict]++;
	history_add(daemon->history, &record);
	if (daemon->options->log_json) {
		const char *line = history_line(daemon->history, history_next(daemon->history) - 1);

		if (line)
			puts(line);
	} else {
		char text[1024];

		event_to_text(&record, text, sizeof(text));
		puts(text);
	}
}
