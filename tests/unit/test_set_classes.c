/* SPDX-License-Identifier: GPL-2.0 */
/* Tables of sets: golden ranges, random sets against a walk over all prefixes, numbers that stay, and every limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/ruleset.h"
#include "compile/set_classes.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int compare_prefixes(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	return order ? order : (int)x->prefix_len - (int)y->prefix_len;
}

static void set_sort(struct prefix_set *set)
{
	size_t unique = 0;

	if (!set->prefix_count)
		return;
	qsort(set->prefixes, set->prefix_count, sizeof(*set->prefixes), compare_prefixes);
	for (size_t i = 1; i < set->prefix_count; i++)
		if (compare_prefixes(&set->prefixes[unique], &set->prefixes[i]) != 0)
			set->prefixes[++unique] = set->prefixes[i];
	set->prefix_count = unique + 1;
}

/* A set from "NAME PREFIX PREFIX ...". */
static void set_parse(const char *words, struct prefix_set *ret)
{
	_cleanup_free_ char *copy = strdup(words);
	char *rest = NULL, *word = strtok_r(copy, " ", &rest);

	*ret = (struct prefix_set){ .name = strdup(word), .prefixes = calloc(64, sizeof(struct prefix)) };
	while ((word = strtok_r(NULL, " ", &rest))) {
		struct prefix *prefix = &ret->prefixes[ret->prefix_count++];
		bool host_bits;

		assert_int_equal(text_parse_prefix(word, &prefix->addr, &prefix->prefix_len, &host_bits), 0);
	}
	set_sort(ret);
}

static void sets_parse(const char *const *sets, struct policy_set *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sets = calloc(16, sizeof(*ret->sets));
	for (; *sets; sets++)
		set_parse(*sets, &ret->sets[ret->set_count++]);
}

static struct set_classes *classes_of(const struct policy_set *policies, const struct set_classes *old, uint32_t *next)
{
	struct set_classes *classes = NULL;
	struct error error = {};

	if (set_classes_new(policies, old, next, &classes, &error) < 0)
		fail_msg("%s", error.text);
	return classes;
}

/* "FAMILY: FIRST=CLASS ..." and "CLASS: SET SET". */
static void print_classes(const struct policy_set *policies, const struct set_classes *classes, char *text)
{
	const struct set_class *list;
	size_t count = set_classes_list(classes, &list);

	*text = '\0';
	for (int family = 0; family < DNET_SET_FAMILIES; family++) {
		const uint64_t *words;
		size_t word_count = set_classes_words(classes, (enum dnet_set_family)family, &words);

		if (!word_count)	/* there is no set at all */
			continue;
		assert_int_equal(word_count, dnet_set_words((__u32)family, (__u32)words[0]));
		text += sprintf(text, "%s:", family == DNET_SET_V4 ? "v4" : "v6");
		for (uint64_t i = 0; i < words[0]; i++) {
			const uint64_t *range = words + DNET_SET_RANGES + i * (family == DNET_SET_V4 ? DNET_SET_V4_WORDS : DNET_SET_V6_WORDS);
			struct dnet_addr addr = { .byte = { [10] = 0xff, [11] = 0xff } };
			char buffer[TEXT_ADDR_SIZE];

			if (family == DNET_SET_V4)
				for (int j = 0; j < 4; j++)
					addr.byte[12 + j] = (uint8_t)(range[0] >> (56 - j * 8));
			else
				for (int j = 0; j < 16; j++)
					addr.byte[j] = (uint8_t)(range[j / 8] >> (56 - j % 8 * 8));
			text += sprintf(text, " %s=%u", text_addr(&addr, buffer), (uint32_t)range[family == DNET_SET_V4 ? 0 : 2]);
		}
		text += sprintf(text, "\n");
	}
	for (size_t i = 0; i < count; i++) {
		text += sprintf(text, "%u:", list[i].id);
		for (size_t j = 0; j < list[i].set_count; j++)
			text += sprintf(text, " %s", policies->sets[list[i].sets[j]].name);
		text += sprintf(text, "\n");
	}
}

