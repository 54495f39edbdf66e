/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whom selectors and peers name. Pure.
 *
 * Anchors keep this from being asked for every pair: a selector or peer that holds only for endpoints with one exact word (a
 * container's name, say) is entered under that word's hash, and an endpoint looks up the few words that it has. An anchor only
 * says where to look: who is found there is asked, so that equal hashes do no harm.
 */
#ifndef DNETBPF_COMPILE_SELECT_H
#define DNETBPF_COMPILE_SELECT_H

#include "compile/compile.h"

bool selector_selects(const struct selector *selector, const struct compile_endpoint *endpoint);
/* Does a peer that is a name (see peer_is_name()) mean this endpoint? @project: of the container whose rule it is, or NULL. */
bool peer_names_endpoint(const struct peer *peer, const char *project, const struct compile_endpoint *endpoint);
/* Is the peer a name of endpoints: a container, service, network, label or project? */
bool peer_is_name(const struct peer *peer);
/* Does its meaning depend on the project of the container whose rule it is? */
bool peer_needs_project(const struct peer *peer);

/* Numbers by 64-bit hashes; several under one. */
struct anchors {
	uint32_t *heads;	/* index + 1 of the newest item of a bucket; 0: none */
	size_t bucket_count;	/* a power of two, or 0 */
	struct anchor {
		uint64_t hash;
		uint32_t value, next;
	} *items;
	size_t count, room;
};

void anchors_clear(struct anchors *anchors);
int anchors_add(struct anchors *anchors, uint64_t hash, uint32_t value);	/* -ENOMEM */
/* Walk: start with *position = 0; false when there is no more. Newest first. */
bool anchors_next(const struct anchors *anchors, uint64_t hash, uint32_t *position, uint32_t *ret_value);

/* Under which anchors a selector belongs, by @add for each; some may come twice. */
int selector_anchors(const struct selector *selector, int (*add)(void *context, uint64_t hash), void *context);
uint64_t peer_anchor(const struct peer *peer, const char *project);
uint64_t interface_anchor(const char *name);
uint64_t set_anchor(const char *name);
/* The anchors that may hold something for this endpoint; owned by the caller. -ENOMEM. */
int endpoint_anchors(const struct compile_endpoint *endpoint, uint64_t **ret, size_t *ret_count);

#endif
