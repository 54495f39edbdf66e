/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "daemon/state.h"

/* Enough for attaching, pins, maps and rtnetlink. Everything that needs more (bpffs mount, sockets, loading) is behind us. */
int privilege_drop(struct error *error)
{
	static const cap_value_t keep[] = { CAP_BPF, CAP_NET_ADMIN };
	cap_t wanted = cap_init();
	int r = 0;

	/* As far as it is allowed (CAP_SETPCAP): without the bounding set not even a set-uid program could get them back. */
	for (cap_value_t capability = 0; CAP_IS_SUPPORTED(capability); capability++)
		if (capability != CAP_BPF && capability != CAP_NET_ADMIN && cap_drop_bound(capability) < 0)
			break;
	if (!wanted || cap_set_flag(wanted, CAP_PERMITTED, 2, keep, CAP_SET) < 0 ||
	    cap_set_flag(wanted, CAP_EFFECTIVE, 2, keep, CAP_SET) < 0 || cap_set_proc(wanted) < 0)
		r = error_set(error, -errno, "cannot give up privileges: %s", strerror(errno));
	cap_free(wanted);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = error_set(error, -errno, "cannot renounce new privileges: %s", strerror(errno));
	return r;
}
