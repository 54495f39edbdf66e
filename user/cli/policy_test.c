/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/printable.h"
#include "cli/cli.h"
#include "explain/cases.h"
#include "explain/explanation.h"
#include "explain/offline.h"

static void offlinep(struct explain_offline **offline)
{
	explain_offline_free(*offline);
}

static void jsonp(json_t **json)
{
	json_decref(*json);
}

/* The name of the deciding rule; where all ends let it pass, of any of them. */
static bool rule_is(const json_t *explanation, const char *name)
{
	json_t *check;
	size_t i;

	if (strcmp(cli_text(explanation, "rule"), name) == 0)
		return true;
	if (strcmp(cli_text(explanation, "verdict"), "pass") != 0)
		return false;
	json_array_foreach(json_object_get(explanation, "checks"), i, check)
		if (strcmp(cli_text(check, "rule"), name) == 0)
			return true;
	return false;
}

static const char *came(const json_t *explanation)
{
	const char *verdict = cli_text(explanation, "verdict");

	return strcmp(verdict, "pass") == 0 ? "allow" : verdict;
}

/* What is not as expected, into @buffer; false: all is. */
static bool differs(const struct policy_case *one, const json_t *explanation, char *buffer, size_t size)
{
	const char *expected = policy_case_expectation(one->expect);

	if (strcmp(came(explanation), expected) != 0)
		snprintf(buffer, size, "expected %s, came %s", expected, came(explanation));
	else if (one->rule && !rule_is(explanation, one->rule))
		snprintf(buffer, size, "expected %s by rule \"%s\", came %s by %s%s%s", expected, one->rule, came(explanation),
			 *cli_text(explanation, "rule") ? "rule \"" : "no rule", cli_text(explanation, "rule"),
			 *cli_text(explanation, "rule") ? "\"" : "");
	else if (one->reason && strcmp(cli_text(explanation, "reason"), one->reason) != 0)
		snprintf(buffer, size, "expected %s for %s, came %s for %s", expected, one->reason, came(explanation),
			 cli_text(explanation, "reason"));
	else
		return false;
	return true;
}

static json_t *result_json(const struct policy_case *one, const json_t *explanation, const char *difference)
{
	json_t *result = json_pack("{s:s, s:s, s:i, s:b, s:s, s:s, s:s, s:s, s:s, s:s}", "packet", one->packet, "expect",
				   policy_case_expectation(one->expect), "line", (int)one->line, "passed", !*difference, "verdict",
				   cli_text(explanation, "verdict"), "reason", cli_text(explanation, "reason"), "policy",
				   cli_text(explanation, "policy"), "rule", cli_text(explanation, "rule"), "origin",
				   cli_text(explanation, "origin"), "sentence", cli_text(explanation, "sentence"));

	if (one->name)
		json_object_set_new(result, "name", json_string(one->name));
	if (*difference)
		json_object_set_new(result, "difference", json_string(difference));
	return result;
}

static void print_failure(const char *path, const struct policy_case *one, const json_t *explanation, const char *difference)
{
	char name[256], sentence[1536];

	printf("%s:%u: %s%s%s: %s\n", path, one->line, one->name ? printable_copy(one->name, name, sizeof(name)) : "",
	       one->name ? ": " : "",
	       one->packet, difference);
	printf("    %s\n", printable_copy(cli_text(explanation, "sentence"), sentence, sizeof(sentence)));
}

static int run(const struct cli_values *values, const char *path, const struct policy_cases *cases,
	       const struct explain_world *world)
{
	_cleanup_(jsonp) json_t *results = json_array();
	size_t failed = 0;

	for (size_t i = 0; i < cases->count; i++) {
		const struct policy_case *one = &cases->cases[i];
		_cleanup_(jsonp) json_t *explanation = NULL;
		struct error error = {};
		char difference[512] = "";

		if (explain_text(world, one->packet, &explanation, &error) < 0) {
			log_error("%s:%u:%u: %s", path, one->line, one->column + (error.column ? error.column - 1 : 0),
				  error.text + error.sentence);
			return CLI_USAGE;
		}
		if (differs(one, explanation, difference, sizeof(difference))) {
			failed++;
			if (!values->json)
				print_failure(path, one, explanation, difference);
		}
		json_array_append_new(results, result_json(one, explanation, difference));
	}
	if (values->json) {
		_cleanup_(jsonp) json_t *body = json_pack("{s:i, s:i, s:O}", "passed", (int)(cases->count - failed),
							  "failed", (int)failed, "cases", results);

		cli_print_json(body);
	} else {
		printf("%zu passed, %zu failed\n", cases->count - failed, failed);
	}
	return failed ? CLI_FAILURE : CLI_OK;
}

int command_policy_test(const struct cli_values *values)
{
	_cleanup_(policy_cases_clear) struct policy_cases cases = {};
	_cleanup_(offlinep) struct explain_offline *offline = NULL;
	const char *path = values->arguments[0], *policy, *inventory;
	struct error error = {};

	if (cli_given(values, OPTION_INVENTORY) && strncmp(values->inventory, "static:", 7) != 0) {
		log_error("--inventory %s: a test needs --inventory static:FILE, so that it means the same everywhere",
			  values->inventory);
		return CLI_USAGE;
	}
	if (policy_cases_load(path, &cases, &error) < 0) {
		log_error("%s", error.text);
		return CLI_USAGE;
	}
	policy = values->config ? values->config : cases.policy;
	inventory = cli_given(values, OPTION_INVENTORY) ? values->inventory + strlen("static:") : cases.inventory;
	if (!policy || !inventory) {
		log_error("%s says no %s: write %s: FILE in it, or give %s", path, policy ? "inventory" : "policy",
			  policy ? "inventory" : "policy", policy ? "--inventory static:FILE" : "--config FILE");
		return CLI_USAGE;
	}
	if (explain_offline_load(policy, inventory, (uint64_t)time(NULL) * 1000000000ull, &offline, &error) < 0) {
		log_error("%s", error.text);
		return CLI_USAGE;
	}
	return run(values, path, &cases, explain_offline_world(offline));
}
