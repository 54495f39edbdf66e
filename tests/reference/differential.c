/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random policies, endpoints and packets, each judged four times: by the program at the interface, by the explain program on the
 * same maps, by the compiler's own tables without a kernel, and by the reference. All must agree.
 *
 * usage: differential [--policies N] [--packets N] [--seed S] [--show]
 */
#include <errno.h>
#include <getopt.h>
#include <linux/pkt_cls.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bed.h"
#include "compile/explain.h"
#include "follow.h"
#include "tally.h"

#define FOLLOW_EACH 4	/* of that many packets one is followed, when it passes */

struct options {
	unsigned int policies, packets;
	uint64_t seed;
	bool show;
	const char *seeds;
};

/* What one of the four says. */
struct opinion {
	const char *name;
	bool silent;		/* it does not answer this kind of question */
	int verdict;		/* enum dnet_verdict, -1: it does not say */
	uint32_t reason;
	int layer;		/* -1: it does not say */
	uint32_t counter[DNET_LAYERS];	/* of the rule that answered; DNET_NO_RULE: none did */
	bool knows_rule[DNET_LAYERS];
	char problem[160];
};

struct run {
	struct bed *bed;
	struct tally tally;
	uint64_t passes[WORLD_SLOTS][DNET_DIRECTIONS][DNET_PASS_SPAN];
	uint64_t packets;
};

static const char *const reason_names[DNET_REASON_SPAN] = {
#define X(id, NAME, name, class, sentence) [id] = name,
	DNET_REASONS(X)
#undef X
};
static const char *const verdict_names[] = { [DNET_PASS] = "pass", [DNET_DENY] = "deny", [DNET_WOULD_DENY] = "would_deny" };
static const char *const layer_names[] = { [DNET_LAYER_HOST] = "host", [DNET_LAYER_FILE] = "file", [DNET_LAYER_LABELS] = "labels" };

static bool by_rules(uint32_t reason)
{
	return reason == DNET_REASON_POLICY_ALLOWED || reason == DNET_REASON_POLICY_DENIED || reason == DNET_REASON_DEFAULT_DENIED;
}

/* --- the program at the interface: what it returns, reports and counts */

static uint32_t expected_counter(const struct bed *bed, const struct reference_rule *expected)
{
	return expected->rule ? bed_counter(bed, expected->policy->name, expected->rule) : DNET_NO_RULE;
}

/* How often the rules that the reference names have been hit. */
static void read_hits(const struct run *run, const struct reference_answer *expected, uint64_t ret[DNET_LAYERS])
{
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS; layer++) {
		uint32_t counter = expected_counter(run->bed, &expected->rule[layer]);

		ret[layer] = counter == DNET_NO_RULE ? 0 : dataplane_rule_hits(run->bed->world.dataplane, counter);
	}
}

/* Is there a flow now? It is removed, so that the next packet is a first one again. */
static bool take_flow(struct run *run, const struct frame *frame)
{
	struct dnet_flow_key key;
	struct dnet_flow flow;

	return world_flow(&run->bed->world, frame, &key, &flow) && map_delete(run->bed->world.dataplane->flows_fd, &key) == 0;
}

static bool is_tracked(const struct run *run, const struct reference_packet *packet)
{
	const struct world *world = &run->bed->world;

	return world->dataplane->endpoints[world->live.items[packet->endpoint]->slot].flags & DNET_ENDPOINT_TRACKED;
}

/* Passed: the counter of the reason that is expected tells whether it was the one. */
static void ask_passed(struct run *run, const struct reference_packet *packet, const struct reference_answer *expected,
		       const uint64_t hits[DNET_LAYERS], struct opinion *ret)
{
	uint32_t slot = run->bed->world.live.items[packet->endpoint]->slot;
	uint32_t reason = dnet_reason_class(expected->reason) == DNET_CLASS_PASS ? expected->reason : DNET_REASON_POLICY_ALLOWED;
	uint64_t *passes = &run->passes[slot][packet->direction][reason];
	struct dnet_counter counter;

	ret->verdict = DNET_PASS;
	dataplane_pass_counter(run->bed->world.dataplane, slot, packet->direction, reason, &counter);
	if (counter.packets == *passes + 1)
		ret->reason = reason;
	*passes = counter.packets;
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS; layer++) {
		ret->knows_rule[layer] = expected->rule[layer].rule;
		ret->counter[layer] = hits[layer] == 1 ? expected_counter(run->bed, &expected->rule[layer]) : DNET_NO_RULE;
	}
}

