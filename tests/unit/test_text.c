/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/marked.h"

#include <errno.h>

#include "base/text.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void test_time(void **state)
{
	static const struct {
		uint64_t unix_ns;
		const char *expected;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000000Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ 999999999ull, "1970-01-01T00:00:00.999999999Z" },
		{ 951827696123456789ull, "2000-02-29T12:34:56.123456789Z" },
		{ 4102444800000000000ull, "2100-01-01T00:00:00.000000000Z" },
	};
	char buffer[TEXT_TIME_SIZE], later[TEXT_TIME_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_ptr_equal(text_time(cases[i].unix_ns, buffer), buffer);
		assert_string_equal(buffer, cases[i].expected);
	}
	/* The farthest one fits, and the format sorts as time does. */
	assert_true(strlen(text_time(UINT64_MAX, buffer)) < TEXT_TIME_SIZE);
	text_time_now(buffer);
	text_time_now(later);
	assert_true(strcmp(buffer, later) <= 0 && strcmp("2024", buffer) < 0);
}

static void test_duration(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *expected;
	} cases[] = {
		{ 0, "0 s" }, { 59, "59 s" }, { 60, "1 min" }, { 61, "1 min 1 s" }, { 3599, "59 min 59 s" }, { 3600, "1 h" }, { 3659, "1 h" },
		{ 7384, "2 h 3 min" }, { 86400, "1 d" }, { 86399, "23 h 59 min" }, { 90000, "1 d 1 h" }, { 315360000, "3650 d" },
	};
	char buffer[TEXT_DURATION_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_ptr_equal(text_duration(cases[i].seconds, buffer), buffer);
		assert_string_equal(buffer, cases[i].expected);
	}
	assert_true(strlen(text_duration(UINT64_MAX, buffer)) < TEXT_DURATION_SIZE);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *printed;	/* NULL: no address */
		bool v4;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "0.0.0.0", "0.0.0.0", true },
		{ "255.255.255.255", "255.255.255.255", true },
		{ "::ffff:192.0.2.1", "192.0.2.1", true },
		{ "::FFFF:c000:201", "192.0.2.1", true },
		{ "2001:DB8::1", "2001:db8::1", false },
		{ "::", "::", false },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false },
		{ "64:ff9b::192.0.2.1", "64:ff9b::c000:201", false },
		{ "", NULL, false },
		{ "192.0.2", NULL, false },
		{ "192.0.2.256", NULL, false },
		{ "192.0.2.1.", NULL, false },
		{ " 192.0.2.1", NULL, false },
		{ "192.0.2.1 ", NULL, false },
		{ "192.0.2.1/32", NULL, false },
		{ "fe80::1%lo", NULL, false },
		{ "2001:db8:::1", NULL, false },
		{ "1:2:3:4:5:6:7:8:9", NULL, false },
		{ "localhost", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char buffer[TEXT_ADDR_SIZE];
		struct dnet_addr addr, old;

		memset(&addr, 0x5a, sizeof(addr));
		old = addr;
		if (!cases[i].printed) {
			if (text_parse_addr(cases[i].text, &addr) != -EINVAL)
				fail_msg("accepted: %s", cases[i].text);
			assert_true(addr_equal(&addr, &old));
			continue;
		}
		assert_int_equal(text_parse_addr(cases[i].text, &addr), 0);
		assert_string_equal(text_addr(&addr, buffer), cases[i].printed);
		assert_int_equal(addr_is_v4(&addr), cases[i].v4);
	}
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *text;
		int result;
		unsigned int prefix_len;
		bool host_bits;
		const char *printed;
	} cases[] = {
		{ "192.0.2.0/24", 0, 120, false, "192.0.2.0/24" },
		{ "192.0.2.1/24", 0, 120, true, "192.0.2.0/24" },
		{ "192.0.2.1", 0, 128, false, "192.0.2.1" },
		{ "192.0.2.1/32", 0, 128, false, "192.0.2.1" },
		{ "192.0.2.129/31", 0, 127, true, "192.0.2.128/31" },
		{ "0.0.0.0/0", 0, 96, false, "0.0.0.0/0" },
		{ "192.0.2.1/0", 0, 96, true, "0.0.0.0/0" },
		{ "::/0", 0, 0, false, "::/0" },
		{ "2001:db8::/32", 0, 32, false, "2001:db8::/32" },
		{ "2001:db8::1/127", 0, 127, true, "2001:db8::/127" },
		{ "2001:db8::1", 0, 128, false, "2001:db8::1" },
		{ "2001:db8:8000::/33", 0, 33, false, "2001:db8:8000::/33" },
		{ "::ffff:192.0.2.0/120", 0, 120, false, "192.0.2.0/24" },
		{ "::ffff:192.0.2.1/120", 0, 120, true, "192.0.2.0/24" },
		{ "192.0.2.0/33", -ERANGE, 0, false, NULL },
		{ "192.0.2.0/", -ERANGE, 0, false, NULL },
		{ "192.0.2.0/-1", -ERANGE, 0, false, NULL },
		{ "192.0.2.0/+1", -ERANGE, 0, false, NULL },
		{ "192.0.2.0/ 1", -ERANGE, 0, false, NULL },
		{ "192.0.2.0/0x8", -ERANGE, 0, false, NULL },
		{ "192.0.2.0/4294967320", -ERANGE, 0, false, NULL },
		{ "2001:db8::/129", -ERANGE, 0, false, NULL },
		{ "192.0.2.0/8/8", -ERANGE, 0, false, NULL },
		{ "192.0.2/24", -EINVAL, 0, false, NULL },
		{ "/24", -EINVAL, 0, false, NULL },
		{ "", -EINVAL, 0, false, NULL },
		{ "12345678901234567890123456789012345678901234567890123456789012345/8", -EINVAL, 0, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char buffer[TEXT_PREFIX_SIZE];
		unsigned int prefix_len = 4711;
		struct dnet_addr addr;
		bool host_bits;

		if (text_parse_prefix(cases[i].text, &addr, &prefix_len, &host_bits) != cases[i].result)
			fail_msg("%s: not %d", cases[i].text, cases[i].result);
		if (cases[i].result < 0) {
			assert_int_equal(prefix_len, 4711);
			continue;
		}
		assert_int_equal(prefix_len, cases[i].prefix_len);
		assert_int_equal(host_bits, cases[i].host_bits);
		assert_string_equal(text_prefix(&addr, prefix_len, buffer), cases[i].printed);
	}
}

