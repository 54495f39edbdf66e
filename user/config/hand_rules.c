/* SPDX-License-Identifier: GPL-2.0 */
#include "config/hand_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "config/array.h"
#include "config/policy_reader.h"
#include "config/rule.h"
#include "config/rule_parser.h"

#define NAME_HEAD	"by-hand-"
#define CONTAINER_HEAD	"container:"

static const char header[] =
	"# Rules by hand. The commands \"dnetbpf allow\" and \"dnetbpf deny\" write this file, the newest rule first;\n"
	"# it is no place for other rules or comments: these belong into a file of their own.\n";

/* The texts alone: a rule may name a set that only the other files have. */
struct hand_rule {
	char *name, *container, *text;	/* owned */
	enum dnet_direction direction;
	uint64_t until_unix_ns;
	uint64_t number;	/* of the name */
};

struct hand_rules {
	struct hand_rule *items;	/* owned; the newest first */
	size_t count;
};

static void hand_rule_clear(struct hand_rule *rule)
{
	free(rule->name);
	free(rule->container);
	free(rule->text);
	memset(rule, 0, sizeof(*rule));
}

static void hand_rules_clear(struct hand_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		hand_rule_clear(&rules->items[i]);
	free(rules->items);
	memset(rules, 0, sizeof(*rules));
}

static void take_out(struct hand_rules *rules, size_t index)
{
	hand_rule_clear(&rules->items[index]);
	rules->count--;
	memmove(&rules->items[index], &rules->items[index + 1], (rules->count - index) * sizeof(rules->items[0]));
}

/* --- reading */

static int foreign(const struct document *document, const struct node *node)
{
	return node_error(document, node, "dnetbpf has not written this, and would lose it: move it to another file of the same folder");
}

static int read_version(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	(void)key;
	(void)target;
	return value->kind == NODE_SCALAR && strcmp(value->text, "1") == 0 ? 0 : foreign(document, value);
}

static int read_name(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct hand_rule *rule = target;
	int r = node_require_text(document, key, value);

	if (r < 0)
		return r;
	if (strncmp(value->text, NAME_HEAD, strlen(NAME_HEAD)) != 0 ||
	    !word_number(word_of(value->text + strlen(NAME_HEAD)), UINT32_MAX, &rule->number) || rule->number > UINT32_MAX)
		return foreign(document, value);
	rule->name = strdup(value->text);
	return rule->name ? 0 : document_no_memory(document);
}

static int read_select(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct hand_rule *rule = target;
	int r = node_require_text(document, key, value);

	if (r < 0)
		return r;
	if (strncmp(value->text, CONTAINER_HEAD, strlen(CONTAINER_HEAD)) != 0 ||
	    name_check(word_of(value->text + strlen(CONTAINER_HEAD)), NAME_EXACT))
		return foreign(document, value);
	rule->container = strdup(value->text + strlen(CONTAINER_HEAD));
	return rule->container ? 0 : document_no_memory(document);
}

static int read_override(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	(void)key;
	(void)target;
	return value->kind == NODE_SCALAR && strcmp(value->text, "true") == 0 ? 0 : foreign(document, value);
}

static int read_until(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct hand_rule *rule = target;

	(void)key;
	return value->kind == NODE_SCALAR && policy_parse_time(value->text, &rule->until_unix_ns) ? 0 : foreign(document, value);
}

static int read_rule(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	_cleanup_(rule_clear) struct rule parsed = {};
	struct hand_rule *rule = target;
	struct origin origin;
	struct place place;
	int r;

	if (value->kind != NODE_LIST || !value->child || value->child->next || value->child->kind != NODE_SCALAR || rule->text)
		return foreign(document, key);
	rule->direction = strcmp(key->text, "ingress") == 0 ? DNET_INGRESS : DNET_EGRESS;
	place = node_place(document, value->child, &origin);
	r = rule_parse_place(&place, rule->direction, &parsed);
	if (r < 0)
		return r;
	rule->text = TAKE_PTR(parsed.text);
	return 0;
}

static const struct node_key rule_keys[] = {
	{ "name", read_name, true },
	{ "select", read_select, true },
	{ "override", read_override, true },
	{ "until", read_until, false },
	{ "ingress", read_rule, false },
	{ "egress", read_rule, false },
};

