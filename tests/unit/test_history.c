/* SPDX-License-Identifier: GPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "observe/history.h"

static struct event_record numbered(uint32_t number)
{
	return (struct event_record){
		.verdict = DNET_DENY, .reason = DNET_REASON_DEFAULT_DENIED, .container = "web", .service = "", .network = "",
		.peer_container = "", .interface = "", .country = "", .policy = "", .rule = "", .origin = "",
		.bytes = number, .count = 1,
	};
}

static uint32_t number_of(const char *line)
{
	json_t *object = json_loads(line, 0, NULL);
	uint32_t number = (uint32_t)json_integer_value(json_object_get(object, "bytes"));

	assert_non_null(object);
	assert_null(strchr(line, '\n'));
	json_decref(object);
	return number;
}

static void add(struct history *history, uint32_t number)
{
	struct event_record record = numbered(number);

	assert_int_equal(history_add(history, &record), 0);
}

static void test_empty(void **state)
{
	struct history *history;

	(void)state;
	assert_int_equal(history_new(&history), 0);
	assert_int_equal(history_first(history), 1);
	assert_int_equal(history_next(history), 1);
	assert_null(history_line(history, 0));
	assert_null(history_line(history, 1));
	history_free(history);
	history_free(NULL);
}

/* The oldest go first, numbers never shift, and what is copied does not depend on the record's strings. */
static void test_wraps(void **state)
{
	const uint32_t total = HISTORY_EVENTS * 2 + 10;
	struct history *history;

	(void)state;
	assert_int_equal(history_new(&history), 0);
	for (uint32_t i = 1; i <= total; i++) {
		char name[8] = "web";
		struct event_record record = numbered(i);

		record.container = name;
		assert_int_equal(history_add(history, &record), 0);
		memset(name, 'x', sizeof(name) - 1);
		assert_int_equal(history_next(history), i + 1);
		assert_int_equal(history_first(history), i <= HISTORY_EVENTS ? 1 : i - HISTORY_EVENTS + 1);
	}
	assert_null(history_line(history, history_first(history) - 1));
	assert_null(history_line(history, history_next(history)));
	for (uint64_t i = history_first(history); i < history_next(history); i++) {
		assert_int_equal(number_of(history_line(history, i)), i);
		assert_non_null(strstr(history_line(history, i), "\"web\""));
	}
	history_free(history);
}

struct watcher {
	struct history *history;
	unsigned int calls;
	uint64_t seen;
};

static void on_wake(void *context)
{
	struct watcher *watcher = context;

	watcher->calls++;
	/* The new line is there before anybody is told of it. */
	watcher->seen = number_of(history_line(watcher->history, history_next(watcher->history) - 1));
}

static void test_watch(void **state)
{
	struct watcher watcher = { 0 };

	(void)state;
	assert_int_equal(history_new(&watcher.history), 0);
	add(watcher.history, 1);
	history_watch(watcher.history, on_wake, &watcher);
	add(watcher.history, 2);
	add(watcher.history, 3);
	assert_int_equal(watcher.calls, 2);
	assert_int_equal(watcher.seen, 3);
	history_watch(watcher.history, NULL, NULL);
	add(watcher.history, 4);
	assert_int_equal(watcher.calls, 2);
	history_free(watcher.history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty), cmocka_unit_test(test_wraps), cmocka_unit_test(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
