/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "control/client.h"

static const char *const titles[] = { "", "LAYER", "RULE", "NAME", "POLICY", "WHERE", ">HITS" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

static void tablep(struct table **table)
{
	table_free(*table);
}

static void jsonp(json_t **json)
{
	json_decref(*json);
}

static void print_text(const char *text)
{
	char buffer[1024];

	fputs(printable_copy(text, buffer, sizeof(buffer)), stdout);
}

static int add_rule(struct table *table, const char *direction, const char *layer, const json_t *rule)
{
	const char *until = cli_text(rule, "until");
	json_int_t exceeded = cli_number(rule, "exceeded");
	char hits[64], policy[320];
	size_t length;

	length = (size_t)snprintf(hits, sizeof(hits), "%" JSON_INTEGER_FORMAT, cli_number(rule, "hits"));
	if (exceeded)
		snprintf(hits + length, sizeof(hits) - length, ", %" JSON_INTEGER_FORMAT " over its limits", exceeded);
	/* To the second. */
	snprintf(policy, sizeof(policy), "%s%s%.19s%s", cli_text(rule, "policy"), *until ? " until " : "", until, *until ? "Z" : "");
	return table_row(table, (const char *const[COLUMNS]){ direction, layer, cli_text(rule, "text"), cli_text(rule, "rule"), policy,
			 cli_text(rule, "origin"), hits });
}

/* Limits that stand in no rule, below one that has them. */
static int add_defaults(struct table *table, const json_t *rule)
{
	json_t *limit;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rule, "defaults"), i, limit) {
		char text[128], from[160];

		snprintf(text, sizeof(text), "  + %s", cli_text(limit, "text"));
		snprintf(from, sizeof(from), "from %s", cli_text(limit, "from"));
		r = r < 0 ? r : table_row(table, (const char *const[COLUMNS]){ "", "", text, "", "", from, "" });
	}
	return r;
}

static int add_note(struct table *table, const char *direction, const char *layer, const char *text)
{
	return table_row(table, (const char *const[COLUMNS]){ direction, layer, text, "", "", "", "" });
}

/* The name of the direction stands before its first line alone. */
static int add_direction(struct table *table, const char *name, const json_t *direction)
{
	const json_t *layers = json_object_get(direction, "layers");
	const char *ends = cli_text(direction, "ends");
	bool open = strcmp(ends, "deny") != 0;
	json_t *layer, *rule;
	size_t i, j;
	int r = 0;

	json_array_foreach(layers, i, layer) {
		const char *shown = cli_text(layer, "layer");

		json_array_foreach(json_object_get(layer, "rules"), j, rule) {
			r = r < 0 ? r : add_rule(table, name, shown, rule);
			r = r < 0 ? r : add_defaults(table, rule);
			name = shown = "";
		}
		if (strcmp(cli_text(layer, "ends"), "pass") != 0) {
			r = r < 0 ? r : add_note(table, name, shown, "(all else: deny)");
			name = "";
		}
	}
	if (open)
		return r < 0 ? r : add_note(table, name, "", "(not governed: defaults.unselected is allow)");
	if (!json_array_size(layers))
		return r < 0 ? r : add_note(table, name, "", "(all: deny)");
	return r;
}

static int print_endpoint(const json_t *endpoint)
{
	static const char *const directions[] = { "ingress", "egress" };
	_cleanup_(tablep) struct table *table = NULL;
	json_t *problem;
	size_t i;

	print_text(cli_text(endpoint, "container"));
	printf(" on network ");
	print_text(cli_text(endpoint, "network"));
	printf(": %s", cli_text(endpoint, "state"));
	if (strcmp(cli_text(endpoint, "mode"), "audit") == 0 && strcmp(cli_text(endpoint, "state"), "audit") != 0)
		printf(", audit mode");
	printf("\n");
	json_array_foreach(json_object_get(endpoint, "problems"), i, problem) {
		printf("  problem: ");
		print_text(json_string_value(problem) ? json_string_value(problem) : "?");
		printf("\n");
	}
	if (table_new(titles, COLUMNS, &table) < 0)
		return -ENOMEM;
	for (i = 0; i < 2; i++)
		if (add_direction(table, directions[i], json_object_get(json_object_get(endpoint, "directions"), directions[i])) < 0)
			return -ENOMEM;
	table_print(table, stdout, cli_width());
	return 0;
}

static int print_all(const json_t *body)
{
	const json_t *endpoints = json_object_get(body, "endpoints");
	json_t *endpoint;
	size_t i;

	if (!json_array_size(endpoints))
		printf("There are no container interfaces.\n");
	json_array_foreach(endpoints, i, endpoint) {
		if (i)
			printf("\n");
		if (print_endpoint(endpoint) < 0)
			return -ENOMEM;
	}
	return 0;
}

int command_policy_show(const struct cli_values *values)
{
	_cleanup_(jsonp) json_t *request = values->argument_count ? json_pack("{s:s}", "container", values->arguments[0]) :
								    json_pack("{s:n}", "container");
	_cleanup_(jsonp) json_t *body = NULL;
	struct error error = {};

	if (!request) {
		error_set(&error, -EINVAL, "the container's name is no UTF-8 text");
		return cli_fail(&error);
	}
	if (control_request(values->control, "POST", "/v1/policy/show", request, &body, &error) < 0)
		return cli_fail(&error);
	if (values->json) {
		cli_print_json(body);
	} else if (print_all(body) < 0) {
		error_set(&error, -ENOMEM, "out of memory");
		return cli_fail(&error);
	}
	return CLI_OK;
}
