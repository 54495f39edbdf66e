/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DNETBPF_DATAPLANE_CLOCK_H
#define DNETBPF_DATAPLANE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

#endif
