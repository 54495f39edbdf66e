/* SPDX-License-Identifier: GPL-2.0 */
/* A hash table from 64-bit numbers (interface indexes, ids, hashes of names) to pointers or numbers. Zeros are an empty one. */
#ifndef DNETBPF_BASE_INDEX_H
#define DNETBPF_BASE_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct index_slot {
	uint64_t key;
	uintptr_t value;	/* 0: the slot is free */
};

struct index {
	struct index_slot *slots;	/* owned; open addressing, at most half full */
	size_t size, count;
};

/* Insert or replace. @value is not 0. 0 or -ENOMEM. */
int index_set(struct index *index, uint64_t key, uintptr_t value);
/* 0: there is none. */
uintptr_t index_get(const struct index *index, uint64_t key);
void index_remove(struct index *index, uint64_t key);
void index_clear(struct index *index);

#endif
