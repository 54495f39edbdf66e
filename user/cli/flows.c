/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "control/client.h"

static const char *const titles[] = { "PROTO", "FROM", "TO", "STATE", ">IDLE", "SENDER'S POLICY", "RECEIVER'S POLICY" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

static void tablep(struct table **table)
{
	table_free(*table);
}

static void jsonp(json_t **json)
{
	json_decref(*json);
}

/* "web (198.18.0.2:443)", or the address alone. */
static void end_text(const json_t *flow, const char *side, char *buffer, size_t size)
{
	char key[32], port[16] = "";
	const char *addr = cli_text(flow, side), *container;
	bool v6 = strchr(addr, ':');

	snprintf(key, sizeof(key), "%s_container", side);
	container = cli_text(flow, key);
	snprintf(key, sizeof(key), "%s_port", side);
	if (cli_number(flow, key))
		snprintf(port, sizeof(port), ":%d", (int)cli_number(flow, key));
	snprintf(buffer, size, "%s%s%s%s%s%s%s", container, *container ? " (" : "", v6 && *port ? "[" : "", addr,
		 v6 && *port ? "]" : "", port,
		 *container ? ")" : "");
}

static const char *judged(const json_t *flow, const char *key)
{
	const char *text = cli_text(flow, key);

	return strcmp(text, "current") == 0 ? "allowed" : strcmp(text, "stale") == 0 ? "allowed, to be asked again" : "-";
}

static bool concerns(const json_t *flow, const char *glob)
{
	return !glob || text_glob_match(glob, cli_text(flow, "src_container")) ||
	       text_glob_match(glob, cli_text(flow, "dst_container"));
}

static int add_flow(struct table *table, const json_t *flow)
{
	char src[400], dst[400], idle[24], proto[24];

	end_text(flow, "src", src, sizeof(src));
	end_text(flow, "dst", dst, sizeof(dst));
	snprintf(idle, sizeof(idle), "%.0f s", json_number_value(json_object_get(flow, "idle_seconds")));
	snprintf(proto, sizeof(proto), "%s", cli_text(flow, "proto"));
	return table_row(table, (const char *const[COLUMNS]){ proto, src, dst, cli_text(flow, "state"), idle,
							      judged(flow, "src_verdict"),
			 judged(flow, "dst_verdict") });
}

/* What the options leave, in the daemon's order: the newest first. A new reference. */
static json_t *select_flows(const struct cli_values *values, const json_t *flows)
{
	json_t *selected = json_array(), *flow;
	size_t i;

	json_array_foreach(flows, i, flow) {
		if (cli_given(values, OPTION_NUMBER) && json_array_size(selected) >= values->number)
			break;
		if (concerns(flow, values->container))
			json_array_append(selected, flow);
	}
	return selected;
}

static int print_flows(const json_t *body)
{
	_cleanup_(tablep) struct table *table = NULL;
	const json_t *flows = json_object_get(body, "flows");
	json_int_t entries = cli_number(body, "entries");
	json_t *flow;
	size_t i;

	if (table_new(titles, COLUMNS, &table) < 0)
		return -ENOMEM;
	json_array_foreach(flows, i, flow)
		if (add_flow(table, flow) < 0)
			return -ENOMEM;
	if (json_array_size(flows))
		table_print(table, stdout, cli_width());
	else
		printf("No such connection is known.\n");
	if ((json_int_t)json_array_size(flows) < entries)
		printf("\n%zu of %" JSON_INTEGER_FORMAT " connections.\n", json_array_size(flows), entries);
	return 0;
}

int command_flows(const struct cli_values *values)
{
	_cleanup_(jsonp) json_t *body = NULL;
	struct error error = {};
	int r = 0;

	if (control_request(values->control, "GET", "/v1/flows", NULL, &body, &error) < 0)
		return cli_fail(&error);
	if (json_object_set_new(body, "flows", select_flows(values, json_object_get(body, "flows"))) < 0)
		r = -ENOMEM;
	else if (values->json)
		cli_print_json(body);
	else
		r = print_flows(body);
	if (r < 0) {
		error_set(&error, r, "out of memory");
		return cli_fail(&error);
	}
	return CLI_OK;
}
