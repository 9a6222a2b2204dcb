/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of secretmem.h on the C library's malloc, so that AddressSanitizer knows each
 * block's bounds and LeakSanitizer each block that is lost.
 */
#include "secretmem.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *secretmem_calloc(size_t count, size_t size)
{
    return calloc(count, size);
}

void *secretmem_malloc(size_t size)
{
    return calloc(1, size);
}

/* Bytes that are gained are zero, as the library's. */
void *secretmem_realloc(void *p, size_t size)
{
    size_t old = p ? malloc_usable_size(p) : 0;
    char *moved = realloc(p, size);

    if (moved && size > old)
        memset(moved + old, 0, size - old);
    return moved;
}

void *secretmem_aligned_alloc(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size);
}

void secretmem_free(void *p)
{
    free(p);
}

int secretmem_configure(const char *name, const char *value)
{
    (void)name, (void)value;
    return SECRETMEM_OK;
}

void secretmem_get_stats(struct secretmem_stats *stats, size_t size)
{
    memset(stats, 0, size);
}
