/* SPDX-License-Identifier: Apache-2.0 */
/* The start of the allocator, and the data that is read-only from then on. */
#include "arena/arena.h"
#include "base/settings.h"
#include "heap/canary.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "os/pages.h"
#include "os/seccomp.h"
#include "os/vector_registers.h"
#include "os/zero.h"

static struct sm_lock start_lock;
static bool started;

void sm_heap_start(void)
{
    sm_lock_take(&start_lock);
    if (!started) {
        sm_pages_init();
        sm_size_class_init();
        sm_zero_init();
        sm_vector_registers_init();
        sm_seccomp_probe();
        sm_canary_init(sm_pages_random()); /* before a filter may forbid getrandom */
        sm_thread_cache_init();
        __atomic_store_n(&started, true, __ATOMIC_RELEASE);
    }
    sm_lock_drop(&start_lock);
}

void sm_heap_seal(void)
{
    sm_pages_read_only(&sm_settings, sizeof(sm_settings));
    sm_arena_seal();
}

bool sm_heap_started(void)
{
    return __atomic_load_n(&started, __ATOMIC_ACQUIRE);
}
