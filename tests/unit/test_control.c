/* SPDX-License-Identifier: GPL-2.0 */
/* Requests, answers and event streams on the control socket. */
#include "control_fixture.h"

static void test_requests(void **state)
{
	static const struct {
		const char *request, *status, *body;
	} requests[] = {
		{ REQUEST("GET /v1/echo", ""), "200", "{\"request\":null}" },
		{ REQUEST("POST /v1/echo", "Content-Length: 7\r\n") "{\"a\":1}", "200", "{\"request\":{\"a\":1}}" },
		{ REQUEST("POST /v1/echo", "Content-Length: 0\r\n"), "200", "{\"request\":null}" },
		{ REQUEST("POST /v1/echo", "Content-Length: 5\r\n") "{\"a\":", "400", "is no JSON" },
		{ REQUEST("POST /v1/echo", "Content-Length: 13\r\n") "{\"a\":1,\"a\":2}", "400", "is no JSON" },
		{ REQUEST("GET /v1/nothing", ""), "404", "\"error\":\"the daemon has nothing at /v1/nothing" },
		{ REQUEST("GET /v1/fail", ""), "405", "only POST is possible here" },
		{ REQUEST("DELETE /v1/echo", ""), "405", "\"error\"" },
		{ REQUEST("POST /v1/events", "Content-Length: 0\r\n"), "405", "Allow: GET" },
		{ REQUEST("GET /v1/events?follow=yes", ""), "400", "write follow=1" },
		{ REQUEST("GET /v1/events?history=-1", ""), "400", "no number of events" },
		{ REQUEST("GET /v1/events?history=1234567890", ""), "400", "no number of events" },
		{ REQUEST("GET /v1/events", ""), "200", "application/x-ndjson" },
		{ REQUEST("POST /v1/fail", "Content-Length: 11\r\n") "{\"code\":-2}", "404", "{\"error\":\"sentence of -2\"}" },
		{ REQUEST("POST /v1/fail", "Content-Length: 12\r\n") "{\"code\":-22}", "400", "{\"error\":\"sentence of -22\"}" },
		{ REQUEST("POST /v1/fail", "Content-Length: 12\r\n") "{\"code\":-16}", "409", "{\"error\":\"sentence of -16\"}" },
		{ REQUEST("POST /v1/fail", "Content-Length: 11\r\n") "{\"code\":-5}", "500", "{\"error\":\"sentence of -5\"}" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		char *answer = exchange(connect_to(fixture->socket), requests[i].request);

		if (strncmp(answer + strlen("HTTP/1.1 "), requests[i].status, 3) != 0 || !strstr(answer, requests[i].body))
			fail_msg("%s\nis %s\nwanted %s %s", requests[i].request, answer, requests[i].status, requests[i].body);
		free(answer);
	}
}

static void test_body_bound(void **state)
{
	static const struct {
		size_t size;
		const char *status;
	} sizes[] = { { 1 << 20, "200" }, { (1 << 20) + 1, "413" }, { 8 << 20, "413" } };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *body = malloc(sizes[i].size), head[160], *answer;
		int fd = connect_to(fixture->socket);

		memset(body, ' ', sizes[i].size);
		body[0] = '{';
		body[sizes[i].size - 1] = '}';
		snprintf(head, sizeof(head), REQUEST("POST /v1/echo", "Content-Length: %zu\r\n"), sizes[i].size);
		send_all(fd, head, strlen(head));
		send_all(fd, body, sizes[i].size);
		answer = receive(fd, NULL);
		assert_memory_equal(answer + strlen("HTTP/1.1 "), sizes[i].status, 3);
		free(answer);
		free(body);
		close(fd);
	}
}

static int ignore_line(void *context, const char *text)
{
	(void)context, (void)text;
	return 0;
}

static void test_client(void **state)
{
	static const struct {
		const char *body;
		int code;
	} failures[] = { { "{\"code\":-2}", -ENOENT }, { "{\"code\":-22}", -EINVAL }, { "{\"code\":-16}", -EBUSY },
			 { "{\"code\":-13}", -EACCES }, { "{\"code\":-5}", -EIO } };
	struct fixture *fixture = *state;
	struct error error = {};
	json_t *answer = NULL;
	char path[160];

	assert_int_equal(control_request(fixture->socket, "GET", "/v1/echo", NULL, &answer, &error), 0);
	assert_true(json_is_null(json_object_get(answer, "request")));
	json_decref(answer);
	answer = post(fixture, "/v1/echo", "{\"b\":[1,2]}");
	assert_int_equal(json_array_size(json_object_get(json_object_get(answer, "request"), "b")), 2);
	json_decref(answer);
	answer = NULL;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		json_t *body = json_loads(failures[i].body, 0, NULL);

		assert_int_equal(control_request(fixture->socket, "POST", "/v1/fail", body, &answer, &error), failures[i].code);
		assert_non_null(strstr(error.text, "sentence of -"));
		assert_null(answer);
		json_decref(body);
	}
	snprintf(path, sizeof(path), "%s/nobody.sock", fixture->directory);
	assert_int_equal(control_request(path, "GET", "/v1/echo", NULL, &answer, &error), -ENOTCONN);
	assert_non_null(strstr(error.text, "dnetbpf run"));
	assert_non_null(strstr(error.text, path));
	/* A socket file that a killed daemon left. */
	close(bind_to(path, 0));
	assert_int_equal(control_request(path, "GET", "/v1/echo", NULL, &answer, &error), -ENOTCONN);
	assert_int_equal(control_stream(path, "/v1/events", ignore_line, NULL, &error), -ENOTCONN);
}

