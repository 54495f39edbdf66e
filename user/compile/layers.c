/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/layers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/ruleset.h"

/* --- what holds for all endpoints */

/* Writes what is wrong behind "FILE:LINE:COLUMN: " when a rule cannot be enforced. */
static int check_rules(const struct layering *layering, const struct rule_list *list, struct error *error)
{
	char sentence[256];

	for (size_t i = 0; i < list->count; i++) {
		const struct rule *rule = &list->rules[i];

		for (size_t j = 0; j < rule->peer_count; j++) {
			const struct peer *peer = &rule->peers[j];

			if (peer->kind == PEER_COUNTRY && !layering->has_countries)
				snprintf(sentence, sizeof(sentence), "geo:%s needs a database of countries, and there is none", peer->name);
			else if (peer->kind == PEER_SET && !policy_set_find(layering->policies, peer->name))
				snprintf(sentence, sizeof(sentence), "there is no set \"%s\": define it under sets: in the policy file", peer->name);
			else if (peer->kind == PEER_SET && !layering->has_sets)
				snprintf(sentence, sizeof(sentence), "there is no table of the set \"%s\"", peer->name);
			else
				continue;
			return error_set_place(error, -EOPNOTSUPP, rule->origin.file ? rule->origin.file : "policy", rule->origin.line,
					       rule->origin.column, 0, sentence);
		}
	}
	return 0;
}

static int check_policy(const struct layering *layering, const struct policy *policy, struct error *error)
{
	int r = check_rules(layering, &policy->direction[DNET_INGRESS], error);

	return r < 0 ? r : check_rules(layering, &policy->direction[DNET_EGRESS], error);
}

struct selector_place {
	struct layering *layering;
	uint32_t index;
};

static int add_anchor(void *context, uint64_t hash)
{
	struct selector_place *place = context;

	return anchors_add(&place->layering->selectors, hash, place->index);
}

static struct rule made_rule(const struct layering *layering, enum dnet_rule_action action, const struct peer *peer, const char *text,
			     const char *name)
{
	return (struct rule){ .action = action, .matches = (struct match *)&layering->everything, .match_count = 1,
			      .peers = (struct peer *)peer, .peer_count = 1, .text = (char *)text, .name = (char *)name };
}

int layering_begin(struct layering *layering, const struct compile_input *input, struct error *error)
{
	const struct policy_set *policies = input->policies;
	static const char *const any[DNET_DIRECTIONS] = { [DNET_INGRESS] = "allow from any", [DNET_EGRESS] = "allow to any" };
	int r;

	*layering = (struct layering){
		.policies = policies, .has_sets = input->sets, .has_countries = input->has_countries, .audit = input->audit,
		.now_unix_ns = input->now_unix_ns,
		.everything = { 0, DNET_SELECTOR_MAX }, .any = { .kind = PEER_ANY }, .outside = { .kind = PEER_OUTSIDE },
	};
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		layering->host_pass[direction] = made_rule(layering, DNET_RULE_ALLOW, &layering->any, any[direction], "host-pass");
		layering->unselected[direction] = made_rule(layering, DNET_RULE_ALLOW, &layering->any, any[direction], "unselected-any");
	}
	layering->unselected_outside[0] = made_rule(layering, DNET_RULE_DENY, &layering->outside, "deny from outside", "unselected-outside");
	layering->unselected_outside[1] = layering->unselected[DNET_INGRESS];
	r = check_policy(layering, &policies->host, error);
	for (size_t i = 0; i < policies->policy_count && r == 0; i++) {
		struct selector_place place = { layering, (uint32_t)i };

		r = check_policy(layering, &policies->policies[i], error);
		if (r == 0 && selector_anchors(&policies->policies[i].selector, add_anchor, &place) < 0)
			r = error_set(error, -ENOMEM, "out of memory");
	}
	return r;
}

void layering_clear(struct layering *layering)
{
	anchors_clear(&layering->selectors);
}

/* --- one endpoint */

void layers_clear(struct layers *layers)
{
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (int layer = 0; layer < DNET_LAYERS; layer++)
			free(layers->listing[direction][layer].rules);
	free(layers->policies);
	free(layers->problem);
	memset(layers, 0, sizeof(*layers));
}

static int name_add(struct layers *layers, const char *name)
{
	size_t length = strlen(name);

	if (array_grow((void **)&layers->policies, &layers->policies_room, layers->policies_length + length + 2, 1) < 0)
		return -ENOMEM;
	if (layers->policies_length)
		layers->policies[layers->policies_length++] = ',';
	memcpy(layers->policies + layers->policies_length, name, length + 1);
	layers->policies_length += length;
	return 0;
}

