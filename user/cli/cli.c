/* SPDX-License-Identifier: GPL-2.0 */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

static const char *const log_choices[] = { "text", "json", NULL };
static const char *const attach_choices[] = {
	[ATTACH_AUTO] = "auto", [ATTACH_TCX] = "tcx", [ATTACH_CLSACT] = "clsact", NULL,
};
static const char *const verdict_choices[] = { "pass", "deny", "would_deny", NULL };

#define AT(member) offsetof(struct cli_values, member)

const struct cli_option cli_options[OPTION_COUNT] = {
	[OPTION_CONFIG] = { "config", 'c', CLI_TEXT, AT(config), "FILE", NULL, NULL,
		"policy file (default " DEFAULT_CONFIG ", which need not exist)" },
	[OPTION_INVENTORY] = { "inventory", 0, CLI_TEXT, AT(inventory), "KIND", "docker", NULL,
		"where containers are listed: docker, or static:FILE" },
	[OPTION_DOCKER] = { "docker", 0, CLI_TEXT, AT(docker), "URL", DEFAULT_DOCKER, NULL, "Docker's socket" },
	[OPTION_METRICS] = { "metrics", 0, CLI_TEXT, AT(metrics), "ADDR:PORT", DEFAULT_METRICS, NULL,
		"where Prometheus may read, or off" },
	[OPTION_CONTROL] = { "control", 0, CLI_TEXT, AT(control), "PATH", DEFAULT_CONTROL, NULL, "the daemon's control socket" },
	[OPTION_PIN] = { "pin", 0, CLI_TEXT, AT(pin), "DIR", DEFAULT_PIN, NULL, "where the kernel objects are pinned" },
	[OPTION_LOG] = { "log", 0, CLI_CHOICE, AT(log), "FORMAT", "text", log_choices, "how log and events are written" },
	[OPTION_AUDIT] = { "audit", 0, CLI_FLAG, AT(audit), NULL, NULL, NULL,
		"judge, count and report, but deny nothing (every policy as mode: audit)" },
	[OPTION_ONCE] = { "once", 0, CLI_FLAG, AT(once), NULL, NULL, NULL,
		"put the policy in force once, then exit and leave it in force" },
	[OPTION_ATTACH] = { "attach", 0, CLI_CHOICE, AT(attach), "HOW", "auto", attach_choices,
		"how programs are attached to interfaces" },
	[OPTION_JSON] = { "json", 0, CLI_FLAG, AT(json), NULL, NULL, NULL, "write JSON" },
	[OPTION_FOLLOW] = { "follow", 'f', CLI_FLAG, AT(follow), NULL, NULL, NULL, "wait for new events and print them as they come" },
	[OPTION_NUMBER] = { "number", 'n', CLI_NUMBER, AT(number), "N", NULL, NULL, "only the newest N of the daemon's history" },
	[OPTION_CONTAINER] = { "container", 0, CLI_TEXT, AT(container), "GLOB", NULL, NULL, "only events of these containers" },
	[OPTION_VERDICT] = { "verdict", 0, CLI_WORD, AT(verdict), "VERDICT", NULL, verdict_choices, "only this verdict" },
	[OPTION_REASON] = { "reason", 0, CLI_TEXT, AT(reason), "REASON", NULL, NULL, "only this reason, e.g. default_denied" },
	[OPTION_HELP] = { "help", 'h', CLI_FLAG, AT(help), NULL, NULL, NULL, "show this help" },
};

#define OPTIONS(...) (const enum cli_option_id[]){ __VA_ARGS__, OPTION_HELP, OPTION_COUNT }

const struct cli_command cli_commands[] = {
	{ "run", "enforce, until it is stopped (the daemon)",
	  "Runs in the foreground as root. When it ends, what is in force stays in force; the next run adopts it.",
	  OPTIONS(OPTION_CONFIG, OPTION_INVENTORY, OPTION_DOCKER, OPTION_METRICS, OPTION_CONTROL, OPTION_PIN, OPTION_LOG,
		  OPTION_AUDIT, OPTION_ONCE, OPTION_ATTACH, OPTION_JSON), command_run },
	{ "ps", "list container interfaces: state, policy, packets passed and denied",
	  "Under the list it says what is not enforced, and why.",
	  OPTIONS(OPTION_JSON, OPTION_CONTROL), command_ps },
	{ "events", "show what was denied and why",
	  "Without -f: the daemon's recent history. With -f: only what comes from now on, after the newest N of the history when\n"
	  "-n N is given. Filters are applied after -n when following, before it otherwise.",
	  OPTIONS(OPTION_FOLLOW, OPTION_NUMBER, OPTION_CONTAINER, OPTION_VERDICT, OPTION_REASON, OPTION_JSON, OPTION_CONTROL),
	  command_events },
	{ "status", "show how the daemon is doing", NULL, OPTIONS(OPTION_JSON, OPTION_CONTROL), command_status },
	{ "doctor", "say what this machine has or lacks, and what to do",
	  "Exit code 0: no problem; 1: a problem; 3: the kernel is too old.",
	  OPTIONS(OPTION_JSON, OPTION_DOCKER, OPTION_PIN, OPTION_CONTROL), command_doctor },
	{ "unload", "take everything away: programs, tables, pins",
	  "Asks the daemon, which then exits. Without a daemon it does the work itself, as root.",
	  OPTIONS(OPTION_JSON, OPTION_PIN, OPTION_CONTROL), command_unload },
	{ "version", "show versions", NULL, OPTIONS(OPTION_JSON), command_version },
	{ NULL, NULL, NULL, NULL, NULL },
};

