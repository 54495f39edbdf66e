/* SPDX-License-Identifier: GPL-2.0 */
#include "explain/offline.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/registry.h"
#include "base/text.h"
#include "compile/set_classes.h"
#include "config/labels.h"
#include "config/policy_file.h"
#include "config/static_inventory.h"
#include "geo/need.h"

struct explain_offline {
	struct explain_world world;
	struct policy_set owned_policies;	/* when they were loaded here */
	struct inventory owned_inventory;
	struct explain_end *ends;
	struct compile_endpoint *endpoints;	/* parallel to ends, for the compiler */
	struct compile_verdict *verdicts;
	struct label_policy *labels;
	const char **network_names;	/* of all ends, one after the other, each list closed by NULL */
	struct dnet_addr *host_addresses;
	struct set_classes *sets;
	struct geo *geo;	/* NULL: no rule names a country */
	struct compiler *compiler;
};

static uint32_t no_counter(void *context, const char *policy, const struct rule *rule)
{
	(void)context;
	(void)policy;
	(void)rule;
	return 0;
}

/* One id for all: nothing is counted here. */
static uint32_t no_limit(void *context, const char *policy, const struct rule *rule, const struct limit *limit)
{
	(void)context;
	(void)policy;
	(void)rule;
	(void)limit;
	return 1;
}

/* --- who a peer is: as bpf/policy.bpf.h has it ---------------------------- */

static enum dnet_peer_class outside_class(const struct dnet_addr *addr)
{
	switch (registry_place(addr)) {
	case DNET_PLACE_LAN:
		return DNET_PEER_LAN;
	case DNET_PLACE_NONE:
		return DNET_PEER_INTERNET;
	default:
		return DNET_PEER_OUTSIDE;
	}
}

static void name_peer(const struct explain_side *side, struct explain_question *question)
{
	question->peer = side->addr;
	question->peer_class = DNET_PEER_OTHER;
	switch (side->kind) {
	case EXPLAIN_END:
		question->peer_endpoint = side->end->compile.id;
		question->peer_named = &side->end->compile;
		break;
	case EXPLAIN_HOST:
		question->peer_class = DNET_PEER_HOST;
		break;
	case EXPLAIN_OUTSIDE:
		question->peer_class = outside_class(&side->addr);
		break;
	case EXPLAIN_GROUP:
	case EXPLAIN_STRANGER:
		break;
	}
}

static bool is_icmp_error(const struct explain_packet *packet)
{
	uint8_t type = packet->icmp_type;

	if (packet->proto == IPPROTO_ICMP)
		return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
	return packet->proto == IPPROTO_ICMPV6 && type < 128;
}

static uint32_t selector_of(const struct explain_packet *packet)
{
	if (packet_has_ports(packet->proto))
		return DNET_SELECTOR(packet->proto, packet->dst.port);
	if (packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6)
		return DNET_SELECTOR(packet->proto, packet->icmp_type << 8 | packet->icmp_code);
	return DNET_SELECTOR(packet->proto, 0);
}

static enum dnet_verdict verdict_of(const struct explain_world *world, const struct explain_end *end,
				    const struct explain_judgement *judgement)
{
	enum dnet_reason reason = judgement->reason;

	switch (dnet_reason_class(reason)) {
	case DNET_CLASS_PASS:
		return DNET_PASS;
	case DNET_CLASS_FAIL:
		return world->policies->fail_open ? DNET_PASS : DNET_DENY;
	case DNET_CLASS_DENY:
		break;
	}
	/* What the host's rules deny no container's mode lifts, nor what no policy decided. */
	if (!end->verdict->audit || reason == DNET_REASON_UNKNOWN_ENDPOINT || reason == DNET_REASON_POLICY_INVALID ||
	    (judgement->asked && judgement->layer == DNET_LAYER_HOST))
		return DNET_DENY;
	return DNET_WOULD_DENY;
}

static int judge(void *context, const struct explain_packet *packet, const struct explain_end *end, enum dnet_direction direction,
		 struct explain_judgement *ret, struct error *error)
{
	const struct explain_offline *offline = context;
	const struct explain_side *peer = direction == DNET_EGRESS ? &packet->dst : &packet->src;
	struct explain_answer answer;

