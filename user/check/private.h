/* SPDX-License-Identifier: GPL-2.0 */
/* What the pieces of check/ share. */
#ifndef DNETBPF_CHECK_PRIVATE_H
#define DNETBPF_CHECK_PRIVATE_H

#include "check/lint.h"
#include "compile/compile.h"

/* --- cover.c: whether one text includes another. "No" when that is not certain. */

/* Everybody that @inner names is also named by @outer. Both rules belong to the same container. */
bool peer_covers(const struct peer *outer, const struct peer *inner);
/* Every container that @inner selects is also selected by @outer. */
bool selector_covers(const struct selector *outer, const struct selector *inner);
/* Can a container be selected by both? "Yes" when that is not certain. */
bool selectors_meet(const struct selector *a, const struct selector *b);
bool rule_has_port(const struct rule *rule, uint8_t proto, uint16_t port);
/* Is it named by itself? A range, or "tcp", names no port in particular. */
bool rule_names_port(const struct rule *rule, uint8_t proto, uint16_t port);
/* Is some (protocol, port) in both? */
bool rules_share_ports(const struct rule *a, const struct rule *b);

/*
 * Which of the @count rules before it decide all that @rule names? Returns how many different ones are needed, at most 2, and
 * the first of them; 0: some packet gets through to it.
 */
unsigned int rules_cover(const struct listed_rule *before, size_t count, const struct rule *rule,
			 const struct listed_rule **ret_first);

/* --- fix.c: the line as it should be. Owned by the caller; NULL without memory, or when there is none. */

/* With @text instead of the rule @index; index == count: added at the end. */
char *fix_rule(const struct lint_list *list, size_t index, const char *text);
/* With the rule @index above the rule @above. */
char *fix_move(const struct lint_list *list, size_t index, size_t above);
/* Without the rule @index. In a file that is no line: NULL. */
char *fix_remove(const struct lint_list *list, size_t index);
/* The text of a rule with one word (what stands between spaces, commas and slashes) replaced by another. */
char *fix_word(const char *text, const char *word, const char *by);

/* --- lint.c */

/* A warning at the place of @rule. Takes over @fix, which may be NULL. */
void lint_warn(struct diagnostics *diagnostics, const char *name, const struct origin *origin, char *fix, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* An error at a place. */
void lint_error(struct diagnostics *diagnostics, const struct origin *origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* " in line 7 of FILE", as far as @from has to be told it. Returns @buffer. */
const char *lint_line(const struct origin *of, const struct origin *from, char *buffer, size_t size);
void lint_only_denies(const struct lint_list *list, const char *container, struct diagnostics *diagnostics);
void lint_modes(const struct policy *first, const struct policy *second, const char *container, struct diagnostics *diagnostics);
struct lint_list lint_list_of(const struct policy *policy, enum dnet_direction direction, bool label, char *name, size_t size);

/* --- lint_inventory.c */

/* One container with its interfaces. */
struct scene_container {
	const struct container *container;
	size_t first, count;	/* of the scene's endpoints; at least one */
	struct label_policy labels;
};

struct scene {
	const struct lint_world *world;
	struct scene_container *containers;
	size_t container_count;
	struct compile_endpoint *endpoints;
	size_t endpoint_count;
	const char **names;	/* of the networks of each container, closed by NULL, one list after the other */
	const struct scene_container **selected;	/* by the policy at hand */
	size_t selected_count;
	struct diagnostics *diagnostics;
};

/* lint_names.c: names of the rules and of the selector of a policy. */
void lint_names(struct scene *scene, const struct policy *policy);
/* lint_ports.c: one rule beside the containers that the policy selects. */
void lint_ports(struct scene *scene, const struct lint_list *list, size_t index);
/* A list beside the containers that its policy selects. */
void lint_families(struct scene *scene, const struct lint_list *list);

#endif
