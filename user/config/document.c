/* SPDX-License-Identifier: GPL-2.0 */
#include "config/document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "config/array.h"

/*
 * libyaml's marks count characters and know more line breaks than editors do. These two tables turn the index of a
 * character into a byte, and a byte into line and column, in logarithmic time: a file of one line is no trap.
 */
#define STEP 64

struct positions {
	const char *text;
	size_t length;
	uint32_t *byte_of;	/* of every STEP-th character */
	size_t step_count;
	uint32_t *line_start;
	size_t line_count;
};

static void positions_clear(struct positions *positions)
{
	free(positions->byte_of);
	free(positions->line_start);
}

static bool starts_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static int positions_init(struct positions *positions, const char *text, size_t length)
{
	size_t characters = 0;

	positions->text = text;
	positions->length = length;
	for (size_t i = 0; i <= length; i++) {
		if (i == length || starts_character(text[i])) {
			if (characters % STEP == 0) {
				if (array_grow(positions->byte_of, positions->step_count) < 0)
					return -ENOMEM;
				positions->byte_of[positions->step_count++] = (uint32_t)i;
			}
			characters++;
		}
		if (i == 0 || text[i - 1] == '\n' || (text[i - 1] == '\r' && (i == length || text[i] != '\n'))) {
			if (array_grow(positions->line_start, positions->line_count) < 0)
				return -ENOMEM;
			positions->line_start[positions->line_count++] = (uint32_t)i;
		}
	}
	return 0;
}

static size_t position_byte(const struct positions *positions, size_t character)
{
	size_t step = character / STEP, left = character % STEP, at;

	if (step >= positions->step_count)
		return positions->length;
	for (at = positions->byte_of[step]; left && at < positions->length; left--)
		for (at++; at < positions->length && !starts_character(positions->text[at]);)
			at++;
	return at;
}

static void position_of_byte(const struct positions *positions, size_t byte, unsigned int *ret_line, unsigned int *ret_column)
{
	size_t low = 0, high = positions->line_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (positions->line_start[middle] <= byte)
			low = middle;
		else
			high = middle;
	}
	*ret_line = (unsigned int)low + 1;
	*ret_column = (unsigned int)(byte - positions->line_start[low]) + 1;
}

/* What one document is made from. */
struct builder {
	yaml_parser_t parser;
	struct positions positions;
	const char *name;
	struct error *error;
};

static void builder_clear(struct builder *builder)
{
	yaml_parser_delete(&builder->parser);
	positions_clear(&builder->positions);
}

static int byte_error(struct builder *builder, size_t byte, const char *sentence)
{
	unsigned int line, column;

	position_of_byte(&builder->positions, byte, &line, &column);
	return error_set_place(builder->error, -EINVAL, builder->name, line, column, 0, sentence);
}

static int mark_error(struct builder *builder, const yaml_mark_t *mark, const char *sentence)
{
	return byte_error(builder, position_byte(&builder->positions, mark->index), sentence);
}

static int parser_error(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	unsigned int line, column;
	char sentence[256];
	int n;

	switch (parser->error) {
	case YAML_MEMORY_ERROR:
		return error_set(builder->error, -ENOMEM, "%s: out of memory", builder->name);
	case YAML_READER_ERROR:
		/* The only error whose place is a byte: what is no UTF-8 has no characters. */
		snprintf(sentence, sizeof(sentence), "this cannot be read as text: %s", parser->problem ? parser->problem : "");
		return byte_error(builder, parser->problem_offset, sentence);
	default:
		n = snprintf(sentence, sizeof(sentence), "this is not YAML: %s", parser->problem ? parser->problem : "error");
		if (parser->context && n > 0 && (size_t)n < sizeof(sentence)) {
			position_of_byte(&builder->positions, position_byte(&builder->positions, parser->context_mark.index), &line, &column);
			snprintf(sentence + n, sizeof(sentence) - (size_t)n, " %s that begins at %u:%u", parser->context, line, column);
		}
		return mark_error(builder, &parser->problem_mark, sentence);
	}
}

static void node_free(struct node *node)
{
	/* As deep as the document, which is bounded; as long as it likes. */
	while (node) {
		struct node *next = node->next;

		node_free(node->child);
		free(node->text);
		free(node);
		node = next;
	}
}

static void node_freep(struct node **node)
{
	node_free(*node);
}

static void event_clear(yaml_event_t *event)
{
	yaml_event_delete(event);
}

static int next_event(struct builder *builder, yaml_event_t *event)
{
	return yaml_parser_parse(&builder->parser, event) ? 0 : parser_error(builder);
}

static bool is_null(const char *text)
{
	return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 ||
	       strcmp(text, "NULL") == 0;
}

static int build_scalar(struct builder *builder, const yaml_event_t *event, struct node *node)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length, at = position_byte(&builder->positions, event->start_mark.index);
	yaml_scalar_style_t style = event->data.scalar.style;
	bool quoted = style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;

	if (memchr(value, '\0', length))
		return mark_error(builder, &event->start_mark, "a text with a NUL character in it");
	node->text = strdup(value);
	if (!node->text)
		return error_set(builder->error, -ENOMEM, "%s: out of memory", builder->name);
	at += quoted;
	node->plain = style == YAML_PLAIN_SCALAR_STYLE;
	node->null = node->plain && is_null(node->text);
	node->text_column = node->column + quoted;
	node->exact = at <= builder->positions.length && length <= builder->positions.length - at &&
		      memcmp(builder->positions.text + at, value, length) == 0 && !memchr(value, '\n', length);
	return 0;
}

