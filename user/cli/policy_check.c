/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "check/check.h"
#include "cli/cli.h"
#include "config/static_inventory.h"
#include "control/client.h"

/* The containers to compare names with: those of a file, else those of the daemon if one answers. 1: none, *error may say why. */
static int find_inventory(const struct cli_values *values, struct inventory *ret, struct error *error)
{
	_cleanup_free_ char *text = NULL;
	json_t *body = NULL;
	int r;

	if (cli_given(values, OPTION_INVENTORY)) {
		if (strncmp(values->inventory, "static:", 7) != 0)
			return error_set(error, -EINVAL, "--inventory takes static:FILE here, not `%s`", values->inventory);
		return static_inventory_load(values->inventory + 7, ret, error);
	}
	/* Whoever has no daemon, or may not ask it, is checked without: that is no error. */
	if (control_request(values->control, "GET", "/v1/inventory", NULL, &body, error) < 0) {
		*error = (struct error){};
		return 1;
	}
	text = json_dumps(body, 0);
	json_decref(body);
	if (!text)
		return error_set(error, -ENOMEM, "out of memory");
	r = static_inventory_parse("the daemon's inventory", text, strlen(text), ret, error);
	return r < 0 ? 1 : 0;
}

static void print_size(size_t bytes)
{
	if (bytes < 10 * 1024)
		printf("%zu B", bytes);
	else if (bytes < 10 * 1024 * 1024)
		printf("%zu KiB", bytes / 1024);
	else
		printf("%zu MiB", bytes / (1024 * 1024));
}

static void print_result(const char *path, const struct check_result *result, const struct diagnostics *diagnostics, bool compared)
{
	if (diagnostics->errors) {
		printf("%s: %zu error%s, %zu warning%s\n", path, diagnostics->errors, diagnostics->errors == 1 ? "" : "s",
		       diagnostics->warnings, diagnostics->warnings == 1 ? "" : "s");
		return;
	}
	printf("%s: good, ", path);
	if (diagnostics->warnings)
		printf("with %zu warning%s, ", diagnostics->warnings, diagnostics->warnings == 1 ? "" : "s");
	if (result->compose) {
		printf("%zu service%s with dnetbpf labels, %zu rule%s\n", result->policies, result->policies == 1 ? "" : "s", result->rules,
		       result->rules == 1 ? "" : "s");
		return;
	}
	printf("%zu polic%s, %zu rule%s, %zu prefix%s in sets; takes ", result->policies, result->policies == 1 ? "y" : "ies",
	       result->rules, result->rules == 1 ? "" : "s", result->prefixes, result->prefixes == 1 ? "" : "es");
	print_size(result->kernel_bytes);
	printf(" of the kernel's tables and ");
	print_size(result->user_bytes);
	printf(" of the daemon\n");
	if (!compared)
		printf("Names were compared with no containers: no daemon answers, and no --inventory static:FILE was given.\n");
}

static json_t *result_json(const char *path, const struct check_result *result, const struct diagnostics *diagnostics, bool compared)
{
	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "file", path, "kind",
			 result->compose ? "compose" : "policy", "compared", compared, "errors", (json_int_t)diagnostics->errors,
			 "warnings", (json_int_t)diagnostics->warnings, "policies", (json_int_t)result->policies, "rules",
			 (json_int_t)result->rules, "set_prefixes", (json_int_t)result->prefixes, "kernel_bytes",
			 (json_int_t)result->kernel_bytes, "daemon_bytes", (json_int_t)result->user_bytes, "diagnostics",
			 diagnostics_to_json(diagnostics));
}

int command_policy_check(const struct cli_values *values)
{
	_cleanup_(inventory_clear) struct inventory inventory = {};
	struct error error = {};
	json_t *files = json_array();
	int found = find_inventory(values, &inventory, &error), code = CLI_OK;

	if (found < 0) {
		json_decref(files);
		cli_fail(&error);
		return CLI_USAGE;
	}
	if (found && error.text[0])
		fprintf(stderr, "dnetbpf: names are compared with no containers: %s\n", error.text);
	for (unsigned int i = 0; i < values->argument_count; i++) {
		_cleanup_(diagnostics_clear) struct diagnostics diagnostics = {};
		struct check_result result = {};

		if (check_file(values->arguments[i], found ? NULL : &inventory, &diagnostics, &result, &error) < 0) {
			cli_fail(&error);
			code = CLI_USAGE;
			continue;
		}
		if (diagnostics.errors && code == CLI_OK)
			code = CLI_FAILURE;
		if (values->json) {
			json_array_append_new(files, result_json(values->arguments[i], &result, &diagnostics, !found));
			continue;
		}
		diagnostics_print(&diagnostics, stdout);
		print_result(values->arguments[i], &result, &diagnostics, !found);
	}
	if (values->json)
		cli_print_json(files);
	json_decref(files);
	return code;
}
