/* SPDX-License-Identifier: GPL-2.0 */
/* `policies:` of a policy file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "config/array.h"
#include "config/policy_reader.h"
#include "config/rule_parser.h"

static const struct node_choice mode_choices[] = { { "enforce", POLICY_ENFORCE }, { "audit", POLICY_AUDIT } };
static const struct node_choice labels_choices[] = { { "narrow", false }, { "add", true } };
static const struct node_choice override_choices[] = { { "true", true }, { "false", false } };

/* The target of a policy's keys. */
struct policy_target {
	struct policy_reader *reader;
	struct policy *policy;
};

int policy_read_name(const struct document *document, const struct node *node, const char *what, char **ret)
{
	struct word word = word_of(node->text);
	struct origin origin;
	struct place place = node_place(document, node, &origin);
	int r = name_require(&place, word, NAME_EXACT, what);

	if (r < 0)
		return r;
	if (word.length > POLICY_NAME_MAX)
		return node_error(document, node, "the name of %s is longer than %d characters", what, POLICY_NAME_MAX);
	*ret = word_copy(word);
	return *ret ? 0 : document_no_memory(document);
}

static int read_name(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_target *of = target;
	const struct policy *twin;
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	if (strcmp(value->text, "labels") == 0)
		return node_error(document, value, "\"labels\" stands for a container's own policy: give this one another name");
	if (strcmp(value->text, "host") == 0)
		return node_error(document, value, "\"host\" stands for the rules of the key \"host\": give this policy another name");
	r = policy_read_name(document, value, "a policy", &of->policy->name);
	if (r < 0)
		return r;
	twin = policy_reader_enter(of->reader, (size_t)(of->policy - of->reader->set->policies));
	if (twin && strcmp(twin->origin.file, document->name) == 0)
		return node_error(document, value, "a policy in line %u has the name \"%s\" already: names must differ", twin->origin.line,
				  twin->name);
	if (twin)
		return node_error(document, value, "a policy in %.200s, line %u, has the name \"%s\" already: names must differ",
				  twin->origin.file, twin->origin.line, twin->name);
	return 0;
}

static int read_selector(const struct document *document, const struct node *node, struct selector *ret)
{
	struct origin origin;
	struct place place = node_place(document, node, &origin);

	return selector_parse_place(&place, ret);
}

