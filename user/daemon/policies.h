/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of the policies: read at start, read again when the files change, on SIGHUP and when asked, taken back when nobody
 * confirms (policies.c); rules by hand, and rules for a time (by_hand.c). What cannot be read changes nothing.
 */
#ifndef DNETBPF_DAEMON_POLICIES_H
#define DNETBPF_DAEMON_POLICIES_H

#include "daemon/state.h"

uint64_t unix_ns(void);

/* Read the configuration for the first time; it is in force from the first reconcile on. -EINVAL, -ENOENT: a sentence. */
int policies_start(struct daemon *daemon, struct error *error);
/* Follow the files and the clock from now on. */
int policies_watch(struct daemon *daemon, struct error *error);
void policies_stop(struct daemon *daemon);
/* Read the configuration again if it has changed. @cause, for the log: "SIGHUP", ... -EBUSY: something waits for a confirmation. */
int policies_reload(struct daemon *daemon, const char *cause, bool *ret_changed, struct error *error);
/* The same for what is in force, which may be a file that was applied. */
int policies_reread(struct daemon *daemon, const char *cause, struct error *error);
/* -EBUSY with a sentence while something waits for a confirmation. */
int policies_check_pending(const struct daemon *daemon, struct error *error);
/* Every few seconds: folders that appeared, clocks that were set. */
void policies_tick(struct daemon *daemon);

/* What `status` says of the policies: its "policy", a new reference, and sentences for its "problems". */
json_t *policies_status(const struct daemon *daemon);
void policies_problems(const struct daemon *daemon, json_t *problems);
/* What a change answers. A new reference. */
json_t *policies_answer(const struct daemon *daemon, bool changed);

/* by_hand.c: the path of the file with the rules by hand; owned by the caller, NULL without memory. */
char *by_hand_path(const char *config_path);
/* Wake up when the next rule's time is over. */
void by_hand_plan(struct daemon *daemon);
void by_hand_expire(evutil_socket_t fd, short what, void *context);

/* Control routes. */
int policies_reload_request(void *context, const json_t *request, json_t **ret, struct error *error);
int policies_apply_request(void *context, const json_t *request, json_t **ret, struct error *error);
int policies_confirm_request(void *context, const json_t *request, json_t **ret, struct error *error);
int by_hand_request(void *context, const json_t *request, json_t **ret, struct error *error);

#endif
