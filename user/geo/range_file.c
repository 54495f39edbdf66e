/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Range files as tor has them (src/config/geoip in its source): "FIRST,LAST,CC" a line, rising, "#" before comments. There are
 * hundreds of thousands of lines: nothing is allocated for a line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/word.h"
#include "geo/private.h"

struct reader {
	const char *name;
	struct word line;
	unsigned int number;
	enum dnet_set_family family;
	struct geo_builder builder;
	uint64_t built;
	struct error *error;
};

static void reader_clear(struct reader *reader)
{
	geo_builder_clear(&reader->builder);
}

/* @word: a part of the line. */
static int __attribute__((format(printf, 3, 4))) line_error(const struct reader *reader, struct word word, const char *format, ...)
{
	char sentence[320];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return error_set_place(reader->error, -EINVAL, reader->name, reader->number, (unsigned int)(word.begin - reader->line.begin) + 1,
			       (unsigned int)word.length, sentence);
}

static bool is_v6(struct word word)
{
	return memchr(word.begin, ':', word.length) != NULL;
}

static int parse_v4(const struct reader *reader, struct word word, addr_number *ret)
{
	uint64_t value;

	if (word_number(word, UINT32_MAX, &value) && value <= UINT32_MAX) {
		*ret = value;
		return 0;
	}
	if (is_v6(word))
		return line_error(reader, word, "this is an IPv6 address: give the path of the file with the IPv4 ranges; that of the IPv6 "
				  "ranges lies beside it and has a 6 behind its name");
	return line_error(reader, word, "\"%s\" is no IPv4 address as a decimal number, from 0 to 4294967295", word_print(word).text);
}

static int parse_v6(const struct reader *reader, struct word word, addr_number *ret)
{
	char text[INET6_ADDRSTRLEN];
	struct dnet_addr addr;

	if (word.length < sizeof(text)) {
		memcpy(text, word.begin, word.length);
		text[word.length] = '\0';
		/* A zero inside the word would end the text early. */
		if (strlen(text) == word.length && inet_pton(AF_INET6, text, addr.byte) == 1) {
			*ret = address_number(&addr);
			return 0;
		}
	}
	return line_error(reader, word, "\"%s\" is no IPv6 address", word_print(word).text);
}

static int parse_address(const struct reader *reader, struct word word, addr_number *ret)
{
	return reader->family == DNET_SET_V4 ? parse_v4(reader, word, ret) : parse_v6(reader, word, ret);
}

static int parse_line(struct reader *reader)
{
	struct word first_word = word_until(reader->line, ','), rest = word_after(reader->line, first_word.length);
	struct word last_word, country_word;
	addr_number first, last;
	uint32_t country = COUNTRY_UNKNOWN;
	int r;

	if (!rest.length)
		return line_error(reader, reader->line, "\"%s\" is no range: a line is FIRST,LAST,COUNTRY", word_print(reader->line).text);
	last_word = word_until(word_after(rest, 1), ',');
	rest = word_after(rest, 1 + last_word.length);
	if (!rest.length)
		return line_error(reader, last_word, "this range has no country: a line is FIRST,LAST,COUNTRY");
	country_word = word_after(rest, 1);
	r = parse_address(reader, first_word, &first);
	if (r == 0)
		r = parse_address(reader, last_word, &last);
	if (r < 0)
		return r;
	if (country_is(country_word.begin, country_word.length))
		country = dnet_country(country_word.begin);
	else if (!word_is(country_word, "??"))
		return line_error(reader, country_word, "\"%s\" is no country: two capital letters, or ?? for unknown",
				  word_print(country_word).text);
	if (last < first)
		return line_error(reader, last_word, "the range ends before it begins");
	if (!geo_builder_in_order(&reader->builder, first))
		return line_error(reader, first_word, "the range does not come behind the one before it: ranges must rise and not overlap");
	r = geo_builder_add(&reader->builder, first, last, country);
	return r < 0 ? geo_builder_error(r, reader->name, reader->error) : 0;
}

/* "# Generated: Thu, 25 Jun 2026 04:33:59 GMT" */
static void read_comment(struct reader *reader)
{
	static const char mark[] = "# Generated: ";
	char text[64];
	struct tm tm = {};
	time_t when;

	if (!word_begins(reader->line, mark) || reader->line.length - strlen(mark) >= sizeof(text))
		return;
	memcpy(text, reader->line.begin + strlen(mark), reader->line.length - strlen(mark));
	text[reader->line.length - strlen(mark)] = '\0';
	if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		return;
	when = timegm(&tm);
	if (when > 0)
		reader->built = (uint64_t)when;
}

static size_t count_lines(const char *text, const char *end)
{
	size_t count = 0;

	while (text < end && (text = memchr(text, '\n', (size_t)(end - text)))) {
		text++;
		count++;
	}
	return count;
}

int range_file_parse(const char *name, const char *text, size_t length, enum dnet_set_family family, bool *met,
		     struct range_table *ret, uint64_t *ret_built, struct error *error)
{
	_cleanup_(reader_clear) struct reader reader = { .name = name, .family = family, .error = error };
	const char *end = text + length;
	int r;

	if (!length)
		return error_set_place(error, -EINVAL, name, 0, 0, 0, "the file is empty");
	r = geo_builder_begin(&reader.builder, family, count_lines(text, end), met);
	if (r < 0)
		return geo_builder_error(r, name, error);
	for (const char *line = text; line < end; line += reader.line.length + 1) {
		reader.line = word_until((struct word){ line, (size_t)(end - line) }, '\n');
		reader.number++;
		if (line + reader.line.length == end)
			return line_error(&reader, reader.line, "the file ends in the middle of a line: it is truncated, or still being written");
		if (word_begins(reader.line, "#"))
			read_comment(&reader);
		else if (reader.line.length)
			r = parse_line(&reader);
		if (r < 0)
			return r;
	}
	if (!reader.builder.known)
		return error_set_place(error, -EINVAL, name, 0, 0, 0, "no range in this file has a country");
	r = geo_builder_finish(&reader.builder, ret);
	if (r < 0)
		return geo_builder_error(r, name, error);
	*ret_built = reader.built;
	return 0;
}
