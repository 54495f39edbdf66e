/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "compile/compiler.h"

/* --- the compiled tables */

static const uint64_t *row_at(const struct compiler *compiler, uint32_t row)
{
	return compiler->arena.rows + (row - compiler->arena.index * DNET_MAX_ROW_WORDS);
}

static uint32_t selector_row(const struct compiler *compiler, const struct dnet_ruleset *ruleset, uint32_t selector)
{
	const struct dnet_bound *bounds = compiler->arena.bounds + (ruleset->bound_base - compiler->arena.index * DNET_MAX_BOUNDS);
	uint32_t base = 0;

	for (uint32_t left = ruleset->bound_count; left > 1; left -= left / 2)
		if (bounds[base + left / 2].first <= selector)
			base += left / 2;
	return bounds[base].row;
}

static uint32_t peer_row(const struct compiler *compiler, uint32_t local, enum dnet_peer_kind kind, uint32_t id)
{
	struct compiled_peer key = { .ruleset = local, .kind = kind, .id = id };
	const struct compiled_peer *found;

	if (!id || !compiler->peers.row_count)
		return 0;
	found = bsearch(&key, compiler->peers.rows, compiler->peers.row_count, sizeof(key), compiled_peer_compare);
	return found ? found->row : 0;
}

/* The longest prefix: the kernel's table knows no families. */
static uint32_t prefix_row(const struct compiler *compiler, uint32_t local, const struct dnet_addr *addr)
{
	const struct ruleset *source = &compiler->arena.sources[local];
	const struct compiled_prefix *best = NULL;

	for (size_t i = 0; i < source->prefix_count; i++) {
		const struct compiled_prefix *prefix = &compiler->arena.prefixes[source->first_prefix + i];

		if ((!best || prefix->prefix_len > best->prefix_len) && addr_in_prefix(addr, &prefix->addr, prefix->prefix_len))
			best = prefix;
	}
	return best ? best->row : 0;
}

static enum dnet_reason decide_layer(const struct compiler *compiler, uint32_t local, const struct explain_question *question,
				     uint32_t *ret_rule)
{
	const struct dnet_ruleset *ruleset = &compiler->arena.rulesets[local];
	uint32_t flags = ruleset->flags, rows[7] = { ruleset->class_row[question->peer_class & (DNET_PEER_CLASSES - 1)] };
	const uint64_t *matches;

	if (!local || local >= compiler->arena.ruleset_count || !ruleset->words)
		return DNET_REASON_TABLE_MISSING;
	matches = row_at(compiler, selector_row(compiler, ruleset, question->selector));
	if (question->group)
		rows[1] = ruleset->class_row[DNET_PEER_GROUP];
	if (flags & DNET_RULESET_HAS_ENDPOINTS)
		rows[2] = peer_row(compiler, local, DNET_PEER_KIND_ENDPOINT, question->peer_endpoint);
	if (flags & DNET_RULESET_HAS_INTERFACES)
		rows[3] = peer_row(compiler, local, DNET_PEER_KIND_INTERFACE, question->peer_ifindex);
	if (flags & DNET_RULESET_HAS_PREFIXES)
		rows[4] = prefix_row(compiler, local, &question->peer);
	if (flags & DNET_RULESET_HAS_SETS && compiler->sets)
		rows[5] = peer_row(compiler, local, DNET_PEER_KIND_SET_CLASS, set_classes_find(compiler->sets, &question->peer));
	if (flags & DNET_RULESET_HAS_COUNTRIES && question->peer_country)
		rows[6] = peer_row(compiler, local, DNET_PEER_KIND_COUNTRY, question->peer_country);
	for (uint32_t word = 0; word < ruleset->words; word++) {
		uint64_t peers = 0;

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (rows[i])
				peers |= row_at(compiler, rows[i])[word];
		if (!(peers & matches[word]))
			continue;
		*ret_rule = word * 64 + (uint32_t)__builtin_ctzll(peers & matches[word]);
		return compiler->arena.rules[ruleset->rule_base - compiler->arena.index * DNET_MAX_RULE_ENTRIES + *ret_rule].action ==
		       DNET_RULE_ALLOW ? DNET_REASON_POLICY_ALLOWED : DNET_REASON_POLICY_DENIED;
	}
	return DNET_REASON_DEFAULT_DENIED;
}

