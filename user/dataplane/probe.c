/* SPDX-License-Identifier: GPL-2.0 */
#include "dataplane/probe.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

#include "base/cleanup.h"

static bool capable(cap_value_t capability)
{
	cap_t mine = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (!mine)
		return false;
	if (cap_get_flag(mine, capability, CAP_EFFECTIVE, &value) < 0)
		value = CAP_CLEAR;
	cap_free(mine);
	return value == CAP_SET;
}

void probe_run(struct probe *ret)
{
	struct probe probe = {};
	struct utsname name;

	if (uname(&name) == 0) {
		snprintf(probe.kernel, sizeof(probe.kernel), "%s", name.release);
		sscanf(name.release, "%u.%u", &probe.kernel_major, &probe.kernel_minor);
	}
	probe.kernel_supported = probe.kernel_major > 5 || (probe.kernel_major == 5 && probe.kernel_minor >= 15);
	probe.tcx = probe.kernel_major > 6 || (probe.kernel_major == 6 && probe.kernel_minor >= 6);
	probe.cap_bpf = capable(CAP_BPF) || capable(CAP_SYS_ADMIN);
	probe.cap_net_admin = capable(CAP_NET_ADMIN);
	*ret = probe;
}

static bool is_bpffs(const char *path)
{
	struct statfs status;

	return statfs(path, &status) == 0 && (unsigned long)status.f_type == BPF_FS_MAGIC;
}

int probe_bpffs(const char *pin, bool *ret_mounted, struct error *error)
{
	static const char standard[] = "/sys/fs/bpf";
	char parent[4096], *slash;

	*ret_mounted = false;
	snprintf(parent, sizeof(parent), "%s", pin);
	slash = strrchr(parent, '/');
	if (parent[0] != '/' || slash == parent)
		return error_set(error, -EINVAL, "the pin directory %s must be an absolute path inside a bpffs, such as "
				 "/sys/fs/bpf/dnetbpf", pin);
	*slash = '\0';
	if (is_bpffs(parent))
		return 0;
	if (strncmp(pin, standard, sizeof(standard) - 1) == 0 && pin[sizeof(standard) - 1] == '/' && !is_bpffs(standard)) {
		if (mkdir(standard, 0755) < 0 && errno != EEXIST)
			return error_set(error, -errno, "there is no bpffs at %s and it cannot be made: %s", standard, strerror(errno));
		if (mount("bpf", standard, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
			return error_set(error, -errno, "no bpffs is mounted at %s and mounting one failed: %s; mount it with "
					 "`mount -t bpf bpf %s`", standard, strerror(errno), standard);
		*ret_mounted = true;
		if (is_bpffs(parent))
			return 0;
	}
	return error_set(error, -ENOTDIR, "the pin directory %s is not in a bpffs; choose one below /sys/fs/bpf with --pin, "
			 "or mount a bpffs there with `mount -t bpf bpf %s`", pin, parent);
}
