/* SPDX-License-Identifier: GPL-2.0 */
#include "config/place.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int place_column(const struct place *place, const char *at)
{
	return place->origin->column + (place->fixed ? 0 : (unsigned int)(at - place->text));
}

int place_error(const struct place *place, const char *at, const char *format, ...)
{
	const struct origin *origin = place->origin;
	struct error sentence;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence.text, sizeof(sentence.text), format, arguments);
	va_end(arguments);
	if (origin->line == 0)
		return error_set(place->error, -EINVAL, "%s, column %u: %s", origin->file, place_column(place, at),
				 sentence.text);
	return error_set(place->error, -EINVAL, "%s:%u:%u: %s", origin->file, origin->line, place_column(place, at),
			 sentence.text);
}

int place_no_memory(const struct place *place)
{
	return error_set(place->error, -ENOMEM, "%s: out of memory", place->origin->file);
}

int place_origin(const struct place *place, const char *at, struct origin *ret)
{
	char *file = strdup(place->origin->file);

	if (!file)
		return -ENOMEM;
	ret->file = file;
	ret->line = place->origin->line;
	ret->column = place_column(place, at);
	return 0;
}

bool word_is(struct word word, const char *text)
{
	return strlen(text) == word.length && memcmp(word.begin, text, word.length) == 0;
}

bool word_begins(struct word word, const char *text)
{
	size_t length = strlen(text);

	return word.length >= length && memcmp(word.begin, text, length) == 0;
}

struct word word_after(struct word word, size_t skip)
{
	return (struct word){ word.begin + skip, word.length - skip };
}

char *word_copy(struct word word)
{
	return strndup(word.begin, word.length);
}

struct printed word_print(struct word word)
{
	struct printed printed;
	size_t n = word.length;
	bool cut = n >= sizeof(printed.text);

	if (cut)
		n = sizeof(printed.text) - 4;
	for (size_t i = 0; i < n; i++)
		printed.text[i] = isprint((unsigned char)word.begin[i]) ? word.begin[i] : '?';
	memcpy(printed.text + n, cut ? "..." : "", cut ? 4 : 1);
	return printed;
}

static bool name_has(char c, enum name_kind kind)
{
	/* By hand: isalnum() depends on the locale. */
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-')
		return true;
	if (kind == NAME_VALUE)
		return c > ' ' && c <= '~' && c != ',' && c != ';';
	if (kind != NAME_EXACT && (c == '*' || c == '?'))
		return true;
	return kind == NAME_IMAGE && (c == '/' || c == ':' || c == '@');
}

const char *name_check(struct word word, enum name_kind kind)
{
	for (size_t i = 0; i < word.length; i++)
		if (!name_has(word.begin[i], kind))
			return word.begin + i;
	return word.length ? NULL : word.begin;
}

int name_require(const struct place *place, struct word word, enum name_kind kind, const char *what)
{
	static const char *const allowed[] = {
		[NAME_EXACT] = "letters, digits, \"_\", \".\" and \"-\"",
		[NAME_GLOB] = "letters, digits, \"_\", \".\", \"-\", and the wildcards \"*\" and \"?\"",
		[NAME_IMAGE] = "letters, digits, \"_\", \".\", \"-\", \"/\", \":\", \"@\", and the wildcards \"*\" and \"?\"",
		[NAME_VALUE] = "printable characters without spaces, commas and semicolons",
	};
	const char *bad = name_check(word, kind);

	if (!bad)
		return 0;
	if (!word.length)
		return place_error(place, bad, "the name of %s is missing here", what);
	if (kind == NAME_EXACT && (*bad == '*' || *bad == '?'))
		return place_error(place, bad, "the name of %s takes no wildcards", what);
	if (!isprint((unsigned char)*bad))
		return place_error(place, bad, "this character cannot be in the name of %s: names are made of %s", what, allowed[kind]);
	return place_error(place, bad, "\"%s\" cannot be in the name of %s: names are made of %s",
			   word_print((struct word){ bad, 1 }).text, what, allowed[kind]);
}

#define SUGGEST_MAX 24	/* longer words are no typos of ours */

/* Edits between two words: insert, delete, replace, swap neighbours (optimal string alignment). Cases are equal. */
static unsigned int edit_distance(struct word a, const char *b, size_t b_length)
{
	unsigned int row[3][SUGGEST_MAX + 1];

	for (size_t j = 0; j <= b_length; j++)
		row[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= a.length; i++) {
		unsigned int *now = row[i % 3], *above = row[(i + 2) % 3], *above2 = row[(i + 1) % 3];
		char c = (char)tolower((unsigned char)a.begin[i - 1]);

		now[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned int best = above[j - 1] + (c != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && c == b[j - 2] && tolower((unsigned char)a.begin[i - 2]) == b[j - 1] &&
			    above2[j - 2] + 1 < best)
				best = above2[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[a.length % 3][b_length];
}

void suggest_begin(struct suggestion *suggestion, struct word word)
{
	*suggestion = (struct suggestion){ .word = word };
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
	size_t length = strlen(candidate), shorter;
	unsigned int distance, most;

	if (!suggestion->word.length || suggestion->word.length > SUGGEST_MAX || length > SUGGEST_MAX)
		return;
	shorter = length < suggestion->word.length ? length : suggestion->word.length;
	/* "to" is one edit from many words that mean something else. */
	most = shorter < 3 ? 0 : shorter < 5 ? 1 : shorter < 6 ? 2 : 3;
	distance = edit_distance(suggestion->word, candidate, length);
	if (distance > most || (suggestion->best && distance >= suggestion->distance))
		return;
	suggestion->best = candidate;
	suggestion->distance = distance;
}

const char *suggest_end(struct suggestion *suggestion, const char *otherwise)
{
	if (!suggestion->best)
		return otherwise;
	snprintf(suggestion->text, sizeof(suggestion->text), "; did you mean \"%s\"?", suggestion->best);
	return suggestion->text;
}
