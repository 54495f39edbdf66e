/* SPDX-License-Identifier: GPL-2.0 */
/* Whole commands against a stand-in for the daemon (and for Docker) on a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include <dnetbpf/abi.h>

#include "cli/cli.h"
#include "control/server.h"

#define MAX_WORDS 24

/* Split at spaces. */
static int split(char *line, char **argv)
{
	int argc = 0;

	for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
		assert_true(argc < MAX_WORDS - 1);
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	return argc;
}

/* The stand-in: fixed answers. */

#define BAN_AT_WEB \
	"{\"prefix\":\"192.0.2.1\",\"everywhere\":false,\"container\":\"web\",\"running\":true,\"kind\":\"ban\"," \
	"\"seconds\":12,\"seconds_left\":588,\"exceeded_at\":\"web\",\"policy\":\"site\",\"rule\":\"public\"," \
	"\"limit\":\"rate 5/s per src\",\"packets\":17}"
#define BLOCK_EVERYWHERE \
	"{\"prefix\":\"2001:db8::/64\",\"everywhere\":true,\"container\":\"\",\"running\":false,\"kind\":\"hand\"," \
	"\"seconds\":7200,\"seconds_left\":null,\"exceeded_at\":\"\",\"policy\":\"\",\"rule\":\"\",\"limit\":\"\",\"packets\":0}"
#define BAN_OF_THE_PAST \
	"{\"prefix\":\"192.0.2.0/24\",\"everywhere\":false,\"container\":\"db\",\"running\":false,\"kind\":\"ban\"," \
	"\"seconds\":1,\"seconds_left\":1,\"exceeded_at\":\"db\",\"policy\":\"\",\"rule\":\"\",\"limit\":\"\",\"packets\":1}"

static const struct answer {
	const char *method, *path, *json;
} answers[] = {
	{ "GET", "/v1/ps",
	  "{\"endpoints\":[{\"container\":\"web\",\"container_id\":\"0123\",\"service\":\"shop/web\",\"network\":\"dmz\","
	  "\"interface\":\"veth1\",\"state\":\"enforced\",\"policies\":[\"web\",\"labels\"],\"addresses\":[\"172.18.0.2\"],"
	  "\"packets_passed\":1234,\"packets_denied\":5,\"packets_limited\":3,\"blocks\":2,\"events_suppressed\":0,\"not_enforced\":null},"
	  "{\"container\":\"db\",\"container_id\":\"4567\",\"service\":\"\",\"network\":\"dmz\",\"interface\":\"veth2\","
	  "\"state\":\"audit\",\"policies\":[],\"addresses\":[],\"packets_passed\":0,\"packets_denied\":0,"
	  "\"events_suppressed\":0,\"not_enforced\":\"its policy is in audit mode: denials are reported only\"}],"
	  "\"unprotected\":[{\"container\":\"agent\",\"why\":\"it uses the host's network\"}],\"blocks_everywhere\":4,"
	  "\"pressure\":[\"81 % of a table\"]}" },
	{ "GET", "/v1/geo",
	  "{\"database\":\"/var/lib/a.mmdb\",\"in_force\":true,\"format\":\"Some-Country\",\"built\":\"2026-01-02T03:04:05Z\","
	  "\"age_seconds\":7384,\"loaded\":\"2026-02-03T04:05:06Z\",\"ranges\":{\"ipv4\":5,\"ipv6\":6},\"countries\":251,\"reloads\":2,"
	  "\"failed_reloads\":1,\"last_error\":\"it is truncated\"}" },
	{ "GET", "/v1/status",
	  "{\"version\":\"9.9\",\"pid\":77,\"uptime_seconds\":7384,\"namespace_cookie\":1,\"inventory\":{\"kind\":\"docker\","
	  "\"url\":\"unix:///d.sock\",\"connected\":false,\"problem\":\"Docker does not answer\"},\"attach\":{\"mode\":\"clsact\","
	  "\"why\":\"the kernel is older than 6.6\"},\"pin\":\"/sys/fs/bpf/dnetbpf\",\"policy\":{\"file\":\"/etc/p.yaml\","
	  "\"loaded\":true,\"policies\":3},\"unknown\":\"deny\",\"endpoints\":{\"enforced\":4,\"pending\":0,\"audit\":1},"
	  "\"limits\":{\"buckets\":3,\"capacity\":262144,\"evictions\":4},"
	  "\"geo\":{\"database\":\"/usr/share/tor/geoip\",\"in_force\":true,\"countries\":251,\"age_seconds\":7384},"
	  "\"blocks\":{\"entries\":7,\"capacity\":65536,\"bans\":19,\"refused\":1},"
	  "\"flows\":{\"entries\":12,\"capacity\":262144},\"events\":{\"sent\":9,\"suppressed\":2,\"lost\":1},"
	  "\"pending_denied\":6,\"problems\":[\"something is odd\"]}" },
	{ "POST", "/v1/unload", "{\"interfaces\":2,\"pins\":31}" },
	{ "POST", "/v1/blocks",
	  "{\"blocks\":[" BAN_AT_WEB "," BLOCK_EVERYWHERE "," BAN_OF_THE_PAST "],\"selected\":5,\"entries\":5,\"capacity\":65536}" },
	{ "POST", "/v1/unblock",
	  "{\"blocks\":[" BAN_AT_WEB "," BLOCK_EVERYWHERE "],\"lifted\":3,\"missing\":[\"192.0.2.9 is not blocked\"]}" },
	{ "GET", "/version", "{\"Version\":\"28.5.2\",\"ApiVersion\":\"1.51\"}" },
	{ "GET", "/info", "{\"SecurityOptions\":[\"name=seccomp,profile=builtin\",\"name=rootless\"],\"Swarm\":{\"LocalNodeState\":"
			  "\"active\"},\"FirewallBackend\":{\"Driver\":\"nftables\"}}" },
	{ "GET", "/networks/bridge", "{\"Options\":{\"com.docker.network.bridge.enable_icc\":\"false\"}}" },
};
#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

