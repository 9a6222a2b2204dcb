/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells Valgrind's memcheck about blocks. Does nothing without the header of memcheck. On a
 * processor that Valgrind does not know, the header's macros ignore their arguments.
 */
#ifndef SM_OS_VALGRIND_H
#define SM_OS_VALGRIND_H

#include "base/common.h"

#if defined(__has_include) && !defined(__SANITIZE_ADDRESS__)
#if __has_include(<valgrind/memcheck.h>)
#define SM_HAVE_VALGRIND 1
#endif
#endif

#ifdef SM_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#else
/* Without the header, sm_on_valgrind() is false and nothing is told. */
#define RUNNING_ON_VALGRIND                                0
#define VALGRIND_MALLOCLIKE_BLOCK(p, n, redzone, zeroed)   (void)0
#define VALGRIND_FREELIKE_BLOCK(p, redzone)                (void)0
#define VALGRIND_RESIZEINPLACE_BLOCK(p, from, to, redzone) (void)0
#define VALGRIND_MAKE_MEM_DEFINED(p, n)                    (void)0
#define VALGRIND_MAKE_MEM_NOACCESS(p, n)                   (void)0
#endif

#define SM_MEMCHECK_REDZONE 16

static inline bool sm_on_valgrind(void)
{
    return RUNNING_ON_VALGRIND != 0;
}

static inline void sm_memcheck_malloc(void *p, size_t n)
{
    (void)p, (void)n;
    VALGRIND_MALLOCLIKE_BLOCK(p, n, SM_MEMCHECK_REDZONE, 0);
}

static inline void sm_memcheck_free(void *p)
{
    (void)p;
    VALGRIND_FREELIKE_BLOCK(p, SM_MEMCHECK_REDZONE);
}

static inline void sm_memcheck_resize(void *p, size_t from, size_t to)
{
    (void)p, (void)from, (void)to;
    VALGRIND_RESIZEINPLACE_BLOCK(p, from, to, SM_MEMCHECK_REDZONE);
}

/* Called before the allocator itself writes to the bytes. */
static inline void sm_memcheck_allow(void *p, size_t n)
{
    (void)p, (void)n;
    VALGRIND_MAKE_MEM_DEFINED(p, n);
}

static inline void sm_memcheck_forbid(void *p, size_t n)
{
    (void)p, (void)n;
    VALGRIND_MAKE_MEM_NOACCESS(p, n);
}

#endif
