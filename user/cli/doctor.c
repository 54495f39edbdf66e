/* SPDX-License-Identifier: GPL-2.0 */
#include "cli/doctor.h"

#include <errno.h>
#include <libgen.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "control/client.h"

static const char *const state_names[] = {
	[FINDING_OK] = "ok", [FINDING_WARNING] = "warning", [FINDING_PROBLEM] = "problem",
};

void doctor_report(struct doctor *doctor, const char *name, enum finding_state state, const char *advice,
		   const char *format, ...)
{
	char sentence[1024], clean[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	json_array_append_new(doctor->findings, json_pack("{s:s, s:s, s:s, s:s}", "name", name, "state", state_names[state],
							  "sentence", printable_copy(sentence, clean, sizeof(clean)),
							  "advice", advice));
}

/* The first line of a small file; -errno. */
static int read_line(const char *path, char *buffer, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	if (!fgets(buffer, (int)size, file))
		return -ENODATA;
	buffer[strcspn(buffer, "\n")] = '\0';
	return 0;
}

static void check_privileges(struct doctor *doctor)
{
	const struct probe *probe = &doctor->probe;

	if (probe->cap_bpf && probe->cap_net_admin)
		doctor_report(doctor, "privileges", FINDING_OK, "", "This user may load and attach programs.");
	else
		doctor_report(doctor, "privileges", FINDING_PROBLEM, "Run dnetbpf as root.",
			      "This user lacks %s%s%s.", probe->cap_bpf ? "" : "CAP_BPF",
			      !probe->cap_bpf && !probe->cap_net_admin ? " and " : "", probe->cap_net_admin ? "" : "CAP_NET_ADMIN");
}

static void check_kernel(struct doctor *doctor)
{
	const struct probe *probe = &doctor->probe;

	if (!probe->kernel_supported)
		doctor_report(doctor, "kernel", FINDING_PROBLEM, "Boot a kernel of version 5.15 or newer.",
			      "Linux %s is too old: the programs want atomic operations that came later.", probe->kernel);
	else
		doctor_report(doctor, "kernel", FINDING_OK, "", "Linux %s is new enough; programs can be attached by %s.",
			      probe->kernel, probe->tcx ? "TCX and clsact" : "clsact (TCX wants 6.6)");
}

/* The nearest directory of @path that exists decides. */
static bool in_bpffs(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	struct statfs fs;

	while (copy && statfs(copy, &fs) < 0) {
		if (errno != ENOENT || strcmp(copy, "/") == 0 || strcmp(copy, ".") == 0)
			return false;
		memmove(copy, dirname(copy), strlen(dirname(copy)) + 1);
	}
	return copy && fs.f_type == BPF_FS_MAGIC;
}

static void check_bpffs(struct doctor *doctor)
{
	const char *pin = doctor->values->pin;

	if (in_bpffs(pin))
		doctor_report(doctor, "bpffs", FINDING_OK, "", "%s is in a BPF file system.", pin);
	else if (strncmp(pin, "/sys/fs/bpf/", 12) == 0)
		doctor_report(doctor, "bpffs", FINDING_WARNING, "Nothing, or: mount -t bpf bpf /sys/fs/bpf",
			      "No BPF file system is mounted at /sys/fs/bpf; `dnetbpf run` mounts it.");
	else
		doctor_report(doctor, "bpffs", FINDING_PROBLEM, "Choose a directory below /sys/fs/bpf with --pin, or mount a BPF "
			      "file system there: mount -t bpf bpf DIR", "%s is in no BPF file system.", pin);
}

static void check_jit(struct doctor *doctor)
{
	char value[16];

	if (read_line("/proc/sys/net/core/bpf_jit_enable", value, sizeof(value)) < 0) {
		/* Only the first network namespace shows it; netdev_budget is another of that kind, and never missing there. */
		if (access("/proc/sys/net/core/netdev_budget", F_OK) < 0)
			return;
		doctor_report(doctor, "bpf-jit", FINDING_WARNING, "Use a kernel with CONFIG_BPF_JIT.",
			      "Whether the kernel compiles BPF programs cannot be read; interpreted ones are slow.");
	} else if (strcmp(value, "0") == 0) {
		doctor_report(doctor, "bpf-jit", FINDING_WARNING, "sysctl -w net.core.bpf_jit_enable=1",
			      "The kernel interprets BPF programs instead of compiling them, which is slow.");
	} else {
		doctor_report(doctor, "bpf-jit", FINDING_OK, "", "The kernel compiles BPF programs.");
	}
}

static void check_bridge_netfilter(struct doctor *doctor)
{
	char value[16];

	if (read_line("/proc/sys/net/bridge/bridge-nf-call-iptables", value, sizeof(value)) < 0)
		doctor_report(doctor, "br_netfilter", FINDING_OK, "",
			      "br_netfilter is not loaded: iptables sees no traffic between containers of one bridge. dnetbpf does.");
	else
		doctor_report(doctor, "br_netfilter", FINDING_OK, "",
			      "bridge-nf-call-iptables is %s in this network namespace: traffic between containers of one bridge %s "
			      "iptables as well. dnetbpf sees it either way.", value, strcmp(value, "0") == 0 ? "does not pass" : "passes");
}

static void check_daemon(struct doctor *doctor)
{
	const char *control = doctor->values->control;
	struct error error = {};
	json_t *body, *problem;
	size_t i;
	int r = control_request(control, "GET", "/v1/status", NULL, &body, &error);

	if (r < 0) {
		if (r == -ENOTCONN)
			doctor_report(doctor, "daemon", FINDING_WARNING, "systemctl start dnetbpf, or run `dnetbpf run`.",
				      "No daemon answers at %s. What was in force when it ended still is; new containers are "
				      "not enforced.", control);
		else
			doctor_report(doctor, "daemon", FINDING_PROBLEM, "", "The daemon cannot be asked: %s.", error.text);
		return;
	}
	if (strcmp(cli_text(body, "version"), cli_version()) != 0)
		doctor_report(doctor, "daemon", FINDING_WARNING, "systemctl restart dnetbpf; what is in force stays in force.",
			      "The daemon is version %s, this command is %s.", cli_text(body, "version"), cli_version());
	else
		doctor_report(doctor, "daemon", FINDING_OK, "", "The daemon runs (process %" JSON_INTEGER_FORMAT ").",
			      cli_number(body, "pid"));
	json_array_foreach(json_object_get(body, "problems"), i, problem)
		doctor_report(doctor, "daemon", FINDING_WARNING, "", "The daemon says: %s",
			      json_string_value(problem) ? json_string_value(problem) : "?");
	json_decref(body);
}

/* In the order in which they are shown; later ones may build on what earlier ones found. */
static void (*const checks[])(struct doctor *doctor) = {
	check_privileges, check_kernel, check_bpffs, check_jit, doctor_docker, doctor_firewalls, check_bridge_netfilter, check_daemon,
};

static void print(const json_t *findings)
{
	json_t *finding;
	size_t i;

	json_array_foreach(findings, i, finding) {
		printf("%-8s %-13s %s\n", cli_text(finding, "state"), cli_text(finding, "name"), cli_text(finding, "sentence"));
		if (*cli_text(finding, "advice"))
			printf("%-8s %-13s -> %s\n", "", "", cli_text(finding, "advice"));
	}
}

int command_doctor(const struct cli_values *values)
{
	struct doctor doctor = { .values = values, .findings = json_array() };
	int code = CLI_OK;
	json_t *finding;
	size_t i;

	if (!doctor.findings) {
		struct error error = { .text = "out of memory" };

		return cli_fail(&error);
	}
	probe_run(&doctor.probe);
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&doctor);
	if (values->json)
		cli_print_json(doctor.findings);
	else
		print(doctor.findings);
	json_array_foreach(doctor.findings, i, finding)
		if (strcmp(cli_text(finding, "state"), state_names[FINDING_PROBLEM]) == 0)
			code = CLI_FAILURE;
	json_decref(doctor.findings);
	return doctor.probe.kernel_supported ? code : CLI_UNSUPPORTED;
}
