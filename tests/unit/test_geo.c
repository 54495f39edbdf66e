/* SPDX-License-Identifier: GPL-2.0 */
/* Country databases: what is in them, and every way in which a file can be wrong. */
#include "unit/folder.h"

#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/range_table.h"
#include "geo/geo.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define GOOD_V4 "16777216,16777471,AU\n16777472,16778239,CN\n"
#define GOOD_V6 "2001:db8::,2001:db8::ff,DE\n"

static void put_pair(const char *v4, const char *v6)
{
	put_file("geo/geoip", v4);
	put_file("geo/geoip6", v6);
}

static struct geo *load(const char *name, const struct geo *former)
{
	struct error error = {};
	struct geo *geo = NULL;

	if (geo_load(in_folder(name), former, &geo, &error) < 0)
		fail_msg("%s", error.text);
	return geo;
}

static void expect(const struct geo *geo, const char *address, const char *country)
{
	struct dnet_addr addr;
	char text[3];

	assert_int_equal(text_parse_addr(address, &addr), 0);
	country_text(geo_find(geo, &addr), text);
	if (strcmp(text, country) != 0)
		fail_msg("%s is in %s, wanted %s", address, text, country);
}

static void test_ranges(void **state)
{
	static const struct {
		const char *address, *country;
	} cases[] = {
		{ "0.0.0.0", "AA" }, { "0.0.0.1", "??" }, { "0.255.255.255", "??" }, { "1.0.0.0", "AU" }, { "1.0.0.255", "AU" },
		{ "1.0.1.0", "CN" }, { "1.0.3.255", "CN" }, { "1.0.4.0", "??" }, { "1.0.5.0", "CN" }, { "1.0.5.255", "CN" }, { "1.0.6.0", "??" },
		{ "10.0.0.1", "??" }, { "127.0.0.1", "??" }, { "255.255.255.254", "??" }, { "255.255.255.255", "ZZ" },
		{ "::ffff:1.0.0.7", "AU" },
		{ "::", "DE" }, { "::1", "??" }, { "2001:db8::", "DE" }, { "2001:db8::ff", "DE" }, { "2001:db8::100", "FR" },
		{ "2001:db8::1:0", "??" }, { "fd00::1", "??" }, { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "??" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "JP" },
	};
	_cleanup_(geo_freep) struct geo *geo = NULL;
	const uint64_t *words;

	(void)state;
	put_pair("# a comment\n\n0,0,AA\n" GOOD_V4 "16778496,16778751,CN\n167772160,167772415,\?\?\n4294967295,4294967295,ZZ\n",
		 "::,::,DE\n2001:db8::,2001:db8::ff,DE\n2001:db8::100,2001:DB8:0:0:0:0:0:ffff,FR\n"
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,JP\n");
	geo = load("geo/geoip", NULL);
	for (size_t i = 0; i < COUNT(cases); i++)
		expect(geo, cases[i].address, cases[i].country);
	/* The layout of dnetbpf/set.h: ?? and the gaps around it are one range. */
	assert_int_equal(geo_words(geo, DNET_SET_V4, &words), dnet_set_words(DNET_SET_V4, 8));
	assert_int_equal(words[0], 8);
	assert_int_equal(words[DNET_SET_RANGES], dnet_country("AA"));
	assert_int_equal(words[DNET_SET_RANGES + 2], 0x0100000000000000ull | dnet_country("AU"));
	assert_int_equal(words[DNET_SET_RANGES + 3], 0x0100010000000000ull | dnet_country("CN"));
	assert_int_equal(geo_words(geo, DNET_SET_V6, &words), dnet_set_words(DNET_SET_V6, 6));
	assert_int_equal(geo_info(geo)->countries, 7);
	assert_string_equal(geo_info(geo)->type, "range files");
	assert_string_equal(geo_info(geo)->files[DNET_SET_V6], in_folder("geo/geoip6"));
}

static void test_built(void **state)
{
	struct geo *geo;
	struct stat status;

	(void)state;
	put_pair("# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n" GOOD_V4, "# Generated: Wed, 24 Jun 2026 04:33:59 GMT\n" GOOD_V6);
	geo = load("geo", NULL);
	assert_int_equal(geo_info(geo)->built_unix, 1782275639);
	geo_free(geo);
	put_pair("# Generated: yesterday\n" GOOD_V4, GOOD_V6);
	geo = load("geo", NULL);
	assert_int_equal(stat(in_folder("geo/geoip"), &status), 0);
	assert_int_equal(geo_info(geo)->built_unix, status.st_mtime);
	geo_free(geo);
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *v4, *v6, *sentence;
	} cases[] = {
		{ "", GOOD_V6, "/geoip: the file is empty" },
		{ GOOD_V4, "", "/geoip6: the file is empty" },
		{ "# nothing\n", GOOD_V6, "/geoip: no range in this file has a country" },
		{ GOOD_V4, "2001:db8::,2001:db8::ff,\?\?\n", "/geoip6: no range in this file has a country" },
		{ GOOD_V4 "16778240,1677", GOOD_V6, "/geoip:3:1: the file ends in the middle of a line" },
		{ GOOD_V4 "16778240,16778250,CN", GOOD_V6, "/geoip:3:1: the file ends in the middle of a line" },
		{ GOOD_V4, GOOD_V6 "2001:db9::,2001:db9::,D", "/geoip6:2:1: the file ends in the middle of a line" },
		{ GOOD_V4 "16778200,16778250,CN\n", GOOD_V6, "/geoip:3:1: the range does not come behind the one before it" },
		{ GOOD_V4 "16778239,16778250,CN\n", GOOD_V6, "/geoip:3:1: the range does not come behind" },
		{ GOOD_V4 "16777472,16778239,CN\n", GOOD_V6, "/geoip:3:1: the range does not come behind" },
		{ "1,4294967295,DE\n0,0,DE\n", GOOD_V6, "/geoip:2:1: the range does not come behind" },
		{ GOOD_V4 "16778250,16778249,CN\n", GOOD_V6, "/geoip:3:10: the range ends before it begins" },
		{ GOOD_V4, GOOD_V6 "2001:db9::1,2001:db9::,DE\n", "/geoip6:2:13: the range ends before it begins" },
		{ GOOD_V4, "::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,DE\n::,::,DE\n", "/geoip6:2:1: the range does not come behind" },
		{ "1,2,de\n", GOOD_V6, "/geoip:1:5: \"de\" is no country: two capital letters" },
		{ "1,2,DEU\n", GOOD_V6, "/geoip:1:5: \"DEU\" is no country" },
		{ "1,2,A1\n", GOOD_V6, "/geoip:1:5: \"A1\" is no country" },
		{ "1,2,\n", GOOD_V6, "/geoip:1:5: \"\" is no country" },
		{ "1,2,DE\r\n", GOOD_V6, "/geoip:1:5: \"DE?\" is no country" },
		{ "1,2,DE,FR\n", GOOD_V6, "/geoip:1:5: \"DE,FR\" is no country" },
		{ "1,2\n", GOOD_V6, "/geoip:1:3: this range has no country" },
		{ "1\n", GOOD_V6, "/geoip:1:1: \"1\" is no range: a line is FIRST,LAST,COUNTRY" },
		{ "1,4294967296,DE\n", GOOD_V6, "/geoip:1:3: \"4294967296\" is no IPv4 address as a decimal number" },
		{ "1,99999999999999999999999,DE\n", GOOD_V6, "/geoip:1:3: \"99999" },
		{ "-1,2,DE\n", GOOD_V6, "/geoip:1:1: \"-1\" is no IPv4 address" },
		{ ",2,DE\n", GOOD_V6, "/geoip:1:1: \"\" is no IPv4 address" },
		{ "1.0.0.0,1.0.0.255,DE\n", GOOD_V6, "/geoip:1:1: \"1.0.0.0\" is no IPv4 address as a decimal number" },
		{ "<html>\n", GOOD_V6, "/geoip:1:1: \"<html>\" is no range" },
		{ GOOD_V6, GOOD_V6, "/geoip:1:1: this is an IPv6 address: give the path of the file with the IPv4 ranges" },
		{ GOOD_V4, GOOD_V4, "/geoip6:1:1: \"16777216\" is no IPv6 address" },
		{ GOOD_V4, "2001:db8::,2001:db8::g,DE\n", "/geoip6:1:12: \"2001:db8::g\" is no IPv6 address" },
		{ GOOD_V4, "2001:db8:0000:0000:0000:0000:0000:0000:00000000000000,::,DE\n", "/geoip6:1:1: \"2001:db8:0000:" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct geo *geo = (struct geo *)&cases;
		struct error error = {};

		put_pair(cases[i].v4, cases[i].v6);
		if (geo_load(in_folder("geo/geoip"), NULL, &geo, &error) >= 0)
			fail_msg("%zu was taken, wanted: %s", i, cases[i].sentence);
		if (!strstr(error.text, cases[i].sentence) || strncmp(error.text, folder, strlen(folder)) != 0)
			fail_msg("%zu: \"%s\", wanted \"%s\"", i, error.text, cases[i].sentence);
		assert_ptr_equal(geo, &cases);	/* untouched on failure */
	}
}

static void test_missing_files(void **state)
{
	struct error error = {};
	struct geo *geo = NULL;

	(void)state;
	assert_int_equal(geo_load(in_folder("nothing"), NULL, &geo, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nothing: there is no such file: install Debian's tor-geoipdb"));
	put_file("alone/geoip", GOOD_V4);
	assert_int_equal(geo_load(in_folder("alone"), NULL, &geo, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/alone/geoip6: the file of the IPv6 ranges is missing: it belongs beside "));
	assert_int_equal(geo_load("/dev/null", NULL, &geo, &error), -EINVAL);
	assert_string_equal(error.text, "/dev/null: this is not a file");
	assert_int_equal(geo_load(in_folder("alone/geoip6/x"), NULL, &geo, &error), -ENOENT);
	assert_null(geo);
}

/* @count ranges of one address each. */
static void put_many(const char *name, unsigned int count)
{
	FILE *v4, *v6;

	put_file("many/geoip", "");
	v4 = fopen(in_folder(name), "w");
	v6 = fopen(in_folder("many/geoip6"), "w");
	assert_true(v4 && v6);
	for (unsigned int i = 0; i < count; i++) {
		fprintf(v4, "%u,%u,DE\n", i * 2, i * 2);
		fprintf(v6, "2001:db8::%x:0,2001:db8::%x:0,DE\n", i, i);
	}
	assert_int_equal(fclose(v4) | fclose(v6), 0);
}

static void test_shrunk(void **state)
{
	_cleanup_(geo_freep) struct geo *former = NULL;
	struct error error = {};
	struct geo *geo = NULL;

	(void)state;
	put_many("many/geoip", 1000);
	former = load("many/geoip", NULL);
	put_many("many/geoip", 501);
	geo_free(load("many/geoip", former));
	put_many("many/geoip", 400);
	assert_int_equal(geo_load(in_folder("many/geoip"), former, &geo, &error), -EINVAL);
	assert_non_null(strstr(error.text, "many/geoip: there are 800 ranges of IPv4 addresses, and there were 2000: that looks "
			       "truncated"));
	assert_null(geo);
	/* What another path names is another database. */
	geo_free(load("many", former));
	geo_free(load("many/geoip", NULL));
}

static void test_equal(void **state)
{
	_cleanup_(geo_freep) struct geo *one = NULL, *same = NULL, *other = NULL;

	(void)state;
	put_pair(GOOD_V4, GOOD_V6);
	one = load("geo", NULL);
	put_pair("# newer\n" GOOD_V4, GOOD_V6);
	same = load("geo", NULL);
	put_pair(GOOD_V4, "2001:db8::,2001:db8::ff,FR\n");
	other = load("geo", NULL);
	assert_true(geo_equal(one, same));
	assert_false(geo_equal(one, other));
}

static void test_too_many(void **state)
{
	struct error error = {};
	struct geo *geo = NULL;
	FILE *file;

	(void)state;
	put_pair(GOOD_V4, GOOD_V6);
	file = fopen(in_folder("geo/geoip"), "w");
	assert_non_null(file);
	for (unsigned int i = 0; i <= DNET_MAX_SET_RANGES; i++)
		fprintf(file, "%u,%u,%s\n", i, i, i % 2 ? "DE" : "FR");
	assert_int_equal(fclose(file), 0);
	assert_int_equal(geo_load(in_folder("geo"), NULL, &geo, &error), -ENOSPC);
	assert_non_null(strstr(error.text, "/geoip: more than 2097152 ranges of addresses in one family"));
}

/* --- .mmdb: 97 nodes of 24-bit records: 8000::/1 and 0.0.0.0/1 have a country */

#define NODES 97
#define EMPTY NODES
#define DATA (NODES + 16)
#define FLAT "\xe1\x4c" "country_code\x42"	/* a map of one text of 12 bytes to one of 2 */
#define FLAT_SIZE 17
#define METADATA "\xab\xcd\xefMaxMind.com" "\xe9" \
	"\x4a" "node_count" "\xc1\x61" "\x4b" "record_size" "\xa1\x18" "\x4a" "ip_version" "\xa1\x06" \
	"\x4d" "database_type" "\x44Test" "\x49" "languages" "\x01\x04\x42" "en" "\x5b" "binary_format_major_version" "\xa1\x02" \
	"\x5b" "binary_format_minor_version" "\xa0" "\x4b" "description" "\xe0" "\x4b" "build_epoch" "\x04\x02\x68\x4e\xe1\x80"

static void put_node(uint8_t *at, uint32_t left, uint32_t right)
{
	const uint8_t bytes[] = { left >> 16 & 0xff, left >> 8 & 0xff, left & 0xff, right >> 16 & 0xff, right >> 8 & 0xff, right & 0xff };

	memcpy(at, bytes, sizeof(bytes));
}

static size_t make_mmdb(uint8_t *bytes)
{
	uint8_t *data = bytes + NODES * 6;

	for (uint32_t i = 0; i < NODES - 1; i++)
		put_node(bytes + i * 6, i + 1, i ? EMPTY : DATA + FLAT_SIZE);
	put_node(bytes + (NODES - 1) * 6, DATA, EMPTY);
	memset(data, 0, 16);
	memcpy(data + 16, FLAT "DE" FLAT "FR" METADATA, 2 * FLAT_SIZE + sizeof(METADATA) - 1);
	return NODES * 6 + 16 + 2 * FLAT_SIZE + sizeof(METADATA) - 1;
}

static void put_bytes(const char *name, const uint8_t *bytes, size_t length)
{
	FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static void test_mmdb(void **state)
{
	_cleanup_(geo_freep) struct geo *geo = NULL;
	uint8_t bytes[2048];

	(void)state;
	put_bytes("test.mmdb", bytes, make_mmdb(bytes));
	geo = load("test.mmdb", NULL);
	expect(geo, "0.0.0.0", "DE");
	expect(geo, "127.255.255.255", "DE");
	expect(geo, "128.0.0.0", "??");
	expect(geo, "::", "??");
	expect(geo, "7fff::", "??");
	expect(geo, "8000::", "FR");
	expect(geo, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "FR");
	assert_string_equal(geo_info(geo)->type, "Test");
	assert_int_equal(geo_info(geo)->built_unix, 0x684ee180);
	assert_int_equal(geo_info(geo)->countries, 2);
	assert_string_equal(geo_info(geo)->files[DNET_SET_V6], in_folder("test.mmdb"));
}

/* libmaxminddb 1.7.1 does not free all when the metadata turn out to be damaged. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb";
}

/* Whatever comes of it: under the sanitizers, and without descriptors that stay open. */
static void test_damaged_mmdb(void **state)
{
	uint8_t bytes[2048];
	size_t length = make_mmdb(bytes);
	int before = dup(0), after;

	(void)state;
	close(before);
	for (size_t i = 0; i < length; i++)
		for (int mask = 0; mask < 3; mask++) {
			uint8_t kept = bytes[i];
			struct error error = {};
			struct geo *geo = NULL;
			int r;

			bytes[i] ^= (uint8_t[]){ 0x01, 0x20, 0xff }[mask];
			/* The last ones are cut there, too. */
			put_bytes("test.mmdb", bytes, mask == 2 ? i : length);
			bytes[i] = kept;
			r = geo_load(in_folder("test.mmdb"), NULL, &geo, &error);
			if ((r == 0) != (geo != NULL) || (r < 0) != (*error.text != '\0'))
				fail_msg("byte %zu: %d, \"%s\"", i, r, error.text);
			if (mask == 2 && r == 0)
				fail_msg("cut at byte %zu it was taken", i);
			geo_free(geo);
		}
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges), cmocka_unit_test(test_built), cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_missing_files), cmocka_unit_test(test_shrunk), cmocka_unit_test(test_equal),
		cmocka_unit_test(test_too_many), cmocka_unit_test(test_mmdb), cmocka_unit_test(test_damaged_mmdb),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
