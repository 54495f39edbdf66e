/* SPDX-License-Identifier: GPL-2.0 */
/* The socket file and who may use it; the metrics listener. */
#include "control_fixture.h"

static int try_server(const struct fixture *fixture, const char *path, struct error *error)
{
	struct event_base *base = event_base_new();
	struct control_server *server = NULL;
	struct history *history;
	int r;

	(void)fixture;
	assert_int_equal(history_new(&history), 0);
	r = control_server_new(base, path, routes, NULL, history, &server, error);
	if (r == 0) {
		struct stat file;

		assert_int_equal(stat(path, &file), 0);
		assert_int_equal(file.st_mode & 07777, 0660);
		assert_true(S_ISSOCK(file.st_mode));
	}
	control_server_free(server);
	history_free(history);
	event_base_free(base);
	return r;
}

static void test_socket_file(void **state)
{
	struct fixture *fixture = *state;
	struct error error = {};
	char path[160], longest[300];
	int fd, waiting[2];
	mode_t old;

	/* Another daemon is there; its socket stays. */
	assert_int_equal(try_server(fixture, fixture->socket, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, fixture->socket));
	json_decref(post(fixture, "/v1/echo", "{}"));

	/* One that is too busy to accept, too. */
	snprintf(path, sizeof(path), "%s/busy.sock", fixture->directory);
	fd = bind_to(path, 1);
	for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++)
		waiting[i] = connect_to(path);	/* one more than the backlog would block, so these are as many as it takes */
	assert_int_equal(try_server(fixture, path, &error), -EADDRINUSE);
	for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++)
		close(waiting[i]);
	close(fd);

	/* Left over by a daemon that was killed. */
	snprintf(path, sizeof(path), "%s/stale.sock", fixture->directory);
	close(bind_to(path, 1));
	for (mode_t mask = 0; mask <= 077; mask += 077) {
		old = umask(mask);
		if (try_server(fixture, path, &error) < 0)
			fail_msg("%s", error.text);
		umask(old);
		assert_int_equal(access(path, F_OK), -1);
	}

	/* Not ours to remove. */
	snprintf(path, sizeof(path), "%s/file", fixture->directory);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(try_server(fixture, path, &error), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/file/below", fixture->directory);
	assert_int_equal(try_server(fixture, path, &error), -ENOTDIR);

	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(try_server(fixture, longest, &error), -ENAMETOOLONG);
}

/* Another daemon took the path over meanwhile: its socket is not removed. */
static void test_foreign_socket_stays(void **state)
{
	struct fixture *fixture = *state;
	json_t *answer = NULL;
	struct error error = {};
	char moved[160];
	int fd;

	snprintf(moved, sizeof(moved), "%s/moved.sock", fixture->directory);
	assert_int_equal(rename(fixture->socket, moved), 0);
	fd = bind_to(fixture->socket, 0);
	assert_int_equal(control_request(moved, "POST", "/v1/stop", NULL, &answer, &error), 0);
	json_decref(answer);
	pthread_join(fixture->thread, NULL);
	fixture->running = false;
	assert_int_equal(access(fixture->socket, F_OK), 0);
	assert_int_equal(unlink(fixture->socket), 0);
	close(fd);
}

/* Who asks, in a child with another identity: the HTTP status of the answer. */
static int status_as(const struct fixture *fixture, gid_t group, gid_t further)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		static const char request[] = REQUEST("GET /v1/echo", "");
		char answer[32] = "";
		int fd;

		if (setgroups(1, &further) < 0 || setgid(group) < 0 || setuid(65534) < 0)
			_exit(1);
		fd = connect_to(fixture->socket);
		if (fd < 0)
			_exit(2);
		if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 || recv(fd, answer, sizeof(answer) - 1, 0) <= 0)
			_exit(3);
		_exit(atoi(answer + strlen("HTTP/1.1 ")) / 100 * 10 + atoi(answer + strlen("HTTP/1.1 ")) % 10);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_credentials(void **state)
{
	struct fixture *fixture = *state;

	if (geteuid() != 0) {
		print_message("SKIPPED: taking another identity wants root\n");
		skip();
	}
	assert_int_equal(status_as(fixture, 65533, 65533), 2);	/* the file's mode keeps strangers out */
	assert_int_equal(chown(fixture->socket, 0, 4242), 0);
	assert_int_equal(chmod(fixture->socket, 0666), 0);
	assert_int_equal(status_as(fixture, 65533, 65533), 43);	/* and so does the daemon, when the mode does not */
	assert_int_equal(status_as(fixture, 4242, 65533), 20);
	assert_int_equal(status_as(fixture, 65533, 4242), 20);
}

