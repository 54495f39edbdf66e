/* SPDX-License-Identifier: GPL-2.0 */
/* What follows the peers of a rule, in any order: "on network:ops rate 100/s per src burst 200 ban 10m log as public". */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/array.h"
#include "config/rule_parser.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define NAME_MAX_LENGTH 64	/* a rule's name is a label of its counters */
#define AUTOMATIC_NAME_LENGTH 8
#define BURST_MAX 1000000	/* with the longest unit, burst * unit still is a number of nanoseconds in 63 bits */

struct tail {
	struct scan *scan;
	enum dnet_direction direction;
	struct rule *rule;
	bool alone;		/* of no rule: limits and ban, nothing else */
	struct word ban;	/* empty: there is none */
};

static const struct {
	const char *letter;
	uint64_t ns;
} units[] = {
	{ "s", 1000000000ull },
	{ "m", 60 * 1000000000ull },
	{ "h", 3600 * 1000000000ull },
};

static const struct limit_word {
	const char *word, *example, *what;
	enum limit_kind kind;
	uint64_t most;
} limit_words[] = {
	{ "rate", "rate 100/s", "new connections", LIMIT_RATE, 10000000 },
	{ "conns", "conns 50", "connections at once", LIMIT_CONNS, 1000000 },
	{ "packets", "packets 1000/s", "packets", LIMIT_PACKETS, 10000000 },
};

/* A comma is no word of a tail, and nothing that is missing should be it. */
static struct word next(struct tail *tail)
{
	scan_next(tail->scan);
	return word_is(tail->scan->word, ",") ? (struct word){ tail->scan->word.begin, 0 } : tail->scan->word;
}

static int read_on(struct tail *tail)
{
	static const char kind[] = "network:";
	const struct place *place = tail->scan->place;
	struct word word = next(tail), name;

	if (!word_begins(word, kind))
		return place_error(place, word, "\"on\" says on which of the container's networks the rule holds: write on network:NAME");
	name = word_after(word, strlen(kind));
	if (name_require(place, name, NAME_EXACT, "a network") < 0)
		return -EINVAL;
	tail->rule->network = word_copy(name);
	if (!tail->rule->network)
		return place_no_memory(place);
	scan_next(tail->scan);
	return 0;
}

/* N, at least 1 and at most @most. */
static int read_count(const struct place *place, struct word word, const char *what, uint64_t most, const char *example, uint64_t *ret)
{
	if (!word.length)
		return place_error(place, word, "a number is missing here: write one as in %s", example);
	if (!word_number(word, most, ret))
		return place_error(place, word, "\"%s\" is not a number: write one as in %s", word_print(word).text, example);
	if (*ret == 0)
		return place_error(place, word, "a limit of 0 %s would allow nothing: write deny, or at least 1", what);
	if (*ret > most)
		return place_error(place, word, "%s is too much: at most %llu %s can be counted", word_print(word).text,
				   (unsigned long long)most, what);
	return 0;
}

/* N/UNIT */
static int read_rate(const struct place *place, struct word word, const struct limit_word *kind, struct limit *limit)
{
	struct word count = word_until(word, '/'), unit = word_after(word, count.length);
	int r = read_count(place, count, kind->what, kind->most, kind->example, &limit->count);

	if (r < 0)
		return r;
	if (!unit.length)
		return place_error(place, unit, "the unit is missing: write %s/s, %s/m or %s/h", word_print(word).text,
				   word_print(word).text, word_print(word).text);
	unit = word_after(unit, 1);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (word_is(unit, units[i].letter)) {
			limit->unit_ns = units[i].ns;
			return 0;
		}
	return place_error(place, unit, "\"%s\" is not a unit: write s, m or h, as in %s", word_print(unit).text, kind->example);
}

/* "src" or "dst", with "/LEN" */
static int read_per(struct tail *tail, struct limit *limit)
{
	bool ingress = tail->direction == DNET_INGRESS;
	const struct place *place = tail->scan->place;
	struct word word = next(tail), side = word_until(word, '/'), length;
	uint64_t bits;

	if (word_is(side, "src") && !ingress)
		return place_error(place, side, "in an egress rule every source is the container itself: "
				   "write per dst, or leave it out");
	if (word_is(side, "dst") && ingress)
		return place_error(place, side, "in an ingress rule every destination is the container itself: "
				   "write per src, or leave it out");
	if (!word_is(side, ingress ? "src" : "dst"))
		return place_error(place, word, "write per %s, or per %s/LEN to count the addresses of a prefix together",
				   ingress ? "src" : "dst", ingress ? "src" : "dst");
	limit->per = ingress ? LIMIT_PER_SRC : LIMIT_PER_DST;
	if (side.length < word.length) {
		length = word_after(word, side.length + 1);
		if (!word_number(length, 128, &bits) || bits < 1 || bits > 128)
			return place_error(place, length, "the length of a prefix is 1 to 32 for IPv4 and 33 to 128 for IPv6: "
					   "write it as in per %s/24",
					   ingress ? "src" : "dst");
		if (bits <= 32)
			limit->v4_len = (uint8_t)bits;
		else
			limit->v6_len = (uint8_t)bits;
	}
	scan_next(tail->scan);
	return 0;
}

