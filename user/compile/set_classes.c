/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/set_classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/arena.h"
#include "compile/intervals.h"
#include "compile/range_table.h"
#include "compile/select.h"

struct combination {
	uint32_t id;		/* 0: none yet. It is in use when it has been met in an address. */
	bool used;
	size_t bits;		/* offset in `bits` */
};

struct set_classes {
	char **names;		/* of the sets that are entered, in the order of the policies; owned */
	uint32_t *indexes;	/* of the same in policy_set.sets */
	uint64_t *marks;	/* a random word each: a combination's hash is the XOR of its sets' */
	size_t set_count;
	size_t words;		/* of a bitmap of sets */
	uint64_t *bits;		/* of all combinations */
	size_t bits_count, bits_room;
	struct combination *combinations;
	size_t count, room, used_count;
	struct anchors by_mark;	/* combinations by their hash */
	struct range_table tables[DNET_SET_FAMILIES];
	struct set_class *list;	/* of those that are used, by number */
	uint32_t *list_sets;	/* where their sets are; owned */
};

static int no_memory(struct error *error)
{
	return error_set(error, -ENOMEM, "out of memory");
}

void set_classes_free(struct set_classes *classes)
{
	if (!classes)
		return;
	for (size_t i = 0; classes->names && i < classes->set_count; i++)
		free(classes->names[i]);
	free(classes->names);
	free(classes->indexes);
	free(classes->marks);
	free(classes->bits);
	free(classes->combinations);
	anchors_clear(&classes->by_mark);
	for (int family = 0; family < DNET_SET_FAMILIES; family++)
		range_table_clear(&classes->tables[family]);
	free(classes->list);
	free(classes->list_sets);
	free(classes);
}

static void set_classes_freep(struct set_classes **classes)
{
	set_classes_free(*classes);
}

/* --- which sets */

static void mark_sets(const struct policy_set *policies, const struct policy *policy, bool *entered)
{
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (size_t i = 0; i < policy->direction[direction].count; i++) {
			const struct rule *rule = &policy->direction[direction].rules[i];

			for (size_t j = 0; j < rule->peer_count; j++) {
				const struct prefix_set *set =
					rule->peers[j].kind == PEER_SET ? policy_set_find(policies, rule->peers[j].name) : NULL;

				if (set)
					entered[set - policies->sets] = true;
			}
		}
}

