/* SPDX-License-Identifier: GPL-2.0 */
#include <stdio.h>

#include "cli/cli.h"
#include "control/client.h"

int command_init(const struct cli_values *values)
{
	struct error error = {};
	json_t *body = NULL;

	if (control_request(values->control, "GET", "/v1/init", NULL, &body, &error) < 0)
		return cli_fail(&error);
	if (values->json)
		cli_print_json(body);
	else
		fputs(cli_text(body, "text"), stdout);
	json_decref(body);
	return CLI_OK;
}
