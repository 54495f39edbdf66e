/* SPDX-License-Identifier: GPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "base/text.h"
#include "cli/cli.h"
#include "control/client.h"

#define LABEL "%-12s "
#define NUMBER "%" JSON_INTEGER_FORMAT

/* A daemon's sentence may quote a label. */
static void print_text(const char *text)
{
	char buffer[1024];

	fputs(printable_copy(text, buffer, sizeof(buffer)), stdout);
}

static void print_daemon(const json_t *body)
{
	char duration[TEXT_DURATION_SIZE];

	printf(LABEL "dnetbpf ", "Daemon");
	print_text(cli_text(body, "version"));
	printf(", process " NUMBER ", running for ", cli_number(body, "pid"));
	printf("%s\n", text_duration((uint64_t)json_number_value(json_object_get(body, "uptime_seconds")), duration));
}

static void print_inventory(const json_t *inventory)
{
	bool connected = json_is_true(json_object_get(inventory, "connected"));
	const char *problem = cli_text(inventory, "problem");

	printf(LABEL, "Inventory");
	print_text(cli_text(inventory, "kind"));
	if (*cli_text(inventory, "url")) {
		printf(" at ");
		print_text(cli_text(inventory, "url"));
	}
	printf(connected ? ", connected\n" : ", not connected");
	if (!connected) {
		printf(*problem ? ": " : "\n");
		if (*problem) {
			print_text(problem);
			putchar('\n');
		}
	}
}

static void print_attach(const json_t *attach)
{
	printf(LABEL, "Attached by");
	print_text(cli_text(attach, "mode"));
	if (*cli_text(attach, "why")) {
		printf(": ");
		print_text(cli_text(attach, "why"));
	}
	putchar('\n');
}

static void print_policy(const json_t *body)
{
	const json_t *policy = json_object_get(body, "policy"), *loaded = json_object_get(policy, "loaded"),
		     *policies = json_object_get(policy, "policies");
	json_int_t count = json_is_array(policies) ? (json_int_t)json_array_size(policies) : json_integer_value(policies);

	printf(LABEL, "Policy");
	if (*cli_text(policy, "file"))
		print_text(cli_text(policy, "file"));
	else
		printf("no file");
	if (json_is_false(loaded) || json_is_null(loaded))
		printf(" (not there; labels alone count)\n");
	else
		printf(", " NUMBER " %s%s%s\n", count, count == 1 ? "policy" : "policies",
		       json_is_string(loaded) ? ", read at " : "", json_is_string(loaded) ? json_string_value(loaded) : "");
	printf(LABEL "%s\n", "Unknown", strcmp(cli_text(body, "unknown"), "deny") == 0 ?
	       "senders that are not under enforcement are denied" : "senders that are not under enforcement are allowed");
}

static void print_endpoints(const json_t *endpoints)
{
	const char *state, *separator = "";
	json_t *count;

	printf(LABEL, "Interfaces");
	json_object_foreach((json_t *)endpoints, state, count) {
		if (!json_integer_value(count))
			continue;
		printf("%s" NUMBER " %s", separator, json_integer_value(count), state);
		separator = ", ";
	}
	printf("%s\n", *separator ? "" : "none");
}

static void print_countries(const json_t *geo)
{
	char age[TEXT_DURATION_SIZE];

	printf(LABEL, "Countries");
	if (!json_is_true(json_object_get(geo, "in_force"))) {
		printf("no database\n");
		return;
	}
	print_text(cli_text(geo, "database"));
	printf(", " NUMBER " countries, %s old\n", cli_number(geo, "countries"), text_duration((uint64_t)cli_number(geo, "age_seconds"), age));
}

static void print_status(const json_t *body)
{
	const json_t *flows = json_object_get(body, "flows"), *events = json_object_get(body, "events"),
		     *limits = json_object_get(body, "limits"), *blocks = json_object_get(body, "blocks"), *problems = json_object_get(body, "problems");
	json_t *problem;
	size_t i;

	print_daemon(body);
	print_inventory(json_object_get(body, "inventory"));
	print_policy(body);
	print_countries(json_object_get(body, "geo"));
	printf("\n");
	print_endpoints(json_object_get(body, "endpoints"));
	printf(LABEL NUMBER " of at most " NUMBER "\n", "Connections", cli_number(flows, "entries"), cli_number(flows, "capacity"));
	printf(LABEL NUMBER " of at most " NUMBER " allowances in use", "Limits", cli_number(limits, "buckets"),
	       cli_number(limits, "capacity"));
	if (cli_number(limits, "evictions"))
		printf(", " NUMBER " given up for others", cli_number(limits, "evictions"));
	printf("\n" LABEL NUMBER " of at most " NUMBER " in force, " NUMBER " bans so far", "Blocks", cli_number(blocks, "entries"),
	       cli_number(blocks, "capacity"), cli_number(blocks, "bans"));
	if (cli_number(blocks, "refused"))
		printf(", " NUMBER " more found no room", cli_number(blocks, "refused"));
	putchar('\n');
	printf(LABEL NUMBER " reported, " NUMBER " suppressed by the budget, " NUMBER " lost\n", "Events", cli_number(events, "sent"),
	       cli_number(events, "suppressed"), cli_number(events, "lost"));
	printf(LABEL NUMBER " packets denied before their container was identified\n", "Pending", cli_number(body, "pending_denied"));
	printf("\n");
	print_attach(json_object_get(body, "attach"));
	printf(LABEL, "Pins");
	print_text(cli_text(body, "pin"));
	printf("\n");
	if (json_array_size(problems))
		printf("\nProblems:\n");
	json_array_foreach(problems, i, problem) {
		printf("  ");
		print_text(json_string_value(problem) ? json_string_value(problem) : "?");
		printf("\n");
	}
}

int command_status(const struct cli_values *values)
{
	struct error error = {};
	json_t *body;

	if (control_request(values->control, "GET", "/v1/status", NULL, &body, &error) < 0)
		return cli_fail(&error);
	if (values->json)
		cli_print_json(body);
	else
		print_status(body);
	json_decref(body);
	return CLI_OK;
}