static int read_burst(struct tail *tail, const struct limit_word *kind, struct limit *limit)
{
	const struct place *place = tail->scan->place;
	struct word burst = tail->scan->word, word;
	int r;

	if (limit->kind == LIMIT_CONNS)
		return place_error(place, burst, "conns has no burst: it counts what is there, not how fast it comes");
	word = next(tail);
	r = read_count(place, word, kind->what, BURST_MAX, "burst 200", &limit->burst);
	if (r == 0)
		scan_next(tail->scan);
	return r;
}

static int read_limit(struct tail *tail, const struct limit_word *kind)
{
	struct limit limit = { .kind = kind->kind, .v4_len = 32, .v6_len = 64 };
	const struct place *place = tail->scan->place;
	struct word word = tail->scan->word, given;
	struct rule *rule = tail->rule;
	bool per = false;
	int r;

	if (rule->action == DNET_RULE_DENY)
		return place_error(place, word, "a deny rule lets nothing through that %s could limit: write an allow rule", kind->word);
	given = next(tail);
	if (word_is(given, "none")) {
		rule->no_limits |= 1u << kind->kind;
		scan_next(tail->scan);
		return 0;
	}
	if (limit.kind == LIMIT_CONNS && word_until(given, '/').length < given.length)
		return place_error(place, given, "conns counts connections at once and has no unit: write %s", kind->example);
	r = limit.kind == LIMIT_CONNS ? read_count(place, given, kind->what, kind->most, kind->example, &limit.count)
				      : read_rate(place, given, kind, &limit);
	if (r < 0)
		return r;
	scan_next(tail->scan);
	for (;;) {
		word = tail->scan->word;
		if (word_is(word, "per") && !per) {
			per = true;
			r = read_per(tail, &limit);
		} else if (word_is(word, "burst") && !limit.burst) {
			r = read_burst(tail, kind, &limit);
		} else if (word_is(word, "per") || word_is(word, "burst")) {
			return place_error(place, word, "\"%s\" is given twice for %s", word_print(word).text, kind->word);
		} else {
			break;
		}
		if (r < 0)
			return r;
	}
	if (array_grow(rule->limits, rule->limit_count) < 0)
		return place_no_memory(place);
	rule->limits[rule->limit_count++] = limit;
	return 0;
}

static int read_connection_rate(struct tail *tail)
{
	return read_limit(tail, &limit_words[0]);
}

static int read_conns(struct tail *tail)
{
	return read_limit(tail, &limit_words[1]);
}

static int read_packets(struct tail *tail)
{
	return read_limit(tail, &limit_words[2]);
}

static int read_ban(struct tail *tail)
{
	const struct place *place = tail->scan->place;
	struct word word;
	int r;

	word = tail->scan->word;
	if (tail->rule->action == DNET_RULE_DENY)
		return place_error(place, word, "ban belongs to the limit of an allow rule: a deny rule denies everybody anyhow");
	if (tail->direction == DNET_EGRESS)
		return place_error(place, word, "ban is for ingress rules: in an egress rule the source is the container itself; the limit "
				   "refuses what exceeds it without a ban");
	tail->ban = word;
	word = next(tail);
	if (word_is(word, "none")) {
		tail->rule->no_ban = true;
		tail->ban.length = 0;
		scan_next(tail->scan);
		return 0;
	}
	if (word_is(word, "host")) {
		tail->rule->ban_host = true;
		word = next(tail);
	}
	r = word_duration(word, &tail->rule->ban_ns);
	if (r == -ERANGE)
		return place_error(place, word, "a ban lasts from 1s to %dd, not %s", WORD_DURATION_MAX_DAYS, word_print(word).text);
	if (r < 0 && !word.length)
		return place_error(place, word, "ban does not say for how long: write 30s, 10m, 2h or 7d");
	if (r < 0)
		return place_error(place, word, "\"%s\" is not a duration: write 30s, 10m, 2h or 7d", word_print(word).text);
	scan_next(tail->scan);
	return 0;
}

static int read_log(struct tail *tail)
{
	tail->rule->log = true;
	scan_next(tail->scan);
	return 0;
}

static int read_as(struct tail *tail)
{
	const struct place *place = tail->scan->place;
	struct word word = next(tail);
	size_t hex = 0;

	if (name_require(place, word, NAME_EXACT, "the rule") < 0)
		return -EINVAL;
	if (word.length > NAME_MAX_LENGTH)
		return place_error(place, word, "the name of the rule is longer than %d characters", NAME_MAX_LENGTH);
	while (hex < word.length && strchr("0123456789abcdef", word.begin[hex]))
		hex++;
	if (hex == word.length && hex == AUTOMATIC_NAME_LENGTH)
		return place_error(place, word, "\"%s\" looks like the names that rules without one get: write another",
				   word_print(word).text);
	tail->rule->name = word_copy(word);
	if (!tail->rule->name)
		return place_no_memory(place);
	scan_next(tail->scan);
	return 0;
}

