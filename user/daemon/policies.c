/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/policies.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "check/lint.h"
#include "config/policy_file.h"
#include "daemon/changes.h"
#include "daemon/files.h"
#include "daemon/reconcile.h"
#include "daemon/watch.h"

#define LONGEST_CONFIRM 86400
#define STEADY_NS 20000000ull	/* the kernel stamps files with the time of its last tick */
#define TRIES 4
#define LOGGED_WARNINGS 10

uint64_t unix_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* --- reading ------------------------------------------------------------------- */

static void policy_version_clear(struct policy_version *version)
{
	if (version->set)
		policy_set_clear(version->set);
	free(version->set);
	free(version->file);
	json_decref(version->warnings);
	if (version->other_countries)
		geo_free(version->countries.geo);
	memset(version, 0, sizeof(*version));
}

/* What cannot be put in force. */
static int refuse(const struct policy_set *set, struct error *error)
{
	for (size_t i = 0; i <= set->policy_count; i++) {
		const struct policy *policy = i < set->policy_count ? &set->policies[i] : &set->host;

		for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
			const struct rule_list *list = &policy->direction[direction];
			const struct rule *rule = &list->rules[DNET_MAX_RULES];
			char sentence[128];

			if (list->count <= DNET_MAX_RULES)
				continue;
			snprintf(sentence, sizeof(sentence), "this is one rule too many: %zu, and a policy can have %d in a direction",
				 list->count, DNET_MAX_RULES);
			return error_set_place(error, -EINVAL, rule->origin.file ? rule->origin.file : "", rule->origin.line,
					       rule->origin.column, 0, sentence);
		}
	}
	return 0;
}

static size_t count_rules(const struct policy_set *set)
{
	size_t count = 0;

	for (size_t i = 0; i <= set->policy_count; i++)
		for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
			count += (i < set->policy_count ? &set->policies[i] : &set->host)->direction[direction].count;
	return count;
}

static int read_files(const struct daemon *daemon, const char *path, struct policy_version *version,
		      struct diagnostics *diagnostics, struct error *error)
{
	bool optional = !daemon->options->config && strcmp(path, daemon->policy.path) == 0;
	int r;

	version->set = calloc(1, sizeof(*version->set));
	if (!version->set)
		return error_set(error, -ENOMEM, "out of memory");
	r = policy_file_load(path, version->set, diagnostics, error);
	/* The default file need not be there: labels are enough. One that was asked for must. */
	if (r == -ENOENT && optional) {
		diagnostics_clear(diagnostics);
		policy_set_default(version->set);
	} else if (r < 0) {
		return r;
	} else {
		version->file = strdup(path);
		if (!version->file)
			return error_set(error, -ENOMEM, "out of memory");
	}
	r = policy_file_add(daemon->policy.hand_path, version->set, diagnostics, error);
	return r == -ENOENT ? 0 : r;
}

/*
 * Read @path, what it includes, and the rules by hand. The hash is of what was read: when a file may have changed while it
 * was read it is read again, until two hashes agree.
 */
static int load(struct daemon *daemon, const char *path, struct policy_version *ret, struct error *error)
{
	uint64_t last = 0;

	for (int i = 0; i < TRIES; i++) {
		struct diagnostics diagnostics = {};
		struct policy_version version = { .configured = strcmp(path, daemon->policy.path) == 0 };
		uint64_t begin = unix_ns(), newest = 0;
		int r = read_files(daemon, path, &version, &diagnostics, error);

		if (r == 0)
			r = refuse(version.set, error);
		if (r < 0) {
			diagnostics_clear(&diagnostics);
			policy_version_clear(&version);
			return r;
		}
		lint_policies(version.set, begin, &diagnostics);
		version.warnings = diagnostics_to_json(&diagnostics);
		diagnostics_clear(&diagnostics);
		version.rules = count_rules(version.set);
		version.loaded_unix_ns = begin;
		version.folders_hash = folders_hash(version.set);
		version.files_hash = files_hash(path, daemon->policy.hand_path, version.set, &newest);
		if (newest + STEADY_NS < begin || version.files_hash == last || i == TRIES - 1) {
			if (newest + STEADY_NS >= begin && version.files_hash != last)
				version.files_hash = 0;
			r = countries_choose(daemon, version.set, &version.countries, &version.other_countries, error);
			if (r < 0)
				policy_version_clear(&version);
			else
				*ret = version;
			return r;
		}
		last = version.files_hash;
		policy_version_clear(&version);
	}
	return error_set(error, -EAGAIN, "%s never stands still", path);
}

/* --- putting in force ------------------------------------------------------------ */

