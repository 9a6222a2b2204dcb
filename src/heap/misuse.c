/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/misuse.h"
#include "arena/arena.h"
#include "base/format.h"
#include "base/probe.h"
#include "heap/thread_cache.h"
#include "log/log.h"
#include "stacktrace/fatal.h"

void sm_misuse_pointer(const char *what, const void *p)
{
    const struct sm_page *page = &sm_arena.pages[sm_page_number(p)];
    uint16_t state = *sm_state_of(p);
    const char *kind = "an address that was never allocated";
    char text[128];

    sm_die_if_rawfork_child();
    if (sm_offset(p) % SM_GRANULE)
        kind = "an address that is not aligned";
    else if (state & SM_STATE_FREE)
        kind = "a block that is free already (double free)";
    else if (page->use != SM_USE_NONE && page->use != SM_USE_FREE && page->use != SM_USE_GUARD)
        kind = "an address inside a block or never allocated";
    sm_format(text, sizeof(text), "%s of %s", what, kind);
    sm_probe(misuse, p);
    sm_fatal(text, p);
}

void sm_misuse_overrun(const void *p)
{
    sm_probe(misuse, p);
    sm_fatal("overrun: the bytes behind a block were overwritten", p);
}

void sm_misuse_dirty(const void *p, size_t size)
{
    const char *at = p;

    sm_die_if_rawfork_child();
    while (size-- > 1 && *at == 0)
        at++;
    sm_probe(misuse, at);
    sm_fatal("write after free: free memory was overwritten", at);
}