static int read_policies(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct hand_rules *rules = target;
	int r = node_require_list(document, key, value);

	for (const struct node *item = value->child; r == 0 && item; item = item->next) {
		_cleanup_(hand_rule_clear) struct hand_rule rule = {};

		r = node_read_map(document, item, rule_keys, ARRAY_SIZE(rule_keys), "a rule by hand", &rule);
		if (r < 0)
			return r;
		if (!rule.text)
			return foreign(document, item);
		if (array_grow(rules->items, rules->count) < 0)
			return document_no_memory(document);
		rules->items[rules->count++] = rule;
		memset(&rule, 0, sizeof(rule));
	}
	return r;
}

static const struct node_key file_keys[] = {
	{ "version", read_version, true },
	{ "policies", read_policies, true },
};

/* Comments are not in the tree, and writing the file again would lose them. Those at its top are ours. */
static int check_comments(const char *path, const char *text, size_t length, struct error *error)
{
	bool top = true, quoted = false;
	unsigned int line = 1, column = 1;

	for (size_t i = 0; i < length; i++, column++) {
		if (text[i] == '\n') {
			line++;
			column = 0;
			quoted = false;
		} else if (text[i] == '#' && !quoted && !(top && column == 1) && (column == 1 || text[i - 1] == ' ' || text[i - 1] == '\t')) {
			return error_set_place(error, -EINVAL, path, line, column, 1,
					       "dnetbpf has not written this comment, and would lose it: take it out");
		} else if (text[i] == '#' && top && column == 1) {
			while (i + 1 < length && text[i + 1] != '\n')
				i++;
		} else {
			top = false;
			if (text[i] == '\\' && quoted && i + 1 < length && text[i + 1] != '\n') {
				i++;
				column++;
			} else if (text[i] == '"') {
				quoted = !quoted;
			}
		}
	}
	return 0;
}

/* No file is no rules. */
static int read_all(const char *path, struct hand_rules *ret, struct error *error)
{
	_cleanup_(document_clear) struct document document = {};
	_cleanup_(hand_rules_clear) struct hand_rules rules = {};
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r;

	r = document_read_file(path, &text, &length, error);
	if (r == -ENOENT) {
		*ret = (struct hand_rules){};
		return 0;
	}
	if (r == 0)
		r = document_parse(path, text, length, &document, error);
	if (r == 0 && !document.root)
		r = node_error(&document, NULL, "the file is empty: remove it, and dnetbpf writes it anew");
	if (r == 0)
		r = check_comments(path, text, length, error);
	if (r == 0)
		r = node_read_map(&document, document.root, file_keys, ARRAY_SIZE(file_keys), "a file of rules by hand", &rules);
	if (r < 0)
		return r;
	*ret = rules;
	memset(&rules, 0, sizeof(rules));
	return 0;
}

/* --- writing */

static void print_quoted(FILE *out, const char *head, const char *text)
{
	fprintf(out, "\"%s", head);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputs("\"\n", out);
}

static void print_all(FILE *out, const struct hand_rules *rules)
{
	char time[TEXT_TIME_SIZE];

	fprintf(out, "%sversion: 1\npolicies:%s\n", header, rules->count ? "" : " []");
	for (size_t i = 0; i < rules->count; i++) {
		const struct hand_rule *rule = &rules->items[i];

		fprintf(out, "  - name: %s\n    select: ", rule->name);
		print_quoted(out, CONTAINER_HEAD, rule->container);
		fputs("    override: true\n", out);
		if (rule->until_unix_ns)
			fprintf(out, "    until: \"%s\"\n", text_time(rule->until_unix_ns, time));
		fprintf(out, "    %s:\n      - ", rule->direction == DNET_INGRESS ? "ingress" : "egress");
		print_quoted(out, "", rule->text);
	}
}

static int write_all(const char *path, const struct hand_rules *rules, struct error *error)
{
	_cleanup_free_ char *text = NULL;
	char sentence[128];
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	int r;

	if (!out)
		return error_set(error, -ENOMEM, "%s: out of memory", path);
	print_all(out, rules);
	if (fclose(out) != 0)
		return error_set(error, -ENOMEM, "%s: out of memory", path);
	r = file_replace(path, text, length);
	if (r == 0)
		return 0;
	snprintf(sentence, sizeof(sentence), "the rules by hand cannot be written: %s", strerror(-r));
	return error_set_place(error, r, path, 0, 0, 0, sentence);
}

/* --- what the callers ask for */

static bool same(const struct hand_rule *rule, const char *container, enum dnet_direction direction, const char *text)
{
	return strcmp(rule->container, container) == 0 && rule->direction == direction && strcmp(rule->text, text) == 0;
}

