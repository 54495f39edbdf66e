/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "compile/arena.h"
#include "daemon/live.h"

#define QUIET_MS 100	/* an editor that writes, removes and renames is waited for */
#define LONGEST_NS 1000000000ull	/* but not one that never ends */
#define SEEN (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

struct target {
	char *folder, *name;	/* owned; name NULL: everything in the folder */
	int descriptor;		/* of the folder's watch; -1: there is no such folder */
};

struct watch {
	int fd;
	struct event *readable, *quiet_timer;
	struct target *targets, *former;
	size_t count, room, former_count;
	uint64_t first_ns;	/* of the changes that are not reported yet; 0: none */
	void (*changed)(void *context);
	void *context;
};

static void free_targets(struct target *targets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(targets[i].folder);
		free(targets[i].name);
	}
	free(targets);
}

static void note_change(struct watch *watch)
{
	const struct timeval quiet = { .tv_usec = QUIET_MS * 1000 };
	uint64_t now = monotonic_ns();

	if (!watch->first_ns)
		watch->first_ns = now;
	if (now - watch->first_ns < LONGEST_NS || !evtimer_pending(watch->quiet_timer, NULL))
		evtimer_add(watch->quiet_timer, &quiet);
}

static void on_quiet(evutil_socket_t fd, short what, void *context)
{
	struct watch *watch = context;

	(void)fd;
	(void)what;
	watch->first_ns = 0;
	watch->changed(watch->context);
}

static bool concerns(struct watch *watch, const struct inotify_event *event)
{
	bool found = event->mask & IN_Q_OVERFLOW;

	for (size_t i = 0; i < watch->count; i++) {
		struct target *target = &watch->targets[i];

		if (target->descriptor != event->wd)
			continue;
		if (event->mask & (IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF))
			found = true;
		else
			found = found || !target->name || (event->len && strcmp(event->name, target->name) == 0);
		/* It is another folder that has the path from now on, or none. */
		if (event->mask & (IN_IGNORED | IN_MOVE_SELF))
			target->descriptor = -1;
	}
	if (event->mask & IN_MOVE_SELF)
		inotify_rm_watch(watch->fd, event->wd);
	return found;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct watch *watch = context;
	bool found = false;
	ssize_t size;

	(void)what;
	while ((size = read(fd, buffer, sizeof(buffer))) > 0)
		for (char *at = buffer; at < buffer + size;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			found = concerns(watch, event) || found;
			at += sizeof(*event) + event->len;
		}
	if (found)
		note_change(watch);
}

int watch_new(struct event_base *base, void (*changed)(void *context), void *context, struct watch **ret, struct error *error)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return error_set(error, -ENOMEM, "out of memory");
	watch->changed = changed;
	watch->context = context;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		int r = error_set(error, -errno, "cannot watch the policy files: %s (see /proc/sys/fs/inotify)", strerror(errno));

		free(watch);
		return r;
	}
	watch->readable = event_new(base, watch->fd, EV_READ | EV_PERSIST, on_readable, watch);
	watch->quiet_timer = evtimer_new(base, on_quiet, watch);
	if (!watch->readable || !watch->quiet_timer || event_add(watch->readable, NULL) < 0) {
		watch_free(watch);
		return error_set(error, -ENOMEM, "out of memory");
	}
	*ret = watch;
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->readable)
		event_free(watch->readable);
	if (watch->quiet_timer)
		event_free(watch->quiet_timer);
	close(watch->fd);
	free_targets(watch->targets, watch->count);
	free_targets(watch->former, watch->former_count);
	free(watch);
}

void watch_begin(struct watch *watch)
{
	free_targets(watch->former, watch->former_count);
	watch->former = watch->targets;
	watch->former_count = watch->count;
	watch->targets = NULL;
	watch->count = watch->room = 0;
}

static void add_target(struct watch *watch, const char *path, bool directory)
{
	const char *slash = strrchr(path, '/');
	struct stat file;
	struct target *target;

	if (array_grow((void **)&watch->targets, &watch->room, watch->count, sizeof(*watch->targets)) < 0)
		return;
	target = &watch->targets[watch->count];
	memset(target, 0, sizeof(*target));
	if (directory)
		target->folder = strdup(path);
	else
		target->folder = !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, slash - path);
	/* Behind a symbolic link anything in its folder may be what changes it. */
	if (!directory && !(lstat(path, &file) == 0 && S_ISLNK(file.st_mode)))
		target->name = strdup(slash ? slash + 1 : path);
	target->descriptor = target->folder ? inotify_add_watch(watch->fd, target->folder, SEEN | IN_ONLYDIR) : -1;
	watch->count++;
}

void watch_add(struct watch *watch, const char *path, bool directory)
{
	_cleanup_free_ char *real = realpath(path, NULL);

	add_target(watch, path, directory);
	if (real && strcmp(real, path) != 0)
		add_target(watch, real, directory);
}

void watch_end(struct watch *watch)
{
	for (size_t i = 0; i < watch->former_count; i++) {
		bool used = watch->former[i].descriptor < 0;

		for (size_t j = 0; j < watch->count && !used; j++)
			used = watch->targets[j].descriptor == watch->former[i].descriptor;
		if (!used)
			inotify_rm_watch(watch->fd, watch->former[i].descriptor);
	}
	free_targets(watch->former, watch->former_count);
	watch->former = NULL;
	watch->former_count = 0;
}

void watch_look(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		struct target *target = &watch->targets[i];

		if (target->descriptor >= 0)
			continue;
		target->descriptor = inotify_add_watch(watch->fd, target->folder, SEEN | IN_ONLYDIR);
		if (target->descriptor >= 0)
			note_change(watch);
	}
}