static int build_node(struct builder *builder, yaml_event_t *event, unsigned int depth, struct node **ret);

static int build_children(struct builder *builder, yaml_event_type_t end, unsigned int depth, struct node *node)
{
	struct node **tail = &node->child;
	bool key = true;

	for (;;) {
		_cleanup_(event_clear) yaml_event_t event = { .type = YAML_NO_EVENT };
		int r = next_event(builder, &event);

		if (r < 0)
			return r;
		if (event.type == end)
			return 0;
		if (node->kind == NODE_MAP && key && event.type != YAML_SCALAR_EVENT && event.type != YAML_ALIAS_EVENT)
			return mark_error(builder, &event.start_mark, "a key must be a word");
		r = build_node(builder, &event, depth + 1, tail);
		if (r < 0)
			return r;
		tail = &(*tail)->next;
		key = !key;
	}
}

/* From an event that begins a node. */
static int build_node(struct builder *builder, yaml_event_t *event, unsigned int depth, struct node **ret)
{
	_cleanup_(node_freep) struct node *node = NULL;
	const yaml_char_t *anchor = NULL, *tag = NULL;
	int r = 0;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	default:
		break;
	}
	/* A few aliases of aliases would make a file of a hundred bytes a document of gigabytes. */
	if (anchor || event->type == YAML_ALIAS_EVENT)
		return mark_error(builder, &event->start_mark,
				  "anchors and aliases (\"&\" and \"*\" before a value) are not supported: write the value out, or in quotes if it is a text");
	if (tag)
		return mark_error(builder, &event->start_mark, "tags (\"!\" before a value) are not supported: leave it out, or write the value in quotes");
	if (depth > DOCUMENT_MAX_DEPTH)
		return mark_error(builder, &event->start_mark, "too many levels inside each other");
	node = calloc(1, sizeof(*node));
	if (!node)
		return error_set(builder->error, -ENOMEM, "%s: out of memory", builder->name);
	position_of_byte(&builder->positions, position_byte(&builder->positions, event->start_mark.index), &node->line, &node->column);
	if (event->type == YAML_SCALAR_EVENT) {
		node->kind = NODE_SCALAR;
		r = build_scalar(builder, event, node);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		node->kind = NODE_LIST;
		r = build_children(builder, YAML_SEQUENCE_END_EVENT, depth, node);
	} else {
		node->kind = NODE_MAP;
		r = build_children(builder, YAML_MAPPING_END_EVENT, depth, node);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(node);
	return 0;
}

static int build_document(struct builder *builder, struct node **ret)
{
	_cleanup_(node_freep) struct node *root = NULL;

	for (;;) {
		_cleanup_(event_clear) yaml_event_t event = { .type = YAML_NO_EVENT };
		int r = next_event(builder, &event);

		if (r < 0)
			return r;
		switch (event.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (root)
				return mark_error(builder, &event.start_mark, "a second document begins here: one file holds one");
			break;
		case YAML_STREAM_END_EVENT:
			*ret = TAKE_PTR(root);
			return 0;
		default:
			r = build_node(builder, &event, 1, &root);
			if (r < 0)
				return r;
		}
	}
}

int document_parse(const char *name, const char *text, size_t length, struct document *ret, struct error *error)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	_cleanup_(builder_clear) struct builder builder = { .name = name, .error = error };
	struct document document = { .name = name, .error = error };
	int r;

	if (length > DOCUMENT_MAX_BYTES)
		return node_error(&document, NULL, "the file is larger than %u MiB", DOCUMENT_MAX_BYTES >> 20);
	if (length >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
		text += 3;
		length -= 3;
	}
	if (positions_init(&builder.positions, text, length) < 0 || !yaml_parser_initialize(&builder.parser))
		return error_set(error, -ENOMEM, "%s: out of memory", name);
	yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, length);
	r = build_document(&builder, &document.root);
	if (r < 0)
		return r;
	*ret = document;
	return 0;
}

void document_clear(struct document *document)
{
	node_free(document->root);
	document->root = NULL;
}

static int file_error(struct error *error, int code, const char *path, const char *what)
{
	char sentence[128];

	snprintf(sentence, sizeof(sentence), "%s: %s", what, strerror(code));
	return error_set_place(error, -code, path, 0, 0, 0, sentence);
}

int document_read_file(const char *path, char **ret, size_t *ret_length, struct error *error)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t length;

	if (!file)
		return file_error(error, errno, path, "cannot be opened");
	/* One byte more than is allowed, so that the parser sees that it is too large. */
	text = malloc(DOCUMENT_MAX_BYTES + 1);
	if (!text)
		return error_set(error, -ENOMEM, "%s: out of memory", path);
	errno = 0;
	length = fread(text, 1, DOCUMENT_MAX_BYTES + 1, file);
	if (ferror(file))
		return file_error(error, errno ? errno : EIO, path, "cannot be read");
	*ret = TAKE_PTR(text);
	*ret_length = length;
	return 0;
}
