/* SPDX-License-Identifier: GPL-2.0 */
/* The explain programs of a dataplane; dataplane_explain() is in dataplane.h. */
#ifndef DNETBPF_DATAPLANE_EXPLAIN_H
#define DNETBPF_DATAPLANE_EXPLAIN_H

#include "dataplane/dataplane.h"

void explain_unload(struct dataplane *dataplane);

#endif