static int listing_add(struct listing *listing, const struct rule *rules, size_t count, const char *policy,
		       const struct compile_endpoint *endpoint)
{
	if (!listing->present)
		listing->hash = TEXT_HASH_SEED;
	listing->present = true;
	/* Where a rule comes from is part of a list's identity: two policies may have the same words, but each its own counters. */
	listing->hash = text_hash(text_hash(listing->hash, policy), "\n");
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = &rules[i];

		if (rule->network && strcmp(rule->network, endpoint->network->name) != 0)
			continue;
		if (array_grow((void **)&listing->rules, &listing->room, listing->count, sizeof(*listing->rules)) < 0)
			return -ENOMEM;
		listing->rules[listing->count++] = (struct listed_rule){ rule, policy };
		listing->hash = text_hash(text_hash(listing->hash, rule->text), ";");
		for (size_t j = 0; j < rule->peer_count; j++) {
			listing->needs_project = listing->needs_project || peer_needs_project(&rule->peers[j]);
			listing->needs_resolvers = listing->needs_resolvers || rule->peers[j].kind == PEER_DNS;
		}
	}
	return 0;
}

struct selection {
	const struct layering *layering;
	const struct compile_endpoint *endpoint;
	const struct policy **policies;	/* that select it, in file order; owned */
	size_t count;
	struct layers *layers;
};

