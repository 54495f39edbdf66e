/* SPDX-License-Identifier: GPL-2.0 */
/* From names to addresses: which packets a text can mean. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"
#include "explain/world.h"

#define MAX_CHOICES 32	/* of one side */

enum family { V4, V6, FAMILIES };

/* What a side can be. An address that depends on the family, or on the other side, is found later. */
struct choice {
	enum explain_side_kind kind;
	const struct explain_end *end;
	const struct container *named;
};

struct choices {
	const struct packet_side *text;
	struct choice list[MAX_CHOICES];
	size_t count;
};

static void add(struct choices *choices, struct choice choice)
{
	if (choices->count < MAX_CHOICES)
		choices->list[choices->count++] = choice;
}

/* Returns whether the container takes part at all. */
static bool add_container(const struct explain_world *world, const struct container *container, struct choices *choices)
{
	const char *mode = container->network_mode ? container->network_mode : "", *id = container->id;
	size_t before = choices->count;

	if (strcmp(mode, "host") == 0) {
		add(choices, (struct choice){ .kind = EXPLAIN_HOST, .named = container });
		return true;
	}
	if (strncmp(mode, "container:", 10) == 0)
		id = mode + 10;
	for (size_t i = 0; i < world->end_count; i++)
		if (strcmp(world->ends[i].compile.container->id, id) == 0)
			add(choices, (struct choice){ EXPLAIN_END, &world->ends[i], container });
	return choices->count > before;
}

static bool is_service(const struct container *container, const struct packet_side *side)
{
	return container->service && strcmp(container->service, side->name) == 0 &&
	       (!*side->project || (container->project && strcmp(container->project, side->project) == 0));
}

static int unknown_name(const struct explain_world *world, const struct packet_side *side, struct error *error)
{
	char written[CONTAINER_SERVICE_SIZE], service[CONTAINER_SERVICE_SIZE];
	struct suggestion suggestion;

	snprintf(written, sizeof(written), "%s%s%s", side->project, *side->project ? "/" : "", side->name);
	suggest_begin(&suggestion, word_of(written));
	for (size_t i = 0; i < world->inventory->container_count; i++) {
		const struct container *container = &world->inventory->containers[i];

		if (side->kind == PACKET_SIDE_NAME)
			suggest_offer(&suggestion, container->name);
		if (container->service && (side->kind == PACKET_SIDE_NAME || !*side->project))
			suggest_offer(&suggestion, container->service);
		if (container->service && container->project && *side->project && !suggestion.best) {
			/* Its text is cut off here, so that it may live in this buffer. */
			suggest_offer(&suggestion, container_service(container, service));
			if (suggestion.best)
				return packet_side_error(error, side, "there is no service \"%s\"; did you mean \"%s\"?",
							 written, service);
		}
	}
	return packet_side_error(error, side, "there is no %s \"%s\"%s",
				 side->kind == PACKET_SIDE_SERVICE ? "service" : "container or service", written,
				 suggest_end(&suggestion, ""));
}

static int find_named(const struct explain_world *world, const struct packet_side *side, struct choices *choices, struct error *error)
{
	const struct container *container = side->kind != PACKET_SIDE_NAME ? NULL :
					    inventory_container_named(world->inventory, side->name);
	const struct container *found = container;

	if (container)
		add_container(world, container, choices);
	for (size_t i = 0; !container && i < world->inventory->container_count; i++)
		if (is_service(&world->inventory->containers[i], side)) {
			found = &world->inventory->containers[i];
			add_container(world, found, choices);
		}
	if (!found)
		return unknown_name(world, side, error);
	if (choices->count)
		return 0;
	if (found->network_mode && strcmp(found->network_mode, "none") == 0)
		return packet_side_error(error, side, "%s has no network: nothing reaches it, and it reaches nothing", found->name);
	return packet_side_error(error, side, "%s has no interface that dnetbpf knows: %s", found->name,
				 found->state == CONTAINER_RUNNING ? "`dnetbpf ps` says why" : "it is not running");
}

