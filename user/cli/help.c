/* SPDX-License-Identifier: GPL-2.0 */
/* Help and "did you mean", out of the tables. */
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

void cli_help(FILE *out, const struct cli_command *command)
{
	if (!command) {
		fprintf(out, "dnetbpf enforces the network traffic of Docker containers in the kernel.\n\n"
			"Usage: dnetbpf COMMAND [OPTIONS]\n\nCommands:\n");
		for (command = cli_commands; command->name; command++)
			fprintf(out, "  %-*s %s\n", COLUMN - 2, command->name, command->summary);
		fprintf(out, "  %-*s %s\n", COLUMN - 2, "help [COMMAND]", "show this help, or that of a command");
		fprintf(out, "\nExit codes: 0 ok, 1 failure, 2 usage, 3 not supported here.\n");
		return;
	}
	fprintf(out, "dnetbpf %s: %s\n\nUsage: dnetbpf %s [OPTIONS]\n", command->name, command->summary, command->name);
	if (command->description)
		fprintf(out, "\n%s\n", command->description);
	fprintf(out, "\nOptions:\n");
	for (const enum cli_option_id *id = command->options; *id != OPTION_COUNT; id++)
		print_option(out, &cli_options[*id]);
}

#define MAX_WORD 32

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, replacements and swaps of neighbours. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[MAX_WORD + 1][MAX_WORD + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > MAX_WORD || m > MAX_WORD)
		return MAX_WORD;
	for (unsigned int i = 0; i <= n; i++)
		row[i][0] = i;
	for (unsigned int j = 0; j <= m; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= n; i++)
		for (size_t j = 1; j <= m; j++) {
			row[i][j] = least(least(row[i - 1][j], row[i][j - 1]) + 1, row[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[i][j] = least(row[i][j], row[i - 2][j - 2] + 1);
		}
	return row[n][m];
}

const char *cli_suggest(const char *word, const char *const *candidates)
{
	size_t length = strlen(word);
	/* One slip in three letters; more would suggest things that nobody meant. */
	unsigned int best = (unsigned int)(length / 3 + 1);
	const char *found = NULL;

	for (; *candidates; candidates++) {
		unsigned int d = distance(word, *candidates);

		/* A beginning of two letters or more counts as one slip. */
		if (d > 1 && length >= 2 && strncmp(word, *candidates, length) == 0)
			d = 1;
		if (d <= best && d < strlen(*candidates) && (d < best || !found)) {
			best = d;
			found = *candidates;
		}
	}
	return found;
}
