/* SPDX-License-Identifier: GPL-2.0 */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/suggest.h"
#include "geo/geo.h"

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
	[OPTION_CONTAINER] = { "container", 0, CLI_TEXT, AT(container), "GLOB", NULL, NULL, "only what concerns these containers" },
	[OPTION_VERDICT] = { "verdict", 0, CLI_WORD, AT(verdict), "VERDICT", NULL, verdict_choices, "only this verdict" },
	[OPTION_REASON] = { "reason", 0, CLI_TEXT, AT(reason), "REASON", NULL, NULL, "only this reason, e.g. default_denied" },
	[OPTION_OFFLINE] = { "offline", 0, CLI_TEXT, AT(offline), "FILE", NULL, NULL,
		"ask this policy file, not the daemon (with --inventory static:FILE)" },
	[OPTION_CONFIRM] = { "confirm", 0, CLI_TEXT, AT(confirm), "TIME", NULL, NULL,
		"take it back after TIME (60s, 5m) unless `dnetbpf policy confirm` came" },
	[OPTION_FOR] = { "for", 0, CLI_TEXT, AT(duration), "TIME", NULL, NULL, "only for so long (30s, 10m, 2h, 7d)" },
	[OPTION_REMOVE] = { "remove", 0, CLI_FLAG, AT(remove), NULL, NULL, NULL, "take the rule away again" },
	[OPTION_ALL] = { "all", 0, CLI_FLAG, AT(all), NULL, NULL, NULL, "lift every ban" },
	[OPTION_DATABASE] = { "database", 0, CLI_TEXT, AT(database), "FILE", GEO_DEFAULT_DATABASE, NULL,
		"country database: range files as tor has them, or an .mmdb" },
	[OPTION_HELP] = { "help", 'h', CLI_FLAG, AT(help), NULL, NULL, NULL, "show this help" },
};

#define OPTIONS(...) (const enum cli_option_id[]){ __VA_ARGS__, OPTION_HELP, OPTION_COUNT }

