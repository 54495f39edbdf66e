/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens to a packet besides our verdict: Docker's own rules, before or after us, as far as the inventory shows them; and
 * what makes the question another one than was meant.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "compile/limits.h"
#include "explain/explanation.h"

static void note(json_t *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(json_t *notes, const char *format, ...)
{
	char sentence[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	json_array_append_new(notes, json_string(sentence));
}

static const char *name_of(const struct explain_side *side)
{
	return side->end->compile.container->name;
}

/* How @side became what it is. */
static void note_side(const struct explain_world *world, const struct explain_side *side, json_t *notes)
{
	const char *mode = side->named && side->named->network_mode ? side->named->network_mode : "";
	char addr[TEXT_ADDR_SIZE];

	if (side->named && side->kind == EXPLAIN_HOST)
		note(notes, "%s uses the host's network: its traffic is the host's own, and no policy of it can hold.",
		     side->named->name);
	else if (side->named && strncmp(mode, "container:", 10) == 0 && side->end)
		note(notes, "%s shares the network of %s, whose policy holds for both.", side->named->name, name_of(side));
	if (side->kind == EXPLAIN_STRANGER)
		note(notes, "%s is in the network %s, but no container that is known has it.%s", text_addr(&side->addr, addr),
		     side->network->name, world->policies->unknown_deny ? " defaults.unknown: deny holds for what it sends." : "");
}

static const struct published_port *published(const struct container *container, const struct explain_packet *packet)
{
	for (size_t i = 0; i < container->port_count; i++)
		if (container->ports[i].proto == packet->proto && container->ports[i].port == packet->dst.port)
			return &container->ports[i];
	return NULL;
}

static void note_from_outside(const struct explain_world *world, const struct explain_packet *packet, json_t *notes)
{
	const struct container *container = packet->dst.end->compile.container;
	const struct network *network = packet->dst.network;
	const struct published_port *port = published(container, packet);

	if (network->internal) {
		note(notes, "The network %s is internal: Docker drops what comes from outside, whatever the policy says.",
		     network->name);
		return;
	}
	/* A static inventory without ports says nothing about them. */
	if (!packet_has_ports(packet->proto) || (!world->docker && !container->port_count))
		return;
	if (port)
		note(notes, "Port %u is published: clients reach it by port %u of this host, and the policy sees their own addresses.",
		     packet->dst.port, port->host_port);
	else
		note(notes, "Port %u of %s is not published: Docker 28 and newer drop what comes for it from outside; older "
		     "versions forward it if somebody routes it here.", packet->dst.port, container->name);
}

/* Docker forwards a published port of the host to a container: by a proxy, if the sender is a container. */
static void note_to_host(const struct explain_world *world, const struct explain_packet *packet, json_t *notes)
{
	for (size_t i = 0; i < world->inventory->container_count; i++) {
		const struct container *container = &world->inventory->containers[i];

		for (size_t j = 0; j < container->port_count; j++) {
			const struct published_port *port = &container->ports[j];

			if (port->proto != packet->proto || port->host_port != packet->dst.port)
				continue;
			note(notes, "Port %u of this host is published for %s: Docker's userland proxy answers, and %s sees "
			     "the gateway of its network, which is `host`, as the sender. Ask about %s:%u for the way between "
			     "the two containers.", port->host_port,
			     container->name, container->name, container->name, port->port);
			return;
		}
	}
}

/* Peers whose meaning the files alone do not tell. */
static void note_unknown_offline(const struct explain_world *world, const struct explain_packet *packet, const struct explain_end *end,
				 enum dnet_direction direction, json_t *notes)
{
	bool interface = false, dns = false, limits = false, bans = false;

	for (unsigned int layer = 0; layer < DNET_LAYERS; layer++) {
		const struct listed_rule *rules;
		size_t count = compiler_rules(world->compiler, end->verdict->ruleset[direction][layer], &rules);

		for (size_t i = 0; i < count; i++) {
			limits = limits || rules[i].rule->limit_count;
			bans = bans || rule_bans(rules[i].rule);
			for (size_t j = 0; j < rules[i].rule->peer_count; j++) {
				interface = interface || rules[i].rule->peers[j].kind == PEER_INTERFACE;
				dns = dns || rules[i].rule->peers[j].kind == PEER_DNS;
			}
		}
	}
	if (limits)
		note(notes, "%s has rules with limits, whose state nobody knows offline: the answer is that for a packet within them%s.",
		     end->compile.container->name, bans ? ", of somebody who is not banned" : "");
	if (interface && packet->src.kind == EXPLAIN_OUTSIDE)
		note(notes, "%s has rules with iface:, which cannot be asked offline: they count as not matching.",
		     end->compile.container->name);
	if (dns && packet->dst.port == 53 && !end->compile.resolver_count)
		note(notes, "%s has rules with dns, and the inventory gives it no resolvers: they count as not matching.",
		     end->compile.container->name);
}

void explain_notes(const struct explain_world *world, const struct explain_packet *packet, json_t *notes)
{
	const struct explain_side *src = &packet->src, *dst = &packet->dst;

	note_side(world, src, notes);
	note_side(world, dst, notes);
	if (src->end && dst->end && src->network != dst->network)
		note(notes, "%s and %s share no network: Docker isolates %s from %s and drops this, whatever the policy says.",
		     name_of(src), name_of(dst), src->network->name, dst->network->name);
	if (src->kind == EXPLAIN_OUTSIDE && dst->end)
		note_from_outside(world, packet, notes);
	if (src->end && dst->kind == EXPLAIN_OUTSIDE && src->network->internal)
		note(notes, "The network %s is internal: Docker lets nothing out of it, whatever the policy says.", src->network->name);
	if (src->end && dst->kind == EXPLAIN_HOST)
		note_to_host(world, packet, notes);
	if (src->end && dst->kind == EXPLAIN_GROUP)
		note(notes, "It is addressed to a group: every container of the network %s that it reaches judges it by its "
		     "own ingress rules.",
		     src->network->name);
	if (world->offline && src->end)
		note_unknown_offline(world, packet, src->end, DNET_EGRESS, notes);
	if (world->offline && dst->end)
		note_unknown_offline(world, packet, dst->end, DNET_INGRESS, notes);
}