static void ask_reported(const struct run *run, const struct reference_answer *expected, const uint64_t hits[DNET_LAYERS],
			 struct opinion *ret)
{
	const struct dnet_event *event = &run->bed->world.last_event;

	ret->verdict = event->verdict;
	ret->reason = event->reason;
	if (!by_rules(event->reason))
		return;
	ret->layer = event->layer;
	ret->knows_rule[event->layer] = true;
	ret->counter[event->layer] = event->rule_counter;
	if (event->rule_counter != DNET_NO_RULE && event->rule_counter == expected_counter(run->bed, &expected->rule[event->layer]) &&
	    hits[event->layer] != 1)
		snprintf(ret->problem, sizeof(ret->problem), "the counter of the rule did not grow by one");
}

static void ask_attached(struct run *run, const struct reference_packet *packet, const struct frame *frame, uint32_t ifindex,
			 uint32_t origin, const struct reference_answer *expected, struct opinion *ret)
{
	struct world *world = &run->bed->world;
	bool routed = packet->direction == DNET_EGRESS || (packet->origin != ORIGIN_PORT && packet->origin != ORIGIN_STRANGER);
	uint64_t before[DNET_LAYERS], hits[DNET_LAYERS];
	int answer = 0, r;
	bool tracked;

	*ret = (struct opinion){ .name = "attached", .verdict = -1, .layer = -1 };
	read_hits(run, expected, before);
	world->events = 0;
	memset(world->dataplane->event_budgets, 0, WORLD_SLOTS * sizeof(*world->dataplane->event_budgets));
	r = world_run(world, packet->direction == DNET_INGRESS ? PROGRAM_INGRESS : PROGRAM_EGRESS, ifindex, origin, routed, frame, &answer);
	if (r < 0) {
		snprintf(ret->problem, sizeof(ret->problem), "BPF_PROG_RUN: %s", strerror(-r));
		return;
	}
	world_read_events(world);
	read_hits(run, expected, hits);
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS; layer++)
		hits[layer] -= before[layer];
	if (world->events > 1)
		snprintf(ret->problem, sizeof(ret->problem), "%zu events for one packet", world->events);
	else if (world->events)
		ask_reported(run, expected, hits, ret);
	else
		ask_passed(run, packet, expected, hits, ret);
	if ((answer == TC_ACT_SHOT) != (ret->verdict == DNET_DENY) || (answer != TC_ACT_SHOT && answer != TC_ACT_UNSPEC))
		snprintf(ret->problem, sizeof(ret->problem), "the program returned %d", answer);
	if (run->packets % FOLLOW_EACH == 0 && is_tracked(run, packet) && ret->verdict == DNET_PASS && ret->reason == expected->reason &&
	    !ret->problem[0])
		follow_flow(run->bed, packet, expected, frame, ret->problem, sizeof(ret->problem));
	tracked = is_tracked(run, packet);
	if (take_flow(run, frame) != (tracked && ret->verdict != DNET_DENY) && !ret->problem[0])
		snprintf(ret->problem, sizeof(ret->problem), tracked && ret->verdict != DNET_DENY ? "there is no flow" : "there is a flow");
}

/* --- the other two */

/* The counter of the rule with that index in a list that the compiler made. */
static uint32_t listed(const struct bed *bed, uint32_t local, uint32_t index, struct opinion *ret)
{
	const struct listed_rule *rules;
	size_t count = compiler_rules(bed->compiler, local, &rules);

	if (index == DNET_EXPLAIN_NO_RULE)
		return DNET_NO_RULE;
	if (index < count)
		return bed_counter(bed, rules[index].policy, rules[index].rule);
	snprintf(ret->problem, sizeof(ret->problem), "rule %u of %zu in list %u", index, count, local);
	return DNET_NO_RULE;
}