struct reading {
	struct fixture *fixture;
	unsigned int lines, wanted;	/* wanted: stop then */
	uint32_t last;
	uint64_t lost;
};

static void take(struct reading *reading, const char *text)
{
	json_t *event = json_loads(text, 0, NULL);

	assert_non_null(event);
	if (json_object_get(event, "lost")) {
		reading->lost += (uint64_t)json_integer_value(json_object_get(event, "lost"));
		reading->last += (uint32_t)json_integer_value(json_object_get(event, "lost"));
	} else {
		reading->lines++;
		/* In order, nothing twice, and what is missing has been told. */
		if (reading->last)
			assert_int_equal(json_integer_value(json_object_get(event, "bytes")), reading->last + 1);
		reading->last = (uint32_t)json_integer_value(json_object_get(event, "bytes"));
	}
	json_decref(event);
}

static int count_lines(void *context, const char *text)
{
	struct reading *reading = context;

	if (!text)
		return 0;
	take(reading, text);
	return reading->wanted && reading->lines == reading->wanted;
}

static void add_events(const struct fixture *fixture, unsigned int count)
{
	char body[32];

	snprintf(body, sizeof(body), "{\"count\":%u}", count);
	json_decref(post(fixture, "/v1/add", body));
}

static void test_history(void **state)
{
	static const struct {
		unsigned int add;
		const char *path;
		unsigned int lines;
	} steps[] = {
		{ 0, "/v1/events", 0 }, { 5, "/v1/events", 5 }, { 0, "/v1/events?history=2", 2 }, { 0, "/v1/events?history=0", 0 },
		{ 0, "/v1/events?history=999999999", 5 }, { 0, "/v1/events?follow=0&history=3", 3 },
		{ 10000, "/v1/events", HISTORY_EVENTS },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct reading reading = { 0 };
		struct error error = {};

		add_events(fixture, steps[i].add);
		if (control_stream(fixture->socket, steps[i].path, count_lines, &reading, &error) < 0)
			fail_msg("%s: %s", steps[i].path, error.text);
		assert_int_equal(reading.lines, steps[i].lines);
		assert_int_equal(reading.lost, 0);
		if (steps[i].lines)
			assert_int_equal(reading.last, fixture->added);
	}
}

/* Each line makes the next event: none of them is there before the follower is. */
static int add_one_more(void *context, const char *text)
{
	struct reading *reading = context;

	if (!text)
		return 0;
	take(reading, text);
	if (reading->lines == 20)
		return 1;
	add_events(reading->fixture, 1);
	return 0;
}

