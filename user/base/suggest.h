/* SPDX-License-Identifier: GPL-2.0 */
/* "Did you mean": the candidate that is nearest to a word that nobody knows. Pure. */
#ifndef DNETBPF_BASE_SUGGEST_H
#define DNETBPF_BASE_SUGGEST_H

#include "base/word.h"

#define SUGGEST_MAX 64	/* longer words are no typos of ours */

struct suggestion {
	struct word word;
	const char *best;	/* borrowed; NULL: nothing is near */
	unsigned int distance;
	char text[SUGGEST_MAX + 24];
};

void suggest_begin(struct suggestion *suggestion, struct word word);
/* Of candidates that are equally near the first one stays. */
void suggest_offer(struct suggestion *suggestion, const char *candidate);
/* "; did you mean "X"?", or @otherwise when nothing is near. */
const char *suggest_end(struct suggestion *suggestion, const char *otherwise);

#endif
