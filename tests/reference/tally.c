/* SPDX-License-Identifier: GPL-2.0 */
#include "tally.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "packet/packet.h"

/* X(NAME, words): in the order in which they are printed. */
#define ELEMENTS(X) \
	X(INGRESS, "ingress") X(EGRESS, "egress") X(V4, "IPv4") X(V6, "IPv6") \
	X(PASS, "pass") X(DENY, "deny") X(WOULD_DENY, "would_deny") \
	X(POLICY_ALLOWED, "policy_allowed") X(POLICY_DENIED, "policy_denied") X(DEFAULT_DENIED, "default_denied") \
	X(UNSELECTED, "unselected") X(POLICY_INVALID, "policy_invalid") X(UNKNOWN_ENDPOINT, "unknown_endpoint") \
	X(LAYER_HOST, "layer host") X(LAYER_FILE, "layer file") X(LAYER_LABELS, "layer labels") \
	X(TWO_LAYERS, "two layers agreed") X(THREE_LAYERS, "three layers agreed") \
	X(FROM_HOST, "from the host") X(FROM_PORT, "from a port of the bridge") X(FROM_STRANGER, "from an unknown port") \
	X(FROM_BRIDGE, "from another bridge") X(FROM_OUTSIDE, "from outside") \
	X(UNWRITTEN_PASS, "end of the host layer") X(UNWRITTEN_OUTSIDE, "unselected: outside") X(UNWRITTEN_ANY, "unselected: the rest") \
	X(ALLOW, "allow") X(RULE_DENY, "deny rule") \
	X(MATCH_ALL, "no match") X(MATCH_PORT, "PORT/proto") X(MATCH_RANGE, "PORT-PORT/proto") X(MATCH_PROTOCOL, "proto") \
	X(MATCH_TYPE, "icmp:TYPE") X(MATCH_NUMBER, "proto:NUMBER") X(MATCH_LATER, "not the first match") \
	X(TCP, "tcp") X(UDP, "udp") X(SCTP, "sctp") X(ICMP, "icmp") X(ICMPV6, "icmpv6") X(OTHER, "another protocol") \
	X(ANY, "any") X(PREFIX, "CIDR") X(ADDRESS, "ADDRESS") X(OUTSIDE, "outside") X(HOST, "host") X(LAN, "lan") X(INTERNET, "internet") \
	X(METADATA, "metadata") X(DNS, "dns") X(GROUP, "multicast") X(PROJECT, "project") X(CONTAINER, "container:") \
	X(SERVICE_OWN, "service:NAME") X(SERVICE_OTHER, "service:PROJECT/NAME") X(NETWORK, "network:") X(LABEL, "label:") X(SET, "set:") \
	X(INTERFACE, "iface:") X(PEER_LATER, "not the first peer") \
	X(ON_NETWORK, "on network:") X(LIMITED, "with limits") X(LOGGED, "log") X(NAMED, "as NAME") \
	X(OVERRIDE, "override") X(LABELS_RULE, "a rule of labels") X(LABELS_ADDED, "a rule of labels, added to the file's") \
	X(POLICY_BY_LABEL, "dnetbpf.policy") X(UNTIL, "until") X(SECOND_POLICY, "a further policy of the file") X(FAR_RULE, "beyond the 64th rule") \
	X(SELECT_ALL, "select all") X(SELECT_CONTAINER, "select container:") X(SELECT_SERVICE, "select service:") X(SELECT_LABEL, "select label:") \
	X(SELECT_NETWORK, "select network:") X(SELECT_PROJECT, "select project:") X(SELECT_IMAGE, "select image:") X(SELECT_AND, "and") \
	X(SELECT_OR, "or") X(SELECT_NOT, "not")

enum element {
#define X(NAME, words) ELEMENT_##NAME,
	ELEMENTS(X)
#undef X
	ELEMENT_COUNT,
};
_Static_assert(ELEMENT_COUNT <= COUNT(((struct tally *)NULL)->count), "the tally is too small");

static const char *const names[] = {
#define X(NAME, words) words,
	ELEMENTS(X)
#undef X
};

static void tally_one(struct tally *tally, enum element element, bool when)
{
	tally->count[element] += when;
}