void explain_decide(const struct compiler *compiler, const struct compile_verdict *verdict, enum dnet_direction direction,
		    const struct explain_question *question, struct explain_answer *ret)
{
	*ret = (struct explain_answer){ .reason = DNET_REASON_UNSELECTED, .layer = DNET_LAYER_FILE,
					.rule = { EXPLAIN_NO_RULE, EXPLAIN_NO_RULE, EXPLAIN_NO_RULE } };
	if (verdict->invalid) {
		ret->reason = DNET_REASON_POLICY_INVALID;
		ret->layer = DNET_LAYER_LABELS;
		return;
	}
	for (int layer = 0; layer < DNET_LAYERS && dnet_reason_class(ret->reason) == DNET_CLASS_PASS; layer++) {
		uint32_t local = verdict->ruleset[direction][layer];
		enum dnet_reason answer;

		if (!local)
			continue;
		ret->layer = (enum dnet_layer)layer;
		answer = decide_layer(compiler, local, question, &ret->rule[layer]);
		/* What the host's layer lets through is not selected by that. */
		if (layer != DNET_LAYER_HOST || dnet_reason_class(answer) != DNET_CLASS_PASS)
			ret->reason = answer;
	}
}

/* --- words */

struct words {
	char *buffer;
	size_t size, length;
};

static void add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct words *words, const char *format, ...)
{
	va_list arguments;
	int n;

	if (words->length >= words->size)
		return;
	va_start(arguments, format);
	n = vsnprintf(words->buffer + words->length, words->size - words->length, format, arguments);
	va_end(arguments);
	if (n > 0)
		words->length += (size_t)n;
}

#define MOST_NAMED 4	/* of a list */

/* "A", "A or B", "A, B or C", and "... or N others" when there are many. @i counts from 0 to @count - 1. */
static void add_separator(struct words *words, size_t i, size_t count)
{
	if (i)
		add(words, i + 1 == count || i == MOST_NAMED ? " or " : ", ");
}

static const char *protocol_name(uint32_t protocol, char buffer[16])
{
	static const struct {
		uint8_t number;
		const char *name;
	} names[] = { { 1, "icmp" }, { 6, "tcp" }, { 17, "udp" }, { 58, "icmpv6" }, { 132, "sctp" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == protocol)
			return names[i].name;
	snprintf(buffer, 16, "protocol %u", protocol);
	return buffer;
}

static bool is_icmp(uint32_t protocol)
{
	return protocol == 1 || protocol == 58;
}

/* The low part of a match, within one protocol: ports, or ICMP types and codes. */
static void add_range(struct words *words, uint32_t protocol, uint32_t first, uint32_t last)
{
	if (!is_icmp(protocol)) {
		add(words, first == last ? "%u" : "%u-%u", first, last);
		return;
	}
	add(words, first >> 8 == last >> 8 ? "%u" : "%u-%u", first >> 8, last >> 8);
	if (first == last)
		add(words, " code %u", first & 0xff);
}

static bool selector_matches(const struct rule *rule, uint32_t selector)
{
	for (size_t i = 0; i < rule->match_count; i++)
		if (rule->matches[i].first <= selector && selector <= rule->matches[i].last)
			return true;
	return false;
}

static void match_lacks(struct words *words, const struct rule *rule, uint32_t selector)
{
	uint32_t protocol = selector >> 16, low = selector & 0xffff;
	size_t same = 0, named = 0;
	uint32_t last_named = UINT32_MAX;
	char name[16];

	for (size_t i = 0; i < rule->match_count; i++)
		same += rule->matches[i].first >> 16 == protocol;
	if (!same) {
		add(words, "the protocol is %s, not ", protocol_name(protocol, name));
		for (size_t i = 0; i < rule->match_count && named < MOST_NAMED; i++) {
			if (rule->matches[i].first >> 16 == last_named)
				continue;
			last_named = rule->matches[i].first >> 16;
			add(words, "%s%s", named++ ? " or " : "", protocol_name(last_named, name));
		}
		return;
	}
	add(words, is_icmp(protocol) ? "the ICMP type is " : "the port is ");
	if (is_icmp(protocol))
		add(words, "%u code %u", low >> 8, low & 0xff);
	else
		add(words, "%u", low);
	add(words, ", not ");
	for (size_t i = 0; i < rule->match_count && named <= MOST_NAMED; i++) {
		if (rule->matches[i].first >> 16 != protocol)
			continue;
		add_separator(words, named, same);
		if (named++ == MOST_NAMED && same > MOST_NAMED + 1)
			add(words, "%zu others", same - MOST_NAMED);
		else
			add_range(words, protocol, rule->matches[i].first & 0xffff,
				  rule->matches[i].last >> 16 == protocol ? rule->matches[i].last & 0xffff : 0xffff);
	}
}

static bool in_set(const struct policy_set *policies, const char *name, const struct dnet_addr *addr)
{
	const struct prefix_set *set = policies ? policy_set_find(policies, name) : NULL;

	for (size_t i = 0; set && i < set->prefix_count; i++)
		if (prefix_covers(&set->prefixes[i].addr, set->prefixes[i].prefix_len, addr, 128))
			return true;
	return false;
}

static bool is_metadata(const struct dnet_addr *addr)
{
	for (const struct prefix *prefix = metadata_prefixes; prefix->prefix_len; prefix++)
		if (addr_equal(addr, &prefix->addr))
			return true;
	return false;
}

static bool is_resolver(const struct compile_endpoint *owner, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < owner->resolver_count; i++)
		if (resolver_on_wire(&owner->resolvers[i]) && addr_equal(addr, &owner->resolvers[i]))
			return true;
	return false;
}

