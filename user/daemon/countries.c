/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/countries.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/policies.h"
#include "daemon/reconcile.h"
#include "daemon/watch.h"
#include "geo/need.h"

#define RETRY_MS 200
#define MOST_TRIES 50	/* a file that is written for longer is reported */

/* --- reading ------------------------------------------------------------------- */

static uint64_t stamp_file(uint64_t hash, const char *path, const char *behind)
{
	_cleanup_free_ char *name = NULL;
	struct stat file;

	if (asprintf(&name, "%s%s", path, behind) < 0) {
		name = NULL;
		return hash;
	}
	hash = text_hash(hash, name);
	if (stat(name, &file) < 0)
		return text_hash(hash, "\n-\n");
	{
		const uint64_t words[] = { file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec,
					   file.st_ctim.tv_sec, file.st_ctim.tv_nsec };

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
	}
	return hash ^ hash >> 29;
}

/* Whatever @path is: the files that geo_load() would read have another one when they have changed. */
static uint64_t files_stamp(const char *path)
{
	static const char *const names[] = { "", "6", "/geoip", "/geoip6" };
	uint64_t hash = TEXT_HASH_SEED;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		hash = stamp_file(hash, path, names[i]);
	return hash;
}

static void take_error(struct countries_state *state, const char *text)
{
	snprintf(state->last_error, sizeof(state->last_error), "%s", text);
}

int countries_choose(struct daemon *daemon, const struct policy_set *set, struct country_database *ret, bool *ret_other,
		     struct error *error)
{
	struct countries_state *state = &daemon->countries;
	const char *path = geo_path(set);
	struct country_database next = { .stamp = files_stamp(path), .loaded_unix_ns = unix_ns() };
	struct error problem = {};
	bool same = daemon->policies && strcmp(path, geo_path(daemon->policies)) == 0;
	int r;

	/* Without a table the files may have come meanwhile, and if they have not, a rule must say what it lacks. */
	if (same && (state->now.geo || !geo_rule(set, NULL))) {
		*ret_other = false;
		return 0;
	}
	r = geo_load_for(set, &next.geo, &problem);
	if (r < 0) {
		if (error)
			*error = problem;
		return r;
	}
	if (problem.text[0])
		log_warning("there is no table of countries: %s", problem.text);
	take_error(state, problem.text);
	next.tag = ++state->next_tag;
	*ret = next;
	*ret_other = true;
	return 0;
}

/* --- putting in force ------------------------------------------------------------ */

int countries_install(struct daemon *daemon, struct error *error)
{
	const struct country_database *now = &daemon->countries.now;
	int r = 0;

	for (int family = 0; now->geo && family < DNET_SET_FAMILIES && r == 0; family++) {
		const uint64_t *words;
		size_t count = geo_words(now->geo, family, &words);

		r = dataplane_set_table(daemon->dataplane, DNET_TABLE_COUNTRIES, family, words, count, now->tag, error);
	}
	return r < 0 ? error_prefix(error, r, "the countries of %s", geo_info(now->geo)->path) : 0;
}

void countries_remove(struct daemon *daemon)
{
	for (int family = 0; family < DNET_SET_FAMILIES; family++)
		dataplane_set_table(daemon->dataplane, DNET_TABLE_COUNTRIES, family, NULL, 0, 0, NULL);
}

/* In the place of tables that are there. @next is used up on success. */
static int replace(struct daemon *daemon, struct country_database *next, struct error *error)
{
	struct countries_state *state = &daemon->countries;
	struct country_database before = state->now;
	struct error undoing = {};
	int r;

	state->now = *next;
	r = countries_install(daemon, error);
	if (r < 0) {
		state->now = before;
		if (countries_install(daemon, &undoing) < 0)
			log_error("one family's table is new, and the other one's old: %s", undoing.text);
		return r;
	}
	geo_free(before.geo);
	next->geo = NULL;
	dataplane_raise_generation(daemon->dataplane);
	return 0;
}

