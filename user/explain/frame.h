/* SPDX-License-Identifier: GPL-2.0 */
/* The first packet of a connection as bytes on a wire, for the explain programs. Pure. */
#ifndef DNETBPF_EXPLAIN_FRAME_H
#define DNETBPF_EXPLAIN_FRAME_H

#include <stddef.h>

#include "explain/world.h"

#define EXPLAIN_FRAME_SIZE 128

/* Ethernet, IP and transport header (TCP: a SYN) with right checksums, no payload. @dst_mac is not used for groups, whose MAC
 * address follows from theirs. Returns the length. */
size_t explain_frame(const struct explain_packet *packet, const uint8_t src_mac[6], const uint8_t dst_mac[6],
		     uint8_t ret[EXPLAIN_FRAME_SIZE]);

#endif
