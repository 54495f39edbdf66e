/* SPDX-License-Identifier: GPL-2.0 */
/* Inside compile/: the compiler. */
#ifndef DNETBPF_COMPILE_COMPILER_H
#define DNETBPF_COMPILE_COMPILER_H

#include "compile/layers.h"
#include "compile/peers.h"
#include "compile/ruleset.h"

/* What an endpoint was in the last run, and what became of it. */
struct known {
	uint32_t id;
	uint32_t run;		/* when it was last seen */
	char *content;		/* all that its rulesets and rows depend on; owned */
	size_t size;
	uint64_t *anchors;	/* owned */
	size_t anchor_count;
	struct compile_verdict verdict;
};

struct compiler {
	struct layering layering;
	const struct set_classes *sets;
	struct arena arena;
	struct anchors by_content;	/* rulesets by the hash of their rules */
	struct peer_table peers;
	uint32_t resolved;		/* rulesets below it have the rows of all that is known */
	struct known **known;		/* by id; owned */
	size_t known_count;
	struct compile_interface *interfaces;	/* of the last run; owned, and so are the names */
	size_t interface_count;
	uint32_t run;
	char *scratch;			/* where content is put together */
	size_t scratch_room;
};

#endif
