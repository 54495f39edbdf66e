/* SPDX-License-Identifier: GPL-2.0 */
/* Arrays that grow by doubling, without a field for the capacity: it is the next power of two. Private to config/. */
#ifndef DNETBPF_CONFIG_ARRAY_H
#define DNETBPF_CONFIG_ARRAY_H

#include <errno.h>
#include <stdlib.h>

/* Make room for one element after @count. 0 or -ENOMEM; then @array is as it was. A macro, because a function would have
 * to write a typed pointer through void **. */
#define array_grow(array, count) ({								\
	int grown_ = 0;										\
	if (((count) & ((count) - 1)) == 0) {							\
		typeof(array) larger_ = reallocarray((array), (count) ? 2 * (count) : 1, sizeof(*(array)));	\
		if (larger_)									\
			(array) = larger_;							\
		else										\
			grown_ = -ENOMEM;							\
	}											\
	grown_;											\
})

#endif
