/* SPDX-License-Identifier: GPL-2.0 */
/* Inside compile/: which rules govern an endpoint, by layer and direction. */
#ifndef DNETBPF_COMPILE_LAYERS_H
#define DNETBPF_COMPILE_LAYERS_H

#include "compile/select.h"

/* What holds for all endpoints. */
struct layering {
	const struct policy_set *policies;
	bool has_sets;		/* there is a table of the sets */
	bool has_countries;	/* and one of the countries */
	bool audit;
	uint64_t now_unix_ns;
	struct anchors selectors;	/* indexes of policies */
	/* Rules that nobody wrote. */
	struct match everything;
	struct peer any, outside;
	struct rule host_pass[DNET_DIRECTIONS];
	struct rule unselected[DNET_DIRECTIONS];
	struct rule unselected_outside[2];	/* of ingress */
};

/* Returns -EOPNOTSUPP with a sentence when a policy has what cannot be enforced, -ENOMEM. The result is used in place: rules point
 * into it. */
int layering_begin(struct layering *layering, const struct compile_input *input, struct error *error);
void layering_clear(struct layering *layering);

/* One list, put together from several policies. */
struct listing {
	bool present;
	struct listed_rule *rules;	/* owned */
	size_t count, room;
	uint64_t hash;		/* of what is in it, in order */
	bool needs_project, needs_resolvers;
	bool of_labels;		/* some rules are from labels */
};

struct layers {
	struct listing listing[DNET_DIRECTIONS][DNET_LAYERS];
	bool selected, tracked, audit;
	char *policies;		/* names, joined by ","; owned */
	size_t policies_room, policies_length;
	char *problem;		/* the labels cannot be enforced, and why; owned */
};
void layers_clear(struct layers *layers);
/* @anchors: the endpoint's. -ENOMEM; what was stored until then is freed by layers_clear(). */
int layers_find(const struct layering *layering, const struct compile_endpoint *endpoint, const uint64_t *anchors, size_t anchor_count,
		struct layers *ret);

#endif