static void ask_explain(const struct run *run, const struct reference_packet *packet, const struct frame *frame, uint32_t ifindex,
			uint32_t origin, const struct reference_answer *expected, struct opinion *ret)
{
	const struct bed *bed = run->bed;
	bool bridged = packet->origin == ORIGIN_PORT || packet->origin == ORIGIN_STRANGER;
	struct dataplane_frame question = { frame->bytes, frame->length, packet->direction, ifindex, origin, bridged };
	struct dnet_explanation explanation = {};
	struct error error = {};

	*ret = (struct opinion){ .name = "explain", .verdict = -1, .layer = -1 };
	if (dataplane_explain(bed->world.dataplane, &question, &explanation, &error) < 0) {
		snprintf(ret->problem, sizeof(ret->problem), "%.150s", error.text);
		return;
	}
	ret->verdict = (int)explanation.verdict;
	ret->reason = explanation.reason;
	if (!by_rules(explanation.reason))
		return;
	ret->layer = (int)explanation.layer;
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS && layer <= explanation.layer; layer++) {
		if (!explanation.ruleset[layer])
			continue;
		ret->knows_rule[layer] = true;
		ret->counter[layer] = listed(bed, explanation.ruleset[layer] % DNET_MAX_RULESETS, explanation.rule[layer], ret);
	}
	if (explanation.endpoint_id != bed->endpoints[packet->endpoint].id || explanation.selector != expected->selector ||
	    explanation.peer_endpoint != (expected->peer_endpoint ? expected->peer_endpoint->id : 0) ||
	    explanation.group != expected->group || !addr_equal(&explanation.peer, &expected->peer))
		snprintf(ret->problem, sizeof(ret->problem), "endpoint %u, selector %#x, peer endpoint %u, group %u; the reference has %u, %#x, %u, %u",
			 explanation.endpoint_id, explanation.selector, explanation.peer_endpoint, explanation.group,
			 bed->endpoints[packet->endpoint].id, expected->selector, expected->peer_endpoint ? expected->peer_endpoint->id : 0,
			 expected->group);
}

static void ask_tables(const struct run *run, const struct reference_packet *packet, uint32_t origin, const struct reference_answer *expected,
		       struct opinion *ret)
{
	const struct bed *bed = run->bed;
	const struct compile_verdict *verdict = &bed->verdicts[packet->endpoint];
	struct explain_question question = {
		.selector = expected->selector, .peer = expected->peer, .peer_class = expected->peer_class,
		.peer_endpoint = expected->peer_endpoint ? expected->peer_endpoint->id : 0,
		.peer_ifindex = expected->peer_outside ? origin : 0, .peer_interface = expected->peer_outside ? packet->interface : NULL,
		.group = expected->group,
	};
	struct explain_answer answer = {};

	*ret = (struct opinion){ .name = "tables", .verdict = -1, .layer = -1, .silent = expected->reason == DNET_REASON_UNKNOWN_ENDPOINT };
	if (ret->silent)
		return;
	explain_decide(bed->compiler, verdict, packet->direction, &question, &answer);
	ret->reason = answer.reason;
	if (!by_rules(answer.reason))
		return;
	ret->layer = (int)answer.layer;
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS && layer <= answer.layer; layer++) {
		uint32_t local = verdict->ruleset[packet->direction][layer];

		if (!local)
			continue;
		ret->knows_rule[layer] = true;
		ret->counter[layer] = listed(bed, local, answer.rule[layer], ret);
	}
}

/* --- do they agree */

static bool is_written(const struct bed *bed, const struct rule *rule)
{
	for (enum dnet_direction direction = 0; direction < DNET_DIRECTIONS; direction++) {
		const struct rule_list *host = &bed->policies.host.direction[direction];

		if (host->count && rule >= host->rules && rule < host->rules + host->count)
			return true;
		for (size_t i = 0; i < bed->policies.policy_count; i++) {
			const struct rule_list *list = &bed->policies.policies[i].direction[direction];

			if (list->count && rule >= list->rules && rule < list->rules + list->count)
				return true;
		}
		for (size_t i = 0; i < GENERATE_ENDPOINTS; i++) {
			const struct rule_list *list = &bed->labels[i].policy.direction[direction];

			if (list->count && rule >= list->rules && rule < list->rules + list->count)
				return true;
		}
	}
	return false;
}

static bool same_rule(const struct bed *bed, const struct reference_rule *expected, uint32_t counter)
{
	const struct rule *rule = counter < bed->rule_count ? bed->rules[counter].rule : NULL;

	if (!expected->unwritten)
		return counter == expected_counter(bed, expected);
	return rule && !is_written(bed, rule) &&
	       rule->action == (strcmp(expected->unwritten, "outside") == 0 ? DNET_RULE_DENY : DNET_RULE_ALLOW);
}

