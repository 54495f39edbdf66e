/* SPDX-License-Identifier: GPL-2.0 */
#include "evaluate.h"

#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* --- addresses */

bool reference_holds(const struct dnet_addr *prefix, unsigned int prefix_len, const struct dnet_addr *addr)
{
	bool v4 = addr_is_v4(prefix) && prefix_len >= DNET_V4_PREFIX_OFFSET;

	if (v4 != addr_is_v4(addr))
		return false;
	for (unsigned int bit = 0; bit < prefix_len; bit++)
		if ((prefix->byte[bit / 8] ^ addr->byte[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

static bool holds_text(const char *text, const struct dnet_addr *addr)
{
	struct dnet_addr prefix;
	unsigned int prefix_len;
	bool host_bits;

	return text_parse_prefix(text, &prefix, &prefix_len, &host_bits) == 0 && reference_holds(&prefix, prefix_len, addr);
}

static bool holds_some(const char *const *table, size_t count, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < count; i++)
		if (holds_text(table[i], addr))
			return true;
	return false;
}

static const char *const metadata_addresses[] = {
	"169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
};

/* RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291. */
static const char *const lan_prefixes[] = {
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10",
};

/* IANA's special-purpose address registries: "Globally Reachable" is true inside of a prefix where it is false ... */
static const char *const reachable_after_all[] = {
	"192.0.0.9", "192.0.0.10", "2001:1::1", "2001:1::2", "2001:1::3", "2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28",
};
/* ... and where it is false. */
static const char *const not_reachable[] = {
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
};

bool reference_is_group(const struct dnet_addr *addr)
{
	return holds_text("224.0.0.0/4", addr) || holds_text("255.255.255.255", addr) || holds_text("ff00::/8", addr);
}

static bool is_metadata(const struct dnet_addr *addr)
{
	return holds_some(metadata_addresses, COUNT(metadata_addresses), addr);
}

static bool is_host(const struct reference_world *world, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < world->host_address_count; i++)
		if (addr_equal(&world->host_addresses[i], addr))
			return true;
	return false;
}

static bool is_docker(const struct reference_world *world, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < world->inventory->network_count; i++)
		for (size_t j = 0; j < world->inventory->networks[i].subnet_count; j++) {
			const struct prefix *subnet = &world->inventory->networks[i].subnets[j];

			if (reference_holds(&subnet->addr, subnet->prefix_len, addr))
				return true;
		}
	return false;
}

/* What somebody outside is, by the address: lan, internet, or only outside. */
static enum dnet_peer_class scope(const struct reference_world *world, const struct dnet_addr *addr)
{
	if (is_host(world, addr) || is_docker(world, addr) || is_metadata(addr))
		return DNET_PEER_OUTSIDE;
	if (holds_some(lan_prefixes, COUNT(lan_prefixes), addr))
		return DNET_PEER_LAN;
	if (!holds_some(reachable_after_all, COUNT(reachable_after_all), addr) && holds_some(not_reachable, COUNT(not_reachable), addr))
		return DNET_PEER_OUTSIDE;
	return DNET_PEER_INTERNET;
}

/* --- who is the peer */

static bool has_address(const struct reference_endpoint *endpoint, const struct dnet_addr *addr)
{
	for (size_t i = 0; i < endpoint->attachment->address_count; i++)
		if (addr_equal(&endpoint->attachment->addresses[i], addr))
			return true;
	return false;
}

/* The endpoint with that address: on @network, NULL: wherever. */
static const struct reference_endpoint *owner(const struct reference_world *world, const struct network *network,
					      const struct dnet_addr *addr)
{
	for (size_t i = 0; i < world->endpoint_count; i++)
		if ((!network || world->endpoints[i].network == network) && has_address(&world->endpoints[i], addr))
			return &world->endpoints[i];
	return NULL;
}

/* Who sent from there: the endpoint with that address, or whose container has it on another network, because a host may send
 * from any of its addresses. */
static const struct reference_endpoint *sender_on(const struct reference_world *world, const struct network *network,
						  const struct dnet_addr *addr)
{
	const struct reference_endpoint *found = owner(world, network, addr);

	if (found)
		return found;
	for (size_t i = 0; i < world->endpoint_count; i++)
		for (size_t j = 0; world->endpoints[i].network == network && j < world->endpoint_count; j++)
			if (world->endpoints[j].container == world->endpoints[i].container && has_address(&world->endpoints[j], addr))
				return &world->endpoints[i];
	return NULL;
}

static void find_sender(const struct reference_world *world, const struct reference_packet *packet, struct reference_answer *ret)
{
	ret->peer = packet->src;
	ret->peer_class = DNET_PEER_OTHER;
	switch (packet->origin) {
	case ORIGIN_HOST:
		ret->peer_class = DNET_PEER_HOST;
		break;
	case ORIGIN_PORT:
		ret->peer_endpoint = &world->endpoints[packet->from];
		break;
	case ORIGIN_BRIDGE:
		ret->peer_endpoint = sender_on(world, &world->inventory->networks[packet->from], &packet->src);
		break;
	case ORIGIN_OUTSIDE:
		ret->peer_class = scope(world, &packet->src);
		ret->peer_outside = true;
		break;
	default:
		break;
	}
}

static void find_receiver(const struct reference_world *world, const struct reference_packet *packet, struct reference_answer *ret)
{
	const struct reference_endpoint *own = &world->endpoints[packet->endpoint];

	ret->peer = packet->dst;
	ret->peer_class = DNET_PEER_OTHER;
	if (reference_is_group(&packet->dst))
		return;
	ret->peer_endpoint = owner(world, own->network, &packet->dst);
	if (!ret->peer_endpoint)
		ret->peer_endpoint = owner(world, NULL, &packet->dst);
	if (ret->peer_endpoint)
		return;
	if (is_host(world, &packet->dst))
		ret->peer_class = DNET_PEER_HOST;
	else if (!is_docker(world, &packet->dst))
		ret->peer_class = scope(world, &packet->dst);
}

static uint32_t selector_of(const struct reference_packet *packet)
{
	switch (packet->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		return DNET_SELECTOR(packet->proto, packet->dst_port);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return DNET_SELECTOR(packet->proto, packet->type << 8 | packet->code);
	default:
		return DNET_SELECTOR(packet->proto, 0);
	}
}

/* --- does a rule match */

static bool glob(const char *pattern, const char *text)
{
	return text && text_glob_match(pattern, text);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

/* Is @peer one of these names for the container of @other? @own: whose rule it is. */
static bool names(const struct peer *peer, const struct reference_endpoint *own, const struct reference_endpoint *other)
{
	const struct container *container = other->container;

	switch (peer->kind) {
	case PEER_CONTAINER:
		return glob(peer->name, container->name);
	case PEER_SERVICE:
		if (!glob(peer->name, container->service))
			return false;
		return peer->project ? text_glob_match(peer->project, container->project ? container->project : "") :
				       same(own->container->project, container->project);
	case PEER_NETWORK:
		return strcmp(peer->name, other->network->name) == 0;
	case PEER_LABEL:
		return glob(peer->name, container_label(container, peer->key));
	case PEER_PROJECT:
		return own->container->project && same(own->container->project, container->project);
	default:
		return false;
	}
}

static bool peer_matches(const struct reference_world *world, const struct peer *peer, const struct reference_endpoint *own,
			 const struct reference_packet *packet, const struct reference_answer *answer)
{
	const struct prefix_set *set;
	enum dnet_peer_class class = answer->peer_class;

	switch (peer->kind) {
	case PEER_ANY:
		return true;
	case PEER_PREFIX:
		return reference_holds(&peer->prefix, peer->prefix_len, &answer->peer);
	case PEER_OUTSIDE:
		return class == DNET_PEER_OUTSIDE || class == DNET_PEER_LAN || class == DNET_PEER_INTERNET;
	case PEER_LAN:
		return class == DNET_PEER_LAN;
	case PEER_INTERNET:
		return class == DNET_PEER_INTERNET;
	case PEER_HOST:
		return class == DNET_PEER_HOST;
	case PEER_METADATA:
		return is_metadata(&answer->peer);
	case PEER_DNS:
		for (size_t i = 0; i < own->resolver_count; i++)
			if (addr_equal(&own->resolvers[i], &answer->peer))
				return true;
		return false;
	case PEER_GROUP:
		return answer->group;
	case PEER_SET:
		set = policy_set_find(world->policies, peer->name);
		for (size_t i = 0; set && i < set->prefix_count; i++)
			if (reference_holds(&set->prefixes[i].addr, set->prefixes[i].prefix_len, &answer->peer))
				return true;
		return false;
	case PEER_INTERFACE:
		return answer->peer_outside && strcmp(peer->name, packet->interface) == 0;
	default:
		return answer->peer_endpoint && names(peer, own, answer->peer_endpoint);
	}
}

static bool rule_matches(const struct reference_world *world, const struct rule *rule, const struct reference_packet *packet,
			 const struct reference_answer *answer, struct reference_rule *ret)
{
	const struct reference_endpoint *own = &world->endpoints[packet->endpoint];

	if (rule->network && strcmp(rule->network, own->network->name) != 0)
		return false;
	for (size_t i = 0; i < rule->match_count; i++) {
		if (answer->selector < rule->matches[i].first || answer->selector > rule->matches[i].last)
			continue;
		for (size_t j = 0; j < rule->peer_count; j++)
			if (peer_matches(world, &rule->peers[j], own, packet, answer)) {
				ret->rule = rule;
				ret->match = &rule->matches[i];
				ret->peer = &rule->peers[j];
				return true;
			}
		return false;
	}
	return false;
}

/* --- which policies are for a container */

bool reference_selects(const struct selector *selector, const struct reference_world *world, const struct container *container)
{
	switch (selector->kind) {
	case SELECT_ALL:
		return true;
	case SELECT_CONTAINER:
		return glob(selector->value, container->name);
	case SELECT_SERVICE:
		return glob(selector->value, container->service) &&
		       (!selector->project || glob(selector->project, container->project ? container->project : ""));
	case SELECT_LABEL:
		return glob(selector->value, container_label(container, selector->key));
	case SELECT_NETWORK:
		for (size_t i = 0; i < world->endpoint_count; i++)
			if (world->endpoints[i].container == container && strcmp(world->endpoints[i].network->name, selector->value) == 0)
				return true;
		return false;
	case SELECT_PROJECT:
		return glob(selector->value, container->project);
	case SELECT_IMAGE:
		return glob(selector->value, container->image);
	case SELECT_AND:
		for (size_t i = 0; i < selector->child_count; i++)
			if (!reference_selects(&selector->children[i], world, container))
				return false;
		return true;
	case SELECT_OR:
		for (size_t i = 0; i < selector->child_count; i++)
			if (reference_selects(&selector->children[i], world, container))
				return true;
		return false;
	case SELECT_NOT:
		return !reference_selects(&selector->children[0], world, container);
	}
	return false;
}

static bool applies(const struct reference_world *world, const struct policy *policy)
{
	return !policy->until_unix_ns || policy->until_unix_ns > world->now_unix_ns;
}

/* What the policies say of one direction of one endpoint. */
struct situation {
	const struct reference_world *world;
	const struct reference_endpoint *own;
	enum dnet_direction direction;
	const struct policy *named;	/* by dnetbpf.policy: stands before the labels' own rules */
	bool file, labels;		/* which of them govern */
	bool add;			/* the labels' rules continue the file's list */
};

static bool is_selected(const struct situation *at, const struct policy *policy, bool override)
{
	return policy->override == override && applies(at->world, policy) &&
	       reference_selects(&policy->selector, at->world, at->own->container);
}

static bool labels_govern(const struct situation *at, enum dnet_direction direction)
{
	return (at->own->labels->present && at->own->labels->policy.direction[direction].present) ||
	       (at->named && at->named->direction[direction].present);
}

static void find_situation(const struct reference_world *world, const struct reference_endpoint *own, enum dnet_direction direction,
			   struct situation *ret)
{
	const struct policy_set *policies = world->policies;
	size_t selecting = 0, adding = 0;

	*ret = (struct situation){ .world = world, .own = own, .direction = direction };
	if (own->labels->policy_name)
		ret->named = policy_set_policy(policies, own->labels->policy_name);
	if (ret->named && !applies(world, ret->named))
		ret->named = NULL;
	for (size_t i = 0; i < policies->policy_count; i++) {
		const struct policy *policy = &policies->policies[i];

		if (!is_selected(ret, policy, false))
			continue;
		selecting++;
		adding += policy->labels_add;
		ret->file |= policy->direction[direction].present;
	}
	ret->labels = labels_govern(ret, direction);
	/* Every policy of the list must agree to it, and a container that chooses a policy for itself can only narrow. */
	ret->add = selecting && adding == selecting &&
		   !(ret->named && (ret->named->direction[DNET_INGRESS].present || ret->named->direction[DNET_EGRESS].present));
}

/*
 * The policies of the file that select it must all say audit, and labels can then still ask for enforcement. Without such a
 * policy the labels say it, or the policy that they name; rules by hand have a say where nothing else has.
 */
static bool is_audit(const struct situation *at)
{
	const struct policy_set *policies = at->world->policies;
	const struct label_policy *labels = at->own->labels;
	size_t selecting = 0, audits = 0, overrides = 0, override_audits = 0;

	for (size_t i = 0; i < policies->policy_count; i++) {
		const struct policy *policy = &policies->policies[i];
		bool audit = policy->mode == POLICY_AUDIT;

		if (is_selected(at, policy, false)) {
			selecting++;
			audits += audit;
		} else if (is_selected(at, policy, true)) {
			overrides++;
			override_audits += audit;
		}
	}
	if (selecting)
		return audits == selecting && !(labels->mode_set && labels->policy.mode == POLICY_ENFORCE);
	if (overrides && !labels_govern(at, DNET_INGRESS) && !labels_govern(at, DNET_EGRESS))
		return override_audits == overrides;
	if (labels->mode_set)
		return labels->policy.mode == POLICY_AUDIT;
	return at->named && at->named->mode == POLICY_AUDIT;
}

/* --- the walk */

struct walk {
	const struct situation *at;
	const struct reference_packet *packet;
	const struct reference_answer *answer;
	struct reference_rule *found;
};

static bool walk_policy(const struct walk *walk, const struct policy *policy)
{
	const struct rule_list *list = &policy->direction[walk->at->direction];

	for (size_t i = 0; list->present && i < list->count; i++)
		if (rule_matches(walk->at->world, &list->rules[i], walk->packet, walk->answer, walk->found)) {
			walk->found->policy = policy;
			return true;
		}
	return false;
}

static bool walk_selected(const struct walk *walk, bool override)
{
	const struct policy_set *policies = walk->at->world->policies;

	for (size_t i = 0; i < policies->policy_count; i++)
		if (is_selected(walk->at, &policies->policies[i], override) && walk_policy(walk, &policies->policies[i]))
			return true;
	return false;
}

static bool walk_labels(const struct walk *walk)
{
	return (walk->at->named && walk_policy(walk, walk->at->named)) ||
	       (walk->at->own->labels->present && walk_policy(walk, &walk->at->own->labels->policy));
}

static bool walk_unwritten(const struct walk *walk, const char *word, bool matches)
{
	if (matches)
		walk->found->unwritten = word;
	return matches;
}

/* A direction that is absent falls to defaults.unselected. Returns whether that says anything but "not filtered". */
static bool walk_unselected(const struct walk *walk)
{
	enum dnet_peer_class class = walk->answer->peer_class;
	bool outside = class == DNET_PEER_OUTSIDE || class == DNET_PEER_LAN || class == DNET_PEER_INTERNET;

	switch (walk->at->world->policies->unselected) {
	case UNSELECTED_DENY:
		return false;
	case UNSELECTED_OUTSIDE:
		if (walk_unwritten(walk, "outside", walk->at->direction == DNET_INGRESS && outside))
			return true;
		break;
	case UNSELECTED_ALLOW:
		break;
	}
	return walk_unwritten(walk, "any", true);
}

static bool has_overrides(const struct situation *at)
{
	const struct policy_set *policies = at->world->policies;

	for (size_t i = 0; i < policies->policy_count; i++)
		if (is_selected(at, &policies->policies[i], true) && policies->policies[i].direction[at->direction].count)
			return true;
	return false;
}

/* Is there a list of this layer? */
static bool governs(const struct situation *at, enum dnet_layer layer)
{
	const struct policy_set *policies = at->world->policies;

	switch (layer) {
	case DNET_LAYER_HOST:
		return policies->host.direction[at->direction].present;
	case DNET_LAYER_FILE:
		if (at->file || at->labels)
			return at->file || at->add;
		return has_overrides(at) || policies->unselected == UNSELECTED_DENY ||
		       (policies->unselected == UNSELECTED_OUTSIDE && at->direction == DNET_INGRESS);
	default:
		return at->labels && !at->add;
	}
}

static void walk_layer(const struct walk *walk, enum dnet_layer layer)
{
	const struct situation *at = walk->at;

	if (layer == DNET_LAYER_HOST) {
		if (!walk_policy(walk, &at->world->policies->host))
			walk_unwritten(walk, "pass", true);
		return;
	}
	if (walk_selected(walk, true))
		return;
	if (layer == DNET_LAYER_LABELS)
		walk_labels(walk);
	else if (!at->file && !at->labels)
		walk_unselected(walk);
	else if (!walk_selected(walk, false) && at->add)
		walk_labels(walk);
}

static bool allows(const struct reference_rule *found)
{
	if (found->unwritten)
		return strcmp(found->unwritten, "outside") != 0;
	return found->rule && found->rule->action == DNET_RULE_ALLOW;
}

void reference_evaluate(const struct reference_world *world, const struct reference_packet *packet, struct reference_answer *ret)
{
	const struct reference_endpoint *own = &world->endpoints[packet->endpoint];
	struct situation at;

	memset(ret, 0, sizeof(*ret));
	ret->selector = selector_of(packet);
	ret->group = reference_is_group(&packet->dst);
	if (packet->direction == DNET_INGRESS)
		find_sender(world, packet, ret);
	else
		find_receiver(world, packet, ret);
	ret->verdict = DNET_DENY;
	if (packet->direction == DNET_INGRESS && packet->origin == ORIGIN_STRANGER && world->policies->unknown_deny) {
		ret->reason = DNET_REASON_UNKNOWN_ENDPOINT;
		return;
	}
	if (own->labels->invalid) {
		ret->reason = DNET_REASON_POLICY_INVALID;
		return;
	}
	find_situation(world, own, packet->direction, &at);
	ret->verdict = DNET_PASS;
	ret->reason = DNET_REASON_UNSELECTED;
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS; layer++) {
		struct reference_rule *found = &ret->rule[layer];
		struct walk walk = { .at = &at, .packet = packet, .answer = ret, .found = found };

		if (!governs(&at, layer))
			continue;
		ret->governed[layer] = true;
		ret->layer = layer;
		/* What passes the host's rules alone is still not filtered by a policy. */
		if (layer != DNET_LAYER_HOST)
			ret->reason = DNET_REASON_POLICY_ALLOWED;
		walk_layer(&walk, layer);
		if (allows(found))
			continue;
		ret->reason = found->rule || found->unwritten ? DNET_REASON_POLICY_DENIED : DNET_REASON_DEFAULT_DENIED;
		/* host: has no mode: nobody's audit lifts it. */
		ret->verdict = layer != DNET_LAYER_HOST && is_audit(&at) ? DNET_WOULD_DENY : DNET_DENY;
		return;
	}
}
