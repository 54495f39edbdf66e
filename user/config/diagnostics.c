/* SPDX-License-Identifier: GPL-2.0 */
#include "config/diagnostics.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "config/array.h"

#define SOURCE_MAX 1000	/* bytes; nobody looks for a caret in a longer line */

static void diagnostic_clear(struct diagnostic *diagnostic)
{
	free(diagnostic->file);
	free(diagnostic->sentence);
	free(diagnostic->source);
	free(diagnostic->fix);
	memset(diagnostic, 0, sizeof(*diagnostic));
}

void diagnostics_clear(struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->count; i++)
		diagnostic_clear(&diagnostics->items[i]);
	free(diagnostics->items);
	memset(diagnostics, 0, sizeof(*diagnostics));
}

/* Takes over what @diagnostic owns. Without memory it is counted and not kept. */
static void add(struct diagnostics *diagnostics, struct diagnostic *diagnostic)
{
	if (diagnostic->kind == DIAGNOSTIC_ERROR)
		diagnostics->errors++;
	else
		diagnostics->warnings++;
	if (diagnostics->count >= DIAGNOSTICS_MAX || !diagnostic->file || !diagnostic->sentence ||
	    array_grow(diagnostics->items, diagnostics->count) < 0)
		diagnostic_clear(diagnostic);
	else
		diagnostics->items[diagnostics->count++] = *diagnostic;
}

/* The file name is in the text alone: what stands before the place. */
static size_t file_length(const struct error *error)
{
	char place[64];
	size_t length;

	if (error->line)
		snprintf(place, sizeof(place), ":%u:%u: ", error->line, error->column);
	else if (error->column)
		snprintf(place, sizeof(place), ", column %u: ", error->column);
	else
		strcpy(place, ": ");
	length = strlen(place);
	if (error->sentence <= length || error->sentence >= sizeof(error->text) ||
	    memcmp(error->text + error->sentence - length, place, length) != 0)
		return 0;	/* no place was set */
	return error->sentence - length;
}

void diagnostics_add_error(struct diagnostics *diagnostics, const struct error *error)
{
	struct diagnostic diagnostic = { .kind = DIAGNOSTIC_ERROR, .length = 1, .name = "" };
	size_t length;

	if (!diagnostics)
		return;
	length = file_length(error);
	diagnostic.file = strndup(error->text, length);
	diagnostic.sentence = strdup(error->text + (length ? error->sentence : 0));
	if (length) {
		diagnostic.line = error->line;
		diagnostic.column = error->column;
		diagnostic.length = error->length ? error->length : 1;
	}
	add(diagnostics, &diagnostic);
}

void diagnostics_add_warning(struct diagnostics *diagnostics, const char *name, const char *file, unsigned int line,
			     unsigned int column, const char *fix, const char *format, ...)
{
	struct diagnostic diagnostic = { .kind = DIAGNOSTIC_WARNING, .line = line, .column = column, .length = 1, .name = name };
	va_list arguments;

	if (!diagnostics)
		return;
	/* A set's file may have a million bad lines. */
	if (diagnostics->count >= DIAGNOSTICS_MAX) {
		diagnostics->warnings++;
		return;
	}
	va_start(arguments, format);
	if (vasprintf(&diagnostic.sentence, format, arguments) < 0)
		diagnostic.sentence = NULL;	/* vasprintf() leaves it undefined */
	va_end(arguments);
	diagnostic.file = strdup(file);
	diagnostic.fix = fix ? strdup(fix) : NULL;
	add(diagnostics, &diagnostic);
}

static int by_line(const void *a, const void *b)
{
	const struct diagnostic *left = *(struct diagnostic *const *)a, *right = *(struct diagnostic *const *)b;

	return left->line < right->line ? -1 : left->line > right->line;
}

/* The lines of a document as config/document.h counts them: ended by LF, CR LF or CR. */
void diagnostics_quote(struct diagnostics *diagnostics, const char *file, const char *text, size_t length)
{
	struct diagnostic *wanted[DIAGNOSTICS_MAX];
	size_t count = 0, begin = 0, i = 0;
	unsigned int line = 1;

	if (!diagnostics)
		return;
	for (size_t j = 0; j < diagnostics->count; j++)
		if (diagnostics->items[j].line && !diagnostics->items[j].source && strcmp(diagnostics->items[j].file, file) == 0)
			wanted[count++] = &diagnostics->items[j];
	qsort(wanted, count, sizeof(wanted[0]), by_line);
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		begin = 3;
	while (i < count && begin <= length) {
		size_t end = begin;

		while (end < length && text[end] != '\n' && text[end] != '\r')
			end++;
		for (; i < count && wanted[i]->line == line; i++)
			if (end - begin <= SOURCE_MAX)
				wanted[i]->source = strndup(text + begin, end - begin);
		begin = end + 1 + (end + 1 < length && text[end] == '\r' && text[end + 1] == '\n');
		line++;
	}
}

static int compare(const struct diagnostic *a, const struct diagnostic *b)
{
	int files = strcmp(a->file, b->file);

	if (files)
		return files;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->column < b->column ? -1 : a->column > b->column;
}

