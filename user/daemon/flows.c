/* SPDX-License-Identifier: GPL-2.0 */
/* `flows`: the connections that are known, the newest first. Reads, changes nothing. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "daemon/state.h"
#include "observe/event.h"

#define FLOWS_MAX 2000	/* in one answer */

struct seen_flow {
	struct dnet_flow_key key;
	struct dnet_flow flow;
};

struct collection {
	struct seen_flow *items;	/* a heap, the longest idle first: that one gives way */
	size_t count, total;
	uint64_t now;
};

static bool older(const struct collection *collection, size_t a, size_t b)
{
	return collection->items[a].flow.last_seen_ns < collection->items[b].flow.last_seen_ns;
}

static void swap(struct collection *collection, size_t a, size_t b)
{
	struct seen_flow item = collection->items[a];

	collection->items[a] = collection->items[b];
	collection->items[b] = item;
}

static void sift_up(struct collection *collection, size_t i)
{
	for (; i && older(collection, i, (i - 1) / 2); i = (i - 1) / 2)
		swap(collection, i, (i - 1) / 2);
}

static void sift_down(struct collection *collection)
{
	for (size_t i = 0, child; (child = 2 * i + 1) < collection->count; i = child) {
		if (child + 1 < collection->count && older(collection, child + 1, child))
			child++;
		if (!older(collection, child, i))
			return;
		swap(collection, i, child);
	}
}

static void collect(void *context, const struct dnet_flow_key *key, const struct dnet_flow *flow)
{
	struct collection *collection = context;
	const struct seen_flow item = { *key, *flow };

	collection->total++;
	if (collection->count < FLOWS_MAX) {
		collection->items[collection->count++] = item;
		sift_up(collection, collection->count - 1);
	} else if (item.flow.last_seen_ns > collection->items[0].flow.last_seen_ns) {
		collection->items[0] = item;
		sift_down(collection);
	}
}

struct walk {
	const struct dataplane *dataplane;
	uint64_t now;
	flow_visitor *visit;
	void *context;
};

static void visit_key(void *context, const void *bytes)
{
	const struct walk *walk = context;
	struct dnet_flow_key key;
	struct dnet_flow flow;

	memcpy(&key, bytes, sizeof(key));
	if (map_get(walk->dataplane->flows_fd, &key, &flow) < 0)
		return;
	/* Another CPU may have written it after the clock was read. */
	if (walk->now > flow.last_seen_ns && walk->now - flow.last_seen_ns > dataplane_flow_timeout_ns(walk->dataplane, &key, &flow))
		return;
	walk->visit(walk->context, &key, &flow);
}

void flows_for_each(const struct daemon *daemon, flow_visitor *visit, void *context)
{
	struct walk walk = { .dataplane = daemon->dataplane, .now = monotonic_ns(), .visit = visit, .context = context };

	map_for_each_key(daemon->dataplane->flows_fd, sizeof(struct dnet_flow_key), visit_key, &walk);
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct seen_flow *)a)->flow.last_seen_ns, y = ((const struct seen_flow *)b)->flow.last_seen_ns;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Whose the end is: by who judged it, else by its address. */
static const char *container_name(const struct daemon *daemon, const struct seen_flow *item, unsigned int index)
{
	const struct live *live = live_find_id(&daemon->live, item->flow.end[index].endpoint_id);
	const struct container *container;

	for (size_t i = 0; !live && i < daemon->live.count; i++)
		for (size_t j = 0; j < daemon->live.items[i]->address_count; j++)
			if (addr_equal(&daemon->live.items[i]->addresses[j], &item->key.addr[index]))
				live = daemon->live.items[i];
	container = live && live->identified && daemon->inventory ? inventory_container(daemon->inventory, live->container_id) : NULL;
	return container ? container->name : "";
}

/* Did the end's policy let it pass, and is that still what holds? "": it has none to ask. */
static const char *judged(const struct daemon *daemon, const struct dnet_flow_end *end)
{
	if (!end->endpoint_id)
		return "";
	return end->generation == daemon->dataplane->state->generation ? "current" : "stale";
}

static json_t *flow_json(const struct daemon *daemon, const struct seen_flow *item, uint64_t now)
{
	static const char *const states[] = { [DNET_FLOW_NEW] = "new", [DNET_FLOW_ESTABLISHED] = "established",
					      [DNET_FLOW_CLOSING] = "closing" };
	unsigned int src = item->flow.initiator & 1, dst = !src;
	uint64_t idle = now > item->flow.last_seen_ns ? now - item->flow.last_seen_ns : 0;
	const char *state = item->flow.state < 3 ? states[item->flow.state] : "";
	char src_text[TEXT_ADDR_SIZE], dst_text[TEXT_ADDR_SIZE], proto[8];
	json_t *json;

	if (item->key.proto == IPPROTO_TCP && item->flow.state == DNET_FLOW_ESTABLISHED && item->flow.fin_seen)
		state = "half-closed";
	json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:s, s:s}", "proto", proto_name(item->key.proto, proto),
			 "src", text_addr(&item->key.addr[src], src_text), "dst", text_addr(&item->key.addr[dst], dst_text),
			 "state", state, "src_container", container_name(daemon, item, src),
			 "dst_container", container_name(daemon, item, dst), "initiator", "src",
			 "idle_seconds", (double)(idle / 1000000) / 1000, "src_verdict", judged(daemon, &item->flow.end[src]),
			 "dst_verdict", judged(daemon, &item->flow.end[dst]));
	/* ICMP keeps the identifier and the type of the question where others have ports. */
	if (item->key.proto == IPPROTO_ICMP || item->key.proto == IPPROTO_ICMPV6) {
		json_object_set_new(json, "icmp_id", json_integer(ntohs(item->key.port_be[src])));
		json_object_set_new(json, "icmp_type", json_integer(ntohs(item->key.port_be[dst])));
	} else {
		json_object_set_new(json, "src_port", json_integer(ntohs(item->key.port_be[src])));
		json_object_set_new(json, "dst_port", json_integer(ntohs(item->key.port_be[dst])));
	}
	return json;
}

int report_flows(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;
	_cleanup_free_ struct seen_flow *items = calloc(FLOWS_MAX, sizeof(*items));
	struct collection collection = { .items = items, .now = monotonic_ns() };
	json_t *flows;

	(void)request;
	if (!items)
		return error_set(error, -ENOMEM, "out of memory");
	flows_for_each(daemon, collect, &collection);
	qsort(items, collection.count, sizeof(*items), newest_first);
	flows = json_array();
	for (size_t i = 0; i < collection.count; i++)
		json_array_append_new(flows, flow_json(daemon, &items[i], collection.now));
	*ret = json_pack("{s:o, s:I, s:i}", "flows", flows, "entries", (json_int_t)collection.total, "capacity", DNET_MAX_FLOWS);
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}
