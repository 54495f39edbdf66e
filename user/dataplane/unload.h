/* SPDX-License-Identifier: GPL-2.0 */
/* Take everything away: programs from every interface of this namespace, pins, the pin directory. Needs no daemon. */
#ifndef DNETBPF_DATAPLANE_UNLOAD_H
#define DNETBPF_DATAPLANE_UNLOAD_H

#include "base/error.h"

struct unload_report {
	unsigned int interfaces;	/* that carried programs of ours */
	unsigned int pins;		/* removed from the pin directory */
};

/* -EBUSY: a daemon holds the pins. Nothing there is success with zeros. */
int dataplane_unload(const char *pin, struct unload_report *ret, struct error *error);

#endif
