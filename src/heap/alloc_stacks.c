/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/alloc_stacks.h"
#include "arena/arena.h"
#include "log/log.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "stacktrace/unwind.h"
#include <string.h>

#define SLOTS (2 * (SM_TRACE_STACKS + 1)) /* slots of the hash table; a power of two */

struct stack {
    uint64_t hash;
    uint32_t count;
    uint32_t at; /* index of its first frame in frames[] */
};

/*
 * Reserved at once, populated on write. A number in slots[] is written after the stack that it
 * names, and no entry is ever removed, so readers need no lock.
 */
static struct {
    struct sm_lock lock;
    bool failed;
    sm_flag said_full, said_filter;
    uint16_t *stack_of; /* a number for each granule of the arena; NULL: no tables yet */
    uint16_t *slots;
    struct stack *stacks;
    uintptr_t *frames;
    uint32_t count, frames_used; /* number of stacks; the first stack has number 1 */
} trace;

static size_t bytes_of_ids(void)
{
    return sm_arena.span / SM_GRANULE * sizeof(uint16_t);
}

static bool stacks_reserve(void)
{
    size_t slots = SLOTS * sizeof(uint16_t);
    size_t stacks = (SM_TRACE_STACKS + 1) * sizeof(struct stack);
    size_t frames = (size_t)SM_TRACE_STACKS * SM_UNWIND_MAX * sizeof(uintptr_t);
    char *memory = sm_pages_lazy(bytes_of_ids() + slots + stacks + frames);

    if (!memory)
        return false;
    trace.stacks = (struct stack *)(memory + bytes_of_ids());
    trace.frames = (uintptr_t *)(memory + bytes_of_ids() + stacks);
    trace.slots = (uint16_t *)(memory + bytes_of_ids() + stacks + frames);
    __atomic_store_n(&trace.stack_of, (uint16_t *)memory, __ATOMIC_RELEASE);
    return true;
}

static bool have_tables(void)
{
    if (sm_likely(__atomic_load_n(&trace.stack_of, __ATOMIC_ACQUIRE) != NULL))
        return true;
    sm_lock_take(&trace.lock);
    if (!trace.stack_of && !trace.failed && !stacks_reserve()) {
        trace.failed = true;
        sm_log("SECRETSSL_TRACE=1: no memory for the tables: blocks are counted, but "
               "without their call stacks");
    }
    sm_lock_drop(&trace.lock);
    return trace.stack_of != NULL;
}

static uint64_t stacks_hash_of(const uintptr_t *frames, unsigned count)
{
    uint64_t hash = count;

    for (unsigned i = 0; i < count; i++) {
        hash = (hash ^ frames[i]) * 0x9e3779b97f4a7c15ULL;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool is_stack(unsigned stack, uint64_t hash, const uintptr_t *frames, unsigned count)
{
    const struct stack *entry = &trace.stacks[stack];

    return entry->hash == hash && entry->count == count &&
           memcmp(&trace.frames[entry->at], frames, count * sizeof(*frames)) == 0;
}

/* Returns the stack's number, or 0 if the stack is not there; then slot is where it belongs. */
static unsigned stacks_find(uint64_t hash, const uintptr_t *frames, unsigned count,
                            size_t *slot)
{
    unsigned stack;

    for (*slot = hash % SLOTS;; *slot = (*slot + 1) % SLOTS) {
        stack = __atomic_load_n(&trace.slots[*slot], __ATOMIC_ACQUIRE);
        if (!stack || is_stack(stack, hash, frames, count))
            return stack;
    }
}

/* Called with the lock held. */
static unsigned stacks_add(uint64_t hash, const uintptr_t *frames, unsigned count, size_t slot)
{
    unsigned stack = trace.count + 1;

    if (stack == SM_TRACE_STACKS) {
        sm_log_once(&trace.said_full,
                    "SECRETSSL_TRACE=1: more than %d call stacks: blocks of further ones are "
                    "counted, but without their call stacks",
                    SM_TRACE_STACKS - 1);
        return 0;
    }
    trace.stacks[stack] = (struct stack){hash, count, trace.frames_used};
    memcpy(&trace.frames[trace.frames_used], frames, count * sizeof(*frames));
    trace.frames_used += count;
    __atomic_store_n(&trace.slots[slot], (uint16_t)stack, __ATOMIC_RELEASE);
    __atomic_store_n(&trace.count, stack, __ATOMIC_RELEASE);
    return stack;
}

static unsigned number_of(const uintptr_t *frames, unsigned count)
{
    uint64_t hash = stacks_hash_of(frames, count);
    size_t slot;
    unsigned stack = stacks_find(hash, frames, count, &slot);

    if (sm_likely(stack != 0))
        return stack;
    sm_lock_take(&trace.lock);
    stack = stacks_find(hash, frames, count, &slot);
    if (!stack)
        stack = stacks_add(hash, frames, count, slot);
    sm_lock_drop(&trace.lock);
    return stack;
}

/*
 * libunwind protects its caches with mutexes and blocked signals, and maps memory for the
 * caches.
 */
static bool stacks_allowed(void)
{
    if (!sm_seccomp_forbids(SM_CALL_SIGPROCMASK) && !sm_seccomp_forbids(SM_CALL_FUTEX) &&
        !sm_seccomp_forbids(SM_CALL_MMAP))
        return true;
    sm_log_once(&trace.said_filter, "SECRETSSL_TRACE=1: a seccomp filter forbids what "
                                    "libunwind needs: no call stacks from here on");
    return false;
}

__attribute__((noinline)) void sm_trace_note(const void *p)
{
    uintptr_t frames[SM_UNWIND_MAX];
    unsigned count = 0;

    if (!have_tables())
        return;
    if (stacks_allowed() && sm_unwind_ready())
        count = sm_unwind_stack(frames);
    trace.stack_of[sm_offset(p) / SM_GRANULE] =
        (uint16_t)(count ? number_of(frames, count) : 0);
}

unsigned sm_trace_stack_of(const void *p)
{
    return trace.stack_of ? trace.stack_of[sm_offset(p) / SM_GRANULE] : 0;
}

unsigned sm_trace_frames(unsigned stack, const uintptr_t **frames)
{
    *frames = &trace.frames[trace.stacks[stack].at];
    return trace.stacks[stack].count;
}

unsigned sm_trace_stacks(void)
{
    return __atomic_load_n(&trace.count, __ATOMIC_ACQUIRE);
}
