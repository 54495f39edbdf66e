/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/intervals.h"

#include "compile/ruleset.h"

#define LAST_ADDRESS (~(addr_number)0)

static addr_number last_number(const struct prefix *prefix)
{
	/* A shift by all bits is not defined. */
	return prefix->prefix_len ? address_number(&prefix->addr) | (((addr_number)1 << (128 - prefix->prefix_len)) - 1) : LAST_ADDRESS;
}

enum dnet_set_family prefix_family(const struct prefix *prefix)
{
	return prefix_is_v4(&prefix->addr, prefix->prefix_len) ? DNET_SET_V4 : DNET_SET_V6;
}

/* The next interval: what lies in it is passed over, what continues it is joined. */
static bool next_interval(struct intervals *intervals)
{
	intervals->open = false;
	while (intervals->next < intervals->end && prefix_family(intervals->next) != intervals->family)
		intervals->next++;
	if (intervals->next == intervals->end)
		return false;
	intervals->first = address_number(&intervals->next->addr);
	intervals->last = last_number(intervals->next++);
	for (; intervals->next < intervals->end; intervals->next++) {
		if (prefix_family(intervals->next) != intervals->family)
			continue;
		if (intervals->last != LAST_ADDRESS && address_number(&intervals->next->addr) > intervals->last + 1)
			break;
		if (last_number(intervals->next) > intervals->last)
			intervals->last = last_number(intervals->next);
	}
	return true;
}

bool intervals_begin(struct intervals *intervals, const struct prefix_set *set, enum dnet_set_family family)
{
	*intervals = (struct intervals){ .next = set->prefixes, .end = set->prefixes + set->prefix_count, .family = family };
	return next_interval(intervals);
}

bool intervals_next(struct intervals *intervals)
{
	if (intervals->open)
		return next_interval(intervals);
	intervals->open = true;
	return intervals->last != LAST_ADDRESS;
}
