/* SPDX-License-Identifier: GPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "observe/metrics.h"

/* Prometheus' own checker: its exit code. */
static int promtool(const char *text)
{
	FILE *pipe = popen("promtool check metrics 2>&1", "w");
	int status;

	assert_non_null(pipe);
	fputs(text, pipe);
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool have_promtool(void)
{
	if (access("/usr/bin/promtool", X_OK) == 0)
		return true;
	print_message("SKIPPED: promtool is not installed (package prometheus)\n");
	return false;
}

static const char *text_of(const struct metrics *metrics)
{
	size_t length;
	const char *text = metrics_text(metrics, &length);

	assert_non_null(text);
	assert_int_equal(strlen(text), length);
	return text;
}

static void test_text(void **state)
{
	struct metrics *metrics;

	(void)state;
	assert_int_equal(metrics_new(&metrics), 0);
	assert_string_equal(text_of(metrics), "");
	metrics_family(metrics, "a_total", "counter", "What a\\b is\nin two lines, \"quoted\".");
	metrics_sample_u64(metrics, "a_total", UINT64_MAX, NULL);
	metrics_sample_u64(metrics, "a_total", 7, "container", "web", "reason", "no_flow", NULL);
	metrics_sample_u64(metrics, "a_total", 0, "container", "", NULL);
	metrics_family(metrics, "b", "gauge", "B.");
	metrics_sample(metrics, "b", 0.25, NULL);
	metrics_sample(metrics, "b", NAN, "x", "1", NULL);
	metrics_sample(metrics, "b", INFINITY, "x", "2", NULL);
	metrics_sample(metrics, "b", -INFINITY, "x", "3", NULL);
	assert_string_equal(text_of(metrics),
			    "# HELP a_total What a\\\\b is\\nin two lines, \"quoted\".\n# TYPE a_total counter\n"
			    "a_total 18446744073709551615\n"
			    "a_total{container=\"web\",reason=\"no_flow\"} 7\n"
			    "a_total{container=\"\"} 0\n"
			    "# HELP b B.\n# TYPE b gauge\nb 0.25\nb{x=\"1\"} NaN\nb{x=\"2\"} +Inf\nb{x=\"3\"} -Inf\n");
	metrics_free(metrics);
	metrics_free(NULL);
}

static void test_escapes(void **state)
{
	static const struct {
		const char *value, *escaped;
	} values[] = {
		{ "plain", "plain" }, { "a\"b", "a\\\"b" }, { "a\\b", "a\\\\b" }, { "a\nb", "a\\nb" }, { "gr\xc3\xbc", "gr\xc3\xbc" },
		{ "bad\xff\xc3", "bad??" }, { "}", "}" }, { "{a=\"b\"} 1\nfake 2", "{a=\\\"b\\\"} 1\\nfake 2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct metrics *metrics;
		char wanted[128];

		assert_int_equal(metrics_new(&metrics), 0);
		metrics_sample_u64(metrics, "a", 1, "l", values[i].value, NULL);
		snprintf(wanted, sizeof(wanted), "a{l=\"%s\"} 1\n", values[i].escaped);
		assert_string_equal(text_of(metrics), wanted);
		metrics_free(metrics);
	}
}

static void test_histogram(void **state)
{
	static const struct {
		double seconds;
		size_t bucket;
	} observed[] = { { 0, 0 }, { 0.0001, 0 }, { 0.00011, 1 }, { 0.015, 7 }, { 1, 12 }, { 5, 13 }, { 5.1, 14 }, { 1e9, 14 } };
	struct metrics_histogram histogram = { 0 };
	struct metrics *metrics;

	(void)state;
	for (size_t i = 0; i < sizeof(observed) / sizeof(observed[0]); i++) {
		uint64_t before = histogram.bucket[observed[i].bucket];

		metrics_observe(&histogram, observed[i].seconds);
		assert_int_equal(histogram.bucket[observed[i].bucket], before + 1);
	}
	assert_int_equal(histogram.count, 8);
	assert_int_equal(metrics_new(&metrics), 0);
	metrics_family(metrics, "t_seconds", "histogram", "T.");
	metrics_histogram(metrics, "t_seconds", &histogram);
	assert_non_null(strstr(text_of(metrics), "t_seconds_bucket{le=\"0.0001\"} 2\n"));
	assert_non_null(strstr(text_of(metrics), "t_seconds_bucket{le=\"0.02\"} 4\n"));
	assert_non_null(strstr(text_of(metrics), "t_seconds_bucket{le=\"5\"} 6\n"));
	assert_non_null(strstr(text_of(metrics), "t_seconds_bucket{le=\"+Inf\"} 8\n"));
	assert_non_null(strstr(text_of(metrics), "t_seconds_count 8\n"));
	metrics_free(metrics);
}

static void test_promtool(void **state)
{
	struct metrics_histogram histogram = { 0 };
	struct metrics *metrics;

	(void)state;
	if (!have_promtool())
		skip();
	assert_int_equal(metrics_new(&metrics), 0);
	metrics_family(metrics, "dnetbpf_packets_total", "counter", "Packets judged, as \"seen\" on the wire\\line\n.");
	/* Enough to make the text grow several times. */
	for (unsigned int i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "web-%u", i);
		metrics_sample_u64(metrics, "dnetbpf_packets_total", i, "container", name, "service", "a\"b\\c\nd\xff", NULL);
	}
	metrics_family(metrics, "dnetbpf_flows", "gauge", "Connections.");
	metrics_sample(metrics, "dnetbpf_flows", NAN, NULL);
	metrics_observe(&histogram, 0.3);
	metrics_family(metrics, "dnetbpf_attach_seconds", "histogram", "Time to attach.");
	metrics_histogram(metrics, "dnetbpf_attach_seconds", &histogram);
	assert_int_equal(promtool(text_of(metrics)), 0);
	metrics_free(metrics);
	/* It does object to what is wrong. */
	assert_int_not_equal(promtool("a{l=\"\xff\"} 1\n"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text), cmocka_unit_test(test_escapes), cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_promtool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
