/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/job_stack.h"
#include "heap/fallback.h"
#include "log/lapse.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <stdlib.h>
#include <sys/mman.h>

bool job_stacks;

static void advise(const void *p, size_t size, int advice)
{
    uintptr_t from = sm_round_up((uintptr_t)p, sm_os_page);
    uintptr_t to = ((uintptr_t)p + size) & -sm_os_page;

    if (from < to && !sm_seccomp_forbids(SM_CALL_MADVISE))
        sm_sys(SYS_madvise, from, to - from, advice);
}

/*
 * Allocates whole pages, so that core dumps exclude the whole stack. An aligned block of the C
 * library may be larger. In another namespace core dumps exclude the whole pages of the stack.
 */
void *job_stack(const struct sm_c_library *library, size_t size)
{
    void *p = NULL;

    if (library != &sm_own_library) {
        p = library->malloc(size);
    } else if (size <= SIZE_MAX - sm_os_page) {
        size = sm_round_up(size, sm_os_page);
        if (posix_memalign(&p, sm_os_page, size) != 0)
            return NULL;
    }
    if (!p)
        return NULL;
    advise(p, size, MADV_DONTDUMP);
    sm_lapse_count(SM_LAPSE_JOB_STACK);
    __atomic_store_n(&job_stacks, true, __ATOMIC_RELAXED);
    return p;
}

/* A page-aligned block that is no job stack is in core dumps anyway. */
void job_stack_end(const struct sm_c_library *library, void *p)
{
    if ((uintptr_t)p % sm_os_page == 0)
        advise(p, library->usable_size(p), MADV_DODUMP);
}
