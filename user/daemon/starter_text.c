/* SPDX-License-Identifier: GPL-2.0 */
/* The file of the starter. Whatever is written here has to pass `policy check` without a word. */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/array.h"
#include "daemon/starter_private.h"
#include "observe/event.h"

#define PORTS_MAX	16	/* of one peer and protocol; who uses more uses any */
#define RULES_MAX	400	/* of one direction */
#define NAME_LENGTH	60	/* of a policy; what makes it unique comes behind */
#define COMMENT_COLUMN	72

static const char header[] =
	"# A starter policy, written by `dnetbpf init` from what runs on this host now. It is yours: read it, change it, keep it.\n"
	"#\n"
	"# Every policy is in `mode: audit`: it is judged, counted and reported, and everything passes. How to go on:\n"
	"#   1. save it as /etc/dnetbpf/dnetbpf.yaml, then `dnetbpf policy check /etc/dnetbpf/dnetbpf.yaml`\n"
	"#   2. `dnetbpf policy reload`, and use your services as they are used\n"
	"#   3. `dnetbpf events -f` shows as would_deny what these rules would stop: add what is missing. `dnetbpf init` shows\n"
	"#      again who talks to whom, with what was seen since\n"
	"#   4. when nothing shows up any more that should pass: change `mode: audit` to `mode: enforce`, one policy at a time\n"
	"#\n"
	"# An empty list ([]) denies the whole direction. Replies to what is allowed pass without a rule.\n";

static const char no_flows[] =
	"#\n"
	"# No connections are known yet, so this names only what is published. They are known of containers that some policy\n"
	"# selects; `mode: audit` is enough: put this in force, wait, and run `dnetbpf init` again.\n";

static const char *const scope_words[] = {
	[SEEN_HOST] = "host", [SEEN_GROUP] = "multicast", [SEEN_METADATA] = "metadata", [SEEN_LAN] = "lan", [SEEN_INTERNET] = "internet",
	[SEEN_OUTSIDE] = "outside",
};

/* --- names */

static void name_units(struct starter *starter)
{
	for (size_t i = 0; i < starter->unit_count; i++) {
		struct unit *unit = &starter->units[i];
		const struct container *container = unit->containers[0];
		char name[NAME_LENGTH + 1];
		bool again;

		if (unit->service)
			snprintf(name, sizeof(name), "%s-%s", container->project, container->service);
		else
			snprintf(name, sizeof(name), "%s", container->name);
		snprintf(unit->name, sizeof(unit->name), "%s", name);
		/* These two names are taken. */
		if (strcmp(name, "host") == 0 || strcmp(name, "labels") == 0)
			snprintf(unit->name, sizeof(unit->name), "%s-1", name);
		for (unsigned int number = 2; ; number++) {
			again = false;
			for (size_t j = 0; j < i && !again; j++)
				again = strcmp(starter->units[j].name, unit->name) == 0;
			if (!again)
				break;
			snprintf(unit->name, sizeof(unit->name), "%s-%u", name, number);
		}
	}
}

/* A unit as a peer of another one. */
static void write_peer(const struct starter *starter, const struct unit *of, uint32_t peer, char *buffer, size_t size)
{
	const struct unit *unit = peer >= SEEN_UNITS ? &starter->units[peer - SEEN_UNITS] : NULL;
	const struct container *container = unit ? unit->containers[0] : NULL;

	if (!unit)
		snprintf(buffer, size, "%s", scope_words[peer]);
	else if (!unit->service)
		snprintf(buffer, size, "container:%s", container->name);
	else if (of->service && strcmp(of->containers[0]->project, container->project) == 0)
		snprintf(buffer, size, "service:%s", container->service);
	else
		snprintf(buffer, size, "service:%s/%s", container->project, container->service);
}

/* --- lines */

