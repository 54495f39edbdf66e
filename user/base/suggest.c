/* SPDX-License-Identifier: GPL-2.0 */
#include "base/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int lower(char c)
{
	return tolower((unsigned char)c);
}

/* Edits between two words: insert, delete, replace, swap neighbours (optimal string alignment). Cases are equal. */
static unsigned int edit_distance(struct word a, struct word b)
{
	unsigned int row[3][SUGGEST_MAX + 1];

	for (size_t j = 0; j <= b.length; j++)
		row[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= a.length; i++) {
		unsigned int *now = row[i % 3], *above = row[(i + 2) % 3], *above2 = row[(i + 1) % 3];
		int c = lower(a.begin[i - 1]);

		now[0] = (unsigned int)i;
		for (size_t j = 1; j <= b.length; j++) {
			int d = lower(b.begin[j - 1]);
			unsigned int best = above[j - 1] + (c != d);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && c == lower(b.begin[j - 2]) && lower(a.begin[i - 2]) == d && above2[j - 2] + 1 < best)
				best = above2[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[a.length % 3][b.length];
}

void suggest_begin(struct suggestion *suggestion, struct word word)
{
	*suggestion = (struct suggestion){ .word = word };
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
	struct word a = suggestion->word, b = word_of(candidate);
	size_t shorter = a.length < b.length ? a.length : b.length, longer = a.length + b.length - shorter;
	/* "to" is one edit from many words that mean something else. */
	unsigned int most = shorter < 3 ? 0 : shorter < 5 ? 1 : shorter < 6 ? 2 : 3, distance;

	if (!shorter || longer > SUGGEST_MAX)
		return;
	/* Whoever stops early means the whole word. */
	if (a.length >= 2 && a.length < b.length && strncasecmp(a.begin, b.begin, a.length) == 0) {
		distance = 1;
	} else {
		if (longer - shorter > most)
			return;
		distance = edit_distance(a, b);
		if (distance > most)
			return;
	}
	if (suggestion->best && distance >= suggestion->distance)
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
