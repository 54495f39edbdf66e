/* SPDX-License-Identifier: GPL-2.0 */
/* Packets for a world: half of their addresses and ports stand in its policy, or beside what stands there. */
#include "generate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* --- what stands in the policy */

static bool add_address(struct packet_source *source, const struct dnet_addr *addr)
{
	if (source->address_count == source->address_room) {
		size_t room = source->address_room ? 2 * source->address_room : 256;
		struct dnet_addr *grown = reallocarray(source->addresses, room, sizeof(*grown));

		if (!grown)
			return false;
		source->addresses = grown;
		source->address_room = room;
	}
	source->addresses[source->address_count++] = *addr;
	return true;
}

/* The next address, or the one before; wraps. */
static struct dnet_addr beside(struct dnet_addr addr, int step)
{
	for (int i = 15; i >= 0; i--) {
		addr.byte[i] = (uint8_t)(addr.byte[i] + step);
		if (addr.byte[i] != (step > 0 ? 0 : 0xff))
			break;
	}
	return addr;
}

/* The first and last address of a prefix, and their neighbours. */
static bool add_prefix(struct packet_source *source, const struct dnet_addr *prefix, unsigned int prefix_len)
{
	struct dnet_addr last = *prefix, before = beside(*prefix, -1), after;

	for (unsigned int bit = prefix_len; bit < 128; bit++)
		last.byte[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	after = beside(last, 1);
	return add_address(source, prefix) && add_address(source, &last) && add_address(source, &before) && add_address(source, &after);
}

static bool add_text(struct packet_source *source, const char *text)
{
	struct dnet_addr prefix;
	unsigned int prefix_len;
	bool host_bits;

	return text_parse_prefix(text, &prefix, &prefix_len, &host_bits) == 0 && add_prefix(source, &prefix, prefix_len);
}

static bool add_selector(struct packet_source *source, uint32_t selector)
{
	if (source->selector_count == source->selector_room) {
		size_t room = source->selector_room ? 2 * source->selector_room : 256;
		uint32_t *grown = reallocarray(source->selectors, room, sizeof(*grown));

		if (!grown)
			return false;
		source->selectors = grown;
		source->selector_room = room;
	}
	source->selectors[source->selector_count++] = selector & DNET_SELECTOR_MAX;
	return true;
}

static bool add_rule(struct packet_source *source, const struct rule *rule)
{
	for (size_t i = 0; i < rule->match_count; i++) {
		uint32_t first = rule->matches[i].first, last = rule->matches[i].last;

		if (first == 0 && last == DNET_SELECTOR_MAX)
			continue;
		if (!add_selector(source, first) || !add_selector(source, last) || !add_selector(source, (first + last) / 2) ||
		    !add_selector(source, last) || !add_selector(source, first - 1) || !add_selector(source, last + 1))
			return false;
	}
	for (size_t i = 0; i < rule->peer_count; i++)
		if (rule->peers[i].kind == PEER_PREFIX && !add_prefix(source, &rule->peers[i].prefix, rule->peers[i].prefix_len))
			return false;
	return true;
}

static bool add_policy(struct packet_source *source, const struct policy *policy)
{
	for (enum dnet_direction direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (size_t i = 0; i < policy->direction[direction].count; i++)
			if (!add_rule(source, &policy->direction[direction].rules[i]))
				return false;
	return true;
}

/* Places that rules name by a word: lan, internet, metadata, and what is none of them. */
static const char *const places[] = {
	"10.1.2.3", "10.78.0.1", "172.16.0.0/12", "192.168.1.1", "100.128.0.1", "169.254.3.4", "fc00::/7", "fe80::1234", "8.8.8.8", "1.1.1.1",
	"2a00:1450::1", "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "192.0.0.9",
	"192.0.0.0/24", "198.51.100.7", "203.0.113.0/24", "240.0.0.1", "2001:db8::77", "2001:2::1", "2001:4:112::1", "64:ff9b::808:808",
	"64:ff9b:1::1", "2001:20::1", "100::1", "3fff::1", "192.31.196.1", "198.18.0.0/15",
};

bool packet_source_begin(struct packet_source *source, const struct reference_world *world)
{
	const struct policy_set *policies = world->policies;
	bool good = add_policy(source, &policies->host);

	source->world = world;
	for (size_t i = 0; i < policies->policy_count; i++)
		good = good && add_policy(source, &policies->policies[i]);
	for (size_t i = 0; i < world->endpoint_count; i++)
		good = good && add_policy(source, &world->endpoints[i].labels->policy);
	for (size_t i = 0; i < policies->set_count; i++)
		for (size_t j = 0; j < policies->sets[i].prefix_count; j++)
			good = good && add_prefix(source, &policies->sets[i].prefixes[j].addr, policies->sets[i].prefixes[j].prefix_len);
	for (size_t i = 0; i < COUNT(places); i++)
		good = good && add_text(source, places[i]);
	return good;
}

void packet_source_end(struct packet_source *source)
{
	free(source->addresses);
	free(source->selectors);
	memset(source, 0, sizeof(*source));
}

/* --- protocol */

/* Has it an identifier? */
static bool is_paired(uint8_t proto, uint8_t type)
{
	return proto == IPPROTO_ICMP ? type == 0 || type == 8 || (type >= 13 && type <= 18) : type == 128 || type == 129;
}

/* Address resolution, errors about other packets, routers' messages, and extension headers are other paths than a
 * new flow's; of the answers tests/packet knows echo replies alone. */
static bool is_question(bool v6, uint8_t proto, uint8_t type)
{
	static const uint8_t extensions[] = { 0, 43, 44, 51, 59, 60, 135, 139, 140, 253, 254 };

	if (proto == (v6 ? IPPROTO_ICMP : IPPROTO_ICMPV6) || proto == IPPROTO_IGMP)
		return false;
	if (proto == IPPROTO_ICMP)
		return type != 3 && type != 4 && type != 5 && (type < 9 || type > 12) && type != 14 && type != 16 && type != 18 && type != 129;
	if (proto == IPPROTO_ICMPV6)
		return type >= 128 && (type < 130 || type > 153 || type == 139 || type == 140);
	return !v6 || !memchr(extensions, proto, sizeof(extensions));
}

static void choose_protocol(struct random *random, const struct packet_source *source, bool v6, struct reference_packet *packet)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, IPPROTO_ICMPV6, 47, 103 };

	do {
		uint32_t selector;

		if (source->selector_count && random_chance(random, 75))
			selector = source->selectors[random_below(random, (uint32_t)source->selector_count)];
		else
			selector = DNET_SELECTOR(random_pick(random, protocols), random_below(random, 65536));
		packet->proto = (uint8_t)(selector >> 16);
		packet->src_port = packet->dst_port = 0;
		packet->type = packet->code = 0;
		if (packet->proto == IPPROTO_TCP || packet->proto == IPPROTO_UDP || packet->proto == IPPROTO_SCTP) {
			packet->dst_port = (uint16_t)selector;
			packet->src_port = (uint16_t)(1024 + random_below(random, 60000));
		} else if (packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6) {
			packet->type = (uint8_t)(selector >> 8);
			packet->code = (uint8_t)selector;
		}
	} while (!is_question(v6, packet->proto, packet->type));
}

