/* SPDX-License-Identifier: Apache-2.0 */
#include "spill.h"
#include "config.h"
#include "stats.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *sm_spill_alloc(size_t n, size_t align)
{
    void *p = NULL;

    if (sm_config.require) {
        sm_count(&sm_stats.failed, 1);
        return NULL;
    }
    if (align <= SM_GRANULE)
        p = malloc(n);
    else if (posix_memalign(&p, align, n) != 0)
        p = NULL;
    if (p) {
        sm_count(&sm_stats.spilled, 1);
        sm_count(&sm_stats.spilled_bytes, n);
    } else {
        sm_count(&sm_stats.failed, 1);
    }
    return p;
}

void sm_spill_free(void *p)
{
    if (sm_config.zero) {
        memset(p, 0, malloc_usable_size(p));
        sm_barrier(); /* or the compiler drops the stores before free */
    }
    free(p);
}

void *sm_spill_realloc(void *p, size_t n)
{
    size_t old = malloc_usable_size(p);
    void *to;

    if (!sm_config.zero)
        return realloc(p, n);
    /* realloc would leave what it moves away from as it is. */
    to = malloc(n);
    if (!to)
        return NULL;
    memcpy(to, p, sm_min(old, n));
    sm_spill_free(p);
    return to;
}

size_t sm_spill_size(const void *p)
{
    return malloc_usable_size((void *)p);
}
