/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between the kernel programs and the user side. Every header in this folder compiles for both, holds no
 * state, and states its own layout with assertions: a struct that changes size or order without a new ABI version does
 * not build.
 */
#ifndef DNETBPF_ABI_H
#define DNETBPF_ABI_H

#include <linux/types.h>

/* Raised whenever a shared struct, a map or the meaning of a field changes. Pinned maps of another version are refused. */
#define DNET_ABI_VERSION 3

#define DNET_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed size: raise DNET_ABI_VERSION")

#endif
