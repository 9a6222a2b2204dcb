/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports a program's misuse of a block: one line that names the block, a call stack, SIGABRT.
 */
#ifndef SM_HEAP_MISUSE_H
#define SM_HEAP_MISUSE_H

#include "base/common.h"

/*
 * p, in the arena, is not the address of a live block. what: the operation ("free").
 * Thread-safe.
 */
_Noreturn void sm_misuse_pointer(const char *what, const void *p);

/* The bytes behind the block at p were overwritten. */
_Noreturn void sm_misuse_overrun(const void *p);

/* Free memory that is about to be given out, size bytes at p, is not zeroed. */
_Noreturn void sm_misuse_dirty(const void *p, size_t size);

#endif