/* --- addresses */

static const struct dnet_addr *own_address(const struct reference_endpoint *endpoint, bool v6)
{
	for (size_t i = 0; i < endpoint->attachment->address_count; i++)
		if (addr_is_v4(&endpoint->attachment->addresses[i]) != v6)
			return &endpoint->attachment->addresses[i];
	return NULL;
}

/* Can somebody have it? And nobody has 127.0.0.0/8, ::, ::1 or the like on a wire. 192.88.99.0/24, 2001::/32, 2001:10::/28 and
 * 2002::/16 are deprecated, and the registries do not say whether they are reachable. */
static bool is_likely(const struct dnet_addr *addr, bool group_too)
{
	static const char *const never[] = { "0.0.0.0/8", "127.0.0.0/8", "::/16", "192.88.99.0/24", "2001::/32", "2001:10::/28", "2002::/16" };
	bool group = reference_is_group(addr);

	for (size_t i = 0; i < COUNT(never); i++) {
		struct dnet_addr prefix;
		unsigned int prefix_len;
		bool host_bits;

		if (text_parse_prefix(never[i], &prefix, &prefix_len, &host_bits) == 0 && reference_holds(&prefix, prefix_len, addr))
			return false;
	}
	return group_too || !group;
}

static void random_address(struct random *random, bool v6, struct dnet_addr *ret)
{
	*ret = (struct dnet_addr){ .byte = { [10] = 0xff, [11] = 0xff } };
	for (int i = v6 ? 0 : 12; i < 16; i++)
		ret->byte[i] = (uint8_t)random_below(random, 256);
	if (v6)
		ret->byte[0] = 0x20 | (ret->byte[0] & 0x1f);
}