static bool agrees(const struct bed *bed, const struct reference_answer *expected, const struct opinion *opinion)
{
	if (opinion->problem[0])
		return false;
	if (opinion->silent)
		return true;
	if ((opinion->verdict >= 0 && opinion->verdict != (int)expected->verdict) || opinion->reason != expected->reason)
		return false;
	if (by_rules(expected->reason) && opinion->layer >= 0 && opinion->layer != (int)expected->layer)
		return false;
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS; layer++)
		if (opinion->knows_rule[layer] && (!expected->governed[layer] || !same_rule(bed, &expected->rule[layer], opinion->counter[layer])))
			return false;
	return true;
}

static void print_opinion(const struct bed *bed, const struct reference_answer *expected, const struct opinion *opinion)
{
	if (opinion->silent)
		return;
	printf("# %s %-10s", agrees(bed, expected, opinion) ? " " : "!", opinion->name);
	printf("%s %s", opinion->verdict >= 0 && opinion->verdict < (int)COUNT(verdict_names) ? verdict_names[opinion->verdict] : "-",
	       opinion->reason < DNET_REASON_SPAN && reason_names[opinion->reason] ? reason_names[opinion->reason] : "-");
	if (opinion->layer >= 0 && opinion->layer < DNET_LAYERS)
		printf(", layer %s", layer_names[opinion->layer]);
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS; layer++) {
		const struct bed_rule *found = opinion->counter[layer] < bed->rule_count ? &bed->rules[opinion->counter[layer]] : NULL;

		if (opinion->knows_rule[layer])
			printf("; %s: %s%s%s", layer_names[layer], found ? found->policy : "none", found ? "/" : "",
			       found ? found->rule->text ? found->rule->text : found->rule->name : "");
	}
	printf("%s%s\n", opinion->problem[0] ? "; " : "", opinion->problem);
}

static void print_expected(const struct reference_answer *expected)
{
	static const char *const classes[DNET_PEER_CLASSES] = { "other", "outside", "host", "lan", "internet", "group" };

	printf("#   %-10s%s %s", "reference", verdict_names[expected->verdict], reason_names[expected->reason]);
	if (by_rules(expected->reason))
		printf(", layer %s", layer_names[expected->layer]);
	for (enum dnet_layer layer = 0; layer < DNET_LAYERS; layer++)
		if (expected->governed[layer])
			printf("; %s: %s%s%s", layer_names[layer], expected->rule[layer].policy ? expected->rule[layer].policy->name : "",
			       expected->rule[layer].policy ? "/" : "", expected->rule[layer].rule ? expected->rule[layer].rule->text :
			       expected->rule[layer].unwritten ? expected->rule[layer].unwritten : "none");
	printf("; peer %s%s%s%s\n", classes[expected->peer_class], expected->peer_endpoint ? ", container " : "",
	       expected->peer_endpoint ? expected->peer_endpoint->container->name : "", expected->group ? ", group" : "");
}

