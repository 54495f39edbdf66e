/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon: `dnetbpf run`. */
#ifndef DNETBPF_DAEMON_DAEMON_H
#define DNETBPF_DAEMON_DAEMON_H

#include <stdbool.h>

enum attach_choice { ATTACH_AUTO, ATTACH_TCX, ATTACH_CLSACT };

struct run_options {
	const char *config;	/* policy file; NULL: the default path, which may be absent */
	const char *inventory;	/* "docker" or "static:FILE" */
	const char *docker;	/* "unix:///path" */
	const char *metrics;	/* "ADDR:PORT", or "off" */
	const char *control;	/* socket path */
	const char *pin;	/* directory in a bpffs */
	bool log_json;
	bool audit;		/* every policy as mode: audit */
	bool once;		/* reconcile once, then exit and leave everything in force */
	enum attach_choice attach;
};

#define DEFAULT_CONFIG		"/etc/dnetbpf/dnetbpf.yaml"
#define DEFAULT_DOCKER		"unix:///var/run/docker.sock"
#define DEFAULT_METRICS		"127.0.0.1:9469"
#define DEFAULT_CONTROL		"/run/dnetbpf/control.sock"
#define DEFAULT_PIN		"/sys/fs/bpf/dnetbpf"

/* Runs until SIGTERM or SIGINT. Returns the exit code: 0 ok, 1 failure, 2 usage or a policy that cannot be read,
 * 3 not supported here. Errors are printed. */
int daemon_run(const struct run_options *options);

#endif
