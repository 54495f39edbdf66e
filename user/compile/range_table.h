/* SPDX-License-Identifier: GPL-2.0 */
/* The range tables of dnetbpf/set.h: written in the order of the addresses, searched as the kernel searches them. Pure. */
#ifndef DNETBPF_COMPILE_RANGE_TABLE_H
#define DNETBPF_COMPILE_RANGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/address.h>
#include <dnetbpf/set.h>

typedef unsigned __int128 addr_number;	/* an address in host byte order */

addr_number address_number(const struct dnet_addr *addr);

/* Without words there is no table, and every address has class 0. */
struct range_table {
	uint64_t *words;	/* owned */
	size_t count;		/* of words */
};

struct range_writer {
	enum dnet_set_family family;
	uint64_t *words;	/* owned */
	size_t ranges, most;
	uint32_t last_class;
};

/* @most: how many ranges there may be, DNET_MAX_SET_RANGES at most; memory that they do not use costs nothing. 0 or -ENOMEM. */
int range_writer_begin(struct range_writer *writer, enum dnet_set_family family, size_t most);
/* A range up to the next one's first address. The first range begins with address 0; IPv4 counts in 32 bits. What has the class of
 * the range before belongs to that. 0 or -ENOSPC. */
int range_writer_add(struct range_writer *writer, addr_number first, uint32_t class);
/* At least one range was added. The writer is empty afterwards. 0 or -ENOMEM. */
int range_writer_finish(struct range_writer *writer, struct range_table *ret);
void range_writer_clear(struct range_writer *writer);

size_t range_table_ranges(const struct range_table *table);
uint32_t range_table_find(const struct range_table *table, enum dnet_set_family family, const struct dnet_addr *addr);
bool range_table_equal(const struct range_table *a, const struct range_table *b);
void range_table_clear(struct range_table *table);

#endif
