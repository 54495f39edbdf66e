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

int place_error(const struct place *place, struct word word, const char *format, ...)
{
	const struct origin *origin = place->origin;
	struct error sentence;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence.text, sizeof(sentence.text), format, arguments);
	va_end(arguments);
	return error_set_place(place->error, -EINVAL, origin->file, origin->line, place_column(place, word.begin),
			       place->fixed ? 0 : (unsigned int)word.length, sentence.text);
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

static bool name_has(char c, enum name_kind kind)
{
	/* By hand: isalnum() depends on the locale. */
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-')
		return true;
	if (kind == NAME_KEY && (c == '*' || c == '?'))
		return false;
	if (kind == NAME_VALUE || kind == NAME_KEY)
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
		[NAME_KEY] = "printable characters without spaces, commas, semicolons and wildcards",
		[NAME_VALUE] = "printable characters without spaces, commas and semicolons",
	};
	const char *bad = name_check(word, kind);
	struct word at = { bad, 1 };

	if (!bad)
		return 0;
	if (!word.length)
		return place_error(place, word, "the name of %s is missing here", what);
	if ((kind == NAME_EXACT || kind == NAME_KEY) && (*bad == '*' || *bad == '?'))
		return place_error(place, at, "the name of %s takes no wildcards", what);
	if (!isprint((unsigned char)*bad))
		return place_error(place, at, "this character cannot be in the name of %s: names are made of %s", what, allowed[kind]);
	return place_error(place, at, "\"%s\" cannot be in the name of %s: names are made of %s", word_print(at).text, what,
			   allowed[kind]);
}
