/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks of OpenSSL's ASYNC jobs, which libcrypto allocates by CRYPTO_malloc
 * (crypto/async/arch). They cannot be secret memory, because a child of fork shares secret
 * pages with its parent until the child has its copy: both would run on the same stack. Job
 * stacks are ordinary memory, excluded from core dumps.
 */
#ifndef PRELOAD_HOOKS_JOB_STACK_H
#define PRELOAD_HOOKS_JOB_STACK_H

#include "base/common.h"

extern SM_LOCAL bool job_stacks; /* a job stack was allocated */

/*
 * Returns a stack of size bytes, not 0, from a C library's heap, or NULL when there is no
 * memory.
 */
struct sm_c_library;
void *job_stack(const struct sm_c_library *library, size_t size);

/*
 * Called before a block outside the arena is freed. Core dumps may include a job stack's pages
 * again.
 */
void job_stack_end(const struct sm_c_library *library, void *p);

#endif