static bool is_outside(enum dnet_peer_class class)
{
	return class == DNET_PEER_OUTSIDE || class == DNET_PEER_LAN || class == DNET_PEER_INTERNET;
}

static bool peer_matches(const struct peer *peer, const struct compile_endpoint *owner, const struct policy_set *policies,
			 const struct explain_question *question)
{
	switch (peer->kind) {
	case PEER_ANY:
		return true;
	case PEER_PREFIX:
		return prefix_covers(&peer->prefix, peer->prefix_len, &question->peer, 128);
	case PEER_OUTSIDE:
		return is_outside(question->peer_class);
	case PEER_HOST:
		return question->peer_class == DNET_PEER_HOST;
	case PEER_LAN:
		return question->peer_class == DNET_PEER_LAN;
	case PEER_INTERNET:
		return question->peer_class == DNET_PEER_INTERNET;
	case PEER_METADATA:
		return is_metadata(&question->peer);
	case PEER_DNS:
		return is_resolver(owner, &question->peer);
	case PEER_GROUP:
		return question->group;
	case PEER_PROJECT:
	case PEER_CONTAINER:
	case PEER_SERVICE:
	case PEER_NETWORK:
	case PEER_LABEL:
		return question->peer_endpoint && question->peer_named &&
		       peer_names_endpoint(peer, owner->container->project, question->peer_named);
	case PEER_SET:
		return in_set(policies, peer->name, &question->peer);
	case PEER_INTERFACE:
		return question->peer_ifindex && question->peer_interface && strcmp(peer->name, question->peer_interface) == 0;
	case PEER_COUNTRY:
		return question->peer_country == dnet_country(peer->name);
	}
	return false;
}

/* As the rule has it. */
static void add_peer(struct words *words, const struct peer *peer)
{
	static const char *const names[] = {
		[PEER_ANY] = "any", [PEER_OUTSIDE] = "outside", [PEER_HOST] = "host", [PEER_LAN] = "lan", [PEER_INTERNET] = "internet",
		[PEER_METADATA] = "metadata", [PEER_DNS] = "dns", [PEER_GROUP] = "multicast", [PEER_PROJECT] = "project",
		[PEER_CONTAINER] = "container:", [PEER_SERVICE] = "service:", [PEER_NETWORK] = "network:", [PEER_LABEL] = "label:",
		[PEER_SET] = "set:", [PEER_COUNTRY] = "geo:", [PEER_INTERFACE] = "iface:",
	};
	char prefix[TEXT_PREFIX_SIZE];

	if (peer->kind == PEER_PREFIX)
		add(words, "%s", text_prefix(&peer->prefix, peer->prefix_len, prefix));
	else
		add(words, "%s%s%s%s%s%s", names[peer->kind], peer->project ? peer->project : "", peer->project ? "/" : "",
		    peer->key ? peer->key : "", peer->key ? "=" : "", peer->name ? peer->name : "");
}

/* The peer in words: a container's name, or the address. */
static void add_subject(struct words *words, const struct explain_question *question)
{
	char addr[TEXT_ADDR_SIZE];

	if (question->peer_endpoint && question->peer_named)
		add(words, "container %s", question->peer_named->container->name);
	else
		add(words, "%s", text_addr(&question->peer, addr));
}

static void add_address(struct words *words, const struct explain_question *question)
{
	char addr[TEXT_ADDR_SIZE];

	add(words, "%s", text_addr(&question->peer, addr));
}

