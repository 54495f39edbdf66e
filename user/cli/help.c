/* SPDX-License-Identifier: GPL-2.0 */
/* Help, out of the tables. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define COLUMN 26	/* where explanations begin */

static void print_option(FILE *out, const struct cli_option *option)
{
	char left[64], letter[8] = "    ";

	if (option->letter)
		snprintf(letter, sizeof(letter), "-%c, ", option->letter);
	snprintf(left, sizeof(left), "  %s--%s%s%s", letter, option->name, option->argument ? " " : "",
		 option->argument ? option->argument : "");
	fprintf(out, "%-*s %s", COLUMN, left, option->help);
	for (int i = 0; option->choices && option->choices[i]; i++)
		fprintf(out, "%s%s", !i ? ": " : option->choices[i + 1] ? ", " : " or ", option->choices[i]);
	if (option->standard)
		fprintf(out, " (default %s)", option->standard);
	fputc('\n', out);
}

static void print_command(FILE *out, const struct cli_command *command)
{
	char left[80];

	snprintf(left, sizeof(left), "%s%s%s", command->name, command->arguments ? " " : "", command->arguments ? command->arguments : "");
	fprintf(out, "  %-*s %s\n", COLUMN - 2, left, command->summary);
}

void cli_help_group(FILE *out, const char *group)
{
	size_t length = strlen(group);

	fprintf(out, "Usage: dnetbpf %s COMMAND [OPTIONS]\n\nCommands:\n", group);
	for (const struct cli_command *command = cli_commands; command->name; command++)
		if (strncmp(command->name, group, length) == 0 && command->name[length] == ' ')
			print_command(out, command);
}

void cli_help(FILE *out, const struct cli_command *command)
{
	if (!command) {
		fprintf(out, "dnetbpf enforces the network traffic of Docker containers in the kernel.\n\n"
			"Usage: dnetbpf COMMAND [OPTIONS]\n\nCommands:\n");
		for (command = cli_commands; command->name; command++)
			print_command(out, command);
		fprintf(out, "  %-*s %s\n", COLUMN - 2, "help [COMMAND]", "show this help, or that of a command");
		fprintf(out, "\nExit codes: 0 ok, 1 failure, 2 usage, 3 not supported here.\n");
		return;
	}
	fprintf(out, "dnetbpf %s: %s\n\nUsage: dnetbpf %s%s%s [OPTIONS]\n", command->name, command->summary, command->name,
		command->arguments ? " " : "", command->arguments ? command->arguments : "");
	if (command->description)
		fprintf(out, "\n%s\n", command->description);
	fprintf(out, "\nOptions:\n");
	for (const enum cli_option_id *id = command->options; *id != OPTION_COUNT; id++)
		print_option(out, &cli_options[*id]);
}
