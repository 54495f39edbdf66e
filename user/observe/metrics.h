/* SPDX-License-Identifier: GPL-2.0 */
/* Prometheus text exposition format 0.0.4. */
#ifndef DNETBPF_OBSERVE_METRICS_H
#define DNETBPF_OBSERVE_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct metrics;	/* a growing text */

int metrics_new(struct metrics **ret);
void metrics_free(struct metrics *metrics);
/* Begin a family: prints HELP and TYPE. @type: "counter", "gauge", "histogram". */
void metrics_family(struct metrics *metrics, const char *name, const char *type, const char *help);
/* One sample of @name; then pairs of label name and value (escaped here), closed by NULL. */
void metrics_sample(struct metrics *metrics, const char *name, double value, ...) __attribute__((sentinel));
void metrics_sample_u64(struct metrics *metrics, const char *name, uint64_t value, ...) __attribute__((sentinel));
/* The text, or NULL when memory ran out on the way. Owned by @metrics. */
const char *metrics_text(const struct metrics *metrics, size_t *ret_length);

/* A fixed histogram of seconds, for attach and reconcile times. */
#define METRICS_BUCKETS 14
struct metrics_histogram {
	uint64_t bucket[METRICS_BUCKETS + 1];	/* last: +Inf */
	double sum;
	uint64_t count;
};
void metrics_observe(struct metrics_histogram *histogram, double seconds);	/* bounds 0.0001 .. 5 s */
/* Prints NAME_bucket, NAME_sum, NAME_count of a family that metrics_family() began as "histogram". */
void metrics_histogram(struct metrics *metrics, const char *name, const struct metrics_histogram *histogram);

#endif
