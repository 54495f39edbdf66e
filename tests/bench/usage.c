/* SPDX-License-Identifier: GPL-2.0 */
/* What a process takes. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bench.h"

#define MAX_MAPS 256

long long number_of(const char *path, const char *name)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			return atoll(line + strlen(name));
	return -1;
}

/* Mappings of BPF maps have a name of their own; "Rss:" is the second line of each. */
static long long mapped_kibibytes(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	bool of_map = false;
	long long sum = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		if (strchr("0123456789abcdef", line[0]))
			of_map = strstr(line, "anon_inode:bpf-map") != NULL;
		else if (of_map && strncmp(line, "Rss:", 4) == 0)
			sum += atoll(line + 4);
	}
	return sum;
}

void usage_of(pid_t pid, struct usage *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	ret->resident = (double)number_of(path, "VmRSS:") / 1024;
	ret->own = (double)number_of(path, "RssAnon:") / 1024;
	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	ret->mapped = (double)mapped_kibibytes(path) / 1024;
}

double map_mebibytes(pid_t pid)
{
	long long known[MAX_MAPS], sum = 0;
	size_t count = 0;
	char path[300];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)) && count < MAX_MAPS) {
		long long id;
		size_t i = 0;

		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.20s", pid, entry->d_name);
		id = number_of(path, "map_id:");
		while (i < count && known[i] != id)
			i++;
		if (id < 0 || i < count)
			continue;
		known[count++] = id;
		sum += number_of(path, "memlock:");
	}
	if (directory)
		closedir(directory);
	return (double)sum / 1048576;
}