static const struct {
	const char *word;
	int (*read)(struct tail *tail);
	bool limits;	/* can stand in `limits:`, too */
} parts[] = {
	{ "on", read_on, false },
	{ "rate", read_connection_rate, true },
	{ "conns", read_conns, true },
	{ "packets", read_packets, true },
	{ "ban", read_ban, true },
	{ "log", read_log, false },
	{ "as", read_as, false },
};

static int unknown_part(const struct tail *tail, struct word word)
{
	const struct place *place = tail->scan->place;
	struct suggestion suggestion;

	if (word_is(word, "per") || word_is(word, "burst"))
		return place_error(place, word, "\"%s\" belongs behind a limit, as in rate 100/s per src burst 200", word_print(word).text);
	if (word_is(word, "limit"))
		return place_error(place, word, "a limit says what it limits: write rate 100/s, conns 50 or packets 1000/s");
	suggest_begin(&suggestion, word);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i].limits || !tail->alone)
			suggest_offer(&suggestion, parts[i].word);
	if (tail->alone)
		return place_error(place, word, "\"%s\" is no limit%s", word_print(word).text,
				   suggest_end(&suggestion, ": write rate, conns, packets or ban"));
	return place_error(place, word, "\"%s\" is not expected after the peers%s", word_print(word).text,
			   suggest_end(&suggestion, ": write a comma before a further peer, or on network:NAME, rate, conns, packets, ban, "
						    "log or as NAME"));
}

static int read_parts(struct tail *tail)
{
	struct scan *scan = tail->scan;
	const char *whose = tail->alone ? "these limits" : "this rule";
	unsigned int seen = 0;

	while (scan->word.length) {
		struct word word = scan->word;
		size_t i = 0;
		int r;

		while (i < ARRAY_SIZE(parts) && !word_is(word, parts[i].word))
			i++;
		if (i == ARRAY_SIZE(parts))
			return unknown_part(tail, word);
		if (tail->alone && !parts[i].limits)
			return place_error(scan->place, word, "\"%s\" belongs in a rule: here stand limits and a ban alone", parts[i].word);
		if (seen & 1u << i)
			return place_error(scan->place, word, "\"%s\" is given twice in %s", parts[i].word, whose);
		seen |= 1u << i;
		r = parts[i].read(tail);
		if (r < 0)
			return r;
	}
	if (tail->ban.length && !tail->rule->limit_count)
		return place_error(scan->place, tail->ban, "ban is for who exceeds a limit, and there is none beside it: "
				   "write one, such as rate 100/s per src");
	return 0;
}

int parse_tail(struct scan *scan, enum dnet_direction direction, struct rule *rule)
{
	return read_parts(&(struct tail){ .scan = scan, .direction = direction, .rule = rule });
}

int parse_limits(const struct place *place, enum dnet_direction direction, struct rule *ret)
{
	_cleanup_(rule_clear) struct rule rule = { .action = DNET_RULE_ALLOW };
	struct scan scan;
	int r;

	scan_begin(&scan, place, place->text, place->text + strlen(place->text));
	if (!scan.word.length)
		return place_error(place, scan.word, "the limits are missing here: write them as in a rule, such as "
				   "\"rate 100/s per %s burst 200\"", direction == DNET_INGRESS ? "src" : "dst");
	if (place_origin(place, scan.word.begin, &rule.origin) < 0)
		return place_no_memory(place);
	r = read_parts(&(struct tail){ .scan = &scan, .direction = direction, .rule = &rule, .alone = true });
	if (r < 0)
		return r;
	*ret = rule;
	memset(&rule, 0, sizeof(rule));
	return 0;
}

int rule_take_limits(struct rule *rule, const struct rule *defaults, enum limit_source source)
{
	unsigned int has = rule->no_limits;
	bool taken = false;

	if (rule->action == DNET_RULE_DENY)
		return 0;
	for (size_t i = 0; i < rule->limit_count; i++)
		has |= 1u << rule->limits[i].kind;
	for (size_t i = 0; i < defaults->limit_count; i++) {
		if (has & 1u << defaults->limits[i].kind)
			continue;
		if (array_grow(rule->limits, rule->limit_count) < 0)
			return -ENOMEM;
		rule->limits[rule->limit_count] = defaults->limits[i];
		rule->limits[rule->limit_count++].source = source;
		taken = true;
	}
	if (taken && !rule->ban_ns && !rule->no_ban && defaults->ban_ns) {
		rule->ban_ns = defaults->ban_ns;
		rule->ban_host = defaults->ban_host;
		rule->ban_source = source;
	}
	/* What a policy refuses, the host does not give its rules. */
	rule->no_limits |= defaults->no_limits;
	rule->no_ban = rule->no_ban || defaults->no_ban;
	return 0;
}
