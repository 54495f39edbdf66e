/* SPDX-License-Identifier: GPL-2.0 */
#include "observe/history.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* Line number n lives in line[n % HISTORY_EVENTS] while first <= n < next. */
struct history {
	char *line[HISTORY_EVENTS];
	uint64_t first, next;
	void (*wake)(void *context);
	void *context;
};

int history_new(struct history **ret)
{
	struct history *history = calloc(1, sizeof(*history));

	if (!history)
		return -ENOMEM;
	history->first = history->next = 1;
	*ret = history;
	return 0;
}

void history_free(struct history *history)
{
	if (!history)
		return;
	for (size_t i = 0; i < HISTORY_EVENTS; i++)
		free(history->line[i]);
	free(history);
}

int history_add(struct history *history, const struct event_record *event)
{
	json_t *object = event_to_json(event);
	char **place = &history->line[history->next % HISTORY_EVENTS];
	char *line;

	if (!object)
		return -ENOMEM;
	line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!line)
		return -ENOMEM;
	if (history->next - history->first == HISTORY_EVENTS)
		history->first++;
	free(*place);
	*place = line;
	history->next++;
	if (history->wake)
		history->wake(history->context);
	return 0;
}

const char *history_line(const struct history *history, uint64_t sequence)
{
	if (sequence < history->first || sequence >= history->next)
		return NULL;
	return history->line[sequence % HISTORY_EVENTS];
}

uint64_t history_first(const struct history *history)
{
	return history->first;
}

uint64_t history_next(const struct history *history)
{
	return history->next;
}

void history_watch(struct history *history, void (*wake)(void *context), void *context)
{
	history->wake = wake;
	history->context = context;
}