static void follow_files(struct daemon *daemon)
{
	struct policies_state *state = &daemon->policy;

	if (!state->watch)
		return;
	watch_begin(state->watch);
	watch_add(state->watch, state->path, false);
	watch_add(state->watch, state->hand_path, false);
	for (size_t i = 0; i < daemon->policies->source_count; i++)
		watch_add(state->watch, daemon->policies->sources[i].path, daemon->policies->sources[i].directory);
	watch_end(state->watch);
}

/* @version is used up on success. *ret_before (NULL: free it): what was in force. */
static int put_in_force(struct daemon *daemon, struct policy_version *version, struct policy_version *ret_before,
			struct error *error)
{
	struct policies_state *state = &daemon->policy;
	struct in_force next = enforce_now(daemon), replaced;
	struct policy_version before;
	bool other_countries = version->other_countries;
	int r;

	next.policies = version->set;
	if (other_countries)
		next.countries = version->countries;
	r = enforce_switch(daemon, &next, &replaced, error);
	if (r < 0)
		return r;
	before = state->now;
	before.set = replaced.policies;
	before.other_countries = other_countries;
	before.countries = replaced.countries;
	version->set = NULL;
	version->other_countries = false;
	state->now = *version;
	memset(version, 0, sizeof(*version));
	/* What was applied is not what changes of the configuration's files are seen for. */
	if (state->now.configured)
		follow_files(daemon);
	if (other_countries)
		countries_follow(daemon);
	by_hand_plan(daemon);
	if (ret_before)
		*ret_before = before;
	else
		policy_version_clear(&before);
	return 0;
}

static void log_warnings(const struct policy_version *version)
{
	const json_t *warning;
	size_t i;

	json_array_foreach(version->warnings, i, warning) {
		if (i == LOGGED_WARNINGS) {
			log_warning("and %zu more; `dnetbpf policy check` shows all of them", json_array_size(version->warnings) - i);
			break;
		}
		log_warning("%s:%d: %s", json_string_value(json_object_get(warning, "file")),
			    (int)json_integer_value(json_object_get(warning, "line")),
			    json_string_value(json_object_get(warning, "message")));
	}
}

static int fail(struct daemon *daemon, const char *path, const char *cause, int r, const struct error *error)
{
	struct policies_state *state = &daemon->policy;

	if (strcmp(path, state->path) == 0) {
		state->failures++;
		snprintf(state->last_error, sizeof(state->last_error), "%s", error->text);
	}
	log_error("the policy in force stays (%s): %s", cause, error->text);
	/* Past a limit, too, it is the policy that has to change. */
	return r == -ENOSPC ? -EINVAL : r;
}

/* Read @path and put it in force. @before: what was in force before, or NULL. */
static int change_to(struct daemon *daemon, const char *path, const char *cause, struct policy_version *ret_before,
		     struct error *error)
{
	_cleanup_(policy_version_clear) struct policy_version next = {};
	_cleanup_free_ char *changes = NULL;
	struct policies_state *state = &daemon->policy;
	int r = load(daemon, path, &next, error);

	if (r == 0) {
		changes = changes_between(daemon->policies, next.set);
		r = put_in_force(daemon, &next, ret_before, error);
	}
	if (r < 0)
		return fail(daemon, path, cause, r, error);
	state->reloads++;
	state->last_error[0] = '\0';
	log_info("policy in force (%s): %zu polic%s with %zu rule%s from %s%s%s", cause, daemon->policies->policy_count,
		 daemon->policies->policy_count == 1 ? "y" : "ies", state->now.rules, state->now.rules == 1 ? "" : "s",
		 state->now.file ? state->now.file : "no file", changes && *changes ? "; " : "", changes ? changes : "");
	log_warnings(&state->now);
	/* Two versions stood side by side: what the larger one took goes back. */
	malloc_trim(0);
	return 0;
}

int policies_check_pending(const struct daemon *daemon, struct error *error)
{
	char time[TEXT_TIME_SIZE];

	if (!daemon->policy.confirm_until_unix_ns)
		return 0;
	return error_set(error, -EBUSY, "%s is in force until %s unless it is confirmed: run `dnetbpf policy confirm`, or wait",
			 daemon->policy.now.file, text_time(daemon->policy.confirm_until_unix_ns, time));
}

