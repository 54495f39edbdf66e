/* SPDX-License-Identifier: GPL-2.0 */
/* Country databases. The first byte says what the rest is: '4' or '6', range files; 'm', an .mmdb. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/private.h"

static bool met[COUNTRY_NUMBERS];

static void require(int condition)
{
	if (!condition)
		abort();
}

static void check_error(const struct error *error, size_t length)
{
	require(strncmp(error->text, "f:", 2) == 0 && strlen(error->text) > error->sentence);
	require(error->line <= length + 1 && error->column <= length + 1);
	for (const char *c = error->text; *c; c++)
		require(*c >= ' ' && *c <= '~');
}

/* The ranges rise, begin with address 0, and each has another class than the one before. */
static void check_table(const struct range_table *table, enum dnet_set_family family)
{
	size_t ranges = range_table_ranges(table), width = family == DNET_SET_V4 ? DNET_SET_V4_WORDS : DNET_SET_V6_WORDS;
	const uint64_t *at = table->words + DNET_SET_RANGES;

	require(ranges >= 1 && table->count == dnet_set_words(family, (uint32_t)ranges));
	require(family == DNET_SET_V4 ? at[0] >> 32 == 0 : at[0] == 0 && at[1] == 0);
	for (const uint64_t *next = at + width; next < table->words + table->count; at += width, next += width) {
		if (family == DNET_SET_V4)
			require(at[0] >> 32 < next[0] >> 32 && (uint32_t)at[0] != (uint32_t)next[0]);
		else
			require((at[0] < next[0] || (at[0] == next[0] && at[1] < next[1])) && at[2] != next[2]);
	}
}

static struct dnet_addr read_address(const char *text, enum dnet_set_family family)
{
	struct dnet_addr addr = {};

	if (family == DNET_SET_V4)
		addr.word_be[3] = htonl((uint32_t)strtoul(text, NULL, 10));
	else
		require(inet_pton(AF_INET6, text, &addr) == 1);
	return addr;
}

/* What a simple reader finds in a text that was taken is what the table answers. */
static void check_lines(char *text, const struct range_table *table, enum dnet_set_family family)
{
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		char *last, *country;
		struct dnet_addr ends[2];

		if (!*line || *line == '#')
			continue;
		last = strchr(line, ',');
		require(last != NULL);
		*last++ = '\0';
		country = strchr(last, ',');
		require(country != NULL);
		*country++ = '\0';
		require(strlen(country) == 2);
		ends[0] = read_address(line, family);
		ends[1] = read_address(last, family);
		for (int i = 0; i < 2; i++)
			require(range_table_find(table, family, &ends[i]) == (strcmp(country, "??") == 0 ? 0 : dnet_country(country)));
	}
}

static void check_ranges(const char *data, size_t length, enum dnet_set_family family)
{
	char *text = malloc(length + 1);
	struct range_table table = {};
	struct error error = {};
	uint64_t built;

	require(text != NULL);
	memcpy(text, data, length);
	text[length] = '\0';
	if (range_file_parse("f", text, length, family, met, &table, &built, &error) < 0) {
		check_error(&error, length);
	} else {
		check_table(&table, family);
		/* A comment may hold zeros. */
		if (strlen(text) == length)
			check_lines(text, &table, family);
	}
	range_table_clear(&table);
	free(text);
}

static void check_mmdb(const char *data, size_t length)
{
	struct range_table tables[DNET_SET_FAMILIES] = {};
	struct error error = {};
	char *type = NULL;
	uint64_t built;

	mmdb_is(data, length);
	if (mmdb_parse("f", data, length, met, tables, &type, &built, &error) < 0) {
		require(!type && !tables[0].words && !tables[1].words);
		check_error(&error, length);
		return;
	}
	for (int family = 0; family < DNET_SET_FAMILIES; family++) {
		check_table(&tables[family], (enum dnet_set_family)family);
		range_table_clear(&tables[family]);
	}
	free(type);
}

/* libmaxminddb 1.7.1 does not free all when the metadata turn out to be damaged. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *rest = (const char *)data + 1;

	if (size && data[0] == '4')
		check_ranges(rest, size - 1, DNET_SET_V4);
	else if (size && data[0] == '6')
		check_ranges(rest, size - 1, DNET_SET_V6);
	else if (size && data[0] == 'm')
		check_mmdb(rest, size - 1);
	return 0;
}