/* Several texts: any of them. */
static int read_selectors(const struct document *document, const struct node *value, struct selector *selector)
{
	if (!value->child)
		return node_error(document, value, "select is an empty list: write all, container:NAME, service:NAME, ...");
	selector->kind = SELECT_OR;
	for (const struct node *item = value->child; item; item = item->next) {
		struct selector child = {};
		int r;

		if (item->kind != NODE_SCALAR || item->null)
			r = node_error(document, item, "each item of select is one text, such as \"service:shop/web\"");
		else
			r = read_selector(document, item, &child);
		if (r == 0 && array_grow(selector->children, selector->child_count) < 0) {
			selector_clear(&child);
			return document_no_memory(document);
		}
		if (r == 0)
			selector->children[selector->child_count++] = child;
		r = document_note(document, r);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_select(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_target *of = target;
	int r;

	if (value->kind == NODE_LIST)
		return read_selectors(document, value, &of->policy->selector);
	r = node_require_text(document, key, value);
	return r < 0 ? r : read_selector(document, value, &of->policy->selector);
}

static int read_mode(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_target *of = target;
	int choice, r;

	r = node_read_choice(document, key, value, mode_choices, ARRAY_SIZE(mode_choices), &choice);
	if (r == 0)
		of->policy->mode = (enum policy_mode)choice;
	return r;
}

static int read_labels(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_target *of = target;
	int choice, r;

	r = node_read_choice(document, key, value, labels_choices, ARRAY_SIZE(labels_choices), &choice);
	if (r == 0)
		of->policy->labels_add = choice;
	return r;
}

static int read_override(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_target *of = target;
	int choice, r;

	r = node_read_choice(document, key, value, override_choices, ARRAY_SIZE(override_choices), &choice);
	if (r == 0)
		of->policy->override = choice;
	return r;
}

bool policy_parse_time(const char *text, uint64_t *ret_unix_ns)
{
	static const char shape[] = "0000-00-00T00:00:00";
	const char *at = text;
	uint64_t ns = 0;
	struct tm tm = {};
	time_t seconds;
	int day;

	/* strptime() alone would take blanks and single digits as well. */
	for (size_t i = 0; shape[i]; i++, at++)
		if (shape[i] == '0' ? *at < '0' || *at > '9' : *at != shape[i])
			return false;
	if (*at == '.') {
		uint64_t unit = 100000000;

		for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
			ns += (uint64_t)(*at - '0') * unit;
		if (at[-1] == '.')
			return false;
	}
	if (strcmp(at, "Z") != 0 || !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return false;
	day = tm.tm_mday;
	seconds = timegm(&tm);
	/* timegm() makes the 2nd of March of the 30th of February. Up to 2500 the nanoseconds fit. */
	if (tm.tm_mday != day || seconds <= 0 || tm.tm_year >= 2500 - 1900)
		return false;
	*ret_unix_ns = (uint64_t)seconds * 1000000000ull + ns;
	return true;
}

static int read_until(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_target *of = target;
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	if (!policy_parse_time(value->text, &of->policy->until_unix_ns))
		return node_error(document, value, "\"until\" must be a time in UTC, such as 2030-12-31T18:00:00Z");
	return 0;
}

static int read_limits_of(const struct document *document, const struct node *key, const struct node *value,
			  enum dnet_direction direction, void *target)
{
	struct policy *policy = target;
	struct origin origin;
	struct place place;
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	place = node_place(document, value, &origin);
	return parse_limits(&place, direction, &policy->limits[direction]);
}

static int read_ingress_limits(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return read_limits_of(document, key, value, DNET_INGRESS, target);
}

static int read_egress_limits(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return read_limits_of(document, key, value, DNET_EGRESS, target);
}

static const struct node_key limit_keys[] = {
	{ "ingress", read_ingress_limits, false },
	{ "egress", read_egress_limits, false },
};

int policy_read_limits(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	if (value->null)
		return node_error(document, key, "\"limits\" has no value: write { ingress: \"rate 100/s per src\" }, or leave the key out");
	return node_read_map(document, value, limit_keys, ARRAY_SIZE(limit_keys), "\"limits\"", target);
}

static int read_limits(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct policy_target *of = target;

	return policy_read_limits(document, key, value, of->policy);
}

int policy_grow_rules(const struct document *document, const struct node *item, struct rule_list *list, size_t most)
{
	if (list->count == most)
		return node_error(document, item, "more than %zu rules in one direction of a policy", most);
	return array_grow(list->rules, list->count) < 0 ? document_no_memory(document) : 0;
}

static int read_rule(const struct document *document, const struct node *item, enum dnet_direction direction, struct policy_target *of)
{
	struct rule_list *list = &of->policy->direction[direction];
	_cleanup_(rule_clear) struct rule rule = {};
	struct origin origin;
	struct place place;
	int r;

	if (item->kind != NODE_SCALAR || item->null)
		return node_error(document, item, "a rule is one text, such as \"allow 80/tcp %s any\"",
				  direction == DNET_INGRESS ? "from" : "to");
	r = policy_grow_rules(document, item, list, DNET_MAX_RULES);
	if (r < 0)
		return r;
	place = node_place(document, item, &origin);
	r = rule_parse_place(&place, direction, &rule);
	if (r == 0)
		r = rule_check_sets(&place, &rule, of->reader->set);
	if (r < 0)
		return r;
	if (rule_take_limits(&rule, &of->policy->limits[direction], LIMIT_OF_POLICY) < 0)
		return document_no_memory(document);
	/* What an operator writes by hand is what he gets. */
	if (!of->policy->override && rule_take_limits(&rule, &of->reader->set->host.limits[direction], LIMIT_OF_HOST) < 0)
		return document_no_memory(document);
	list->rules[list->count++] = rule;
	memset(&rule, 0, sizeof(rule));
	return 0;
}

static int read_rules(const struct document *document, const struct node *key, const struct node *value, enum dnet_direction direction,
		      struct policy_target *of)
{
	int r;

	if (value->null)
		return node_error(document, key, "\"%s\" has no value: write [] if everything is to be denied, or leave the key out",
				  key->text);
	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	of->policy->direction[direction].present = true;
	for (const struct node *item = value->child; item; item = item->next) {
		r = document_note(document, read_rule(document, item, direction, of));
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_ingress(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return read_rules(document, key, value, DNET_INGRESS, target);
}

static int read_egress(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	return read_rules(document, key, value, DNET_EGRESS, target);
}

/* In this order: a rule that is read takes the limits that are known. Those of the host are, its key comes first in the file's table. */
static const struct node_key policy_keys[] = {
	{ "name", read_name, true },
	{ "select", read_select, true },
	{ "mode", read_mode, false },
	{ "labels", read_labels, false },
	{ "override", read_override, false },
	{ "until", read_until, false },
	{ "limits", read_limits, false },
	{ "ingress", read_ingress, false },
	{ "egress", read_egress, false },
};

static int by_name(const void *a, const void *b)
{
	const struct rule *left = *(const struct rule *const *)a, *right = *(const struct rule *const *)b;
	int names = strcmp(left->name, right->name);

	if (names)
		return names;
	return left->origin.line != right->origin.line ? left->origin.line < right->origin.line ? -1 : 1 :
	       left->origin.column < right->origin.column ? -1 : 1;
}

/* Counters and events know rules by their names (semantic 12). */
static int warn_of_twins(const struct document *document, const struct policy *policy)
{
	struct diagnostics *diagnostics = document->report ? document->report->diagnostics : NULL;
	_cleanup_free_ const struct rule **rules = NULL;
	size_t count = 0;

	if (!diagnostics)
		return 0;
	rules = calloc(policy->direction[DNET_INGRESS].count + policy->direction[DNET_EGRESS].count + 1, sizeof(*rules));
	if (!rules)
		return document_no_memory(document);
	for (int i = 0; i < DNET_DIRECTIONS; i++)
		for (size_t j = 0; j < policy->direction[i].count; j++)
			rules[count++] = &policy->direction[i].rules[j];
	qsort(rules, count, sizeof(rules[0]), by_name);
	for (size_t i = 1; i < count; i++) {
		const struct rule *rule = rules[i], *twin = rules[i - 1];

		if (strcmp(rule->name, twin->name) != 0)
			continue;
		if (strcmp(rule->text, twin->text) == 0)
			diagnostics_add_warning(diagnostics, "duplicate-rule", document->name, rule->origin.line, rule->origin.column, NULL,
						"this rule is in line %u already: take one of them out", twin->origin.line);
		else
			diagnostics_add_warning(diagnostics, "duplicate-rule-name", document->name, rule->origin.line, rule->origin.column,
						NULL, "the rule in line %u has the name \"%s\", too: their hits are counted together; give this one another name",
						twin->origin.line, twin->name);
	}
	return 0;
}

static int read_policy(const struct document *document, const struct node *item, struct policy_reader *reader)
{
	struct policy_target of = { .reader = reader };
	struct policy_set *set = reader->set;
	int r;

	if (set->policy_count == DNET_MAX_POLICIES)
		return node_error(document, item, "more than %d policies", DNET_MAX_POLICIES);
	if (array_grow(set->policies, set->policy_count) < 0)
		return document_no_memory(document);
	/* Counted before it is filled: an error on the way clears what it has. */
	of.policy = &set->policies[set->policy_count++];
	memset(of.policy, 0, sizeof(*of.policy));
	of.policy->origin = (struct origin){ .file = strdup(document->name), .line = item->line, .column = item->column };
	if (!of.policy->origin.file)
		return document_no_memory(document);
	r = node_read_map(document, item, policy_keys, ARRAY_SIZE(policy_keys), "a policy", &of);
	return r < 0 ? r : warn_of_twins(document, of.policy);
}

int policy_read_policies(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	int r;

	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		r = document_note(document, read_policy(document, item, target));
		if (r < 0)
			return r;
	}
	return 0;
}
