/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/compile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/ruleset.h"

struct compiler {
	const struct policy_set *policies;
	bool audit;
	struct arena arena;
	struct compiled_peer *peers;
	size_t peer_count, peer_room;
	/* defaults.unselected: outside, as rules */
	struct rule outside_rules[2];
	struct match everything;
	struct peer outside_peer, any_peer;
};

int compiler_new(uint32_t arena, const struct policy_set *policies, bool audit, compile_counter counter, void *context,
		 struct compiler **ret, struct error *error)
{
	struct compiler *compiler = calloc(1, sizeof(*compiler));

	if (!compiler)
		return error_set(error, -ENOMEM, "out of memory");
	compiler->policies = policies;
	compiler->audit = audit;
	compiler->arena.index = arena;
	compiler->arena.counter = counter;
	compiler->arena.context = context;
	compiler->everything = (struct match){ 0, DNET_SELECTOR_MAX };
	compiler->outside_peer.kind = PEER_OUTSIDE;
	compiler->any_peer.kind = PEER_ANY;
	compiler->outside_rules[0] = (struct rule){ .action = DNET_RULE_DENY, .matches = &compiler->everything, .match_count = 1,
		.peers = &compiler->outside_peer, .peer_count = 1, .text = "deny from outside", .name = "unselected-outside" };
	compiler->outside_rules[1] = (struct rule){ .action = DNET_RULE_ALLOW, .matches = &compiler->everything, .match_count = 1,
		.peers = &compiler->any_peer, .peer_count = 1, .text = "allow from any", .name = "unselected-any" };
	*ret = compiler;
	return 0;
}

void compiler_free(struct compiler *compiler)
{
	if (!compiler)
		return;
	arena_clear(&compiler->arena);
	free(compiler->peers);
	free(compiler);
}

void compile_verdict_clear(struct compile_verdict *verdict)
{
	free(verdict->policies);
	memset(verdict, 0, sizeof(*verdict));
}

static bool selects(const struct selector *selector, const struct compile_endpoint *endpoint)
{
	const struct container *container = endpoint->container;
	const char *value;

	switch (selector->kind) {
	case SELECT_ALL:
		return true;
	case SELECT_CONTAINER:
		return text_glob_match(selector->value, container->name);
	case SELECT_SERVICE:
		return container->service && text_glob_match(selector->value, container->service) &&
		       (!selector->project || text_glob_match(selector->project, container->project ? container->project : ""));
	case SELECT_LABEL:
		value = container_label(container, selector->key);
		return value && text_glob_match(selector->value, value);
	case SELECT_NETWORK:
		for (const char *const *name = endpoint->network_names; *name; name++)
			if (strcmp(*name, selector->value) == 0)
				return true;
		return false;
	case SELECT_PROJECT:
		return container->project && text_glob_match(selector->value, container->project);
	case SELECT_IMAGE:
		return text_glob_match(selector->value, container->image);
	}
	return false;
}

static const struct policy *policy_named(const struct policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->policy_count; i++)
		if (strcmp(set->policies[i].name, name) == 0)
			return &set->policies[i];
	return NULL;
}

/* A list that is put together from several policies. */
struct listing {
	bool present;
	struct listed_rule *rules;
	size_t count, room;
	char key[64];	/* a hash of what is in it, in order */
	uint64_t hash;
};

static int listing_add(struct listing *listing, const struct rule_list *list, const char *policy)
{
	char mark[64];

	if (!list->present)
		return 0;
	if (!listing->present)
		listing->hash = TEXT_HASH_SEED;
	listing->present = true;
	/* Where a list comes from is part of its identity: two policies may have the same words, but each its own counters. */
	listing->hash = text_hash(text_hash(listing->hash, policy), "\n");
	for (size_t i = 0; i < list->count; i++) {
		if (array_grow((void **)&listing->rules, &listing->room, listing->count, sizeof(*listing->rules)) < 0)
			return -ENOMEM;
		listing->rules[listing->count++] = (struct listed_rule){ &list->rules[i], policy };
		snprintf(mark, sizeof(mark), "%zu;", i);
		listing->hash = text_hash(text_hash(text_hash(listing->hash, list->rules[i].text), list->rules[i].name), mark);
	}
	return 0;
}

