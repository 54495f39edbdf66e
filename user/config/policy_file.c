/* SPDX-License-Identifier: GPL-2.0 */
#include "config/policy_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/array.h"
#include "config/policy_reader.h"

static const struct node_choice unselected_choices[] = {
	{ "allow", UNSELECTED_ALLOW }, { "outside", UNSELECTED_OUTSIDE }, { "deny", UNSELECTED_DENY },
};
static const struct node_choice unknown_choices[] = { { "allow", false }, { "deny", true } };
static const struct node_choice failure_choices[] = { { "closed", false }, { "open", true } };
static const struct node_choice trust_choices[] = { { "trust", false }, { "ignore", true } };

void policy_set_default(struct policy_set *ret)
{
	*ret = (struct policy_set){ .unselected = UNSELECTED_ALLOW };
}

/* version: checked before anything else is read, because a later version may have other keys. */
static int read_version(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	(void)target;
	if (value->kind == NODE_SCALAR && value->plain && strcmp(value->text, "1") == 0)
		return 0;
	if (value->kind == NODE_SCALAR && value->plain && *value->text && strspn(value->text, "0123456789") == strlen(value->text))
		return node_error(document, value, "version %.20s of the policy file is not known: this program reads version 1",
				  value->text);
	return node_error(document, value->null ? key : value, "\"version\" must be the number 1");
}

static int read_unselected(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_set *set = target;
	int choice, r;

	r = node_read_choice(document, key, value, unselected_choices, ARRAY_SIZE(unselected_choices), &choice);
	if (r == 0)
		set->unselected = (enum default_unselected)choice;
	return r;
}

static int read_unknown(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_set *set = target;
	int choice, r;

	r = node_read_choice(document, key, value, unknown_choices, ARRAY_SIZE(unknown_choices), &choice);
	if (r == 0)
		set->unknown_deny = choice;
	return r;
}

static int read_on_failure(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_set *set = target;
	int choice, r;

	r = node_read_choice(document, key, value, failure_choices, ARRAY_SIZE(failure_choices), &choice);
	if (r == 0)
		set->fail_open = choice;
	return r;
}

static int read_trust(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_set *set = target;
	int choice, r;

	r = node_read_choice(document, key, value, trust_choices, ARRAY_SIZE(trust_choices), &choice);
	if (r == 0)
		set->labels_ignore = choice;
	return r;
}

static const struct node_key default_keys[] = {
	{ "unselected", read_unselected, false },
	{ "unknown", read_unknown, false },
	{ "on-failure", read_on_failure, false },
	{ "labels", read_trust, false },
};

static int read_defaults(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_reader *reader = target;

	if (value->null)
		return node_error(document, key, "\"defaults\" has no value: leave the key out, or write {}");
	return node_read_map(document, value, default_keys, ARRAY_SIZE(default_keys), "\"defaults\"", reader->set);
}

static int read_database(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_set *set = target;
	int r = node_require_text(document, key, value);

	if (r < 0)
		return r;
	if (!*value->text)
		return node_error(document, value, "the path of the database is missing here");
	set->geo_database = document_path(document, value->text);
	set->geo_origin = (struct origin){ .file = strdup(document->name), .line = value->line, .column = value->column };
	return set->geo_database && set->geo_origin.file ? 0 : document_no_memory(document);
}

static const struct node_key geo_keys[] = {
	{ "database", read_database, true },
};

static int read_geo(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_reader *reader = target;

	if (value->null)
		return node_error(document, key, "\"geo\" has no value: write { database: PATH }, or leave the key out");
	return node_read_map(document, value, geo_keys, ARRAY_SIZE(geo_keys), "\"geo\"", reader->set);
}

static int postpone(const struct document *document, const struct node *key, const struct node *value, struct policy_reader *reader,
		    typeof(policy_read_policies) *read)
{
	if (array_grow(reader->postponed, reader->postponed_count) < 0)
		return document_no_memory(document);
	reader->postponed[reader->postponed_count++] = (struct postponed){ document, key, value, read };
	return 0;
}

static int postpone_host(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return postpone(document, key, value, target, policy_read_host);
}

static int postpone_policies(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return postpone(document, key, value, target, policy_read_policies);
}

static const struct node_key file_keys[] = {
	{ "version", read_version, true },
	{ "defaults", read_defaults, false },
	{ "geo", read_geo, false },
	{ "timeouts", policy_read_timeouts, false },
	{ "sets", policy_read_sets, false },
	{ "host", postpone_host, false },
	{ "policies", postpone_policies, false },
	{ "include", policy_read_include, false },
	{ "shield", NULL, false },
};

