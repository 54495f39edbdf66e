/* SPDX-License-Identifier: GPL-2.0 */
#include "config/policy_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/array.h"
#include "config/document.h"
#include "config/rule.h"
#include "config/rule_parser.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define MAX_POLICIES 4096
#define POLICY_NAME_MAX 64	/* it is a label of counters */

static const struct node_choice unselected_choices[] = {
	{ "allow", UNSELECTED_ALLOW }, { "outside", UNSELECTED_OUTSIDE }, { "deny", UNSELECTED_DENY },
};
static const struct node_choice unknown_choices[] = { { "allow", false }, { "deny", true } };
static const struct node_choice failure_choices[] = { { "closed", false }, { "open", true } };
static const struct node_choice trust_choices[] = { { "trust", false }, { "ignore", true } };
static const struct node_choice mode_choices[] = { { "enforce", POLICY_ENFORCE }, { "audit", POLICY_AUDIT } };
static const struct node_choice labels_choices[] = { { "narrow", false }, { "add", true } };

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
	if (value->null)
		return node_error(document, key, "\"defaults\" has no value: leave the key out, or write {}");
	return node_read_map(document, value, default_keys, ARRAY_SIZE(default_keys), "\"defaults\"", target);
}

static int read_name(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy *policy = target;
	struct origin origin;
	struct place place;
	struct word word;
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	word = (struct word){ value->text, strlen(value->text) };
	place = node_place(document, value, &origin);
	r = name_require(&place, word, NAME_EXACT, "a policy");
	if (r < 0)
		return r;
	if (word.length > POLICY_NAME_MAX)
		return node_error(document, value, "the name of the policy is longer than %d characters", POLICY_NAME_MAX);
	if (word_is(word, "labels"))
		return node_error(document, value, "\"labels\" stands for a container's own policy: give this one another name");
	policy->name = word_copy(word);
	return policy->name ? 0 : document_no_memory(document);
}

static int read_select(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy *policy = target;
	struct origin origin;
	struct place place;
	int r;

	if (value->kind != NODE_SCALAR)
		return node_error(document, value, "selecting with several words is not supported yet: write one, such as select: \"service:shop/web\"");
	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	place = node_place(document, value, &origin);
	return selector_parse_place(&place, &policy->selector);
}

static int read_mode(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy *policy = target;
	int choice, r;

	r = node_read_choice(document, key, value, mode_choices, ARRAY_SIZE(mode_choices), &choice);
	if (r == 0)
		policy->mode = (enum policy_mode)choice;
	return r;
}

static int read_labels(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy *policy = target;
	int choice, r;

	r = node_read_choice(document, key, value, labels_choices, ARRAY_SIZE(labels_choices), &choice);
	if (r == 0)
		policy->labels_add = choice;
	return r;
}

static int read_rules(const struct document *document, const struct node *key, const struct node *value, enum dnet_direction direction,
		      struct rule_list *list)
{
	int r;

	if (value->null)
		return node_error(document, key, "\"%s\" has no value: write [] if everything is to be denied, or leave the key out",
				  key->text);
	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	list->present = true;
	for (const struct node *item = value->child; item; item = item->next) {
		struct origin origin;
		struct place place;

		if (item->kind != NODE_SCALAR || item->null)
			return node_error(document, item, "a rule is one text, such as \"allow 80/tcp %s any\"",
					  direction == DNET_INGRESS ? "from" : "to");
		if (list->count == DNET_MAX_RULES)
			return node_error(document, item, "more than %d rules in one direction of a policy", DNET_MAX_RULES);
		if (array_grow(list->rules, list->count) < 0)
			return document_no_memory(document);
		place = node_place(document, item, &origin);
		r = rule_parse_place(&place, direction, &list->rules[list->count]);
		if (r < 0)
			return r;
		list->count++;
	}
	return 0;
}

static int read_ingress(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy *policy = target;

	return read_rules(document, key, value, DNET_INGRESS, &policy->direction[DNET_INGRESS]);
}