/* Where there was none. Labels are read again: some may have waited for it. */
static int introduce(struct daemon *daemon, struct country_database *next, struct error *error)
{
	struct in_force before;
	int r = enforce_switch(daemon, &(struct in_force){ .policies = daemon->policies, .countries = *next }, &before, error);

	if (r == 0)
		next->geo = NULL;
	return r;
}

static void log_loaded(const struct countries_state *state)
{
	const struct geo_info *info = geo_info(state->now.geo);
	char built[TEXT_TIME_SIZE];

	log_info("countries in force: %zu ranges of IPv4 and %zu of IPv6 in %zu countries from %s, built %s", info->ranges[DNET_SET_V4],
		 info->ranges[DNET_SET_V6], info->countries, info->path, text_time(info->built_unix * 1000000000ull, built));
}

/* --- when the files change --------------------------------------------------------- */

static void follow_files(struct daemon *daemon)
{
	struct watch *watch = daemon->countries.watch;
	const char *path = geo_path(daemon->policies);
	_cleanup_free_ char *v6 = NULL;
	struct stat file;

	if (!watch)
		return;
	if (asprintf(&v6, "%s6", path) < 0)
		v6 = NULL;
	watch_begin(watch);
	watch_add(watch, path, false);
	if (v6)
		watch_add(watch, v6, false);
	if (stat(path, &file) == 0 && S_ISDIR(file.st_mode))
		watch_add(watch, path, true);
	watch_end(watch);
}

static void fail(struct daemon *daemon, const struct error *error)
{
	struct countries_state *state = &daemon->countries;

	state->failures++;
	take_error(state, error->text);
	log_error("%s: %s", state->now.geo ? "the countries in force stay" : "there is no table of countries", error->text);
}

static void look(struct daemon *daemon)
{
	const struct timeval pause = { .tv_usec = RETRY_MS * 1000 };
	struct countries_state *state = &daemon->countries;
	const char *path = geo_path(daemon->policies);
	struct country_database next = { .stamp = files_stamp(path), .loaded_unix_ns = unix_ns() };
	struct error error = {};
	struct stat file;
	int r;

	if (next.stamp == state->seen)
		return;
	r = geo_load(path, state->now.geo, &next.geo, &error);
	if (r == -EAGAIN && ++state->tries < MOST_TRIES) {
		evtimer_add(state->timer, &pause);
		return;
	}
	state->tries = 0;
	state->seen = next.stamp;
	follow_files(daemon);
	/* Nobody asked for the default one. */
	if (r < 0 && !state->now.geo && !daemon->policies->geo_database && stat(path, &file) < 0) {
		take_error(state, "");
		return;
	}
	if (r < 0) {
		fail(daemon, &error);
		return;
	}
	if (state->now.geo && geo_equal(state->now.geo, next.geo)) {
		/* Nothing for the kernel; its age may be another one. */
		next.tag = state->now.tag;
		geo_free(state->now.geo);
		state->now = next;
		take_error(state, "");
		return;
	}
	next.tag = ++state->next_tag;
	r = state->now.geo ? replace(daemon, &next, &error) : introduce(daemon, &next, &error);
	if (r < 0) {
		geo_free(next.geo);
		fail(daemon, &error);
		return;
	}
	state->reloads++;
	take_error(state, "");
	log_loaded(state);
	/* Both tables stood side by side. */
	malloc_trim(0);
}

static void on_change(void *context)
{
	look(context);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	look(context);
}

void countries_follow(struct daemon *daemon)
{
	struct countries_state *state = &daemon->countries;
	const struct timeval now = {};

	if (!state->watch)
		return;
	follow_files(daemon);
	state->seen = state->now.stamp;
	/* They changed after they were read, and before anybody watched. */
	if (files_stamp(geo_path(daemon->policies)) != state->seen)
		evtimer_add(state->timer, &now);
}

int countries_watch(struct daemon *daemon, struct error *error)
{
	struct countries_state *state = &daemon->countries;

	if (state->now.geo)
		log_loaded(state);
	if (daemon->options->once)
		return 0;
	state->timer = evtimer_new(daemon->base, on_timer, daemon);
	if (!state->timer)
		return error_set(error, -ENOMEM, "out of memory");
	if (watch_new(daemon->base, on_change, daemon, &state->watch, error) < 0) {
		/* Everything but reading it again works. */
		log_warning("%s", error->text);
		return 0;
	}
	countries_follow(daemon);
	return 0;
}

