/* SPDX-License-Identifier: GPL-2.0 */
/* `policy reload`, `policy apply`, `policy confirm`: another policy comes into force. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "control/client.h"

#define NUMBER "%" JSON_INTEGER_FORMAT

static void print_warnings(const json_t *body)
{
	const json_t *warning;
	size_t i;

	json_array_foreach(json_object_get(body, "warnings"), i, warning) {
		if (*cli_text(warning, "file"))
			fprintf(stderr, "%s:" NUMBER ": ", cli_text(warning, "file"), cli_number(warning, "line"));
		fprintf(stderr, "warning: %s\n", cli_text(warning, "message"));
	}
}

/* A policy that cannot be read is the caller's mistake, as at the start of the daemon; everything else is a failure. */
static int fail(int r, const struct error *error)
{
	cli_fail(error);
	return r == -EINVAL || r == -ENOENT ? CLI_USAGE : CLI_FAILURE;
}

static int post(const struct cli_values *values, const char *path, json_t *request, json_t **ret)
{
	struct error error = {};
	int r = control_request(values->control, "POST", path, request, ret, &error);

	json_decref(request);
	if (r < 0)
		return fail(r, &error);
	if (values->json)
		cli_print_json(*ret);
	else
		print_warnings(*ret);
	return CLI_OK;
}

static void print_counts(const char *what, const json_t *body)
{
	printf("%s: " NUMBER " %s with " NUMBER " %s.", what, cli_number(body, "policies"),
	       cli_number(body, "policies") == 1 ? "policy" : "policies", cli_number(body, "rules"),
	       cli_number(body, "rules") == 1 ? "rule" : "rules");
}

int command_policy_reload(const struct cli_values *values)
{
	json_t *body = NULL;
	int code = post(values, "/v1/policy/reload", json_object(), &body);

	if (code == CLI_OK && !values->json) {
		if (json_is_true(json_object_get(body, "changed")))
			print_counts("In force", body);
		else
			printf("Nothing has changed since it was read.");
		putchar('\n');
	}
	json_decref(body);
	return code;
}

int command_policy_apply(const struct cli_values *values)
{
	struct error error = {};
	_cleanup_free_ char *path = NULL;
	uint64_t seconds = 0;
	json_t *body = NULL;
	int code;

	if (values->confirm && cli_duration(values->confirm, "confirm", &seconds, &error) < 0) {
		cli_fail(&error);
		return CLI_USAGE;
	}
	path = cli_absolute(values->arguments[0], &error);
	if (!path) {
		cli_fail(&error);
		return CLI_USAGE;
	}
	code = post(values, "/v1/policy/apply", json_pack("{s:s, s:I}", "path", path, "confirm_seconds", (json_int_t)seconds), &body);
	if (code == CLI_OK && !values->json) {
		print_counts("In force", body);
		if (seconds)
			printf(" It is taken back in %s unless you run: dnetbpf policy confirm\n", values->confirm);
		else
			printf(" It holds until the next reload or restart of the daemon.\n");
	}
	json_decref(body);
	return code;
}

int command_policy_confirm(const struct cli_values *values)
{
	json_t *body = NULL;
	int code = post(values, "/v1/policy/confirm", json_object(), &body);

	if (code == CLI_OK && !values->json)
		printf("Confirmed: it stays in force until the next reload or restart of the daemon.\n");
	json_decref(body);
	return code;
}
