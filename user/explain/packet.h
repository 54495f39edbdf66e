/* SPDX-License-Identifier: GPL-2.0 */
/* A packet as a person writes it: "tcp 203.0.113.7:4444 -> web:443", "icmp:echo-request host -> [2001:db8::2]". Pure. */
#ifndef DNETBPF_EXPLAIN_PACKET_H
#define DNETBPF_EXPLAIN_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include <dnetbpf/address.h>

#include "base/error.h"

#define PACKET_TEXT_MAX 512
#define PACKET_DEFAULT_PORT 40000	/* of the source, when none is written */

enum packet_side_kind {
	PACKET_SIDE_ADDRESS,
	PACKET_SIDE_NAME,	/* a container, or else a compose service of that name */
	PACKET_SIDE_SERVICE,	/* `service:` or PROJECT/SERVICE */
	PACKET_SIDE_HOST,
	PACKET_SIDE_OUTSIDE,	/* an address that is globally reachable */
	PACKET_SIDE_LAN,	/* a private one */
};

struct packet_side {
	enum packet_side_kind kind;
	struct dnet_addr addr;
	char project[128], name[128];	/* as written; "" where there is none */
	uint16_t port;			/* host order; 0: none was written */
	unsigned int column, length;	/* of the side in the text, from 1 */
};

struct packet_text {
	uint8_t proto;
	uint8_t icmp_type, icmp_code;	/* of ICMP and ICMPv6 */
	struct packet_side src, dst;
};

/* -EINVAL with a sentence that names the column. */
int packet_text_parse(const char *text, struct packet_text *ret, struct error *error);
/* Set "packet, column N: SENTENCE" for a side. Returns -EINVAL. */
int packet_side_error(struct error *error, const struct packet_side *side, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool packet_has_ports(uint8_t proto);
/* "203.0.113.7:443", "[2001:db8::1]:443", without a port when it is 0. @buffer: PACKET_END_SIZE. Returns @buffer. */
#define PACKET_END_SIZE 64
const char *packet_end_text(const struct dnet_addr *addr, uint16_t port, char *buffer);

#endif
