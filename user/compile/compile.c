/* SPDX-License-Identifier: GPL-2.0 */
#include "compile/compile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "compile/compiler.h"

static int no_memory(struct error *error)
{
	return error_set(error, -ENOMEM, "out of memory");
}

int compiler_new(const struct compile_input *input, struct compiler **ret, struct error *error)
{
	struct compiler *compiler = calloc(1, sizeof(*compiler));
	int r;

	if (!compiler)
		return no_memory(error);
	compiler->sets = input->sets;
	compiler->arena.index = input->arena;
	compiler->arena.counter = input->counter;
	compiler->arena.limit = input->limit;
	compiler->arena.context = input->context;
	compiler->resolved = 1;
	r = layering_begin(&compiler->layering, input, error);
	if (r < 0) {
		compiler_free(compiler);
		return r;
	}
	*ret = compiler;
	return 0;
}

static void known_free(struct known *known)
{
	if (!known)
		return;
	compile_verdict_clear(&known->verdict);
	free(known->content);
	free(known->anchors);
	free(known);
}

static void interfaces_clear(struct compiler *compiler)
{
	for (size_t i = 0; i < compiler->interface_count; i++)
		free((char *)compiler->interfaces[i].name);
	free(compiler->interfaces);
	compiler->interfaces = NULL;
	compiler->interface_count = 0;
}

void compiler_free(struct compiler *compiler)
{
	if (!compiler)
		return;
	for (size_t i = 0; i < compiler->known_count; i++)
		known_free(compiler->known[i]);
	free(compiler->known);
	interfaces_clear(compiler);
	peers_clear(&compiler->peers);
	anchors_clear(&compiler->by_content);
	arena_clear(&compiler->arena);
	layering_clear(&compiler->layering);
	free(compiler->scratch);
	free(compiler);
}

void compile_verdict_clear(struct compile_verdict *verdict)
{
	free(verdict->policies);
	free(verdict->problem);
	memset(verdict, 0, sizeof(*verdict));
}

