/* SPDX-License-Identifier: Apache-2.0 */
/* A whole program's malloc made from libsecretmem, as somebody may preload it. */
#include <errno.h>
#include <secretmem.h>
#include <stdlib.h>

void *malloc(size_t size)
{
    return secretmem_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return secretmem_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return secretmem_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return secretmem_aligned_alloc(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
    *p = secretmem_aligned_alloc(alignment, size);
    return *p ? 0 : ENOMEM;
}

void free(void *p)
{
    secretmem_free(p);
}