static void tally_selector(struct tally *tally, const struct selector *selector)
{
	static const enum element elements[] = {
		[SELECT_ALL] = ELEMENT_SELECT_ALL, [SELECT_CONTAINER] = ELEMENT_SELECT_CONTAINER, [SELECT_SERVICE] = ELEMENT_SELECT_SERVICE,
		[SELECT_LABEL] = ELEMENT_SELECT_LABEL, [SELECT_NETWORK] = ELEMENT_SELECT_NETWORK, [SELECT_PROJECT] = ELEMENT_SELECT_PROJECT,
		[SELECT_IMAGE] = ELEMENT_SELECT_IMAGE, [SELECT_AND] = ELEMENT_SELECT_AND, [SELECT_OR] = ELEMENT_SELECT_OR,
		[SELECT_NOT] = ELEMENT_SELECT_NOT,
	};

	tally_one(tally, elements[selector->kind], true);
	for (size_t i = 0; i < selector->child_count; i++)
		tally_selector(tally, &selector->children[i]);
}

static void tally_match(struct tally *tally, const struct match *match)
{
	uint32_t first = match->first, last = match->last, proto = first >> 16;
	bool ports = proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
	bool types = proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;

	if (first == 0 && last == DNET_SELECTOR_MAX)
		tally_one(tally, ELEMENT_MATCH_ALL, true);
	else if ((last & 0xffff) == 0xffff && (first & 0xffff) == 0)
		tally_one(tally, ports || types ? ELEMENT_MATCH_PROTOCOL : ELEMENT_MATCH_NUMBER, true);
	else if (ports)
		tally_one(tally, first == last ? ELEMENT_MATCH_PORT : ELEMENT_MATCH_RANGE, true);
	else
		tally_one(tally, types ? ELEMENT_MATCH_TYPE : ELEMENT_MATCH_NUMBER, true);
}

static void tally_peer(struct tally *tally, const struct peer *peer)
{
	static const enum element elements[] = {
		[PEER_ANY] = ELEMENT_ANY, [PEER_OUTSIDE] = ELEMENT_OUTSIDE, [PEER_HOST] = ELEMENT_HOST, [PEER_LAN] = ELEMENT_LAN,
		[PEER_INTERNET] = ELEMENT_INTERNET, [PEER_METADATA] = ELEMENT_METADATA, [PEER_DNS] = ELEMENT_DNS, [PEER_GROUP] = ELEMENT_GROUP,
		[PEER_PROJECT] = ELEMENT_PROJECT, [PEER_CONTAINER] = ELEMENT_CONTAINER, [PEER_NETWORK] = ELEMENT_NETWORK,
		[PEER_LABEL] = ELEMENT_LABEL, [PEER_SET] = ELEMENT_SET, [PEER_INTERFACE] = ELEMENT_INTERFACE,
	};

	if (peer->kind == PEER_PREFIX)
		tally_one(tally, peer->prefix_len == 128 ? ELEMENT_ADDRESS : ELEMENT_PREFIX, true);
	else if (peer->kind == PEER_SERVICE)
		tally_one(tally, peer->project ? ELEMENT_SERVICE_OTHER : ELEMENT_SERVICE_OWN, true);
	else
		tally_one(tally, elements[peer->kind], true);
}

static void tally_rule(struct tally *tally, const struct reference_rule *found, enum dnet_layer layer)
{
	const struct rule *rule = found->rule;

	tally_one(tally, ELEMENT_ALLOW, rule->action == DNET_RULE_ALLOW);
	tally_one(tally, ELEMENT_RULE_DENY, rule->action == DNET_RULE_DENY);
	tally_match(tally, found->match);
	tally_one(tally, ELEMENT_MATCH_LATER, found->match != rule->matches);
	tally_peer(tally, found->peer);
	tally_one(tally, ELEMENT_PEER_LATER, found->peer != rule->peers);
	tally_one(tally, ELEMENT_ON_NETWORK, rule->network);
	tally_one(tally, ELEMENT_LIMITED, rule->limit_count);
	tally_one(tally, ELEMENT_LOGGED, rule->log);
	tally_one(tally, ELEMENT_NAMED, rule->name[0] == 'r');
	tally_one(tally, ELEMENT_OVERRIDE, found->policy->override);
	if (strcmp(found->policy->name, "labels") == 0) {
		tally_one(tally, ELEMENT_LABELS_RULE, true);
		tally_one(tally, ELEMENT_LABELS_ADDED, layer == DNET_LAYER_FILE);
	} else if (layer != DNET_LAYER_HOST) {
		tally_one(tally, ELEMENT_POLICY_BY_LABEL, layer == DNET_LAYER_LABELS && !found->policy->override);
		tally_one(tally, ELEMENT_UNTIL, found->policy->until_unix_ns);
		tally_one(tally, ELEMENT_SECOND_POLICY, strcmp(found->policy->name, "p0") != 0);
		tally_selector(tally, &found->policy->selector);
		for (enum dnet_direction direction = 0; direction < DNET_DIRECTIONS; direction++)
			tally_one(tally, ELEMENT_FAR_RULE, found->policy->direction[direction].count > 64 &&
				  rule >= found->policy->direction[direction].rules + 64 &&
				  rule < found->policy->direction[direction].rules + found->policy->direction[direction].count);
	}
}

