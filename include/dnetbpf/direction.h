/* SPDX-License-Identifier: GPL-2.0 */
/* Directions are the container's own: egress is what it sends. On the host side of its veth that is TC ingress. */
#ifndef DNETBPF_DIRECTION_H
#define DNETBPF_DIRECTION_H

enum dnet_direction {
	DNET_INGRESS = 0,	/* towards the container; TC egress of its veth */
	DNET_EGRESS = 1,	/* from the container; TC ingress of its veth */
	DNET_DIRECTIONS = 2,
};

enum dnet_verdict {
	DNET_PASS = 0,
	DNET_DENY = 1,
	DNET_WOULD_DENY = 2,	/* denied by a policy in audit mode: reported, but passed */
	DNET_VERDICTS = 3,
};

#endif