static void test_golden(void **state)
{
	static const struct {
		const char *sets[5];
		const char *expected;
	} cases[] = {
		{ { NULL }, "" },
		{ { "a" }, "v4: 0.0.0.0=0\nv6: ::=0\n" },
		{ { "a 192.0.2.0/24" }, "v4: 0.0.0.0=0 192.0.2.0=1 192.0.3.0=0\nv6: ::=0\n1: a\n" },
		/* Neighbours and what lies inside become one range. */
		{ { "a 192.0.2.0/25 192.0.2.7 192.0.2.128/25" }, "v4: 0.0.0.0=0 192.0.2.0=1 192.0.3.0=0\nv6: ::=0\n1: a\n" },
		{ { "a 192.0.2.0/24", "b 192.0.2.64/26 198.51.100.1" },
		  "v4: 0.0.0.0=0 192.0.2.0=1 192.0.2.64=2 192.0.2.128=1 192.0.3.0=0 198.51.100.1=3 198.51.100.2=0\nv6: ::=0\n1: a\n2: a b\n3: b\n" },
		/* One closes where another opens. */
		{ { "a 192.0.2.0/25", "b 192.0.2.128/25" }, "v4: 0.0.0.0=0 192.0.2.0=1 192.0.2.128=2 192.0.3.0=0\nv6: ::=0\n1: a\n2: b\n" },
		/* Ends of the addresses. */
		{ { "a 0.0.0.0/0" }, "v4: 0.0.0.0=1\nv6: ::=0\n1: a\n" },
		{ { "a 0.0.0.0 255.255.255.255" }, "v4: 0.0.0.0=1 0.0.0.1=0 255.255.255.255=1\nv6: ::=0\n1: a\n" },
		{ { "a ::/0", "b ffff::/16 ::1" }, "v4: 0.0.0.0=0\nv6: ::=1 ::1=2 ::2=1 ffff::=2\n1: a\n2: a b\n" },
		/* Families do not cross, though ::/64 holds the mapped form of every IPv4 address. */
		{ { "a ::/64 192.0.2.1" }, "v4: 0.0.0.0=0 192.0.2.1=1 192.0.2.2=0\nv6: ::=1 0:0:0:1::=0\n1: a\n" },
		{ { "a 2001:db8::/32 fd00::/8" }, "v4: 0.0.0.0=0\nv6: ::=0 2001:db8::=1 2001:db9::=0 fd00::=1 fe00::=0\n1: a\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy_set policies;
		struct set_classes *classes;
		uint32_t next = 1;
		char text[4096];

		sets_parse(cases[i].sets, &policies);
		classes = classes_of(&policies, NULL, &next);
		print_classes(&policies, classes, text);
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("case %zu:\n%sinstead of\n%s", i, text, cases[i].expected);
		set_classes_free(classes);
		policy_set_clear(&policies);
	}
}

/* A combination keeps its number as long as its sets have their names; no number comes back. */
static void test_numbers_stay(void **state)
{
	static const char *const first[] = { "a 192.0.2.0/24", "b 192.0.2.128/25", NULL },
				 *const second[] = { "c 192.0.2.0/25", "b 192.0.2.128/25", "a 192.0.2.128/25 198.51.100.0/24", NULL },
				 *const third[] = { "b 192.0.2.128/25", "c 192.0.2.0/24", NULL },
				 *const fourth[] = { "a 192.0.2.0/24", "b 192.0.2.128/25", NULL };
	static const struct {
		const char *const *sets;
		const char *expected;
	} steps[] = {
		{ first, "v4: 0.0.0.0=0 192.0.2.0=1 192.0.2.128=2 192.0.3.0=0\nv6: ::=0\n1: a\n2: a b\n" },
		{ first, "v4: 0.0.0.0=0 192.0.2.0=1 192.0.2.128=2 192.0.3.0=0\nv6: ::=0\n1: a\n2: a b\n" },
		{ second, "v4: 0.0.0.0=0 192.0.2.0=3 192.0.2.128=2 192.0.3.0=0 198.51.100.0=1 198.51.101.0=0\nv6: ::=0\n1: a\n2: b a\n3: c\n" },
		{ third, "v4: 0.0.0.0=0 192.0.2.0=3 192.0.2.128=4 192.0.3.0=0\nv6: ::=0\n3: c\n4: b c\n" },
		/* `a` was gone in between: what has it gets new numbers. */
		{ fourth, "v4: 0.0.0.0=0 192.0.2.0=5 192.0.2.128=6 192.0.3.0=0\nv6: ::=0\n5: a\n6: a b\n" },
	};
	struct policy_set policies[COUNT(steps)];
	struct set_classes *classes = NULL;
	uint32_t next = 1;

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct set_classes *old = classes;
		char text[4096];

		sets_parse(steps[i].sets, &policies[i]);
		classes = classes_of(&policies[i], old, &next);
		/* The old sets may be gone before the old classes are. */
		if (old)
			assert_int_equal(set_classes_equal(old, classes), i == 1);
		print_classes(&policies[i], classes, text);
		if (strcmp(text, steps[i].expected) != 0)
			fail_msg("step %zu:\n%sinstead of\n%s", i, text, steps[i].expected);
		set_classes_free(old);
		policy_set_clear(&policies[i]);
	}
	assert_int_equal(next, 7);
	set_classes_free(classes);
}

