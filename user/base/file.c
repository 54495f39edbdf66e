/* SPDX-License-Identifier: GPL-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int file_error(struct error *error, int code, const char *path, const char *sentence)
{
	return error_set_place(error, code, path, 0, 0, 0, sentence);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int file_read(const char *path, unsigned int most_mib, char **ret, size_t *ret_length, struct timespec *ret_changed, struct error *error)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat status, after;
	size_t length = 0, room;
	char sentence[64];

	if (fd < 0 || fstat(fd, &status) < 0)
		return file_error(error, -errno, path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return file_error(error, -EINVAL, path, "this is not a file");
	if ((uint64_t)status.st_size > (uint64_t)most_mib << 20) {
		snprintf(sentence, sizeof(sentence), "the file is larger than %u MiB", most_mib);
		return file_error(error, -EFBIG, path, sentence);
	}
	room = (size_t)status.st_size + 1;
	/* Not mapped: a mapped file could become shorter under our hands. */
	text = malloc(room);
	if (!text)
		return file_error(error, -ENOMEM, path, "out of memory");
	while (length < room) {
		ssize_t n = read(fd, text + length, room - length);

		if (n < 0)
			return file_error(error, -errno, path, strerror(errno));
		if (n == 0)
			break;
		length += (size_t)n;
	}
	/* Somebody writes at this moment: there is one byte more than it had, or one less, or another one. */
	if (length + 1 != room || fstat(fd, &after) < 0 || after.st_size != status.st_size || !same_time(after.st_mtim, status.st_mtim))
		return file_error(error, -EAGAIN, path, "the file changed while it was read: try again");
	if (ret_changed)
		*ret_changed = status.st_mtim;
	*ret = TAKE_PTR(text);
	*ret_length = length;
	return 0;
}

static int write_and_sync(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(fd, text, length);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			text += written;
			length -= (size_t)written;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int file_replace(const char *path, const char *text, size_t length)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
	_cleanup_free_ char *beside = NULL;
	_cleanup_close_ int folder_fd = -1, fd = -1;
	int r;

	if (!folder || asprintf(&beside, "%s.%s.new", folder, slash ? slash + 1 : path) < 0) {
		beside = NULL;	/* asprintf() leaves it undefined */
		return -ENOMEM;
	}
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = folder_fd < 0 ? -1 : open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_and_sync(fd, text, length);
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(beside);
		return r;
	}
	return fsync(folder_fd) < 0 ? -errno : 0;
}
