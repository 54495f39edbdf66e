/* SPDX-License-Identifier: GPL-2.0 */
#include <dnetbpf/abi.h>

#include "cli/cli.h"
#include "dataplane/version.h"

#ifndef DNETBPF_VERSION
#define DNETBPF_VERSION "0.1.0-dev"
#endif

const char *cli_version(void)
{
	return DNETBPF_VERSION;
}

int command_version(const struct cli_values *values)
{
	json_t *body;

	if (!values->json) {
		printf("dnetbpf %s (ABI %d, libbpf %s)\n", cli_version(), DNET_ABI_VERSION, dataplane_libbpf_version());
		return CLI_OK;
	}
	body = json_pack("{s:s, s:i, s:s}", "version", cli_version(), "abi", DNET_ABI_VERSION, "libbpf", dataplane_libbpf_version());
	cli_print_json(body);
	json_decref(body);
	return CLI_OK;
}
