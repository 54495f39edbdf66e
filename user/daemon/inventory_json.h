/* SPDX-License-Identifier: GPL-2.0 */
/* An inventory as the `static` provider reads it: JSON is YAML. */
#ifndef DNETBPF_DAEMON_INVENTORY_JSON_H
#define DNETBPF_DAEMON_INVENTORY_JSON_H

#include <jansson.h>

#include "model/inventory.h"

/*
 * A new reference, or NULL without memory. What the provider would refuse is left out, so that one odd label of one container does
 * not make all unreadable. @interface: returns the host's end of an attachment, or NULL.
 */
json_t *inventory_to_json(const struct inventory *inventory,
			  const char *(*interface)(void *context, const struct attachment *attachment), void *context);

#endif