static struct event_base *base;

static int give(size_t i, json_t **ret_body)
{
	*ret_body = json_loads(answers[i].json, 0, NULL);
	if (strcmp(answers[i].path, "/v1/unload") == 0)
		event_base_loopbreak(base);
	return *ret_body ? 0 : -22;
}

#define GIVE(n) static int give_##n(void *c, const json_t *q, json_t **b, struct error *e) { (void)c, (void)q, (void)e; return give(n, b); }
GIVE(0) GIVE(1) GIVE(2) GIVE(3) GIVE(4) GIVE(5) GIVE(6) GIVE(7) GIVE(8)

static const control_handler handlers[ANSWERS] = { give_0, give_1, give_2, give_3, give_4, give_5, give_6, give_7, give_8 };

struct fixture {
	char directory[64], socket[96], output[96];
	pid_t server;
};

static void add_event(struct history *history, const char *container, enum dnet_reason reason, uint32_t number)
{
	struct event_record record = {
		.time_unix_ns = 1767348672000000000ull, .verdict = DNET_DENY, .reason = reason, .container = container,
		.service = "", .network = "dmz", .peer_container = "", .interface = "", .country = "", .policy = "web",
		.rule = "", .origin = "", .proto = 17, .src_port = 1, .dst_port = 2, .count = 1, .bytes = number,
	};

	history_add(history, &record);
}

static void serve(const struct fixture *fixture, int ready)
{
	struct control_route routes[ANSWERS + 1] = { 0 };
	struct control_server *server;
	struct history *history;
	struct error error;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < ANSWERS; i++)
		routes[i] = (struct control_route){ answers[i].method, answers[i].path, handlers[i] };
	base = event_base_new();
	if (!base || history_new(&history) < 0)
		_exit(1);
	for (uint32_t i = 0; i < 10; i++)
		add_event(history, i % 2 ? "web" : "db", i < 6 ? DNET_REASON_NO_FLOW : DNET_REASON_POLICY_DENIED, i);
	if (control_server_new(base, fixture->socket, routes, NULL, history, &server, &error) < 0)
		_exit(1);
	if (write(ready, "", 1) != 1)
		_exit(1);
	event_base_dispatch(base);
	control_server_free(server);
	_exit(0);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int ready[2];
	char byte;

	strcpy(fixture->directory, "/tmp/dnetbpf-cli-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/control.sock", fixture->directory);
	snprintf(fixture->output, sizeof(fixture->output), "%s/output", fixture->directory);
	assert_int_equal(pipe(ready), 0);
	fixture->server = fork();
	assert_true(fixture->server >= 0);
	if (!fixture->server)
		serve(fixture, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->server > 0) {
		kill(fixture->server, SIGKILL);
		waitpid(fixture->server, NULL, 0);
	}
	unlink(fixture->socket);
	unlink(fixture->output);
	rmdir(fixture->directory);
	free(fixture);
	return 0;
}