/* Why a name does not mean this container. */
static void name_lacks(struct words *words, const struct peer *peer, const struct compile_endpoint *owner,
		       const struct explain_question *question)
{
	const struct compile_endpoint *named = question->peer_named;
	char service[CONTAINER_SERVICE_SIZE];
	const char *value;

	add_subject(words, question);
	if (!question->peer_endpoint || !named) {
		add(words, " is no container that is known here");
		return;
	}
	switch (peer->kind) {
	case PEER_PROJECT:
		if (!owner->container->project)
			add(words, " cannot be in the project of %s, which has none", owner->container->name);
		else if (!named->container->project)
			add(words, " is in no project, not in %s", owner->container->project);
		else
			add(words, " is in project %s, not in %s", named->container->project, owner->container->project);
		break;
	case PEER_CONTAINER:
		add(words, " is not container:%s", peer->name);
		break;
	case PEER_SERVICE:
		if (named->container->service)
			add(words, " is service %s, not ", container_service(named->container, service));
		else
			add(words, " is no compose service, so not ");
		if (peer->project || owner->container->project)
			add(words, "%s/", peer->project ? peer->project : owner->container->project);
		add(words, "%s", peer->name);
		break;
	case PEER_NETWORK:
		add(words, " is on network %s here, not on %s", named->network->name, peer->name);
		break;
	default:
		value = container_label(named->container, peer->key);
		if (value)
			add(words, " has label %s=%s, not %s=%s", peer->key, value, peer->key, peer->name);
		else
			add(words, " has no label %s", peer->key);
		break;
	}
}

/* One peer that does not match. */
static void peer_lacks(struct words *words, const struct peer *peer, const struct compile_endpoint *owner,
		       const struct explain_question *question)
{
	char text[TEXT_PREFIX_SIZE];

	if (peer_is_name(peer)) {
		name_lacks(words, peer, owner, question);
		return;
	}
	switch (peer->kind) {
	case PEER_PREFIX:
		add_address(words, question);
		add(words, peer->prefix_len < 128 ? " is not in %s" : " is not %s", text_prefix(&peer->prefix, peer->prefix_len, text));
		break;
	case PEER_GROUP:
		add(words, "it is not addressed to a multicast or broadcast address");
		break;
	case PEER_INTERFACE:
		if (question->peer_ifindex && question->peer_interface)
			add(words, "it came in by interface %s, not %s", question->peer_interface, peer->name);
		else
			add(words, "it did not come in by interface %s", peer->name);
		break;
	case PEER_HOST:
		add_subject(words, question);
		add(words, " is not this host");
		break;
	case PEER_OUTSIDE:
		add_subject(words, question);
		add(words, " is not outside");
		break;
	case PEER_LAN:
		add_subject(words, question);
		add(words, is_outside(question->peer_class) ? " is not a private address" : " is not outside, in a lan");
		break;
	case PEER_INTERNET:
		add_subject(words, question);
		add(words, is_outside(question->peer_class) ? " is not globally reachable" : " is not outside, on the internet");
		break;
	case PEER_METADATA:
		add_address(words, question);
		add(words, " is no metadata service");
		break;
	case PEER_DNS:
		add_address(words, question);
		add(words, " is no resolver of %s", owner->container->name);
		break;
	case PEER_SET:
		add_address(words, question);
		add(words, " is not in set:%s", peer->name);
		break;
	default:
		add_address(words, question);
		if (question->peer_country)
			add(words, " is in country %c%c, not %s", (int)(question->peer_country >> 8), (int)(question->peer_country & 0xff), peer->name);
		else
			add(words, " is in no country that the database knows, not in %s", peer->name);
		break;
	}
}

static void peers_lack(struct words *words, const struct rule *rule, const struct explain_question *question)
{
	add_subject(words, question);
	add(words, " is none of ");
	for (size_t i = 0; i < rule->peer_count && i <= MOST_NAMED; i++) {
		add_separator(words, i, rule->peer_count);
		if (i == MOST_NAMED && rule->peer_count > MOST_NAMED + 1)
			add(words, "%zu others", rule->peer_count - MOST_NAMED);
		else
			add_peer(words, &rule->peers[i]);
	}
}

const char *explain_lacks(const struct rule *rule, const struct compile_endpoint *owner, const struct policy_set *policies,
			  const struct explain_question *question, char *buffer, size_t size)
{
	struct words words = { .buffer = buffer, .size = size };

	if (size)
		buffer[0] = '\0';
	if (rule->network && strcmp(rule->network, owner->network->name) != 0)
		add(&words, "it holds on network %s, and %s is on %s here", rule->network, owner->container->name, owner->network->name);
	if (!selector_matches(rule, question->selector)) {
		add(&words, "%s", words.length ? " and " : "");
		match_lacks(&words, rule, question->selector);
	}
	for (size_t i = 0; i < rule->peer_count; i++)
		if (peer_matches(&rule->peers[i], owner, policies, question))
			return buffer;
	add(&words, "%s", words.length ? " and " : "");
	if (rule->peer_count == 1)
		peer_lacks(&words, &rule->peers[0], owner, question);
	else
		peers_lack(&words, rule, question);
	return buffer;
}
