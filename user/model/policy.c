/* SPDX-License-Identifier: GPL-2.0 */
#include "model/policy.h"

#include <stdlib.h>
#include <string.h>

void rule_clear(struct rule *rule)
{
	for (size_t i = 0; i < rule->peer_count; i++) {
		free(rule->peers[i].project);
		free(rule->peers[i].key);
		free(rule->peers[i].name);
	}
	free(rule->peers);
	free(rule->matches);
	free(rule->network);
	free(rule->limits);
	free(rule->text);
	free(rule->name);
	free(rule->origin.file);
	memset(rule, 0, sizeof(*rule));
}

void rule_list_clear(struct rule_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		rule_clear(&list->rules[i]);
	free(list->rules);
	memset(list, 0, sizeof(*list));
}

void selector_clear(struct selector *selector)
{
	for (size_t i = 0; i < selector->child_count; i++)
		selector_clear(&selector->children[i]);
	free(selector->children);
	free(selector->project);
	free(selector->key);
	free(selector->value);
	memset(selector, 0, sizeof(*selector));
}

void policy_clear(struct policy *policy)
{
	for (int i = 0; i < DNET_DIRECTIONS; i++) {
		rule_list_clear(&policy->direction[i]);
		rule_clear(&policy->limits[i]);
	}
	selector_clear(&policy->selector);
	free(policy->name);
	free(policy->origin.file);
	memset(policy, 0, sizeof(*policy));
}

void prefix_set_clear(struct prefix_set *set)
{
	free(set->name);
	free(set->origin.file);
	free(set->file);
	free(set->prefixes);
	memset(set, 0, sizeof(*set));
}

void policy_set_clear(struct policy_set *set)
{
	for (size_t i = 0; i < set->policy_count; i++)
		policy_clear(&set->policies[i]);
	for (size_t i = 0; i < set->set_count; i++)
		prefix_set_clear(&set->sets[i]);
	for (size_t i = 0; i < set->source_count; i++)
		free(set->sources[i].path);
	policy_clear(&set->host);
	free(set->policies);
	free(set->sets);
	free(set->sources);
	free(set->geo_database);
	free(set->geo_origin.file);
	memset(set, 0, sizeof(*set));
}

const struct prefix_set *policy_set_find(const struct policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->set_count; i++)
		if (strcmp(set->sets[i].name, name) == 0)
			return &set->sets[i];
	return NULL;
}

const struct policy *policy_set_policy(const struct policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->policy_count; i++)
		if (strcmp(set->policies[i].name, name) == 0)
			return &set->policies[i];
	return NULL;
}

bool policy_is_over(const struct policy *policy, uint64_t now_unix_ns)
{
	return policy->until_unix_ns && policy->until_unix_ns <= now_unix_ns;
}

void label_policy_clear(struct label_policy *labels)
{
	policy_clear(&labels->policy);
	free(labels->policy_name);
	free(labels->problem);
	memset(labels, 0, sizeof(*labels));
}