/* cli_main() with both outputs on @fd. */
static int call(const char *text, int fd)
{
	int saved[2] = { dup(STDOUT_FILENO), dup(STDERR_FILENO) }, argc, code;
	char line[320], *argv[MAX_WORDS];

	snprintf(line, sizeof(line), "%s", text);
	argc = split(line, argv);
	fflush(stdout);
	fflush(stderr);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	code = cli_main(argc, argv);
	fflush(stdout);
	fflush(stderr);
	clearerr(stdout);
	log_set_json(0);
	dup2(saved[0], STDOUT_FILENO);
	dup2(saved[1], STDERR_FILENO);
	close(saved[0]);
	close(saved[1]);
	return code;
}

static char *output_of(const struct fixture *fixture, int *ret_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static char *output_of(const struct fixture *fixture, int *ret_code, const char *format, ...)
{
	int fd = open(fixture->output, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char line[320], *text = calloc(1, 1 << 16);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	assert_true(fd >= 0);
	*ret_code = call(line, fd);
	assert_true(pread(fd, text, (1 << 16) - 1, 0) >= 0);
	close(fd);
	return text;
}

static void expect(const struct fixture *fixture, const char *command, int code, const char *text)
{
	int is;
	char *output = output_of(fixture, &is, "dnetbpf %s --control %s", command, fixture->socket);

	if (is != code || strcmp(output, text) != 0)
		fail_msg("%s: exit code %d\n%s\nwanted %d\n%s", command, is, output, code, text);
	free(output);
}

static void test_ps(void **state)
{
	expect(*state, "ps", 0,
	       "CONTAINER  NETWORK  INTERFACE  STATE     POLICY      PASSED  DENIED  LIMITED  BANNED\n"
	       "web        dmz      veth1      enforced  web,labels    1234       5        3       2\n"
	       "db         dmz      veth2      audit     -                0       0        0       0\n"
	       "\n4 more banned everywhere: `dnetbpf blocks` lists them.\n"
	       "\nPressure:\n  81 % of a table\n"
	       "\nNot enforced:\n"
	       "  db on dmz: its policy is in audit mode: denials are reported only\n"
	       "  agent: it uses the host's network\n");
}

static void test_status(void **state)
{
	expect(*state, "status", 0,
	       "Daemon       dnetbpf 9.9, process 77, running for 2 h 3 min\n"
	       "Inventory    docker at unix:///d.sock, not connected: Docker does not answer\n"
	       "Policy       /etc/p.yaml, 3 policies\n"
	       "Unknown      senders that are not under enforcement are denied\n"
	       "Countries    /usr/share/tor/geoip, 251 countries, 2 h 3 min old\n\n"
	       "Interfaces   4 enforced, 1 audit\n"
	       "Connections  12 of at most 262144\n"
	       "Limits       3 of at most 262144 allowances in use, 4 given up for others\n"
	       "Blocks       7 of at most 65536 in force, 19 bans so far, 1 more found no room\n"
	       "Events       9 reported, 2 suppressed by the budget, 1 lost\n"
	       "Pending      6 packets denied before their container was identified\n\n"
	       "Attached by  clsact: the kernel is older than 6.6\n"
	       "Pins         /sys/fs/bpf/dnetbpf\n\n"
	       "Problems:\n  something is odd\n");
	expect(*state, "geo status", 0,
	       "Database     /var/lib/a.mmdb\n"
	       "Format       Some-Country\n"
	       "Built        2026-01-02T03:04:05Z, 2 h 3 min ago\n"
	       "Ranges       5 of IPv4, 6 of IPv6\n"
	       "Countries    251\n"
	       "Loaded       2026-02-03T04:05:06Z\n"
	       "Reloads      2, and 1 that failed\n"
	       "Last error   it is truncated\n");
}

static void test_blocks(void **state)
{
	expect(*state, "blocks", 0,
	       "ADDRESS        WHERE                  SET        LEFT  REFUSED  WHY\n"
	       "192.0.2.1      web               12 s ago  9 min 48 s       17  rate 5/s per src, rule public of policy site\n"
	       "2001:db8::/64  everywhere         2 h ago    for ever        0  by hand\n"
	       "192.0.2.0/24   db (not running)   1 s ago         1 s        1  a rule that is not in force any more\n"
	       "\n3 of 5; name an address or a container to see the others.\n");
	expect(*state, "unblock 192.0.2.1 2001:db8::/64 192.0.2.9", 1,
	       "Lifted: 192.0.2.1 at web (9 min 48 s left)\n"
	       "Lifted: 2001:db8::/64 everywhere (for ever left)\n"
	       "... 3 in all\n"
	       "dnetbpf: error: 192.0.2.9 is not blocked\n");
	expect(*state, "unblock", 2,
	       "dnetbpf: error: say what to lift: `dnetbpf unblock ADDR|CIDR...`, or --all (`dnetbpf blocks` lists what there is)\n");
	expect(*state, "unblock --all 192.0.2.1", 2, "dnetbpf: error: --all lifts every ban: leave the addresses out, or --all\n");
}

/* --json is what the daemon said, whole. */
static void test_json(void **state)
{
	static const struct {
		const char *command;
		size_t answer;
	} commands[] = { { "ps", 0 }, { "geo status", 1 }, { "status", 2 }, { "blocks", 4 } };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int code;
		char *output = output_of(fixture, &code, "dnetbpf %s --json --control=%s", commands[i].command, fixture->socket);
		json_t *is = json_loads(output, 0, NULL), *wanted = json_loads(answers[commands[i].answer].json, 0, NULL);

		assert_int_equal(code, 0);
		assert_non_null(is);
		assert_true(json_equal(is, wanted));
		json_decref(is);
		json_decref(wanted);
		free(output);
	}
}

static void test_events(void **state)
{
	static const struct {
		const char *options;
		unsigned int lines;
		uint32_t first, last;
	} cases[] = {
		{ "", 10, 0, 9 }, { "-n 3", 3, 7, 9 }, { "-n 100", 10, 0, 9 }, { "-n 0", 0, 0, 0 },
		{ "--container web", 5, 1, 9 }, { "--container w*", 5, 1, 9 }, { "--container nobody", 0, 0, 0 },
		{ "--reason no_flow", 6, 0, 5 }, { "--reason no_flow -n 2", 2, 4, 5 }, { "--verdict pass", 0, 0, 0 },
		{ "--verdict deny --container db --reason policy_denied", 2, 6, 8 },
	};
	struct fixture *fixture = *state;
	int code;
	char *output;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int lines = 0;
		char *line, *end;

		output = output_of(fixture, &code, "dnetbpf events --json %s --control %s", cases[i].options, fixture->socket);
		assert_int_equal(code, 0);
		for (line = output; (end = strchr(line, '\n')); line = end + 1) {
			json_t *event;
			json_int_t number;

			*end = '\0';
			event = json_loads(line, 0, NULL);
			number = cli_number(event, "bytes");
			if (!lines++)
				assert_int_equal(number, cases[i].first);
			if (!end[1])
				assert_int_equal(number, cases[i].last);
			json_decref(event);
		}
		if (lines != cases[i].lines)
			fail_msg("events %s: %u lines, wanted %u", cases[i].options, lines, cases[i].lines);
		free(output);
	}
	expect(fixture, "events -n 1", 0,
	       "2026-01-02T10:11:12.000Z DENY web ingress udp [::]:1 -> [::]:2: a rule denies it (policy_denied, policy web, network dmz)\n");
	output = output_of(fixture, &code, "dnetbpf events --reason no_flo");
	assert_int_equal(code, 2);
	assert_non_null(strstr(output, "did you mean \"no_flow\"?"));
	free(output);
}

