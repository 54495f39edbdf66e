/* SPDX-License-Identifier: GPL-2.0 */
/* The codes of countries, for `geo:`. */
#include <stdio.h>
#include <string.h>

#include "config/rule_parser.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* ISO 3166-1 alpha-2: for each first letter the second ones. XK is the user-assigned code that databases have for Kosovo. */
static const char *const codes[26] = {
	"DEFGILMOQRSTUWXZ",		/* A */
	"ABDEFGHIJLMNOQRSTVWYZ",	/* B */
	"ACDFGHIKLMNORUVWXYZ",		/* C */
	"EJKMOZ",			/* D */
	"CEGHRST",			/* E */
	"IJKMOR",			/* F */
	"ABDEFGHILMNPQRSTUWY",		/* G */
	"KMNRTU",			/* H */
	"DELMNOQRST",			/* I */
	"EMOP",				/* J */
	"EGHIMNPRWYZ",			/* K */
	"ABCIKRSTUVY",			/* L */
	"ACDEFGHKLMNOPQRSTUVWXYZ",	/* M */
	"ACEFGILOPRUZ",			/* N */
	"M",				/* O */
	"AEFGHKLMNRSTWY",		/* P */
	"A",				/* Q */
	"EOSUW",			/* R */
	"ABCDEGHIJKLMNORSTVXYZ",	/* S */
	"CDFGHJKLMNORTVWZ",		/* T */
	"AGMSYZ",			/* U */
	"ACEGINU",			/* V */
	"FS",				/* W */
	"K",				/* X */
	"ET",				/* Y */
	"AMW",				/* Z */
};

/* Codes that people know from elsewhere: languages, domains, codes that were withdrawn. */
static const struct {
	char theirs[3], ours[3];
} mistaken[] = {
	{ "UK", "GB" }, { "EN", "GB" }, { "EL", "GR" }, { "SP", "ES" }, { "JA", "JP" }, { "KO", "KR" }, { "DA", "DK" },
	{ "CS", "CZ" }, { "SU", "RU" }, { "TP", "TL" }, { "ZR", "CD" }, { "DD", "DE" }, { "FX", "FR" },
};

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_letter(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_code(char first, char second)
{
	return is_letter(first) && is_letter(second) && strchr(codes[first - 'A'], second);
}

static int unknown_country(const struct place *place, struct word word, const char *code)
{
	const char *seconds = codes[code[0] - 'A'];
	char list[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mistaken); i++)
		if (strcmp(code, mistaken[i].theirs) == 0)
			return place_error(place, word, "there is no country %s; did you mean \"%s\"?", code, mistaken[i].ours);
	if (is_code(code[1], code[0]))
		return place_error(place, word, "there is no country %s; did you mean \"%c%c\"?", code, code[1], code[0]);
	for (; *seconds; seconds++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%c%c", used ? ", " : "", code[0], *seconds);
	return place_error(place, word, "there is no country %s (ISO 3166-1 alpha-2): with %c begin %s", code, code[0], list);
}

int parse_country(const struct place *place, struct word word, char ret[3])
{
	char code[3] = "";

	if (!word.length)
		return place_error(place, word, "a country is missing here: write two letters, as in geo:DE");
	if (word.length == 2) {
		code[0] = upper(word.begin[0]);
		code[1] = upper(word.begin[1]);
	}
	if (!is_letter(code[0]) || !is_letter(code[1]))
		return place_error(place, word, "\"%s\" is not a country: write its two letters (ISO 3166-1 alpha-2), as in geo:DE",
				   word_print(word).text);
	if (!is_code(code[0], code[1]))
		return unknown_country(place, word, code);
	memcpy(ret, code, sizeof(code));
	return 0;
}
