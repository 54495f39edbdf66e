/* SPDX-License-Identifier: GPL-2.0 */
/* How often each element of the language decided: what never does is not tested. */
#ifndef TESTS_REFERENCE_TALLY_H
#define TESTS_REFERENCE_TALLY_H

#include "evaluate.h"

struct tally {
	uint64_t count[96];
};

void tally_answer(struct tally *tally, const struct reference_packet *packet, const struct reference_answer *answer);
/* Print all; as a test (see tap() in tests/packet/packet.h) that none is zero when @complete. */
void tally_check(const struct tally *tally, bool complete);

#endif
