/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that the kernel makes page by page: what a child does so that none is missing. */
#ifndef SM_FORK_FORK_KERNEL_COPY_H
#define SM_FORK_FORK_KERNEL_COPY_H

#include "base/common.h"

/*
 * Called in the child of a fork for which the kernel makes the copy. deny:
 * SECRETSSL_FORK=deny. Returns NULL, or the reason why there is no copy.
 */
const char *sm_fork_kernel_copy_take(bool deny);

/*
 * Called before this process limits itself, outside the allocator: makes resident what it has
 * not touched yet of such a copy, as a touch could be SIGBUS afterwards.
 */
void sm_fork_kernel_copy_touch(void);

#endif
