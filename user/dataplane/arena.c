/* SPDX-License-Identifier: GPL-2.0 */
/* Which arena is in force, when one may be filled again, and its tables of sets. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dataplane/clock.h"
#include "dataplane/dataplane.h"

#define LEFT_LONG_AGO_NS 1000000000ull	/* a program runs for microseconds */

void dataplane_raise_generation(struct dataplane *dataplane)
{
	__atomic_add_fetch(&dataplane->state->generation, 1, __ATOMIC_RELEASE);
}

uint32_t dataplane_arena(const struct dataplane *dataplane)
{
	return dataplane->state->version % DNET_ARENAS;
}

uint32_t dataplane_next_arena(const struct dataplane *dataplane)
{
	return (dataplane_arena(dataplane) + 1) % DNET_ARENAS;
}

void dataplane_flip(struct dataplane *dataplane)
{
	uint32_t old = dataplane_arena(dataplane), version = dataplane->state->version + 1;

	/* 2^32 is no multiple of DNET_ARENAS: where the number wraps around, its arena must not. */
	if (!version)
		version = (old + 1) % DNET_ARENAS;
	__atomic_store_n(&dataplane->state->version, version, __ATOMIC_SEQ_CST);
	dataplane_raise_generation(dataplane);
	dataplane->left_ns[old] = clock_ns(CLOCK_MONOTONIC);
}

/* BPF programs run with preemption off, under RCU: a global membarrier returns when every CPU has passed a quiescent
 * state, so no program that had read an old version is still running. */
void dataplane_wait_for_next_arena(struct dataplane *dataplane)
{
	uint64_t *left_ns = &dataplane->left_ns[dataplane_next_arena(dataplane)];
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };	/* long enough for a program that runs for microseconds */

	if (!*left_ns)
		return;
	/* There is no such command under nohz_full. */
	if (clock_ns(CLOCK_MONOTONIC) - *left_ns < LEFT_LONG_AGO_NS && syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		nanosleep(&pause, NULL);
	*left_ns = 0;
}

static int fill(int fd, const uint64_t *words, size_t count)
{
	uint64_t *memory = mmap(NULL, count * sizeof(*words), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	memcpy(memory, words, count * sizeof(*words));
	munmap(memory, count * sizeof(*words));
	return 0;
}

int dataplane_set_table(struct dataplane *dataplane, uint32_t arena, enum dnet_set_family family, const uint64_t *words, size_t count,
			uint64_t tag, struct error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = DNET_SET_MAP_FLAGS);
	const uint32_t slot = arena * DNET_SET_FAMILIES + family;
	uint64_t *in_force = &dataplane->set_tag[arena][family];
	_cleanup_close_ int fd = -1;
	int r;

	if (!words || !count) {
		*in_force = 0;
		r = map_delete(dataplane->sets_fd, &slot);
		return r < 0 ? error_set(error, r, "cannot remove a table of sets from the kernel: %s", strerror(-r)) : 0;
	}
	if (*in_force == tag)
		return 0;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "set_table", sizeof(uint32_t), sizeof(uint64_t), (uint32_t)count, &options);
	r = fd < 0 ? -errno : fill(fd, words, count);
	/* Held by the outer map from here on. */
	if (r == 0)
		r = map_set(dataplane->sets_fd, &slot, &fd);
	if (r < 0)
		return error_set(error, r, "cannot enter a table of sets with %zu bytes into the kernel: %s", count * sizeof(*words), strerror(-r));
	*in_force = tag;
	return 0;
}
