/* SPDX-License-Identifier: GPL-2.0 */
#include "base/word.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct word word_of(const char *text)
{
	return (struct word){ text, strlen(text) };
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

struct word word_until(struct word word, char stop)
{
	const char *found = word.length ? memchr(word.begin, stop, word.length) : NULL;

	return (struct word){ word.begin, found ? (size_t)(found - word.begin) : word.length };
}

struct word word_first(struct word word)
{
	return (struct word){ word.begin, word.length ? 1 : 0 };
}

char *word_copy(struct word word)
{
	return strndup(word.begin, word.length);
}

bool word_number(struct word word, uint64_t most, uint64_t *ret)
{
	uint64_t value = 0;

	if (!word.length)
		return false;
	for (size_t i = 0; i < word.length; i++) {
		if (word.begin[i] < '0' || word.begin[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(word.begin[i] - '0');
		if (value > most)
			value = most + 1;
	}
	*ret = value;
	return true;
}

int word_duration(struct word word, uint64_t *ret_ns)
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	struct word digits = { word.begin, word.length ? word.length - 1 : 0 };
	uint64_t most, value;

	for (size_t i = 0; word.length && i < sizeof(units) / sizeof(units[0]); i++) {
		if (word.begin[word.length - 1] != units[i].letter)
			continue;
		most = WORD_DURATION_MAX_DAYS * 86400ull / units[i].seconds;
		if (!word_number(digits, most, &value))
			return -EINVAL;
		if (value < 1 || value > most)
			return -ERANGE;
		*ret_ns = value * units[i].seconds * 1000000000ull;
		return 0;
	}
	return -EINVAL;
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
