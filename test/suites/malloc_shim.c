/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload that serves a program's malloc from libsecretmem, so that suites for allocators can
 * test its heap. For tests only. The C library gives what libsecretmem itself asks for, and
 * what anybody asks for before libsecretmem has read its settings. libsecretmem passes such
 * blocks back to the C library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <secretmem.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

/* Set while the thread is in libsecretmem, whose calls of malloc are for the C library. */
static __thread bool inside __attribute__((tls_model("initial-exec")));
static bool ready;
static size_t (*size_in_c_library)(void *p);

/* Runs behind the constructor of libsecretmem, which this object depends on. */
__attribute__((constructor)) static void shim_start(void)
{
    *(void **)&size_in_c_library = dlsym(RTLD_NEXT, "malloc_usable_size");
    ready = true;
}

/* Returns whether the call is for libsecretmem, and then notes that the thread is inside. */
static bool shim_enter(void)
{
    if (!ready || inside)
        return false;
    inside = true;
    return true;
}

static void *shim_leave(void *p)
{
    inside = false;
    return p;
}

void *malloc(size_t size)
{
    return shim_enter() ? shim_leave(secretmem_malloc(size)) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return shim_enter() ? shim_leave(secretmem_calloc(count, size))
                        : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return shim_enter() ? shim_leave(secretmem_realloc(p, size)) : __libc_realloc(p, size);
}

void free(void *p)
{
    if (!shim_enter()) {
        __libc_free(p);
        return;
    }
    secretmem_free(p);
    shim_leave(NULL);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return shim_enter() ? shim_leave(secretmem_aligned_alloc(alignment, size))
                        : __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size)
{
    int before = errno;
    void *p;

    if (alignment % sizeof(void *))
        return EINVAL;
    p = aligned_alloc(alignment, size);
    if (!p) {
        int error = errno;

        errno = before;
        return error;
    }
    *result = p;
    return 0;
}

void *valloc(size_t size)
{
    return aligned_alloc((size_t)sysconf(_SC_PAGESIZE), size);
}

size_t malloc_usable_size(void *p)
{
    size_t size;

    if (!shim_enter())
        return size_in_c_library ? size_in_c_library(p) : 0;
    size = secretmem_usable_size(p);
    shim_leave(NULL);
    return size;
}
