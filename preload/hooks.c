/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks.h"
#include "heap.h"
#include "route.h"

void *hook_malloc(size_t size, const char *file, int line)
{
    (void)line;
    if (size == 0)
        return NULL;
    return sm_malloc(size, route(file, size));
}

void *hook_realloc(void *p, size_t size, const char *file, int line)
{
    if (!p)
        return hook_malloc(size, file, line);
    if (size == 0) {
        hook_free(p, file, line);
        return NULL;
    }
    return sm_realloc(p, size);
}

void hook_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (!p)
        return;
    sm_free(p);
}