static int find_choices(const struct explain_world *world, const struct packet_side *side, struct choices *choices, struct error *error)
{
	struct explain_side literal = {};

	*choices = (struct choices){ .text = side };
	switch (side->kind) {
	case PACKET_SIDE_HOST:
		add(choices, (struct choice){ .kind = EXPLAIN_HOST });
		return 0;
	case PACKET_SIDE_OUTSIDE:
	case PACKET_SIDE_LAN:
		add(choices, (struct choice){ .kind = EXPLAIN_OUTSIDE });
		return 0;
	case PACKET_SIDE_ADDRESS:
		explain_classify(world, &side->addr, NULL, &literal);
		add(choices, (struct choice){ literal.kind, literal.end, literal.end ? literal.end->compile.container : NULL });
		return 0;
	case PACKET_SIDE_NAME:
	case PACKET_SIDE_SERVICE:
		break;
	}
	return find_named(world, side, choices, error);
}

static enum family family_of(const struct dnet_addr *addr)
{
	return addr_is_v4(addr) ? V4 : V6;
}

static bool usable_outside(const struct explain_world *world, const char *text, struct dnet_addr *ret)
{
	return text_parse_addr(text, ret) == 0 && !explain_network_of(world, ret) && !explain_is_host(world, ret);
}

/* Addresses that stand for somebody out there: of www.example.com, which is globally reachable as documentation prefixes are
 * not, and of networks at home. */
static bool outside_address(const struct explain_world *world, enum family family, bool lan, struct dnet_addr *ret)
{
	static const char *const texts[FAMILIES][2][3] = {
		[V4] = { { "93.184.216.34", "1.0.0.1", "9.9.9.9" }, { "192.168.0.10", "10.0.0.10", "172.16.0.10" } },
		[V6] = { { "2606:2800:220:1::34", "2620:fe::9", "2620:fe::fe" }, { "fd00::10", "fd11::10", "fd22::10" } },
	};

	for (size_t i = 0; i < 3; i++)
		if (usable_outside(world, texts[family][lan][i], ret))
			return true;
	return false;
}

/* Where a container of that network meets the host: its gateway; else any address of the host. */
static bool host_address(const struct explain_world *world, enum family family, const struct explain_end *other, struct dnet_addr *ret)
{
	const struct network *network = other ? other->compile.network : NULL;

	for (size_t i = 0; network && i < world->host_address_count; i++)
		for (size_t j = 0; j < network->subnet_count; j++)
			if (family_of(&world->host_addresses[i]) == family &&
			    addr_in_prefix(&world->host_addresses[i], &network->subnets[j].addr, network->subnets[j].prefix_len)) {
				*ret = world->host_addresses[i];
				return true;
			}
	for (size_t i = 0; i < world->host_address_count; i++) {
		const struct dnet_addr *addr = &world->host_addresses[i];

		if (family_of(addr) == family && !(family == V4 && addr->byte[12] == 127) &&
		    !(family == V6 && (addr->byte[0] == 0xfe || !addr->byte[0]))) {
			*ret = *addr;
			return true;
		}
	}
	return false;
}

/* Give a choice its address. */
static bool settle(const struct explain_world *world, const struct choices *choices, const struct choice *choice, enum family family,
		   const struct explain_end *other, struct explain_side *ret)
{
	const struct packet_side *text = choices->text;

	*ret = (struct explain_side){ .kind = choice->kind, .end = choice->end, .named = choice->named, .port = text->port };
	if (text->kind == PACKET_SIDE_ADDRESS) {
		/* Some end's address may be another's on the network of the other side. */
		explain_classify(world, &text->addr, other ? other->compile.network : NULL, ret);
		ret->named = ret->end ? ret->end->compile.container : NULL;
		return family_of(&text->addr) == family;
	}
	switch (choice->kind) {
	case EXPLAIN_END:
		ret->network = choice->end->compile.network;
		for (size_t i = 0; i < choice->end->address_count; i++)
			if (family_of(&choice->end->addresses[i]) == family) {
				ret->addr = choice->end->addresses[i];
				return true;
			}
		return false;
	case EXPLAIN_HOST:
		return host_address(world, family, other, &ret->addr);
	case EXPLAIN_OUTSIDE:
		return outside_address(world, family, text->kind == PACKET_SIDE_LAN, &ret->addr);
	case EXPLAIN_GROUP:
	case EXPLAIN_STRANGER:
		break;
	}
	return false;
}

