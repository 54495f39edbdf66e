/* SPDX-License-Identifier: GPL-2.0 */
/* `blocks` and `unblock`: who is banned. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "control/client.h"

static const char *const titles[] = { "ADDRESS", "WHERE", ">SET", ">LEFT", ">REFUSED", "WHY" };
#define COLUMNS (sizeof(titles) / sizeof(titles[0]))

static void tablep(struct table **table)
{
	table_free(*table);
}

static void jsonp(json_t **json)
{
	json_decref(*json);
}

static void where_text(const json_t *block, char *buffer, size_t size)
{
	const char *container = cli_text(block, "container");

	if (json_is_true(json_object_get(block, "everywhere")))
		snprintf(buffer, size, "everywhere");
	else
		snprintf(buffer, size, "%s%s", *container ? container : "?",
			 json_is_true(json_object_get(block, "running")) ? "" : " (not running)");
}

static void why_text(const json_t *block, char *buffer, size_t size)
{
	const char *limit = cli_text(block, "limit"), *rule = cli_text(block, "rule"), *policy = cli_text(block, "policy"),
		   *at = cli_text(block, "exceeded_at");

	if (strcmp(cli_text(block, "kind"), "hand") == 0)
		snprintf(buffer, size, "by hand");
	else if (!*rule)
		snprintf(buffer, size, "a rule that is not in force any more");
	else
		snprintf(buffer, size, "%s%srule %s of %s%s%s%s", limit, *limit ? ", " : "", rule, strcmp(policy, "labels") == 0 ? "" : "policy ",
			 policy, json_is_true(json_object_get(block, "everywhere")) && *at ? " at " : "",
			 json_is_true(json_object_get(block, "everywhere")) ? at : "");
}

static void left_text(const json_t *block, char *buffer)
{
	if (json_is_integer(json_object_get(block, "seconds_left")))
		text_duration((uint64_t)cli_number(block, "seconds_left"), buffer);
	else
		strcpy(buffer, "for ever");
}

static int add_block(struct table *table, const json_t *block)
{
	char where[400], why[600], left[TEXT_DURATION_SIZE], age[TEXT_DURATION_SIZE], set[TEXT_DURATION_SIZE + 8], packets[24];

	where_text(block, where, sizeof(where));
	why_text(block, why, sizeof(why));
	left_text(block, left);
	snprintf(set, sizeof(set), "%s ago", text_duration((uint64_t)cli_number(block, "seconds"), age));
	snprintf(packets, sizeof(packets), "%" JSON_INTEGER_FORMAT, cli_number(block, "packets"));
	return table_row(table, (const char *const[COLUMNS]){ cli_text(block, "prefix"), where, set, left, packets, why });
}

static int print_blocks(const json_t *body)
{
	_cleanup_(tablep) struct table *table = NULL;
	const json_t *blocks = json_object_get(body, "blocks");
	json_int_t selected = cli_number(body, "selected");
	json_t *block;
	size_t i;

	if (table_new(titles, COLUMNS, &table) < 0)
		return -ENOMEM;
	json_array_foreach(blocks, i, block)
		if (add_block(table, block) < 0)
			return -ENOMEM;
	if (json_array_size(blocks))
		table_print(table, stdout, cli_width());
	else
		printf("Nobody is banned%s.\n", cli_number(body, "entries") ? " that was asked for" : "");
	if ((json_int_t)json_array_size(blocks) < selected)
		printf("\n%zu of %" JSON_INTEGER_FORMAT "; name an address or a container to see the others.\n", json_array_size(blocks), selected);
	return 0;
}

int command_blocks(const struct cli_values *values)
{
	_cleanup_(jsonp) json_t *request = json_pack("{s:s?, s:s?}", "prefix", values->argument_count ? values->arguments[0] : NULL,
						     "container", values->container);
	_cleanup_(jsonp) json_t *body = NULL;
	struct error error = {};
	int r = control_request(values->control, "POST", "/v1/blocks", request, &body, &error);

	if (r == 0 && values->json)
		cli_print_json(body);
	else if (r == 0 && print_blocks(body) < 0)
		r = error_set(&error, -ENOMEM, "out of memory");
	if (r == 0)
		return CLI_OK;
	cli_fail(&error);
	return r == -EINVAL ? CLI_USAGE : CLI_FAILURE;
}

static void print_lifted(const json_t *body)
{
	const json_t *blocks = json_object_get(body, "blocks");
	json_int_t lifted = cli_number(body, "lifted");
	char where[400], left[TEXT_DURATION_SIZE], line[600], printed[600];
	json_t *block;
	size_t i;

	json_array_foreach(blocks, i, block) {
		bool everywhere = json_is_true(json_object_get(block, "everywhere"));

		where_text(block, where, sizeof(where));
		left_text(block, left);
		snprintf(line, sizeof(line), "Lifted: %s %s%s (%s left)", cli_text(block, "prefix"), everywhere ? "" : "at ", where, left);
		printf("%s\n", printable_copy(line, printed, sizeof(printed)));
	}
	if ((json_int_t)json_array_size(blocks) < lifted)
		printf("... %" JSON_INTEGER_FORMAT " in all\n", lifted);
}

int command_unblock(const struct cli_values *values)
{
	_cleanup_(jsonp) json_t *prefixes = json_array(), *request = NULL, *body = NULL;
	const json_t *missing;
	struct error error = {};
	json_t *sentence;
	size_t i;
	int r;

	if (values->all == (values->argument_count > 0)) {
		log_error(values->all ? "--all lifts every ban: leave the addresses out, or --all" :
			  "say what to lift: `dnetbpf unblock ADDR|CIDR...`, or --all (`dnetbpf blocks` lists what there is)");
		return CLI_USAGE;
	}
	for (unsigned int n = 0; n < values->argument_count; n++)
		json_array_append_new(prefixes, json_string(values->arguments[n]));
	request = json_pack("{s:O, s:b, s:s?}", "prefixes", prefixes, "all", values->all, "container", values->container);
	r = control_request(values->control, "POST", "/v1/unblock", request, &body, &error);
	if (r < 0) {
		cli_fail(&error);
		return r == -EINVAL ? CLI_USAGE : CLI_FAILURE;
	}
	missing = json_object_get(body, "missing");
	if (values->json)
		cli_print_json(body);
	else
		print_lifted(body);
	fflush(stdout);
	json_array_foreach(missing, i, sentence)
		if (!values->json)
			log_error("%s", json_string_value(sentence) ? json_string_value(sentence) : "?");
	return json_array_size(missing) ? CLI_FAILURE : CLI_OK;
}