static void tally_packet(struct tally *tally, const struct reference_packet *packet)
{
	static const struct { uint8_t proto; enum element element; } protocols[] = {
		{ IPPROTO_TCP, ELEMENT_TCP }, { IPPROTO_UDP, ELEMENT_UDP }, { IPPROTO_SCTP, ELEMENT_SCTP }, { IPPROTO_ICMP, ELEMENT_ICMP },
		{ IPPROTO_ICMPV6, ELEMENT_ICMPV6 },
	};
	static const struct dnet_addr v4 = { .byte = { [10] = 0xff, [11] = 0xff } };
	enum element element = ELEMENT_OTHER;

	for (size_t i = 0; i < COUNT(protocols); i++)
		if (protocols[i].proto == packet->proto)
			element = protocols[i].element;
	tally_one(tally, element, true);
	tally_one(tally, packet->direction == DNET_INGRESS ? ELEMENT_INGRESS : ELEMENT_EGRESS, true);
	tally_one(tally, memcmp(&packet->src, &v4, 12) == 0 ? ELEMENT_V4 : ELEMENT_V6, true);
	if (packet->direction == DNET_INGRESS)
		tally_one(tally, ELEMENT_FROM_HOST + (unsigned int)packet->origin, true);
}

void tally_answer(struct tally *tally, const struct reference_packet *packet, const struct reference_answer *answer)
{
	static const struct { enum dnet_reason reason; enum element element; } reasons[] = {
		{ DNET_REASON_POLICY_ALLOWED, ELEMENT_POLICY_ALLOWED }, { DNET_REASON_POLICY_DENIED, ELEMENT_POLICY_DENIED },
		{ DNET_REASON_DEFAULT_DENIED, ELEMENT_DEFAULT_DENIED }, { DNET_REASON_UNSELECTED, ELEMENT_UNSELECTED },
		{ DNET_REASON_POLICY_INVALID, ELEMENT_POLICY_INVALID }, { DNET_REASON_UNKNOWN_ENDPOINT, ELEMENT_UNKNOWN_ENDPOINT },
	};
	unsigned int layers = 0;

	tally_packet(tally, packet);
	tally_one(tally, ELEMENT_PASS + (unsigned int)answer->verdict, true);
	for (size_t i = 0; i < COUNT(reasons); i++)
		tally_one(tally, reasons[i].element, reasons[i].reason == answer->reason);
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS; layer++) {
		const struct reference_rule *found = &answer->rule[layer];

		if (!answer->governed[layer])
			continue;
		layers++;
		tally_one(tally, ELEMENT_LAYER_HOST + (unsigned int)layer, layer == answer->layer);
		if (found->unwritten)
			tally_one(tally, found->unwritten[0] == 'p' ? ELEMENT_UNWRITTEN_PASS : found->unwritten[0] == 'o' ?
				  ELEMENT_UNWRITTEN_OUTSIDE : ELEMENT_UNWRITTEN_ANY, true);
		else if (found->rule)
			tally_rule(tally, found, layer);
	}
	tally_one(tally, ELEMENT_TWO_LAYERS, layers == 2 && answer->reason == DNET_REASON_POLICY_ALLOWED);
	tally_one(tally, ELEMENT_THREE_LAYERS, layers == 3 && answer->reason == DNET_REASON_POLICY_ALLOWED);
}

void tally_check(const struct tally *tally, bool complete)
{
	char missing[1024] = "";

	for (size_t i = 0; i < ELEMENT_COUNT; i++) {
		size_t length = strlen(missing);

		printf("# %9llu %s\n", (unsigned long long)tally->count[i], names[i]);
		if (!tally->count[i])
			snprintf(missing + length, sizeof(missing) - length, " \"%s\"", names[i]);
	}
	if (complete)
		tap(!missing[0], "every element of the language decided about some packet", "never:%s", missing);
}
