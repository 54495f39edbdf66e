/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dnetbpf/reason.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/suggest.h"
#include "base/text.h"
#include "cli/cli.h"
#include "control/client.h"
#include "observe/event.h"
#include "observe/history.h"

static const char *const reason_names[] = {
#define X(id, NAME, name, class, sentence) name,
	DNET_REASONS(X)
#undef X
	NULL,
};

/* The newest @limit lines that pass the filters, when they are wanted only after the last one is known. */
struct reader {
	const struct cli_values *values;
	char **kept;
	size_t limit, count;	/* count: of lines that were kept at some time; line i is at i % limit */
	bool failed;
};

static bool wanted(const struct cli_values *values, const json_t *event)
{
	return (!values->container || text_glob_match(values->container, cli_text(event, "container"))) &&
	       (!values->verdict || strcmp(values->verdict, cli_text(event, "verdict")) == 0) &&
	       (!values->reason || strcmp(values->reason, cli_text(event, "reason")) == 0);
}

static void print(const struct cli_values *values, const char *line, const json_t *event)
{
	char text[2048];

	if (values->json) {
		puts(line);
	} else if (json_object_get(event, "lost")) {
		printf("(%" JSON_INTEGER_FORMAT " events are missing here: they came faster than they could be read)\n",
		       cli_number(event, "lost"));
	} else {
		event_json_to_text(event, text, sizeof(text));
		puts(text);
	}
}

static int keep(struct reader *reader, const char *line)
{
	char **place, *copy = strdup(line);

	if (!copy) {
		reader->failed = true;
		return 1;
	}
	place = &reader->kept[reader->count++ % reader->limit];
	free(*place);
	*place = copy;
	return 0;
}

static int on_line(void *context, const char *line)
{
	struct reader *reader = context;
	json_t *event;
	int r = 0;

	if (!line)
		return cli_output_broken();
	event = json_loads(line, 0, NULL);
	/* Lost events may have been of any kind: no filter hides them. */
	if (event && (json_object_get(event, "lost") || wanted(reader->values, event))) {
		if (reader->limit)
			r = keep(reader, line);
		else
			print(reader->values, line, event);
	}
	json_decref(event);
	return r || ferror(stdout);
}

static void print_kept(const struct reader *reader)
{
	for (size_t i = reader->count > reader->limit ? reader->count - reader->limit : 0; i < reader->count; i++) {
		const char *line = reader->kept[i % reader->limit];
		json_t *event = json_loads(line, 0, NULL);

		print(reader->values, line, event);
		json_decref(event);
	}
}

static void forget(struct reader *reader)
{
	for (size_t i = 0; reader->kept && i < reader->limit; i++)
		free(reader->kept[i]);
	free(reader->kept);
}

int command_events(const struct cli_values *values)
{
	bool limited = cli_given(values, OPTION_NUMBER);
	struct reader reader = { .values = values };
	struct error error = {};
	char path[80] = "/v1/events";
	int r;

	if (values->reason) {
		struct suggestion suggestion;
		size_t i = 0;

		suggest_begin(&suggestion, word_of(values->reason));
		for (; reason_names[i] && strcmp(reason_names[i], values->reason) != 0; i++)
			suggest_offer(&suggestion, reason_names[i]);
		if (!reason_names[i]) {
			log_error("--reason %s: there is no such reason%s", values->reason, suggest_end(&suggestion, ""));
			return CLI_USAGE;
		}
	}
	if (values->follow) {
		snprintf(path, sizeof(path), "/v1/events?follow=1&history=%u", values->number);
	} else if (limited) {
		if (!values->number)
			return CLI_OK;
		/* The daemon keeps no more than its history, so neither need we. */
		reader.limit = values->number < HISTORY_EVENTS ? values->number : HISTORY_EVENTS;
		reader.kept = calloc(reader.limit, sizeof(*reader.kept));
		if (!reader.kept) {
			error_set(&error, -ENOMEM, "out of memory");
			return cli_fail(&error);
		}
	}
	/* Whoever reads a pipe wants the event now, not when 4 KiB are full. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	r = control_stream(values->control, path, on_line, &reader, &error);
	if (reader.limit && r == 0 && !reader.failed)
		print_kept(&reader);
	forget(&reader);
	if (reader.failed)
		r = error_set(&error, -ENOMEM, "out of memory");
	if (r < 0)
		return cli_fail(&error);
	if (values->follow && !ferror(stdout) && !cli_output_broken()) {
		error_set(&error, -EPIPE, "the daemon at %s has ended; what was in force stays in force. Start it again, then this "
			  "command", values->control);
		return cli_fail(&error);
	}
	return CLI_OK;
}
