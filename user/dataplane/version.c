/* SPDX-License-Identifier: GPL-2.0 */
#include "dataplane/version.h"

#include <bpf/libbpf.h>

const char *dataplane_libbpf_version(void)
{
	const char *version = libbpf_version_string();

	return *version == 'v' ? version + 1 : version;
}