/* " did you mean X?" or nothing, for the end of a sentence. */
static const char *hint(const char *word, const char *const *candidates, const char *dashes, char *buffer, size_t size)
{
	const char *meant = cli_suggest(word, candidates);

	buffer[0] = '\0';
	if (meant)
		snprintf(buffer, size, "; did you mean %s%s?", dashes, meant);
	return buffer;
}

static const struct cli_command *find_command(const char *name, struct error *error)
{
	const char *names[sizeof(cli_commands) / sizeof(cli_commands[0]) + 1];
	const struct cli_command *command;
	char meant[80];
	size_t count = 0;

	for (command = cli_commands; command->name; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
		names[count++] = command->name;
	}
	names[count++] = "help";
	names[count] = NULL;
	error_set(error, -EINVAL, "there is no command %s%s (`dnetbpf help` lists them)", name,
		  hint(name, names, "", meant, sizeof(meant)));
	return NULL;
}

static void *member(struct cli_values *values, enum cli_option_id id)
{
	return (char *)values + cli_options[id].offset;
}

static int set_value(struct cli_values *values, enum cli_option_id id, const char *text, struct error *error)
{
	const struct cli_option *option = &cli_options[id];
	char meant[80];
	size_t digits;

	switch (option->type) {
	case CLI_FLAG:
		*(bool *)member(values, id) = true;
		return 0;
	case CLI_TEXT:
		if (!*text)
			return error_set(error, -EINVAL, "--%s wants %s after it, and it is empty", option->name, option->argument);
		*(const char **)member(values, id) = text;
		return 0;
	case CLI_NUMBER:
		digits = strspn(text, "0123456789");
		if (!digits || text[digits] || digits > 9)
			return error_set(error, -EINVAL, "--%s %s: write a number from 0 to 999999999", option->name, text);
		*(unsigned int *)member(values, id) = (unsigned int)strtoul(text, NULL, 10);
		return 0;
	case CLI_CHOICE:
	case CLI_WORD:
		for (int i = 0; option->choices[i]; i++) {
			if (strcmp(option->choices[i], text) != 0)
				continue;
			if (option->type == CLI_CHOICE)
				*(int *)member(values, id) = i;
			else
				*(const char **)member(values, id) = option->choices[i];
			return 0;
		}
		error_set(error, -EINVAL, "--%s %s: write ", option->name, text);
		for (int i = 0; option->choices[i]; i++)
			snprintf(error->text + strlen(error->text), sizeof(error->text) - strlen(error->text), "%s%s",
				 !i ? "" : option->choices[i + 1] ? ", " : " or ", option->choices[i]);
		hint(text, option->choices, "", meant, sizeof(meant));
		snprintf(error->text + strlen(error->text), sizeof(error->text) - strlen(error->text), "%s", meant);
		return -EINVAL;
	}
	return -EINVAL;
}

/* @name has @length bytes; a single letter when @letter. */
static int find_option(const struct cli_command *command, const char *name, size_t length, bool letter,
		       enum cli_option_id *ret, struct error *error)
{
	const char *names[OPTION_COUNT + 1];
	char word[64], meant[80];
	size_t count = 0;

	for (const enum cli_option_id *id = command->options; *id != OPTION_COUNT; id++) {
		const struct cli_option *option = &cli_options[*id];

		if (letter ? option->letter == *name : strlen(option->name) == length && !memcmp(option->name, name, length)) {
			*ret = *id;
			return 0;
		}
		names[count++] = option->name;
	}
	names[count] = NULL;
	snprintf(word, sizeof(word), "%.*s", (int)length, name);
	return error_set(error, -EINVAL, "`dnetbpf %s` has no option %s%s%s (`dnetbpf help %s` lists them)", command->name,
			 letter ? "-" : "--", word, letter ? "" : hint(word, names, "--", meant, sizeof(meant)), command->name);
}

