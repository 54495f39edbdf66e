/* SPDX-License-Identifier: GPL-2.0 */
/* Owning locals free themselves; what escapes is TAKEn. One function can then be checked for leaks without its callees. */
#ifndef DNETBPF_BASE_CLEANUP_H
#define DNETBPF_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)	/* start value -1 */
#define _cleanup_fclose_ _cleanup_(fclosep)

#define TAKE_PTR(p) ({ typeof(p) taken_ = (p); (p) = NULL; taken_; })
#define TAKE_FD(fd) ({ int taken_ = (fd); (fd) = -1; taken_; })

#endif
