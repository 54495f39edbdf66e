/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lists of prefixes as they are published: one a line, or as `ipset save` writes them. They may have a million lines, so that nothing
 * is allocated for a line.
 */
#include "config/prefix_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "config/array.h"
#include "config/policy_file.h"

int prefix_parse(struct word word, struct prefix *ret, char *problem)
{
	char text[TEXT_PREFIX_SIZE + 12], masked[TEXT_PREFIX_SIZE];
	struct prefix prefix;
	bool host_bits;
	int r = -EINVAL;

	if (word.length < sizeof(text)) {
		memcpy(text, word.begin, word.length);
		text[word.length] = '\0';
		r = text_parse_prefix(text, &prefix.addr, &prefix.prefix_len, &host_bits);
	}
	if (r == -ERANGE)
		snprintf(problem, PREFIX_PROBLEM_SIZE, "the length of the prefix %s is wrong: write /0 to /%d", word_print(word).text,
			 memchr(word.begin, ':', word.length) ? 128 : 32);
	else if (r < 0)
		snprintf(problem, PREFIX_PROBLEM_SIZE, "\"%s\" is no prefix: write one such as 203.0.113.0/24 or 2001:db8::/32",
			 word_print(word).text);
	else if (host_bits)
		snprintf(problem, PREFIX_PROBLEM_SIZE, "%s has bits beyond its prefix length: write %s, or the address without a length",
			 word_print(word).text, text_prefix(&prefix.addr, prefix.prefix_len, masked));
	if (r < 0 || host_bits)
		return -EINVAL;
	*ret = prefix;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct prefix *left = a, *right = b;
	int addresses = memcmp(&left->addr, &right->addr, sizeof(left->addr));

	if (addresses)
		return addresses;
	return left->prefix_len < right->prefix_len ? -1 : left->prefix_len > right->prefix_len;
}

void prefixes_sort(struct prefix *prefixes, size_t *count)
{
	size_t kept = 0, sorted = 1;

	/* Published lists mostly are sorted. */
	while (sorted < *count && compare(&prefixes[sorted - 1], &prefixes[sorted]) <= 0)
		sorted++;
	if (sorted < *count)
		qsort(prefixes, *count, sizeof(prefixes[0]), compare);
	for (size_t i = 0; i < *count; i++)
		if (!kept || compare(&prefixes[kept - 1], &prefixes[i]) != 0)
			prefixes[kept++] = prefixes[i];
	*count = kept;
}

static int file_error(struct error *error, int code, const char *path, const char *sentence)
{
	return error_set_place(error, code, path, 0, 0, 0, sentence);
}

/* The next word of a line; empty behind the last. */
static struct word next_word(const char **at, const char *end)
{
	struct word word;

	while (*at < end && (**at == ' ' || **at == '\t' || **at == '\r'))
		++*at;
	word.begin = *at;
	while (*at < end && **at != ' ' && **at != '\t' && **at != '\r')
		++*at;
	word.length = (size_t)(*at - word.begin);
	return word;
}

/* One line without its comment. 1: nothing is there. -EINVAL with a sentence, and @at at the word that is wrong. */
static int parse_line(const char **at, const char *end, struct prefix *ret, char *problem)
{
	struct word word = next_word(at, end), rest;
	int r;

	if (!word.length || word_is(word, "create") || word_is(word, "flush"))
		return 1;
	if (word_is(word, "add")) {
		next_word(at, end);
		word = next_word(at, end);
		r = prefix_parse(word, ret, problem);
		/* An exception, which a set of ours cannot have: without it the set would hold what it must not. */
		while (r == 0 && (rest = next_word(at, end)).length)
			if (word_is(rest, "nomatch")) {
				snprintf(problem, PREFIX_PROBLEM_SIZE, "exceptions (\"nomatch\") are not supported");
				word = rest;
				r = -EINVAL;
			}
		*at = word.begin;
		return r;
	}
	r = prefix_parse(word, ret, problem);
	rest = next_word(at, end);
	if (r == 0 && rest.length) {
		snprintf(problem, PREFIX_PROBLEM_SIZE, "\"%s\" is not expected here: write one prefix a line, and \"#\" before a comment",
			 word_print(rest).text);
		word = rest;
		r = -EINVAL;
	}
	*at = word.begin;
	return r;
}

/* Where a comment begins. */
static const char *line_text_end(const char *begin, const char *end)
{
	for (const char *at = begin; at < end; at++)
		if (*at == '#' || *at == ';')
			return at;
	return end;
}

int prefix_file_parse(const char *path, const char *text, size_t length, struct prefix_set *set, struct diagnostics *diagnostics,
		      struct error *error)
{
	_cleanup_(prefix_set_clear) struct prefix_set fresh = {};
	const char *end = text + length;
	unsigned int number = 1;
	void *fitting;

	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (const char *line = text; line < end; number++) {
		const char *stop = memchr(line, '\n', (size_t)(end - line)), *at = line;
		char problem[PREFIX_PROBLEM_SIZE];
		struct prefix prefix;
		int r;

		if (!stop)
			stop = end;
		r = parse_line(&at, line_text_end(line, stop), &prefix, problem);
		if (r < 0) {
			fresh.bad_lines++;
			diagnostics_add_warning(diagnostics, "bad-line", path, number, (unsigned int)(at - line) + 1, NULL,
						"%s; the line is left out", problem);
		} else if (r == 0) {
			/* Equal ones are merged later: a list that is all repetition ends here, too. */
			if (fresh.prefix_count == 2 * DNET_MAX_SET_PREFIXES)
				return file_error(error, -E2BIG, path, "the file has too many prefixes");
			if (array_grow(fresh.prefixes, fresh.prefix_count) < 0)
				return file_error(error, -ENOMEM, path, "out of memory");
			fresh.prefixes[fresh.prefix_count++] = prefix;
		}
		line = stop + (stop < end);
	}
	diagnostics_quote(diagnostics, path, text, (size_t)(end - text));
	prefixes_sort(fresh.prefixes, &fresh.prefix_count);
	/* It stays for long and grows no more. */
	fitting = fresh.prefix_count ? realloc(fresh.prefixes, fresh.prefix_count * sizeof(fresh.prefixes[0])) : NULL;
	if (fitting)
		fresh.prefixes = fitting;
	free(set->prefixes);
	set->prefixes = TAKE_PTR(fresh.prefixes);
	set->prefix_count = fresh.prefix_count;
	set->bad_lines = fresh.bad_lines;
	return 0;
}

int prefix_file_read(const char *path, struct prefix_set *set, struct diagnostics *diagnostics, struct error *error)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r;

	r = file_read(path, PREFIX_FILE_MAX_MIB, &text, &length, NULL, error);
	return r < 0 ? r : prefix_file_parse(path, text, length, set, diagnostics, error);
}

int policy_file_load_set(const char *path, struct prefix_set *set, struct diagnostics *diagnostics, struct error *error)
{
	return prefix_file_read(path, set, diagnostics, error);
}
