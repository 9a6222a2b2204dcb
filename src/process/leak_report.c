/* SPDX-License-Identifier: Apache-2.0 */
#include "process/leak_report.h"
#include "base/counters.h"
#include "heap/alloc_stacks.h"
#include "heap/slab.h"
#include "log/log.h"
#include "os/pages.h"
#include "stacktrace/symbolize.h"

#define PLACES_MAX 20 /* reported with their call stacks */

struct group {
    uint64_t bytes, blocks;
};

struct leaks {
    struct group all;
    struct group *stacks; /* by number, up to known; 0: blocks without a stack */
    unsigned known;
};

static void leak_add(struct group *group, size_t bytes)
{
    group->bytes += bytes;
    group->blocks++;
}

static void add_block(char *block, size_t bytes, size_t extent, void *arg)
{
    struct leaks *leaks = arg;
    unsigned stack = sm_trace_stack_of(block);

    (void)extent;
    leak_add(&leaks->all, bytes);
    /* The stack may be another thread's new stack. */
    leak_add(&leaks->stacks[stack <= leaks->known ? stack : 0], bytes);
}

/*
 * Takes the locks, because other threads may still be running. The runs do not change
 * meanwhile.
 */
static void walk_all(struct leaks *leaks)
{
    sm_slab_lock_all();
    for (unsigned p = 0; p < SM_PARTS && sm_arena.span; p++) {
        sm_lock_take(&sm_arena.part[p].lock);
        sm_visit_live(p, add_block, leaks);
        sm_lock_drop(&sm_arena.part[p].lock);
    }
    sm_slab_unlock_all();
}

/* Returns the stack with the most bytes, then the most blocks, or 0 if there is no more. */
static unsigned largest(const struct leaks *leaks)
{
    const struct group *stacks = leaks->stacks;
    unsigned best = 0;

    for (unsigned i = 1; i <= leaks->known; i++) {
        if (stacks[i].blocks &&
            (!best || stacks[i].bytes > stacks[best].bytes ||
             (stacks[i].bytes == stacks[best].bytes && stacks[i].blocks > stacks[best].blocks)))
            best = i;
    }
    return best;
}

static const char *plural(uint64_t number)
{
    return number == 1 ? "" : "s";
}

static void report_place(const struct group *group, unsigned stack)
{
    const uintptr_t *frames;
    unsigned count = sm_trace_frames(stack, &frames);

    sm_log("trace: %zu byte%s in %zu block%s from", (size_t)group->bytes, plural(group->bytes),
           (size_t)group->blocks, plural(group->blocks));
    for (unsigned i = 0; i < count; i++)
        sm_symbol_report((int)i, (const void *)frames[i], true);
}

static void report_rest(const struct leaks *leaks)
{
    struct group rest = {0};
    size_t places = 0;

    for (unsigned i = 1; i <= leaks->known; i++) {
        places += leaks->stacks[i].blocks != 0;
        rest.bytes += leaks->stacks[i].bytes;
        rest.blocks += leaks->stacks[i].blocks;
    }
    if (places)
        sm_log("trace: %zu byte%s in %zu block%s from %zu more place%s", (size_t)rest.bytes,
               plural(rest.bytes), (size_t)rest.blocks, plural(rest.blocks), places,
               plural(places));
}

static void report_places(struct leaks *leaks)
{
    const struct group *unknown = &leaks->stacks[0];

    for (unsigned i = 0, stack; i < PLACES_MAX && (stack = largest(leaks)) != 0; i++) {
        report_place(&leaks->stacks[stack], stack);
        leaks->stacks[stack] = (struct group){0, 0};
    }
    report_rest(leaks);
    if (unknown->blocks)
        sm_log("trace: %zu byte%s in %zu block%s without a call stack", (size_t)unknown->bytes,
               plural(unknown->bytes), (size_t)unknown->blocks, plural(unknown->blocks));
}

void sm_leaks_report(void)
{
    struct leaks leaks = {.known = sm_trace_stacks()};

    leaks.stacks = sm_pages_lazy((leaks.known + 1) * sizeof(struct group));
    if (!leaks.stacks) {
        sm_log("trace: no report: no memory, or a seccomp filter forbids mmap");
        return;
    }
    walk_all(&leaks);
    if (leaks.all.blocks)
        sm_log("trace: %zu byte%s in %zu block%s live at the end", (size_t)leaks.all.bytes,
               plural(leaks.all.bytes), (size_t)leaks.all.blocks, plural(leaks.all.blocks));
    else
        sm_log("trace: no block is live at the end");
    report_places(&leaks);
    if (sm_counted(&sm_stats.spilled))
        sm_log("trace: %zu allocations went to the C library, and are not in this report",
               (size_t)sm_counted(&sm_stats.spilled));
}
