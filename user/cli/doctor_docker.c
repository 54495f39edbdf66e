/* SPDX-License-Identifier: GPL-2.0 */
/* What `doctor` says of Docker and of the firewalls beside us. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "cli/doctor.h"
#include "control/unix_http.h"

#define DOCKER_TIMEOUT_SEC 5	/* a hanging Docker is a finding, too */
#define UFW_CONF "/etc/ufw/ufw.conf"

/* A new reference, or NULL with the reason. */
static json_t *ask(const char *socket, const char *path, int *ret_code, struct error *error)
{
	struct unix_http_request request = { .socket = socket, .method = "GET", .path = path, .timeout_sec = DOCKER_TIMEOUT_SEC };
	_cleanup_free_ char *body = NULL;
	json_t *answer;
	long status;

	*ret_code = unix_http(&request, &status, &body, error);
	if (*ret_code < 0)
		return NULL;
	answer = status == 200 ? json_loads(body, 0, NULL) : NULL;
	if (!answer)
		*ret_code = error_set(error, -EPROTO, "it answers GET %s with HTTP status %ld%s", path, status,
				      status == 200 ? " and no JSON" : "");
	return answer;
}

static void report_silence(struct doctor *doctor, const char *url, int code, const struct error *error)
{
	switch (code) {
	case -ENOTCONN:
		doctor_report(doctor, "docker", FINDING_WARNING, "Start Docker (systemctl start docker), or say with --docker where "
			      "its socket is. `dnetbpf run` waits for it.", "Docker does not answer at %s: %s.", url, error->text);
		return;
	case -EACCES:
		doctor_report(doctor, "docker", FINDING_PROBLEM, "Run this as root, or join the group docker.",
			      "No permission to ask Docker at %s.", url);
		return;
	default:
		doctor_report(doctor, "docker", FINDING_PROBLEM, "Look at its log: journalctl -u docker", "Docker at %s: %s.", url,
			      error->text);
	}
}

static bool has_security_option(const json_t *info, const char *name)
{
	json_t *option;
	size_t i;

	json_array_foreach(json_object_get(info, "SecurityOptions"), i, option)
		if (json_string_value(option) && strstr(json_string_value(option), name))
			return true;
	return false;
}

static void report_info(struct doctor *doctor, const json_t *info)
{
	const char *backend = cli_text(json_object_get(info, "FirewallBackend"), "Driver");

	doctor->docker_iptables = strncmp(backend, "nftables", 8) != 0;
	if (*backend)
		doctor_report(doctor, "docker-rules", FINDING_OK, "", "Docker's own rules are made by %s%s. They apply beside "
			      "dnetbpf's: a packet must pass both.", backend,
			      doctor->docker_iptables ? "" : ", so there is no chain DOCKER-USER");
	if (has_security_option(info, "name=rootless"))
		doctor_report(doctor, "docker-rootless", FINDING_PROBLEM, "Run Docker as root, or dnetbpf in the network namespace of "
			      "the rootless Docker.", "Docker runs rootless: its containers' interfaces are not in this network "
			      "namespace.");
	if (strcmp(cli_text(json_object_get(info, "Swarm"), "LocalNodeState"), "active") == 0)
		doctor_report(doctor, "docker-swarm", FINDING_WARNING, "Do not rely on dnetbpf for services on overlay networks.",
			      "Docker is part of a swarm: interfaces on overlay networks are not enforced.");
}

void doctor_docker(struct doctor *doctor)
{
	const char *url = doctor->values->docker, *socket = url + strlen("unix://");
	json_t *version, *info, *bridge;
	struct error error = {};
	int code, major;

	if (strncmp(url, "unix:///", 8) != 0) {
		doctor_report(doctor, "docker", FINDING_PROBLEM, "Write --docker " DEFAULT_DOCKER, "%s is no unix socket.", url);
		return;
	}
	version = ask(socket, "/version", &code, &error);
	if (!version) {
		report_silence(doctor, url, code, &error);
		return;
	}
	doctor->docker_answers = true;
	major = atoi(cli_text(version, "Version"));
	doctor_report(doctor, "docker", FINDING_OK, "", "%s %s answers at %s.",
		      strstr(cli_text(json_array_get(json_object_get(version, "Components"), 0), "Name"), "Podman") ? "Podman" :
		      "Docker", cli_text(version, "Version"), url);
	if (major >= 28)
		doctor_report(doctor, "docker-dns", FINDING_OK, "", "Docker 28 and newer sends what containers ask 127.0.0.11 from the "
			      "host itself: an egress policy does not filter those DNS queries.");
	json_decref(version);

	info = ask(socket, "/info", &code, &error);
	if (info)
		report_info(doctor, info);
	else
		report_silence(doctor, url, code, &error);
	json_decref(info);

	/* The default bridge's options are in no other answer. */
	bridge = ask(socket, "/networks/bridge", &code, &error);
	if (strcmp(cli_text(json_object_get(bridge, "Options"), "com.docker.network.bridge.enable_icc"), "false") == 0)
		doctor_report(doctor, "docker-icc", FINDING_OK, "", "icc=false holds on the default bridge: Docker denies traffic between "
			      "its containers by an iptables rule, whatever a policy of dnetbpf allows.");
	json_decref(bridge);
}

/* Run @argv and count the lines of its output that begin with @prefix, but for @except. -errno, or -ECHILD when it failed. */
static int count_lines(char *const *argv, const char *prefix, const char *except)
{
	char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawn_file_actions_t actions;
	_cleanup_fclose_ FILE *output = NULL;
	int ends[2], status, r, count = 0;
	char line[512];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&child, argv[0], &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (r) {
		close(ends[0]);
		return -r;
	}
	output = fdopen(ends[0], "r");
	while (output && fgets(line, sizeof(line), output))
		count += strncmp(line, prefix, strlen(prefix)) == 0 && strcmp(line, except) != 0;
	if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		return -ECHILD;
	return count;
}

static void check_docker_user(struct doctor *doctor)
{
	/* -w: another iptables may hold the lock for a moment. Docker's own RETURN is nobody's rule. */
	int rules = count_lines((char *const[]){ "iptables", "-w", "2", "-S", "DOCKER-USER", NULL }, "-A DOCKER-USER ",
				"-A DOCKER-USER -j RETURN\n");

	if (rules > 0)
		doctor_report(doctor, "docker-user", FINDING_OK, "", "The chain DOCKER-USER has rules (%d). It applies beside dnetbpf: "
			      "a packet must pass both.", rules);
}

static void check_ufw(struct doctor *doctor)
{
	_cleanup_fclose_ FILE *file = fopen(UFW_CONF, "re");
	bool enabled = false;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "ENABLED=", 8) != 0)
			continue;
		enabled = strncasecmp(line + 8, "yes", 3) == 0 || strncasecmp(line + 8, "\"yes\"", 5) == 0;
	}
	if (enabled)
		doctor_report(doctor, "ufw", FINDING_WARNING, "Say who may reach a published port in the ingress of the container's "
			      "policy.", "ufw is enabled: it does not filter ports that Docker publishes, although its list may "
			      "look so. dnetbpf does.");
}

void doctor_firewalls(struct doctor *doctor)
{
	/* Without Docker the chain is nobody's concern, and asking could load modules. */
	if (doctor->docker_answers && doctor->docker_iptables)
		check_docker_user(doctor);
	check_ufw(doctor);
}