	(void)error;
	if (direction == DNET_INGRESS && peer->kind == EXPLAIN_STRANGER && peer->network == end->compile.network &&
	    offline->world.policies->unknown_deny) {
		ret->reason = DNET_REASON_UNKNOWN_ENDPOINT;
	} else if (!end->verdict->tracked || end->verdict->invalid) {
		ret->reason = end->verdict->invalid ? DNET_REASON_POLICY_INVALID : DNET_REASON_UNSELECTED;
	} else if (is_icmp_error(packet)) {
		ret->reason = DNET_REASON_ICMP_UNRELATED;
	} else {
		ret->question.selector = selector_of(packet);
		ret->question.group = explain_is_group(&packet->dst.addr);
		name_peer(peer, &ret->question);
		ret->question.peer_country = offline->geo ? geo_find(offline->geo, &peer->addr) : 0;
		explain_decide(offline->compiler, end->verdict, direction, &ret->question, &answer);
		ret->asked = true;
		ret->reason = answer.reason;
		ret->layer = answer.layer;
		memcpy(ret->rule, answer.rule, sizeof(ret->rule));
	}
	ret->verdict = verdict_of(&offline->world, end, ret);
	return 0;
}

/* --- building it --------------------------------------------------------- */

void explain_offline_free(struct explain_offline *offline)
{
	if (!offline)
		return;
	for (size_t i = 0; i < offline->world.end_count; i++) {
		if (offline->verdicts)
			compile_verdict_clear(&offline->verdicts[i]);
		if (offline->labels)
			label_policy_clear(&offline->labels[i]);
	}
	compiler_free(offline->compiler);
	set_classes_free(offline->sets);
	geo_free(offline->geo);
	free(offline->ends);
	free(offline->endpoints);
	free(offline->verdicts);
	free(offline->labels);
	free(offline->network_names);
	free(offline->host_addresses);
	policy_set_clear(&offline->owned_policies);
	inventory_clear(&offline->owned_inventory);
	free(offline);
}

static void offlinep(struct explain_offline **offline)
{
	explain_offline_free(*offline);
}

/* Docker gives a bridge the first address of each of its subnets. */
static int add_gateways(struct explain_offline *offline)
{
	const struct inventory *inventory = offline->world.inventory;
	size_t room = 0, count = 0;

	for (size_t i = 0; i < inventory->network_count; i++)
		room += inventory->networks[i].subnet_count;
	offline->host_addresses = calloc(room + 1, sizeof(*offline->host_addresses));
	if (!offline->host_addresses)
		return -ENOMEM;
	for (size_t i = 0; i < inventory->network_count; i++)
		for (size_t j = 0; j < inventory->networks[i].subnet_count; j++) {
			struct dnet_addr addr = inventory->networks[i].subnets[j].addr;
			struct explain_side side;

			addr_mask(&addr, inventory->networks[i].subnets[j].prefix_len);
			if (inventory->networks[i].subnets[j].prefix_len > 126)
				continue;
			addr.byte[15] |= 1;
			explain_classify(&offline->world, &addr, &inventory->networks[i], &side);
			if (side.kind != EXPLAIN_END)
				offline->host_addresses[count++] = addr;
		}
	offline->world.host_addresses = offline->host_addresses;
	offline->world.host_address_count = count;
	return 0;
}

/* The names of every network a container is on, once for each of its interfaces. */
static int add_network_names(struct explain_offline *offline)
{
	const struct inventory *inventory = offline->world.inventory;
	size_t room = 0, used = 0;

	for (int fill = 0; fill < 2; fill++) {
		for (size_t i = 0; i < offline->world.end_count; i++) {
			const struct attachment *attachment;
			const char **list = offline->network_names + used;

			for (size_t cursor = 0; (attachment = inventory_container_attachment(inventory,
				offline->endpoints[i].container->id, &cursor));) {
				const struct network *network = inventory_network(inventory, attachment->network_id);

				if (fill && network)
					offline->network_names[used++] = network->name;
				room++;
			}
			if (fill) {
				used++;
				offline->endpoints[i].network_names = list;
			}
			room++;
		}
		if (fill)
			break;
		offline->network_names = calloc(room + 1, sizeof(*offline->network_names));
		if (!offline->network_names)
			return -ENOMEM;
	}
	return 0;
}

