/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret memory that a patched kernel copies at fork (SECRETMEM_COPY of kernel-patches/). The
 * design is in docs/fork.md, "Copied by the kernel".
 */
#ifndef SM_OS_FORK_COPIES_H
#define SM_OS_FORK_COPIES_H

#include "base/common.h"

/*
 * Whether the kernel copies, at fork, all secret memory that this process has mapped and maps:
 * the kernel offers that, no limit on locked memory can keep a child from its copy, and
 * SECRETSSL_FORK_COPY does not forbid it. Asks once, and lifts the soft RLIMIT_MEMLOCK then, if
 * the hard one allows that. Thread-safe.
 */
bool sm_kernel_copies(void);

/* Called when a mapping was made that the kernel does not copy: now the library copies. */
void sm_kernel_copies_not(void);

/*
 * Whether this process has a copy that the kernel made, and that fact, set in a child. Pages of
 * such a copy may be lost without anything else being wrong.
 */
bool sm_kernel_has_copied(void);
void sm_kernel_copied(void);

/*
 * Whether a limit has been set since on locked memory, which a child may meet when it touches
 * a page of its copy for the first time. Called at a fork.
 */
bool sm_kernel_copies_limited(void);

#endif
