/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/fork_inherit.h"
#include "arena/backing.h"
#include "base/settings.h"
#include "fork/external_pages.h"
#include "fork/spares.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"

static bool inherit(bool on, bool ordinary)
{
    bool good = true;

    /* Where madvise is forbidden, the state that sm_sandbox_prepare() set stays. */
    if (sm_seccomp_forbids(SM_CALL_MADVISE))
        return true;
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        struct sm_partition *part = &sm_arena.part[p];
        size_t length = (size_t)(part->mapped - part->first) << SM_PAGE_SHIFT;
        bool withheld = sm_settings.fork == SM_FORK_DENY && p == SM_PART_BYTES;
        if (length && !(on && withheld) && (!ordinary || !sm_backing_secret(p)))
            good = sm_pages_inherit(sm_page_address(part->first), length, on) == 0 && good;
    }
    return good;
}

bool sm_arena_inherit(bool on)
{
    bool forbidden = sm_seccomp_forbids(SM_CALL_MADVISE);
    bool good = !on || forbidden || sm_spare_share(true);

    good = good && inherit(on, false);
    /* A child that could still inherit the pages keeps the token too. */
    if (!on && good && !forbidden)
        good = sm_spare_share(false);
    return sm_external_inherit(on) && good;
}

bool sm_arena_inherit_ordinary(bool on)
{
    return inherit(on, true);
}