static void test_membership(void **state)
{
	static const struct {
		const char *addr, *prefix;
		bool inside;
	} cases[] = {
		{ "192.0.2.77", "192.0.2.0/24", true },
		{ "192.0.3.77", "192.0.2.0/24", false },
		{ "192.0.2.129", "192.0.2.128/31", true },
		{ "192.0.2.130", "192.0.2.128/31", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.0", "192.0.2.1", false },
		{ "203.0.113.9", "0.0.0.0/0", true },
		{ "2001:db8::1", "0.0.0.0/0", false },
		{ "2001:db8::1", "::/0", true },
		{ "2001:db8:ffff::1", "2001:db8::/32", true },
		{ "2001:db9::", "2001:db8::/32", false },
		{ "2001:db8:8000::", "2001:db8::/33", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dnet_addr addr, prefix;
		unsigned int prefix_len;
		bool host_bits;

		assert_int_equal(text_parse_addr(cases[i].addr, &addr), 0);
		assert_int_equal(text_parse_prefix(cases[i].prefix, &prefix, &prefix_len, &host_bits), 0);
		if (addr_in_prefix(&addr, &prefix, prefix_len) != cases[i].inside)
			fail_msg("%s in %s", cases[i].addr, cases[i].prefix);
	}
}

static void test_mask(void **state)
{
	(void)state;
	for (unsigned int prefix_len = 0; prefix_len <= 128; prefix_len++) {
		struct dnet_addr addr;

		memset(&addr, 0xff, sizeof(addr));
		addr_mask(&addr, prefix_len);
		for (unsigned int bit = 0; bit < 128; bit++)
			assert_int_equal(addr.byte[bit / 8] >> (7 - bit % 8) & 1, bit < prefix_len);
	}
}

static void test_mac(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint8_t mac[6];
	} cases[] = {
		{ "02:42:ac:11:00:02", 0, { 0x02, 0x42, 0xac, 0x11, 0x00, 0x02 } },
		{ "FF:fF:00:AB:cd:eF", 0, { 0xff, 0xff, 0x00, 0xab, 0xcd, 0xef } },
		{ "", -EINVAL, { 0 } },
		{ "02:42:ac:11:00", -EINVAL, { 0 } },
		{ "02:42:ac:11:00:02:03", -EINVAL, { 0 } },
		{ "02:42:ac:11:00:02 ", -EINVAL, { 0 } },
		{ "02:42:ac:11:00:0g", -EINVAL, { 0 } },
		{ "02:42:ac:11:00:002", -EINVAL, { 0 } },
		{ "02-42-ac-11-00-02", -EINVAL, { 0 } },
		{ "0242ac110002", -EINVAL, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t mac[6] = { 9, 9, 9, 9, 9, 9 }, old[6] = { 9, 9, 9, 9, 9, 9 };

		if (text_parse_mac(cases[i].text, mac) != cases[i].result)
			fail_msg("\"%s\": not %d", cases[i].text, cases[i].result);
		assert_memory_equal(mac, cases[i].result ? old : cases[i].mac, 6);
	}
}

static void test_glob(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "anything", true },
		{ "?", "", false },
		{ "?", "a", true },
		{ "?", "ab", false },
		{ "web", "web", true },
		{ "web", "Web", false },
		{ "web", "web-1", false },
		{ "web-*", "web-", true },
		{ "web-*", "web-12", true },
		{ "web-*", "aweb-12", false },
		{ "*-db", "shop-db", true },
		{ "*-db", "shop-db-1", false },
		{ "*-db", "-db-db", true },
		{ "*a*b*", "xxaxxbxx", true },
		{ "*a*b*", "xxbxxaxx", false },
		{ "a?c*", "abcd", true },
		{ "a**c", "abbc", true },
		{ "[ab]", "a", false },
		{ "[ab]", "[ab]", true },
		{ "a\\*", "a\\b", true },
		{ "*abab", "ababab", true },
		{ "*?*", "", false },
		{ "*?*?", "ab", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (text_glob_match(cases[i].pattern, cases[i].text) != cases[i].matches)
			fail_msg("%s for %s", cases[i].pattern, cases[i].text);
}

/* A backtracking matcher would need 2^60 steps for this. */
static void test_glob_is_fast(void **state)
{
	char pattern[256] = "", text[4096];

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(pattern, "*a");
	strcat(pattern, "*b");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(text_glob_match(pattern, text));
}

static void test_hash(void **state)
{
	(void)state;
	/* Vectors of FNV-1a, 64 bits, by its authors. */
	assert_true(text_hash(TEXT_HASH_SEED, "") == 0xcbf29ce484222325ull);
	assert_true(text_hash(TEXT_HASH_SEED, "a") == 0xaf63dc4c8601ec8cull);
	assert_true(text_hash(TEXT_HASH_SEED, "foobar") == 0x85944171f73967e8ull);
	assert_true(text_hash(text_hash(TEXT_HASH_SEED, "foo"), "bar") == 0x85944171f73967e8ull);
	/* Bytes are unsigned, whatever char is. */
	assert_true(text_hash(TEXT_HASH_SEED, "\xff") == (0xcbf29ce484222325ull ^ 0xff) * 0x100000001b3ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time), cmocka_unit_test(test_duration),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_membership),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_glob),
		cmocka_unit_test(test_glob_is_fast),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