/* Something of that family, which the policy may know. */
static void known_address(struct random *random, const struct packet_source *source, bool v6, bool group_too, struct dnet_addr *ret)
{
	for (int i = 0; i < 40; i++) {
		const struct dnet_addr *addr = &source->addresses[random_below(random, (uint32_t)source->address_count)];

		if (addr_is_v4(addr) != v6 && is_likely(addr, group_too)) {
			*ret = *addr;
			return;
		}
	}
	do
		random_address(random, v6, ret);
	while (!is_likely(ret, group_too));
}

static bool network_address(struct random *random, bool v6, struct dnet_addr *ret)
{
	const struct generate_network *network = &generate_networks[random_below(random, GENERATE_NETWORKS)];
	char text[64];

	if (random_chance(random, 30))
		return text_parse_addr(v6 ? network->gateway_v6 : network->gateway_v4, ret) == 0;
	snprintf(text, sizeof(text), v6 ? "%s%x" : "%s%u", v6 ? network->v6_base : network->v4_base, 8 + random_below(random, 30));
	return text_parse_addr(text, ret) == 0;
}

static void resolver_or_known(struct random *random, const struct packet_source *source, const struct reference_endpoint *own, bool v6,
			      bool group_too, struct dnet_addr *ret)
{
	if (own->resolver_count && random_chance(random, 12)) {
		const struct dnet_addr *addr = &own->resolvers[random_below(random, (uint32_t)own->resolver_count)];

		if (addr_is_v4(addr) != v6 && is_likely(addr, group_too)) {
			*ret = *addr;
			return;
		}
	}
	known_address(random, source, v6, group_too, ret);
}

static size_t other_endpoint(struct random *random, const struct packet_source *source, const struct network *network, size_t own)
{
	size_t start = random_below(random, (uint32_t)source->world->endpoint_count);

	for (size_t i = 0; i < source->world->endpoint_count; i++) {
		size_t at = (start + i) % source->world->endpoint_count;

		if (source->world->endpoints[at].network == network && source->world->endpoints[at].container != source->world->endpoints[own].container)
			return at;
	}
	return SIZE_MAX;
}

static void address_of_endpoint(struct random *random, const struct packet_source *source, size_t endpoint, bool v6, struct dnet_addr *ret)
{
	const struct dnet_addr *addr = endpoint == SIZE_MAX ? NULL : own_address(&source->world->endpoints[endpoint], v6);

	if (addr)
		*ret = *addr;
	else
		known_address(random, source, v6, false, ret);
}

static void choose_origin(struct random *random, const struct packet_source *source, bool v6, struct reference_packet *packet)
{
	static const char *const groups[2][3] = { { "224.0.0.251", "255.255.255.255", "239.255.0.1" }, { "ff02::fb", "ff02::1", "ff3e::1" } };
	const struct reference_world *world = source->world;
	const struct reference_endpoint *own = &world->endpoints[packet->endpoint];

	packet->origin = (enum reference_origin)random_below(random, ORIGIN_COUNT);
	if (random_chance(random, 30))
		packet->origin = ORIGIN_OUTSIDE;
	known_address(random, source, v6, false, &packet->src);
	switch (packet->origin) {
	case ORIGIN_HOST:
		if (random_chance(random, 80) && world->host_address_count)
			for (int i = 0; i < 20; i++) {
				packet->src = world->host_addresses[random_below(random, (uint32_t)world->host_address_count)];
				if (addr_is_v4(&packet->src) != v6)
					break;
				known_address(random, source, v6, false, &packet->src);
			}
		break;
	case ORIGIN_PORT:
		packet->from = other_endpoint(random, source, own->network, packet->endpoint);
		if (packet->from == SIZE_MAX)
			packet->origin = ORIGIN_STRANGER;
		else if (random_chance(random, 90))
			address_of_endpoint(random, source, packet->from, v6, &packet->src);
		break;
	case ORIGIN_BRIDGE:
		packet->from = random_below(random, (uint32_t)world->inventory->network_count);
		if (random_chance(random, 80)) {
			const struct network *network = &world->inventory->networks[packet->from];

			/* Sometimes the address of somebody who is not there. */
			if (random_chance(random, 10))
				network = &world->inventory->networks[random_below(random, (uint32_t)world->inventory->network_count)];
			address_of_endpoint(random, source, other_endpoint(random, source, network, packet->endpoint), v6, &packet->src);
		}
		break;
	case ORIGIN_OUTSIDE:
		packet->interface = random_chance(random, 70) ? GENERATE_UPLINK : GENERATE_TUNNEL;
		if (random_chance(random, 10))
			network_address(random, v6, &packet->src);
		else
			resolver_or_known(random, source, own, v6, false, &packet->src);
		break;
	default:
		break;
	}
	if (random_chance(random, 6))
		text_parse_addr(groups[v6][random_below(random, 3)], &packet->dst);
}

