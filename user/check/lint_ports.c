/* SPDX-License-Identifier: GPL-2.0 */
/* Published ports, and the families of addresses that a container has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "check/private.h"
#include "compile/select.h"

static bool is_loopback(const struct dnet_addr *addr)
{
	static const struct dnet_addr loopback = { .byte = { [15] = 1 } };

	return addr_is_v4(addr) ? addr->byte[12] == 127 : addr_equal(addr, &loopback);
}

/* --- the host's port instead of the container's */

/* The published port whose number on the host the rule has where the container's is meant. */
static const struct published_port *mistaken_port(const struct rule *rule, const struct container *container)
{
	for (size_t i = 0; i < container->port_count; i++) {
		const struct published_port *port = &container->ports[i];
		bool inside = false;

		for (size_t j = 0; j < container->port_count; j++)
			inside = inside || (container->ports[j].proto == port->proto && container->ports[j].port == port->host_port);
		if (!inside && port->host_port != port->port && rule_names_port(rule, port->proto, port->host_port))
			return port;
	}
	return NULL;
}

static bool rule_names_endpoint(const struct scene *scene, const struct rule *rule, const struct compile_endpoint *endpoint)
{
	for (size_t i = 0; i < rule->peer_count; i++) {
		if (!peer_is_name(&rule->peers[i]))
			continue;
		for (size_t j = 0; j < (peer_needs_project(&rule->peers[i]) ? scene->selected_count : 1); j++)
			if (peer_names_endpoint(&rule->peers[i], scene->selected_count ? scene->selected[j]->container->project : NULL, endpoint))
				return true;
	}
	return false;
}

/* The ports of a rule are those of whoever is talked to: the container's own, or in egress rules the other one's. */
static bool concerns(const struct scene *scene, const struct lint_list *list, const struct rule *rule,
		     const struct scene_container *of)
{
	if (list->direction == DNET_INGRESS)
		return true;
	for (size_t i = of->first; i < of->first + of->count; i++)
		if (rule_names_endpoint(scene, rule, &scene->endpoints[i]))
			return true;
	return false;
}

static void check_host_port(struct scene *scene, const struct lint_list *list, size_t index)
{
	const struct rule *rule = &list->rules->rules[index];
	bool ingress = list->direction == DNET_INGRESS;

	for (size_t i = 0; i < (ingress ? scene->selected_count : scene->container_count); i++) {
		const struct scene_container *of = ingress ? scene->selected[i] : &scene->containers[i];
		const struct published_port *port = of->container->port_count ? mistaken_port(rule, of->container) : NULL;
		_cleanup_free_ char *text = NULL;
		char from[8], to[8];

		if (!port || !concerns(scene, list, rule, of))
			continue;
		snprintf(from, sizeof(from), "%u", port->host_port);
		snprintf(to, sizeof(to), "%u", port->port);
		text = rule_names_port(rule, port->proto, port->port) ? NULL : fix_word(rule->text, from, to);
		lint_warn(scene->diagnostics, LINT_HOST_PORT, &rule->origin, fix_rule(list, index, text), "%s is the port of the host that "
			  "Docker forwards to port %s of %s: rules have the container's own port, %s", from, to, of->container->name, to);
		return;
	}
}

/* --- whom the userland proxy hides */

static bool network_has_v6(const struct network *network)
{
	for (size_t i = 0; i < network->subnet_count; i++)
		if (!addr_is_v4(&network->subnets[i].addr))
			return true;
	return false;
}

/* Docker asks the network's own subnets and not the container: with IPv6 on one of them DNAT reaches it. */
static bool container_has_v6(const struct scene *scene, const struct scene_container *of)
{
	for (size_t i = of->first; i < of->first + of->count; i++)
		if (network_has_v6(scene->endpoints[i].network))
			return true;
	return false;
}

/* A port that IPv6 clients from elsewhere can reach. */
static const struct published_port *v6_port(const struct rule *rule, const struct container *container)
{
	for (size_t i = 0; i < container->port_count; i++) {
		const struct published_port *port = &container->ports[i];

		if (!addr_is_v4(&port->host_addr) && !is_loopback(&port->host_addr) && rule_has_port(rule, port->proto, port->port))
			return port;
	}
	return NULL;
}

/* Does some rule let the others in by that port anyway? Then nobody is hidden. */
static bool everybody_may(const struct lint_list *list, const struct published_port *port)
{
	for (size_t i = 0; i < list->rules->count; i++) {
		const struct rule *rule = &list->rules->rules[i];

		for (size_t j = 0; j < rule->peer_count; j++)
			if (rule->action == DNET_RULE_ALLOW && (rule->peers[j].kind == PEER_ANY || rule->peers[j].kind == PEER_OUTSIDE) &&
			    rule_has_port(rule, port->proto, port->port))
				return true;
	}
	return false;
}

