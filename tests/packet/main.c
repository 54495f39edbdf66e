/* SPDX-License-Identifier: GPL-2.0 */
#include "packet.h"

/* What no packet of this version can produce, and why. Whoever makes one of them possible is told so by the last case. */
static const struct { enum dnet_reason reason; const char *why; } unreachable[] = {
	{ DNET_REASON_ENFORCED_PORT, "the bridge's program does not count what a container's own program has counted" },
};

static const char *why_unreachable(enum dnet_reason reason)
{
	for (size_t i = 0; i < COUNT(unreachable); i++)
		if (unreachable[i].reason == reason)
			return unreachable[i].why;
	return NULL;
}

static void check_reasons(void)
{
	static const struct { enum dnet_reason reason; const char *name; } all[] = {
#define X(id, NAME, name, class, sentence) { DNET_REASON_##NAME, name },
		DNET_REASONS(X)
#undef X
	};
	char missing[512] = "";

	for (size_t i = 0; i < COUNT(all); i++) {
		const char *why = why_unreachable(all[i].reason);
		size_t length = strlen(missing);

		if (why)
			printf("# not produced: %s: %s\n", all[i].name, why);
		if (reason_was_seen(all[i].reason) == !why)
			continue;
		snprintf(missing + length, sizeof(missing) - length, " %s%s", all[i].name, why ? " (listed as unreachable)" : "");
	}
	tap(!missing[0], "every reason is produced by some packet", "not so:%s", missing);
}

int main(void)
{
	const struct case_table *const tables[] = { &policy_cases, &label_cases, &layer_cases, &peer_cases, &scope_cases,
						    &flow_cases, &guard_cases, &parse_cases, &limit_cases, &ban_cases, &geo_cases };
	struct error error = {};
	struct world world;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!world_open(&world, &error) || !world_countries(&world, &error)) {
		printf("Bail out! %s\n", error.text);
		return 1;
	}
	for (size_t i = 0; i < COUNT(tables); i++)
		run_table(&world, tables[i]);
	run_loops(&world);
	run_limits(&world);
	run_switch(&world);
	run_wire(&world);
	check_reasons();
	world_close(&world);
	return tap_end();
}