static void choose_target(struct random *random, const struct packet_source *source, bool v6, struct reference_packet *packet)
{
	const struct reference_world *world = source->world;
	const struct reference_endpoint *own = &world->endpoints[packet->endpoint];
	uint32_t kind = random_below(random, 100);

	if (kind < 35)
		address_of_endpoint(random, source, other_endpoint(random, source, own->network, packet->endpoint), v6, &packet->dst);
	else if (kind < 50)
		address_of_endpoint(random, source,
				    other_endpoint(random, source, world->endpoints[random_below(random, (uint32_t)world->endpoint_count)].network,
						   packet->endpoint), v6, &packet->dst);
	else if (kind < 60)
		network_address(random, v6, &packet->dst);
	else
		resolver_or_known(random, source, own, v6, true, &packet->dst);
}

/* To itself nobody sends by a wire. */
static bool is_own(const struct reference_world *world, const struct container *container, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < world->endpoint_count; i++)
		for (size_t j = 0; world->endpoints[i].container == container && j < world->endpoints[i].attachment->address_count; j++)
			if (addr_equal(&world->endpoints[i].attachment->addresses[j], addr))
				return true;
	return false;
}

bool generate_packet(struct random *random, const struct packet_source *source, struct reference_packet *ret)
{
	const struct reference_world *world = source->world;
	const struct reference_endpoint *own;
	const struct dnet_addr *addr;
	bool v6, ingress;

	if (!world->endpoint_count || !source->address_count)
		return false;
	do {
		*ret = (struct reference_packet){ .endpoint = random_below(random, (uint32_t)world->endpoint_count) };
		own = &world->endpoints[ret->endpoint];
		v6 = random_chance(random, 40) && own_address(own, true);
		addr = own_address(own, v6);
		ingress = random_chance(random, 50);
		ret->direction = ingress ? DNET_INGRESS : DNET_EGRESS;
		*(ingress ? &ret->dst : &ret->src) = *addr;
		choose_protocol(random, source, v6, ret);
		if (ingress)
			choose_origin(random, source, v6, ret);
		else
			choose_target(random, source, v6, ret);
	} while (is_own(world, own->container, ingress ? &ret->src : &ret->dst));
	return true;
}

const char *packet_text(const struct reference_packet *packet, char *buffer)
{
	char src[TEXT_ADDR_SIZE], dst[TEXT_ADDR_SIZE];
	bool v6 = !addr_is_v4(&packet->src);
	bool ports = packet->proto == IPPROTO_TCP || packet->proto == IPPROTO_UDP || packet->proto == IPPROTO_SCTP;
	int at;

	text_addr(&packet->src, src);
	text_addr(&packet->dst, dst);
	if (!ports)
		at = snprintf(buffer, PACKET_TEXT_SIZE, "%s -> %s ", src, dst);
	else
		at = snprintf(buffer, PACKET_TEXT_SIZE, v6 ? "[%s]:%u -> [%s]:%u " : "%s:%u -> %s:%u ", src, packet->src_port, dst, packet->dst_port);
	if (packet->proto == IPPROTO_TCP)
		snprintf(buffer + at, (size_t)(PACKET_TEXT_SIZE - at), "tcp S");
	else if (ports)
		snprintf(buffer + at, (size_t)(PACKET_TEXT_SIZE - at), packet->proto == IPPROTO_UDP ? "udp" : "sctp");
	else if (packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6)
		snprintf(buffer + at, (size_t)(PACKET_TEXT_SIZE - at), "%s %u/%u%s", v6 ? "icmp6" : "icmp", packet->type, packet->code,
			 is_paired(packet->proto, packet->type) ? " id 7" : "");
	else
		snprintf(buffer + at, (size_t)(PACKET_TEXT_SIZE - at), "proto %u len 20", packet->proto);
	return buffer;
}
