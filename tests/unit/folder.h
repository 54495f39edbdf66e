/* SPDX-License-Identifier: GPL-2.0 */
/* A folder of its own for a test that reads and writes files, removed whatever became of the test. */
#ifndef TESTS_UNIT_FOLDER_H
#define TESTS_UNIT_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[32];

static inline int folder_make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/dnetbpf-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
	(void)status;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline int folder_remove(void **state)
{
	(void)state;
	return nftw(folder, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of @name in the folder. Eight results live at a time. */
static inline char *in_folder(const char *name)
{
	static char paths[8][128];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* Folders in @name are made. */
static inline void put_file(const char *name, const char *text)
{
	char *path = in_folder(name);
	FILE *file;

	for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			fail_msg("%s: %s", path, strerror(errno));
		*slash = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* Owned by the caller. */
static inline char *get_file(const char *name)
{
	FILE *file = fopen(in_folder(name), "r");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		fail_msg("%s: %s", in_folder(name), strerror(errno));
	if (getdelim(&text, &size, '\0', file) < 0 && text)
		*text = '\0';
	fclose(file);
	return text;
}

#endif
