/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/fallback.h"
#include "arena/shortage.h"
#include "base/settings.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

const struct sm_c_library sm_own_library = {malloc, realloc, free, malloc_usable_size};

/* Clears memory from the C library, which still holds its old contents. */
static void clear_from(const struct sm_c_library *library, void *p, size_t from)
{
    size_t size = sm_settings.zero ? library->usable_size(p) : 0;

    if (size > from)
        memset((char *)p + from, 0, size - from);
}

static void *fallback_counted(const struct sm_c_library *library, void *p, size_t n)
{
    if (p) {
        sm_short_spilled(n);
        clear_from(library, p, 0);
    } else {
        sm_short_failed();
    }
    return p;
}

void *sm_fallback_alloc_by(const struct sm_c_library *library, size_t n)
{
    return fallback_counted(library, library->malloc(n), n);
}

void *sm_fallback_alloc(size_t n, size_t align)
{
    void *p = NULL;

    if (align <= SM_GRANULE)
        return sm_fallback_alloc_by(&sm_own_library, n);
    return fallback_counted(&sm_own_library, posix_memalign(&p, align, n) == 0 ? p : NULL, n);
}

void sm_fallback_free_by(const struct sm_c_library *library, void *p)
{
    if (sm_settings.zero) {
        memset(p, 0, library->usable_size(p));
        sm_barrier(); /* otherwise the compiler drops the stores before free */
    }
    library->free(p);
}

void sm_fallback_free(void *p)
{
    sm_fallback_free_by(&sm_own_library, p);
}

void *sm_fallback_realloc_by(const struct sm_c_library *library, void *p, size_t n)
{
    size_t old = library->usable_size(p);
    void *to;

    if (!sm_settings.zero)
        return library->realloc(p, n);
    /* realloc would not clear the old block when it moves the contents. */
    to = library->malloc(n);
    if (!to)
        return NULL;
    memcpy(to, p, sm_min(old, n));
    clear_from(library, to, sm_min(old, n));
    sm_fallback_free_by(library, p);
    return to;
}

void *sm_fallback_realloc(void *p, size_t n)
{
    return sm_fallback_realloc_by(&sm_own_library, p, n);
}

size_t sm_fallback_size(const void *p)
{
    return malloc_usable_size((void *)p);
}