const struct cli_command cli_commands[] = {
	{ "run", "enforce, until it is stopped (the daemon)", NULL, 0, 0,
	  "Runs in the foreground as root. When it ends, what is in force stays in force; the next run adopts it.\n"
	  "SIGHUP reads the policy again.",
	  OPTIONS(OPTION_CONFIG, OPTION_INVENTORY, OPTION_DOCKER, OPTION_METRICS, OPTION_CONTROL, OPTION_PIN, OPTION_LOG,
		  OPTION_AUDIT, OPTION_ONCE, OPTION_ATTACH, OPTION_JSON), command_run },
	{ "init", "write a starter policy from what runs now", NULL, 0, 0,
	  "Prints a commented policy file: published ports, projects, and who talks to whom as far as connections show.\n"
	  "Nothing is changed: read it, then save it as " DEFAULT_CONFIG ".",
	  OPTIONS(OPTION_JSON, OPTION_CONTROL), command_init },
	{ "policy check", "find errors and likely mistakes in a policy", "FILE...", 1, CLI_MAX_ARGUMENTS,
	  "FILE is a policy file, or a compose file with dnetbpf labels. Needs neither root nor a daemon. With --inventory, or when\n"
	  "a daemon answers, names that match nothing are warned about. Exit code 0: no error (warnings are printed), 1: errors.",
	  OPTIONS(OPTION_JSON, OPTION_INVENTORY, OPTION_CONTROL), command_policy_check },
	{ "policy show", "show the rules in force, in their order, with their hits", "[CONTAINER]", 0, 1, NULL,
	  OPTIONS(OPTION_JSON, OPTION_CONTROL), command_policy_show },
	{ "policy explain", "say what happens to a packet, by which rule, and why not by another", "PACKET", 1, CLI_MAX_ARGUMENTS,
	  "PACKET is written as 'tcp 203.0.113.7:4444 -> web:443'; both sides may be container names, addresses, [v6]:port, host\n"
	  "or outside. Asks the daemon, and through it the tables in the kernel; --offline asks a file.",
	  OPTIONS(OPTION_JSON, OPTION_OFFLINE, OPTION_INVENTORY, OPTION_CONTROL), command_policy_explain },
	{ "policy test", "check expected verdicts, for your own CI", "CASES", 1, 1,
	  "CASES is a YAML file of packets and what is to become of them. Needs neither root nor Docker.",
	  OPTIONS(OPTION_JSON, OPTION_CONFIG, OPTION_INVENTORY), command_policy_test },
	{ "policy reload", "read the policy file again and put it in force", NULL, 0, 0,
	  "A file that cannot be read changes nothing.", OPTIONS(OPTION_JSON, OPTION_CONTROL), command_policy_reload },
	{ "policy apply", "put another policy file in force", "FILE", 1, 1,
	  "It holds until the next reload. With --confirm it is taken back by itself, so that nobody locks himself out.",
	  OPTIONS(OPTION_CONFIRM, OPTION_JSON, OPTION_CONTROL), command_policy_apply },
	{ "policy confirm", "keep what `policy apply --confirm` put in force", NULL, 0, 0, NULL,
	  OPTIONS(OPTION_JSON, OPTION_CONTROL), command_policy_confirm },
	{ "allow", "allow something to a container, by hand and at once", "CONTAINER RULE", 2, CLI_MAX_ARGUMENTS,
	  "RULE is a rule without its first word: `dnetbpf allow web 443/tcp from 203.0.113.0/24 --for 2h`. It comes before all\n"
	  "others, is kept in policy.d/by-hand.yaml, and governs nothing by itself. --remove takes the same rule away.",
	  OPTIONS(OPTION_FOR, OPTION_REMOVE, OPTION_JSON, OPTION_CONTROL), command_allow },
	{ "deny", "deny something to a container, by hand and at once", "CONTAINER RULE", 2, CLI_MAX_ARGUMENTS,
	  "RULE is a rule without its first word: `dnetbpf deny web from 203.0.113.7`. See `dnetbpf help allow`.",
	  OPTIONS(OPTION_FOR, OPTION_REMOVE, OPTION_JSON, OPTION_CONTROL), command_deny },
	{ "ps", "list container interfaces: state, policy, packets passed and denied", NULL, 0, 0,
	  "Under the list it says what is not enforced, and why.",
	  OPTIONS(OPTION_JSON, OPTION_CONTROL), command_ps },
	{ "events", "show what was denied and why", NULL, 0, 0,
	  "Without -f: the daemon's recent history. With -f: only what comes from now on, after the newest N of the history when\n"
	  "-n N is given. Filters are applied after -n when following, before it otherwise.",
	  OPTIONS(OPTION_FOLLOW, OPTION_NUMBER, OPTION_CONTAINER, OPTION_VERDICT, OPTION_REASON, OPTION_JSON, OPTION_CONTROL),
	  command_events },
	{ "flows", "list the connections that are known", NULL, 0, 0, NULL,
	  OPTIONS(OPTION_CONTAINER, OPTION_NUMBER, OPTION_JSON, OPTION_CONTROL), command_flows },
	{ "blocks", "list who is banned, where, for how long and why", "[ADDR|CIDR]", 0, 1,
	  "With ADDR or CIDR: only what has an address in common with it. The newest come first.",
	  OPTIONS(OPTION_CONTAINER, OPTION_JSON, OPTION_CONTROL), command_blocks },
	{ "unblock", "lift bans", "ADDR|CIDR...", 0, CLI_MAX_ARGUMENTS,
	  "Lifts every ban that has an address in common with ADDR or CIDR: what covers it as well as what lies in it. With\n"
	  "--container only bans at these containers, not those that hold everywhere. What the source has used up of its limits\n"
	  "stays used up. Exit code 1: one of them is not banned; the others were lifted all the same.",
	  OPTIONS(OPTION_ALL, OPTION_CONTAINER, OPTION_JSON, OPTION_CONTROL), command_unblock },
	{ "geo lookup", "say which country addresses are in", "ADDR...|-", 1, CLI_MAX_ARGUMENTS,
	  "One line \"ADDR CC\" for each address, \"??\" when it is unknown; with - addresses are read from standard input, one a line.\n"
	  "--json: one object a line. Needs neither root nor a daemon. Exit code 1 or 2: something was no address; the others are\n"
	  "answered all the same.",
	  OPTIONS(OPTION_DATABASE, OPTION_JSON), command_geo_lookup },
	{ "geo status", "show the daemon's database of countries: from when it is, and when it was read", NULL, 0, 0, NULL,
	  OPTIONS(OPTION_JSON, OPTION_CONTROL), command_geo_status },
	{ "status", "show how the daemon is doing", NULL, 0, 0, NULL, OPTIONS(OPTION_JSON, OPTION_CONTROL), command_status },
	{ "doctor", "say what this machine has or lacks, and what to do", NULL, 0, 0,
	  "Exit code 0: no problem; 1: a problem; 3: the kernel is too old.",
	  OPTIONS(OPTION_JSON, OPTION_DOCKER, OPTION_PIN, OPTION_CONTROL), command_doctor },
	{ "unload", "take everything away: programs, tables, pins", NULL, 0, 0,
	  "Asks the daemon, which then exits. Without a daemon it does the work itself, as root.",
	  OPTIONS(OPTION_JSON, OPTION_PIN, OPTION_CONTROL), command_unload },
	{ "version", "show versions", NULL, 0, 0, NULL, OPTIONS(OPTION_JSON), command_version },
	{},
};

