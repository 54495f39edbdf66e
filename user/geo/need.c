/* SPDX-License-Identifier: GPL-2.0 */
#include "geo/need.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRIES 5	/* while somebody writes the file */
#define PAUSE_NS 50000000
#define REMEDY "install the package tor-geoipdb, or name one under geo: database"

const char *geo_path(const struct policy_set *set)
{
	return set->geo_database ? set->geo_database : GEO_DEFAULT_DATABASE;
}

static const struct rule *find_country(const struct policy *policy, const char **ret_country)
{
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		for (size_t i = 0; i < policy->direction[direction].count; i++) {
			const struct rule *rule = &policy->direction[direction].rules[i];

			for (size_t j = 0; j < rule->peer_count; j++)
				if (rule->peers[j].kind == PEER_COUNTRY) {
					if (ret_country)
						*ret_country = rule->peers[j].name;
					return rule;
				}
		}
	return NULL;
}

const struct rule *geo_rule(const struct policy_set *set, const char **ret_country)
{
	const struct rule *rule = find_country(&set->host, ret_country);

	for (size_t i = 0; i < set->policy_count && !rule; i++)
		rule = find_country(&set->policies[i], ret_country);
	return rule;
}

static int load(const char *path, struct geo **ret, struct error *error)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	int r = geo_load(path, NULL, ret, error);

	for (int i = 1; i < TRIES && r == -EAGAIN; i++) {
		nanosleep(&pause, NULL);
		r = geo_load(path, NULL, ret, error);
	}
	return r;
}

static int refuse(struct error *error, int code, const struct origin *origin, const char *sentence)
{
	/* Whatever is wrong with the file: it is the configuration that cannot be put in force. */
	return error_set_place(error, code == -ENOMEM ? code : -EINVAL, origin->file ? origin->file : "policy", origin->line,
			       origin->column, 0, sentence);
}

int geo_load_for(const struct policy_set *set, struct geo **ret, struct error *error)
{
	bool missing = !set->geo_database && access(GEO_DEFAULT_DATABASE, F_OK) < 0 && errno == ENOENT;
	const char *country = "";
	const struct rule *rule = geo_rule(set, &country);
	struct error problem = {};
	char sentence[640];
	int r = missing ? -ENOENT : load(geo_path(set), ret, &problem);

	if (r == 0)
		return 0;
	if (set->geo_database) {
		snprintf(sentence, sizeof(sentence), "the database of countries cannot be used: %.560s", problem.text);
		return refuse(error, r, &set->geo_origin, sentence);
	}
	if (rule) {
		if (missing)
			snprintf(sentence, sizeof(sentence), "geo:%s needs a database of countries, and %s is not there: " REMEDY, country,
				 GEO_DEFAULT_DATABASE);
		else
			snprintf(sentence, sizeof(sentence), "geo:%s needs a database of countries: %.560s", country, problem.text);
		return refuse(error, r, &rule->origin, sentence);
	}
	if (!missing)
		*error = problem;
	*ret = NULL;
	return 0;
}

bool geo_in_labels(const struct label_policy *labels)
{
	return labels->present && find_country(&labels->policy, NULL);
}

int geo_refuse_labels(struct label_policy *labels)
{
	const char *country;
	const struct rule *rule = find_country(&labels->policy, &country);
	struct error error = {};
	char sentence[160];

	if (!rule)
		return 0;
	snprintf(sentence, sizeof(sentence), "geo:%s needs a database of countries, and there is none: " REMEDY, country);
	error_set_place(&error, -EINVAL, rule->origin.file ? rule->origin.file : "labels", rule->origin.line, rule->origin.column, 0, sentence);
	label_policy_clear(labels);
	labels->present = labels->invalid = true;
	labels->problem = strdup(error.text);
	/* As label_policy_parse() leaves them. */
	labels->policy.name = strdup("labels");
	return -EINVAL;
}
