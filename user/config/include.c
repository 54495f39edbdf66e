/* SPDX-License-Identifier: GPL-2.0 */
/* `include:` of a policy file. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "config/array.h"
#include "config/policy_reader.h"

static void closedirp(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static bool same_file(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

static int add_file(const struct document *document, const struct node *node, struct policy_reader *reader, const char *folder,
		    const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name) < 0) {
		path = NULL;	/* asprintf() leaves it undefined */
		return document_no_memory(document);
	}
	/* A glob such as *.yaml in its own folder finds the including file as well. */
	if (same_file(path, document->name))
		return 0;
	for (size_t i = 0; i < reader->included_count; i++)
		if (strcmp(reader->included[i], path) == 0)
			return 0;
	if (reader->included_count == POLICY_MAX_FILES)
		return node_error(document, node, "more than %d files are included", POLICY_MAX_FILES);
	if (array_grow(reader->included, reader->included_count) < 0)
		return document_no_memory(document);
	reader->included[reader->included_count++] = TAKE_PTR(path);
	return 0;
}

static int read_glob(const struct document *document, const struct node *node, struct policy_reader *reader)
{
	_cleanup_(closedirp) DIR *directory = NULL;
	_cleanup_free_ char *path = NULL;
	const char *folder, *pattern;
	struct dirent *entry;
	char *slash;
	int r;

	if (node->kind != NODE_SCALAR || node->null || !*node->text)
		return node_error(document, node, "each item of include is one text, such as \"policy.d/*.yaml\"");
	path = document_path(document, node->text);
	if (!path)
		return document_no_memory(document);
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	folder = !slash ? "." : slash == path ? "/" : path;
	pattern = slash ? slash + 1 : path;
	if (!*pattern)
		return node_error(document, node, "this names a folder: write which of its files are meant, such as \"policy.d/*.yaml\"");
	/* What the document's own folder is called is not the writer's business. */
	if (strpbrk(node->text, "*?[") && strpbrk(node->text, "*?[") < node->text + strlen(node->text) - strlen(pattern))
		return node_error(document, node, "wildcards are for the names of files, not for folders: write one item for each folder");
	r = policy_reader_add_source(reader, folder, true);
	if (r < 0)
		return r;
	directory = opendir(folder);
	/* Nothing there is fine: rules by hand and packages come later. */
	if (!directory && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!directory)
		return node_error(document, node, "the folder %.200s cannot be read: %s", folder, strerror(errno));
	while ((entry = readdir(directory))) {
		if (fnmatch(pattern, entry->d_name, FNM_PERIOD) != 0)
			continue;
		r = add_file(document, node, reader, folder, entry->d_name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int policy_read_include(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_reader *reader = target;
	int r = 0;

	if (value->null)
		return node_error(document, key, "\"include\" has no value: write a text such as \"policy.d/*.yaml\", or leave the key out");
	if (value->kind == NODE_LIST) {
		for (const struct node *item = value->child; item && r == 0; item = item->next)
			r = document_note(document, read_glob(document, item, reader));
	} else {
		r = read_glob(document, value, reader);
	}
	if (reader->included_count)
		qsort(reader->included, reader->included_count, sizeof(reader->included[0]), by_path);
	return r;
}
