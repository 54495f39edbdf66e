/* SPDX-License-Identifier: GPL-2.0 */
#include "observe/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"

struct metrics {
	char *text;
	size_t length, size;
	bool failed;	/* memory ran out: half a text must not be served as if it were all */
};

/* A one-two-five series from 0.1 ms to 2 s, and 5 s: attaching is between 0.3 ms and some seconds. */
static const double bounds[METRICS_BUCKETS] = {
	0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5,
};

int metrics_new(struct metrics **ret)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return -ENOMEM;
	*ret = metrics;
	return 0;
}

void metrics_free(struct metrics *metrics)
{
	if (metrics)
		free(metrics->text);
	free(metrics);
}

static void add(struct metrics *metrics, const char *text, size_t length)
{
	if (metrics->failed)
		return;
	if (metrics->length + length + 1 > metrics->size) {
		size_t size = metrics->size ? metrics->size : 4096;
		char *bigger;

		while (size < metrics->length + length + 1)
			size *= 2;
		bigger = realloc(metrics->text, size);
		if (!bigger) {
			metrics->failed = true;
			return;
		}
		metrics->text = bigger;
		metrics->size = size;
	}
	memcpy(metrics->text + metrics->length, text, length);
	metrics->length += length;
	metrics->text[metrics->length] = '\0';
}

static void add_text(struct metrics *metrics, const char *text)
{
	add(metrics, text, strlen(text));
}

/* A scraper refuses the whole text for one label value that is no UTF-8. */
static void add_escaped(struct metrics *metrics, const char *text, bool quotes)
{
	while (*text) {
		size_t length = printable_sequence(text);

		if (!length)
			add_text(metrics, "?");
		else if (*text == '\n')
			add_text(metrics, "\\n");
		else if (*text == '\\')
			add_text(metrics, "\\\\");
		else if (*text == '"' && quotes)
			add_text(metrics, "\\\"");
		else
			add(metrics, text, length);
		text += length ? length : 1;
	}
}

static void add_double(struct metrics *metrics, double value)
{
	char text[40];

	if (isnan(value))
		strcpy(text, "NaN");
	else if (isinf(value))
		strcpy(text, value > 0 ? "+Inf" : "-Inf");
	else
		snprintf(text, sizeof(text), "%.17g", value);
	add_text(metrics, text);
}

void metrics_family(struct metrics *metrics, const char *name, const char *type, const char *help)
{
	add_text(metrics, "# HELP ");
	add_text(metrics, name);
	add_text(metrics, " ");
	add_escaped(metrics, help, false);
	add_text(metrics, "\n# TYPE ");
	add_text(metrics, name);
	add_text(metrics, " ");
	add_text(metrics, type);
	add_text(metrics, "\n");
}

static void add_labels(struct metrics *metrics, va_list labels)
{
	const char *label, *separator = "{";

	while ((label = va_arg(labels, const char *))) {
		const char *value = va_arg(labels, const char *);

		add_text(metrics, separator);
		add_text(metrics, label);
		add_text(metrics, "=\"");
		add_escaped(metrics, value ? value : "", true);
		add_text(metrics, "\"");
		separator = ",";
	}
	if (*separator == ',')
		add_text(metrics, "}");
	add_text(metrics, " ");
}

void metrics_sample(struct metrics *metrics, const char *name, double value, ...)
{
	va_list labels;

	add_text(metrics, name);
	va_start(labels, value);
	add_labels(metrics, labels);
	va_end(labels);
	add_double(metrics, value);
	add_text(metrics, "\n");
}

void metrics_sample_u64(struct metrics *metrics, const char *name, uint64_t value, ...)
{
	char text[24];
	va_list labels;

	add_text(metrics, name);
	va_start(labels, value);
	add_labels(metrics, labels);
	va_end(labels);
	snprintf(text, sizeof(text), "%" PRIu64 "\n", value);
	add_text(metrics, text);
}

const char *metrics_text(const struct metrics *metrics, size_t *ret_length)
{
	if (metrics->failed)
		return NULL;
	*ret_length = metrics->length;
	return metrics->text ? metrics->text : "";
}

void metrics_observe(struct metrics_histogram *histogram, double seconds)
{
	size_t i = 0;

	while (i < METRICS_BUCKETS && seconds > bounds[i])
		i++;
	histogram->bucket[i]++;
	histogram->sum += seconds;
	histogram->count++;
}

/* Buckets are kept apart and summed up here: the format wants each to contain the ones before it. */
void metrics_histogram(struct metrics *metrics, const char *name, const struct metrics_histogram *histogram)
{
	uint64_t below = 0;
	char series[160], bound[32];

	snprintf(series, sizeof(series), "%s_bucket", name);
	for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
		below += histogram->bucket[i];
		if (i < METRICS_BUCKETS)
			snprintf(bound, sizeof(bound), "%g", bounds[i]);
		metrics_sample_u64(metrics, series, below, "le", i < METRICS_BUCKETS ? bound : "+Inf", NULL);
	}
	snprintf(series, sizeof(series), "%s_sum", name);
	metrics_sample(metrics, series, histogram->sum, NULL);
	snprintf(series, sizeof(series), "%s_count", name);
	metrics_sample_u64(metrics, series, histogram->count, NULL);
}
