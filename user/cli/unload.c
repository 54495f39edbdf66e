/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "control/client.h"
#include "dataplane/unload.h"

#define EXIT_WAIT_MS 5000	/* for the daemon's end, after its answer */

static int print(const struct cli_values *values, json_int_t interfaces, json_int_t pins, bool by_daemon)
{
	json_t *body;

	if (!values->json) {
		if (!interfaces && !pins)
			printf("Nothing was loaded.\n");
		else
			printf("Unloaded: programs of %" JSON_INTEGER_FORMAT " interface%s, %" JSON_INTEGER_FORMAT " pin%s%s\n",
			       interfaces, interfaces == 1 ? "" : "s", pins, pins == 1 ? "" : "s",
			       by_daemon ? "; the daemon has ended." : ".");
		return CLI_OK;
	}
	body = json_pack("{s:I, s:I}", "interfaces", interfaces, "pins", pins);
	cli_print_json(body);
	json_decref(body);
	return CLI_OK;
}

/* Whoever unloads wants to start anew or to remove the package: the daemon must be gone by then. */
static void wait_for_end(const char *control)
{
	for (int waited = 0; waited < EXIT_WAIT_MS; waited += 50) {
		struct timespec pause = { .tv_nsec = 50000000 };
		struct error error;
		json_t *body = NULL;
		int r = control_request(control, "GET", "/v1/status", NULL, &body, &error);

		json_decref(body);
		if (r == -ENOTCONN)
			return;
		nanosleep(&pause, NULL);
	}
}

/* A daemon at the control socket may hold other pins than the ones that are meant. */
static int other_pins(const struct cli_values *values, bool *ret, struct error *error)
{
	json_t *body;
	int r;

	*ret = false;
	if (!cli_given(values, OPTION_PIN))
		return 0;
	r = control_request(values->control, "GET", "/v1/status", NULL, &body, error);
	if (r < 0)
		return r;
	*ret = strcmp(cli_text(body, "pin"), values->pin) != 0;
	json_decref(body);
	return 0;
}

int command_unload(const struct cli_values *values)
{
	struct unload_report report = { 0 };
	struct error error = {};
	json_t *body = NULL;
	bool other = false;
	int r;

	r = other_pins(values, &other, &error);
	if (r == 0 && !other) {
		r = control_request(values->control, "POST", "/v1/unload", NULL, &body, &error);
		if (r == 0) {
			wait_for_end(values->control);
			r = print(values, cli_number(body, "interfaces"), cli_number(body, "pins"), true);
			json_decref(body);
			return r;
		}
	}
	if (r < 0 && r != -ENOTCONN)
		return cli_fail(&error);
	if (dataplane_unload(values->pin, &report, &error) < 0)
		return cli_fail(&error);
	return print(values, report.interfaces, report.pins, false);
}
