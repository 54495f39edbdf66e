/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The database of countries: read at start and when its files change, written to the kernel, asked for events.
 *
 * Invariants:
 *  1. What is in force belongs to geo_path() of the policies in force; policies that name a country are in force only with a table.
 *  2. A family's table is complete when it is entered, and takes the place of the other one between two packets; connections are
 *     judged again after both were.
 *  3. What cannot be read or written leaves the old tables in force. Without a daemon they stay.
 */
#ifndef DNETBPF_DAEMON_COUNTRIES_H
#define DNETBPF_DAEMON_COUNTRIES_H

#include <event2/event.h>
#include <jansson.h>

#include "geo/geo.h"
#include "model/policy.h"
#include "observe/metrics.h"

struct daemon;

struct country_database {
	struct geo *geo;	/* owned; NULL: none */
	uint64_t tag;		/* names its tables in the kernel; not 0 */
	uint64_t stamp;		/* of its files before they were read */
	uint64_t loaded_unix_ns;
};

struct countries_state {
	struct country_database now;	/* in force */
	uint64_t next_tag;
	uint64_t seen;		/* stamp of the files when they were last looked at, good or bad */
	unsigned long reloads, failures;
	char last_error[768];	/* "" when the files are what is in force */
	unsigned int tries;	/* while the files are being written */
	struct watch *watch;
	struct event *timer;
};

/*
 * The database that @set is to be judged by. *ret_other: it is not what is in force (perhaps none: geo NULL), and *ret is the caller's.
 * On failure a sentence with the place in the policy file.
 */
int countries_choose(struct daemon *daemon, const struct policy_set *set, struct country_database *ret, bool *ret_other,
		     struct error *error);
/* The tables of what is in force into the kernel, as far as they are not there. */
int countries_install(struct daemon *daemon, struct error *error);
/* No rule asks for countries any more. */
void countries_remove(struct daemon *daemon);

/* Follow the files from now on. */
int countries_watch(struct daemon *daemon, struct error *error);
/* The policies name perhaps other files now. */
void countries_follow(struct daemon *daemon);
/* Every few seconds: folders that appeared. */
void countries_tick(struct daemon *daemon);
void countries_stop(struct daemon *daemon);

/* dnet_country(), 0: unknown. */
uint32_t countries_find(const struct daemon *daemon, const struct dnet_addr *addr);
/* What `geo status` says; a new reference. Sentences for the problems of `status`. */
json_t *countries_status(const struct daemon *daemon);
void countries_problems(const struct daemon *daemon, json_t *problems);
void countries_metrics(const struct daemon *daemon, struct metrics *metrics);
/* Control route. */
int countries_request(void *context, const json_t *request, json_t **ret, struct error *error);

#endif