static void print_text(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		printf("#     %.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

/* --- one seed */

static bool judge(struct run *run, const struct reference_packet *packet, bool show)
{
	static const uint8_t bridge_mac[6] = { 0x02, 0, 0, 0, 0xff, 0x01 };
	const struct bed *bed = run->bed;
	const uint8_t *mac = bed->world.live.items[packet->endpoint]->mac;
	bool ingress = packet->direction == DNET_INGRESS, good = true;
	uint32_t ifindex = bed_ifindex(bed, packet->endpoint), origin = bed_origin(bed, packet);
	char text[PACKET_TEXT_SIZE], problem[256] = "";
	struct reference_answer expected;
	struct opinion opinions[3];
	struct frame frame;

	packet_text(packet, text);
	if (!frame_build(text, ingress ? bridge_mac : mac, ingress ? mac : bridge_mac, &frame, problem)) {
		printf("# %s: %s\n", text, problem);
		return false;
	}
	reference_evaluate(&bed->reference_world, packet, &expected);
	ask_explain(run, packet, &frame, ifindex, origin, &expected, &opinions[0]);
	ask_attached(run, packet, &frame, ifindex, origin, &expected, &opinions[1]);
	ask_tables(run, packet, origin, &expected, &opinions[2]);
	run->packets++;
	tally_answer(&run->tally, packet, &expected);
	for (size_t i = 0; i < COUNT(opinions); i++)
		good = good && agrees(bed, &expected, &opinions[i]);
	if (good && !show)
		return true;
	if (ingress)
		printf("# e%zu < %s %s\n", packet->endpoint, bed_origin_name(bed, packet), text);
	else
		printf("# e%zu > %s\n", packet->endpoint, text);
	for (size_t i = 0; i < COUNT(opinions); i++)
		print_opinion(bed, &expected, &opinions[i]);
	print_expected(&expected);
	return good;
}

static bool write_text(void (*generate)(struct random *random, FILE *out), struct random *random, char **ret)
{
	size_t size;
	FILE *out = open_memstream(ret, &size);

	if (!out)
		return false;
	generate(random, out);
	return fclose(out) == 0;
}

static bool run_seed(struct run *run, uint64_t seed, unsigned int packets, bool show)
{
	_cleanup_free_ char *inventory = NULL, *policy = NULL;
	struct random random = { seed };
	struct packet_source source = {};
	struct error error = {};
	bool good;

	if (!write_text(generate_inventory, &random, &inventory) || !write_text(generate_policy, &random, &policy))
		return false;
	good = bed_load(run->bed, inventory, policy, &random, &error);
	if (!good)
		printf("# %s\n", error.text);
	good = good && packet_source_begin(&source, &run->bed->reference_world);
	for (unsigned int i = 0; good && i < packets; i++) {
		struct reference_packet packet;

		good = generate_packet(&random, &source, &packet) && judge(run, &packet, show);
	}
	packet_source_end(&source);
	if (good && !show)
		return true;
	printf("# seed %llu\n", (unsigned long long)seed);
	print_text(inventory);
	print_text(policy);
	return good;
}

/* Seeds that once found something: a number and a word why in each line. */
static bool run_known(struct run *run, const struct options *options)
{
	_cleanup_fclose_ FILE *file = fopen(options->seeds, "re");
	char line[256];
	bool good = file != NULL;
	unsigned int count = 0;

	while (good && fgets(line, sizeof(line), file)) {
		char *end;
		uint64_t seed = strtoull(line, &end, 10);

		if (end == line)
			continue;
		good = run_seed(run, seed, options->packets, false);
		count++;
	}
	tap(good, "the seeds that once found a difference", "%s: %s", options->seeds, file ? "a difference" : strerror(errno));
	printf("# %u seeds\n", count);
	return good;
}

static bool read_options(int argc, char **argv, struct options *ret)
{
	static const struct option known[] = {
		{ "policies", required_argument, NULL, 'p' }, { "packets", required_argument, NULL, 'n' }, { "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'f' }, { "show", no_argument, NULL, 'v' }, {},
	};
	int option;

	*ret = (struct options){ .policies = 200, .packets = 500, .seed = 1, .seeds = "tests/reference/seeds" };
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 'p':
			ret->policies = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			ret->packets = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 's':
			ret->seed = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			ret->seeds = optarg;
			break;
		case 'v':
			ret->show = true;
			break;
		default:
			return false;
		}
	return optind == argc;
}

int main(int argc, char **argv)
{
	static struct bed bed;
	static struct run run = { .bed = &bed };
	struct timespec begin, end;
	struct options options;
	struct error error = {};
	char name[128];
	bool good;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!read_options(argc, argv, &options)) {
		fprintf(stderr, "usage: %s [--policies N] [--packets N] [--seed S] [--seeds FILE] [--show]\n", argv[0]);
		return 2;
	}
	if (!bed_open(&bed, &error)) {
		printf("Bail out! %s\n", error.text);
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	good = run_known(&run, &options);
	for (unsigned int i = 0; good && i < options.policies; i++)
		good = run_seed(&run, options.seed + i, options.packets, options.show);
	clock_gettime(CLOCK_MONOTONIC, &end);
	snprintf(name, sizeof(name), "%llu packets over %u random policies: attached, explained, by the tables and by the reference",
		 (unsigned long long)run.packets, options.policies);
	tap(good, name, "a difference, see above");
	if (good)
		tally_check(&run.tally, run.packets >= 50000);
	printf("# summary reference: %llu packets over %u policies in %.1f s\n", (unsigned long long)run.packets, options.policies,
	       (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	bed_close(&bed);
	return tap_end();
}
