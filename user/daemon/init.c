/* SPDX-License-Identifier: GPL-2.0 */
/* `init`: what runs, and the connections that are known, for the starter. Reads, changes nothing. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "daemon/starter.h"
#include "daemon/state.h"

struct gathering {
	const struct daemon *daemon;
	struct starter *starter;
};

/* Of the end that judged the connection; the other one is known by its address. */
static const char *container_of(const struct daemon *daemon, const struct dnet_flow_end *end)
{
	const struct live *live = end->endpoint_id ? live_find_id(&daemon->live, end->endpoint_id) : NULL;

	return live && live->identified ? live->container_id : NULL;
}

static void gather(void *context, const struct dnet_flow_key *key, const struct dnet_flow *flow)
{
	const struct gathering *gathering = context;
	unsigned int src = flow->initiator & 1, dst = !src;

	starter_add(gathering->starter, &(struct starter_flow){
		.src = key->addr[src], .dst = key->addr[dst], .proto = key->proto,
		.src_container = container_of(gathering->daemon, &flow->end[src]),
		.dst_container = container_of(gathering->daemon, &flow->end[dst]),
		.src_port = ntohs(key->port_be[src]), .dst_port = ntohs(key->port_be[dst]),
	});
}

int report_init(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;
	_cleanup_free_ struct dnet_addr *addresses = calloc(daemon->address_count + 1, sizeof(*addresses));
	_cleanup_free_ char *text = NULL;
	struct starter_world world = { .inventory = daemon->inventory, .host_addresses = addresses,
				       .host_address_count = daemon->address_count, .resolvers = daemon->resolvers.addresses, .resolver_count = daemon->resolvers.count };
	struct starter *starter;

	(void)request;
	if (!daemon->inventory)
		return error_set(error, -EBUSY, "the containers are not known yet; try again in a moment");
	for (size_t i = 0; addresses && i < daemon->address_count; i++)
		addresses[i] = daemon->addresses[i].addr;
	starter = addresses ? starter_new(&world) : NULL;
	if (starter) {
		flows_for_each(daemon, gather, &(struct gathering){ daemon, starter });
		text = starter_text(starter);
		starter_free(starter);
	}
	*ret = text ? json_pack("{s:s}", "text", text) : NULL;
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}