__attribute__((format(printf, 3, 4)))
static void write_rule(FILE *out, const char *comment, const char *format, ...)
{
	_cleanup_free_ char *rule = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&rule, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	fprintf(out, "      - \"%s\"", rule);
	if (comment)
		fprintf(out, "%*s# %s", length + 10 < COMMENT_COLUMN ? COMMENT_COLUMN - length - 10 : 2, "", comment);
	fputc('\n', out);
}

static void write_times(uint64_t count, char *buffer, size_t size)
{
	snprintf(buffer, size, "%" PRIu64 " connection%s seen", count, count == 1 ? "" : "s");
}

/* --- published ports */

/* A port of the container, and all that leads to it. */
struct opened {
	uint8_t proto;
	uint16_t port, host_port;	/* the smallest */
	bool local;	/* only from the host itself */
	char places[200];
};

static bool is_local(const struct dnet_addr *addr)
{
	static const struct dnet_addr loopback = { .byte = { [15] = 1 } };

	return addr_is_v4(addr) ? addr->byte[12] == 127 : addr_equal(addr, &loopback);
}

static int compare_published(const void *a, const void *b)
{
	const struct published_port *left = *(const struct published_port *const *)a, *right = *(const struct published_port *const *)b;
	int order = (int)left->proto - right->proto;

	order = order ? order : (int)left->port - right->port;
	order = order ? order : (int)left->host_port - right->host_port;
	return order ? order : memcmp(&left->host_addr, &right->host_addr, sizeof(left->host_addr));
}

static void add_place(struct opened *opened, const struct published_port *port)
{
	char addr[TEXT_ADDR_SIZE], place[TEXT_ADDR_SIZE + 16];
	size_t length = strlen(opened->places);
	bool v6 = !addr_is_v4(&port->host_addr);

	snprintf(place, sizeof(place), "%s%s%s:%u", v6 ? "[" : "", text_addr(&port->host_addr, addr), v6 ? "]" : "", port->host_port);
	/* Replicas may say the same. */
	if (!strstr(opened->places, place))
		snprintf(opened->places + length, sizeof(opened->places) - length, "%s%s", length ? ", " : "", place);
}

/* Owned by the caller; *ret_count of them. */
static struct opened *published(const struct unit *unit, size_t *ret_count)
{
	_cleanup_free_ const struct published_port **ports = NULL;
	struct opened *opened = NULL;
	size_t total = 0, count = 0;

	for (size_t i = 0; i < unit->count; i++)
		total += unit->containers[i]->port_count;
	ports = calloc(total + 1, sizeof(*ports));
	opened = calloc(total + 1, sizeof(*opened));
	total = 0;
	for (size_t i = 0; ports && i < unit->count; i++)
		for (size_t j = 0; j < unit->containers[i]->port_count; j++)
			ports[total++] = &unit->containers[i]->ports[j];
	if (ports)
		qsort(ports, total, sizeof(*ports), compare_published);
	for (size_t i = 0; opened && i < total; i++) {
		struct opened *last = count ? &opened[count - 1] : NULL;

		if (!last || last->proto != ports[i]->proto || last->port != ports[i]->port) {
			last = &opened[count++];
			*last = (struct opened){ .proto = ports[i]->proto, .port = ports[i]->port, .host_port = ports[i]->host_port, .local = true };
		}
		last->local = last->local && is_local(&ports[i]->host_addr);
		add_place(last, ports[i]);
	}
	*ret_count = count;
	return opened;
}

static void write_published(const struct opened *opened, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		char comment[256], protocol[12] = "", twin[12] = "", proto[8];
		bool taken = false;

		if (opened[i].proto != IPPROTO_TCP)
			snprintf(protocol, sizeof(protocol), "-%s", proto_name(opened[i].proto, proto));
		/* One port of the host may lead to several, at different addresses of it. */
		for (size_t j = 0; j < i; j++)
			taken = taken || (opened[j].host_port == opened[i].host_port && opened[j].proto == opened[i].proto);
		if (taken)
			snprintf(twin, sizeof(twin), "-to-%u", opened[i].port);
		snprintf(comment, sizeof(comment), "published as %s", opened[i].places);
		write_rule(out, comment, "allow %u/%s from %s as published-%u%s%s", opened[i].port, proto_name(opened[i].proto, proto),
			   opened[i].local ? "host" : "any", opened[i].host_port, protocol, twin);
	}
}

