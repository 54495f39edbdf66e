/* SPDX-License-Identifier: GPL-2.0 */
/* What libbpf says while it loads goes into error sentences, not to the screen. */
#ifndef DNETBPF_DATAPLANE_WORDS_H
#define DNETBPF_DATAPLANE_WORDS_H

void words_begin(void);
/* The first complaint since words_begin(), "" for none. Valid until then. */
const char *words_end(void);

#endif
