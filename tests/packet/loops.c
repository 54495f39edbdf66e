/* SPDX-License-Identifier: GPL-2.0 */
/* What is more than a list of packets: every length, full tables, budgets. */
#include "packet.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdlib.h>

#include "base/cleanup.h"

static const uint8_t web_mac[6] = { 2, 0, 0, 0, 0, 2 }, bridge_mac[6] = { 2, 0, 0, 0, 0xff, 1 };

#define KINDS(web, peer) \
	peer " -> " web " icmp 8/0 id 1", peer " -> " web " icmp 3/1 quoting " web " -> " peer " icmp 8/0 id 1", peer " -> " web " proto 47 len 20"

static const char *const received[] = {
	"192.0.2.9:1 -> 198.18.0.2:80 tcp S len 20", "192.0.2.9:1 -> 198.18.0.2:80 udp len 20", "192.0.2.9:1 -> 198.18.0.2:80 sctp len 20",
	"192.0.2.9:1 -> 198.18.0.2:80 tcp S options 10 len 20", "192.0.2.9:1 -> 198.18.0.2:80 udp frag 0 len 40",
	KINDS("198.18.0.2", "192.0.2.9"),
	"[2001:db8::9]:1 -> [fd77:1::2]:80 tcp S len 20", "[2001:db8::9]:1 -> [fd77:1::2]:80 udp len 20",
	"[2001:db8::9]:1 -> [fd77:1::2]:80 tcp S ext hop,dst,rt,atomic,ah,dst len 20",
	"[2001:db8::9]:1 -> [fd77:1::2]:80 udp frag 0 ext hop len 40",
	"2001:db8::9 -> fd77:1::2 icmp6 128/0 id 1 len 20",
	"2001:db8::9 -> fd77:1::2 icmp6 1/0 quoting [fd77:1::2]:1 -> [2001:db8::9]:80 tcp S ext hop",
};

/* Kernels refuse to run a frame without a whole Ethernet header, newer ones also one without a whole IP header. */
static bool refused_by_kernel(const struct frame *frame, size_t length, int r)
{
	return r == -EINVAL && length < (frame->ethertype == 0x86dd ? 54u : 34u);
}

/* At every length: deny under a policy that denies; under one that allows everything, deny until the headers are whole. */
static void truncated(struct world *world, const char *policy, bool allows)
{
	uint32_t ifindex = if_nametoindex("web"), uplink = if_nametoindex("uplink");
	char problem[512] = "", name[128];
	struct error error = {};
	size_t runs = 0, refused = 0;

	if (!world_policy(world, policy, &error))
		snprintf(problem, sizeof(problem), "%s", error.text);
	for (size_t i = 0; i < COUNT(received) && !problem[0]; i++) {
		struct frame frame;
		size_t whole;

		if (!frame_build(received[i], bridge_mac, web_mac, &frame, problem))
			break;
		whole = frame.length;
		for (size_t length = 0; length <= whole && !problem[0]; length++) {
			bool must_deny = !allows || length < frame.needed;
			int answer = TC_ACT_SHOT, r;

			frame.length = length;
			world_reset(world);
			r = world_run(world, PROGRAM_INGRESS, ifindex, uplink, true, &frame, &answer);
			refused += r < 0;
			runs += r == 0;
			if (r < 0 && !refused_by_kernel(&frame, length, r))
				snprintf(problem, sizeof(problem), "%s at %zu bytes: %s", received[i], length, strerror(-r));
			else if (must_deny && answer != TC_ACT_SHOT)
				snprintf(problem, sizeof(problem), "%s at %zu bytes of %zu passes", received[i], length, frame.needed);
			/* ICMP errors about nothing are denied however whole they are. */
			else if (!must_deny && answer == TC_ACT_SHOT && !strstr(received[i], "quoting"))
				snprintf(problem, sizeof(problem), "%s at %zu bytes is denied", received[i], length);
		}
	}
	if (!problem[0] && runs < 500)
		snprintf(problem, sizeof(problem), "only %zu frames ran", runs);
	printf("# %zu frames cut short under %s, %zu the kernel itself refused\n", runs, policy, refused);
	snprintf(name, sizeof(name), "cut short at every length, %s", allows ? "when everything is allowed: denied until the headers are whole" :
		 "when nothing is allowed: never passes");
	tap(!problem[0], name, "%s", problem);
}

