/* SPDX-License-Identifier: GPL-2.0 */
/* What happens to a packet, by which rule, and why not by another: as JSON, and one sentence for a person. */
#ifndef DNETBPF_EXPLAIN_EXPLANATION_H
#define DNETBPF_EXPLAIN_EXPLANATION_H

#include <jansson.h>

#include "explain/world.h"

/*
 * Explain the packet that @text describes. A new reference:
 *   packet, proto, src, src_port, dst, dst_port, from, to (names for a person); verdict, layer, policy, rule, origin, reason,
 *   sentence, direction, container, network: of the first end that denies, else of the last that judged;
 *   checks: [ the same keys for each end in order, and layers: [ { layer, verdict, policy, rule, origin } ],
 *             rules: [ { rule, text, policy, origin, action, lacks } ] up to the deciding one ];
 *   others: [ further packets that the text can mean, the same keys ]; notes: [ sentences ].
 * -EINVAL with the column for a text that cannot be read or resolved.
 */
int explain_text(const struct explain_world *world, const char *text, json_t **ret, struct error *error);
/* { rule, text, policy, origin, action }. A new reference. */
json_t *explain_rule_json(const struct listed_rule *listed);
/* "host", "file", "labels". */
const char *explain_layer_name(enum dnet_layer layer);
/* "FILE:LINE", or the label's name. @buffer: EXPLAIN_ORIGIN_SIZE. Returns @buffer. */
#define EXPLAIN_ORIGIN_SIZE 512
const char *explain_origin(const struct origin *origin, char *buffer);

/* Whose is the end of a layer's list? @names: of the policies that select the container, "labels" last. Returns @buffer. */
const char *explain_default_policy(const char *names, enum dnet_layer layer, char *buffer, size_t size);

/* notes.c: sentences about what Docker itself, or the lack of an interface, does with this packet. */
void explain_notes(const struct explain_world *world, const struct explain_packet *packet, json_t *notes);

#endif
