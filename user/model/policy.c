/* SPDX-License-Identifier: GPL-2.0 */
#include "model/policy.h"

#include <stdlib.h>
#include <string.h>

void rule_list_clear(struct rule_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct rule *rule = &list->rules[i];

		for (size_t j = 0; j < rule->peer_count; j++) {
			free(rule->peers[j].project);
			free(rule->peers[j].name);
		}
		free(rule->peers);
		free(rule->matches);
		free(rule->text);
		free(rule->name);
		free(rule->origin.file);
	}
	free(list->rules);
	memset(list, 0, sizeof(*list));
}

void policy_clear(struct policy *policy)
{
	for (int i = 0; i < DNET_DIRECTIONS; i++)
		rule_list_clear(&policy->direction[i]);
	free(policy->name);
	free(policy->selector.project);
	free(policy->selector.key);
	free(policy->selector.value);
	free(policy->origin.file);
	memset(policy, 0, sizeof(*policy));
}

void policy_set_clear(struct policy_set *set)
{
	for (size_t i = 0; i < set->policy_count; i++)
		policy_clear(&set->policies[i]);
	free(set->policies);
	memset(set, 0, sizeof(*set));
}

void label_policy_clear(struct label_policy *labels)
{
	policy_clear(&labels->policy);
	free(labels->policy_name);
	free(labels->problem);
	memset(labels, 0, sizeof(*labels));
}
