/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/fork_later.h"
#include "base/counters.h"
#include "fork/fork.h"
#include "heap/gate.h"
#include "os/protection_key.h"

static sm_flag postponed;
static uint64_t counted_blocks; /* by the parent */
static int64_t counted_bytes;

bool sm_fork_is_postponed(void)
{
    return __atomic_load_n(&postponed, __ATOMIC_ACQUIRE);
}

/* A handler of the program may have allocated and freed between the parent's count and clone.
 */
static void correct_counts(uint64_t blocks, int64_t bytes)
{
    sm_count(&sm_stats.allocations, blocks - counted_blocks);
    __atomic_fetch_add(&sm_stats.live_bytes, bytes - counted_bytes, __ATOMIC_RELAXED);
}

static void rebuild(void)
{
    bool opened = sm_pku_open();
    uint64_t blocks = 0;
    int64_t bytes = 0;

    sm_fork_rebuild(true, &blocks, &bytes);
    sm_pku_close(opened);
    correct_counts(blocks, bytes);
    sm_fork_start();
    __atomic_store_n(&sm_gate_work, NULL, __ATOMIC_RELEASE);
    __atomic_store_n(&postponed, false, __ATOMIC_RELEASE);
    sm_gate_open();
}

/*
 * With the fork lock, and all signals blocked: another thread may enter, too, and a handler of
 * a signal would wait for its own thread. Who has the lock already hooks a libcrypto.
 */
void sm_fork_catch_up(void)
{
    bool hold;

    if (!sm_fork_is_postponed())
        return;
    hold = !sm_fork_holds();
    if (hold)
        sm_fork_hold(true);
    if (sm_fork_is_postponed())
        rebuild();
    if (hold)
        sm_fork_release();
}

void sm_fork_postpone(uint64_t blocks, int64_t bytes)
{
    counted_blocks = blocks;
    counted_bytes = bytes;
    __atomic_store_n(&postponed, true, __ATOMIC_RELEASE);
    __atomic_store_n(&sm_gate_work, sm_fork_catch_up, __ATOMIC_RELEASE);
}
