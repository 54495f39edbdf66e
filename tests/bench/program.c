/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs cost a packet: BPF_PROG_RUN with repeat, the null program beside each case in every round. */
#include <linux/pkt_cls.h>
#include <stdio.h>

#include "bench.h"
#include "lab.h"

#define ROUNDS 15
#define REPEAT 100000

enum before {
	NOTHING,
	ONE_FLOW,	/* the connection is known */
	ALL_FLOWS,	/* each of the batch is */
};

struct program_case {
	const char *name;
	enum dnet_direction direction;
	bool v6;
	bool varied;		/* each packet another connection */
	enum before before;
	uint16_t port;		/* of who answers */
	enum dnet_reason reason;	/* UNSELECTED: no policy governs it */
};

static const struct program_case cases[] = {
	{ "unselected, egress",			DNET_EGRESS,  false, false, NOTHING,   LAB_LAST, DNET_REASON_UNSELECTED },
	{ "unselected, ingress",		DNET_INGRESS, false, false, NOTHING,   LAB_LAST, DNET_REASON_UNSELECTED },
	{ "established, egress",		DNET_EGRESS,  false, false, ONE_FLOW,  LAB_LAST, DNET_REASON_ESTABLISHED },
	{ "established, ingress",		DNET_INGRESS, false, false, ONE_FLOW,  LAB_LAST, DNET_REASON_ESTABLISHED },
	{ "established, IPv6, ingress",		DNET_INGRESS, true,  false, ONE_FLOW,  LAB_LAST, DNET_REASON_ESTABLISHED },
	{ "established, 50,000 in turn, egress", DNET_EGRESS, false, true,  ALL_FLOWS, LAB_LAST, DNET_REASON_ESTABLISHED },
	{ "established, 50,000 in turn, ingress", DNET_INGRESS, false, true, ALL_FLOWS, LAB_LAST, DNET_REASON_ESTABLISHED },
	{ "deny, egress",			DNET_EGRESS,  false, false, NOTHING,   LAB_NONE, DNET_REASON_DEFAULT_DENIED },
	{ "deny, ingress",			DNET_INGRESS, false, false, NOTHING,   LAB_NONE, DNET_REASON_DEFAULT_DENIED },
	{ "deny, 50,000 sources, ingress",	DNET_INGRESS, false, true,  NOTHING,   LAB_NONE, DNET_REASON_DEFAULT_DENIED },
	{ "new, egress",			DNET_EGRESS,  false, true,  NOTHING,   LAB_LAST, DNET_REASON_POLICY_ALLOWED },
	{ "new, ingress",			DNET_INGRESS, false, true,  NOTHING,   LAB_LAST, DNET_REASON_POLICY_ALLOWED },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

struct figures {
	struct series null[CASES], cost[CASES], over[CASES];
};

static int measure(struct lab *lab, size_t index, struct figures *figures, struct error *error)
{
	const struct program_case *this = &cases[index];
	struct lab_packet packet = { .direction = this->direction, .port = this->port, .begins = true, .varied = this->varied,
				     .v6 = this->v6 };
	double null, cost, ignored;
	int r = 0;

	lab_reset(lab, this->reason != DNET_REASON_UNSELECTED);
	if (this->before != NOTHING)
		r = lab_run(lab, &packet, false, this->before == ONE_FLOW ? 1 : LAB_BATCH, (uint32_t)TC_ACT_UNSPEC, &ignored, error);
	packet.begins = this->before == NOTHING;
	if (r == 0)
		r = lab_measure(lab, &packet, this->varied ? LAB_BATCH : REPEAT, this->reason, &null, &cost, error);
	if (r < 0)
		return error_prefix(error, r, "%s", this->name);
	series_add(&figures->null[index], null);
	series_add(&figures->cost[index], cost);
	series_add(&figures->over[index], cost - null);
	return 0;
}

static int body(void *context, struct error *error)
{
	struct figures *figures = context;
	struct lab *labs[2] = {};
	int r = 0;

	place_pin_to_core();
	for (int v6 = 0; v6 < 2 && r == 0; v6++)
		r = lab_open(&(struct lab_config){ .rules = 10, .endpoints = 1, .v6 = v6 }, &labs[v6], error);
	for (int round = 0; round < ROUNDS && r == 0; round++)
		for (size_t i = 0; i < CASES && r == 0; i++)
			r = measure(labs[cases[i].v6], i, figures, error);
	lab_close(labs[0]);
	lab_close(labs[1]);
	return r;
}

int bench_programs(void)
{
	struct figures *figures = shared_memory(sizeof(*figures));
	int r;

	r = place_run("programs", 60, body, figures);
	if (r < 0)
		return r;
	printf("\nPrograms: ns a packet, median and min..max of %d rounds on one core, BPF_PROG_RUN\n", ROUNDS);
	printf("  %-38s %6s  %-14s %7s  %-14s %8s %6s\n", "a policy of 10 rules", "", "program", "", "null program", "over it", "ratio");
	for (size_t i = 0; i < CASES; i++) {
		printf("  %-38s ", cases[i].name);
		series_print(&figures->cost[i], 6, 0);
		printf(" ");
		series_print(&figures->null[i], 6, 0);
		printf(" %8.0f %6.1f\n", series_part(&figures->over[i], 0.5),
		       series_part(&figures->cost[i], 0.5) / series_part(&figures->null[i], 0.5));
	}
	printf("  \"New\" and \"50,000\": a small program in front makes each repetition a packet of another connection and calls the\n"
	       "  program under test; the null program beside it is called in the same way. \"Deny\": the event budget is spent, so that\n"
	       "  the ring buffer is not in the figure. Egress has the check of the sender's MAC and address in it.\n");
	return 0;
}