static int verdict_copy(const struct compile_verdict *verdict, struct compile_verdict *ret)
{
	struct compile_verdict copy = *verdict;

	copy.policies = strdup(verdict->policies);
	copy.problem = verdict->problem ? strdup(verdict->problem) : NULL;
	if (!copy.policies || (verdict->problem && !copy.problem)) {
		free(copy.policies);
		free(copy.problem);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

/* --- rulesets */

static bool same_ruleset(const struct ruleset *ruleset, const struct listing *listing, enum dnet_layer layer,
			 const struct compile_endpoint *endpoint, const char *project)
{
	if (ruleset->count != listing->count || ruleset->of_labels != listing->of_labels || ruleset->layer != layer ||
	    (ruleset->project ? !project || strcmp(ruleset->project, project) != 0 : project != NULL))
		return false;
	if (listing->needs_resolvers &&
	    (ruleset->resolver_count != endpoint->resolver_count ||
	     (ruleset->resolver_count && memcmp(ruleset->resolvers, endpoint->resolvers,
						 ruleset->resolver_count * sizeof(*ruleset->resolvers)) != 0)))
		return false;
	for (size_t i = 0; i < listing->count; i++) {
		const struct listed_rule *a = &ruleset->rules[i], *b = &listing->rules[i];

		/* Two containers may have the same words in their labels. */
		if (a->rule != b->rule && (strcmp(a->policy, b->policy) != 0 || strcmp(a->rule->text, b->rule->text) != 0))
			return false;
	}
	return true;
}

static int source_fill(struct ruleset *source, struct listing *listing, const struct compile_endpoint *endpoint, const char *project)
{
	if (project) {
		source->project = strdup(project);
		if (!source->project)
			return -ENOMEM;
	}
	if (listing->needs_resolvers && endpoint->resolver_count) {
		size_t size = endpoint->resolver_count * sizeof(*source->resolvers);

		source->resolvers = malloc(size);
		if (!source->resolvers)
			return -ENOMEM;
		memcpy(source->resolvers, endpoint->resolvers, size);
		source->resolver_count = endpoint->resolver_count;
	}
	source->of_labels = listing->of_labels;
	source->count = listing->count;
	source->rules = TAKE_PTR(listing->rules);
	return 0;
}

/* The ruleset of a list: one that has the same content and means the same, or a new one. */
static int intern(struct compiler *compiler, struct listing *listing, enum dnet_layer layer, const struct compile_endpoint *endpoint,
		  uint32_t *ret, struct error *error)
{
	_cleanup_(ruleset_clear) struct ruleset source = {};
	const char *project = listing->needs_project ? endpoint->container->project : NULL;
	uint64_t hash = project ? text_hash(text_hash(listing->hash, "\t"), project) : listing->hash;
	uint32_t position = 0, local;
	int r;

	while (anchors_next(&compiler->by_content, hash, &position, &local)) {
		if (same_ruleset(&compiler->arena.sources[local], listing, layer, endpoint, project)) {
			*ret = local;
			return 0;
		}
	}
	if (source_fill(&source, listing, endpoint, project) < 0)
		return no_memory(error);
	source.layer = layer;
	r = arena_add_ruleset(&compiler->arena, &source, &local, error);
	if (r < 0)
		return r;
	if (peers_add_ruleset(&compiler->peers, &compiler->arena, local) < 0 || anchors_add(&compiler->by_content, hash, local) < 0)
		return no_memory(error);
	*ret = local;
	return 0;
}

/* A container whose labels cannot be read or enforced is denied; the others must not suffer. */
static int invalidate(const struct compiler *compiler, struct compile_verdict *verdict, const char *problem)
{
	verdict->invalid = verdict->selected = verdict->tracked = true;
	verdict->bans = false;
	/* Its own mode may be what cannot be read. */
	verdict->audit = compiler->layering.audit;
	memset(verdict->ruleset, 0, sizeof(verdict->ruleset));
	verdict->problem = strdup(problem);
	return verdict->problem ? 0 : -ENOMEM;
}

static int compile_one(struct compiler *compiler, const struct compile_endpoint *endpoint, struct known *known, struct error *error)
{
	_cleanup_(layers_clear) struct layers layers = {};
	struct compile_verdict *verdict = &known->verdict;

	if (layers_find(&compiler->layering, endpoint, known->anchors, known->anchor_count, &layers) < 0)
		return no_memory(error);
	verdict->policies = TAKE_PTR(layers.policies);
	if (layers.problem)
		return invalidate(compiler, verdict, layers.problem) < 0 ? no_memory(error) : 0;
	verdict->selected = layers.selected;
	verdict->tracked = layers.tracked;
	verdict->audit = layers.audit;
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (int layer = 0; layer < DNET_LAYERS; layer++) {
			struct listing *listing = &layers.listing[direction][layer];
			bool of_labels = listing->of_labels;
			struct error problem = {};
			int r;

			if (!listing->present)
				continue;
			r = intern(compiler, listing, layer, endpoint, &verdict->ruleset[direction][layer], &problem);
			if (r == -E2BIG && of_labels)
				return invalidate(compiler, verdict, problem.text) < 0 ? no_memory(error) : 0;
			if (r < 0)
				return error_set(error, r == -E2BIG ? -ENOSPC : r, "container %s: %s", endpoint->container->name, problem.text);
			verdict->bans = verdict->bans || compiler->arena.sources[verdict->ruleset[direction][layer]].bans;
		}
	return 0;
}

/* --- what an endpoint depends on, as bytes that can be compared */

struct writer {
	char *bytes;
	size_t room, size;
	bool failed;
};

static void put(struct writer *writer, const void *bytes, size_t size)
{
	if (writer->failed || array_grow((void **)&writer->bytes, &writer->room, writer->size + size, 1) < 0) {
		writer->failed = true;
		return;
	}
	memcpy(writer->bytes + writer->size, bytes, size);
	writer->size += size;
}

/* With its end, so that no two sequences of texts are the same bytes; absent is not empty. */
static void put_text(struct writer *writer, const char *text)
{
	put(writer, text ? "+" : "-", 1);
	put(writer, text ? text : "", text ? strlen(text) + 1 : 1);
}

static size_t write_content(struct compiler *compiler, const struct compile_endpoint *endpoint)
{
	struct writer writer = { .bytes = compiler->scratch, .room = compiler->scratch_room };
	const struct container *container = endpoint->container;

	put_text(&writer, container->name);
	put_text(&writer, container->image);
	put_text(&writer, container->project);
	put_text(&writer, container->service);
	put(&writer, &container->label_count, sizeof(container->label_count));
	for (size_t i = 0; i < container->label_count; i++) {
		put_text(&writer, container->labels[i].key);
		put_text(&writer, container->labels[i].value);
	}
	put_text(&writer, endpoint->network->name);
	for (const char *const *name = endpoint->network_names; name && *name; name++)
		put_text(&writer, *name);
	put_text(&writer, NULL);
	/* Rules are borrowed from there: the same text at another place is not the same. */
	put(&writer, &endpoint->labels, sizeof(endpoint->labels));
	if (endpoint->resolver_count)
		put(&writer, endpoint->resolvers, endpoint->resolver_count * sizeof(*endpoint->resolvers));
	compiler->scratch = writer.bytes;
	compiler->scratch_room = writer.room;
	return writer.failed ? 0 : writer.size;
}

static int compare_known(const void *a, const void *b)
{
	const struct known *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static struct known *known_find(const struct compiler *compiler, uint32_t id)
{
	struct known wanted = { .id = id }, *key = &wanted, **found;

	if (!compiler->known_count)
		return NULL;
	found = bsearch(&key, compiler->known, compiler->known_count, sizeof(*compiler->known), compare_known);
	return found ? *found : NULL;
}

/* --- a run */

/* One run, until it is known to have succeeded. */
struct run {
	struct compiler *compiler;
	const struct compile_endpoint *endpoints;
	size_t count;
	struct known **now;	/* parallel to endpoints: old entries, or new ones that are not in compiler->known */
	uint32_t *dropped;	/* ids whose rows go */
	size_t dropped_count, dropped_room;
	bool interfaces_changed;
};

static bool is_new(const struct run *run, size_t i)
{
	return run->now[i] && known_find(run->compiler, run->now[i]->id) != run->now[i];
}

static void run_clear(struct run *run)
{
	for (size_t i = 0; run->now && i < run->count; i++)
		if (is_new(run, i))
			known_free(run->now[i]);
	free(run->now);
	free(run->dropped);
}

static int drop(struct run *run, uint32_t id)
{
	if (array_grow((void **)&run->dropped, &run->dropped_room, run->dropped_count, sizeof(*run->dropped)) < 0)
		return -ENOMEM;
	run->dropped[run->dropped_count++] = id;
	return 0;
}

/* The entry of an endpoint: the old one when nothing changed, else a new one, compiled. */
static int look_at(struct run *run, size_t i, struct error *error)
{
	struct compiler *compiler = run->compiler;
	const struct compile_endpoint *endpoint = &run->endpoints[i];
	struct known *old = known_find(compiler, endpoint->id), *known;
	size_t size = write_content(compiler, endpoint);

	if (!size)
		return no_memory(error);
	/* Ids are unique; if they were not, an entry must still have one owner. */
	if (old && old->run != compiler->run && old->size == size && memcmp(old->content, compiler->scratch, size) == 0) {
		old->run = compiler->run;
		run->now[i] = old;
		return 0;
	}
	known = run->now[i] = calloc(1, sizeof(*known));
	if (!known)
		return no_memory(error);
	known->id = endpoint->id;
	known->run = compiler->run;
	known->content = malloc(size);
	if (!known->content || endpoint_anchors(endpoint, &known->anchors, &known->anchor_count) < 0)
		return no_memory(error);
	memcpy(known->content, compiler->scratch, size);
	known->size = size;
	return compile_one(compiler, endpoint, known, error);
}

static int resolve_peers(struct run *run, const struct compile_interface *interfaces, size_t interface_count, struct error *error)
{
	struct compiler *compiler = run->compiler;
	bool more_rulesets = compiler->arena.ruleset_count > compiler->resolved;
	int r = 0;

	for (size_t i = 0; i < run->count && r == 0; i++) {
		bool new = is_new(run, i);

		if (new || more_rulesets)
			r = peers_add_endpoint(&compiler->peers, &compiler->arena, &run->endpoints[i], run->now[i]->anchors,
					       run->now[i]->anchor_count, new ? 1 : compiler->resolved, error);
	}
	for (size_t i = 0; i < interface_count && r == 0; i++)
		if (run->interfaces_changed || more_rulesets)
			r = peers_add_interface(&compiler->peers, &compiler->arena, &interfaces[i],
						run->interfaces_changed ? 1 : compiler->resolved, error);
	if (r == 0 && more_rulesets)
		r = peers_add_classes(&compiler->peers, &compiler->arena, compiler->layering.policies, compiler->sets, compiler->resolved,
				      error);
	if (r == 0 && more_rulesets)
		r = peers_add_countries(&compiler->peers, &compiler->arena, compiler->resolved, error);
	return r;
}

static bool same_interfaces(const struct compiler *compiler, const struct compile_interface *interfaces, size_t count)
{
	if (count != compiler->interface_count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (interfaces[i].ifindex != compiler->interfaces[i].ifindex || strcmp(interfaces[i].name, compiler->interfaces[i].name) != 0)
			return false;
	return true;
}

/* Names are copied: what the caller has may be gone at the next run. */
static int copy_interfaces(const struct compile_interface *interfaces, size_t count, struct compile_interface **ret)
{
	struct compile_interface *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		copy[i].ifindex = interfaces[i].ifindex;
		copy[i].name = strdup(interfaces[i].name);
		if (!copy[i].name) {
			while (i-- > 0)
				free((char *)copy[i].name);
			free(copy);
			return -ENOMEM;
		}
	}
	*ret = copy;
	return 0;
}

/* Everything went well: the new state takes the old one's place. */
static void commit(struct run *run)
{
	struct compiler *compiler = run->compiler;

	for (size_t i = 0; i < compiler->known_count; i++)
		if (compiler->known[i]->run != compiler->run)
			known_free(compiler->known[i]);
	free(compiler->known);
	compiler->known = TAKE_PTR(run->now);
	compiler->known_count = run->count;
	if (run->count)
		qsort(compiler->known, run->count, sizeof(*compiler->known), compare_known);
	compiler->resolved = compiler->arena.ruleset_count > 1 ? (uint32_t)compiler->arena.ruleset_count : 1;
}

static int merge(struct run *run, const struct compile_interface *interfaces, size_t interface_count, struct error *error)
{
	struct compiler *compiler = run->compiler;
	struct compile_interface *copy = NULL;
	struct peer_drop drop_list = { .kinds = run->interfaces_changed ? 1u << DNET_PEER_KIND_INTERFACE : 0 };
	int r;

	/* Those that are gone, and those that have a new entry. */
	for (size_t i = 0; i < compiler->known_count; i++)
		if (compiler->known[i]->run != compiler->run && drop(run, compiler->known[i]->id) < 0)
			return no_memory(error);
	if (run->dropped_count)
		qsort(run->dropped, run->dropped_count, sizeof(*run->dropped), compare_u32);
	if (run->interfaces_changed && copy_interfaces(interfaces, interface_count, &copy) < 0)
		return no_memory(error);
	drop_list.endpoints = run->dropped;
	drop_list.endpoint_count = run->dropped_count;
	r = peers_merge(&compiler->peers, &drop_list, error);
	if (r == 0 && copy) {
		interfaces_clear(compiler);
		compiler->interfaces = TAKE_PTR(copy);
		compiler->interface_count = interface_count;
	}
	for (size_t i = 0; copy && i < interface_count; i++)
		free((char *)copy[i].name);
	free(copy);
	return r;
}

int compiler_run(struct compiler *compiler, const struct compile_endpoint *endpoints, size_t count,
		 const struct compile_interface *interfaces, size_t interface_count, struct compile_verdict *verdicts,
		 struct error *error)
{
	_cleanup_(run_clear) struct run run = { .compiler = compiler, .endpoints = endpoints, .count = count };
	int r = 0;

	memset(verdicts, 0, count * sizeof(*verdicts));
	compiler->run++;
	peers_begin(&compiler->peers);
	run.interfaces_changed = !same_interfaces(compiler, interfaces, interface_count);
	run.now = calloc(count + 1, sizeof(*run.now));
	if (!run.now)
		return no_memory(error);
	for (size_t i = 0; i < count && r == 0; i++)
		r = look_at(&run, i, error);
	if (r == 0)
		r = resolve_peers(&run, interfaces, interface_count, error);
	for (size_t i = 0; i < count && r == 0; i++)
		if (verdict_copy(&run.now[i]->verdict, &verdicts[i]) < 0)
			r = no_memory(error);
	if (r == 0)
		r = merge(&run, interfaces, interface_count, error);
	if (r == 0)
		commit(&run);
	return r;
}

int compiler_set_classes(struct compiler *compiler, const struct set_classes *sets, struct error *error)
{
	struct peer_drop drop_list = { .kinds = 1u << DNET_PEER_KIND_SET_CLASS };
	int r;

	peers_begin(&compiler->peers);
	r = peers_add_classes(&compiler->peers, &compiler->arena, compiler->layering.policies, sets, 1, error);
	if (r == 0)
		r = peers_merge(&compiler->peers, &drop_list, error);
	if (r == 0)
		compiler->sets = sets;
	return r;
}

/* --- what came of it */

size_t compiler_rules(const struct compiler *compiler, uint32_t local, const struct listed_rule **ret)
{
	if (!local || local >= compiler->arena.ruleset_count)
		return 0;
	*ret = compiler->arena.sources[local].rules;
	return compiler->arena.sources[local].count;
}

void compiler_tables(const struct compiler *compiler, struct compiled_tables *ret)
{
	const struct arena *arena = &compiler->arena;

	*ret = (struct compiled_tables){
		.rulesets = arena->rulesets, .ruleset_count = arena->ruleset_count,
		.bounds = arena->bounds, .bound_count = arena->bound_count,
		.rows = arena->rows, .row_words = arena->row_words,
		.rules = arena->rules, .rule_count = arena->rule_count,
		.limits = arena->limits, .limit_count = arena->limit_count,
		.prefixes = arena->prefixes, .prefix_count = arena->prefix_count,
		.peers = compiler->peers.rows, .peer_count = compiler->peers.row_count,
	};
}

/* What the kernel allocates for an entry beside key and value: struct htab_elem and its slot, struct lpm_trie_node and the node
 * that a new branch needs. */
#define HASH_ENTRY_BYTES (48 + sizeof(struct dnet_peer_key) + 2 * sizeof(uint32_t))
#define LPM_ENTRY_BYTES (2 * 64 + sizeof(struct dnet_prefix_key) + sizeof(uint32_t))

void compiler_memory(const struct compiler *compiler, size_t *ret_kernel, size_t *ret_user)
{
	const struct arena *arena = &compiler->arena;
	const struct peer_table *peers = &compiler->peers;
	size_t kernel, user, words = 0;
	const uint64_t *unused;

	for (int family = 0; compiler->sets && family < DNET_SET_FAMILIES; family++)
		words += set_classes_words(compiler->sets, (enum dnet_set_family)family, &unused);
	kernel = arena->ruleset_count * sizeof(*arena->rulesets) + arena->bound_count * sizeof(*arena->bounds) +
		 arena->row_words * sizeof(*arena->rows) + arena->rule_count * sizeof(*arena->rules) +
		 arena->limit_count * sizeof(*arena->limits) + arena->prefix_count * LPM_ENTRY_BYTES + peers->row_count * HASH_ENTRY_BYTES + words * sizeof(uint64_t);
	user = sizeof(*compiler) + arena->ruleset_room * sizeof(*arena->rulesets) + arena->source_room * sizeof(*arena->sources) +
	       arena->bound_room * sizeof(*arena->bounds) + arena->row_room * sizeof(*arena->rows) +
	       arena->row_index_size * (sizeof(*arena->row_index) + sizeof(*arena->row_lengths)) +
	       arena->rule_room * sizeof(*arena->rules) + arena->limit_room * sizeof(*arena->limits) + arena->prefix_room * sizeof(*arena->prefixes) +
	       peers->pattern_room * sizeof(*peers->patterns) + peers->row_count * sizeof(*peers->rows) +
	       peers->fresh_room * sizeof(*peers->fresh) + words * sizeof(uint64_t);
	for (size_t i = 0; i < arena->ruleset_count; i++)
		user += arena->sources[i].count * sizeof(*arena->sources[i].rules);
	for (size_t i = 0; i < peers->pattern_count; i++)
		user += peers->patterns[i].room * sizeof(*peers->patterns[i].users);
	for (size_t i = 0; i < compiler->known_count; i++)
		user += sizeof(struct known) + compiler->known[i]->size + compiler->known[i]->anchor_count * sizeof(uint64_t);
	*ret_kernel = kernel;
	*ret_user = user;
}
