/* SPDX-License-Identifier: GPL-2.0 */
/* Inventories and policy files. */
#include "generate.h"

#include <stdlib.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014): any seed will do. */
static uint64_t next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t random_below(struct random *random, uint32_t bound)
{
	return bound ? (uint32_t)((next(random) >> 32) * bound >> 32) : 0;
}

bool random_chance(struct random *random, uint32_t percent)
{
	return random_below(random, 100) < percent;
}

/* `dark` is a whole block of IANA's registry, with a metadata address inside; `ops` is part of one. */
const struct generate_network generate_networks[GENERATE_NETWORKS] = {
	{ "dmz", "198.18.0.0/24", "fd77:1::/64", "198.18.0.", "fd77:1::", "198.18.0.1", "fd77:1::1" },
	{ "ops", "10.77.0.0/16", "fd77:2::/64", "10.77.0.", "fd77:2::", "10.77.0.1", "fd77:2::1" },
	{ "lab", "198.18.3.0/24", "fd77:3::/64", "198.18.3.", "fd77:3::", "198.18.3.1", "fd77:3::1" },
	{ "dark", "100.64.0.0/10", "2001:db8:7::/48", "100.64.0.", "2001:db8:7::", "100.64.0.1", "2001:db8:7::1" },
};

static const char *const containers[] = { "web-1", "web-2", "db-1", "mill-db", "cache", "mon", "lone", "probe", "api-1", "api-2" };
static const char *const projects[] = { "shop", "mill", "watch" };
static const char *const services[] = { "web", "db", "mon" };
static const char *const images[] = { "nginx:1.27", "redis:7", "postgres:16-alpine", "registry.example/team/app:1" };

/* --- rules */

static const uint16_t ports[] = { 1, 22, 53, 80, 81, 443, 5432, 8000, 8080, 9100, 65534, 65535 };

static void put_ports(struct random *random, FILE *out)
{
	uint32_t count = 1 + (random_chance(random, 30) ? random_below(random, 3) : 0);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t port = random_pick(random, ports), last = port + random_below(random, 900);

		fprintf(out, "%s%u", i ? "," : "", port);
		if (random_chance(random, 25))
			fprintf(out, "-%u", last > 65535 ? 65535 : last);
	}
	fprintf(out, "/%s", random_chance(random, 60) ? "tcp" : random_chance(random, 65) ? "udp" : "sctp");
}

static void put_match(struct random *random, bool narrow, FILE *out)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp", "icmp", "icmpv6" };
	static const char *const types[] = { "icmp:echo-request", "icmp:echo-reply", "icmp:timestamp-request", "icmpv6:echo-request",
					     "icmpv6:echo-reply", "icmp:8", "icmp:200", "icmpv6:200" };
	static const unsigned int numbers[] = { 0, 4, 6, 17, 47, 50, 103, 132, 255 };
	uint32_t kind = random_below(random, narrow ? 70 : 100);

	if (kind < 70)
		put_ports(random, out);
	else if (kind < 84)
		fprintf(out, "%s", random_pick(random, protocols));
	else if (kind < 94)
		fprintf(out, "%s", random_pick(random, types));
	else
		fprintf(out, "proto:%u", random_pick(random, numbers));
}

static const char *const prefixes[] = {
	"192.0.2.0/24", "192.0.2.128/25", "192.0.2.7", "192.0.2.8/31", "203.0.113.0/24", "203.0.113.77", "198.18.0.0/24", "198.18.0.0/15",
	"198.18.0.11", "198.18.3.12", "10.0.0.0/8", "10.77.0.0/16", "10.77.0.10", "100.64.0.0/10", "100.64.0.12", "0.0.0.0/0", "0.0.0.0/1",
	"128.0.0.0/1", "8.8.8.0/24", "8.8.8.8", "224.0.0.0/4", "224.0.0.251", "255.255.255.255", "192.168.0.0/16", "172.16.0.0/12",
	"169.254.0.0/16", "1.0.0.0/8", "198.18.0.1",
	"::/0", "::/1", "::/64", "8000::/1", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::9", "2001:db8:1::8/125", "2001:db8:7::/48",
	"fd77::/16", "fd77:1::/64", "fd77:1::b", "fd77:2::a", "fd77:3::/125", "fc00::/7", "ff00::/8", "ff02::fb", "2a00:1450::/32",
	"fe80::/10", "fd77:1::1",
};
static const char *const sets[] = { "office", "drop", "mixed", "wide" };

