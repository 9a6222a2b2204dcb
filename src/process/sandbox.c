/* SPDX-License-Identifier: Apache-2.0 */
#include "process/sandbox.h"
#include "fork/fork_inherit.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/pages.h"
#include "os/protection_key.h"
#include "os/seccomp.h"
#include "os/syscall.h"

/* Enough for a few dozen TLS connections. A program that needs more sets SECRETSSL_PREFAULT. */
static const size_t reserve[SM_PARTS] = {
    [SM_PART_BYTES] = 128 * SM_KIB,
    [SM_PART_KEY] = 512 * SM_KIB,
    [SM_PART_IO] = 256 * SM_KIB,
    [SM_PART_PUBLIC] = 128 * SM_KIB,
};

/*
 * Among them record buffers. Where the kernel's pages are large, each takes more: whole pages,
 * and one as its guard. The reserve may begin within a page.
 */
#define RECORDS 10
#define RECORD  (17 * SM_KIB)

static size_t reserve_of(unsigned p)
{
    size_t records = RECORDS * (sm_round_up(RECORD, sm_os_page) + sm_os_page) + sm_os_page;

    return p == SM_PART_IO ? sm_max(reserve[p], records) : reserve[p];
}

/* The tables grow with the memory, and new memory for private keys is sealed. */
static uint64_t grow_calls(void)
{
    return SM_CALLS_TO_MAP | SM_CALL_BIT(SM_CALL_MPROTECT) |
           (sm_pku_is_on() ? SM_CALL_BIT(SM_CALL_PKEY_MPROTECT) : 0);
}

void sm_sandbox_reserve(void)
{
    sm_heap_keep();
    for (unsigned p = 0; p < SM_PARTS; p++) {
        size_t have = (size_t)sm_arena.part[p].top - sm_arena.part[p].first;
        sm_heap_reserve(p, sm_max(reserve_of(p), (have << SM_PAGE_SHIFT) / 4));
    }
}

/*
 * Compares the process ID, because a child of vfork shares its parent's memory, including the
 * recorded ID.
 */
bool sm_sandbox_is_home(void)
{
    if (!sm_own || !sm_own->home || sm_seccomp_forbids(SM_CALL_GETPID))
        return true;
    return sm_own->home == sm_sys(SYS_getpid);
}

void sm_sandbox_prepare(struct sm_seal *seal, const struct sock_fprog *program)
{
    uint64_t killing;

    seal->killing = sm_seccomp_fatal;
    seal->fixed = sm_arena.fixed;
    /* A child of _Fork has its own memory, so it keeps its own record of forbidden calls. */
    seal->foreign =
        !sm_heap_started() || (!sm_sandbox_is_home() && !sm_is_rawfork_child()) ||
        (program && !sm_seccomp_forbids(SM_CALL_SIGPROCMASK) && !sm_seccomp_readable(program));
    if (seal->foreign)
        return;
    sm_log_seal();
    if (!sm_is_rawfork_child())
        sm_heap_keep();
    killing = sm_seccomp_evaluate(program);
    if (sm_is_rawfork_child()) {
        /*
         * A rawfork child has no secrets, and the locks that it inherited may be held for ever.
         */
        sm_arena.fixed = sm_arena.fixed || killing & grow_calls();
    } else if (killing & grow_calls() && !sm_arena.fixed) {
        sm_sandbox_reserve();
        /*
         * An announced fork must be able to copy, and after the filter the withholding cannot
         * be lifted.
         */
        if (killing & SM_CALL_BIT(SM_CALL_MADVISE) && sm_arena.span)
            sm_arena_inherit(true);
        sm_arena.fixed = true;
    }
    sm_seccomp_fatal |= killing;
}

void sm_sandbox_confirm(const struct sm_seal *seal, bool installed)
{
    if (seal->foreign)
        return;
    if (installed) {
        sm_seccomp_installed = true;
        if (sm_seccomp_forbids(SM_CALL_MADVISE) && sm_arena.span && !sm_is_rawfork_child())
            sm_lapse(
                SM_LAPSE_INHERITED,
                "the program's seccomp filter kills for madvise: children inherit secret "
                "memory in order to copy it, and a child of _Fork shares it with this process; "
                "allow madvise in the filter");
        return;
    }
    sm_seccomp_fatal = seal->killing;
    if (sm_arena.fixed && !seal->fixed && !sm_is_rawfork_child())
        sm_arena_inherit(false);
    sm_arena.fixed = seal->fixed;
}
