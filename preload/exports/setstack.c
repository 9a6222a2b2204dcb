/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes pthread_attr_setstack(), by which a program gives a thread a stack. If the program
 * has locked the memory, it is secret, and must not be: the C library waits for the end of a
 * thread on a word in its stack, with a futex that the kernel refuses for secret memory.
 */
#include "base/common.h"
#include "exports/mmap.h"
#include "loader/real.h"
#include <pthread.h>

int pthread_attr_setstack(pthread_attr_t *attributes, void *stack, size_t length);

/* As pthread_attr_setstack(3). */
SM_EXPORT int pthread_attr_setstack(pthread_attr_t *attributes, void *stack, size_t length)
{
    locked_is_stack(stack, length, "pthread_attr_setstack");
    return REAL(pthread_attr_setstack)(attributes, stack, length);
}
