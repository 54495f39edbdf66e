/* SPDX-License-Identifier: GPL-2.0 */
#include "explain/cases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dnetbpf/reason.h>

#include "base/cleanup.h"
#include "config/array.h"
#include "config/document.h"
#include "explain/packet.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_CASES 100000

static const struct node_choice expectations[] = {
	{ "allow", DNET_PASS },
	{ "deny", DNET_DENY },
	{ "would_deny", DNET_WOULD_DENY },
};

const char *policy_case_expectation(enum dnet_verdict verdict)
{
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++)
		if (expectations[i].value == (int)verdict)
			return expectations[i].name;
	return "";
}

void policy_cases_clear(struct policy_cases *cases)
{
	for (size_t i = 0; i < cases->count; i++) {
		free(cases->cases[i].packet);
		free(cases->cases[i].name);
		free(cases->cases[i].rule);
		free(cases->cases[i].reason);
	}
	free(cases->cases);
	free(cases->policy);
	free(cases->inventory);
	memset(cases, 0, sizeof(*cases));
}

static int read_text(const struct document *document, const struct node *key, const struct node *value, char **ret)
{
	int r = node_require_text(document, key, value);

	if (r < 0)
		return r;
	*ret = strdup(value->text);
	return *ret ? 0 : document_no_memory(document);
}

static int read_path(const struct document *document, const struct node *key, const struct node *value, char **ret)
{
	int r = node_require_text(document, key, value);

	if (r < 0)
		return r;
	*ret = document_path(document, value->text);
	return *ret ? 0 : document_no_memory(document);
}

static int read_version(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	(void)target;
	if (value->kind != NODE_SCALAR || strcmp(value->text, "1") != 0)
		return node_error(document, value->null ? key : value, "the version of a file of cases is 1");
	return 0;
}

static int read_policy(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return read_path(document, key, value, &((struct policy_cases *)target)->policy);
}

static int read_inventory(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return read_path(document, key, value, &((struct policy_cases *)target)->inventory);
}

/* The packet's text is @skip bytes behind the begin of the node's. */
static int take_packet(const struct document *document, const struct node *value, size_t skip, struct policy_case *one)
{
	const char *text = value->text + skip;
	struct packet_text packet;
	struct error error = {};

	one->line = value->line;
	one->column = value->text_column + (value->exact ? (unsigned int)skip : 0);
	if (packet_text_parse(text, &packet, &error) < 0)
		return error_set_place(document->error, -EINVAL, document->name, one->line,
				       one->column + (value->exact && error.column ? error.column - 1 : 0), error.length,
				       error.text + error.sentence);
	one->packet = strdup(text);
	return one->packet ? 0 : document_no_memory(document);
}

static int read_packet(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	int r = node_require_text(document, key, value);

	return r < 0 ? r : take_packet(document, value, 0, target);
}

static int read_expect(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	int choice, r = node_read_choice(document, key, value, expectations, ARRAY_SIZE(expectations), &choice);

	if (r == 0)
		((struct policy_case *)target)->expect = (enum dnet_verdict)choice;
	return r;
}

static int read_rule(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return read_text(document, key, value, &((struct policy_case *)target)->rule);
}

static int read_reason(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	static const struct node_choice reasons[] = {
#define X(id, NAME, name, class, sentence) { name, id },
		DNET_REASONS(X)
#undef X
	};
	struct suggestion suggestion;
	int r = node_require_text(document, key, value);

	if (r < 0)
		return r;
	suggest_begin(&suggestion, word_of(value->text));
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (strcmp(reasons[i].name, value->text) == 0)
			return read_text(document, key, value, &((struct policy_case *)target)->reason);
		suggest_offer(&suggestion, reasons[i].name);
	}
	return node_error(document, value, "there is no reason \"%s\"%s", word_print(suggestion.word).text, suggest_end(&suggestion,
			  ": they are those of events, such as policy_denied or default_denied"));
}

static int read_name(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return read_text(document, key, value, &((struct policy_case *)target)->name);
}

static const struct node_key case_keys[] = {
	{ "packet", read_packet, true },
	{ "expect", read_expect, true },
	{ "rule", read_rule, false },
	{ "reason", read_reason, false },
	{ "name", read_name, false },
};

/* "allow tcp 203.0.113.7:4444 -> web:443" */
static int read_short(const struct document *document, const struct node *item, struct policy_case *one)
{
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
		size_t length = strlen(expectations[i].name);

		if (strncmp(item->text, expectations[i].name, length) == 0 && item->text[length] == ' ') {
			one->expect = (enum dnet_verdict)expectations[i].value;
			return take_packet(document, item, length + 1, one);
		}
	}
	return node_error(document, item, "a case begins with allow, deny or would_deny, as in "
			  "\"allow tcp 203.0.113.7:4444 -> web:443\"");
}

static int read_cases(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_cases *cases = target;
	int r = node_require_list(document, key, value);

	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		struct policy_case *one;

		if (cases->count == MAX_CASES)
			return node_error(document, item, "more than %d cases", MAX_CASES);
		if (array_grow(cases->cases, cases->count) < 0)
			return document_no_memory(document);
		one = &cases->cases[cases->count++];
		memset(one, 0, sizeof(*one));
		r = item->kind == NODE_SCALAR && !item->null ? read_short(document, item, one) :
		    node_read_map(document, item, case_keys, ARRAY_SIZE(case_keys), "a case", one);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct node_key file_keys[] = {
	{ "version", read_version, true },
	{ "policy", read_policy, false },
	{ "inventory", read_inventory, false },
	{ "cases", read_cases, true },
};

int policy_cases_parse(const char *path, const char *text, size_t length, struct policy_cases *ret, struct error *error)
{
	_cleanup_(document_clear) struct document document = { .name = path };
	_cleanup_(policy_cases_clear) struct policy_cases cases = {};
	int r;

	r = document_parse(path, text, length, &document, error);
	if (r < 0)
		return r;
	if (!document.root || document.root->null)
		return node_error(&document, NULL, "the file is empty: it has the keys version, policy, inventory and cases");
	r = node_read_map(&document, document.root, file_keys, ARRAY_SIZE(file_keys), "a file of cases", &cases);
	if (r < 0)
		return r;
	*ret = cases;
	memset(&cases, 0, sizeof(cases));
	return 0;
}

int policy_cases_load(const char *path, struct policy_cases *ret, struct error *error)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r = document_read_file(path, &text, &length, error);

	return r < 0 ? r : policy_cases_parse(path, text, length, ret, error);
}
