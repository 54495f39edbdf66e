/* SPDX-License-Identifier: GPL-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cleanup.h"
#include "bench.h"

void series_add(struct series *series, double value)
{
	if (series->count < SERIES_ROOM)
		series->value[series->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

double series_part(const struct series *series, double part)
{
	_cleanup_free_ double *sorted = NULL;

	if (!series->count)
		return 0;
	sorted = malloc(series->count * sizeof(*sorted));
	if (!sorted)
		return 0;
	memcpy(sorted, series->value, series->count * sizeof(*sorted));
	qsort(sorted, series->count, sizeof(*sorted), compare);
	return sorted[(size_t)(part * (double)(series->count - 1) + 0.5)];
}

void series_print(const struct series *series, int width, int decimals)
{
	char range[64];

	if (!series->count) {
		printf("%*s  %-*s", width, "-", width * 2 + 2, "nothing measured");
		return;
	}
	snprintf(range, sizeof(range), "%.*f..%.*f", decimals, series_part(series, 0), decimals, series_part(series, 1));
	printf("%*.*f  %-*s", width, decimals, series_part(series, 0.5), width * 2 + 2, range);
}

double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		fprintf(stderr, "bench: out of memory\n");
		exit(1);
	}
	return memory;
}