static uint64_t random_state;
static uint64_t random_word(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Few bits that differ: so prefixes meet, lie in each other and end together. */
static struct prefix random_prefix(void)
{
	struct prefix prefix = {};
	bool v4 = random_word() % 2;

	for (int i = 0; i < 16; i++)
		prefix.addr.byte[i] = random_word() % 3 ? 0 : (uint8_t)random_word();
	if (v4)
		memcpy(prefix.addr.byte, &(struct dnet_addr){ .byte = { [10] = 0xff, [11] = 0xff } }, 12);
	prefix.prefix_len = v4 ? 96 + (unsigned int)(random_word() % 33) : (unsigned int)(random_word() % 129);
	addr_mask(&prefix.addr, prefix.prefix_len);
	return prefix;
}

/* Every address is in exactly the sets that its class says. */
static void check_address(const struct policy_set *policies, const struct set_classes *classes, const struct dnet_addr *addr)
{
	uint32_t id = set_classes_find(classes, addr);
	const struct set_class *list, *class = NULL;
	size_t count = set_classes_list(classes, &list), at = 0;

	for (size_t i = 0; i < count; i++)
		if (list[i].id == id)
			class = &list[i];
	assert_true((class != NULL) == (id != 0));
	for (size_t i = 0; i < policies->set_count; i++) {
		bool expected = false, has = class && at < class->set_count && class->sets[at] == i;
		char buffer[TEXT_ADDR_SIZE];

		for (size_t j = 0; j < policies->sets[i].prefix_count && !expected; j++)
			expected = prefix_covers(&policies->sets[i].prefixes[j].addr, policies->sets[i].prefixes[j].prefix_len, addr, 128);
		if (expected != has)
			fail_msg("%s is%s in set %zu", text_addr(addr, buffer), expected ? "" : " not", i);
		at += has;
	}
}

static void test_random(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct policy_set policies = { .set_count = 1 + seed % 70 };
		struct set_classes *classes;
		uint32_t next = 1;

		random_state = seed;
		policies.sets = calloc(policies.set_count, sizeof(*policies.sets));
		for (size_t i = 0; i < policies.set_count; i++) {
			struct prefix_set *set = &policies.sets[i];

			assert_true(asprintf(&set->name, "set-%zu", i) > 0);
			set->prefix_count = random_word() % 20;
			set->prefixes = calloc(set->prefix_count + 1, sizeof(*set->prefixes));
			for (size_t j = 0; j < set->prefix_count; j++)
				set->prefixes[j] = random_prefix();
			set_sort(set);
		}
		classes = classes_of(&policies, NULL, &next);
		for (int i = 0; i < 300; i++) {
			struct dnet_addr addr = random_prefix().addr;

			check_address(&policies, classes, &addr);
			/* And the addresses beside it. */
			for (int step = -1; step <= 1; step += 2) {
				struct dnet_addr near = addr;
				int byte = 15;

				do
					near.byte[byte] = (uint8_t)(near.byte[byte] + step);
				while (near.byte[byte--] == (step < 0 ? 0xff : 0) && byte >= 0);
				check_address(&policies, classes, &near);
			}
		}
		set_classes_free(classes);
		policy_set_clear(&policies);
	}
}

/* Where labels are ignored, only what a rule names is entered; else a label may name any set. */
static void test_only_what_is_named(void **state)
{
	static const char *const sets[] = { "a 192.0.2.0/24", "b 198.51.100.0/24", "c 203.0.113.0/24", NULL };
	struct peer peers[] = { { .kind = PEER_SET, .name = (char *)"b" }, { .kind = PEER_SET, .name = (char *)"c" } };
	struct rule rules[] = { { .peers = &peers[0], .peer_count = 1 }, { .peers = &peers[1], .peer_count = 1 } };
	struct policy policy = { .direction = { [DNET_EGRESS] = { .present = true, .rules = &rules[0], .count = 1 } } };
	struct policy_set policies;
	uint32_t next = 1;
	char text[1024];

	(void)state;
	sets_parse(sets, &policies);
	policies.policies = &policy;
	policies.policy_count = 1;
	policies.host.direction[DNET_INGRESS] = (struct rule_list){ .present = true, .rules = &rules[1], .count = 1 };
	for (int ignore = 0; ignore < 2; ignore++) {
		struct set_classes *classes;

		policies.labels_ignore = ignore;
		classes = classes_of(&policies, NULL, &next);
		print_classes(&policies, classes, text);
		assert_true((strstr(text, ": a\n") != NULL) == !ignore);
		assert_non_null(strstr(text, ": b\n"));
		assert_non_null(strstr(text, ": c\n"));
		set_classes_free(classes);
	}
	policies.policies = NULL;
	policies.policy_count = 0;
	memset(&policies.host, 0, sizeof(policies.host));
	policy_set_clear(&policies);
}