/* Which sets are entered, by index; owned by the caller. */
static bool *entered_sets(const struct policy_set *policies)
{
	bool *entered = calloc(policies->set_count + 1, sizeof(*entered));

	if (!entered)
		return NULL;
	/* Labels may name any set, and nobody knows which until a container comes. */
	for (size_t i = 0; i < policies->set_count && !policies->labels_ignore; i++)
		entered[i] = true;
	mark_sets(policies, &policies->host, entered);
	for (size_t i = 0; i < policies->policy_count; i++)
		mark_sets(policies, &policies->policies[i], entered);
	return entered;
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the same words in every run. */
static uint64_t mark_of(size_t index)
{
	uint64_t mark = 0x9e3779b97f4a7c15ull * (index + 1);

	mark = (mark ^ mark >> 30) * 0xbf58476d1ce4e5b9ull;
	mark = (mark ^ mark >> 27) * 0x94d049bb133111ebull;
	return mark ^ mark >> 31;
}

static int enter_sets(struct set_classes *classes, const struct policy_set *policies, struct error *error)
{
	_cleanup_free_ bool *entered = entered_sets(policies);
	size_t prefixes = 0;

	classes->names = calloc(policies->set_count + 1, sizeof(*classes->names));
	classes->indexes = calloc(policies->set_count + 1, sizeof(*classes->indexes));
	classes->marks = calloc(policies->set_count + 1, sizeof(*classes->marks));
	if (!entered || !classes->names || !classes->indexes || !classes->marks)
		return no_memory(error);
	for (size_t i = 0; i < policies->set_count; i++) {
		size_t at = classes->set_count;

		if (!entered[i])
			continue;
		if (at >= DNET_MAX_SETS)
			return error_set(error, -ENOSPC, "the policies use more than %d sets, which is the limit; join some", DNET_MAX_SETS);
		classes->names[at] = strdup(policies->sets[i].name);
		if (!classes->names[at])
			return no_memory(error);
		classes->indexes[at] = (uint32_t)i;
		classes->marks[at] = mark_of(at);
		classes->set_count++;
		prefixes += policies->sets[i].prefix_count;
	}
	if (prefixes > DNET_MAX_SET_PREFIXES)
		return error_set(error, -ENOSPC, "the sets have %zu prefixes, and %d is the limit; join neighbouring prefixes or leave sets out",
				 prefixes, DNET_MAX_SET_PREFIXES);
	classes->words = classes->set_count / 64 + 1;
	return 0;
}

/* --- combinations */

/* The combination with these bits, made without a number when there is none. NULL: no memory. */
static struct combination *combination_of(struct set_classes *classes, const uint64_t *bits, uint64_t mark)
{
	uint32_t position = 0, index;

	while (anchors_next(&classes->by_mark, mark, &position, &index))
		if (memcmp(classes->bits + classes->combinations[index].bits, bits, classes->words * sizeof(*bits)) == 0)
			return &classes->combinations[index];
	if (array_grow((void **)&classes->combinations, &classes->room, classes->count, sizeof(*classes->combinations)) < 0 ||
	    array_grow((void **)&classes->bits, &classes->bits_room, classes->bits_count + classes->words, sizeof(*bits)) < 0 ||
	    anchors_add(&classes->by_mark, mark, (uint32_t)classes->count) < 0)
		return NULL;
	classes->combinations[classes->count] = (struct combination){ .bits = classes->bits_count };
	memcpy(classes->bits + classes->bits_count, bits, classes->words * sizeof(*bits));
	classes->bits_count += classes->words;
	return &classes->combinations[classes->count++];
}

/* The same combination of an older table, if all its sets are still there. */
static int inherit_one(struct set_classes *classes, const struct set_classes *old, const struct combination *combination,
		       const uint32_t *now, uint64_t *bits)
{
	struct combination *heir;
	uint64_t mark = 0;

	memset(bits, 0, classes->words * sizeof(*bits));
	for (size_t i = 0; i < old->set_count; i++) {
		if (!(old->bits[combination->bits + i / 64] >> (i % 64) & 1))
			continue;
		if (!now[i])
			return 0;
		bit_set(bits, now[i] - 1);
		mark ^= classes->marks[now[i] - 1];
	}
	heir = combination_of(classes, bits, mark);
	if (!heir)
		return -ENOMEM;
	heir->id = combination->id;
	return 0;
}

/* Combinations of the same names keep their numbers. Those that were not met in the old table come last, and only as many as are
 * worth remembering: a number that is forgotten is still not given out again. */
static int inherit(struct set_classes *classes, const struct set_classes *old, struct error *error)
{
	_cleanup_free_ uint64_t *bits = calloc(classes->words, sizeof(*bits));
	_cleanup_free_ uint32_t *now = calloc(old->set_count + 1, sizeof(*now));	/* index + 1 of an old set */

	if (!bits || !now)
		return no_memory(error);
	for (size_t i = 0; i < old->set_count; i++)
		for (size_t j = 0; j < classes->set_count && !now[i]; j++)
			if (strcmp(old->names[i], classes->names[j]) == 0)
				now[i] = (uint32_t)j + 1;
	for (int used = 1; used >= 0; used--)
		for (size_t i = 0; i < old->count && classes->count < DNET_MAX_SET_CLASSES; i++)
			if (old->combinations[i].id && old->combinations[i].used == (bool)used &&
			    inherit_one(classes, old, &old->combinations[i], now, bits) < 0)
				return no_memory(error);
	return 0;
}

/* --- the sweep */

struct sweep {
	struct set_classes *classes;
	enum dnet_set_family family;
	struct intervals *cursors;	/* by set; owned */
	uint32_t *heap;		/* sets that are not done, the one with the lowest boundary first; owned */
	size_t heap_count;
	uint64_t *bits;		/* which sets are open; owned */
	uint64_t mark;
	uint32_t *next_id;
	struct range_writer writer;
};

static void sweep_clear(struct sweep *sweep)
{
	free(sweep->cursors);
	free(sweep->heap);
	free(sweep->bits);
	range_writer_clear(&sweep->writer);
}

static bool comes_before(const struct sweep *sweep, size_t a, size_t b)
{
	return intervals_boundary(&sweep->cursors[sweep->heap[a]]) < intervals_boundary(&sweep->cursors[sweep->heap[b]]);
}

static void sift_down(struct sweep *sweep, size_t at)
{
	for (;;) {
		size_t least = at, child = at * 2 + 1;
		uint32_t set = sweep->heap[at];

		if (child < sweep->heap_count && comes_before(sweep, child, least))
			least = child;
		if (child + 1 < sweep->heap_count && comes_before(sweep, child + 1, least))
			least = child + 1;
		if (least == at)
			return;
		sweep->heap[at] = sweep->heap[least];
		sweep->heap[least] = set;
		at = least;
	}
}

/* The lowest set opens or closes. Its next boundary takes its place in the heap. */
static void toggle(struct sweep *sweep)
{
	uint32_t set = sweep->heap[0];

	sweep->bits[set / 64] ^= 1ull << (set % 64);
	sweep->mark ^= sweep->classes->marks[set];
	if (!intervals_next(&sweep->cursors[set]))
		sweep->heap[0] = sweep->heap[--sweep->heap_count];
	sift_down(sweep, 0);
}

static int class_of(struct sweep *sweep, uint32_t *ret, struct error *error)
{
	struct set_classes *classes = sweep->classes;
	struct combination *combination;
	uint64_t any = 0;

	for (size_t i = 0; i < classes->words; i++)
		any |= sweep->bits[i];
	if (!any) {
		*ret = 0;
		return 0;
	}
	combination = combination_of(classes, sweep->bits, sweep->mark);
	if (!combination)
		return no_memory(error);
	if (!combination->used) {
		if (classes->used_count >= DNET_MAX_SET_CLASSES)
			return error_set(error, -ENOSPC, "the sets overlap in more than %d combinations, which is the limit; use fewer sets or "
					 "sets without common addresses", DNET_MAX_SET_CLASSES);
		combination->used = true;
		classes->used_count++;
	}
	if (!combination->id) {
		if (*sweep->next_id == UINT32_MAX)
			return error_set(error, -ENOSPC, "all numbers for combinations of sets have been given out: run `dnetbpf unload` and start again");
		combination->id = (*sweep->next_id)++;
	}
	*ret = combination->id;
	return 0;
}

static int begin_sweep(struct sweep *sweep, const struct policy_set *policies, size_t *ret_prefixes)
{
	const struct set_classes *classes = sweep->classes;

	sweep->cursors = calloc(classes->set_count + 1, sizeof(*sweep->cursors));
	sweep->heap = calloc(classes->set_count + 1, sizeof(*sweep->heap));
	sweep->bits = calloc(classes->words, sizeof(*sweep->bits));
	if (!sweep->cursors || !sweep->heap || !sweep->bits)
		return -ENOMEM;
	*ret_prefixes = 0;
	for (size_t i = 0; i < classes->set_count; i++) {
		const struct prefix_set *set = &policies->sets[classes->indexes[i]];

		for (size_t j = 0; j < set->prefix_count; j++)
			*ret_prefixes += prefix_family(&set->prefixes[j]) == sweep->family;
		if (intervals_begin(&sweep->cursors[i], set, sweep->family))
			sweep->heap[sweep->heap_count++] = (uint32_t)i;
	}
	for (size_t i = sweep->heap_count; i-- > 0;)
		sift_down(sweep, i);
	return 0;
}

static int build_table(struct set_classes *classes, const struct policy_set *policies, enum dnet_set_family family, uint32_t *next_id,
		       struct error *error)
{
	_cleanup_(sweep_clear) struct sweep sweep = { .classes = classes, .family = family, .next_id = next_id };
	/* IPv4 is compared by its last 32 bits. */
	addr_number base = family == DNET_SET_V4 ? (addr_number)0xffff << 32 : 0, first = base;
	addr_number end = family == DNET_SET_V4 ? base + ((addr_number)1 << 32) : 0;
	size_t prefixes;

	if (begin_sweep(&sweep, policies, &prefixes) < 0 || range_writer_begin(&sweep.writer, family, prefixes * 2 + 1) < 0)
		return no_memory(error);
	for (;;) {
		uint32_t class;
		int r;

		while (sweep.heap_count && intervals_boundary(&sweep.cursors[sweep.heap[0]]) == first)
			toggle(&sweep);
		r = class_of(&sweep, &class, error);
		if (r < 0)
			return r;
		r = range_writer_add(&sweep.writer, first - base, class);
		if (r < 0)
			return error_set(error, r, "the sets have more than %d ranges of addresses, which is the limit", DNET_MAX_SET_RANGES);
		if (!sweep.heap_count)
			break;
		first = intervals_boundary(&sweep.cursors[sweep.heap[0]]);
		if (end && first == end)
			break;
	}
	return range_writer_finish(&sweep.writer, &classes->tables[family]) < 0 ? no_memory(error) : 0;
}

/* --- the list */

static int compare_classes(const void *a, const void *b)
{
	const struct set_class *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int write_list(struct set_classes *classes, struct error *error)
{
	size_t sets = 0, count = 0;

	for (size_t i = 0; i < classes->count; i++)
		for (size_t j = 0; j < classes->words && classes->combinations[i].used; j++)
			sets += (size_t)__builtin_popcountll(classes->bits[classes->combinations[i].bits + j]);
	classes->list = calloc(classes->used_count + 1, sizeof(*classes->list));
	classes->list_sets = calloc(sets + 1, sizeof(*classes->list_sets));
	if (!classes->list || !classes->list_sets)
		return no_memory(error);
	sets = 0;
	for (size_t i = 0; i < classes->count; i++) {
		const struct combination *combination = &classes->combinations[i];
		struct set_class *class = &classes->list[count];

		if (!combination->used)
			continue;
		*class = (struct set_class){ .id = combination->id, .sets = classes->list_sets + sets };
		for (size_t j = 0; j < classes->set_count; j++)
			if (classes->bits[combination->bits + j / 64] >> (j % 64) & 1)
				classes->list_sets[sets + class->set_count++] = classes->indexes[j];
		sets += class->set_count;
		count++;
	}
	qsort(classes->list, count, sizeof(*classes->list), compare_classes);
	return 0;
}

/* --- the interface */

/* The sweep stands on it. */
static int check_order(const struct policy_set *policies, struct error *error)
{
	for (size_t i = 0; i < policies->set_count; i++) {
		const struct prefix_set *set = &policies->sets[i];

		for (size_t j = 1; j < set->prefix_count; j++)
			if (memcmp(&set->prefixes[j - 1].addr, &set->prefixes[j].addr, sizeof(struct dnet_addr)) > 0)
				return error_set(error, -EINVAL, "the prefixes of set %s are not sorted", set->name);
	}
	return 0;
}

int set_classes_new(const struct policy_set *policies, const struct set_classes *old, uint32_t *next_id, struct set_classes **ret,
		    struct error *error)
{
	_cleanup_(set_classes_freep) struct set_classes *classes = calloc(1, sizeof(*classes));
	uint32_t next = *next_id ? *next_id : 1;
	int r;

	if (!classes)
		return no_memory(error);
	r = check_order(policies, error);
	if (r == 0)
		r = enter_sets(classes, policies, error);
	if (r == 0 && old)
		r = inherit(classes, old, error);
	/* Without sets no ruleset asks: not even the index, which is a quarter of a megabyte a family. */
	for (int family = 0; classes->set_count && family < DNET_SET_FAMILIES && r == 0; family++)
		r = build_table(classes, policies, (enum dnet_set_family)family, &next, error);
	if (r == 0)
		r = write_list(classes, error);
	if (r < 0)
		return r;
	*next_id = next;
	*ret = TAKE_PTR(classes);
	return 0;
}

size_t set_classes_list(const struct set_classes *classes, const struct set_class **ret)
{
	*ret = classes->list;
	return classes->used_count;
}

size_t set_classes_words(const struct set_classes *classes, enum dnet_set_family family, const uint64_t **ret)
{
	*ret = classes->tables[family].words;
	return classes->tables[family].count;
}

uint32_t set_classes_find(const struct set_classes *classes, const struct dnet_addr *addr)
{
	enum dnet_set_family family = addr_is_v4(addr) ? DNET_SET_V4 : DNET_SET_V6;

	return range_table_find(&classes->tables[family], family, addr);
}

bool set_classes_equal(const struct set_classes *a, const struct set_classes *b)
{
	if (a->set_count != b->set_count || a->used_count != b->used_count)
		return false;
	for (size_t i = 0; i < a->set_count; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	for (size_t i = 0; i < a->used_count; i++)
		if (a->list[i].id != b->list[i].id || a->list[i].set_count != b->list[i].set_count ||
		    memcmp(a->list[i].sets, b->list[i].sets, a->list[i].set_count * sizeof(*a->list[i].sets)) != 0)
			return false;
	for (int family = 0; family < DNET_SET_FAMILIES; family++)
		if (!range_table_equal(&a->tables[family], &b->tables[family]))
			return false;
	return true;
}
