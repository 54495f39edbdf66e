/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ull
#define STANDARD_V4_LEN 32
#define STANDARD_V6_LEN 64

bool rule_bans(const struct rule *rule)
{
	return rule->ban_ns && rule->limit_count;
}

void limit_compile(const struct rule *rule, const struct limit *limit, uint32_t id, struct dnet_limit *ret)
{
	static const uint8_t kinds[] = {
		[LIMIT_RATE] = DNET_LIMIT_RATE, [LIMIT_CONNS] = DNET_LIMIT_CONNS, [LIMIT_PACKETS] = DNET_LIMIT_PACKETS,
	};

	*ret = (struct dnet_limit){ .id = id, .kind = kinds[limit->kind], .v4_len = STANDARD_V4_LEN, .v6_len = STANDARD_V6_LEN };
	if (limit->per != LIMIT_PER_RULE) {
		ret->flags = DNET_LIMIT_PER_PEER;
		ret->v4_len = limit->v4_len;
		ret->v6_len = limit->v6_len;
	}
	/* No longer than the parser lets a ban be, which is 10 years. */
	ret->ban_sec = (uint32_t)((rule->ban_ns + SECOND_NS - 1) / SECOND_NS);
	if (rule->ban_ns && rule->ban_host)
		ret->flags |= DNET_LIMIT_BAN_HOST;
	if (limit->kind == LIMIT_CONNS) {
		ret->most = (uint32_t)limit->count;
		return;
	}
	/* The parser's bounds keep the period at 100 ns or more, and the tolerance below 2^52. */
	ret->period_ns = limit->unit_ns / limit->count;
	ret->tolerance_ns = ((limit->burst ? limit->burst : LIMIT_BURST) - 1) * ret->period_ns;
}

static char unit_letter(uint64_t unit_ns)
{
	return unit_ns == SECOND_NS ? 's' : unit_ns == 60 * SECOND_NS ? 'm' : 'h';
}

const char *limit_text(const struct limit *limit, char *buffer)
{
	static const char *const words[] = { [LIMIT_RATE] = "rate", [LIMIT_CONNS] = "conns", [LIMIT_PACKETS] = "packets" };
	static const char *const sides[] = { [LIMIT_PER_RULE] = "", [LIMIT_PER_SRC] = " per src", [LIMIT_PER_DST] = " per dst" };
	unsigned int length = limit->v4_len != STANDARD_V4_LEN ? limit->v4_len : limit->v6_len != STANDARD_V6_LEN ? limit->v6_len : 0;
	char unit[4] = "", prefix[8] = "", burst[32] = "";

	if (limit->kind != LIMIT_CONNS)
		snprintf(unit, sizeof(unit), "/%c", unit_letter(limit->unit_ns));
	if (limit->per != LIMIT_PER_RULE && length)
		snprintf(prefix, sizeof(prefix), "/%u", length & 0xff);
	if (limit->burst)
		snprintf(burst, sizeof(burst), " burst %" PRIu64, limit->burst);
	snprintf(buffer, LIMIT_TEXT_SIZE, "%s %" PRIu64 "%s%s%s%s", words[limit->kind], limit->count, unit, sides[limit->per], prefix,
		 burst);
	return buffer;
}

const char *ban_text(const struct rule *rule, char *buffer)
{
	static const struct {
		uint64_t seconds;
		char letter;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	uint64_t seconds = rule->ban_ns / SECOND_NS;
	size_t i = 0;

	*buffer = '\0';
	if (!rule->ban_ns)
		return buffer;
	while (seconds % units[i].seconds)
		i++;
	snprintf(buffer, BAN_TEXT_SIZE, "ban %s%" PRIu64 "%c", rule->ban_host ? "host " : "", seconds / units[i].seconds, units[i].letter);
	return buffer;
}