/* The ruleset of a listing: one that has the same content and project, or a new one. */
static int intern(struct compiler *compiler, struct listing *listing, const char *project, uint32_t *ret, struct error *error)
{
	_cleanup_(ruleset_clear) struct ruleset source = {};
	struct arena *arena = &compiler->arena;

	if (asprintf(&source.key, "%016llx:%zu:%s", (unsigned long long)listing->hash, listing->count, project ? project : "") < 0) {
		source.key = NULL;
		return error_set(error, -ENOMEM, "out of memory");
	}
	for (size_t i = 1; i < arena->ruleset_count; i++) {
		const struct ruleset *old = &arena->sources[i];
		bool same = strcmp(old->key, source.key) == 0;

		for (size_t j = 0; same && j < listing->count; j++)
			same = strcmp(old->rules[j].rule->text, listing->rules[j].rule->text) == 0;
		if (same) {
			*ret = (uint32_t)i;
			return 0;
		}
	}
	if (project) {
		source.project = strdup(project);
		if (!source.project)
			return error_set(error, -ENOMEM, "out of memory");
	}
	source.count = listing->count;
	source.rules = listing->rules;
	listing->rules = NULL;
	return arena_add_ruleset(arena, &source, ret, error);
}

static int name_add(char **names, const char *name)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", *names ? *names : "", *names && **names ? "," : "", name) < 0)
		return -ENOMEM;
	free(*names);
	*names = joined;
	return 0;
}

struct layers {
	struct listing listing[DNET_DIRECTIONS][DNET_LAYERS];
};

static void layers_clear(struct layers *layers)
{
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (int layer = 0; layer < DNET_LAYERS; layer++)
			free(layers->listing[direction][layer].rules);
}

static int add_policy(struct layers *layers, enum dnet_layer layer, const struct policy *policy)
{
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		int r = listing_add(&layers->listing[direction][layer], &policy->direction[direction], policy->name);

		if (r < 0)
			return r;
	}
	return 0;
}

/* defaults.unselected, for a direction that no layer governs. */
static int add_default(struct compiler *compiler, struct listing *listing, int direction)
{
	struct rule_list list = { .present = true };

	if (compiler->policies->unselected == UNSELECTED_DENY)
		return listing_add(listing, &list, "defaults");
	if (compiler->policies->unselected == UNSELECTED_OUTSIDE && direction == DNET_INGRESS) {
		list.rules = compiler->outside_rules;
		list.count = 2;
		return listing_add(listing, &list, "defaults");
	}
	return 0;
}

static int run_one(struct compiler *compiler, const struct compile_endpoint *endpoint, struct compile_verdict *ret,
		   struct error *error)
{
	_cleanup_(layers_clear) struct layers layers = {};
	const struct label_policy *labels = endpoint->labels && endpoint->labels->present ? endpoint->labels : NULL;
	size_t file_policies = 0, file_audits = 0;
	bool add = true, labels_audit;
	int r = 0;

	for (size_t i = 0; i < compiler->policies->policy_count && r == 0; i++) {
		const struct policy *policy = &compiler->policies->policies[i];

		if (!selects(&policy->selector, endpoint))
			continue;
		r = add_policy(&layers, DNET_LAYER_FILE, policy);
		if (r == 0)
			r = name_add(&ret->policies, policy->name);
		file_policies++;
		file_audits += policy->mode == POLICY_AUDIT;
		add = add && policy->labels_add;
	}
	if (r == 0 && labels && labels->invalid) {
		ret->invalid = true;
		ret->selected = ret->tracked = true;
		return name_add(&ret->policies, "labels") < 0 ? -ENOMEM : 0;
	}
	if (r == 0 && labels) {
		const struct policy *named = labels->policy_name ? policy_named(compiler->policies, labels->policy_name) : NULL;
		/* `labels: add` on every policy that selects it: its own rules continue the file's list. */
		enum dnet_layer layer = file_policies && add ? DNET_LAYER_FILE : DNET_LAYER_LABELS;

		if (named) {
			/* What a container chooses for itself can only narrow what the file says. */
			r = add_policy(&layers, DNET_LAYER_LABELS, named);
			if (r == 0)
				r = name_add(&ret->policies, named->name);
			if (layer == DNET_LAYER_FILE && named->direction[0].present + named->direction[1].present)
				layer = DNET_LAYER_LABELS;
		}
		if (r == 0)
			r = add_policy(&layers, layer, &labels->policy);
		if (r == 0 && (labels->policy.direction[0].present || labels->policy.direction[1].present))
			r = name_add(&ret->policies, labels->policy.name ? labels->policy.name : "labels");
	}
	if (r == 0 && !ret->policies)
		r = name_add(&ret->policies, "");
	if (r < 0)
		return error_set(error, r, "out of memory");