static bool prepare(struct world *world, const char *policy, char *problem, size_t size)
{
	struct error error = {};
	bool good = world_policy(world, policy, &error);

	if (!good)
		snprintf(problem, size, "%s", error.text);
	world_reset(world);
	return good;
}

/* Sends @count denied packets; the ring is read after each @read_every of them. */
static bool deny_many(struct world *world, unsigned int count, unsigned int read_every, char *problem)
{
	uint32_t ifindex = if_nametoindex("web"), uplink = if_nametoindex("uplink");
	struct frame frame;

	if (!frame_build("192.0.2.9:1 -> 198.18.0.2:80 tcp S", bridge_mac, web_mac, &frame, problem))
		return false;
	for (unsigned int i = 0; i < count; i++) {
		int answer = 0, r = world_run(world, PROGRAM_INGRESS, ifindex, uplink, true, &frame, &answer);

		if (r < 0 || answer != TC_ACT_SHOT) {
			snprintf(problem, 256, "packet %u: %s, answer %d", i, strerror(-r), answer);
			return false;
		}
		if (read_every && i % read_every == read_every - 1)
			world_read_events(world);
	}
	return true;
}

static void event_budget(struct world *world)
{
	const unsigned int count = 1000;
	struct dnet_event_budget *budget = &world->dataplane->event_budgets[world_endpoint(world, "web")->slot];
	struct dnet_counter before, after;
	char problem[512] = "";
	uint64_t start, allowed;

	if (prepare(world, "web-closed", problem, sizeof(problem))) {
		uint32_t slot = world_endpoint(world, "web")->slot;

		dataplane_deny_counter(world->dataplane, slot, DNET_INGRESS, DNET_DENY, DNET_REASON_DEFAULT_DENIED, &before);
		start = monotonic_ns();
		if (deny_many(world, count, 100, problem)) {
			allowed = DNET_EVENT_BURST + (monotonic_ns() - start) / (1000000000ull / DNET_EVENTS_PER_SEC) + 1;
			world_read_events(world);
			dataplane_deny_counter(world->dataplane, slot, DNET_INGRESS, DNET_DENY, DNET_REASON_DEFAULT_DENIED, &after);
			if (budget->sent < DNET_EVENT_BURST || budget->sent > allowed || budget->sent + budget->suppressed != count ||
			    world->events != budget->sent || after.packets - before.packets != count)
				snprintf(problem, sizeof(problem), "%llu sent (%llu allowed), %llu suppressed, %zu read, %llu counted of %u",
					 (unsigned long long)budget->sent, (unsigned long long)allowed,
					 (unsigned long long)budget->suppressed, world->events,
					 (unsigned long long)(after.packets - before.packets), count);
		}
	}
	tap(!problem[0], "events: a burst within the budget, the rest suppressed and counted exactly", "%s", problem);
	/* An empty budget: none at all, but every packet is counted. */
	problem[0] = '\0';
	if (prepare(world, "web-closed", problem, sizeof(problem))) {
		budget->theoretical_arrival_ns = monotonic_ns() + 3600 * 1000000000ull;
		if (deny_many(world, 50, 1, problem) && (world->events || budget->suppressed != 50 || budget->sent))
			snprintf(problem, sizeof(problem), "%zu events, %llu suppressed", world->events, (unsigned long long)budget->suppressed);
	}
	tap(!problem[0], "events: an empty budget suppresses all", "%s", problem);
}

static void ring_full(struct world *world)
{
	struct dnet_event_budget *budget = &world->dataplane->event_budgets[world_endpoint(world, "web")->slot];
	/* A record has a header of 8 bytes. */
	const size_t room = DNET_EVENT_RING_BYTES / (sizeof(struct dnet_event) + 8);
	uint64_t lost = world->dataplane->state->events_lost;
	char problem[512] = "";
	size_t sent = 0;

	if (prepare(world, "web-closed", problem, sizeof(problem))) {
		while (sent < room + 500 && !problem[0]) {
			budget->theoretical_arrival_ns = 0;
			deny_many(world, 100, 0, problem);
			sent += 100;
		}
		world_read_events(world);
		lost = world->dataplane->state->events_lost - lost;
		if (!problem[0] && (lost < 100 || lost + world->events != sent || budget->sent != world->events || budget->suppressed))
			snprintf(problem, sizeof(problem), "%zu denied, %zu read, %llu lost, %llu sent, %llu suppressed", sent, world->events,
				 (unsigned long long)lost, (unsigned long long)budget->sent, (unsigned long long)budget->suppressed);
	}
	world_reset(world);
	tap(!problem[0], "events: a full ring loses them, denies all the same, and the loss is counted exactly", "%s", problem);
}

