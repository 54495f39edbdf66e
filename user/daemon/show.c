/* SPDX-License-Identifier: GPL-2.0 */
/* `policy show`: the rules in force, in the order in which they are asked, and how often each decided. Reads, decides nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "base/text.h"
#include "daemon/state.h"
#include "explain/explanation.h"
#include "observe/event.h"

static uint64_t rule_hits(const struct daemon *daemon, uint32_t local, size_t number)
{
	const struct dataplane *dataplane = daemon->dataplane;
	const struct dnet_ruleset *ruleset = &dataplane->rulesets[daemon->install.arena * DNET_MAX_RULESETS + local];
	uint32_t counter;

	if (number >= ruleset->rule_count)
		return 0;
	counter = dataplane->rules[ruleset->rule_base + number].counter;
	return counter < DNET_MAX_RULE_COUNTERS ? dataplane_rule_hits(dataplane, counter) : 0;
}

/* What was refused at this interface for the rule's limits. */
static uint64_t rule_exceeded(const struct daemon *daemon, uint32_t endpoint_id, uint32_t local, size_t number)
{
	const struct dataplane *dataplane = daemon->dataplane;
	const struct dnet_ruleset *ruleset = &dataplane->rulesets[daemon->install.arena * DNET_MAX_RULESETS + local];
	const struct dnet_rule *rule = number < ruleset->rule_count ? &dataplane->rules[ruleset->rule_base + number] : NULL;
	uint64_t hits = 0;

	for (uint32_t i = 0; rule && i < rule->limit_count; i++)
		hits += limits_exceeded(daemon, endpoint_id, rule->limit_base + i);
	return hits;
}

static json_t *rule_json(const struct daemon *daemon, uint32_t endpoint_id, const struct listed_rule *listed, uint32_t local,
			 size_t number)
{
	const struct policy *policy = policy_set_policy(daemon->policies, listed->policy);
	uint64_t exceeded = rule_exceeded(daemon, endpoint_id, local, number);
	json_t *rule = explain_rule_json(listed);
	char until[TEXT_TIME_SIZE];

	json_object_set_new(rule, "hits", json_integer((json_int_t)rule_hits(daemon, local, number)));
	if (exceeded)
		json_object_set_new(rule, "exceeded", json_integer((json_int_t)exceeded));
	if (policy && policy->override)
		json_object_set_new(rule, "override", json_true());
	if (policy && policy->until_unix_ns)
		json_object_set_new(rule, "until", json_string(text_time(policy->until_unix_ns, until)));
	return rule;
}

static json_t *layer_json(const struct daemon *daemon, uint32_t endpoint_id, uint32_t local, enum dnet_layer layer)
{
	const struct listed_rule *rules;
	size_t count = compiler_rules(daemon->compiler, local, &rules);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		/* The rule that lets pass what `host:` does not deny is nobody's: how the list ends says it. */
		if (layer != DNET_LAYER_HOST || rules[i].rule->origin.line)
			json_array_append_new(list, rule_json(daemon, endpoint_id, &rules[i], local, i));
	return json_pack("{s:s, s:o, s:s}", "layer", explain_layer_name(layer), "rules", list, "ends",
			 layer == DNET_LAYER_HOST ? "pass" : "deny");
}

static json_t *direction_json(const struct daemon *daemon, const struct live *live, enum dnet_direction direction)
{
	const uint32_t *rulesets = live->verdict.ruleset[direction];
	bool governed = rulesets[DNET_LAYER_FILE] || rulesets[DNET_LAYER_LABELS];
	json_t *layers = json_array();

	for (unsigned int layer = 0; layer < DNET_LAYERS; layer++)
		if (rulesets[layer])
			json_array_append_new(layers, layer_json(daemon, live->id, rulesets[layer], layer));
	return json_pack("{s:o, s:s}", "layers", layers, "ends", live->verdict.invalid ? "deny" : governed ? "deny" :
			 "defaults.unselected: allow");
}

static json_t *problems_json(struct daemon *daemon, const struct container *container)
{
	const struct label_policy *labels = daemon->policies->labels_ignore ? NULL : reconcile_labels(daemon, container);
	json_t *problems = json_array();

	if (labels && labels->invalid)
		json_array_append_new(problems, json_sprintf("its labels cannot be read, so everything is denied: %s",
							     labels->problem));
	for (char **name = container->image_labels; name && *name; name++)
		if (strncmp(*name, "dnetbpf.", 8) == 0)
			json_array_append_new(problems, json_sprintf("its image claims the label %s, which is ignored", *name));
	if (daemon->policies->labels_ignore)
		for (size_t i = 0; i < container->label_count; i++)
			if (strncmp(container->labels[i].key, "dnetbpf.", 8) == 0)
				json_array_append_new(problems, json_sprintf("its label %s is ignored: the policy file says "
									     "`labels: ignore`",
									     container->labels[i].key));
	return problems;
}

static json_t *endpoint_json(struct daemon *daemon, const struct live *live, const struct compile_endpoint *endpoint)
{
	json_t *directions = json_object();

	for (unsigned int direction = 0; direction < DNET_DIRECTIONS; direction++)
		json_object_set_new(directions, direction_name(direction), direction_json(daemon, live, direction));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "container", endpoint->container->name, "network",
			 endpoint->network->name, "interface", live->link.name, "state", live_state_name(daemon, live), "mode",
			 live->verdict.audit ? "audit" : "enforce", "policies", live->verdict.policies ? live->verdict.policies : "",
			 "problems", problems_json(daemon, endpoint->container), "directions", directions);
}

static int compare_live(const void *a, const void *b)
{
	return strcmp((*(struct live *const *)a)->link.name, (*(struct live *const *)b)->link.name);
}

static int unknown_container(const struct daemon *daemon, const char *name, struct error *error)
{
	const struct container *container = inventory_container_named(daemon->inventory, name);
	struct suggestion suggestion;

	if (container)
		return error_set(error, -ENOENT, "%s has no interface that dnetbpf knows: %s", name,
				 container->state == CONTAINER_RUNNING ?
				 "`dnetbpf ps` says why" : "it is not running");
	suggest_begin(&suggestion, word_of(name));
	for (size_t i = 0; i < daemon->inventory->container_count; i++)
		suggest_offer(&suggestion, daemon->inventory->containers[i].name);
	return error_set(error, -ENOENT, "there is no container \"%s\"%s", name, suggest_end(&suggestion, ""));
}

int report_policy_show(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;
	const char *name = json_string_value(json_object_get(request, "container"));
	_cleanup_free_ struct live **sorted = calloc(daemon->live.count + 1, sizeof(*sorted));
	json_t *endpoints;

	if (!sorted)
		return error_set(error, -ENOMEM, "out of memory");
	if (!daemon->inventory || !daemon->compiler)
		return error_set(error, -EBUSY, "the containers are not known yet; try again in a moment");
	if (daemon->live.count)
		memcpy(sorted, daemon->live.items, daemon->live.count * sizeof(*sorted));
	qsort(sorted, daemon->live.count, sizeof(*sorted), compare_live);
	endpoints = json_array();
	for (size_t i = 0; i < daemon->live.count; i++) {
		struct compile_endpoint endpoint;

		if (!enforce_endpoint(daemon, sorted[i], &endpoint) || (name && strcmp(name, endpoint.container->name) != 0))
			continue;
		json_array_append_new(endpoints, endpoint_json(daemon, sorted[i], &endpoint));
	}
	if (name && !json_array_size(endpoints)) {
		json_decref(endpoints);
		return unknown_container(daemon, name, error);
	}
	*ret = json_pack("{s:o}", "endpoints", endpoints);
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}