/* Names that somebody has, and some that nobody has. */
static void put_glob(struct random *random, const char *name, FILE *out)
{
	size_t length = strlen(name);
	uint32_t kind = random_below(random, 10);

	if (kind < 6)
		fprintf(out, "%s", name);
	else if (kind < 8)
		fprintf(out, "%.*s*", (int)(1 + random_below(random, (uint32_t)length)), name);
	else if (kind < 9)
		fprintf(out, "%.*s?", (int)length - 1, name);
	else
		fprintf(out, "*");
}

static void put_service(struct random *random, bool with_project, FILE *out)
{
	if (with_project) {
		put_glob(random, random_pick(random, projects), out);
		fprintf(out, "/");
	}
	put_glob(random, random_pick(random, services), out);
}

static void put_label(struct random *random, FILE *out)
{
	static const char *const values[] = { "app=web", "app=db", "app=*", "tier=front", "tier=f*", "tier=back", "team=red" };

	fprintf(out, "label:%s", random_pick(random, values));
}

static void put_peer(struct random *random, enum dnet_direction direction, bool narrow, FILE *out)
{
	static const char *const plain[] = { "outside", "host", "lan", "internet", "metadata", "dns", "multicast", "project" };
	static const char *const interfaces[] = { GENERATE_UPLINK, GENERATE_TUNNEL, "br-dmz", "nobody0" };
	uint32_t kind = narrow ? 12 + random_below(random, 88) : random_below(random, 100);

	if (kind < 12)
		fprintf(out, "any");
	else if (kind < 32)
		fprintf(out, "%s", random_pick(random, prefixes));
	else if (kind < 60)
		fprintf(out, "%s", random_pick(random, plain));
	else if (kind < 68) {
		fprintf(out, "container:");
		put_glob(random, random_pick(random, containers), out);
	} else if (kind < 78) {
		fprintf(out, "service:");
		put_service(random, random_chance(random, 50), out);
	} else if (kind < 84)
		fprintf(out, "network:%s", generate_networks[random_below(random, GENERATE_NETWORKS)].name);
	else if (kind < 89)
		put_label(random, out);
	else if (kind < 96 || direction == DNET_EGRESS)
		fprintf(out, "set:%s", random_pick(random, sets));
	else
		fprintf(out, "iface:%s", random_pick(random, interfaces));
}

/* Numbers that no run of packets reaches: the reference knows no limits, and tests/packet and tests/net do. */
static void put_limits(struct random *random, enum dnet_direction direction, FILE *out)
{
	const char *per = direction == DNET_INGRESS ? "src" : "dst";

	switch (random_below(random, 4)) {
	case 0:
		fprintf(out, " rate 9000000/s burst 900000");
		break;
	case 1:
		fprintf(out, " rate 900000/s per %s burst 900000%s", per, direction == DNET_INGRESS ? " ban 10m" : "");
		break;
	case 2:
		fprintf(out, " conns 90000 per %s/24", per);
		break;
	default:
		fprintf(out, " packets 9000000/s burst 900000");
	}
}

/* @host: of `host:`, where rules only deny. @narrow: that few packets match. */
static void put_rule(struct random *random, bool host, enum dnet_direction direction, bool narrow, FILE *out)
{
	bool allow = !host && random_chance(random, 60);
	uint32_t matches = !narrow && random_chance(random, 26) ? 0 : 1 + (random_chance(random, 25) ? random_below(random, 3) : 0);
	uint32_t peers = 1 + (random_chance(random, 30) ? random_below(random, 3) : 0);

	fprintf(out, "%s", allow ? "allow" : "deny");
	for (uint32_t i = 0; i < matches; i++) {
		fprintf(out, "%s", i ? ", " : " ");
		put_match(random, narrow, out);
	}
	fprintf(out, direction == DNET_INGRESS ? " from " : " to ");
	for (uint32_t i = 0; i < peers; i++) {
		fprintf(out, "%s", i ? ", " : "");
		put_peer(random, direction, narrow, out);
	}
	if (random_chance(random, 8))
		fprintf(out, " on network:%s", generate_networks[random_below(random, GENERATE_NETWORKS)].name);
	if (allow && random_chance(random, 5))
		put_limits(random, direction, out);
	if (random_chance(random, 5))
		fprintf(out, " log");
	if (random_chance(random, 25))
		fprintf(out, " as r%u", random_below(random, 1000));
}

/* --- the policy file */

/* Defaults of limits. */
static void put_defaults(struct random *random, const char *indent, FILE *out)
{
	fprintf(out, "%slimits: { ingress: \"", indent);
	put_limits(random, DNET_INGRESS, out);
	fprintf(out, "\", egress: \"");
	put_limits(random, DNET_EGRESS, out);
	fprintf(out, "\" }\n");
}