static int add_ends(struct explain_offline *offline)
{
	const struct inventory *inventory = offline->world.inventory;
	const struct policy_set *policies = offline->world.policies;
	size_t room = inventory->attachment_count + 1, count = 0;

	offline->ends = calloc(room, sizeof(*offline->ends));
	offline->endpoints = calloc(room, sizeof(*offline->endpoints));
	offline->verdicts = calloc(room, sizeof(*offline->verdicts));
	offline->labels = calloc(room, sizeof(*offline->labels));
	if (!offline->ends || !offline->endpoints || !offline->verdicts || !offline->labels)
		return -ENOMEM;
	offline->world.ends = offline->ends;
	for (size_t i = 0; i < inventory->attachment_count; i++) {
		const struct attachment *attachment = &inventory->attachments[i];
		struct compile_endpoint endpoint = {
			.id = (uint32_t)i + 1, .container = inventory_container(inventory, attachment->container_id),
			.network = inventory_network(inventory, attachment->network_id),
		};

		if (!endpoint.container || !endpoint.network || !endpoint.network->bridge)
			continue;
		endpoint.resolvers = endpoint.container->resolvers;
		endpoint.resolver_count = endpoint.container->resolver_count;
		if (!policies->labels_ignore) {
			label_policy_parse(endpoint.container, policies, &offline->labels[count]);
			endpoint.labels = &offline->labels[count];
		}
		offline->endpoints[count] = endpoint;
		offline->ends[count] = (struct explain_end){ .addresses = attachment->addresses,
			.address_count = attachment->address_count, .verdict = &offline->verdicts[count] };
		offline->world.end_count = ++count;
	}
	if (add_network_names(offline) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		offline->ends[i].compile = offline->endpoints[i];
	return 0;
}

/* Reading a database takes a while: only when somebody names a country. Labels that lack one are invalid, as they are for the daemon. */
static int load_countries(struct explain_offline *offline, struct error *error)
{
	bool needed = geo_rule(offline->world.policies, NULL);
	int r = 0;

	for (size_t i = 0; i < offline->world.end_count; i++)
		needed = needed || geo_in_labels(&offline->labels[i]);
	if (needed)
		r = geo_load_for(offline->world.policies, &offline->geo, error);
	for (size_t i = 0; i < offline->world.end_count && !offline->geo; i++)
		geo_refuse_labels(&offline->labels[i]);
	return r;
}

static int compile(struct explain_offline *offline, uint64_t now_unix_ns, struct error *error)
{
	struct compile_input input = { .policies = offline->world.policies, .now_unix_ns = now_unix_ns, .counter = no_counter, .limit = no_limit };
	uint32_t next_class = 1;
	int r;

	r = set_classes_new(offline->world.policies, NULL, &next_class, &offline->sets, error);
	if (r < 0)
		return r;
	input.sets = offline->sets;
	input.has_countries = offline->geo;
	r = compiler_new(&input, &offline->compiler, error);
	if (r < 0)
		return r;
	offline->world.compiler = offline->compiler;
	return compiler_run(offline->compiler, offline->endpoints, offline->world.end_count, NULL, 0, offline->verdicts, error);
}

static int build(struct explain_offline *offline, uint64_t now_unix_ns, struct error *error)
{
	int r;

	offline->world.offline = true;
	offline->world.judge = judge;
	offline->world.context = offline;
	r = add_ends(offline);
	if (r == 0)
		r = add_gateways(offline);
	if (r < 0)
		return error_set(error, r, "out of memory");
	r = load_countries(offline, error);
	if (r < 0)
		return r;
	return compile(offline, now_unix_ns, error);
}

int explain_offline_new(const struct policy_set *policies, const struct inventory *inventory, uint64_t now_unix_ns,
			struct explain_offline **ret, struct error *error)
{
	_cleanup_(offlinep) struct explain_offline *offline = calloc(1, sizeof(*offline));
	int r;

	if (!offline)
		return error_set(error, -ENOMEM, "out of memory");
	offline->world.policies = policies;
	offline->world.inventory = inventory;
	r = build(offline, now_unix_ns, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(offline);
	return 0;
}

int explain_offline_load(const char *policy_path, const char *inventory_path, uint64_t now_unix_ns, struct explain_offline **ret,
			 struct error *error)
{
	_cleanup_(offlinep) struct explain_offline *offline = calloc(1, sizeof(*offline));
	int r;

	if (!offline)
		return error_set(error, -ENOMEM, "out of memory");
	r = policy_file_load(policy_path, &offline->owned_policies, NULL, error);
	if (r == 0)
		r = static_inventory_load(inventory_path, &offline->owned_inventory, error);
	if (r < 0)
		return r;
	offline->world.policies = &offline->owned_policies;
	offline->world.inventory = &offline->owned_inventory;
	r = build(offline, now_unix_ns, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(offline);
	return 0;
}

const struct explain_world *explain_offline_world(const struct explain_offline *offline)
{
	return &offline->world;
}
