/* SPDX-License-Identifier: Apache-2.0 */
#include "api/own_memory.h"
#include "arena/shortage.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "os/pages.h"
#include <errno.h>
#include <string.h>

char *sm_own_place(size_t length)
{
    char *place = sm_pages_reserve(length + 2 * sm_os_page);

    return place ? place + sm_os_page : NULL;
}

static void give_place(char *start, size_t length)
{
    sm_pages_unmap(start - sm_os_page, length + 2 * sm_os_page);
}

static size_t pages_in(size_t length)
{
    return length >> SM_PAGE_SHIFT;
}

/* Secret pages that no child gets. */
static int map_withheld(char *start, size_t length)
{
    struct sm_secret_map map = {.address = start, .length = length};

    sm_pages_raise_limit(length);
    sm_pages_map_secret(&map);
    for (size_t at = 0; at < length && map.error == 0; at += sm_os_page)
        map.error = sm_pages_populate(start + at);
    if (map.error == 0)
        sm_count(&sm_stats.pages[SM_KIND_SECRET], pages_in(length));
    return map.error;
}

/* Secret pages that the fork layer copies. */
static int map_inherited(char *start, size_t length)
{
    int error = sm_pages_protect(start, length, true);

    return error ? error : sm_external_adopt(start, length, SM_EXTERNAL_ALONE);
}

static int map_ordinary(struct sm_own_memory *memory)
{
    int error = sm_pages_protect(memory->start, memory->length, true);

    if (error == 0 && !memory->inherited)
        error = sm_pages_inherit(memory->start, memory->length, false);
    if (error)
        return error;
    memory->kind = SM_KIND_LOCKED;
    error = sm_pages_lock(memory->start, memory->length, false);
    if (error) {
        sm_short_degraded(SM_KIND_PLAIN, error);
        memory->kind = SM_KIND_PLAIN;
    }
    sm_count(&sm_stats.pages[memory->kind], pages_in(memory->length));
    sm_count(&sm_stats.degraded, pages_in(memory->length));
    return 0;
}

/* For who asks for secret memory, the limit is a lack of memory. */
static int answer_for(int error)
{
    return error == -EFAULT || error == -EAGAIN ? -ENOMEM : error;
}

int sm_own_memory_make(struct sm_own_memory *memory)
{
    int error, secret;

    memory->start = sm_own_place(memory->length);
    if (!memory->start)
        return -ENOMEM;
    memory->kind = SM_KIND_SECRET;
    secret = memory->inherited ? map_inherited(memory->start, memory->length)
                               : map_withheld(memory->start, memory->length);
    if (secret == 0)
        return 0;
    give_place(memory->start, memory->length);
    if (memory->require || sm_settings.require || secret == -ENOSPC)
        return answer_for(secret);
    sm_short_degraded(SM_KIND_LOCKED, secret);
    memory->start = sm_own_place(memory->length);
    if (!memory->start)
        return -ENOMEM;
    error = map_ordinary(memory);
    if (error)
        give_place(memory->start, memory->length);
    return error;
}

void sm_own_memory_drop(char *start, size_t length, enum sm_kind kind, bool inherited)
{
    if (kind == SM_KIND_SECRET && inherited)
        sm_external_release(start, length);
    else if (kind != SM_KIND_NONE)
        sm_count(&sm_stats.pages[kind], 0 - pages_in(length));
    give_place(start, length);
}
