/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DNETBPF_BASE_FILE_H
#define DNETBPF_BASE_FILE_H

#include <stddef.h>

/*
 * Put @text in the place of the file @path: whoever reads it sees the old content or the new one, after a crash, too. It is written
 * beside it first, to a name with a leading dot, and what a crashed writer left there is overwritten. 0 or a negative errno.
 */
int file_replace(const char *path, const char *text, size_t length);

#endif