void countries_tick(struct daemon *daemon)
{
	if (daemon->countries.watch)
		watch_look(daemon->countries.watch);
}

void countries_stop(struct daemon *daemon)
{
	struct countries_state *state = &daemon->countries;

	if (state->timer)
		event_free(state->timer);
	watch_free(state->watch);
	geo_free(state->now.geo);
	memset(state, 0, sizeof(*state));
}

/* --- answers --------------------------------------------------------------------- */

uint32_t countries_find(const struct daemon *daemon, const struct dnet_addr *addr)
{
	return daemon->countries.now.geo ? geo_find(daemon->countries.now.geo, addr) : 0;
}

static uint64_t age_seconds(const struct geo_info *info)
{
	uint64_t now = unix_ns() / 1000000000ull;

	return now > info->built_unix ? now - info->built_unix : 0;
}

json_t *countries_status(const struct daemon *daemon)
{
	const struct countries_state *state = &daemon->countries;
	const struct geo_info *info = state->now.geo ? geo_info(state->now.geo) : NULL;
	char built[TEXT_TIME_SIZE], loaded[TEXT_TIME_SIZE];

	return json_pack("{s:s, s:b, s:s, s:o, s:o, s:o, s:{s:I, s:I}, s:I, s:I, s:I, s:s}", "database", geo_path(daemon->policies),
			 "in_force", info != NULL, "format", info ? info->type : "",
			 "built", info ? json_string(text_time(info->built_unix * 1000000000ull, built)) : json_null(),
			 "age_seconds", info ? json_integer((json_int_t)age_seconds(info)) : json_null(),
			 "loaded", info ? json_string(text_time(state->now.loaded_unix_ns, loaded)) : json_null(),
			 "ranges", "ipv4", (json_int_t)(info ? info->ranges[DNET_SET_V4] : 0),
			 "ipv6", (json_int_t)(info ? info->ranges[DNET_SET_V6] : 0), "countries", (json_int_t)(info ? info->countries : 0),
			 "reloads", (json_int_t)state->reloads, "failed_reloads", (json_int_t)state->failures,
			 "last_error", state->last_error);
}

void countries_problems(const struct daemon *daemon, json_t *problems)
{
	const struct countries_state *state = &daemon->countries;

	if (state->last_error[0])
		json_array_append_new(problems, json_sprintf(state->now.geo ?
				      "the database of countries could not be read again, so what was in force stays: %s" :
				      "there is no table of countries: %s", state->last_error));
}

void countries_metrics(const struct daemon *daemon, struct metrics *metrics)
{
	const struct countries_state *state = &daemon->countries;
	const struct geo_info *info = state->now.geo ? geo_info(state->now.geo) : NULL;

	if (info) {
		metrics_family(metrics, "dnetbpf_geo_database_age_seconds", "gauge", "How long ago the database of countries was made.");
		metrics_sample_u64(metrics, "dnetbpf_geo_database_age_seconds", age_seconds(info), NULL);
	}
	metrics_family(metrics, "dnetbpf_geo_ranges", "gauge", "Ranges of addresses in the table of countries.");
	metrics_sample_u64(metrics, "dnetbpf_geo_ranges", info ? info->ranges[DNET_SET_V4] : 0, "family", "ipv4", NULL);
	metrics_sample_u64(metrics, "dnetbpf_geo_ranges", info ? info->ranges[DNET_SET_V6] : 0, "family", "ipv6", NULL);
	metrics_family(metrics, "dnetbpf_geo_reload_failures_total", "counter",
		       "Changes of the database of countries that could not be read, so that the old table stayed.");
	metrics_sample_u64(metrics, "dnetbpf_geo_reload_failures_total", state->failures, NULL);
}

int countries_request(void *context, const json_t *request, json_t **ret, struct error *error)
{
	(void)request;
	*ret = countries_status(context);
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}
