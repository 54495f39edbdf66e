/* SPDX-License-Identifier: GPL-2.0 */
/* The counts of `conns` limits, as the sweep keeps them true. Part of the dataplane: for flows.c. */
#ifndef DNETBPF_DATAPLANE_COUNTS_H
#define DNETBPF_DATAPLANE_COUNTS_H

#include "dataplane/dataplane.h"

/* Call @flow for each entry of the table. Returns -errno when the walk was cut short. */
int flows_walk(const struct dataplane *dataplane, void (*flow)(void *context, const struct dnet_flow_key *key, const struct dnet_flow *flow),
	       void *context);

/* Take a flow that was removed out of the counts it was in. */
void counts_give_back(struct dataplane *dataplane, const struct dnet_flow *flow);

/*
 * Compare all counts with the flows and correct those that are wrong. A count that moves while it is compared is left for the next time.
 * Returns how many were corrected.
 */
size_t counts_heal(struct dataplane *dataplane);

#endif
