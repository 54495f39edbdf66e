/* SPDX-License-Identifier: GPL-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench.h"
#include "control/client.h"

#define LOG PLACE_DIRECTORY "/daemon.log"
#define METRICS_PORT 9469
#define MAX_ARGUMENTS 32
#define PATIENCE_MS 30000

static void pause_ms(long ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

/* What the daemon said last, for the error sentence. */
static const char *last_words(char *buffer, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(LOG, "re");
	char line[512];

	snprintf(buffer, size, "nothing");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(buffer, size, "%s", line);
	}
	return buffer;
}

static void become_daemon(const char *program, const char *const *arguments)
{
	const char *all[MAX_ARGUMENTS] = { program, "run", "--control", PLACE_CONTROL, "--pin", PLACE_PIN, "--metrics", "127.0.0.1:9469" };
	cpu_set_t cores;
	int log = open(LOG, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	size_t count = 8;

	while (*arguments && count < MAX_ARGUMENTS - 1)
		all[count++] = *arguments++;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(0);
	/* Also when who starts it keeps to one: its own work is not to be in the way of what is measured there. */
	memset(&cores, 0xff, sizeof(cores));
	sched_setaffinity(0, sizeof(cores), &cores);
	if (log >= 0) {
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
	}
	execv(program, (char *const *)all);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", program, strerror(errno));
	_exit(127);
}

int daemon_start(const char *program, const char *const *arguments, pid_t *ret_pid, double *ret_ms, struct error *error)
{
	struct error ignored = {};
	char words[512];
	json_t *body = NULL;
	double start;
	pid_t pid;

	fflush(stdout);
	start = now_ms();
	pid = fork();
	if (pid == 0)
		become_daemon(program, arguments);
	if (pid < 0)
		return error_set(error, -errno, "cannot fork: %s", strerror(errno));
	while (access(PLACE_CONTROL, F_OK) < 0 || control_request(PLACE_CONTROL, "GET", "/v1/status", NULL, &body, &ignored) < 0) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return error_set(error, -ECHILD, "the daemon ended at once; it said: %s", last_words(words, sizeof(words)));
		if (now_ms() - start > PATIENCE_MS) {
			daemon_stop(pid);
			return error_set(error, -ETIMEDOUT, "the daemon does not answer; it said: %s", last_words(words, sizeof(words)));
		}
		pause_ms(1);
	}
	*ret_ms = now_ms() - start;
	json_decref(body);
	*ret_pid = pid;
	return 0;
}

int daemon_wait(const char *state, int count, struct error *error)
{
	double end = now_ms() + PATIENCE_MS;
	json_int_t seen = -1;

	while (now_ms() < end) {
		json_t *body;
		int r = control_request(PLACE_CONTROL, "GET", "/v1/status", NULL, &body, error);

		if (r < 0)
			return r;
		seen = json_integer_value(json_object_get(json_object_get(body, "endpoints"), state));
		json_decref(body);
		if (seen == count)
			return 0;
		pause_ms(20);
	}
	return error_set(error, -ETIMEDOUT, "%d interfaces were to be %s, %d are", count, state, (int)seen);
}

int metrics_fetch(char **ret, struct error *error)
{
	static const char request[] = "GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(METRICS_PORT), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_free_ char *text = NULL;
	char buffer[65536];
	size_t length;
	FILE *file;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    write(fd, request, sizeof(request) - 1) != sizeof(request) - 1)
		return error_set(error, -errno, "cannot ask for the metrics: %s", strerror(errno));
	file = open_memstream(&text, &length);
	if (!file)
		return error_set(error, -ENOMEM, "out of memory");
	for (ssize_t size; (size = read(fd, buffer, sizeof(buffer))) > 0;)
		fwrite(buffer, 1, size, file);
	if (fclose(file) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	*ret = TAKE_PTR(text);
	return 0;
}

void daemon_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	unlink(PLACE_CONTROL);
}