static void test_metrics(void **state)
{
	static const struct {
		const char *request, *status, *part;
	} requests[] = {
		{ REQUEST("GET /metrics", ""), "200", "\r\n\r\n# HELP dnetbpf_events_total Events.\n" },
		{ REQUEST("GET /metrics", ""), "200", "text/plain; version=0.0.4" },
		{ REQUEST("HEAD /metrics", ""), "200", "Content-Length: 96\r\n" },
		{ REQUEST("GET /", ""), "404", "/metrics" },
		{ REQUEST("GET /v1/ps", ""), "404", "/metrics" },
		{ REQUEST("POST /metrics", "Content-Length: 0\r\n"), "405", "Allow: GET, HEAD" },
	};
	struct fixture *fixture = *state;
	char *answer, path[160], command[320];
	FILE *file;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		answer = exchange(connect_to_port(fixture->port), requests[i].request);
		if (strncmp(answer + strlen("HTTP/1.1 "), requests[i].status, 3) != 0 || !strstr(answer, requests[i].part))
			fail_msg("%s\nis %s\nwanted %s %s", requests[i].request, answer, requests[i].status, requests[i].part);
		free(answer);
	}
	if (access("/usr/bin/promtool", X_OK) < 0) {
		print_message("SKIPPED in part: promtool is not installed (package prometheus)\n");
		return;
	}
	answer = exchange(connect_to_port(fixture->port), requests[0].request);
	snprintf(path, sizeof(path), "%s/metrics", fixture->directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(strstr(answer, "\r\n\r\n") + 4, file);
	fclose(file);
	free(answer);
	snprintf(command, sizeof(command), "promtool check metrics < '%s'", path);
	assert_int_equal(system(command), 0);
}

static void test_metrics_addresses(void **state)
{
	struct fixture *fixture = *state;
	struct {
		const char *format;	/* with the port of the fixture, or without */
		int code;
	} addresses[] = {
		{ "127.0.0.1:%u", -EADDRINUSE }, { ":%u", -EADDRINUSE }, { "[::1]:%u", 0 }, { "127.0.0.2:%u", 0 },
		{ "9469", -EINVAL }, { "127.0.0.1", -EINVAL }, { "127.0.0.1:", -EINVAL }, { "127.0.0.1:http", -EINVAL },
		{ "127.0.0.1:65536", -EINVAL }, { "127.0.0.1:123456", -EINVAL }, { "::1:%u", -EINVAL }, { "[::1:%u", -EINVAL },
		{ "1.2.3.4.5:%u", -EINVAL }, { "198.18.7.7:%u", -EADDRNOTAVAIL }, { "", -EINVAL },
	};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct event_base *base = event_base_new();
		struct metrics_server *server = NULL;
		struct error error = {};
		char address[64];
		int r;

		snprintf(address, sizeof(address), addresses[i].format, fixture->port);
		r = metrics_server_new(base, address, collect, NULL, &server, &error);
		if (r != addresses[i].code)
			fail_msg("%s: %d (%s), wanted %d", address, r, error.text, addresses[i].code);
		if (r < 0)
			assert_non_null(strstr(error.text, address));
		metrics_server_free(server);
		event_base_free(base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_socket_file), FIXTURE_TEST(test_foreign_socket_stays), FIXTURE_TEST(test_credentials),
		FIXTURE_TEST(test_metrics), FIXTURE_TEST(test_metrics_addresses),
	};

	enter_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
