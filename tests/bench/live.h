/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A host of one container, and packets that come to it from outside as if a network card had received them: new TCP connections,
 * forwarded to the container's bridge and interface. They end in a program behind that. No sender is in the figures, and all work of
 * the network stack is: the kernel does it before BPF_PROG_RUN returns.
 */
#ifndef DNETBPF_TESTS_LIVE_H
#define DNETBPF_TESTS_LIVE_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#define LIVE_SOURCES	0xc6130000u	/* 198.19.0.0/16 */

/* In memory and on the wire. */
struct live_frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
	__u8 padding[ETH_ZLEN - sizeof(struct ethhdr) - sizeof(struct iphdr) - sizeof(struct tcphdr)];
} __attribute__((packed, aligned(2)));

#ifndef __bpf__
#include <stdint.h>

#include "base/error.h"

/* The container, as a static inventory has it. */
extern const char live_inventory[];

struct live;
/* In a place, where nothing else is. */
int live_open(struct live **ret, struct error *error);
void live_close(struct live *live);
/* A script for the shell, in which a line that fails ends it. */
int live_shell(const char *what, const char *script, struct error *error);
/* ns a packet: @connections new ones from @sources (a power of two, up to 65,536) to a port. -EPROTO when not @expected come through. */
int live_measure(struct live *live, uint16_t port, uint32_t connections, uint32_t sources, uint32_t expected, double *ret_ns,
		 struct error *error);
#endif

#endif