#define FILL_BATCH 8192

/* @count connections of others, who were last heard @idle_ns ago. @first: numbers them. */
static bool add_flows(struct world *world, uint32_t first, uint32_t count, enum dnet_flow_state state, uint64_t idle_ns, char *problem,
		      size_t size)
{
	_cleanup_free_ struct dnet_flow_key *keys = calloc(FILL_BATCH, sizeof(*keys));
	_cleanup_free_ struct dnet_flow *flows = calloc(FILL_BATCH, sizeof(*flows));
	uint32_t made = 0;

	for (uint32_t i = 0; keys && flows && i < FILL_BATCH; i++)
		flows[i] = (struct dnet_flow){ .last_seen_ns = monotonic_ns() - idle_ns, .state = state };
	while (keys && flows && made < count) {
		uint32_t part = count - made < FILL_BATCH ? count - made : FILL_BATCH;

		for (uint32_t i = 0; i < part; i++) {
			keys[i] = (struct dnet_flow_key){ .proto = 6 };
			memcpy(keys[i].addr[0].byte, &(uint32_t){ first + made + i }, 4);
		}
		if (bpf_map_update_batch(world->dataplane->flows_fd, keys, flows, &part, NULL) < 0)
			break;
		made += part;
	}
	if (made != count)
		snprintf(problem, size, "only %u entries could be made: %s", made, strerror(errno));
	return made == count;
}

