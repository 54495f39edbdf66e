/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Eight bytes at a time: set files have megabytes. Multiplying carries a difference up, the rotation brings it down again. */
static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i += sizeof(uint64_t)) {
		size_t rest = count - i < sizeof(uint64_t) ? count - i : sizeof(uint64_t);
		uint64_t word = 0;

		memcpy(&word, bytes + i, rest);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash = hash << 29 | hash >> 35;
	}
	return hash ^ count;
}

/* @newest: the last change of any of the files, so far. */
static uint64_t hash_file(uint64_t hash, const char *path, uint64_t *newest)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat file;
	uint64_t changed;
	void *text;

	hash = text_hash(hash, path);
	if (fd < 0 || fstat(fd, &file) < 0 || !S_ISREG(file.st_mode))
		return text_hash(hash, "\n-\n");
	changed = (uint64_t)file.st_ctim.tv_sec * 1000000000ull + file.st_ctim.tv_nsec;
	if (changed > *newest)
		*newest = changed;
	/* Not mmap(): a file that is cut short while it is read would be a SIGBUS. */
	text = malloc(65536);
	if (!text)
		return hash;
	for (ssize_t size; (size = read(fd, text, 65536)) > 0;)
		hash = hash_bytes(hash, text, size);
	free(text);
	return text_hash(hash, "\n.\n");
}

static uint64_t hash_folder(uint64_t hash, const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);

	hash = text_hash(hash, path);
	for (int i = 0; i < count; i++) {
		hash = text_hash(text_hash(hash, names[i]->d_name), "\n");
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return hash;
}

uint64_t files_hash(const char *file, const char *hand_path, const struct policy_set *set, uint64_t *newest)
{
	uint64_t hash = hash_file(hash_file(TEXT_HASH_SEED, file, newest), hand_path, newest);

	for (size_t i = 0; i < set->source_count; i++)
		if (!set->sources[i].directory && strcmp(set->sources[i].path, file) != 0)
			hash = hash_file(hash, set->sources[i].path, newest);
	return hash ? hash : 1;
}

uint64_t folders_hash(const struct policy_set *set)
{
	uint64_t hash = TEXT_HASH_SEED;

	for (size_t i = 0; i < set->source_count; i++)
		if (set->sources[i].directory)
			hash = hash_folder(hash, set->sources[i].path);
	return hash;
}

