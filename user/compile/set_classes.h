/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From sets of prefixes to the range tables of dnetbpf/set.h. Pure.
 *
 * A sweep over the addresses: each set's prefixes are disjoint intervals in order, which are merged by a heap. The sets that are open
 * between two boundaries are the range's combination, and combinations are interned to classes.
 */
#ifndef DNETBPF_COMPILE_SET_CLASSES_H
#define DNETBPF_COMPILE_SET_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/set.h>

#include "base/error.h"
#include "model/policy.h"

struct set_class {
	uint32_t id;		/* as in the table; never 0 */
	const uint32_t *sets;	/* indexes in policy_set.sets, rising */
	size_t set_count;
};

struct set_classes;

/*
 * @old: the classes that are in force (or NULL): a combination of the same set names keeps its number, so that a table can be
 * swapped under a policy that stays; new ones get numbers from *next_id on, which is advanced. Where labels are ignored, only sets
 * that some rule of @policies names (host layer included) are entered; else all, because a container's labels may name any of them.
 * Prefixes must be sorted by address. -ENOSPC with the bound in the sentence. O(n log s) for n prefixes in s sets.
 */
int set_classes_new(const struct policy_set *policies, const struct set_classes *old, uint32_t *next_id, struct set_classes **ret,
		    struct error *error);
void set_classes_free(struct set_classes *classes);
/* Classes in the order of their numbers. */
size_t set_classes_list(const struct set_classes *classes, const struct set_class **ret);
/* The words of a family's inner map; none without any set. Owned by @classes. Returns how many. */
size_t set_classes_words(const struct set_classes *classes, enum dnet_set_family family, const uint64_t **ret);
/* The class of an address, 0 for none: the same search as the kernel's. */
uint32_t set_classes_find(const struct set_classes *classes, const struct dnet_addr *addr);
/* Are both the same tables? Then nothing need be written. */
bool set_classes_equal(const struct set_classes *a, const struct set_classes *b);

#endif
