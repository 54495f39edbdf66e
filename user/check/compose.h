/* SPDX-License-Identifier: GPL-2.0 */
/* The dnetbpf labels of a compose file. Private to check/. */
#ifndef DNETBPF_CHECK_COMPOSE_H
#define DNETBPF_CHECK_COMPOSE_H

#include "check/check.h"
#include "config/document.h"

/* Is this the root of a compose file? */
bool compose_is(const struct node *root);
/* The same for a text that could not be parsed. */
bool compose_looks_like(const char *text, size_t length);
/* Why a compose file could not be parsed, and what to do. */
void compose_refuse(const char *name, const struct error *error, struct diagnostics *diagnostics);
/* Errors and warnings go to @diagnostics. */
void compose_check(const struct document *document, struct diagnostics *diagnostics, struct check_result *result);

#endif
