/* SPDX-License-Identifier: GPL-2.0 */
/* Inside compile/: a set's prefixes of one family as disjoint intervals of addresses, in order. */
#ifndef DNETBPF_COMPILE_INTERVALS_H
#define DNETBPF_COMPILE_INTERVALS_H

#include "compile/range_table.h"
#include "model/policy.h"

enum dnet_set_family prefix_family(const struct prefix *prefix);

/* Where a walk over the boundaries is: each interval's first address, then the one behind its last. */
struct intervals {
	const struct prefix *next, *end;
	enum dnet_set_family family;
	addr_number first, last;	/* of the interval, both included */
	bool open;			/* its end is the next boundary, not its beginning */
};

/* Both return whether there is a boundary. An interval that reaches the end of all addresses has no end. */
bool intervals_begin(struct intervals *intervals, const struct prefix_set *set, enum dnet_set_family family);
bool intervals_next(struct intervals *intervals);

static inline addr_number intervals_boundary(const struct intervals *intervals)
{
	return intervals->open ? intervals->last + 1 : intervals->first;
}

#endif
