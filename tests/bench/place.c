/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench.h"

/* Fewer packets from the kernel itself: only ours are wanted. */
static void no_ipv6(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "we");

	if (file)
		fputs("1\n", file);
}

static int loopback_up(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int enter(struct error *error)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return error_set(error, -errno, "cannot make namespaces: %s; run this as root", strerror(errno));
	/* Private before anything is mounted: the machine must not see it. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("bench", PLACE_DIRECTORY, "tmpfs", 0, NULL) < 0 || mkdir(PLACE_BPFFS, 0700) < 0 ||
	    mount("bench", PLACE_BPFFS, "bpf", 0, NULL) < 0)
		return error_set(error, -errno, "cannot mount in a namespace of its own: %s", strerror(errno));
	no_ipv6();
	return loopback_up();
}

int place_run(const char *what, unsigned int seconds, int (*body)(void *context, struct error *error), void *context)
{
	struct error *error = shared_memory(sizeof(*error));
	int *result = shared_memory(sizeof(*result));
	int status;
	pid_t pid;

	fflush(stdout);
	*result = -ECHILD;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The default action ends the process; the daemon that it started dies with it. */
		alarm(seconds);
		*result = enter(error);
		if (*result == 0)
			*result = body(context, error);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0) {
		*result = error_set(error, -errno, "cannot fork: %s", strerror(errno));
	} else {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFSIGNALED(status))
			*result = error_set(error, -ETIMEDOUT, WTERMSIG(status) == SIGALRM ? "not done after %u s" :
					    "ended by a signal within %u s", seconds);
	}
	if (*result < 0)
		fprintf(stderr, "bench: %s: %s\n", what, error->text[0] ? error->text : strerror(-*result));
	return *result;
}

void place_pin_to_core(void)
{
	cpu_set_t set;
	int last = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			last = cpu;
	CPU_ZERO(&set);
	CPU_SET(last, &set);
	sched_setaffinity(0, sizeof(set), &set);
}
