/* SPDX-License-Identifier: GPL-2.0 */
/* The cost of a verdict on a new connection against the size of what it is judged by. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "lab.h"

#define ROUNDS 11
#define MAX_COLUMNS 4

struct column {
	const char *label;
	struct lab_config config;
};

struct curve {
	const char *name;
	uint16_t port;
	bool all_endpoints;
	enum dnet_reason reason;
	struct column columns[MAX_COLUMNS];
};

#define RULES(count) { .rules = count, .endpoints = 1 }
#define POLICIES(own, count) { .rules = count, .endpoints = 1000, .own_policies = own }
#define PREFIXES(count, family) { .rules = 1, .endpoints = 1, .prefixes = count, .v6 = family }

static const struct curve curves[] = {
	{ "rules in the policy; the last one matches", LAB_LAST, false, DNET_REASON_POLICY_ALLOWED,
	  { { "1", RULES(1) }, { "10", RULES(10) }, { "100", RULES(100) }, { "1,000", RULES(1000) } } },
	{ "rules in the policy; the first one matches", LAB_FIRST, false, DNET_REASON_POLICY_ALLOWED,
	  { { "1", RULES(1) }, { "10", RULES(10) }, { "100", RULES(100) }, { "1,000", RULES(1000) } } },
	{ "rules in the policy; none matches, denied", LAB_NONE, false, DNET_REASON_DEFAULT_DENIED,
	  { { "1", RULES(1) }, { "10", RULES(10) }, { "100", RULES(100) }, { "1,000", RULES(1000) } } },
	{ "policies of 10 rules for 1,000 containers; packets to one of them", LAB_LAST, false, DNET_REASON_POLICY_ALLOWED,
	  { { "1", POLICIES(false, 10) }, { "1,000", POLICIES(true, 10) } } },
	{ "policies of 10 rules for 1,000 containers; packets to all in turn", LAB_LAST, true, DNET_REASON_POLICY_ALLOWED,
	  { { "1", POLICIES(false, 10) }, { "1,000", POLICIES(true, 10) } } },
	{ "prefixes of a set, IPv4; packets from all of them", LAB_LAST, false, DNET_REASON_POLICY_ALLOWED,
	  { { "10", PREFIXES(10, false) }, { "10,000", PREFIXES(10000, false) }, { "1,000,000", PREFIXES(1000000, false) } } },
	{ "prefixes of a set, IPv6; packets from all of them", LAB_LAST, false, DNET_REASON_POLICY_ALLOWED,
	  { { "10", PREFIXES(10, true) }, { "10,000", PREFIXES(10000, true) }, { "1,000,000", PREFIXES(1000000, true) } } },
};
#define CURVES (sizeof(curves) / sizeof(curves[0]))

struct curve_round {
	const struct curve *curve;
	struct series over[MAX_COLUMNS];
};

static size_t columns(const struct curve *curve)
{
	size_t count = 0;

	while (count < MAX_COLUMNS && curve->columns[count].label)
		count++;
	return count;
}

static int body(void *context, struct error *error)
{
	struct curve_round *round = context;
	const struct curve *curve = round->curve;
	struct lab *labs[MAX_COLUMNS] = {};
	size_t count = columns(curve);
	int r = 0;

	place_pin_to_core();
	for (size_t i = 0; i < count && r == 0; i++)
		r = lab_open(&curve->columns[i].config, &labs[i], error);
	for (int k = 0; k < ROUNDS && r == 0; k++)
		for (size_t i = 0; i < count && r == 0; i++) {
			struct lab_packet packet = { .direction = DNET_INGRESS, .port = curve->port, .begins = true, .varied = true,
						     .all_endpoints = curve->all_endpoints, .v6 = curve->columns[i].config.v6 };
			double null, cost;

			lab_reset(labs[i], true);
			r = lab_measure(labs[i], &packet, LAB_BATCH, curve->reason, &null, &cost, error);
			if (r == 0)
				series_add(&round->over[i], cost - null);
		}
	for (size_t i = 0; i < count; i++)
		lab_close(labs[i]);
	return r;
}

static void print(const struct curve_round *round)
{
	printf("  %s\n", round->curve->name);
	for (size_t i = 0; i < columns(round->curve); i++) {
		printf("    %10s ", round->curve->columns[i].label);
		series_print(&round->over[i], 6, 0);
		printf(" %6.2f\n", series_part(&round->over[i], 0.5) / series_part(&round->over[0], 0.5));
	}
}

int bench_curves(void)
{
	struct curve_round *rounds = shared_memory(CURVES * sizeof(*rounds));

	printf("\nNew connections, ingress: ns a packet over the null program, median and min..max of %d interleaved rounds on one core,\n"
	       "ratio to the first column; each packet is another connection\n", ROUNDS);
	for (size_t i = 0; i < CURVES; i++) {
		int r;

		rounds[i].curve = &curves[i];
		r = place_run(curves[i].name, 120, body, &rounds[i]);
		if (r < 0)
			return r;
		print(&rounds[i]);
	}
	printf("  Every rule has a prefix as its peer, or the set. Rows are read 64 rules at a time, up to the first match. Packets to all\n"
	       "  containers, or from all of a large set, read memory that no cache has: that is what these ratios are.\n");
	return 0;
}