/* `events -f | head`: the reader goes, and so does the command, without a complaint. */
static void test_broken_pipe(void **state)
{
	static const char *const commands[] = { "events -f", "events -f -n 5", "events", "ps", "status --json", "help" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char line[200];
		int ends[2], status = -1;
		pid_t child;

		assert_int_equal(pipe(ends), 0);
		close(ends[0]);
		snprintf(line, sizeof(line), strcmp(commands[i], "help") == 0 ? "dnetbpf %s" : "dnetbpf %s --control %s", commands[i],
			 fixture->socket);
		child = fork();
		if (!child) {
			alarm(20);
			dup2(ends[1], STDOUT_FILENO);
			_exit(call(line, ends[1]));
		}
		close(ends[1]);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			fail_msg("%s: status %x", commands[i], status);
	}
}

/* A full disk is a failure. */
static void test_full_disk(void **state)
{
	struct fixture *fixture = *state;
	int fd = open("/dev/full", O_WRONLY);
	char line[200];

	assert_true(fd >= 0);
	snprintf(line, sizeof(line), "dnetbpf ps --control %s", fixture->socket);
	assert_int_equal(call(line, fd), 1);
	close(fd);
}

static void test_unload(void **state)
{
	struct fixture *fixture = *state;
	int status;

	expect(fixture, "unload", 0, "Unloaded: programs of 2 interfaces, 31 pins; the daemon has ended.\n");
	assert_int_equal(waitpid(fixture->server, &status, 0), fixture->server);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fixture->server = 0;
}

