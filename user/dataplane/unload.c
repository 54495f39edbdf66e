/* SPDX-License-Identifier: GPL-2.0 */
#include "dataplane/unload.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dataplane/attach.h"
#include "dataplane/dataplane.h"
#include "dataplane/probe.h"

struct removal {
	const char *pin;
	int attached_fd;
	unsigned int interfaces;
};

static void remove_interface(void *context, const void *key)
{
	struct removal *removal = context;
	uint32_t ifindex, flags = 0;

	memcpy(&ifindex, key, sizeof(ifindex));
	if (map_get(removal->attached_fd, key, &flags) < 0)
		return;
	attach_remove(removal->pin, (int)ifindex, flags);
	removal->interfaces++;
}

static unsigned int remove_pins(const char *directory)
{
	DIR *stream = opendir(directory);
	unsigned int removed = 0;
	struct dirent *entry;
	char path[4096];
	struct stat status;

	if (!stream)
		return 0;
	while ((entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode))
			removed += remove_pins(path);
		else if (unlink(path) == 0)
			removed++;
	}
	closedir(stream);
	rmdir(directory);
	return removed;
}

int dataplane_unload(const char *pin, struct unload_report *ret, struct error *error)
{
	struct unload_report report = {};
	_cleanup_close_ int lock = -1, attached = -1;
	char path[4096];
	struct probe probe;
	int r;

	probe_run(&probe);
	if (!probe.cap_bpf || !probe.cap_net_admin)
		return error_set(error, -EPERM, "unloading needs CAP_BPF and CAP_NET_ADMIN: run it as root (sudo dnetbpf unload)");
	r = dataplane_lock(pin, &lock, error);
	if (r == -ENOENT) {
		*ret = report;
		return 0;
	}
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/attached", pin);
	attached = bpf_obj_get(path);
	if (attached >= 0) {
		struct removal removal = { .pin = pin, .attached_fd = attached };

		map_for_each_key(attached, sizeof(uint32_t), remove_interface, &removal);
		report.interfaces = removal.interfaces;
	}
	report.pins = remove_pins(pin);
	*ret = report;
	return 0;
}