static int read_egress(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy *policy = target;

	return read_rules(document, key, value, DNET_EGRESS, &policy->direction[DNET_EGRESS]);
}

static const struct node_key policy_keys[] = {
	{ "name", read_name, true },
	{ "select", read_select, true },
	{ "mode", read_mode, false },
	{ "labels", read_labels, false },
	{ "ingress", read_ingress, false },
	{ "egress", read_egress, false },
};

/* A quadratic search would take a second for the largest files: names go through a small hash table. */
struct name_table {
	const struct policy *slot[2 * MAX_POLICIES];
};

static const struct policy *name_enter(struct name_table *table, const struct policy *policy)
{
	size_t at = text_hash(TEXT_HASH_SEED, policy->name) % ARRAY_SIZE(table->slot);

	for (; table->slot[at]; at = (at + 1) % ARRAY_SIZE(table->slot))
		if (strcmp(table->slot[at]->name, policy->name) == 0)
			return table->slot[at];
	table->slot[at] = policy;
	return NULL;
}

static int check_names(const struct document *document, const struct node *list, const struct policy_set *set)
{
	_cleanup_free_ struct name_table *table = calloc(1, sizeof(*table));
	const struct node *item = list->child;

	if (!table)
		return document_no_memory(document);
	for (size_t i = 0; i < set->policy_count; i++, item = item->next) {
		const struct policy *twin = name_enter(table, &set->policies[i]);

		if (twin)
			return node_error(document, node_find(item, "name"), "a policy in line %u has the name \"%s\" already: names must differ",
					  twin->origin.line, twin->name);
	}
	return 0;
}

static int read_policies(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_set *set = target;
	int r;

	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		struct policy *policy;

		if (set->policy_count == MAX_POLICIES)
			return node_error(document, item, "more than %d policies", MAX_POLICIES);
		if (array_grow(set->policies, set->policy_count) < 0)
			return document_no_memory(document);
		/* Counted before it is filled: an error on the way clears what it has. */
		policy = &set->policies[set->policy_count++];
		memset(policy, 0, sizeof(*policy));
		policy->origin = (struct origin){ .file = strdup(document->name), .line = item->line, .column = item->column };
		if (!policy->origin.file)
			return document_no_memory(document);
		r = node_read_map(document, item, policy_keys, ARRAY_SIZE(policy_keys), "a policy", policy);
		if (r < 0)
			return r;
	}
	return check_names(document, value, set);
}

static const struct node_key file_keys[] = {
	{ "version", read_version, true },
	{ "defaults", read_defaults, false },
	{ "policies", read_policies, false },
	{ "geo", NULL, false },
	{ "sets", NULL, false },
	{ "host", NULL, false },
	{ "include", NULL, false },
	{ "shield", NULL, false },
};

int policy_file_parse(const char *name, const char *text, size_t length, struct policy_set *ret, struct error *error)
{
	_cleanup_(document_clear) struct document document = { .name = name };
	_cleanup_(policy_set_clear) struct policy_set set;
	const struct node *version;
	int r;

	policy_set_default(&set);
	r = document_parse(name, text, length, &document, error);
	if (r < 0)
		return r;
	if (!document.root || document.root->null)
		return node_error(&document, NULL, "the file is empty: it begins with \"version: 1\"");
	version = node_find(document.root, "version");
	if (version && !version->null) {
		r = read_version(&document, version, version, NULL);
		if (r < 0)
			return r;
	}
	r = node_read_map(&document, document.root, file_keys, ARRAY_SIZE(file_keys), "the policy file", &set);
	if (r < 0)
		return r;
	*ret = set;
	memset(&set, 0, sizeof(set));
	return 0;
}

int policy_file_load(const char *path, struct policy_set *ret, struct error *error)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r;

	r = document_read_file(path, &text, &length, error);
	if (r < 0)
		return r;
	return policy_file_parse(path, text, length, ret, error);
}
