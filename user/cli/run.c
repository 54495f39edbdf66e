/* SPDX-License-Identifier: GPL-2.0 */
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "daemon/daemon.h"

int command_run(const struct cli_values *values)
{
	struct run_options options = {
		.config = values->config, .inventory = values->inventory, .docker = values->docker, .metrics = values->metrics,
		.control = values->control, .pin = values->pin, .log_json = values->log == 1 || values->json,
		.audit = values->audit, .once = values->once, .attach = (enum attach_choice)values->attach,
	};

	log_set_json(options.log_json);
	if (strcmp(options.inventory, "docker") != 0 &&
	    (strncmp(options.inventory, "static:", 7) != 0 || !options.inventory[7])) {
		log_error("--inventory %s: write docker, or static:FILE", options.inventory);
		return CLI_USAGE;
	}
	if (strncmp(options.docker, "unix:///", 8) != 0) {
		log_error("--docker %s: write unix:// and the path of Docker's socket, as in %s", options.docker, DEFAULT_DOCKER);
		return CLI_USAGE;
	}
	return daemon_run(&options);
}