static const char *const direction_names[DNET_DIRECTIONS] = { [DNET_INGRESS] = "ingress", [DNET_EGRESS] = "egress" };

static uint32_t how_many_rules(struct random *random)
{
	uint32_t kind = random_below(random, 100);

	/* Some lists need several words of the bitmaps. */
	return kind < 8 ? 0 : kind < 92 ? 1 + random_below(random, 7) : kind < 97 ? 8 + random_below(random, 30) : 60 + random_below(random, 90);
}

static void put_rules(struct random *random, enum dnet_direction direction, FILE *out)
{
	uint32_t count = how_many_rules(random);

	fprintf(out, "    %s:%s\n", direction_names[direction], count ? "" : " []");
	for (uint32_t i = 0; i < count; i++) {
		fprintf(out, "      - \"");
		/* Or none but the first rules of a long list would ever be found. */
		put_rule(random, false, direction, count > 40, out);
		fprintf(out, "\"\n");
	}
}

static void put_selector(struct random *random, unsigned int depth, FILE *out)
{
	uint32_t kind = random_below(random, 100);

	if (depth < 3 && kind < 12) {
		fprintf(out, "not ");
		put_selector(random, depth + 2, out);
	} else if (depth < 3 && kind < 32) {
		fprintf(out, "(");
		put_selector(random, depth + 1, out);
		fprintf(out, kind < 22 ? " and " : " or ");
		put_selector(random, depth + 1, out);
		fprintf(out, ")");
	} else if (depth < 2 && kind < 42) {
		put_selector(random, depth + 2, out);
		fprintf(out, kind < 37 ? " and " : " or ");
		put_selector(random, depth + 2, out);
	} else if (kind < 54) {
		fprintf(out, "all");
	} else if (kind < 64) {
		fprintf(out, "container:");
		put_glob(random, random_pick(random, containers), out);
	} else if (kind < 74) {
		fprintf(out, "service:");
		put_service(random, random_chance(random, 60), out);
	} else if (kind < 80) {
		put_label(random, out);
	} else if (kind < 88) {
		fprintf(out, "network:%s", generate_networks[random_below(random, GENERATE_NETWORKS)].name);
	} else if (kind < 94) {
		fprintf(out, "project:");
		put_glob(random, random_pick(random, projects), out);
	} else {
		fprintf(out, "image:");
		put_glob(random, random_pick(random, images), out);
	}
}

static void put_policy(struct random *random, uint32_t number, FILE *out)
{
	bool override = random_chance(random, 12);

	fprintf(out, "  - name: p%u\n    select: ", number);
	if (random_chance(random, 10)) {
		fprintf(out, "[\"");
		put_selector(random, 2, out);
		fprintf(out, "\", \"");
		put_selector(random, 2, out);
		fprintf(out, "\"]\n");
	} else {
		fprintf(out, "\"");
		put_selector(random, 0, out);
		fprintf(out, "\"\n");
	}
	if (override)
		fprintf(out, "    override: true\n");
	if (random_chance(random, 12))
		fprintf(out, "    mode: %s\n", random_chance(random, 80) ? "audit" : "enforce");
	if (!override && random_chance(random, 20))
		fprintf(out, "    labels: %s\n", random_chance(random, 80) ? "add" : "narrow");
	if (random_chance(random, 10))
		fprintf(out, "    until: \"%s-01-01T00:00:00Z\"\n", random_chance(random, 50) ? "2020" : "2090");
	if (random_chance(random, 8))
		put_defaults(random, "    ", out);
	/* A hand rule is one rule; of others most govern both directions. */
	for (enum dnet_direction direction = 0; direction < DNET_DIRECTIONS; direction++)
		if (random_chance(random, override ? 60 : 80))
			put_rules(random, direction, out);
}

static void put_set(struct random *random, const char *name, FILE *out)
{
	uint32_t count = random_below(random, 8);

	fprintf(out, "  %s: [", name);
	for (uint32_t i = 0; i < count; i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "", random_pick(random, prefixes));
	fprintf(out, "]\n");
}

static void put_host(struct random *random, FILE *out)
{
	uint32_t rules = random_below(random, 4);

	fprintf(out, "host:\n");
	if (random_chance(random, 40)) {
		fprintf(out, "  never-block: [");
		for (uint32_t i = 0, count = 1 + random_below(random, 2); i < count; i++)
			fprintf(out, "%s\"%s%s\"", i ? ", " : "", i ? "" : "set:", i ? random_pick(random, prefixes) : random_pick(random, sets));
		fprintf(out, "]\n");
	}
	if (random_chance(random, 20))
		put_defaults(random, "  ", out);
	fprintf(out, "  rules:%s\n", rules ? "" : " []");
	for (uint32_t i = 0; i < rules; i++) {
		fprintf(out, "    - \"");
		put_rule(random, true, random_below(random, DNET_DIRECTIONS), false, out);
		fprintf(out, "\"\n");
	}
}

