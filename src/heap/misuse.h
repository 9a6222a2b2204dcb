/* SPDX-License-Identifier: Apache-2.0 */
/* What a program did wrong with a block: one line that names it, a call stack, SIGABRT. */
#ifndef SM_HEAP_MISUSE_H
#define SM_HEAP_MISUSE_H

#include "base/common.h"

/* p, in the arena, is no live block's address. what: the operation ("free"). Thread-safe. */
_Noreturn void sm_misuse_pointer(const char *what, const void *p);

/* The bytes behind the block at p were overwritten. */
_Noreturn void sm_misuse_overrun(const void *p);

/* Free memory that is to be given out, size bytes at p, is not clear. */
_Noreturn void sm_misuse_dirty(const void *p, size_t size);

#endif
