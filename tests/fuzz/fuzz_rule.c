/* SPDX-License-Identifier: GPL-2.0 */
/* The rule grammar: rules, lists of rules and selectors, from text that a container's labels may hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/rule.h"

static void require(int condition)
{
	if (!condition)
		abort();
}

/* The compiler and the counters count on these. */
static void check_rule(const struct rule *rule, enum dnet_direction direction)
{
	struct origin origin = { .file = (char *)"again", .line = 1, .column = 1 };
	struct rule again;

	require(rule->match_count > 0 && rule->peer_count > 0 && *rule->name && *rule->text);
	for (size_t i = 0; i < rule->match_count; i++)
		require(rule->matches[i].first <= rule->matches[i].last && rule->matches[i].last <= DNET_SELECTOR_MAX);
	for (size_t i = 0; i < rule->peer_count; i++) {
		require(rule->peers[i].prefix_len <= 128);
		require((rule->peers[i].kind >= PEER_CONTAINER) == (rule->peers[i].name != NULL));
	}
	/* The normalised text means the same and is its own normal form. */
	require(rule_parse(rule->text, direction, &origin, &again, NULL) == 0);
	require(strcmp(again.text, rule->text) == 0 && strcmp(again.name, rule->name) == 0);
	require(again.match_count == rule->match_count && again.peer_count == rule->peer_count);
	require(memcmp(again.matches, rule->matches, rule->match_count * sizeof(*rule->matches)) == 0);
	rule_clear(&again);
}

static void check_error(const struct error *error, const char *begin)
{
	require(strncmp(error->text, begin, strlen(begin)) == 0);
	for (const char *c = error->text; *c; c++)
		require(*c >= ' ' && *c <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct origin place = { .file = (char *)"f", .line = 1, .column = 1 };
	struct origin label = { .file = (char *)"label x", .line = 0, .column = 1 };
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		struct error error = { "" };
		struct rule_list list;
		struct rule rule;

		if (rule_parse(text, (enum dnet_direction)direction, &place, &rule, &error) == 0) {
			check_rule(&rule, (enum dnet_direction)direction);
			rule_clear(&rule);
		} else {
			check_error(&error, "f:1:");
		}
		if (rule_list_parse(text, (enum dnet_direction)direction, &label, &list, &error) == 0) {
			require(list.present && list.count <= DNET_MAX_RULES);
			for (size_t i = 0; i < list.count; i++)
				check_rule(&list.rules[i], (enum dnet_direction)direction);
			rule_list_clear(&list);
		} else {
			check_error(&error, "label x, column ");
		}
	}
	{
		struct policy policy = { .name = NULL };
		struct error error = { "" };

		if (selector_parse(text, &place, &policy.selector, &error) < 0)
			check_error(&error, "f:1:");
		else
			require((policy.selector.kind == SELECT_ALL) == (policy.selector.value == NULL));
		policy_clear(&policy);
	}
	free(text);
	return 0;
}