/* " did you mean X?" or nothing, for the end of a sentence. */
static const char *hint(const char *word, const char *const *candidates, const char *dashes, char *buffer, size_t size)
{
	struct suggestion suggestion;

	buffer[0] = '\0';
	suggest_begin(&suggestion, word_of(word));
	for (; *candidates; candidates++)
		suggest_offer(&suggestion, *candidates);
	if (suggestion.best)
		snprintf(buffer, size, "; did you mean %s%s?", dashes, suggestion.best);
	return buffer;
}

/* Is this the first word of names of two words? */
static bool is_group(const char *word)
{
	size_t length = strlen(word);

	for (const struct cli_command *command = cli_commands; command->name; command++)
		if (strncmp(command->name, word, length) == 0 && command->name[length] == ' ')
			return true;
	return false;
}

static int unknown_command(const char *group, const char *name, struct error *error)
{
	const char *names[2 * sizeof(cli_commands) / sizeof(cli_commands[0]) + 1];
	size_t count = 0, length = group ? strlen(group) + 1 : 0;
	char meant[80];

	for (const struct cli_command *command = cli_commands; command->name; command++) {
		if (group && strncmp(command->name, group, length - 1) == 0 && command->name[length - 1] == ' ')
			names[count++] = command->name + length;
		else if (!group && !strchr(command->name, ' '))
			names[count++] = command->name;
	}
	if (!group) {
		names[count++] = "help";
		names[count++] = "policy";
		names[count++] = "geo";
	}
	names[count] = NULL;
	if (!name) {
		error_set(error, -EINVAL, "say which %s command: ", group);
		for (size_t i = 0; i < count; i++)
			snprintf(error->text + strlen(error->text), sizeof(error->text) - strlen(error->text), "%s%s %s",
				 !i ? "" : i + 1 < count ? ", " : " or ", group, names[i]);
		return -EINVAL;
	}
	return error_set(error, -EINVAL, "there is no command %s%s%s%s (`dnetbpf help%s%s` lists them)", group ? group : "", group ? " " : "",
			 name, hint(name, names, "", meant, sizeof(meant)), group ? " " : "", group ? group : "");
}

