/* SPDX-License-Identifier: GPL-2.0 */
/* Readers of a document's nodes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

#include "config/document.h"

#define MAP_KEYS_MAX 32	/* keys that a table of keys may have */

int node_error(const struct document *document, const struct node *node, const char *format, ...)
{
	unsigned int length = 0;
	struct error sentence;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence.text, sizeof(sentence.text), format, arguments);
	va_end(arguments);
	if (node && node->kind == NODE_SCALAR && node->exact)
		length = (unsigned int)strlen(node->text) + 2 * (node->text_column - node->column);
	return error_set_place(document->error, -EINVAL, document->name, node ? node->line : 1, node ? node->column : 1, length,
			       sentence.text);
}

int document_note(const struct document *document, int code)
{
	struct report *report = document->report;

	if (code != -EINVAL || !report)
		return code;
	diagnostics_add_error(report->diagnostics, document->error);
	if (!report->failed)
		report->first = *document->error;
	report->failed = true;
	return 0;
}

char *document_path(const struct document *document, const char *path)
{
	const char *slash = strrchr(document->name, '/');
	char *joined;

	if (*path == '/' || !slash)
		return strdup(path);
	return asprintf(&joined, "%.*s/%s", (int)(slash - document->name), document->name, path) < 0 ? NULL : joined;
}

int document_no_memory(const struct document *document)
{
	return error_set(document->error, -ENOMEM, "%s: out of memory", document->name);
}

static struct printed text_print(const char *text)
{
	return word_print(word_of(text));
}

static const char *kind_name(const struct node *node)
{
	if (node->null)
		return "nothing";
	return node->kind == NODE_SCALAR ? "a single value" : node->kind == NODE_LIST ? "a list" : "a mapping";
}

/* Where a value is missing there is nothing to point at: then the key is. */
static const struct node *visible(const struct node *key, const struct node *value)
{
	return value->null && !*value->text && key ? key : value;
}

static int wrong_kind(const struct document *document, const struct node *key, const struct node *value, const char *expected)
{
	const struct node *at = visible(key, value);

	if (key)
		return node_error(document, at, "\"%s\" must be %s, and this is %s", text_print(key->text).text, expected, kind_name(value));
	return node_error(document, at, "this must be %s, and it is %s", expected, kind_name(value));
}

int node_require_list(const struct document *document, const struct node *key, const struct node *value)
{
	if (value->null)
		return node_error(document, visible(key, value), "\"%s\" has no value: write [] for an empty list, or leave the key out",
				  key ? text_print(key->text).text : "this list");
	return value->kind == NODE_LIST ? 0 : wrong_kind(document, key, value, "a list");
}

int node_require_text(const struct document *document, const struct node *key, const struct node *value)
{
	return value->kind == NODE_SCALAR && !value->null ? 0 : wrong_kind(document, key, value, "a text");
}

struct place node_place(const struct document *document, const struct node *node, struct origin *storage)
{
	/* Borrowed as long as the place lives: place_origin() copies. */
	storage->file = (char *)document->name;
	storage->line = node->line;
	storage->column = node->text_column;
	return (struct place){ .origin = storage, .text = node->text, .fixed = !node->exact, .error = document->error };
}

int node_read_choice(const struct document *document, const struct node *key, const struct node *value,
		     const struct node_choice *choices, size_t count, int *ret)
{
	struct suggestion suggestion;
	char all[128] = "";
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	suggest_begin(&suggestion, word_of(value->text));
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(all);

		if (strcmp(value->text, choices[i].name) == 0) {
			*ret = choices[i].value;
			return 0;
		}
		suggest_offer(&suggestion, choices[i].name);
		snprintf(all + used, sizeof(all) - used, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", choices[i].name);
	}
	return node_error(document, value, "\"%s\" must be %s, not \"%s\"%s", text_print(key->text).text, all,
			  text_print(value->text).text, suggest_end(&suggestion, ""));
}

const struct node *node_find(const struct node *map, const char *key)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (const struct node *node = map->child; node; node = node->next->next)
		if (strcmp(node->text, key) == 0)
			return node->next;
	return NULL;
}

static int unknown_key(const struct document *document, const struct node *key, const struct node_key *keys, size_t count,
		       const char *what)
{
	struct suggestion suggestion;
	char all[256] = ": the keys are ";

	suggest_begin(&suggestion, word_of(key->text));
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(all);

		if (!keys[i].read)
			continue;
		suggest_offer(&suggestion, keys[i].name);
		snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", keys[i].name);
	}
	return node_error(document, key, "%s has no key \"%s\"%s", what, text_print(key->text).text, suggest_end(&suggestion, all));
}

int node_read_map(const struct document *document, const struct node *map, const struct node_key *keys, size_t count,
		  const char *what, void *target)
{
	const struct node *found[MAP_KEYS_MAX] = { NULL };
	char expected[64];

	snprintf(expected, sizeof(expected), "a mapping (%s)", what);
	if (map->kind != NODE_MAP)
		return wrong_kind(document, NULL, map, expected);
	for (const struct node *key = map->child; key; key = key->next->next) {
		size_t i = 0;
		int r = 0;

		while (i < count && strcmp(keys[i].name, key->text) != 0)
			i++;
		if (i == count)
			r = unknown_key(document, key, keys, count, what);
		else if (!keys[i].read)
			r = node_error(document, key, "\"%s\" is not supported yet", keys[i].name);
		else if (found[i])
			r = node_error(document, key, "%s has the key \"%s\" twice: it is in line %u already", what, keys[i].name,
				       found[i]->line);
		else
			found[i] = key;
		r = document_note(document, r);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < count; i++) {
		int r = 0;

		if (found[i])
			r = keys[i].read(document, found[i], found[i]->next, target);
		else if (keys[i].required)
			r = node_error(document, map, "%s needs the key \"%s\"", what, keys[i].name);
		r = document_note(document, r);
		if (r < 0)
			return r;
	}
	return 0;
}