static void flow_table_full(struct world *world)
{
	const struct step steps[] = {
		{ .line = "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", DENY(FLOW_TABLE_FULL), .rule = "p/public", .flow = "none" },
		{ .line = "web < uplink 192.0.2.8:1 -> 198.18.0.2:80 tcp S", PASS(ESTABLISHED) },
		{ .line = "web < uplink 192.0.2.9:1 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) },
		{ .line = "free < uplink 192.0.2.9:1 -> 198.18.0.9:81 tcp S", PASS(UNSELECTED) },
	};
	const struct step before = { .line = "web < uplink 192.0.2.8:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .flow = "new" };
	const struct step after = { .line = "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .flow = "new" };
	struct dnet_flow_key key = { .proto = 6 };
	char problem[1024] = "";
	bool good = prepare(world, "web", problem, sizeof(problem)) && run_step(world, &before, problem, sizeof(problem));

	/* One of the table's places is taken already, so the last of these finds none. */
	if (good && add_flows(world, 0, DNET_MAX_FLOWS, DNET_FLOW_ESTABLISHED, 0, problem, sizeof(problem)))
		snprintf(problem, sizeof(problem), "the table took more than DNET_MAX_FLOWS entries");
	else if (good)
		problem[0] = '\0';
	for (size_t i = 0; i < COUNT(steps) && good && !problem[0]; i++)
		good = run_step(world, &steps[i], problem, sizeof(problem));
	tap(!problem[0], "a full table of connections denies new ones, known ones go on", "%s", problem);
	problem[0] = '\0';
	map_delete(world->dataplane->flows_fd, &key);
	run_step(world, &after, problem, sizeof(problem));
	tap(!problem[0], "a place that gets free in the table is used again", "%s", problem);
	world_reset(world);
}

static bool only_these(void *context, uint32_t endpoint_id)
{
	return endpoint_id != *(const uint32_t *)context;
}

static void sweep(struct world *world)
{
	const uint64_t second = 1000000000ull;
	const uint32_t pressure = DNET_MAX_FLOWS / 5 * 4;
	const struct { const char *name; struct { uint32_t count; enum dnet_flow_state state; uint64_t idle_ns; } kinds[3]; size_t standing; } cases[] = {
		{ "expired connections go, others stay", { { 1000, DNET_FLOW_NEW, 61 * second }, { 2000, DNET_FLOW_CLOSING, 11 * second },
							  { 3000, DNET_FLOW_ESTABLISHED, 86400 * second } }, 3000 },
		{ "up to 4/5 of the table only time counts", { { pressure - 2000, DNET_FLOW_NEW, 6 * second }, { 1000, DNET_FLOW_CLOSING, 6 * second },
								{ 1000, DNET_FLOW_ESTABLISHED, 6 * second } }, pressure },
		{ "in a table that is fuller, what is not established goes after 5 s",
		  { { pressure - 2000, DNET_FLOW_NEW, 6 * second }, { 1001, DNET_FLOW_CLOSING, 6 * second }, { 1000, DNET_FLOW_ESTABLISHED, 6 * second } }, 1000 },
		{ "in a table that is fuller, what was heard a moment ago stays",
		  { { pressure - 2000, DNET_FLOW_NEW, 3 * second }, { 1001, DNET_FLOW_CLOSING, 3 * second }, { 1000, DNET_FLOW_ESTABLISHED, 3 * second } }, pressure + 1 },
	};
	uint32_t gone = 0;

	for (size_t i = 0; i < COUNT(cases); i++) {
		char name[160], problem[256] = "";
		uint32_t first = 0;
		size_t standing;

		world_reset(world);
		for (size_t j = 0; j < 3 && !problem[0]; first += cases[i].kinds[j++].count)
			add_flows(world, first, cases[i].kinds[j].count, cases[i].kinds[j].state, cases[i].kinds[j].idle_ns, problem, sizeof(problem));
		standing = dataplane_sweep_flows(world->dataplane, only_these, &gone);
		if (!problem[0] && standing != cases[i].standing)
			snprintf(problem, sizeof(problem), "%zu connections stand, not %zu", standing, cases[i].standing);
		snprintf(name, sizeof(name), "sweep: %s", cases[i].name);
		tap(!problem[0], name, "%s", problem);
	}
	world_reset(world);
}

/* A connection goes with the endpoint that let it pass. */
static void sweep_endpoint(struct world *world)
{
	const struct step steps[] = {
		{ .line = "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ .line = "db < uplink 192.0.2.9:1 -> 198.18.0.3:81 tcp S", PASS(POLICY_ALLOWED) },
	};
	uint32_t gone = world_endpoint(world, "db")->id;
	struct dnet_flow_key key;
	struct dnet_flow flow;
	char problem[1024] = "";
	struct frame frame;
	bool good = prepare(world, "two", problem, sizeof(problem));

	for (size_t i = 0; i < COUNT(steps) && good; i++)
		good = run_step(world, &steps[i], problem, sizeof(problem));
	if (good && dataplane_sweep_flows(world->dataplane, only_these, &gone) != 1)
		snprintf(problem, sizeof(problem), "not one connection stands");
	if (good && frame_build("192.0.2.9:1 -> 198.18.0.2:80 tcp S", bridge_mac, web_mac, &frame, problem) &&
	    !world_flow(world, &frame, &key, &flow))
		snprintf(problem, sizeof(problem), "the other container's connection is gone");
	tap(!problem[0], "sweep: a connection goes with its endpoint", "%s", problem);
}

static void flow_inserts(struct world *world)
{
	const struct step steps[] = {
		{ .line = "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ .line = "web > 198.18.0.2:80 -> 192.0.2.9:1 tcp SA", PASS(ESTABLISHED) },
		{ .line = "web < uplink 192.0.2.9:2 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ .line = "web < uplink 192.0.2.9:3 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) },
	};
	char problem[1024] = "";
	bool good = prepare(world, "web", problem, sizeof(problem));
	uint64_t inserts = world->dataplane->state->flow_inserts;

	for (size_t i = 0; i < COUNT(steps) && good; i++)
		good = run_step(world, &steps[i], problem, sizeof(problem));
	inserts = world->dataplane->state->flow_inserts - inserts;
	if (good && inserts != 2)
		snprintf(problem, sizeof(problem), "%llu entries were counted, not 2", (unsigned long long)inserts);
	tap(!problem[0], "entries made in the table of connections are counted", "%s", problem);
}

void run_loops(struct world *world)
{
	truncated(world, "web-closed", false);
	truncated(world, "web-any", true);
	event_budget(world);
	ring_full(world);
	flow_inserts(world);
	flow_table_full(world);
	sweep(world);
	sweep_endpoint(world);
}