static int add_policy(struct selection *selection, enum dnet_layer layer, const struct policy *policy, bool of_labels)
{
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		struct listing *listing = &selection->layers->listing[direction][layer];
		const struct rule_list *list = &policy->direction[direction];

		if (!list->present)
			continue;
		listing->of_labels = listing->of_labels || of_labels;
		if (listing_add(listing, list->rules, list->count, policy->name ? policy->name : "labels", selection->endpoint) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The policies that select the endpoint, found by its words, in file order. */
static int select_policies(struct selection *selection, const uint64_t *anchors, size_t anchor_count)
{
	const struct policy_set *set = selection->layering->policies;
	_cleanup_free_ uint32_t *found = NULL;
	size_t count = 0, room = 0;

	for (size_t i = 0; i < anchor_count; i++) {
		uint32_t position = 0, index;

		while (anchors_next(&selection->layering->selectors, anchors[i], &position, &index)) {
			if (array_grow((void **)&found, &room, count, sizeof(*found)) < 0)
				return -ENOMEM;
			found[count++] = index;
		}
	}
	if (!count)
		return 0;
	qsort(found, count, sizeof(*found), compare_u32);
	selection->policies = calloc(count, sizeof(*selection->policies));
	if (!selection->policies)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct policy *policy = &set->policies[found[i]];

		if ((i && found[i] == found[i - 1]) || policy_is_over(policy, selection->layering->now_unix_ns) ||
		    !selector_selects(&policy->selector, selection->endpoint))
			continue;
		selection->policies[selection->count++] = policy;
		if (name_add(selection->layers, policy->name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Rules by hand come before all others of a layer. */
static int add_overrides(struct selection *selection, int direction, struct listing *listing)
{
	for (size_t i = 0; i < selection->count; i++) {
		const struct policy *policy = selection->policies[i];
		const struct rule_list *list = &policy->direction[direction];

		if (policy->override && list->count &&
		    listing_add(listing, list->rules, list->count, policy->name, selection->endpoint) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What defaults.unselected says of a direction that nothing governs. @overridden: rules by hand stand before it. */
static int add_default(struct selection *selection, int direction, bool overridden, struct listing *listing)
{
	const struct layering *layering = selection->layering;

	switch (layering->policies->unselected) {
	case UNSELECTED_DENY:
		return listing_add(listing, NULL, 0, "defaults", selection->endpoint);
	case UNSELECTED_OUTSIDE:
		if (direction == DNET_INGRESS)
			return listing_add(listing, layering->unselected_outside, 2, "defaults", selection->endpoint);
		break;
	case UNSELECTED_ALLOW:
		break;
	}
	return overridden ? listing_add(listing, &layering->unselected[direction], 1, "defaults", selection->endpoint) : 0;
}

/* Put the rules by hand in front of the layers that govern, or of the default. */
static int finish_direction(struct selection *selection, int direction)
{
	struct listing *listings = selection->layers->listing[direction];
	bool governed = listings[DNET_LAYER_FILE].present || listings[DNET_LAYER_LABELS].present;
	struct listing overrides = {};
	int r = 0;

	if (governed)
		selection->layers->selected = true;
	for (int layer = DNET_LAYER_FILE; layer <= DNET_LAYER_LABELS && r == 0; layer++) {
		struct listing *old = &listings[layer];

		if (governed && !old->present)
			continue;
		r = add_overrides(selection, direction, &overrides);
		if (r == 0 && !governed) {
			r = add_default(selection, direction, overrides.present, &overrides);
			*old = overrides;
			return r;
		}
		if (r == 0 && overrides.present) {
			/* What the old list says of itself holds for the new one, too. */
			char mark[32];

			for (size_t i = 0; i < old->count && r == 0; i++) {
				r = array_grow((void **)&overrides.rules, &overrides.room, overrides.count, sizeof(*overrides.rules));
				if (r == 0)
					overrides.rules[overrides.count++] = old->rules[i];
			}
			snprintf(mark, sizeof(mark), "%016llx", (unsigned long long)old->hash);
			overrides.hash = text_hash(overrides.hash, mark);
			overrides.needs_project = overrides.needs_project || old->needs_project;
			overrides.needs_resolvers = overrides.needs_resolvers || old->needs_resolvers;
			overrides.of_labels = old->of_labels;
			free(old->rules);
			*old = overrides;
			memset(&overrides, 0, sizeof(overrides));
		}
	}
	free(overrides.rules);
	return r;
}

static int add_host(struct selection *selection)
{
	const struct layering *layering = selection->layering;
	const struct policy *host = &layering->policies->host;
	int r = add_policy(selection, DNET_LAYER_HOST, host, false);

	for (int direction = 0; direction < DNET_DIRECTIONS && r == 0; direction++) {
		struct listing *listing = &selection->layers->listing[direction][DNET_LAYER_HOST];

		if (listing->present)
			r = listing_add(listing, &layering->host_pass[direction], 1, host->name ? host->name : "host", selection->endpoint);
	}
	return r;
}

/* The container's own labels. @file_count: policies of the file that govern it; @add: all of these say `labels: add`. */
static int add_labels(struct selection *selection, const struct label_policy *labels, const struct policy *named, size_t file_count,
		      bool add)
{
	/* `labels: add` on every policy that selects it: its own rules continue the file's list. */
	enum dnet_layer layer = file_count && add ? DNET_LAYER_FILE : DNET_LAYER_LABELS;
	int r = 0;

	if (named) {
		/* What a container chooses for itself can only narrow what the file says. */
		r = add_policy(selection, DNET_LAYER_LABELS, named, false);
		if (r == 0)
			r = name_add(selection->layers, named->name);
		if (layer == DNET_LAYER_FILE && (named->direction[DNET_INGRESS].present || named->direction[DNET_EGRESS].present))
			layer = DNET_LAYER_LABELS;
	}
	if (r == 0)
		r = add_policy(selection, layer, &labels->policy, true);
	if (r == 0 && (labels->policy.direction[DNET_INGRESS].present || labels->policy.direction[DNET_EGRESS].present))
		r = name_add(selection->layers, labels->policy.name ? labels->policy.name : "labels");
	return r;
}

/* Labels that do not parse, or that ask for what cannot be enforced. Sets layers->problem. */
static int check_labels(struct selection *selection, const struct label_policy *labels)
{
	struct error error = {};

	if (labels->invalid)
		error_set(&error, 0, "%s", labels->problem ? labels->problem : "its labels cannot be read");
	else if (check_policy(selection->layering, &labels->policy, &error) == 0)
		return 0;
	selection->layers->problem = strdup(error.text);
	return selection->layers->problem && name_add(selection->layers, "labels") == 0 ? 0 : -ENOMEM;
}

static int find_all(struct selection *selection, const uint64_t *anchors, size_t anchor_count)
{
	const struct layering *layering = selection->layering;
	const struct label_policy *labels = selection->endpoint->labels;
	const struct policy *named = NULL;
	struct layers *layers = selection->layers;
	size_t file_count = 0, file_audits = 0, override_audits = 0;
	bool add = true, labels_audit = false;
	int r;

	if (labels && !labels->present)
		labels = NULL;
	r = name_add(layers, "");
	if (r == 0)
		r = select_policies(selection, anchors, anchor_count);
	for (size_t i = 0; i < selection->count && r == 0; i++) {
		const struct policy *policy = selection->policies[i];

		if (policy->override) {
			override_audits += policy->mode == POLICY_AUDIT;
			continue;
		}
		r = add_policy(selection, DNET_LAYER_FILE, policy, false);
		file_count++;
		file_audits += policy->mode == POLICY_AUDIT;
		add = add && policy->labels_add;
	}
	if (r == 0 && labels)
		r = check_labels(selection, labels);
	if (r < 0 || layers->problem)
		return r;
	if (labels) {
		named = labels->policy_name ? policy_set_policy(layering->policies, labels->policy_name) : NULL;
		if (named && policy_is_over(named, layering->now_unix_ns))
			named = NULL;
		labels_audit = labels->mode_set ? labels->policy.mode == POLICY_AUDIT : named && named->mode == POLICY_AUDIT;
		r = add_labels(selection, labels, named, file_count, add);
	}
	if (r == 0)
		r = add_host(selection);
	for (int direction = 0; direction < DNET_DIRECTIONS && r == 0; direction++)
		r = finish_direction(selection, direction);
	/* Policies that do not agree enforce; labels follow the file unless they say otherwise. Rules by hand have a say only where
	 * they are alone: else a single one would switch a whole policy from audit to enforce. */
	if (file_count)
		layers->audit = file_audits == file_count && (!labels || !labels->mode_set || labels_audit);
	else if (layers->selected || !selection->count)
		layers->audit = labels_audit;
	else
		layers->audit = override_audits == selection->count;
	layers->audit = layers->audit || layering->audit;
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (int layer = 0; layer < DNET_LAYERS; layer++)
			layers->tracked = layers->tracked || layers->listing[direction][layer].present;
	return r;
}

int layers_find(const struct layering *layering, const struct compile_endpoint *endpoint, const uint64_t *anchors, size_t anchor_count,
		struct layers *ret)
{
	struct selection selection = { .layering = layering, .endpoint = endpoint, .layers = ret };
	int r = find_all(&selection, anchors, anchor_count);

	free(selection.policies);
	return r;
}
