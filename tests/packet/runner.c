/* SPDX-License-Identifier: GPL-2.0 */
/* Runs cases and checks everything that a packet changes. */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/text.h"

static const uint8_t bridge_mac[6] = { 0x02, 0, 0, 0, 0xff, 0x01 };

static const char *const reason_names[DNET_REASON_SPAN] = {
#define X(id, NAME, name, class, sentence) [id] = name,
	DNET_REASONS(X)
#undef X
};
static bool reasons[DNET_REASON_SPAN];

void reason_seen(enum dnet_reason reason)
{
	reasons[reason] = true;
}

bool reason_was_seen(enum dnet_reason reason)
{
	return reasons[reason];
}

static unsigned int tap_number, tap_failures;

void tap(bool good, const char *name, const char *format, ...)
{
	va_list arguments;

	printf("%sok %u - %s\n", good ? "" : "not ", ++tap_number, name);
	if (good)
		return;
	tap_failures++;
	printf("# ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
}

int tap_end(void)
{
	printf("1..%u\n", tap_number);
	return tap_failures ? 1 : 0;
}

/* --- one step */

struct place {
	enum dataplane_program program;
	uint32_t ifindex, origin, slot, endpoint_id;
	enum dnet_direction direction;
	bool routed;
	const char *packet;	/* the rest of the line */
	uint8_t smac[6], dmac[6];
};

static bool is_port_of(struct world *world, const char *name, int bridge)
{
	const struct live *live = world_endpoint(world, name);

	return live ? live->bridge_ifindex == bridge : strcmp(name, "rogue") == 0 || strcmp(name, "new") == 0;
}

/* INTERFACE (">" | "^" | "<" ORIGIN) PACKET */
static bool read_place(struct world *world, const char *line, struct place *ret)
{
	char interface[32], arrow, origin[32] = "";
	const struct live *live;
	int used = 0;

	memset(ret, 0, sizeof(*ret));
	if (sscanf(line, "%31s %c %n", interface, &arrow, &used) < 2 || !used)
		return false;
	line += used;
	ret->ifindex = if_nametoindex(interface);
	live = world_endpoint(world, interface);
	memcpy(ret->smac, bridge_mac, 6);
	memcpy(ret->dmac, bridge_mac, 6);
	if (live && world->dataplane->endpoints[live->slot].ifindex == ret->ifindex) {
		ret->slot = live->slot;
		ret->endpoint_id = live->id;
	}
	switch (arrow) {
	case '<':
		if (sscanf(line, "%31s %n", origin, &used) != 1)
			return false;
		line += used;
		ret->program = PROGRAM_INGRESS;
		ret->direction = DNET_INGRESS;
		ret->origin = strcmp(origin, "host") == 0 ? 0 : if_nametoindex(origin);
		if (!ret->origin && strcmp(origin, "host") != 0)
			return false;
		ret->routed = !live || !is_port_of(world, origin, live->bridge_ifindex);
		if (live)
			memcpy(ret->dmac, live->mac, 6);
		break;
	case '>':
		ret->program = PROGRAM_EGRESS;
		ret->direction = DNET_EGRESS;
		ret->routed = true;
		if (live)
			memcpy(ret->smac, live->mac, 6);
		break;
	case '^':
		ret->program = PROGRAM_BRIDGE;
		ret->direction = DNET_EGRESS;
		break;
	default:
		return false;
	}
	ret->packet = line;
	return ret->ifindex != 0;
}

#define FAIL(...) do { snprintf(problem, size, __VA_ARGS__); return false; } while (0)

static const char *reason_name(unsigned int reason)
{
	return reason < DNET_REASON_SPAN && reason_names[reason] ? reason_names[reason] : "?";
}

/* Which counters changed, in words. */
static void describe_changes(const struct world_counters *before, const struct world_counters *after, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		for (uint32_t direction = 0; direction < DNET_DIRECTIONS; direction++)
			for (uint32_t reason = 0; reason < DNET_REASON_SPAN && at < size - 1; reason++)
				for (uint32_t verdict = 0; verdict < 2; verdict++) {
					uint32_t pass = dnet_pass_index(slot, direction, reason);
					uint32_t deny = dnet_deny_index(slot, direction, verdict ? DNET_WOULD_DENY : DNET_DENY, reason);
					const struct dnet_counter *old = reason < DNET_PASS_SPAN ? &before->pass[pass] : &before->deny[deny];
					const struct dnet_counter *new = reason < DNET_PASS_SPAN ? &after->pass[pass] : &after->deny[deny];

					if ((reason < DNET_PASS_SPAN && verdict) || memcmp(old, new, sizeof(*old)) == 0)
						continue;
					at += (size_t)snprintf(text + at, size - at, "%s%s slot %u %s +%llu packets +%llu bytes", at ? ", " : "",
							       reason_name(reason), slot, direction ? "egress" : "ingress",
							       (unsigned long long)(new->packets - old->packets),
							       (unsigned long long)(new->bytes - old->bytes));
					if (verdict && at < size)
						at += (size_t)snprintf(text + at, size - at, " (passed)");
					if (at >= size)
						return;
				}
}

static bool check_counters(const struct step *step, const struct place *place, const struct frame *frame,
			   struct world_counters *before, const struct world_counters *after, char *problem, size_t size)
{
	struct dnet_counter *expected = step->reason < DNET_PASS_SPAN ?
		&before->pass[dnet_pass_index(place->slot, place->direction, step->reason)] :
		&before->deny[dnet_deny_index(place->slot, place->direction, step->verdict, step->reason)];
	uint64_t packets = frame->gso_segments > 1 ? frame->gso_segments : 1;
	char changes[512];

	describe_changes(before, after, changes, sizeof(changes));
	expected->packets += packets;
	expected->bytes += frame->length + (packets - 1) * frame->headers;
	if (memcmp(before, after, sizeof(*before)) != 0)
		FAIL("%s: expected %s slot %u %s +%llu packets +%llu bytes, changed: %s", step->line, reason_name(step->reason), place->slot,
		     place->direction ? "egress" : "ingress", (unsigned long long)packets,
		     (unsigned long long)(frame->length + (packets - 1) * frame->headers), changes[0] ? changes : "nothing");
	return true;
}

static uint32_t layer_of(const struct step *step)
{
	return step->layer ? step->layer - 1 : DNET_LAYER_FILE;
}

/* The counter of the rule that a layer answered with, from the tables that are in force. */
static uint32_t explained_counter(const struct world *world, const struct dnet_explanation *explanation, int layer)
{
	const struct dnet_ruleset *ruleset = &world->dataplane->rulesets[explanation->ruleset[layer]];

	if (explanation->rule[layer] == DNET_EXPLAIN_NO_RULE)
		return DNET_NO_RULE;
	return world->dataplane->rules[ruleset->rule_base + explanation->rule[layer]].counter;
}

/* What explain says before the packet comes is what the packet will find. Only a full table it cannot foresee. */
static bool check_explanation(struct world *world, const struct step *step, const struct place *place, const struct frame *frame,
			      char *problem, size_t size)
{
	struct dnet_flow before = {}, after = {};
	struct dnet_explanation explanation;
	struct error error = {};
	bool named = !step->rule;
	struct dnet_flow_key key;

	if (place->program == PROGRAM_BRIDGE || step->reason == DNET_REASON_FLOW_TABLE_FULL)
		return true;
	world_flow(world, frame, &key, &before);
	if (world_explain(world, place->direction, place->ifindex, place->origin, place->routed, frame, &explanation, &error) < 0)
		FAIL("%s: explain: %s", step->line, error.text);
	world_flow(world, frame, &key, &after);
	if (memcmp(&before, &after, sizeof(before)) != 0)
		FAIL("%s: explain has changed the flow", step->line);
	if (explanation.reason != step->reason || explanation.verdict != step->verdict || explanation.endpoint_id != place->endpoint_id)
		FAIL("%s: explain says %s, verdict %u, endpoint %u", step->line, reason_name(explanation.reason), explanation.verdict,
		     explanation.endpoint_id);
	if (step->verdict != DNET_PASS && explanation.layer != layer_of(step))
		FAIL("%s: explain says that layer %u denies", step->line, explanation.layer);
	named = named || explanation.rule_counter == world_rule(step->rule);
	for (int layer = 0; layer < DNET_LAYERS; layer++)
		named = named || explained_counter(world, &explanation, layer) == world_rule(step->rule);
	if (!named)
		FAIL("%s: explain does not name the rule %s", step->line, step->rule);
	return true;
}

static bool check_event(const struct world *world, const struct step *step, const struct place *place,
			const struct frame *frame, char *problem, size_t size)
{
	const struct dnet_event *event = &world->last_event;
	/* Pass and the bridge's noise are not news. */
	bool expected = dnet_reason_class(step->reason) != DNET_CLASS_PASS && step->reason != DNET_REASON_FLOODED;
	uint32_t rule = step->rule ? world_rule(step->rule) : DNET_NO_RULE;

	if (world->events != expected)
		FAIL("%s: expected %d event, there are %zu", step->line, expected, world->events);
	if (!expected)
		return true;
	if (event->ifindex != place->ifindex || event->endpoint_id != place->endpoint_id || event->direction != place->direction ||
	    event->verdict != step->verdict || event->reason != step->reason)
		FAIL("%s: the event has interface %u, endpoint %u, direction %u, verdict %u, reason %s", step->line, event->ifindex,
		     event->endpoint_id, event->direction, event->verdict, reason_name(event->reason));
	if (event->rule_counter != rule)
		FAIL("%s: the event has rule %u, not %u (%s)", step->line, event->rule_counter, rule, step->rule ? step->rule : "none");
	if (event->layer != layer_of(step))
		FAIL("%s: the event has layer %u", step->line, event->layer);
	if (event->packets != (frame->gso_segments > 1 ? frame->gso_segments : 1) || event->ethertype_be != htons(frame->ethertype))
		FAIL("%s: the event has %u packets, ethertype %#x", step->line, event->packets, ntohs(event->ethertype_be));
	if (event->bytes != frame->length + (event->packets - 1) * frame->headers)
		FAIL("%s: the event has %u bytes", step->line, event->bytes);
	if (event->time_ns == 0 || event->time_ns > monotonic_ns())
		FAIL("%s: the event's time is %llu", step->line, (unsigned long long)event->time_ns);
	/* Of what cannot be parsed nothing more is promised. */
	if (step->reason == DNET_REASON_MALFORMED || step->reason == DNET_REASON_HEADERS_TOO_DEEP || frame->length < frame->needed)
		return true;
	if (!addr_equal(&event->src, &frame->src) || !addr_equal(&event->dst, &frame->dst) || event->proto != frame->proto ||
	    event->src_port_be != htons(frame->src_port) || event->dst_port_be != htons(frame->dst_port) ||
	    event->tcp_flags != frame->tcp_flags)
		FAIL("%s: the event has other addresses, ports %u -> %u, protocol %u, flags %#x", step->line, ntohs(event->src_port_be),
		     ntohs(event->dst_port_be), event->proto, event->tcp_flags);
	return true;
}

static bool check_flow(struct world *world, const struct step *step, const struct frame *frame, char *problem, size_t size)
{
	static const char *const states[] = { "new", "established", "closing" };
	char actual[96] = "none", address[TEXT_ADDR_SIZE];
	struct dnet_flow_key key;
	struct dnet_flow flow;

	if (!step->flow)
		return true;
	if (world_flow(world, frame, &key, &flow))
		snprintf(actual, sizeof(actual), "%s by %s", flow.state < COUNT(states) ? states[flow.state] : "?",
			 text_addr(&key.addr[flow.initiator & 1], address));
	if (strncmp(actual, step->flow, strlen(step->flow)) != 0)
		FAIL("%s: the flow is \"%s\", not \"%s\"", step->line, actual, step->flow);
	return true;
}

static bool run_action(struct world *world, const char *line, char *problem, size_t size);

bool run_step(struct world *world, const struct step *step, char *problem, size_t size)
{
	static struct world_counters before, after;
	uint32_t rule = step->rule ? world_rule(step->rule) : DNET_NO_RULE;
	uint64_t hits = 0;
	char words[256] = "";
	struct place place;
	struct frame frame;
	int answer = 0, r;

	if (step->line[0] == '@')
		return run_action(world, step->line, problem, size);
	if (!read_place(world, step->line, &place))
		FAIL("%s: this step has no place", step->line);
	if (!frame_build(place.packet, place.smac, place.dmac, &frame, words))
		FAIL("%s: %s", step->line, words);
	if (step->rule && rule == DNET_NO_RULE)
		FAIL("%s: there is no rule %s", step->line, step->rule);
	if (step->rule)
		hits = dataplane_rule_hits(world->dataplane, rule);
	world_forget_events(world);
	if (!world_count(world, &before))
		FAIL("the counters cannot be read: %s", strerror(errno));
	/* Inside of what is compared: that explain changes something would show. */
	if (!check_explanation(world, step, &place, &frame, problem, size))
		return false;
	r = world_run(world, place.program, place.ifindex, place.origin, place.routed, &frame, &answer);
	if (r < 0)
		FAIL("%s: BPF_PROG_RUN: %s", step->line, strerror(-r));
	if (!world_count(world, &after))
		FAIL("the counters cannot be read: %s", strerror(errno));
	world_read_events(world);
	if (!check_counters(step, &place, &frame, &before, &after, problem, size))
		return false;
	if (answer != (step->verdict == DNET_DENY ? TC_ACT_SHOT : TC_ACT_UNSPEC))
		FAIL("%s: the program answered %d", step->line, answer);
	if (!check_event(world, step, &place, &frame, problem, size) || !check_flow(world, step, &frame, problem, size))
		return false;
	if (step->rule && dataplane_rule_hits(world->dataplane, rule) != hits + 1)
		FAIL("%s: rule %s has %llu hits more", step->line, step->rule,
		     (unsigned long long)(dataplane_rule_hits(world->dataplane, rule) - hits));
	reason_seen(step->reason);
	return true;
}

/* --- actions: what happens between packets */

static bool act_policy(struct world *world, const char *argument)
{
	struct error error = {};

	if (world_policy(world, argument, &error))
		return true;
	printf("# %s\n", error.text);
	return false;
}

static bool act_raise(struct world *world, const char *argument)
{
	(void)argument;
	dataplane_raise_generation(world->dataplane);
	return true;
}

static bool act_age(struct world *world, const char *argument)
{
	world_age(world, (unsigned int)atoi(argument));
	return true;
}

static bool act_grace(struct world *world, const char *argument)
{
	struct dnet_endpoint *endpoint = world_slot(world, argument);

	if (endpoint)
		endpoint->grace_until_ns = monotonic_ns() + 60 * 1000000000ull;
	return endpoint != NULL;
}

static bool act_grace_over(struct world *world, const char *argument)
{
	struct dnet_endpoint *endpoint = world_slot(world, argument);

	if (endpoint)
		endpoint->grace_until_ns = monotonic_ns() - 1000000000ull;
	return endpoint != NULL;
}

/* Another container got the interface's slot: ids are never used again. */
static bool act_replace(struct world *world, const char *argument)
{
	struct live *live = world_endpoint(world, argument);

	if (!live)
		return false;
	live_set_id(&world->live, live, world->next_id++);
	world->dataplane->endpoints[live->slot].id = live->id;
	return addresses_update(world->dataplane, &world->addresses, &world->live, NULL) >= 0;
}

/* A slot that was given to another interface while a packet is on its way. */
static bool act_steal(struct world *world, const char *argument)
{
	struct dnet_endpoint *endpoint = world_slot(world, argument);

	if (endpoint)
		endpoint->ifindex += 1000;
	return endpoint != NULL;
}

static bool act_damage(struct world *world, const char *argument, size_t field, uint32_t value)
{
	const struct dnet_endpoint *endpoint = world_slot(world, argument);
	uint32_t arena = dataplane_arena(world->dataplane), local;

	if (!endpoint || !(local = endpoint->ruleset[arena][DNET_INGRESS][DNET_LAYER_FILE]))
		return false;
	memcpy((char *)&world->dataplane->rulesets[arena * DNET_MAX_RULESETS + local] + field, &value, sizeof(value));
	return true;
}

static bool act_no_words(struct world *world, const char *argument)
{
	return act_damage(world, argument, offsetof(struct dnet_ruleset, words), 0);
}

static bool act_no_bounds(struct world *world, const char *argument)
{
	return act_damage(world, argument, offsetof(struct dnet_ruleset, bound_base), 0xfffffff0u);
}

static bool act_no_rules(struct world *world, const char *argument)
{
	return act_damage(world, argument, offsetof(struct dnet_ruleset, rule_base), 0xfffffff0u);
}

/* The tables of sets of the arena in force. */
static bool act_no_sets(struct world *world, const char *argument)
{
	(void)argument;
	for (int family = 0; family < DNET_SET_FAMILIES; family++)
		if (dataplane_set_table(world->dataplane, dataplane_arena(world->dataplane), family, NULL, 0, 0, NULL) < 0)
			return false;
	return true;
}

static bool act_no_countries(struct world *world, const char *argument)
{
	(void)argument;
	for (int family = 0; family < DNET_SET_FAMILIES; family++)
		if (dataplane_set_table(world->dataplane, DNET_TABLE_COUNTRIES, family, NULL, 0, 0, NULL) < 0)
			return false;
	return true;
}

static bool act_countries(struct world *world, const char *argument)
{
	struct error error = {};

	(void)argument;
	return world_countries(world, &error);
}

static bool act_seal(struct world *world, const char *argument)
{
	(void)argument;
	world_seal(world, true);
	return true;
}

static const struct {
	const char *name;
	bool (*act)(struct world *world, const char *argument);
} actions[] = {
	{ "@policy", act_policy },		/* another policy is loaded */
	{ "@raise", act_raise },		/* the generation is raised */
	{ "@wait", act_age },			/* SECONDS go by for flows, fragments and rates */
	{ "@grace", act_grace },		/* the endpoint was adopted while it was running */
	{ "@grace-over", act_grace_over },
	{ "@replace", act_replace },		/* another container with the same address */
	{ "@steal", act_steal },		/* the slot is another interface's now */
	{ "@seal", act_seal },			/* every port of the bridges is a container's */
	{ "@no-words", act_no_words },		/* damage to the ingress ruleset */
	{ "@no-bounds", act_no_bounds },
	{ "@no-rules", act_no_rules },
	{ "@no-sets", act_no_sets },
	{ "@no-countries", act_no_countries },
	{ "@countries", act_countries },
	{ "@open", act_open },			/* check: so many connections are counted by all `conns` together */
	{ "@exceeded", act_exceeded },		/* check: limits have refused so often since the case began */
	{ "@evicted", act_evicted },		/* check: so many buckets were given up for others */
	{ "@drift", act_drift },		/* every count becomes N */
	{ "@fill-counts", act_fill_counts },	/* every place in the table of buckets is a count of somebody's */
	{ "@fill-rates", act_fill_rates },	/* but for one in each group, which is a rate that has N seconds to go */
	{ "@sweep", act_sweep },		/* the daemon's; the endpoint named is gone */
	{ "@block", act_block },		/* PREFIX is blocked by hand, everywhere and for ever */
	{ "@bans", act_bans },			/* check: so many entries are bans */
	{ "@refused", act_refused },		/* check: so many packets all blocks together have refused */
	{ "@fill-blocks", act_fill_blocks },	/* the table of blocks is full of somebody else's */
	{ "@lose-flows", act_lose_flows },	/* all connections vanish, and nobody gives back what they count */
};

static bool run_action(struct world *world, const char *line, char *problem, size_t size)
{
	char name[32], argument[64] = "";

	sscanf(line, "%31s %63s", name, argument);
	for (size_t i = 0; i < COUNT(actions); i++) {
		if (strcmp(actions[i].name, name) != 0)
			continue;
		if (!actions[i].act(world, argument))
			FAIL("%s: this cannot be done", line);
		return true;
	}
	FAIL("%s: there is no such action", line);
}

/* --- tables */

void run_table(struct world *world, const struct case_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct packet_case *packet_case = &table->cases[i];
		char name[160], problem[1024] = "";
		struct error error = {};
		bool good;

		snprintf(name, sizeof(name), "%s: %s", table->name, packet_case->name);
		/* Also when it is in force already: actions may have changed what it became. */
		good = world_policy(world, packet_case->policy, &error);
		if (!good)
			snprintf(problem, sizeof(problem), "%s", error.text);
		world_reset(world);
		for (size_t j = 0; good && j < CASE_STEPS && packet_case->steps[j].line; j++)
			good = run_step(world, &packet_case->steps[j], problem, sizeof(problem));
		tap(good, name, "%s", problem);
	}
}