/* @words: closed by NULL. *ret_words: how many of them the name takes. */
static const struct cli_command *find_command(char *const *words, int *ret_words, struct error *error)
{
	const char *first = strcmp(words[0], "--version") == 0 ? "version" : words[0];
	bool group = is_group(first);
	size_t length = strlen(first);

	for (const struct cli_command *command = cli_commands; command->name; command++) {
		if (group ? words[1] && strncmp(command->name, first, length) == 0 && command->name[length] == ' ' &&
			    strcmp(command->name + length + 1, words[1]) == 0 : strcmp(command->name, first) == 0) {
			*ret_words = group ? 2 : 1;
			return command;
		}
	}
	unknown_command(group ? first : NULL, group ? words[1] : first, error);
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

static int parse_help(int argc, char *const *argv, struct cli_invocation *invocation, struct error *error)
{
	int words = 0;

	invocation->help = true;
	if (argc == 2)
		return 0;
	if (argc == 3 && is_group(argv[2])) {
		invocation->group = argv[2];
		return 0;
	}
	invocation->command = find_command(argv + 2, &words, error);
	if (!invocation->command)
		return -EINVAL;
	return 2 + words == argc ? 0 : error_set(error, -EINVAL, "`dnetbpf help` takes the name of one command");
}

static int add_argument(const struct cli_command *command, const char *word, struct cli_values *values, struct error *error)
{
	if (!command->most)
		return error_set(error, -EINVAL, "`dnetbpf %s` takes options only, and %s is none (`dnetbpf help %s` lists them)",
				 command->name, word, command->name);
	if (values->argument_count >= command->most)
		return error_set(error, -EINVAL, "%s is too much: write `dnetbpf %s %s`", word, command->name, command->arguments);
	values->arguments[values->argument_count++] = word;
	return 0;
}

int cli_parse(int argc, char *const *argv, struct cli_invocation *ret, struct error *error)
{
	struct cli_invocation invocation = { 0 };
	bool options = true;
	int words, r;

	if (argc < 2)
		return error_set(error, -EINVAL, "say what to do: `dnetbpf COMMAND` (`dnetbpf help` lists the commands)");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		r = parse_help(argc, argv, &invocation, error);
		if (r == 0)
			*ret = invocation;
		return r;
	}
	if (argc == 3 && is_group(argv[1]) && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
		*ret = (struct cli_invocation){ .group = argv[1], .help = true };
		return 0;
	}
	invocation.command = find_command(argv + 1, &words, error);
	if (!invocation.command)
		return -EINVAL;
	for (const enum cli_option_id *id = invocation.command->options; *id != OPTION_COUNT; id++)
		if (cli_options[*id].standard) {
			r = set_value(&invocation.values, *id, cli_options[*id].standard, error);
			if (r < 0)
				return r;
		}
	for (int i = 1 + words; i < argc; i++) {
		if (options && invocation.command->most && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		/* "->" is a word of packets. */
		if (options && strncmp(argv[i], "--", 2) == 0 && argv[i][2])
			r = parse_long(invocation.command, argc, argv, &i, &invocation.values, error);
		else if (options && argv[i][0] == '-' && argv[i][1] && !strchr("->", argv[i][1]))
			r = parse_letters(invocation.command, argc, argv, &i, &invocation.values, error);
		else
			r = add_argument(invocation.command, argv[i], &invocation.values, error);
		if (r < 0)
			return r;
	}
	invocation.help = invocation.values.help;
	if (!invocation.help && invocation.values.argument_count < invocation.command->least)
		return error_set(error, -EINVAL, "write `dnetbpf %s %s` (`dnetbpf help %s` says more)", invocation.command->name,
				 invocation.command->arguments, invocation.command->name);
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

char *cli_join(const struct cli_values *values, unsigned int first)
{
	size_t size = 1;
	char *text;

	for (unsigned int i = first; i < values->argument_count; i++)
		size += strlen(values->arguments[i]) + 1;
	text = calloc(1, size);
	for (unsigned int i = first; text && i < values->argument_count; i++) {
		if (i > first)
			strcat(text, " ");
		strcat(text, values->arguments[i]);
	}
	return text;
}

int cli_duration(const char *text, const char *option, uint64_t *ret_seconds, struct error *error)
{
	uint64_t ns;

	if (word_duration(word_of(text), &ns) < 0)
		return error_set(error, -EINVAL, "--%s %s: write a time such as 30s, 10m, 2h or 7d", option, text);
	*ret_seconds = ns / 1000000000ull;
	return 0;
}

char *cli_absolute(const char *path, struct error *error)
{
	char *absolute = realpath(path, NULL);

	if (!absolute)
		error_set(error, -errno, "cannot open %s: %s", path, strerror(errno));
	return absolute;
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
	struct error error = {};

	/* A client or a terminal that goes away is an error of one write, not the end of the daemon. */
	signal(SIGPIPE, SIG_IGN);
	if (cli_parse(argc, argv, &invocation, &error) < 0) {
		log_error("%s", error.text);
		return CLI_USAGE;
	}
	if (invocation.help) {
		if (invocation.group)
			cli_help_group(stdout, invocation.group);
		else
			cli_help(stdout, invocation.command);
		return finish(CLI_OK);
	}
	log_set_json(invocation.values.json);
	return finish(invocation.command->run(&invocation.values));
}
