/* SPDX-License-Identifier: GPL-2.0 */
/* Here because dataplane/ is the only folder that includes libbpf. */
#ifndef DNETBPF_DATAPLANE_VERSION_H
#define DNETBPF_DATAPLANE_VERSION_H

/* Of the library that is loaded, e.g. "1.1". */
const char *dataplane_libbpf_version(void);

#endif