	/* Policies that do not agree enforce; labels follow the file unless they say otherwise. */
	labels_audit = labels && (labels->mode_set ? labels->policy.mode == POLICY_AUDIT :
				  labels->policy_name && policy_named(compiler->policies, labels->policy_name) ?
				  policy_named(compiler->policies, labels->policy_name)->mode == POLICY_AUDIT : false);
	if (file_policies)
		ret->audit = file_audits == file_policies && (!labels || !labels->mode_set || labels_audit);
	else
		ret->audit = labels_audit;
	ret->audit = ret->audit || compiler->audit;

	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		struct listing *file = &layers.listing[direction][DNET_LAYER_FILE];

		if (file->present || layers.listing[direction][DNET_LAYER_LABELS].present)
			ret->selected = true;
		else if (add_default(compiler, file, direction) < 0)
			return error_set(error, -ENOMEM, "out of memory");
		for (int layer = 0; layer < DNET_LAYERS; layer++) {
			if (!layers.listing[direction][layer].present)
				continue;
			ret->tracked = true;
			r = intern(compiler, &layers.listing[direction][layer], endpoint->container->project,
				   &ret->ruleset[direction][layer], error);
			if (r < 0)
				return error_prefix(error, r, "container %s", endpoint->container->name);
		}
	}
	return 0;
}

static int compile_peers(struct compiler *compiler, const struct compile_endpoint *endpoints, size_t count, struct error *error)
{
	struct arena *arena = &compiler->arena;

	compiler->peer_count = 0;
	for (size_t i = 1; i < arena->ruleset_count; i++) {
		if (!arena->sources[i].names_peers)
			continue;
		for (size_t j = 0; j < count; j++) {
			uint64_t bits[DNET_ROW_WORDS];
			uint32_t row;
			int r;

			if (!ruleset_names_endpoint(&arena->sources[i], &endpoints[j], bits))
				continue;
			r = arena_row(arena, bits, arena->sources[i].words, &row, error);
			if (r < 0)
				return r;
			if (compiler->peer_count >= DNET_MAX_PEER_ROWS / DNET_ARENAS)
				return error_set(error, -ENOSPC, "the policies name more than %d pairs of containers, which is the limit; use "
						 "networks or fewer names", DNET_MAX_PEER_ROWS / DNET_ARENAS);
			if (array_grow((void **)&compiler->peers, &compiler->peer_room, compiler->peer_count, sizeof(*compiler->peers)) < 0)
				return error_set(error, -ENOMEM, "out of memory");
			compiler->peers[compiler->peer_count++] = (struct compiled_peer){
				.ruleset = (uint32_t)i, .endpoint_id = endpoints[j].id, .row = row,
			};
		}
	}
	return 0;
}

int compiler_run(struct compiler *compiler, const struct compile_endpoint *endpoints, size_t count,
		 struct compile_verdict *verdicts, struct error *error)
{
	memset(verdicts, 0, count * sizeof(*verdicts));
	for (size_t i = 0; i < count; i++) {
		int r = run_one(compiler, &endpoints[i], &verdicts[i], error);

		if (r < 0)
			return r;
	}
	return compile_peers(compiler, endpoints, count, error);
}

void compiler_tables(const struct compiler *compiler, struct compiled_tables *ret)
{
	const struct arena *arena = &compiler->arena;

	*ret = (struct compiled_tables){
		.rulesets = arena->rulesets, .ruleset_count = arena->ruleset_count,
		.bounds = arena->bounds, .bound_count = arena->bound_count,
		.rows = arena->rows, .row_words = arena->row_words,
		.rules = arena->rules, .rule_count = arena->rule_count,
		.prefixes = arena->prefixes, .prefix_count = arena->prefix_count,
		.peers = compiler->peers, .peer_count = compiler->peer_count,
	};
}
