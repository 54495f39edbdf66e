/* SPDX-License-Identifier: GPL-2.0 */
/* Corrections, as a person would paste them: an item of a list in a policy file, a whole label in a compose file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/private.h"

#define FIX_MAX 1000	/* bytes; a longer line helps nobody */

/* In double quotes, as YAML reads them. */
static void put_quoted(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}

/* A buffer that is closed becomes the result. */
static char *finish(FILE *out, char **text)
{
	if (fclose(out) != 0 || strlen(*text) > FIX_MAX) {
		free(*text);
		return NULL;
	}
	return *text;
}

static void begin_label(const struct lint_list *list, FILE *out)
{
	fprintf(out, "dnetbpf.%s: \"", list->direction == DNET_INGRESS ? "ingress" : "egress");
}

static void put_rule(FILE *out, const char *text, bool *first)
{
	fputs(*first ? "" : "; ", out);
	*first = false;
	put_quoted(out, text);
}

/* The label with @text in the place of the rule @without (NULL: without it), and before the rule @before. */
static char *label_line(const struct lint_list *list, size_t without, size_t before, const char *text)
{
	char *line = NULL;
	size_t size;
	bool first = true;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	begin_label(list, out);
	for (size_t i = 0; i <= list->rules->count; i++) {
		if (i == before && text)
			put_rule(out, text, &first);
		if (i < list->rules->count && i != without)
			put_rule(out, list->rules->rules[i].text, &first);
	}
	fputc('"', out);
	return finish(out, &line);
}

static char *file_line(const char *text, const char *behind, unsigned int number)
{
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	fputs("- \"", out);
	put_quoted(out, text);
	fputc('"', out);
	if (behind)
		fprintf(out, behind, number);
	return finish(out, &line);
}

char *fix_rule(const struct lint_list *list, size_t index, const char *text)
{
	return !text ? NULL : list->label ? label_line(list, index, index, text) : file_line(text, NULL, 0);
}

char *fix_move(const struct lint_list *list, size_t index, size_t above)
{
	const char *text = list->rules->rules[index].text;

	if (list->label)
		return label_line(list, index, above, text);
	return file_line(text, "  # above line %u", list->rules->rules[above].origin.line);
}

char *fix_remove(const struct lint_list *list, size_t index)
{
	return list->label ? label_line(list, index, index, NULL) : NULL;
}

char *fix_word(const char *text, const char *word, const char *by)
{
	static const char stops[] = " ,/";
	/* A port stands before the peers; a name may look like one. */
	bool number = strspn(word, "0123456789") == strlen(word);
	const char *from = strstr(text, " from "), *to = strstr(text, " to "), *end = !number ? NULL : from ? from : to;
	char *line = NULL;
	size_t size, length = strlen(word);
	bool found = false;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	for (const char *at = text; *at;) {
		size_t part = strcspn(at, stops);

		/* A prefix is one word with its length, and so is "shop/web". */
		if ((!end || at < end) && strncmp(at, word, length) == 0 && (!at[length] || strchr(stops, at[length])) &&
		    (length == part || strchr(word, '/'))) {
			fputs(by, out);
			at += length;
			found = true;
			continue;
		}
		part += at[part] != '\0';
		fwrite(at, 1, part, out);
		at += part;
	}
	if (fclose(out) != 0 || !found) {
		free(line);
		return NULL;
	}
	return line;
}
