/* SPDX-License-Identifier: GPL-2.0 */
/* `allow` and `deny`: rules by hand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "control/client.h"

static int change(const struct cli_values *values, const char *action)
{
	_cleanup_free_ char *words = cli_join(values, 1), *rule = NULL;
	const char *container = values->arguments[0];
	struct error error = {};
	uint64_t seconds = 0;
	json_t *request, *body = NULL;
	int r;

	if (!words || asprintf(&rule, "%s %s", action, words) < 0) {
		rule = NULL;
		return CLI_FAILURE;
	}
	if (values->duration && cli_duration(values->duration, "for", &seconds, &error) < 0) {
		cli_fail(&error);
		return CLI_USAGE;
	}
	request = json_pack("{s:s, s:s, s:I, s:b}", "container", container, "rule", rule, "seconds", (json_int_t)seconds,
			    "remove", values->remove);
	r = control_request(values->control, "POST", "/v1/rules", request, &body, &error);
	json_decref(request);
	if (r < 0) {
		cli_fail(&error);
		return r == -EINVAL ? CLI_USAGE : CLI_FAILURE;
	}
	if (values->json) {
		cli_print_json(body);
	} else if (values->remove) {
		printf("Removed from %s: %s\n", container, rule);
	} else {
		printf("In force for %s%s%s: %s\n", container, values->duration ? " for " : "", values->duration ? values->duration : "",
		       rule);
		if (*cli_text(body, "note"))
			printf("Note: %s\n", cli_text(body, "note"));
		printf("Take it away with: dnetbpf %s %s --remove '%s'\n", action, container, words);
	}
	json_decref(body);
	return CLI_OK;
}

int command_allow(const struct cli_values *values)
{
	return change(values, "allow");
}

int command_deny(const struct cli_values *values)
{
	return change(values, "deny");
}
