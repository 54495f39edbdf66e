/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/printable.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "control/client.h"
#include "explain/explanation.h"
#include "explain/offline.h"

#define MAX_RULES 40	/* of a list that are printed; --json has all */

static const char *const titles[] = { ">", "RULE", "POLICY", "WHERE", "THIS PACKET" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

static void tablep(struct table **table)
{
	table_free(*table);
}

static void jsonp(json_t **json)
{
	json_decref(*json);
}

static void print_line(const char *before, const char *text)
{
	char buffer[2048];

	printf("%s%s\n", before, printable_copy(text, buffer, sizeof(buffer)));
}

static const char *verdict_word(const json_t *check)
{
	const char *verdict = cli_text(check, "verdict");

	return strcmp(verdict, "pass") == 0 ? "PASS" : strcmp(verdict, "deny") == 0 ? "DENY" : "WOULD DENY";
}

/* What came before the layer that decided. The rule that ends `host:` was written by nobody. */
static void print_layers(const json_t *layers)
{
	size_t count = json_array_size(layers);

	for (size_t i = 0; i + 1 < count; i++) {
		const json_t *layer = json_array_get(layers, i);
		char buffer[1024];

		if (*cli_text(layer, "origin"))
			snprintf(buffer, sizeof(buffer), "  the layer \"%s\" lets it pass: rule \"%s\" of policy %s (%s)",
				 cli_text(layer, "layer"),
				 cli_text(layer, "rule"), cli_text(layer, "policy"), cli_text(layer, "origin"));
		else
			snprintf(buffer, sizeof(buffer), "  the layer \"%s\" lets it pass", cli_text(layer, "layer"));
		print_line("", buffer);
	}
}

static int print_rules(const json_t *check, const json_t *rules)
{
	_cleanup_(tablep) struct table *table = NULL;
	size_t count = json_array_size(rules), skipped = count > MAX_RULES ? count - MAX_RULES : 0;
	bool found = strcmp(cli_text(check, "rule"), "default") != 0;

	if (table_new(titles, COLUMNS, &table) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const json_t *rule = json_array_get(rules, i);
		const char *lacks = cli_text(rule, "lacks");
		char number[24], matches[32], more[64];

		if (skipped && i == MAX_RULES - 1) {
			snprintf(more, sizeof(more), "(%zu more that do not match)", skipped);
			if (table_row(table, (const char *const[COLUMNS]){ "", more, "", "", "" }) < 0)
				return -ENOMEM;
			i += skipped;
			rule = json_array_get(rules, i);
			lacks = cli_text(rule, "lacks");
		}
		snprintf(number, sizeof(number), "%zu", i + 1);
		snprintf(matches, sizeof(matches), "matches: %s", cli_text(rule, "action"));
		if (table_row(table, (const char *const[COLUMNS]){ number, cli_text(rule, "text"), cli_text(rule, "policy"),
			      cli_text(rule, "origin"), found && i + 1 == count ? matches : lacks }) < 0)
			return -ENOMEM;
	}
	if (!found && table_row(table, (const char *const[COLUMNS]){ "", "(the end of the list)", "", "", "matches: deny" }) < 0)
		return -ENOMEM;
	table_print(table, stdout, cli_width());
	return 0;
}

/* @alone: its sentence is the headline's. @reached: no end before it denies. */
static int print_check(const json_t *check, bool alone, bool reached)
{
	const json_t *rules = json_object_get(check, "rules");
	char buffer[2048];

	snprintf(buffer, sizeof(buffer), "%s, %s on network %s: %s (%s%s%s)%s", cli_text(check, "container"),
		 cli_text(check, "direction"),
		 cli_text(check, "network"), cli_text(check, "verdict"), cli_text(check, "reason"),
		 *cli_text(check, "layer") ? ", layer " : "", cli_text(check, "layer"), reached ? "" : "; it does not get that far");
	print_line("\n", buffer);
	if (!alone)
		print_line("  ", cli_text(check, "sentence"));
	print_layers(json_object_get(check, "layers"));
	return json_array_size(rules) ? print_rules(check, rules) : 0;
}

static int print_explanation(const json_t *body)
{
	const json_t *checks = json_object_get(body, "checks"), *others = json_object_get(body, "others"),
		     *notes = json_object_get(body, "notes");
	const char *from = cli_text(body, "from"), *to = cli_text(body, "to");
	bool reached = true;
	char buffer[2048];
	json_t *one;
	size_t i;

	snprintf(buffer, sizeof(buffer), "%s   (%s -> %s)", cli_text(body, "packet"), *from ? from : cli_text(body, "src"),
		 *to ? to : cli_text(body, "dst"));
	printf("%s  ", verdict_word(body));
	print_line("", buffer);
	print_line("", cli_text(body, "sentence"));
	json_array_foreach(checks, i, one) {
		if (print_check(one, json_array_size(checks) == 1, reached) < 0)
			return -ENOMEM;
		reached = reached && strcmp(cli_text(one, "verdict"), "deny") != 0;
	}
	if (json_array_size(others))
		printf("\nThe same words can mean:\n");
	json_array_foreach(others, i, one) {
		snprintf(buffer, sizeof(buffer), "%s: %s", cli_text(one, "packet"), cli_text(one, "sentence"));
		printf("  %s  ", verdict_word(one));
		print_line("", buffer);
	}
	if (json_array_size(notes))
		printf("\nNotes:\n");
	json_array_foreach(notes, i, one)
		print_line("  ", json_string_value(one));
	return 0;
}

static int explain_offline(const struct cli_values *values, const char *text, json_t **ret, struct error *error)
{
	struct explain_offline *offline;
	int r;

	r = explain_offline_load(values->offline, values->inventory + strlen("static:"), (uint64_t)time(NULL) * 1000000000ull,
				 &offline, error);
	if (r < 0)
		return r;
	r = explain_text(explain_offline_world(offline), text, ret, error);
	explain_offline_free(offline);
	return r;
}

static int explain_live(const struct cli_values *values, const char *text, json_t **ret, struct error *error)
{
	_cleanup_(jsonp) json_t *request = json_pack("{s:s}", "packet", text);

	if (!request)
		return error_set(error, -EINVAL, "the packet is no UTF-8 text");
	return control_request(values->control, "POST", "/v1/policy/explain", request, ret, error);
}

int command_policy_explain(const struct cli_values *values)
{
	_cleanup_free_ char *text = cli_join(values, 0);
	_cleanup_(jsonp) json_t *body = NULL;
	struct packet_text parsed;
	struct error error = {};
	int r;

	if (!text)
		return CLI_FAILURE;
	if (packet_text_parse(text, &parsed, &error) < 0) {
		log_error("%s", error.text);
		return CLI_USAGE;
	}
	if (values->offline && strncmp(values->inventory, "static:", 7) != 0) {
		log_error("--offline needs --inventory static:FILE: who the containers are");
		return CLI_USAGE;
	}
	if (!values->offline && cli_given(values, OPTION_INVENTORY)) {
		log_error("--inventory belongs to --offline FILE; without it the daemon is asked, which knows the containers");
		return CLI_USAGE;
	}
	r = values->offline ? explain_offline(values, text, &body, &error) : explain_live(values, text, &body, &error);
	if (r < 0)
		return cli_fail(&error);
	if (values->json)
		cli_print_json(body);
	else if (print_explanation(body) < 0)
		return cli_fail(&(struct error){ .text = "out of memory" });
	return CLI_OK;
}
