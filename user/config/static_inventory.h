/* SPDX-License-Identifier: GPL-2.0 */
/* The `static` inventory: networks and endpoints from a YAML file, for hosts without Docker, for tests and the demo. */
#ifndef DNETBPF_CONFIG_STATIC_INVENTORY_H
#define DNETBPF_CONFIG_STATIC_INVENTORY_H

#include "base/error.h"
#include "model/inventory.h"

/* Errors as policy_file_load(). Container ids are the container names; several endpoints may name one container. */
int static_inventory_load(const char *path, struct inventory *ret, struct error *error);
int static_inventory_parse(const char *name, const char *text, size_t length, struct inventory *ret, struct error *error);

#endif
