/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/text.h"
#include "base/word.h"
#include "cli/cli.h"
#include "control/client.h"
#include "geo/geo.h"

#define SHOWN_ERRORS 10	/* of standard input; a wrong file has a million of them */

/* @text is printed as it was written, so that the answer can be joined with the question. False: it is no address. */
static bool answer(const struct geo *geo, const char *text, bool json)
{
	char country[3];
	struct dnet_addr addr;
	uint32_t number;

	if (text_parse_addr(text, &addr) < 0)
		return false;
	number = geo_find(geo, &addr);
	country_text(number, country);
	/* What is an address needs no escapes. */
	if (!json)
		printf("%s %s\n", text, country);
	else if (number)
		printf("{\"address\": \"%s\", \"country\": \"%s\"}\n", text, country);
	else
		printf("{\"address\": \"%s\", \"country\": null}\n", text);
	return true;
}

/* Without the blanks around it, and terminated. */
static char *trim(char *line, size_t length)
{
	while (length && strchr(" \t\r\n", line[length - 1]))
		length--;
	line[length] = '\0';
	return line + strspn(line, " \t");
}

static int answer_input(const struct geo *geo, bool json)
{
	_cleanup_free_ char *line = NULL;
	unsigned long number = 0, bad = 0;
	size_t room = 0;
	ssize_t length;

	/* A reader that is gone wants no more. */
	while (!ferror(stdout) && (length = getline(&line, &room, stdin)) >= 0) {
		/* A zero in the line ends the address, not the error. */
		bool whole = !memchr(line, '\0', (size_t)length);
		const char *text = trim(line, (size_t)length);

		number++;
		if ((!*text && whole) || (whole && answer(geo, text, json)))
			continue;
		if (++bad <= SHOWN_ERRORS)
			log_error("standard input, line %lu: \"%s\" is no address: write one IPv4 or IPv6 address a line", number,
				  word_print(word_of(text)).text);
	}
	if (ferror(stdin)) {
		log_error("cannot read standard input: %s", strerror(errno));
		return CLI_FAILURE;
	}
	if (bad > SHOWN_ERRORS)
		log_error("%lu more lines of standard input are no addresses", bad - SHOWN_ERRORS);
	return bad ? CLI_FAILURE : CLI_OK;
}

int command_geo_lookup(const struct cli_values *values)
{
	_cleanup_(geo_freep) struct geo *geo = NULL;
	struct error error = {};
	int code = CLI_OK;

	if (geo_load(values->database, NULL, &geo, &error) < 0)
		return cli_fail(&error);
	for (unsigned int i = 0; i < values->argument_count; i++) {
		const char *text = values->arguments[i];

		if (strcmp(text, "-") == 0) {
			if (answer_input(geo, values->json) != CLI_OK)
				code = CLI_FAILURE;
		} else if (!answer(geo, text, values->json)) {
			log_error("\"%s\" is no address: write an IPv4 or IPv6 address, or - to read them from standard input",
				  word_print(word_of(text)).text);
			code = CLI_USAGE;
		}
	}
	return code;
}

#define LABEL "%-12s "
#define NUMBER "%" JSON_INTEGER_FORMAT

static void print_line(const char *label, const char *text)
{
	char buffer[1024];

	printf(LABEL "%s\n", label, printable_copy(text, buffer, sizeof(buffer)));
}

static void print_status(const json_t *body)
{
	const json_t *ranges = json_object_get(body, "ranges");
	char age[TEXT_DURATION_SIZE];

	print_line("Database", cli_text(body, "database"));
	if (json_is_true(json_object_get(body, "in_force"))) {
		print_line("Format", cli_text(body, "format"));
		printf(LABEL "%s, %s ago\n", "Built", cli_text(body, "built"), text_duration((uint64_t)cli_number(body, "age_seconds"), age));
		printf(LABEL NUMBER " of IPv4, " NUMBER " of IPv6\n", "Ranges", cli_number(ranges, "ipv4"), cli_number(ranges, "ipv6"));
		printf(LABEL NUMBER "\n", "Countries", cli_number(body, "countries"));
		print_line("Loaded", cli_text(body, "loaded"));
	} else {
		print_line("Loaded", "no: rules with geo: are refused, and containers whose labels have one are denied everything");
	}
	printf(LABEL NUMBER ", and " NUMBER " that failed\n", "Reloads", cli_number(body, "reloads"), cli_number(body, "failed_reloads"));
	if (*cli_text(body, "last_error"))
		print_line("Last error", cli_text(body, "last_error"));
}

int command_geo_status(const struct cli_values *values)
{
	struct error error = {};
	json_t *body;

	if (control_request(values->control, "GET", "/v1/geo", NULL, &body, &error) < 0)
		return cli_fail(&error);
	if (values->json)
		cli_print_json(body);
	else
		print_status(body);
	json_decref(body);
	return CLI_OK;
}
