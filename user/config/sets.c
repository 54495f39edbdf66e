/* SPDX-License-Identifier: GPL-2.0 */
/* `sets:` of a policy file: prefixes that stand there, or in a file of their own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/array.h"
#include "config/policy_reader.h"
#include "config/prefix_file.h"

static int too_many(const struct document *document, const struct node *node)
{
	return node_error(document, node, "the sets have more than %d prefixes together: leave some out", DNET_MAX_SET_PREFIXES);
}

static int read_list(const struct document *document, const struct node *value, struct prefix_set *set)
{
	for (const struct node *item = value->child; item; item = item->next) {
		char problem[PREFIX_PROBLEM_SIZE];
		struct prefix prefix;
		int r = 0;

		if (item->kind != NODE_SCALAR || item->null)
			r = node_error(document, item, "each item of a set is one prefix, such as 203.0.113.0/24 or \"2001:db8::/32\"");
		else if (prefix_parse(word_of(item->text), &prefix, problem) < 0)
			r = node_error(document, item, "%s", problem);
		else if (array_grow(set->prefixes, set->prefix_count) < 0)
			return document_no_memory(document);
		else
			set->prefixes[set->prefix_count++] = prefix;
		r = document_note(document, r);
		if (r < 0)
			return r;
	}
	prefixes_sort(set->prefixes, &set->prefix_count);
	return 0;
}

/* The target of { file: PATH }. */
struct file_target {
	struct policy_reader *reader;
	struct prefix_set *set;
};

static int read_file(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct file_target *of = target;
	struct error error = {};
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	if (!*value->text)
		return node_error(document, value, "the path of the set's file is missing here");
	of->set->file = document_path(document, value->text);
	if (!of->set->file)
		return document_no_memory(document);
	/* First: when the file is missing, it is its appearing that must be seen. */
	r = policy_reader_add_source(of->reader, of->set->file, false);
	if (r == 0)
		r = prefix_file_read(of->set->file, of->set, document->report ? document->report->diagnostics : NULL, &error);
	if (r == -ENOMEM)
		return document_no_memory(document);
	/* Any other code would be taken for one of the policy file itself. */
	return r < 0 ? node_error(document, value, "the file of the set cannot be read: %s", error.text) : 0;
}

static const struct node_key file_keys[] = {
	{ "file", read_file, true },
};

static int read_set(const struct document *document, const struct node *key, const struct node *value, struct policy_reader *reader)
{
	_cleanup_(prefix_set_clear) struct prefix_set set = {};
	const struct prefix_set *twin = policy_set_find(reader->set, key->text);
	struct file_target of = { .reader = reader, .set = &set };
	int r;

	if (twin && strcmp(twin->origin.file, document->name) == 0)
		return node_error(document, key, "there is a set \"%.64s\" in line %u already: names must differ", key->text, twin->origin.line);
	if (twin)
		return node_error(document, key, "there is a set \"%.64s\" in %.200s, line %u, already: names must differ", key->text,
				  twin->origin.file, twin->origin.line);
	r = policy_read_name(document, key, "a set", &set.name);
	if (r < 0)
		return r;
	if (reader->set->set_count == DNET_MAX_SETS)
		return node_error(document, key, "more than %d sets", DNET_MAX_SETS);
	set.origin = (struct origin){ .file = strdup(document->name), .line = key->line, .column = key->column };
	if (!set.origin.file)
		return document_no_memory(document);
	if (value->kind == NODE_LIST)
		r = read_list(document, value, &set);
	else if (value->kind == NODE_MAP)
		r = node_read_map(document, value, file_keys, ARRAY_SIZE(file_keys), "a set that is no list", &of);
	else
		r = node_error(document, value->null ? key : value, "a set is a list of prefixes, or { file: PATH }");
	/* A set that cannot be read exists all the same: otherwise every rule that names it would be reported, too. */
	r = document_note(document, r);
	if (r < 0)
		return r;
	if (set.prefix_count > DNET_MAX_SET_PREFIXES - reader->prefix_count) {
		r = document_note(document, too_many(document, key));
		if (r < 0)
			return r;
		free(TAKE_PTR(set.prefixes));
		set.prefix_count = 0;
	}
	reader->prefix_count += set.prefix_count;
	if (array_grow(reader->set->sets, reader->set->set_count) < 0)
		return document_no_memory(document);
	reader->set->sets[reader->set->set_count++] = set;
	memset(&set, 0, sizeof(set));
	return 0;
}

int policy_read_sets(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	if (value->null)
		return node_error(document, key, "\"sets\" has no value: leave the key out, or write {}");
	if (value->kind != NODE_MAP)
		return node_error(document, value, "\"sets\" must be a mapping, such as { office: [203.0.113.0/24] }");
	for (const struct node *name = value->child; name; name = name->next->next) {
		int r = document_note(document, read_set(document, name, name->next, target));

		if (r < 0)
			return r;
	}
	return 0;
}