static const struct node_key included_keys[] = {
	{ "version", read_version, false },
	{ "sets", policy_read_sets, false },
	{ "policies", postpone_policies, false },
};

int policy_reader_add_source(struct policy_reader *reader, const char *path, bool directory)
{
	struct policy_set *set = reader->set;
	char *copy;

	for (size_t i = 0; i < set->source_count; i++)
		if (strcmp(set->sources[i].path, path) == 0 && set->sources[i].directory == directory)
			return 0;
	copy = strdup(path);
	if (!copy || array_grow(set->sources, set->source_count) < 0) {
		free(copy);
		return error_set(&reader->error, -ENOMEM, "%s: out of memory", path);
	}
	set->sources[set->source_count++] = (struct policy_source){ .path = copy, .directory = directory };
	return 0;
}

const struct policy *policy_reader_enter(struct policy_reader *reader, size_t index)
{
	const struct policy *policies = reader->set->policies;
	size_t at = text_hash(TEXT_HASH_SEED, policies[index].name) % ARRAY_SIZE(reader->name_slot);

	for (; reader->name_slot[at]; at = (at + 1) % ARRAY_SIZE(reader->name_slot))
		if (strcmp(policies[reader->name_slot[at] - 1].name, policies[index].name) == 0)
			return &policies[reader->name_slot[at] - 1];
	reader->name_slot[at] = (uint16_t)(index + 1);
	return NULL;
}

static void reader_free(struct policy_reader *reader)
{
	for (size_t i = 0; i < reader->document_count; i++) {
		document_clear(&reader->documents[i]->document);
		free(reader->documents[i]->name);
		free(reader->documents[i]->owned_text);
		free(reader->documents[i]);
	}
	for (size_t i = 0; i < reader->included_count; i++)
		free(reader->included[i]);
	free(reader->documents);
	free(reader->postponed);
	free(reader->included);
	free(reader);
}

static void reader_freep(struct policy_reader **reader)
{
	if (*reader)
		reader_free(*reader);
}

static struct policy_reader *reader_new(struct policy_set *set, struct diagnostics *diagnostics)
{
	struct policy_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->set = set;
	reader->report.diagnostics = diagnostics;
	for (size_t i = 0; i < set->policy_count; i++)
		policy_reader_enter(reader, i);
	for (size_t i = 0; i < set->set_count; i++)
		reader->prefix_count += set->sets[i].prefix_count;
	return reader;
}

static struct policy_document *reader_add_document(struct policy_reader *reader)
{
	struct policy_document *document = calloc(1, sizeof(*document));

	if (!document || array_grow(reader->documents, reader->document_count) < 0) {
		free(document);
		return NULL;
	}
	reader->documents[reader->document_count++] = document;
	return document;
}

/* The keys of one file, but for what is postponed. */
static int read_keys(struct policy_reader *reader, struct policy_document *file, const char *name, bool included)
{
	struct document *document = &file->document;
	const struct node *version;
	int r;

	r = policy_reader_add_source(reader, name, false);
	if (r == 0)
		r = document_parse(name, file->text, file->length, document, &reader->error);
	document->name = name;
	document->error = &reader->error;
	/* Without diagnostics nobody could see more than the first error. */
	document->report = reader->report.diagnostics ? &reader->report : NULL;
	if (r < 0)
		return document_note(document, r);
	if (!document->root || document->root->null) {
		if (included)
			return 0;
		return document_note(document, node_error(document, NULL, "the file is empty: it begins with \"version: 1\""));
	}
	version = node_find(document->root, "version");
	if (version && !version->null) {
		r = read_version(document, version, version, NULL);
		if (r < 0)
			return document_note(document, r);
	}
	return document_note(document, included ?
		node_read_map(document, document->root, included_keys, ARRAY_SIZE(included_keys), "an included file", reader) :
		node_read_map(document, document->root, file_keys, ARRAY_SIZE(file_keys), "the policy file", reader));
}

/* -ENOENT and others with a sentence when the file cannot be read. */
static int read_included(struct policy_reader *reader, const char *path)
{
	struct policy_document *file = reader_add_document(reader);
	int r;

	if (!file || !(file->name = strdup(path)))
		return error_set(&reader->error, -ENOMEM, "%s: out of memory", path);
	r = document_read_file(path, &file->owned_text, &file->length, &reader->error);
	if (r < 0)
		return r;
	file->text = file->owned_text;
	return read_keys(reader, file, file->name, true);
}

