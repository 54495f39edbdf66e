/* SPDX-License-Identifier: GPL-2.0 */
#include "check/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "check/compose.h"
#include "check/lint.h"
#include "compile/compile.h"
#include "config/document.h"
#include "config/policy_file.h"
#include "geo/need.h"

static uint64_t now_unix_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static uint32_t no_counter(void *context, const char *policy, const struct rule *rule)
{
	(void)context;
	(void)policy;
	(void)rule;
	return 0;
}

/* One id for all: nothing is counted here. */
static uint32_t no_limit(void *context, const char *policy, const struct rule *rule, const struct limit *limit)
{
	(void)context;
	(void)policy;
	(void)rule;
	(void)limit;
	return 1;
}

/* Each policy once, for a container that it alone selects: what the tables take does not depend on who runs. */
struct trial {
	struct policy_set policies;	/* shallow, but for the selectors */
	struct container *containers;
	struct compile_endpoint *endpoints;
	struct compile_verdict *verdicts;
	struct set_classes *sets;
	struct compiler *compiler;
};

static void trial_clear(struct trial *trial)
{
	compiler_free(trial->compiler);
	set_classes_free(trial->sets);
	for (size_t i = 0; trial->verdicts && i < trial->policies.policy_count + 1; i++)
		compile_verdict_clear(&trial->verdicts[i]);
	free(trial->policies.policies);
	free(trial->containers);
	free(trial->endpoints);
	free(trial->verdicts);
}

static int trial_run(struct trial *trial, const struct policy_set *set, struct error *error)
{
	static const struct network network = { .id = "check", .name = "check" };
	static const char *const no_networks[] = { NULL };
	/* That there is one has been looked at before. */
	struct compile_input input = { .policies = &trial->policies, .has_countries = true, .counter = no_counter, .limit = no_limit };
	size_t count = set->policy_count ? set->policy_count : 1;
	uint32_t next_class = 1;
	int r;

	trial->policies = *set;
	trial->policies.policies = calloc(count + 1, sizeof(*trial->policies.policies));
	trial->containers = calloc(count + 1, sizeof(*trial->containers));
	trial->endpoints = calloc(count + 1, sizeof(*trial->endpoints));
	trial->verdicts = calloc(count + 1, sizeof(*trial->verdicts));
	if (!trial->policies.policies || !trial->containers || !trial->endpoints || !trial->verdicts)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		/* Without policies the rules for all containers are left. */
		char *name = i < set->policy_count ? set->policies[i].name : (char *)"check";

		if (i < set->policy_count) {
			trial->policies.policies[i] = set->policies[i];
			trial->policies.policies[i].selector = (struct selector){ .kind = SELECT_CONTAINER, .value = name };
		}
		trial->containers[i] = (struct container){ .id = name, .name = name, .image = "" };
		trial->endpoints[i] = (struct compile_endpoint){ .id = (uint32_t)i + 1, .container = &trial->containers[i],
								 .network = &network, .network_names = no_networks };
	}
	r = set_classes_new(set, NULL, &next_class, &trial->sets, error);
	if (r < 0)
		return r;
	input.sets = trial->sets;
	r = compiler_new(&input, &trial->compiler, error);
	if (r < 0)
		return r;
	return compiler_run(trial->compiler, trial->endpoints, count, NULL, 0, trial->verdicts, error);
}

static void check_size(const char *path, const struct policy_set *set, struct diagnostics *diagnostics, struct check_result *result)
{
	_cleanup_(trial_clear) struct trial trial = {};
	struct error error = {}, placed = {};

	if (trial_run(&trial, set, &error) < 0) {
		/* The compiler's sentences name the rule where there is one; a limit is the whole file's. */
		if (!error.line)
			error_set_place(&placed, -EINVAL, path, 1, 1, 0, error.text);
		diagnostics_add_error(diagnostics, error.line ? &error : &placed);
		return;
	}
	compiler_memory(trial.compiler, &result->kernel_bytes, &result->user_bytes);
	for (size_t i = 0; i < set->set_count; i++)
		result->user_bytes += set->sets[i].prefix_count * sizeof(struct prefix);
}

/* What the policies need of a database of countries. */
static void check_countries(const struct policy_set *set, struct diagnostics *diagnostics)
{
	_cleanup_(geo_freep) struct geo *geo = NULL;
	struct error error = {};

	if ((set->geo_database || geo_rule(set, NULL)) && geo_load_for(set, &geo, &error) < 0)
		diagnostics_add_error(diagnostics, &error);
}

/* The lines of all files that were read, for what was found after the reading. */
static void quote_sources(const struct policy_set *set, const char *but, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < set->source_count; i++) {
		_cleanup_free_ char *text = NULL;
		size_t length;

		if (!set->sources[i].directory && strcmp(set->sources[i].path, but) != 0 &&
		    document_read_file(set->sources[i].path, &text, &length, NULL) == 0)
			diagnostics_quote(diagnostics, set->sources[i].path, text, length);
	}
}

static void check_policies(const char *path, const char *text, size_t length, const struct inventory *inventory,
			   struct diagnostics *diagnostics, struct check_result *result)
{
	_cleanup_(policy_set_clear) struct policy_set set = {};
	uint64_t now = now_unix_ns();
	struct error error = {};

	if (policy_file_parse(path, text, length, &set, diagnostics, &error) < 0)
		return;
	result->policies = set.policy_count;
	result->rules = set.host.direction[DNET_INGRESS].count + set.host.direction[DNET_EGRESS].count;
	for (size_t i = 0; i < set.policy_count; i++)
		result->rules += set.policies[i].direction[DNET_INGRESS].count + set.policies[i].direction[DNET_EGRESS].count;
	for (size_t i = 0; i < set.set_count; i++)
		result->prefixes += set.sets[i].prefix_count;
	lint_policies(&set, now, diagnostics);
	if (inventory &&
	    lint_inventory(&(struct lint_world){ .set = &set, .inventory = inventory, .now_unix_ns = now }, diagnostics) < 0) {
		error_set(&error, -ENOMEM, "%s: out of memory", path);
		diagnostics_add_error(diagnostics, &error);
	}
	check_countries(&set, diagnostics);
	/* What is refused anyway takes no memory, and its errors are said. */
	if (!diagnostics->errors)
		check_size(path, &set, diagnostics, result);
	quote_sources(&set, path, diagnostics);
}

int check_file(const char *path, const struct inventory *inventory, struct diagnostics *diagnostics, struct check_result *ret,
	       struct error *error)
{
	_cleanup_(document_clear) struct document document = { .name = path };
	_cleanup_free_ char *text = NULL;
	struct error unreadable = {};
	size_t length;
	int r = document_read_file(path, &text, &length, error);

	if (r < 0)
		return r;
	*ret = (struct check_result){};
	r = document_parse(path, text, length, &document, &unreadable);
	ret->compose = r < 0 ? compose_looks_like(text, length) : compose_is(document.root);
	if (!ret->compose)
		check_policies(path, text, length, inventory, diagnostics, ret);
	else if (r < 0)
		compose_refuse(path, &unreadable, diagnostics);
	else
		compose_check(&document, diagnostics, ret);
	diagnostics_quote(diagnostics, path, text, length);
	diagnostics_sort(diagnostics);
	return 0;
}
