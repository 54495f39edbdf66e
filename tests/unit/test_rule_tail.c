/* SPDX-License-Identifier: GPL-2.0 */
/* What follows the peers of a rule: network, limits, ban, log, name. */
#include "unit/marked.h"

#include <errno.h>

#include "base/cleanup.h"
#include "config/rule.h"

#define IN DNET_INGRESS
#define OUT DNET_EGRESS
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static char *describe(const struct rule *rule)
{
	static const char *const kinds[] = { [LIMIT_RATE] = "rate", [LIMIT_CONNS] = "conns", [LIMIT_PACKETS] = "packets" };
	static const char *const pers[] = { [LIMIT_PER_RULE] = "rule", [LIMIT_PER_SRC] = "src", [LIMIT_PER_DST] = "dst" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	if (rule->network)
		fprintf(out, " on=%s", rule->network);
	for (size_t i = 0; i < rule->limit_count; i++) {
		const struct limit *limit = &rule->limits[i];

		fprintf(out, " %s=%llu", kinds[limit->kind], (unsigned long long)limit->count);
		if (limit->unit_ns)
			fprintf(out, "/%llus", (unsigned long long)limit->unit_ns / 1000000000);
		if (limit->burst)
			fprintf(out, "+%llu", (unsigned long long)limit->burst);
		fprintf(out, " per=%s/%u/%u", pers[limit->per], limit->v4_len, limit->v6_len);
	}
	if (rule->no_limits)
		fprintf(out, " none=%u", rule->no_limits);
	if (rule->no_ban)
		fprintf(out, " no-ban");
	if (rule->ban_ns)
		fprintf(out, " ban%s=%llus", rule->ban_host ? "-host" : "", (unsigned long long)rule->ban_ns / 1000000000);
	if (rule->log)
		fprintf(out, " log");
	fclose(out);
	return text;
}

static const struct {
	const char *tail;	/* behind the peers */
	enum dnet_direction direction;
	const char *expected, *name;
} good[] = {
	{ "", IN, "", NULL },
	{ "on network:ops", IN, " on=ops", NULL },
	{ "on network:on", OUT, " on=on", NULL },
	{ "rate 100/s", IN, " rate=100/1s per=rule/32/64", NULL },
	{ "rate 1/m", OUT, " rate=1/60s per=rule/32/64", NULL },
	{ "rate 10000000/h", IN, " rate=10000000/3600s per=rule/32/64", NULL },
	{ "rate 100/s per src", IN, " rate=100/1s per=src/32/64", NULL },
	{ "rate 100/s per dst", OUT, " rate=100/1s per=dst/32/64", NULL },
	{ "rate 100/s per src/24", IN, " rate=100/1s per=src/24/64", NULL },
	{ "rate 100/s per src/1", IN, " rate=100/1s per=src/1/64", NULL },
	{ "rate 100/s per src/32", IN, " rate=100/1s per=src/32/64", NULL },
	{ "rate 100/s per src/33", IN, " rate=100/1s per=src/32/33", NULL },
	{ "rate 100/s per dst/128", OUT, " rate=100/1s per=dst/32/128", NULL },
	{ "rate 100/s per src burst 200", IN, " rate=100/1s+200 per=src/32/64", NULL },
	{ "rate 100/s burst 1000000 per src/56", IN, " rate=100/1s+1000000 per=src/32/56", NULL },
	{ "conns 50", IN, " conns=50 per=rule/32/64", NULL },
	{ "conns 1000000 per src", IN, " conns=1000000 per=src/32/64", NULL },
	{ "packets 1000/s per dst", OUT, " packets=1000/1s per=dst/32/64", NULL },
	{ "packets 1000/m burst 5", IN, " packets=1000/60s+5 per=rule/32/64", NULL },
	{ "packets 9/s conns 8 rate 7/s", IN, " packets=9/1s per=rule/32/64 conns=8 per=rule/32/64 rate=7/1s per=rule/32/64", NULL },
	{ "rate 100/s per src burst 200 conns 50 per src ban 10m as public", IN,
	  " rate=100/1s+200 per=src/32/64 conns=50 per=src/32/64 ban=600s", "public" },
	{ "rate 1/s ban 1s", IN, " rate=1/1s per=rule/32/64 ban=1s", NULL },
	{ "rate 1/s ban 30s", IN, " rate=1/1s per=rule/32/64 ban=30s", NULL },
	{ "rate 1/s ban 2h", IN, " rate=1/1s per=rule/32/64 ban=7200s", NULL },
	{ "rate 1/s ban host 7d", IN, " rate=1/1s per=rule/32/64 ban-host=604800s", NULL },
	{ "rate 1/s ban 3650d", IN, " rate=1/1s per=rule/32/64 ban=315360000s", NULL },
	{ "ban 10m rate 1/s", IN, " rate=1/1s per=rule/32/64 ban=600s", NULL },
	/* no defaults */
	{ "rate none", IN, " none=1", NULL },
	{ "packets none conns none rate none log", OUT, " none=7 log", NULL },
	{ "conns none rate 1/s ban none", IN, " rate=1/1s per=rule/32/64 none=2 no-ban", NULL },
	{ "ban none", IN, " no-ban", NULL },
	{ "log", IN, " log", NULL },
	{ "as web log on network:n conns 1", IN, " on=n conns=1 per=rule/32/64 log", "web" },
	{ "log as log", IN, " log", "log" },
	{ "on network:n as burst", IN, " on=n", "burst" },
	/* a name of its own may look like much, but not like an automatic one */
	{ "as 0123abc", IN, "", "0123abc" },
	{ "as 0123abcde", IN, "", "0123abcde" },
	{ "as 0123ABCD", IN, "", "0123ABCD" },
	{ "as 0123abcg", IN, "", "0123abcg" },
};

static const struct {
	const char *tail;	/* '^' before the offending word */
	enum dnet_direction direction;
	const char *part;
} bad[] = {
	{ "^host", IN, "write a comma before a further peer" },
	{ "^rte 100/s", IN, "did you mean \"rate\"?" },
	{ "^limit 5", IN, "write rate 100/s, conns 50 or packets 1000/s" },
	{ "^per src", IN, "belongs behind a limit" },
	{ "log ^burst 5", IN, "belongs behind a limit" },
	{ "log^,", IN, "\",\" is not expected" },
	/* on */
	{ "on^", IN, "write on network:NAME" },
	{ "on ^ops", IN, "write on network:NAME" },
	{ "on ^, log", IN, "write on network:NAME" },
	{ "on network:^", IN, "the name of a network is missing" },
	{ "on network:a^*", IN, "takes no wildcards" },
	{ "on network:a ^on network:b", IN, "\"on\" is given twice" },
	/* limits */
	{ "rate^", IN, "a number is missing here: write one as in rate 100/s" },
	{ "rate ^/s", IN, "a number is missing here" },
	{ "rate ^fast", IN, "\"fast\" is not a number" },
	{ "rate ^-5/s", IN, "\"-5\" is not a number" },
	{ "rate ^1.5/s", IN, "\"1.5\" is not a number" },
	{ "rate 100^", IN, "the unit is missing: write 100/s, 100/m or 100/h" },
	{ "rate 100^ s", IN, "the unit is missing" },
	{ "rate 100/^", IN, "is not a unit" },
	{ "rate 100/^d", IN, "\"d\" is not a unit: write s, m or h" },
	{ "rate 100/^sec", IN, "\"sec\" is not a unit" },
	{ "rate ^0/s", IN, "a limit of 0 new connections would allow nothing: write deny" },
	{ "rate ^10000001/s", IN, "at most 10000000 new connections" },
	{ "rate ^99999999999999999999999999/s", IN, "at most 10000000" },
	{ "rate 5/s ^5", IN, "\"5\" is not expected" },
	{ "rate 5/s ^rate 6/s", IN, "\"rate\" is given twice" },
	{ "rate 5/s conns 5 ^rate 6/s", IN, "\"rate\" is given twice" },
	{ "conns^", IN, "a number is missing here: write one as in conns 50" },
	{ "conns ^0", IN, "a limit of 0 connections at once" },
	{ "conns ^1000001", IN, "at most 1000000 connections at once" },
	{ "conns ^50/s", IN, "has no unit: write conns 50" },
	{ "conns 50 ^burst 60", IN, "conns has no burst" },
	{ "packets ^0/s", IN, "a limit of 0 packets" },
	{ "packets 5^", IN, "the unit is missing" },
	/* per and burst */
	{ "rate 5/s per^", IN, "write per src" },
	{ "rate 5/s per^", OUT, "write per dst" },
	{ "rate 5/s per ^ip", IN, "write per src" },
	{ "rate 5/s per ^source", IN, "write per src" },
	{ "rate 5/s per ^dst", IN, "in an ingress rule every destination is the container itself: write per src" },
	{ "rate 5/s per ^src", OUT, "in an egress rule every source is the container itself: write per dst" },
	{ "conns 5 per ^src/24", OUT, "write per dst" },
	{ "rate 5/s per src/^", IN, "1 to 32 for IPv4" },
	{ "rate 5/s per src/^0", IN, "1 to 32 for IPv4" },
	{ "rate 5/s per src/^129", IN, "33 to 128 for IPv6" },
	{ "rate 5/s per src/^x", IN, "1 to 32 for IPv4" },
	{ "rate 5/s per src ^per src", IN, "\"per\" is given twice for rate" },
	{ "rate 5/s burst 1 ^burst 2", IN, "\"burst\" is given twice for rate" },
	{ "rate 5/s burst^", IN, "a number is missing here: write one as in burst 200" },
	{ "rate 5/s burst ^0", IN, "a limit of 0" },
	{ "rate 5/s burst ^x", IN, "\"x\" is not a number" },
	{ "rate 5/s burst ^1000001", IN, "at most 1000000" },
	/* ban */
	{ "^ban 10m", IN, "there is none beside it: write one" },
	{ "log ^ban 10m as x", IN, "there is none beside it" },
	{ "rate none ^ban 10m", IN, "there is none beside it" },
	{ "rate 1/s ^ban 2h", OUT, "in an egress rule the source is the container itself" },
	{ "rate 1/s per dst ^ban host 2h", OUT, "in an egress rule the source is the container itself" },
	{ "^ban none", OUT, "in an egress rule the source is the container itself" },
	{ "rate 5/s ban host ^none", IN, "\"none\" is not a duration" },
	{ "rate none ^rate 5/s", IN, "\"rate\" is given twice" },
	{ "rate none ^per src", IN, "belongs behind a limit" },
	{ "conns ^nothing", IN, "\"nothing\" is not a number" },
	{ "rate 5/s ban^", IN, "ban does not say for how long" },
	{ "rate 5/s ban host^", IN, "ban does not say for how long" },
	{ "rate 5/s ban ^10", IN, "\"10\" is not a duration" },
	{ "rate 5/s ban ^m", IN, "\"m\" is not a duration" },
	{ "rate 5/s ban ^1h30m", IN, "\"1h30m\" is not a duration" },
	{ "rate 5/s ban ^10min", IN, "\"10min\" is not a duration" },
	{ "rate 5/s ban ^log", IN, "\"log\" is not a duration" },
	{ "rate 5/s ban ^0s", IN, "a ban lasts from 1s to 3650d, not 0s" },
	{ "rate 5/s ban ^3651d", IN, "a ban lasts from 1s to 3650d" },
	{ "rate 5/s ban host ^99999999999999999999d", IN, "a ban lasts from 1s to 3650d" },
	{ "rate 5/s ban 1m ^ban 2m", IN, "\"ban\" is given twice" },
	/* log and as */
	{ "log ^log", IN, "\"log\" is given twice" },
	{ "as^", IN, "the name of the rule is missing" },
	{ "as ^, b", IN, "the name of the rule is missing" },
	{ "as a^*", IN, "takes no wildcards" },
	{ "as a^/b", IN, "\"/\" cannot be in the name of the rule" },
	{ "as a ^b", IN, "\"b\" is not expected" },
	{ "as a^;", IN, "\";\" cannot be in the name" },
	{ "as a ^as b", IN, "\"as\" is given twice" },
	{ "as ^0123abcd", IN, "looks like the names that rules without one get" },
	{ "as ^a23456789012345678901234567890123456789012345678901234567890123456", IN, "longer than 64" },
};

static void test_good(void **state)
{
	struct origin origin = { .file = (char *)"p", .line = 1, .column = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		_cleanup_free_ char *text = NULL, *description = NULL;
		struct error error = {};
		struct rule rule;

		assert_true(asprintf(&text, "allow 80/tcp %s any %s", good[i].direction == IN ? "from" : "to", good[i].tail) > 0);
		if (rule_parse(text, good[i].direction, &origin, &rule, &error) != 0)
			fail_msg("%s: %s", text, error.text);
		description = describe(&rule);
		if (strcmp(description, good[i].expected) != 0)
			fail_msg("%s:%s, not%s", text, description, good[i].expected);
		if (good[i].name)
			assert_string_equal(rule.name, good[i].name);
		else
			assert_true(strlen(rule.name) == 8 && strspn(rule.name, "0123456789abcdef") == 8);
		rule_clear(&rule);
	}
}

static void check_bad(const char *begin, const char *tail, enum dnet_direction direction, const char *part)
{
	struct origin origin = { .file = (char *)"p", .line = 1, .column = 1 };
	_cleanup_free_ char *text = NULL;
	struct error error = {};
	struct marked marked;
	struct rule rule;

	assert_true(asprintf(&text, "%s%s", begin, tail) > 0);
	marked = marked_take(text);
	if (rule_parse(marked.text, direction, &origin, &rule, &error) != -EINVAL)
		fail_msg("%s: was accepted", marked.text);
	marked_check(&marked, "p", error.text, part);
	free(marked.text);
}

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		check_bad(bad[i].direction == IN ? "allow 80/tcp from any " : "allow 80/tcp to any ", bad[i].tail, bad[i].direction,
			  bad[i].part);
}

static void test_deny_takes_no_limits(void **state)
{
	struct origin origin = { .file = (char *)"p", .line = 1, .column = 1 };
	struct rule rule;

	(void)state;
	check_bad("deny from any ", "^rate 5/s", IN, "a deny rule lets nothing through that rate could limit");
	check_bad("deny from any ", "log ^conns 5", IN, "a deny rule lets nothing through that conns could limit");
	check_bad("deny to any ", "^packets 5/s", OUT, "a deny rule lets nothing through that packets could limit");
	check_bad("deny from any ", "^rate none", IN, "a deny rule lets nothing through that rate could limit");
	check_bad("deny from any ", "^ban 5s", IN, "ban belongs to the limit of an allow rule");
	assert_int_equal(rule_parse("deny from any on network:a log as x", IN, &origin, &rule, NULL), 0);
	rule_clear(&rule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_deny_takes_no_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