/* Everything after the first file: what it includes, then what was postponed. */
static int read_rest(struct policy_reader *reader)
{
	for (size_t i = 0; i < reader->included_count; i++) {
		struct document place = { .name = reader->included[i], .error = &reader->error,
					  .report = reader->report.diagnostics ? &reader->report : NULL };
		int r = read_included(reader, reader->included[i]);

		/* The caller must not take it for its own file that is missing: that would mean "no policy". */
		if (r < 0 && r != -ENOMEM)
			r = document_note(&place, -EINVAL);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < reader->postponed_count; i++) {
		const struct postponed *postponed = &reader->postponed[i];
		int r = document_note(postponed->document, postponed->read(postponed->document, postponed->key, postponed->value, reader));

		if (r < 0)
			return r;
	}
	return 0;
}

/* The end of a reading, whatever came of it: what is in the report goes to the caller. */
static int finish(struct policy_reader *reader, int r, struct error *error)
{
	struct diagnostics *diagnostics = reader->report.diagnostics;

	/* What ends the reading at once (no memory) is not in the report yet. */
	if (r < 0)
		diagnostics_add_error(diagnostics, &reader->error);
	else if (reader->report.failed)
		r = -EINVAL;
	for (size_t i = 0; i < reader->document_count; i++)
		if (reader->documents[i]->text)
			diagnostics_quote(diagnostics, reader->documents[i]->document.name, reader->documents[i]->text,
					  reader->documents[i]->length);
	diagnostics_sort(diagnostics);
	if (r < 0 && error)
		*error = reader->report.failed ? reader->report.first : reader->error;
	return r;
}

int policy_file_parse(const char *name, const char *text, size_t length, struct policy_set *ret, struct diagnostics *diagnostics,
		      struct error *error)
{
	_cleanup_(reader_freep) struct policy_reader *reader = NULL;
	_cleanup_(policy_set_clear) struct policy_set set;
	struct policy_document *file;
	int r;

	policy_set_default(&set);
	reader = reader_new(&set, diagnostics);
	file = reader ? reader_add_document(reader) : NULL;
	if (!file)
		return error_set(error, -ENOMEM, "%s: out of memory", name);
	file->text = text;
	file->length = length;
	r = read_keys(reader, file, name, false);
	if (r == 0)
		r = read_rest(reader);
	r = finish(reader, r, error);
	if (r < 0)
		return r;
	*ret = set;
	memset(&set, 0, sizeof(set));
	return 0;
}

int policy_file_load(const char *path, struct policy_set *ret, struct diagnostics *diagnostics, struct error *error)
{
	_cleanup_free_ char *text = NULL;
	struct error local = {};
	size_t length;
	int r;

	r = document_read_file(path, &text, &length, &local);
	if (r < 0) {
		diagnostics_add_error(diagnostics, &local);
		if (error)
			*error = local;
		return r;
	}
	return policy_file_parse(path, text, length, ret, diagnostics, error);
}

/* Was this file read already, by whatever path? */
static bool has_source(const struct policy_set *set, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);

	for (size_t i = 0; real && i < set->source_count; i++) {
		_cleanup_free_ char *other = set->sources[i].directory ? NULL : realpath(set->sources[i].path, NULL);

		if (other && strcmp(other, real) == 0)
			return true;
	}
	return false;
}

/* Take out what was added since @set had so many. */
static void take_back(struct policy_set *set, size_t policies, size_t sets, size_t sources)
{
	while (set->policy_count > policies)
		policy_clear(&set->policies[--set->policy_count]);
	while (set->set_count > sets)
		prefix_set_clear(&set->sets[--set->set_count]);
	while (set->source_count > sources)
		free(set->sources[--set->source_count].path);
}

int policy_file_add(const char *path, struct policy_set *set, struct diagnostics *diagnostics, struct error *error)
{
	_cleanup_(reader_freep) struct policy_reader *reader = NULL;
	size_t policies = set->policy_count, sets = set->set_count, sources = set->source_count;
	int r;

	if (has_source(set, path))
		return 0;
	reader = reader_new(set, diagnostics);
	if (!reader)
		return error_set(error, -ENOMEM, "%s: out of memory", path);
	r = read_included(reader, path);
	if (r == -ENOENT) {
		if (error)
			*error = reader->error;
		return r;
	}
	if (r == 0)
		r = read_rest(reader);
	r = finish(reader, r, error);
	if (r < 0)
		take_back(set, policies, sets, sources);
	return r;
}
