/* SPDX-License-Identifier: GPL-2.0 */
/* Private to `dnetbpf doctor`: its checks report findings; it prints them. */
#ifndef DNETBPF_CLI_DOCTOR_H
#define DNETBPF_CLI_DOCTOR_H

#include "cli/cli.h"
#include "dataplane/probe.h"

enum finding_state { FINDING_OK, FINDING_WARNING, FINDING_PROBLEM };

struct doctor {
	const struct cli_values *values;
	struct probe probe;
	json_t *findings;
	bool docker_answers, docker_iptables;	/* what later checks build on */
};

/* @advice: what to do, "" for nothing. */
void doctor_report(struct doctor *doctor, const char *name, enum finding_state state, const char *advice,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Docker: whether it answers, and what of it matters here. */
void doctor_docker(struct doctor *doctor);
/* Other firewalls beside us: DOCKER-USER, ufw. */
void doctor_firewalls(struct doctor *doctor);

#endif
