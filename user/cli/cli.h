/* SPDX-License-Identifier: GPL-2.0 */
/* The command line: one table of options, one of commands; parsing, help and usage errors come out of them. */
#ifndef DNETBPF_CLI_CLI_H
#define DNETBPF_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "daemon/daemon.h"

enum cli_exit { CLI_OK = 0, CLI_FAILURE = 1, CLI_USAGE = 2, CLI_UNSUPPORTED = 3 };

enum cli_option_id {
	OPTION_CONFIG, OPTION_INVENTORY, OPTION_DOCKER, OPTION_METRICS, OPTION_CONTROL, OPTION_PIN, OPTION_LOG, OPTION_AUDIT,
	OPTION_ONCE, OPTION_ATTACH, OPTION_JSON, OPTION_FOLLOW, OPTION_NUMBER, OPTION_CONTAINER, OPTION_VERDICT, OPTION_REASON,
	OPTION_OFFLINE, OPTION_CONFIRM, OPTION_FOR, OPTION_REMOVE, OPTION_ALL, OPTION_DATABASE, OPTION_HELP, OPTION_COUNT,
};

#define CLI_MAX_ARGUMENTS 32	/* words; a rule may be written without quotes */

/* Strings are borrowed from argv or from the table. */
struct cli_values {
	const char *config, *inventory, *docker, *metrics, *control, *pin;
	const char *container, *verdict, *reason;
	int log, attach;		/* indexes of the choices in the table */
	unsigned int number;
	const char *offline, *confirm, *duration, *database;
	bool audit, once, json, follow, remove, all, help;
	const char *arguments[CLI_MAX_ARGUMENTS];	/* what is no option, in order */
	unsigned int argument_count;
	uint32_t given;			/* bit 1 << enum cli_option_id: it was written, not only the default */
};

enum cli_type {
	CLI_FLAG,	/* bool */
	CLI_TEXT,	/* const char * */
	CLI_NUMBER,	/* unsigned int, 0 to 999999999 */
	CLI_CHOICE,	/* int: index in choices */
	CLI_WORD,	/* const char *: one of the choices */
};

struct cli_option {
	const char *name;		/* without dashes */
	char letter;			/* or 0 */
	enum cli_type type;
	size_t offset;			/* in struct cli_values */
	const char *argument;		/* as help shows it; NULL for flags */
	const char *standard;		/* what holds when it is not given, parsed like an argument; NULL: nothing */
	const char *const *choices;	/* closed by NULL */
	const char *help;
};

struct cli_command {
	const char *name, *summary;	/* a name of two words belongs to a group: "policy show" */
	const char *arguments;		/* as help shows them, e.g. "CONTAINER RULE..."; NULL: none */
	unsigned int least, most;	/* how many */
	const char *description;	/* further lines of its help, or NULL */
	const enum cli_option_id *options;	/* closed by OPTION_COUNT */
	int (*run)(const struct cli_values *values);	/* returns an enum cli_exit */
};

extern const struct cli_option cli_options[OPTION_COUNT];
extern const struct cli_command cli_commands[];	/* closed by a NULL name */

struct cli_invocation {
	const struct cli_command *command;	/* NULL: help of the program, or of @group */
	const char *group;
	bool help;
	struct cli_values values;
};

/* Pure. -EINVAL: a usage error with its sentence. */
int cli_parse(int argc, char *const *argv, struct cli_invocation *ret, struct error *error);
/* @command NULL: of the program. */
void cli_help(FILE *out, const struct cli_command *command);
/* Of a group of commands. */
void cli_help_group(FILE *out, const char *group);
/* The whole program; returns the exit code. */
int cli_main(int argc, char **argv);

/* For the commands. */
const char *cli_version(void);
bool cli_given(const struct cli_values *values, enum cli_option_id option);
void cli_print_json(const json_t *value);	/* to standard output, for people and programs */
/* Columns of the terminal at standard output, or 0 when it is none. */
unsigned int cli_width(void);
/* Nobody reads standard output any more. */
bool cli_output_broken(void);
/* Text of a JSON member, "" when it is missing or no text; a number of one, 0 likewise. */
const char *cli_text(const json_t *object, const char *key);
json_int_t cli_number(const json_t *object, const char *key);
/* The arguments from @first on, joined by spaces: what a person wrote without quotes. Owned by the caller; NULL: no memory. */
char *cli_join(const struct cli_values *values, unsigned int first);
/* "30s", "10m", "2h", "7d" -> seconds. -EINVAL with a sentence that names --@option. */
int cli_duration(const char *text, const char *option, uint64_t *ret_seconds, struct error *error);
/* An absolute path, for the daemon, which has another working directory. Owned by the caller. */
char *cli_absolute(const char *path, struct error *error);
/* Print the error and return CLI_FAILURE. */
int cli_fail(const struct error *error);

int command_run(const struct cli_values *values);
int command_ps(const struct cli_values *values);
int command_events(const struct cli_values *values);
int command_status(const struct cli_values *values);
int command_doctor(const struct cli_values *values);
int command_unload(const struct cli_values *values);
int command_version(const struct cli_values *values);
int command_policy_check(const struct cli_values *values);
int command_policy_show(const struct cli_values *values);
int command_policy_explain(const struct cli_values *values);
int command_policy_test(const struct cli_values *values);
int command_policy_reload(const struct cli_values *values);
int command_policy_apply(const struct cli_values *values);
int command_policy_confirm(const struct cli_values *values);
int command_allow(const struct cli_values *values);
int command_deny(const struct cli_values *values);
int command_flows(const struct cli_values *values);
int command_blocks(const struct cli_values *values);
int command_unblock(const struct cli_values *values);
int command_geo_lookup(const struct cli_values *values);
int command_geo_status(const struct cli_values *values);
int command_init(const struct cli_values *values);

#endif