static void test_follow(void **state)
{
	struct fixture *fixture = *state;
	struct reading reading = { .fixture = fixture };
	struct error error = {};

	add_events(fixture, 3);
	if (control_stream(fixture->socket, "/v1/events?follow=1&history=1", add_one_more, &reading, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(reading.lines, 20);
	assert_int_equal(reading.last, 22);
}

static int stop_when_idle(void *context, const char *text)
{
	struct reading *reading = context;

	if (text)
		take(reading, text);
	return !text && reading->lines;
}

/* A reader that has enough can go although nothing comes any more. */
static void test_idle(void **state)
{
	struct fixture *fixture = *state;
	struct reading reading = { 0 };
	struct error error = {};

	add_events(fixture, 1);
	assert_int_equal(control_stream(fixture->socket, "/v1/events?follow=1&history=1", stop_when_idle, &reading, &error), 0);
	assert_int_equal(reading.lines, 1);
}

static int follow_raw(const struct fixture *fixture, const char *query)
{
	int fd = connect_to(fixture->socket);
	char request[160];

	assert_true(fd >= 0);
	/* HTTP/1.0: no chunks, so that the raw bytes are the lines. */
	snprintf(request, sizeof(request), "GET /v1/events?follow=1%s HTTP/1.0\r\n\r\n", query);
	send_all(fd, request, strlen(request));
	return fd;
}

/* A follower that does not read loses the oldest lines, is told how many, and holds nobody up. */
static void test_slow_follower(void **state)
{
	struct fixture *fixture = *state;
	struct reading reading = { 0 };
	char *text, *line, *end;
	int fd;

	add_events(fixture, 1);
	fd = follow_raw(fixture, "&history=1");
	text = receive(fd, "\"bytes\":1,");
	take(&reading, strstr(text, "\r\n\r\n") + 4);
	free(text);
	for (int i = 0; i < 30; i++)
		add_events(fixture, 1000);
	text = receive(fd, "\"bytes\":30001,\"count\":0}\n");
	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		take(&reading, line);
	}
	assert_int_equal(reading.last, 30001);
	assert_true(reading.lost > 0);
	assert_int_equal(reading.lost + reading.lines, 30001);
	free(text);
	close(fd);
}

static bool may_follow(const struct fixture *fixture)
{
	int fd = follow_raw(fixture, "&history=0");
	char *answer = receive(fd, "\r\n\r\n");
	bool may = strstr(answer, " 200 ");

	if (!may)
		assert_non_null(strstr(answer, " 503 "));
	free(answer);
	close(fd);
	return may;
}

/* Followers are bounded, and one that goes away is noticed on a host where nothing is denied. */
static void test_followers_bound(void **state)
{
	struct fixture *fixture = *state;
	uint64_t deadline = now_ms() + DEADLINE_MS;
	int fds[EVENT_STREAM_MAX_FOLLOWERS];

	for (int i = 0; i < EVENT_STREAM_MAX_FOLLOWERS; i++) {
		fds[i] = follow_raw(fixture, "&history=0");
		free(receive(fds[i], " 200 "));
	}
	assert_false(may_follow(fixture));
	add_events(fixture, 1);	/* commands still get through */
	for (int i = 0; i < EVENT_STREAM_MAX_FOLLOWERS; i++)
		close(fds[i]);
	while (!may_follow(fixture)) {
		if (now_ms() > deadline)
			fail_msg("followers that went away are still counted");
		rest();
	}
}

static int stop_server(void *context, const char *text)
{
	struct reading *reading = context;
	json_t *answer;

	if (!text)
		return 0;
	take(reading, text);
	answer = post(reading->fixture, "/v1/stop", "{}");
	json_decref(answer);
	return 0;
}

/* The end of the daemon ends its followers in order, and at once. */
static void test_end(void **state)
{
	struct fixture *fixture = *state;
	struct reading reading = { .fixture = fixture };
	struct error error = {};
	json_t *answer = NULL;
	uint64_t begun = now_ms();

	add_events(fixture, 1);
	if (control_stream(fixture->socket, "/v1/events?follow=1&history=1", stop_server, &reading, &error) < 0)
		fail_msg("%s", error.text);
	pthread_join(fixture->thread, NULL);
	fixture->running = false;
	assert_int_equal(reading.lines, 1);
	assert_true(now_ms() - begun < 5000);
	assert_int_equal(control_request(fixture->socket, "GET", "/v1/echo", NULL, &answer, &error), -ENOTCONN);
}

/* An answer that is only half sent when the daemon ends is sent to its end. */
static void test_end_of_long_answer(void **state)
{
	struct fixture *fixture = *state;
	struct reading reading = { 0 };
	char *text, *line, *end;
	int fd;

	add_events(fixture, HISTORY_EVENTS);
	fd = connect_to(fixture->socket);
	send_all(fd, "GET /v1/events HTTP/1.0\r\n\r\n", strlen("GET /v1/events HTTP/1.0\r\n\r\n"));
	text = receive(fd, "\r\n\r\n");
	json_decref(post(fixture, "/v1/stop", "{}"));
	line = strstr(text, "\r\n\r\n") + 4;
	end = receive(fd, NULL);
	line = realloc(strdup(line), strlen(line) + strlen(end) + 1);
	strcat(line, end);
	free(end);
	free(text);
	text = line;
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		take(&reading, line);
	}
	assert_int_equal(reading.lines, HISTORY_EVENTS);
	free(text);
	close(fd);
	pthread_join(fixture->thread, NULL);
	fixture->running = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_requests), FIXTURE_TEST(test_body_bound), FIXTURE_TEST(test_client), FIXTURE_TEST(test_history),
		FIXTURE_TEST(test_follow), FIXTURE_TEST(test_idle), FIXTURE_TEST(test_slow_follower),
		FIXTURE_TEST(test_followers_bound), FIXTURE_TEST(test_end),
		FIXTURE_TEST(test_end_of_long_answer),
	};

	enter_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