int hand_rules_add(const char *path, const char *container, enum dnet_direction direction, const char *rule, uint64_t until_unix_ns,
		   char **ret_name, struct error *error)
{
	_cleanup_(hand_rules_clear) struct hand_rules rules = {};
	_cleanup_(hand_rule_clear) struct hand_rule added = { .direction = direction, .until_unix_ns = until_unix_ns };
	_cleanup_(rule_clear) struct rule parsed = {};
	const struct origin origin = { .file = (char *)"the rule", .column = 1 };
	_cleanup_free_ char *name = NULL;
	uint64_t last = 0;
	int r;

	if (name_check(word_of(container), NAME_EXACT))
		return error_set(error, -EINVAL, "\"%s\" cannot be the name of a container", word_print(word_of(container)).text);
	r = rule_parse(rule, direction, &origin, &parsed, error);
	if (r == 0)
		r = read_all(path, &rules, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rules.count; i++)
		if (rules.items[i].number > last)
			last = rules.items[i].number;
	for (size_t i = 0; i < rules.count; i++)
		if (same(&rules.items[i], container, direction, parsed.text)) {
			added.name = TAKE_PTR(rules.items[i].name);
			added.number = rules.items[i].number;
			take_out(&rules, i);
			break;
		}
	if (rules.count == HAND_RULES_MAX)
		return error_set(error, -ENOSPC, "%s: there are %d rules by hand already: remove some, or write them into a policy file",
				 path, HAND_RULES_MAX);
	if (!added.name && asprintf(&added.name, NAME_HEAD "%" PRIu64, last + 1) < 0)
		added.name = NULL;	/* asprintf() leaves it undefined */
	added.container = strdup(container);
	added.text = TAKE_PTR(parsed.text);
	name = added.name ? strdup(added.name) : NULL;
	if (!name || !added.container || array_grow(rules.items, rules.count) < 0)
		return error_set(error, -ENOMEM, "%s: out of memory", path);
	memmove(&rules.items[1], &rules.items[0], rules.count * sizeof(rules.items[0]));
	rules.items[0] = added;
	rules.count++;
	memset(&added, 0, sizeof(added));
	r = write_all(path, &rules, error);
	if (r == 0 && ret_name)
		*ret_name = TAKE_PTR(name);
	return r;
}

static int no_such_rule(const struct hand_rules *rules, const char *container, struct error *error)
{
	char all[400] = "";
	size_t used = 0;

	for (size_t i = 0; i < rules->count && used < sizeof(all) - 1; i++)
		if (strcmp(rules->items[i].container, container) == 0)
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s\"%s\" (%s)", used ? ", " : "", rules->items[i].text,
						 rules->items[i].name);
	if (!used)
		return error_set(error, -ENOENT, "the container %s has no rules by hand", word_print(word_of(container)).text);
	return error_set(error, -ENOENT, "the container %s has no such rule by hand: it has %s", container, all);
}

int hand_rules_remove(const char *path, const char *container, const char *rule, struct error *error)
{
	_cleanup_(hand_rules_clear) struct hand_rules rules = {};
	_cleanup_(rule_clear) struct rule parsed = {};
	const struct origin origin = { .file = (char *)"the rule", .column = 1 };
	bool by_name = strncmp(rule, NAME_HEAD, strlen(NAME_HEAD)) == 0;
	enum dnet_direction direction = DNET_INGRESS;
	int r = 0;

	if (!by_name)
		r = rule_parse_either(rule, &origin, &direction, &parsed, error);
	if (r == 0)
		r = read_all(path, &rules, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rules.count; i++) {
		const struct hand_rule *item = &rules.items[i];

		if (by_name ? strcmp(item->container, container) != 0 || strcmp(item->name, rule) != 0 :
			      !same(item, container, direction, parsed.text))
			continue;
		take_out(&rules, i);
		return write_all(path, &rules, error);
	}
	return no_such_rule(&rules, container, error);
}

int hand_rules_expire(const char *path, uint64_t now_unix_ns, struct error *error)
{
	_cleanup_(hand_rules_clear) struct hand_rules rules = {};
	int removed = 0, r;

	r = read_all(path, &rules, error);
	if (r < 0)
		return r;
	for (size_t i = rules.count; i-- > 0;)
		if (rules.items[i].until_unix_ns && rules.items[i].until_unix_ns <= now_unix_ns) {
			take_out(&rules, i);
			removed++;
		}
	if (removed) {
		r = write_all(path, &rules, error);
		if (r < 0)
			return r;
	}
	return removed;
}
