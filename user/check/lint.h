/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is allowed to be written and is probably not what was meant: warnings, each with the line that fixes it where one line does.
 * And one error: policies of different mode on one container. Pure.
 */
#ifndef DNETBPF_CHECK_LINT_H
#define DNETBPF_CHECK_LINT_H

#include <stdbool.h>
#include <stdint.h>

#include "config/diagnostics.h"
#include "model/inventory.h"
#include "model/policy.h"

/*
 * The names of the warnings. From the text alone: LINT_NEVER to LINT_EXPIRED; beside what runs: LINT_NOTHING to LINT_LABEL; the
 * rest mostly of a compose file. Programs know them: they do not change.
 */
#define LINT_NEVER	"never-matches"		/* a rule that can never match: earlier ones decide all that it names */
#define LINT_DENIES	"only-denies"		/* a direction in which nothing is allowed */
#define LINT_IPV6	"ipv6-forgotten"
#define LINT_ALL_PORTS	"all-ports"		/* "53/tcp, udp" */
#define LINT_LATER	"not-enforced-yet"	/* log */
#define LINT_BAN	"doubtful-ban"		/* it can seldom come about, or hits others than who exceeded the limit */
#define LINT_EXPIRED	"expired"		/* `until` is over */
#define LINT_NOTHING	"matches-nothing"	/* a name that nobody has now */
#define LINT_HOST_PORT	"host-port"		/* the published port where the container's own is meant */
#define LINT_HIDDEN	"hidden-clients"	/* `from host` lets in whom Docker's userland proxy forwards */
#define LINT_IMAGE	"image-label"		/* labels that an image claims */
#define LINT_LABEL	"label-invalid"		/* labels of a container that this policy file makes, or leaves, invalid */
#define LINT_VARIABLE	"variable"		/* $NAME in a label: nobody knows here what it will be */
#define LINT_NO_EFFECT	"no-effect"		/* labels where they do nothing, and policies without rules */

/* Rules that stand together, and how a correction of one is written. */
struct lint_list {
	const struct rule_list *rules;
	enum dnet_direction direction;
	const char *whose;	/* "the policy web", for sentences */
	bool governs;		/* it ends in deny, and nobody adds to it */
	bool label;		/* a label holds all of them: a correction is the whole label */
};

/* One list by itself. */
void lint_rules(const struct lint_list *list, struct diagnostics *diagnostics);
/* Policies by themselves, and beside each other. @now_unix_ns: for `until`. */
void lint_policies(const struct policy_set *set, uint64_t now_unix_ns, struct diagnostics *diagnostics);

struct lint_world {
	const struct policy_set *set;
	const struct inventory *inventory;
	uint64_t now_unix_ns;
	bool compose;	/* both were made from a compose file: each policy is a service's labels, and of other projects nothing is known */
};
/* Policies beside what runs. 0 or -ENOMEM. */
int lint_inventory(const struct lint_world *world, struct diagnostics *diagnostics);

#endif
