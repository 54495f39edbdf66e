/* SPDX-License-Identifier: GPL-2.0 */
/* What comes after the first packet of a flow that passed: it is judged again, and it is answered. */
#ifndef TESTS_REFERENCE_FOLLOW_H
#define TESTS_REFERENCE_FOLLOW_H

#include "bed.h"

/*
 * Under a raised generation the same policy must find the same: the packet once more, and its answer, which is judged as the flow
 * began. @frame: the packet, which has just passed and left a flow. False, with a sentence in @problem.
 */
bool follow_flow(struct bed *bed, const struct reference_packet *packet, const struct reference_answer *expected, const struct frame *frame,
		 char *problem, size_t size);

#endif