static void check_hidden_clients(struct scene *scene, const struct lint_list *list, size_t index)
{
	const struct rule *rule = &list->rules->rules[index];
	bool host = false;

	for (size_t i = 0; i < rule->peer_count; i++)
		host = host || rule->peers[i].kind == PEER_HOST;
	if (!host || rule->action != DNET_RULE_ALLOW || list->direction != DNET_INGRESS)
		return;
	for (size_t i = 0; i < scene->selected_count; i++) {
		const struct scene_container *of = scene->selected[i];
		const struct published_port *port = v6_port(rule, of->container);
		char proto[8] = "", *fix = NULL;

		if (!port || container_has_v6(scene, of) || everybody_may(list, port))
			continue;
		if (port->proto != 6)
			snprintf(proto, sizeof(proto), "/%s", port->proto == 17 ? "udp" : "sctp");
		if (asprintf(&fix, "ports: [\"0.0.0.0:%u:%u%s\"]", port->host_port, port->port, proto) < 0)
			fix = NULL;
		lint_warn(scene->diagnostics, LINT_HIDDEN, &rule->origin, fix, "this lets in more than the host: port %u of %s is published for "
			  "IPv6, too, and it has no IPv6 itself, so Docker's userland proxy forwards every IPv6 client, and they all seem to "
			  "be the host. Publish it for IPv4 alone, or give %s a network with IPv6, or set \"userland-proxy\": false",
			  port->port, of->container->name, of->container->name);
		return;
	}
}

void lint_ports(struct scene *scene, const struct lint_list *list, size_t index)
{
	check_host_port(scene, list, index);
	check_hidden_clients(scene, list, index);
}

/* --- IPv6 of the containers themselves */

/* Of the prefix of a network: that network. */
static const struct network *network_of(const struct scene *scene, const struct peer *peer)
{
	const struct inventory *inventory = scene->world->inventory;

	for (size_t i = 0; i < inventory->network_count; i++)
		for (size_t j = 0; j < inventory->networks[i].subnet_count; j++)
			if (inventory->networks[i].subnets[j].prefix_len == peer->prefix_len &&
			    addr_equal(&inventory->networks[i].subnets[j].addr, &peer->prefix))
				return &inventory->networks[i];
	return NULL;
}

static char *fix_family(const struct scene *scene, const struct lint_list *list, size_t index)
{
	const struct rule *rule = &list->rules->rules[index];

	for (size_t i = 0; i < rule->peer_count; i++) {
		const struct network *network = network_of(scene, &rule->peers[i]);
		_cleanup_free_ char *text = NULL;
		char prefix[TEXT_PREFIX_SIZE], name[300];

		if (!network || !network_has_v6(network))
			continue;
		snprintf(name, sizeof(name), "network:%s", network->name);
		text = fix_word(rule->text, text_prefix(&rule->peers[i].prefix, rule->peers[i].prefix_len, prefix), name);
		return fix_rule(list, index, text);
	}
	return NULL;
}

/*
 * All that a direction allows are networks of IPv4 addresses, and the container has IPv6. Single addresses are left alone: whoever
 * names a machine by its address means that address.
 */
void lint_families(struct scene *scene, const struct lint_list *list)
{
	size_t first = list->rules->count;

	for (size_t i = 0; i < list->rules->count; i++) {
		const struct rule *rule = &list->rules->rules[i];

		for (size_t j = 0; j < rule->peer_count && rule->action == DNET_RULE_ALLOW; j++) {
			const struct peer *peer = &rule->peers[j];

			/* 0.0.0.0/0 is complained of without any container. */
			if (peer->kind != PEER_PREFIX || !addr_is_v4(&peer->prefix) || peer->prefix_len <= DNET_V4_PREFIX_OFFSET)
				return;
			if (peer->prefix_len < 128 && first == list->rules->count)
				first = i;
		}
	}
	for (size_t i = 0; first < list->rules->count && i < scene->selected_count; i++) {
		const struct scene_container *of = scene->selected[i];

		if (!container_has_v6(scene, of))
			continue;
		lint_warn(scene->diagnostics, LINT_IPV6, &list->rules->rules[first].origin, fix_family(scene, list, first), "%s has IPv6, and all "
			  "that the %s rules of %s allow are networks of IPv4 addresses: over IPv6 everything is denied; add the IPv6 prefix, or "
			  "name it by what it is, such as lan or network:", of->container->name,
			  list->direction == DNET_INGRESS ? "ingress" : "egress", list->whose);
		return;
	}
}
