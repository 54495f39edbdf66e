/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DNETBPF_BASE_FILE_H
#define DNETBPF_BASE_FILE_H

#include <stddef.h>
#include <time.h>

#include "base/error.h"

/*
 * All bytes of the regular file @path (no pipe: that would make us wait), without a zero behind them; owned by the caller. A file that
 * is written at this moment is -EAGAIN, one of more than @most_mib is -EFBIG; the sentence begins with "FILE: ". *ret_changed: when
 * it was written last (mtime); may be NULL.
 */
int file_read(const char *path, unsigned int most_mib, char **ret, size_t *ret_length, struct timespec *ret_changed, struct error *error);

/*
 * Put @text in the place of the file @path: whoever reads it sees the old content or the new one, after a crash, too. It is written
 * beside it first, to a name with a leading dot, and what a crashed writer left there is overwritten. 0 or a negative errno.
 */
int file_replace(const char *path, const char *text, size_t length);

#endif