void diagnostics_sort(struct diagnostics *diagnostics)
{
	if (!diagnostics)
		return;
	/* Few, and their order among equals must stay. */
	for (size_t i = 1; i < diagnostics->count; i++) {
		struct diagnostic moved = diagnostics->items[i];
		size_t at = i;

		for (; at > 0 && compare(&diagnostics->items[at - 1], &moved) > 0; at--)
			diagnostics->items[at] = diagnostics->items[at - 1];
		diagnostics->items[at] = moved;
	}
}

/* How many columns of a terminal a character takes, as far as it matters below a line of configuration (Unicode TR 11). */
static unsigned int character_width(const char *text, size_t length)
{
	static const struct {
		uint32_t first, last;
		unsigned int width;
	} ranges[] = {
		{ 0x300, 0x36f, 0 }, { 0x200b, 0x200f, 0 }, { 0xfe00, 0xfe0f, 0 },
		{ 0x1100, 0x115f, 2 }, { 0x2e80, 0xa4cf, 2 }, { 0xac00, 0xd7a3, 2 }, { 0xf900, 0xfaff, 2 }, { 0xfe30, 0xfe6f, 2 },
		{ 0xff00, 0xff60, 2 }, { 0xffe0, 0xffe6, 2 }, { 0x1f300, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
	};
	static const uint8_t first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t character = (uint8_t)text[0] & first_bits[length];

	for (size_t i = 1; i < length; i++)
		character = character << 6 | ((uint8_t)text[i] & 0x3f);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return ranges[i].width;
	return 1;
}

static void fill(FILE *out, char c, unsigned int count)
{
	while (count--)
		fputc(c, out);
}

/* The line, and below it a caret: tabs stay tabs in both, so that they agree whatever a tab is worth. */
static void print_source(const struct diagnostic *diagnostic, FILE *out)
{
	_cleanup_free_ char *below = NULL;
	const char *text = diagnostic->source;
	unsigned int column = diagnostic->column ? diagnostic->column : 1;
	bool marked = false;
	size_t size, length;
	FILE *marks = open_memstream(&below, &size);

	if (!marks)
		return;
	fputs("    ", out);
	for (unsigned int at = 1; *text; at += (unsigned int)length, text += length) {
		unsigned int width = 1;

		length = printable_sequence(text);
		if (*text == '\t') {
			length = 1;
			fputc('\t', out);
		} else if (length == 0 || (length == 1 && ((unsigned char)*text < ' ' || *text == 0x7f)) ||
			   (length == 2 && (uint8_t)text[0] == 0xc2 && (uint8_t)text[1] < 0xa0)) {
			length = length ? length : 1;
			fputc('?', out);
		} else {
			fwrite(text, 1, length, out);
			width = character_width(text, length);
		}
		if (at + length <= column) {
			if (*text == '\t')
				fputc('\t', marks);
			else
				fill(marks, ' ', width);
		} else if (!marked) {
			fputc('^', marks);
			fill(marks, '~', width > 1 ? width - 1 : 0);
			marked = true;
		} else if (at < column + diagnostic->length) {
			fill(marks, '~', width);
		}
	}
	if (!marked)
		fputc('^', marks);	/* behind the end: something is missing there */
	fclose(marks);
	fprintf(out, "\n    %s\n", below);
}

/* Text of the file may be in names and sentences, and a terminal must not be steered by it. */
static void print_text(const char *text, FILE *out)
{
	char buffer[4096];

	fputs(printable_copy(text, buffer, sizeof(buffer)), out);
}

void diagnostics_print(const struct diagnostics *diagnostics, FILE *out)
{
	size_t all = diagnostics->errors + diagnostics->warnings;

	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *diagnostic = &diagnostics->items[i];

		print_text(diagnostic->file, out);
		if (diagnostic->line)
			fprintf(out, ":%u:%u", diagnostic->line, diagnostic->column);
		else if (diagnostic->column)
			fprintf(out, ", column %u", diagnostic->column);
		fputs(*diagnostic->file ? ": " : "", out);
		fputs(diagnostic->kind == DIAGNOSTIC_ERROR ? "error: " : "warning: ", out);
		print_text(diagnostic->sentence, out);
		if (*diagnostic->name)
			fprintf(out, " [%s]", diagnostic->name);
		fputc('\n', out);
		if (diagnostic->source)
			print_source(diagnostic, out);
		if (diagnostic->fix) {
			fputs("  fix: ", out);
			print_text(diagnostic->fix, out);
			fputc('\n', out);
		}
	}
	if (all > diagnostics->count)
		fprintf(out, "%zu more are not shown\n", all - diagnostics->count);
}

/* jansson refuses what is no UTF-8. */
static json_t *text_to_json(const char *text)
{
	json_t *value = text ? json_string(text) : json_null();
	char buffer[4096];

	return value ? value : json_string(printable_copy(text, buffer, sizeof(buffer)));
}

json_t *diagnostics_to_json(const struct diagnostics *diagnostics)
{
	json_t *array = json_array();

	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *diagnostic = &diagnostics->items[i];

		json_array_append_new(array, json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o}",
			"kind", diagnostic->kind == DIAGNOSTIC_ERROR ? "error" : "warning", "name", diagnostic->name,
			"file", text_to_json(diagnostic->file), "line", (json_int_t)diagnostic->line,
			"column", (json_int_t)diagnostic->column, "length", (json_int_t)diagnostic->length,
			"message", text_to_json(diagnostic->sentence), "source", text_to_json(diagnostic->source),
			"fix", text_to_json(diagnostic->fix)));
	}
	return array;
}
