/* SPDX-License-Identifier: GPL-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

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
