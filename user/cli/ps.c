/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "control/client.h"

static const char *const titles[] = { "CONTAINER", "NETWORK", "INTERFACE", "STATE", "POLICY", ">PASSED", ">DENIED", ">LIMITED", ">BANNED" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

static void tablep(struct table **table)
{
	table_free(*table);
}

static char *join(const json_t *names)
{
	char *text = NULL;
	size_t length = 0, i;
	FILE *out = open_memstream(&text, &length);
	json_t *name;

	if (!out)
		return NULL;
	json_array_foreach(names, i, name)
		fprintf(out, "%s%s", i ? "," : "", json_string_value(name) ? json_string_value(name) : "?");
	if (!json_array_size(names))
		fputs("-", out);
	fclose(out);
	return text;
}

static int add_endpoint(struct table *table, const json_t *endpoint)
{
	_cleanup_free_ char *policies = join(json_object_get(endpoint, "policies"));
	char passed[24], denied[24], limited[24], banned[24];

	if (!policies)
		return -ENOMEM;
	snprintf(passed, sizeof(passed), "%" JSON_INTEGER_FORMAT, cli_number(endpoint, "packets_passed"));
	snprintf(denied, sizeof(denied), "%" JSON_INTEGER_FORMAT, cli_number(endpoint, "packets_denied"));
	snprintf(limited, sizeof(limited), "%" JSON_INTEGER_FORMAT, cli_number(endpoint, "packets_limited"));
	snprintf(banned, sizeof(banned), "%" JSON_INTEGER_FORMAT, cli_number(endpoint, "blocks"));
	return table_row(table, (const char *const[COLUMNS]){
		cli_text(endpoint, "container"), cli_text(endpoint, "network"), cli_text(endpoint, "interface"),
		cli_text(endpoint, "state"), policies, passed, denied, limited, banned });
}

/* Containers and interfaces alike, one sentence each. */
static void print_not_enforced(const json_t *list, const char *key, bool *begun)
{
	char name[256], sentence[1024];
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const char *network = cli_text(one, "network");

		if (!*cli_text(one, key))
			continue;
		if (!*begun)
			printf("\nNot enforced:\n");
		*begun = true;
		printf("  %s", printable_copy(cli_text(one, "container"), name, sizeof(name)));
		if (*network)
			printf(" on %s", printable_copy(network, name, sizeof(name)));
		printf(": %s\n", printable_copy(cli_text(one, key), sentence, sizeof(sentence)));
	}
}

static void print_pressure(const json_t *sentences)
{
	json_t *sentence;
	size_t i;

	if (json_array_size(sentences))
		printf("\nPressure:\n");
	json_array_foreach(sentences, i, sentence)
		printf("  %s\n", json_string_value(sentence) ? json_string_value(sentence) : "?");
}

static int print(const json_t *body)
{
	_cleanup_(tablep) struct table *table = NULL;
	const json_t *endpoints = json_object_get(body, "endpoints");
	bool begun = false;
	json_t *endpoint;
	size_t i;

	if (table_new(titles, COLUMNS, &table) < 0)
		return -ENOMEM;
	json_array_foreach(endpoints, i, endpoint)
		if (add_endpoint(table, endpoint) < 0)
			return -ENOMEM;
	if (json_array_size(endpoints))
		table_print(table, stdout, cli_width());
	else
		printf("There are no container interfaces.\n");
	if (cli_number(body, "blocks_everywhere"))
		printf("\n%" JSON_INTEGER_FORMAT " more banned everywhere: `dnetbpf blocks` lists them.\n", cli_number(body, "blocks_everywhere"));
	print_pressure(json_object_get(body, "pressure"));
	print_not_enforced(endpoints, "not_enforced", &begun);
	print_not_enforced(json_object_get(body, "unprotected"), "why", &begun);
	return 0;
}

int command_ps(const struct cli_values *values)
{
	struct error error = {};
	json_t *body;
	int r;

	if (control_request(values->control, "GET", "/v1/ps", NULL, &body, &error) < 0)
		return cli_fail(&error);
	r = 0;
	if (values->json)
		cli_print_json(body);
	else
		r = print(body);
	json_decref(body);
	if (r < 0) {
		error_set(&error, r, "out of memory");
		return cli_fail(&error);
	}
	return CLI_OK;
}