/* --- limits */

static struct prefix v4_prefix(uint32_t addr, unsigned int length)
{
	struct prefix prefix = { .addr = { .byte = { [10] = 0xff, [11] = 0xff } }, .prefix_len = 96 + length };

	for (int i = 0; i < 4; i++)
		prefix.addr.byte[12 + i] = (uint8_t)(addr >> (24 - i * 8));
	return prefix;
}

static void test_a_million_prefixes(void **state)
{
	struct prefix_set set = { .name = (char *)"many", .prefix_count = DNET_MAX_SET_PREFIXES };
	struct policy_set policies = { .sets = &set, .set_count = 1 };
	struct set_classes *classes = NULL;
	struct timespec begin, end;
	struct error error = {};
	const uint64_t *words;
	uint32_t next = 1;

	(void)state;
	set.prefixes = calloc(set.prefix_count + 1, sizeof(*set.prefixes));
	assert_non_null(set.prefixes);
	for (uint32_t i = 0; i <= DNET_MAX_SET_PREFIXES; i++)
		set.prefixes[i] = v4_prefix(i * 4000u, 32);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	classes = classes_of(&policies, NULL, &next);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	/* 30 ms where this was written; the rest is for sanitizers and slow machines. */
	assert_true((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 < 2000);
	assert_int_equal(set_classes_words(classes, DNET_SET_V4, &words), dnet_set_words(DNET_SET_V4, 2 * DNET_MAX_SET_PREFIXES));
	for (uint32_t i = 0; i < DNET_MAX_SET_PREFIXES; i += 997) {
		struct prefix in = v4_prefix(i * 4000u, 32), beside = v4_prefix(i * 4000u + 1, 32);

		assert_int_equal(set_classes_find(classes, &in.addr), 1);
		assert_int_equal(set_classes_find(classes, &beside.addr), 0);
	}
	set_classes_free(classes);
	set.prefix_count++;
	assert_int_equal(set_classes_new(&policies, NULL, &next, &classes, &error), -ENOSPC);
	assert_non_null(strstr(error.text, "1000001"));
	assert_non_null(strstr(error.text, "1000000"));
	/* An order that cannot be swept. */
	set.prefix_count = 2;
	set.prefixes[0] = v4_prefix(4001, 32);
	assert_int_equal(set_classes_new(&policies, NULL, &next, &classes, &error), -EINVAL);
	assert_int_equal(next, 2);
	free(set.prefixes);
}

/* 17 sets whose members are the addresses with one bit set: all combinations of them. */
static void test_too_many_combinations(void **state)
{
	struct prefix_set sets[17] = {};
	struct policy_set policies = { .sets = sets, .set_count = COUNT(sets) };
	struct set_classes *classes = NULL;
	struct error error = {};
	uint32_t next = 1;

	(void)state;
	for (uint32_t i = 0; i < COUNT(sets); i++) {
		assert_true(asprintf(&sets[i].name, "bit-%u", i) > 0);
		sets[i].prefixes = calloc(65536, sizeof(struct prefix));
		/* Bit i of the address: blocks of 1 << i addresses. */
		for (uint32_t block = 0; block < 131072u >> i; block++)
			if (block & 1 && sets[i].prefix_count < 65536)
				sets[i].prefixes[sets[i].prefix_count++] = v4_prefix(0x0a000000u + (block << i), 32 - i);
	}
	assert_int_equal(set_classes_new(&policies, NULL, &next, &classes, &error), -ENOSPC);
	assert_non_null(strstr(error.text, "65536 combinations"));
	assert_int_equal(next, 1);
	policies.set_count = 16;
	classes = classes_of(&policies, NULL, &next);
	assert_int_equal(next, 65536);
	set_classes_free(classes);
	for (uint32_t i = 0; i < COUNT(sets); i++) {
		free(sets[i].name);
		free(sets[i].prefixes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden), cmocka_unit_test(test_numbers_stay), cmocka_unit_test(test_random),
		cmocka_unit_test(test_only_what_is_named), cmocka_unit_test(test_a_million_prefixes),
		cmocka_unit_test(test_too_many_combinations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
