/* SPDX-License-Identifier: GPL-2.0 */
/* The newest events, in memory, and who follows them. Bounded: the oldest go first; a follower that is too slow loses the
 * oldest it has not read and is told how many. */
#ifndef DNETBPF_OBSERVE_HISTORY_H
#define DNETBPF_OBSERVE_HISTORY_H

#include <stdint.h>

#include "observe/event.h"

#define HISTORY_EVENTS 8192

struct history;

int history_new(struct history **ret);
void history_free(struct history *history);
/* Append; the record is copied (as one line of compact JSON). Wakes followers. */
int history_add(struct history *history, const struct event_record *event);
/* The line with number @sequence (from 1), without newline, or NULL when it is not there (any more, or yet). */
const char *history_line(const struct history *history, uint64_t sequence);
uint64_t history_first(const struct history *history);	/* oldest number still there; next when empty */
uint64_t history_next(const struct history *history);	/* number that the next event gets */
/* @wake is called after each history_add(). One watcher (the control server). */
void history_watch(struct history *history, void (*wake)(void *context), void *context);

#endif
