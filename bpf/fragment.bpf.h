/* SPDX-License-Identifier: GPL-2.0 */
/* Later fragments have no ports: they inherit the verdict of the first, and are refused when it was not seen. */
#ifndef DNETBPF_FRAGMENT_BPF_H
#define DNETBPF_FRAGMENT_BPF_H

#include "maps.bpf.h"
#include "packet.bpf.h"

#define FRAGMENT_LIFE_NS (30 * 1000000000ull)	/* as the reassembly timeout of the kernel */

static __always_inline void fragment_key(struct dnet_fragment_key *key, const struct packet *packet, __u32 ifindex,
					 __u32 direction)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->src = packet->src;
	key->dst = packet->dst;
	key->id = packet->fragment_id;
	key->ifindex = ifindex;
	key->proto = packet->proto;
	key->direction = direction;
}

static __noinline void fragment_first_passed(const struct packet *packet, __u32 ifindex, __u32 direction, __u64 now)
{
	struct dnet_fragment_key key;

	fragment_key(&key, packet, ifindex, direction);
	bpf_map_update_elem(&fragments, &key, &now, BPF_ANY);
}

static __noinline enum dnet_reason fragment_later(const struct packet *packet, __u32 ifindex, __u32 direction, __u64 now)
{
	struct dnet_fragment_key key;
	__u64 *passed;

	fragment_key(&key, packet, ifindex, direction);
	passed = bpf_map_lookup_elem(&fragments, &key);
	return passed && now - *passed < FRAGMENT_LIFE_NS ? DNET_REASON_FRAGMENT : DNET_REASON_FRAGMENT_ORPHAN;
}

#endif