int policies_reload(struct daemon *daemon, const char *cause, bool *ret_changed, struct error *error)
{
	struct policies_state *state = &daemon->policy;
	uint64_t newest = 0, hash;
	int r = policies_check_pending(daemon, error);

	if (r < 0)
		return r;
	if (state->now.configured && state->now.files_hash) {
		hash = files_hash(state->path, state->hand_path, daemon->policies, &newest);
		if (hash == state->now.files_hash && folders_hash(daemon->policies) == state->now.folders_hash) {
			state->last_error[0] = '\0';
			*ret_changed = false;
			return 0;
		}
	}
	r = change_to(daemon, state->path, cause, NULL, error);
	if (r < 0)
		return r;
	*ret_changed = true;
	return 0;
}

int policies_reread(struct daemon *daemon, const char *cause, struct error *error)
{
	_cleanup_free_ char *path = strdup(daemon->policy.now.file ? daemon->policy.now.file : daemon->policy.path);

	return path ? change_to(daemon, path, cause, NULL, error) : error_set(error, -ENOMEM, "out of memory");
}

/* --- events --------------------------------------------------------------------- */

static void on_change(void *context)
{
	struct daemon *daemon = context;
	struct error error = {};
	bool changed;

	if (daemon->policy.confirm_until_unix_ns) {
		daemon->policy.change_seen = true;
		return;
	}
	policies_reload(daemon, "its files changed", &changed, &error);
}

/* Nobody confirmed in time. */
static void on_confirm_timeout(evutil_socket_t fd, short what, void *context)
{
	const struct timeval retry = { .tv_sec = 1 };
	struct daemon *daemon = context;
	struct policies_state *state = &daemon->policy;
	_cleanup_free_ char *applied = state->now.file ? strdup(state->now.file) : NULL;
	struct error error = {};

	(void)fd;
	(void)what;
	if (put_in_force(daemon, &state->before, NULL, &error) < 0) {
		log_error("cannot take back %s, trying again: %s", applied, error.text);
		evtimer_add(state->confirm_timer, &retry);
		return;
	}
	state->confirm_until_unix_ns = 0;
	log_warning("nobody confirmed %s in time: what was in force before is in force again", applied);
	/* They may have been changed to the very policy that locked somebody out. */
	if (state->change_seen)
		log_warning("the policy files changed meanwhile and were not read: run `dnetbpf policy reload`");
}

int policies_start(struct daemon *daemon, struct error *error)
{
	struct policies_state *state = &daemon->policy;
	struct policy_version version = {};
	int r;

	state->path = daemon->options->config ? daemon->options->config : DEFAULT_CONFIG;
	state->hand_path = by_hand_path(state->path);
	if (!state->hand_path)
		return error_set(error, -ENOMEM, "out of memory");
	r = load(daemon, state->path, &version, error);
	if (r < 0)
		return r;
	daemon->policies = TAKE_PTR(version.set);
	daemon->countries.now = version.countries;
	version.other_countries = false;
	state->now = version;
	log_warnings(&state->now);
	return 0;
}

int policies_watch(struct daemon *daemon, struct error *error)
{
	struct policies_state *state = &daemon->policy;

	state->confirm_timer = evtimer_new(daemon->base, on_confirm_timeout, daemon);
	state->expiry_timer = evtimer_new(daemon->base, by_hand_expire, daemon);
	if (!state->confirm_timer || !state->expiry_timer)
		return error_set(error, -ENOMEM, "out of memory");
	by_hand_plan(daemon);
	if (daemon->options->once)
		return 0;
	if (watch_new(daemon->base, on_change, daemon, &state->watch, error) < 0) {
		/* SIGHUP still works. */
		log_warning("%s", error->text);
		return 0;
	}
	follow_files(daemon);
	return 0;
}

void policies_stop(struct daemon *daemon)
{
	struct policies_state *state = &daemon->policy;

	if (state->confirm_timer)
		event_free(state->confirm_timer);
	if (state->expiry_timer)
		event_free(state->expiry_timer);
	watch_free(state->watch);
	policy_version_clear(&state->now);
	policy_version_clear(&state->before);
	free(state->hand_path);
	memset(state, 0, sizeof(*state));
}

void policies_tick(struct daemon *daemon)
{
	if (daemon->policy.watch)
		watch_look(daemon->policy.watch);
	if (daemon->policy.next_end_unix_ns && unix_ns() >= daemon->policy.next_end_unix_ns)
		by_hand_expire(-1, 0, daemon);
}

/* --- answers --------------------------------------------------------------------- */

