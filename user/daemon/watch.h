/* SPDX-License-Identifier: GPL-2.0 */
/* Sees when files change, by inotify on their folders: editors put a new file in the old one's place. */
#ifndef DNETBPF_DAEMON_WATCH_H
#define DNETBPF_DAEMON_WATCH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct watch;

/* @changed is called once after a change, when nothing more has happened for a moment. */
int watch_new(struct event_base *base, void (*changed)(void *context), void *context, struct watch **ret, struct error *error);
void watch_free(struct watch *watch);

/* Begin a new list of what is watched; then watch_add() each, then watch_end(). */
void watch_begin(struct watch *watch);
/* @directory: everything in the folder @path; else the file, which need not be there, nor its folder. */
void watch_add(struct watch *watch, const char *path, bool directory);
void watch_end(struct watch *watch);
/* Folders that have appeared meanwhile are watched from now on, and count as a change. */
void watch_look(struct watch *watch);

#endif