struct search {
	const struct explain_world *world;
	const struct packet_text *text;
	struct choices src, dst;
	bool ends, self, shared;	/* seen: a container's interface, the same one twice, two on one network */
	struct explain_packet *packets;
	size_t count;
};

static void pair(struct search *search, const struct choice *src, const struct choice *dst, enum family family, bool shared)
{
	struct explain_packet packet = { .proto = search->text->proto, .icmp_type = search->text->icmp_type,
					 .icmp_code = search->text->icmp_code };
	bool between;

	search->ends = search->ends || src->end || dst->end;
	if (search->count == EXPLAIN_MAX_PACKETS || (!src->end && !dst->end) ||
	    !settle(search->world, &search->src, src, family, dst->end, &packet.src) ||
	    !settle(search->world, &search->dst, dst, family, src->end, &packet.dst))
		return;
	if (packet.src.end && packet.dst.end && packet.src.end->compile.container == packet.dst.end->compile.container) {
		search->self = true;
		return;
	}
	/* Who stands outside of all networks is met in the first round. */
	between = packet.src.network && packet.dst.network;
	if (between ? (packet.src.network == packet.dst.network) != shared : !shared)
		return;
	search->shared = search->shared || (between && shared);
	search->packets[search->count++] = packet;
}

static void pair_all(struct search *search, bool shared)
{
	uint8_t proto = search->text->proto;

	for (int family = V4; family < FAMILIES; family++) {
		if ((proto == IPPROTO_ICMP && family == V6) || (proto == IPPROTO_ICMPV6 && family == V4))
			continue;
		for (size_t i = 0; i < search->src.count; i++)
			for (size_t j = 0; j < search->dst.count; j++)
				pair(search, &search->src.list[i], &search->dst.list[j], (enum family)family, shared);
	}
}

/* Docker's port forwarding is what a question about the host may really be about. */
static const char *forwarding_hint(const struct search *search, char *buffer, size_t size)
{
	const struct packet_text *text = search->text;
	const struct inventory *inventory = search->world->inventory;

	buffer[0] = '\0';
	for (size_t i = 0; i < inventory->container_count; i++)
		for (size_t j = 0; j < inventory->containers[i].port_count; j++) {
			const struct published_port *port = &inventory->containers[i].ports[j];

			if (search->dst.list[0].kind == EXPLAIN_HOST && port->proto == text->proto &&
			    port->host_port == text->dst.port) {
				snprintf(buffer, size, "; port %u of this host is published for %s: ask about %s:%u", port->host_port,
					 inventory->containers[i].name, inventory->containers[i].name, port->port);
				return buffer;
			}
		}
	return buffer;
}

static int nothing_found(const struct search *search, struct error *error)
{
	const struct packet_text *text = search->text;
	char hint[160];

	if (search->self)
		return packet_side_error(error, &text->dst, "both sides are the same container: what it sends to itself never "
					 "leaves it, and nothing judges it");
	if (!search->ends)
		return packet_side_error(error, &text->src, "neither side is a container that dnetbpf knows: one of them must "
					 "be the name or an address of a container%s", forwarding_hint(search, hint, sizeof(hint)));
	if (text->proto == IPPROTO_ICMP || text->proto == IPPROTO_ICMPV6)
		return packet_side_error(error, &text->src, text->proto == IPPROTO_ICMP ?
					 "icmp needs IPv4 addresses on both sides; IPv6 has icmpv6" :
					 "icmpv6 needs IPv6 addresses on both sides; IPv4 has icmp");
	return packet_side_error(error, &text->dst, "the two sides have no addresses of the same family (IPv4, IPv6)");
}

int explain_resolve(const struct explain_world *world, const struct packet_text *text,
		    struct explain_packet ret[EXPLAIN_MAX_PACKETS], size_t *ret_count, struct error *error)
{
	struct search search = { .world = world, .text = text, .packets = ret };
	int r;

	r = find_choices(world, &text->src, &search.src, error);
	if (r == 0)
		r = find_choices(world, &text->dst, &search.dst, error);
	if (r < 0)
		return r;
	pair_all(&search, true);
	/* On a network that both share they talk over that one, whatever others there are. */
	if (!search.shared)
		pair_all(&search, false);
	if (!search.count)
		return nothing_found(&search, error);
	*ret_count = search.count;
	return 0;
}