json_t *policies_answer(const struct daemon *daemon, bool changed)
{
	const struct policies_state *state = &daemon->policy;
	size_t kernel = 0, user = 0;
	char time[TEXT_TIME_SIZE];
	json_t *answer;

	if (daemon->compiler)
		compiler_memory(daemon->compiler, &kernel, &user);
	answer = json_pack("{s:b, s:s, s:I, s:I, s:O, s:{s:I, s:I}}", "changed", changed, "file", state->now.file ? state->now.file : "",
			   "policies", (json_int_t)daemon->policies->policy_count, "rules", (json_int_t)state->now.rules,
			   "warnings", state->now.warnings, "memory", "kernel", (json_int_t)kernel, "daemon", (json_int_t)user);
	if (answer && state->confirm_until_unix_ns)
		json_object_set_new(answer, "confirm_until", json_string(text_time(state->confirm_until_unix_ns, time)));
	return answer;
}

static int answer(const struct daemon *daemon, bool changed, json_t **ret, struct error *error)
{
	*ret = policies_answer(daemon, changed);
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}

int policies_reload_request(void *context, const json_t *request, json_t **ret, struct error *error)
{
	bool changed;
	int r = policies_reload(context, "asked for", &changed, error);

	(void)request;
	return r < 0 ? r : answer(context, changed, ret, error);
}

int policies_apply_request(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;
	struct policies_state *state = &daemon->policy;
	const char *path = json_string_value(json_object_get(request, "path"));
	json_int_t seconds = json_integer_value(json_object_get(request, "confirm_seconds"));
	const struct timeval pause = { .tv_sec = seconds };
	struct policy_version before = {};
	int r = policies_check_pending(daemon, error);

	if (r < 0)
		return r;
	if (!path || *path != '/')
		return error_set(error, -EINVAL, "the \"path\" of the policy file must be absolute");
	if (seconds < 0 || seconds > LONGEST_CONFIRM)
		return error_set(error, -EINVAL, "the time to confirm must be 1 second to 1 day, or 0 for none");
	r = change_to(daemon, path, seconds ? "applied, to be confirmed" : "applied until the next reload", &before, error);
	if (r < 0)
		return r;
	if (seconds) {
		state->before = before;
		state->confirm_until_unix_ns = unix_ns() + (uint64_t)seconds * 1000000000ull;
		state->change_seen = false;
		evtimer_add(state->confirm_timer, &pause);
	} else {
		policy_version_clear(&before);
	}
	return answer(daemon, true, ret, error);
}

int policies_confirm_request(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;
	struct policies_state *state = &daemon->policy;

	(void)request;
	if (!state->confirm_until_unix_ns)
		return error_set(error, -ENOENT, "nothing waits for a confirmation: it was confirmed, or its time is over and what was in "
				 "force before came back");
	evtimer_del(state->confirm_timer);
	state->confirm_until_unix_ns = 0;
	policy_version_clear(&state->before);
	log_info("%s is confirmed", state->now.file);
	if (state->change_seen)
		on_change(daemon);
	return answer(daemon, true, ret, error);
}

json_t *policies_status(const struct daemon *daemon)
{
	const struct policies_state *state = &daemon->policy;
	char loaded[TEXT_TIME_SIZE], confirm[TEXT_TIME_SIZE];

	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:s, s:o}", "file", state->now.file ? state->now.file : "",
			 "loaded", state->now.file ? json_string(text_time(state->now.loaded_unix_ns, loaded)) : json_null(),
			 "policies", (json_int_t)daemon->policies->policy_count, "rules", (json_int_t)state->now.rules,
			 "reloads", (json_int_t)state->reloads, "failed_reloads", (json_int_t)state->failures,
			 "last_error", state->last_error, "confirm_until", state->confirm_until_unix_ns ?
			 json_string(text_time(state->confirm_until_unix_ns, confirm)) : json_null());
}

void policies_problems(const struct daemon *daemon, json_t *problems)
{
	const struct policies_state *state = &daemon->policy;
	char time[TEXT_TIME_SIZE];
	const json_t *warning;
	size_t i;

	if (state->last_error[0])
		json_array_append_new(problems, json_sprintf("the policy could not be read again, so what was in force stays: %s",
							     state->last_error));
	if (state->confirm_until_unix_ns)
		json_array_append_new(problems, json_sprintf("%s is taken back at %s unless somebody runs `dnetbpf policy confirm`",
							     state->now.file, text_time(state->confirm_until_unix_ns, time)));
	json_array_foreach(state->now.warnings, i, warning)
		if (strcmp(json_string_value(json_object_get(warning, "name")), LINT_LATER) == 0)
			json_array_append_new(problems, json_sprintf("%s:%d: %s", json_string_value(json_object_get(warning, "file")),
								     (int)json_integer_value(json_object_get(warning, "line")),
								     json_string_value(json_object_get(warning, "message"))));
}