void generate_policy(struct random *random, FILE *out)
{
	static const char *const unselected[] = { "allow", "allow", "outside", "deny" };
	uint32_t policies = random_chance(random, 5) ? 0 : 1 + random_below(random, 5);

	fprintf(out, "version: 1\ndefaults: { unselected: %s, unknown: %s, labels: %s }\n", random_pick(random, unselected),
		random_chance(random, 75) ? "allow" : "deny", random_chance(random, 93) ? "trust" : "ignore");
	fprintf(out, "sets:\n");
	for (size_t i = 0; i < COUNT(sets); i++)
		put_set(random, sets[i], out);
	if (random_chance(random, 40))
		put_host(random, out);
	if (policies)
		fprintf(out, "policies:\n");
	for (uint32_t i = 0; i < policies; i++)
		put_policy(random, i, out);
}

/* --- the inventory */

static void put_label_rules(struct random *random, enum dnet_direction direction, FILE *out)
{
	uint32_t count = random_below(random, 4);

	fprintf(out, ", dnetbpf.%s: \"", direction_names[direction]);
	for (uint32_t i = 0; i < count; i++) {
		fprintf(out, "%s", i ? "; " : "");
		put_rule(random, false, direction, false, out);
	}
	fprintf(out, "\"");
}

static void put_labels(struct random *random, FILE *out)
{
	static const char *const invalid[] = { "dnetbpf.ingress: \"alow from any\"", "dnetbpf.egres: \"\"", "dnetbpf.policy: nobody" };

	fprintf(out, ", labels: { team: red");
	if (random_chance(random, 60))
		fprintf(out, ", app: %s", random_chance(random, 50) ? "web" : "db");
	if (random_chance(random, 50))
		fprintf(out, ", tier: %s", random_chance(random, 50) ? "front" : "back");
	if (random_chance(random, 40)) {
		for (enum dnet_direction direction = 0; direction < DNET_DIRECTIONS; direction++)
			if (random_chance(random, 55))
				put_label_rules(random, direction, out);
		if (random_chance(random, 25))
			fprintf(out, ", dnetbpf.mode: %s", random_chance(random, 70) ? "audit" : "enforce");
		if (random_chance(random, 25))
			fprintf(out, ", dnetbpf.policy: p%u", random_below(random, 3));
	} else if (random_chance(random, 6)) {
		fprintf(out, ", %s", random_pick(random, invalid));
	}
	fprintf(out, " }");
}

/* What is said of a container once, in its first entry. */
static void put_container(struct random *random, FILE *out)
{
	if (random_chance(random, 85)) {
		fprintf(out, ", service: ");
		if (random_chance(random, 85))
			fprintf(out, "%s/", random_pick(random, projects));
		fprintf(out, "%s", random_pick(random, services));
	}
	if (random_chance(random, 70))
		fprintf(out, ", image: \"%s\"", random_pick(random, images));
	if (random_chance(random, 80))
		put_labels(random, out);
}

void generate_inventory(struct random *random, FILE *out)
{
	uint32_t count = 4 + random_below(random, 5), networks = 2 + random_below(random, GENERATE_NETWORKS - 1), interface = 0;

	fprintf(out, "networks:\n");
	for (size_t i = 0; i < GENERATE_NETWORKS; i++)
		fprintf(out, "  - { name: %s, bridge: br-%s, subnets: [\"%s\", \"%s\"] }\n", generate_networks[i].name,
			generate_networks[i].name, generate_networks[i].v4, generate_networks[i].v6);
	fprintf(out, "endpoints:\n");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t first = random_below(random, networks);
		uint32_t attachments = random_chance(random, 25) && interface + count - i < GENERATE_ENDPOINTS ? 2 : 1;

		for (uint32_t j = 0; j < attachments; j++, interface++) {
			const struct generate_network *network = &generate_networks[(first + j) % GENERATE_NETWORKS];

			fprintf(out, "  - { container: %s, interface: e%u, network: %s, mac: \"02:00:00:00:00:%02x\", addresses: [%s%u",
				containers[i], interface, network->name, interface + 16, network->v4_base, i + 10);
			if (random_chance(random, 85))
				fprintf(out, ", \"%s%x\"", network->v6_base, i + 10);
			fprintf(out, "]");
			if (j == 0)
				put_container(random, out);
			fprintf(out, " }\n");
		}
	}
}
