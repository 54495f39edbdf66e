/* SPDX-License-Identifier: GPL-2.0 */
/* What the test tools share: words of the command line, time, stopping. */
#ifndef TESTS_LIB_PROBE_H
#define TESTS_LIB_PROBE_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* UDP payloads are "dnt:TAG:NUMBER": who counts packets then knows whose they are. */
#define PAYLOAD_MARK "dnt:"

static volatile sig_atomic_t stopped;

static inline void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

__attribute__((noreturn)) static inline void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static inline uint64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static inline void pause_us(uint64_t microseconds)
{
	struct timespec time = { microseconds / 1000000, (long)(microseconds % 1000000) * 1000 };

	nanosleep(&time, NULL);
}

/* Options are NAME=VALUE words; the others are the mode's arguments, in order. */
struct words {
	char **word;
	int count;
};

static inline const char *option(const struct words *words, const char *name, const char *otherwise)
{
	size_t length = strlen(name);

	for (int i = 0; i < words->count; i++)
		if (!strncmp(words->word[i], name, length) && words->word[i][length] == '=')
			return words->word[i] + length + 1;
	return otherwise;
}

static inline unsigned long number(const struct words *words, const char *name, unsigned long otherwise)
{
	const char *text = option(words, name, NULL);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

static inline const char *argument(const struct words *words, int index)
{
	for (int i = 0; i < words->count; i++)
		if (!strchr(words->word[i], '=') && index-- == 0)
			return words->word[i];
	return NULL;
}

static inline const char *need(const struct words *words, int index, const char *name)
{
	const char *text = argument(words, index);

	if (!text) {
		fprintf(stderr, "%s is missing\n", name);
		exit(2);
	}
	return text;
}

struct mode {
	const char *name, *help;
	int (*run)(const struct words *words);
};

/* The whole main(): find the mode of @modes (closed by a NULL name) and run it, or say what there is. */
static inline int probe_main(int argc, char **argv, const struct mode *modes)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct words words = { argv + 2, argc - 2 };

	/* A container's first process gets no default action for signals: without a handler "docker stop" waits in vain. */
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct mode *mode = modes; argc > 1 && mode->name; mode++)
		if (!strcmp(argv[1], mode->name))
			return mode->run(&words);
	for (const struct mode *mode = modes; mode->name; mode++)
		fprintf(stderr, "%s %s %s\n", argv[0], mode->name, mode->help);
	return 2;
}

#endif