/* Does a published port allow it already? */
static bool is_published(const struct opened *opened, size_t count, const struct seen *seen)
{
	for (size_t i = 0; i < count; i++)
		if (opened[i].proto == seen->proto && opened[i].port == seen->port && (!opened[i].local || seen->peer == SEEN_HOST))
			return true;
	return false;
}

/* --- connections */

static int compare_seen(const void *a, const void *b)
{
	const struct seen *left = a, *right = b;
	int64_t order = (int64_t)left->unit - right->unit;

	order = order ? order : (int64_t)left->direction - right->direction;
	/* Containers before scopes, each by its name: units are sorted. */
	if (!order && (left->peer >= SEEN_UNITS) != (right->peer >= SEEN_UNITS))
		return left->peer >= SEEN_UNITS ? -1 : 1;
	order = order ? order : (int64_t)left->peer - right->peer;
	order = order ? order : (int64_t)left->proto - right->proto;
	order = order ? order : (int64_t)left->port - right->port;
	return order < 0 ? -1 : order > 0;
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* What was seen with one peer, as matches: protocols as a whole come first, or they would seem to belong to the ports. */
static void write_matches(const struct seen *seen, size_t count, char *buffer, size_t size)
{
	for (int whole = 1; whole >= 0; whole--)
		for (size_t i = 0, next; i < count; i = next) {
			char ports[PORTS_MAX * 6 + 1] = "", proto[8], text[PORTS_MAX * 6 + 24];
			bool all;

			for (next = i; next < count && seen[next].proto == seen[i].proto;)
				next++;
			all = next - i > PORTS_MAX || !has_ports(seen[i].proto);
			if (all != whole)
				continue;
			for (size_t j = i; !all && j < next; j++)
				snprintf(ports + strlen(ports), sizeof(ports) - strlen(ports), "%s%u", j > i ? "," : "", seen[j].port);
			if (has_ports(seen[i].proto) || seen[i].proto == IPPROTO_ICMP || seen[i].proto == IPPROTO_ICMPV6)
				snprintf(text, sizeof(text), "%s%s%s", ports, all ? "" : "/", proto_name(seen[i].proto, proto));
			else
				snprintf(text, sizeof(text), "proto:%u", seen[i].proto);
			snprintf(buffer + strlen(buffer), size - strlen(buffer), "%s%s", *buffer ? ", " : "", text);
		}
}

/* @seen: of one unit and direction. Returns how many rules there are. */
static size_t write_seen(const struct starter *starter, const struct unit *unit, const struct seen *seen, size_t count, FILE *out)
{
	size_t rules = 0;

	for (size_t i = 0, next; i < count; i = next) {
		/* 255 protocols, and each with its ports. */
		char matches[8192] = "", peer[300], comment[64];
		uint64_t times = 0;

		for (next = i; next < count && seen[next].peer == seen[i].peer; next++)
			times += seen[next].count;
		if (rules++ >= RULES_MAX)
			continue;
		write_matches(&seen[i], next - i, matches, sizeof(matches));
		write_peer(starter, unit, seen[i].peer, peer, sizeof(peer));
		write_times(times, comment, sizeof(comment));
		write_rule(out, comment, "allow %s %s %s", matches, seen[i].direction == DNET_INGRESS ? "from" : "to", peer);
	}
	if (rules > RULES_MAX)
		fprintf(out, "      # %zu more were seen, and left out here\n", rules - RULES_MAX);
	return rules;
}

static void write_unit(const struct starter *starter, size_t index, FILE *out)
{
	const struct unit *unit = &starter->units[index];
	const struct container *container = unit->containers[0];
	_cleanup_free_ struct opened *opened = NULL;
	_cleanup_free_ struct seen *seen = calloc(starter->seen_count + 1, sizeof(*seen));
	size_t opened_count = 0, count[DNET_DIRECTIONS] = {}, total = 0;
	static const enum dnet_direction order[] = { DNET_INGRESS, DNET_EGRESS };

	opened = published(unit, &opened_count);
	if (!opened || !seen)
		return;
	for (size_t d = 0; d < 2; d++)
		for (size_t i = 0; i < starter->seen_count; i++) {
			const struct seen *item = &starter->seen[i];

			if (item->unit != index || item->direction != order[d] ||
			    (order[d] == DNET_INGRESS && is_published(opened, opened_count, item)))
				continue;
			seen[total++] = *item;
			count[order[d]]++;
		}
	fprintf(out, "\n  # %s%s%s: ", unit->service ? container->project : container->name, unit->service ? "/" : "",
		unit->service ? container->service : "");
	if (unit->count == 1)
		fprintf(out, "%s\n", unit->service ? container->name : "a container");
	else
		fprintf(out, "%zu containers, %s to %s\n", unit->count, container->name, unit->containers[unit->count - 1]->name);
	fprintf(out, "  - name: \"%s\"\n    select: \"%s", unit->name, unit->service ? "service:" : "container:");
	fprintf(out, "%s%s%s\"\n    mode: audit\n", unit->service ? container->project : container->name, unit->service ? "/" : "",
		unit->service ? container->service : "");
	if (opened_count + count[DNET_INGRESS]) {
		fputs("    ingress:\n", out);
		write_published(opened, opened_count, out);
		write_seen(starter, unit, seen, count[DNET_INGRESS], out);
	} else {
		fprintf(out, "    ingress: []%*s# it publishes nothing, and nobody was seen to talk to it\n", COMMENT_COLUMN - 15, "");
	}
	fputs("    egress:\n", out);
	write_rule(out, NULL, "allow 53/udp, 53/tcp to dns as dns");
	write_seen(starter, unit, seen + count[DNET_INGRESS], count[DNET_EGRESS], out);
}

/* --- the file */

static void write_skipped(const struct starter *starter, enum unit_skip skip, const char *what, FILE *out)
{
	const char *separator = " ";
	bool any = false;

	for (size_t i = 0; i < starter->unit_count; i++) {
		const struct unit *unit = &starter->units[i];

		if (unit->skip != skip)
			continue;
		if (!any)
			fprintf(out, "# %s", what);
		any = true;
		fprintf(out, "%s%s", separator, unit->name);
		separator = ", ";
	}
	if (any)
		fputc('\n', out);
}

char *starter_text(struct starter *starter)
{
	char *text = NULL;
	size_t size, policies = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	name_units(starter);
	if (starter->seen_count)
		qsort(starter->seen, starter->seen_count, sizeof(*starter->seen), compare_seen);
	/* The places in the array have changed. */
	index_clear(&starter->seen_index);
	fputs(header, out);
	if (!starter->flow_count)
		fputs(no_flows, out);
	if (starter->strangers)
		fprintf(out, "#\n# %zu connection%s with addresses in Docker's networks that nobody has now, or that several have: left out.\n",
			starter->strangers, starter->strangers == 1 ? "" : "s");
	if (starter->dropped)
		fprintf(out, "#\n# %zu connections were too many to be looked at.\n", starter->dropped);
	fputs("#\n", out);
	write_skipped(starter, SKIP_LABELS, "Left to the dnetbpf labels of their containers:", out);
	write_skipped(starter, SKIP_NO_INTERFACE, "On no network that can be enforced (host network, none, or another driver):", out);
	write_skipped(starter, SKIP_STOPPED, "Not running:", out);
	for (size_t i = 0; i < starter->unit_count; i++)
		policies += starter->units[i].skip == SKIP_NOTHING;
	fprintf(out, "version: 1\n\npolicies:%s\n", policies ? "" : " []\t# no container runs that could get one");
	for (size_t i = 0; i < starter->unit_count; i++)
		if (starter->units[i].skip == SKIP_NOTHING)
			write_unit(starter, i, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
