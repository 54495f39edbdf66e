/* SPDX-License-Identifier: GPL-2.0 */
/* What this kernel and these privileges allow. */
#ifndef DNETBPF_DATAPLANE_PROBE_H
#define DNETBPF_DATAPLANE_PROBE_H

#include <stdbool.h>

#include "base/error.h"

struct probe {
	unsigned int kernel_major, kernel_minor;
	char kernel[80];		/* uname release */
	bool kernel_supported;		/* 5.15 or newer */
	bool cap_bpf, cap_net_admin;	/* effective (CAP_SYS_ADMIN stands for CAP_BPF) */
	bool tcx;			/* a TCX link can be made (6.6) */
};

/* Never fails: what cannot be found out is false. */
void probe_run(struct probe *ret);

/* Make sure that @pin lies in a bpffs: mounts one at /sys/fs/bpf when the path is below it and none is there. *ret_mounted says
 * that it did. -errno with a sentence. */
int probe_bpffs(const char *pin, bool *ret_mounted, struct error *error);

#endif
