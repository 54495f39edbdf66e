/* SPDX-License-Identifier: GPL-2.0 */
/* Inside compile/: the ordered rules of one layer and direction, and the tables that they become. */
#ifndef DNETBPF_COMPILE_RULESET_H
#define DNETBPF_COMPILE_RULESET_H

#include "compile/arena.h"

/* A ruleset in user space: what its rules and peers are is needed again for each new endpoint. */
struct ruleset {
	struct listed_rule *rules;	/* owned; the rules are borrowed */
	size_t count;
	char *project;	/* of the containers that use it, if a rule asks for it; owned, or NULL */
	struct dnet_addr *resolvers;	/* of the containers that use it, if a rule asks for them; owned */
	size_t resolver_count;
	bool of_labels;	/* a container wrote some of it: it may take a share of the tables, not all */
	enum dnet_layer layer;
	bool bans;	/* who exceeds some limit of it is banned */
	uint32_t words;
	size_t first_prefix, prefix_count;	/* its part of arena.prefixes */
};

/* What whoever starts a container may take of each table by one list of rules in its labels. */
#define RULESET_LABEL_SHARE 16

void ruleset_clear(struct ruleset *ruleset);
/* Compile @source (taken over on success) into a new ruleset. -ENOSPC: the arena is full. -E2BIG: @source alone is too large, more
 * rules than a list can have, or more of the tables than labels may take. On error the arena is as before. */
int arena_add_ruleset(struct arena *arena, struct ruleset *source, uint32_t *ret_local, struct error *error);

/* The addresses of clouds' metadata services. Closed by a prefix length of 0. */
extern const struct prefix metadata_prefixes[];
/* A resolver that is asked over the wire: no loopback address. */
bool resolver_on_wire(const struct dnet_addr *resolver);
/* Does a prefix cover another one (or an address, as /128)? An IPv6 prefix never covers IPv4 addresses, though ::/0 holds their
 * mapped form. */
bool prefix_covers(const struct dnet_addr *outer, unsigned int outer_len, const struct dnet_addr *inner, unsigned int inner_len);
bool prefix_is_v4(const struct dnet_addr *addr, unsigned int prefix_len);

#endif
