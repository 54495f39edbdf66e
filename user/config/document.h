/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A YAML document as a tree that knows where everything stands, and readers of it that are driven by tables of keys. One
 * document, no anchors, aliases or tags, bounded in size and depth. Private to config/.
 */
#ifndef DNETBPF_CONFIG_DOCUMENT_H
#define DNETBPF_CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/diagnostics.h"
#include "config/place.h"

#define DOCUMENT_MAX_BYTES	(4u << 20)
#define DOCUMENT_MAX_DEPTH	16

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	bool null;		/* nothing, "~" or "null" */
	bool plain;		/* a scalar without quotes */
	bool exact;		/* a scalar whose text stands in the file byte for byte, on one line */
	unsigned int line, column;	/* where it begins, the quote included; from 1, in bytes */
	unsigned int text_column;	/* scalar: where its text begins */
	char *text;		/* scalar; holds no NUL but the last */
	struct node *child;	/* list: the items; map: key, value, key, value, ... */
	struct node *next;
};

/* For readers that go on after an error, over several documents. */
struct report {
	struct diagnostics *diagnostics;
	struct error first;	/* of the errors that were noted */
	bool failed;
};

struct document {
	const char *name;	/* of the file, for messages; borrowed */
	struct error *error;	/* borrowed; not NULL if there is a report */
	struct report *report;	/* borrowed; NULL: the first error ends the reading. Set by whoever parsed the document */
	struct node *root;	/* NULL: the file holds nothing */
};

/* @text need not be terminated. 0, -EINVAL or -ENOMEM with a sentence. On error there is nothing to clear. */
int document_parse(const char *name, const char *text, size_t length, struct document *ret, struct error *error);
void document_clear(struct document *document);
/* The bytes of a file, DOCUMENT_MAX_BYTES at most. -ENOENT and others with a sentence that names the file. */
int document_read_file(const char *path, char **ret, size_t *ret_length, struct error *error);

/* "FILE:LINE:COLUMN: SENTENCE" for the place of @node (NULL: the begin of the file). Returns -EINVAL. */
int node_error(const struct document *document, const struct node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int document_no_memory(const struct document *document);
/* What a reader does with the result of one of several parts: 0 when it may go on with the next. An error is noted then, and whoever
 * began the report looks there. */
int document_note(const struct document *document, int code);

/* One key of a mapping. read() gets the value. Keys are read in the order of the table. */
struct node_key {
	const char *name;
	int (*read)(const struct document *document, const struct node *key, const struct node *value, void *target);
	bool required;
};
/* Keys that are known and not supported yet have no read(). @what: "a policy", for messages. */
int node_read_map(const struct document *document, const struct node *map, const struct node_key *keys, size_t count,
		  const char *what, void *target);
/* The value of a key, or NULL. */
const struct node *node_find(const struct node *map, const char *key);

/* A path in the file: relative ones begin in the file's folder. NULL without memory. */
char *document_path(const struct document *document, const char *path);

/* Checks of a value. @key, if not NULL, is named in the sentence. */
int node_require_list(const struct document *document, const struct node *key, const struct node *value);
int node_require_text(const struct document *document, const struct node *key, const struct node *value);
/* The place of a scalar's text. @storage holds the origin. */
struct place node_place(const struct document *document, const struct node *node, struct origin *storage);

struct node_choice {
	const char *name;
	int value;
};
int node_read_choice(const struct document *document, const struct node *key, const struct node *value,
		     const struct node_choice *choices, size_t count, int *ret);

#endif