static int parse_long(const struct cli_command *command, int argc, char *const *argv, int *i, struct cli_values *values,
		      struct error *error)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const char *value = equals ? equals + 1 : NULL;
	enum cli_option_id id;
	int r = find_option(command, name, length, false, &id, error);

	if (r < 0)
		return r;
	if (cli_options[id].type == CLI_FLAG && value)
		return error_set(error, -EINVAL, "--%s takes no value", cli_options[id].name);
	if (cli_options[id].type != CLI_FLAG && !value) {
		if (*i + 1 >= argc)
			return error_set(error, -EINVAL, "--%s wants %s after it", cli_options[id].name, cli_options[id].argument);
		value = argv[++*i];
	}
	values->given |= 1u << id;
	return set_value(values, id, value, error);
}

/* -f, -n 5, -n5, -fn5 */
static int parse_letters(const struct cli_command *command, int argc, char *const *argv, int *i, struct cli_values *values,
			 struct error *error)
{
	for (const char *letter = argv[*i] + 1; *letter; letter++) {
		const char *value = NULL;
		enum cli_option_id id;
		int r = find_option(command, letter, 1, true, &id, error);

		if (r < 0)
			return r;
		if (cli_options[id].type != CLI_FLAG) {
			value = letter[1] ? letter + 1 : *i + 1 < argc ? argv[++*i] : NULL;
			if (!value)
				return error_set(error, -EINVAL, "-%c wants %s after it", *letter, cli_options[id].argument);
		}
		values->given |= 1u << id;
		r = set_value(values, id, value, error);
		if (r < 0 || value)
			return r;
	}
	return 0;
}

int cli_parse(int argc, char *const *argv, struct cli_invocation *ret, struct error *error)
{
	struct cli_invocation invocation = { 0 };
	int i = 1, r;

	if (argc < 2)
		return error_set(error, -EINVAL, "say what to do: `dnetbpf COMMAND` (`dnetbpf help` lists the commands)");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		if (argc > 3)
			return error_set(error, -EINVAL, "`dnetbpf help` takes the name of one command");
		if (argc == 3 && !(invocation.command = find_command(argv[2], error)))
			return -EINVAL;
		invocation.help = true;
		*ret = invocation;
		return 0;
	}
	invocation.command = find_command(strcmp(argv[1], "--version") == 0 ? "version" : argv[1], error);
	if (!invocation.command)
		return -EINVAL;
	for (const enum cli_option_id *id = invocation.command->options; *id != OPTION_COUNT; id++)
		if (cli_options[*id].standard) {
			r = set_value(&invocation.values, *id, cli_options[*id].standard, error);
			if (r < 0)
				return r;
		}
	for (i = 2; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0 && argv[i][2])
			r = parse_long(invocation.command, argc, argv, &i, &invocation.values, error);
		else if (argv[i][0] == '-' && argv[i][1] && argv[i][1] != '-')
			r = parse_letters(invocation.command, argc, argv, &i, &invocation.values, error);
		else
			r = error_set(error, -EINVAL, "`dnetbpf %s` takes options only, and %s is none (`dnetbpf help %s` lists them)",
				      invocation.command->name, argv[i], invocation.command->name);
		if (r < 0)
			return r;
	}
	invocation.help = invocation.values.help;
	*ret = invocation;
	return 0;
}

bool cli_given(const struct cli_values *values, enum cli_option_id option)
{
	return values->given & 1u << option;
}

void cli_print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

unsigned int cli_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool cli_output_broken(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	/* A pipe without a reader shows POLLERR, asked for or not. */
	return poll(&out, 1, 0) == 1 && out.revents & (POLLERR | POLLHUP | POLLNVAL);
}

const char *cli_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_int_t cli_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

int cli_fail(const struct error *error)
{
	log_error("%s", error->text);
	return CLI_FAILURE;
}

/* What was printed must have arrived: a full disk is a failure, a reader that had enough (`| head`) is not. */
static int finish(int code)
{
	bool failed = fflush(stdout) != 0;
	int reason = errno;

	if ((failed || ferror(stdout)) && !cli_output_broken() && reason != EPIPE) {
		log_error("cannot write to standard output: %s", failed ? strerror(reason) : "some of it was lost");
		return code ? code : CLI_FAILURE;
	}
	return code;
}

int cli_main(int argc, char **argv)
{
	struct cli_invocation invocation;
	struct error error = { "" };

	/* A client or a terminal that goes away is an error of one write, not the end of the daemon. */
	signal(SIGPIPE, SIG_IGN);
	if (cli_parse(argc, argv, &invocation, &error) < 0) {
		log_error("%s", error.text);
		return CLI_USAGE;
	}
	if (invocation.help) {
		cli_help(stdout, invocation.command);
		return finish(CLI_OK);
	}
	log_set_json(invocation.values.json);
	return finish(invocation.command->run(&invocation.values));
}