static void test_no_daemon(void **state)
{
	static const char *const commands[] = { "ps", "status", "events", "events -f", "ps --json" };
	struct fixture *fixture = *state;
	int code;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char *output = output_of(fixture, &code, "dnetbpf %s --control %s.none", commands[i], fixture->socket);

		assert_int_equal(code, 1);
		assert_non_null(strstr(output, "dnetbpf run"));
		assert_non_null(strstr(output, fixture->socket));
		free(output);
	}
}

static const char *state_of(const json_t *findings, const char *name, const char *part)
{
	json_t *finding;
	size_t i;

	json_array_foreach(findings, i, finding)
		if (strcmp(cli_text(finding, "name"), name) == 0 && strstr(cli_text(finding, "sentence"), part))
			return cli_text(finding, "state");
	return "nothing";
}

static void test_doctor(void **state)
{
	static const struct {
		const char *name, *part, *state;
	} cases[] = {
		{ "docker", "Docker 28.5.2 answers", "ok" }, { "docker-dns", "127.0.0.11", "ok" },
		{ "docker-rootless", "rootless", "problem" }, { "docker-swarm", "swarm", "warning" },
		{ "docker-rules", "nftables", "ok" }, { "docker-icc", "icc=false", "ok" }, { "daemon", "is version 9.9", "warning" },
		{ "daemon", "something is odd", "warning" }, { "br_netfilter", "", "ok" },
	};
	struct fixture *fixture = *state;
	json_t *findings;
	char *output;
	int code;

	output = output_of(fixture, &code, "dnetbpf doctor --json --docker unix://%s --control %s", fixture->socket, fixture->socket);
	assert_int_equal(code, 1);	/* rootless is a problem */
	findings = json_loads(output, 0, NULL);
	assert_non_null(findings);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(state_of(findings, cases[i].name, cases[i].part), cases[i].state) != 0)
			fail_msg("%s is %s, wanted %s: %s", cases[i].name, state_of(findings, cases[i].name, cases[i].part),
				 cases[i].state, output);
	json_decref(findings);
	free(output);

	output = output_of(fixture, &code, "dnetbpf doctor --docker unix://%s.none --control %s.none", fixture->socket,
			   fixture->socket);
	assert_non_null(strstr(output, "Docker does not answer at unix://"));
	assert_non_null(strstr(output, "No daemon answers at"));
	free(output);
}

static void test_version(void **state)
{
	int code;
	char *output = output_of(*state, &code, "dnetbpf version --json");
	json_t *body = json_loads(output, 0, NULL);

	assert_int_equal(code, 0);
	assert_string_equal(cli_text(body, "version"), cli_version());
	assert_int_equal(cli_number(body, "abi"), DNET_ABI_VERSION);
	assert_int_equal(*cli_text(body, "libbpf"), '1');
	json_decref(body);
	free(output);
}

static void test_run_usage(void **state)
{
	static const struct {
		const char *options, *part;
	} cases[] = {
		{ "--inventory podman", "docker, or static:FILE" }, { "--inventory static:", "docker, or static:FILE" },
		{ "--docker tcp://1.2.3.4:2375", "unix://" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int code;
		char *output = output_of(*state, &code, "dnetbpf run %s", cases[i].options);

		assert_int_equal(code, 2);
		assert_non_null(strstr(output, cases[i].part));
		free(output);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ps), TEST(test_status), TEST(test_blocks), TEST(test_json), TEST(test_events), TEST(test_broken_pipe), TEST(test_full_disk),
		TEST(test_unload), TEST(test_no_daemon), TEST(test_doctor), TEST(test_version), TEST(test_run_usage),
	};

	/* `doctor` may try to attach something; it must not find the machine's interfaces. */
	if (unshare(CLONE_NEWNET) < 0)
		print_message("no network namespace of our own: not root\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
