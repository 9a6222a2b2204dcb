/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/arena.h"
#include "base/settings.h"
#include "heap/alloc_stacks.h"
#include "heap/malloc.h"
#include "log/log.h"
#include "os/seccomp.h"
#include "process/leak_report.h"
#include "stacktrace/unwind.h"
#include "support.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FUNCTION static __attribute__((noinline))

static char text[65536];

static void init(void)
{
    sm_settings.trace = 1;
    start_heap();
    sm_unwind_load();
}

TestSuite(trace, .init = init);

FUNCTION unsigned stack_here(size_t size)
{
    void *p = sm_malloc(size, SM_PART_KEY);
    unsigned stack = sm_trace_stack_of(p);

    sm_free(p);
    return stack;
}

FUNCTION unsigned from_one(void)
{
    unsigned stack = stack_here(10);
    __asm__ volatile("");
    return stack;
}

FUNCTION unsigned from_two(void)
{
    unsigned stack = stack_here(10);
    __asm__ volatile("# not the same");
    return stack;
}

Test(trace, one_number_for_each_stack)
{
    unsigned one = 0, two = 0, seen[2] = {0};

    /* In turn, so that each walk meets what the other left behind. */
    for (int i = 0; i < 100; i++) {
        one = from_one();
        two = from_two();
        cr_assert(one != 0 && two != 0 && one != two);
        cr_assert(i == 0 || (one == seen[0] && two == seen[1]));
        seen[0] = one;
        seen[1] = two;
    }
}

static bool has(unsigned stack, const void *function, size_t length)
{
    const uintptr_t *frames;
    unsigned count = sm_trace_frames(stack, &frames);

    for (unsigned i = 0; i < count; i++) {
        if (frames[i] - (uintptr_t)function < length)
            return true;
    }
    return false;
}

Test(trace, frames)
{
    unsigned stack = from_one();

    cr_assert(has(stack, (const void *)stack_here, 200));
    cr_assert(has(stack, (const void *)from_one, 50));
    cr_assert(!has(stack, (const void *)from_two, 1));
    stack = from_two();
    cr_assert(has(stack, (const void *)from_two, 50));
    cr_assert(!has(stack, (const void *)from_one, 1));
}

static unsigned at_depth[300];

FUNCTION void down(int depth, int most)
{
    at_depth[depth] = stack_here(100);
    if (depth < most)
        down(depth + 1, most);
    __asm__ volatile("");
}

/*
 * From far enough below on, the innermost frames are all the same, and so must be the number,
 * whatever earlier walks there are to be joined.
 */
Test(trace, deep)
{
    const uintptr_t *frames;

    for (int most = 299; most > 0; most -= 99)
        down(0, most);
    for (int depth = 1; depth < 300; depth++) {
        cr_assert_neq(at_depth[depth], 0);
        if (depth > SM_UNWIND_MAX)
            cr_assert_eq(at_depth[depth], at_depth[299], "%d", depth);
        if (depth < SM_UNWIND_MAX / 2)
            cr_assert_neq(at_depth[depth], at_depth[depth - 1], "%d", depth);
    }
    cr_assert_eq(sm_trace_frames(at_depth[299], &frames), SM_UNWIND_MAX);
}

/* A frame whose size changes between calls: what it left on the stack is still there. */
FUNCTION unsigned with_room(size_t size)
{
    volatile char *room = __builtin_alloca(size);

    room[0] = room[size - 1] = 1;
    return stack_here(20) + (room[0] != 1);
}

FUNCTION unsigned by_one(size_t size)
{
    unsigned stack = with_room(size);
    __asm__ volatile("");
    return stack;
}

FUNCTION unsigned by_two(size_t size)
{
    unsigned stack = with_room(size);
    __asm__ volatile("# not the same");
    return stack;
}

Test(trace, frames_of_many_sizes)
{
    unsigned one = 0, two = 0;
    uint64_t random = 1;

    for (int i = 0; i < 2000; i++) {
        size_t size = 16 + next_random(&random) % 4000;
        unsigned now_one = by_one(size), now_two = by_two(size);
        cr_assert(now_one != 0 && now_two != 0 && now_one != now_two);
        cr_assert(i == 0 || (now_one == one && now_two == two));
        one = now_one;
        two = now_two;
    }
}

static void *thread_main(void *arg)
{
    for (int i = 0; i < 1000; i++)
        *(unsigned *)arg = from_one();
    return NULL;
}

Test(trace, threads)
{
    pthread_t thread[4];
    unsigned stack[4] = {0};

    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, thread_main, &stack[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 4; i++)
        cr_assert(stack[i] != 0 && stack[i] == stack[0]);
}

/* The number follows the block, and the call that gave it its size. */
Test(trace, realloc)
{
    for (size_t n = 16; n < 100000; n *= 5) {
        char *p = sm_malloc(n, SM_PART_KEY);
        unsigned first = sm_trace_stack_of(p), second;
        p = sm_realloc(p, n + 1);
        second = sm_trace_stack_of(p);
        cr_assert(first != 0 && second != 0 && first != second);
        p = sm_realloc(p, 20 * n);
        cr_assert(sm_trace_stack_of(p) != 0 && sm_trace_stack_of(p) != second);
        sm_free(p);
    }
}

static void *kept[100];

static void report(void *arg)
{
    int leave = *(int *)arg;

    sm_log_init("unit");
    for (int i = 0; i < 100; i++)
        sm_free(kept[i]);
    for (int i = 0; i < leave; i++)
        kept[i] = sm_malloc(1000, SM_PART_KEY);
    sm_leaks_report();
}

/* A child has the stacks of what it inherits, and its own. */
Test(trace, child)
{
    int leave = 0;

    for (int i = 0; i < 100; i++)
        kept[i] = sm_malloc(10, SM_PART_KEY);
    cr_assert_eq(in_child_saying(report, &leave, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "] trace: no block is live at the end\n"), 1, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
    leave = 3;
    cr_assert_eq(in_child_saying(report, &leave, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "] trace: 3000 bytes in 3 blocks live at the end\n"), 1, "%s",
                 text);
    cr_assert_eq(count_of(text, "] trace: 3000 bytes in 3 blocks from\n"), 1, "%s", text);
    cr_assert_gt(count_of(text, "] #"), 3, "%s", text);
}

static void traced(void *arg)
{
    (void)arg;
    CHECK(stack_here(10) == 0);
    sm_leaks_report();
}

/* The filter would kill for it: no more stacks, and a line. */
static void under_filter(void *arg)
{
    CHECK(stack_here(10) != 0);
    sm_log_init("unit");
    sm_log_seal();
    sm_seccomp_fatal |= *(uint32_t *)arg;
    traced(NULL);
    traced(NULL);
}

Test(trace, filter)
{
    uint32_t bits = ~0U; /* all calls; the test makes those that it needs itself */

    cr_assert_eq(in_child_saying(under_filter, &bits, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "a seccomp filter forbids what libunwind needs"), 1, "%s",
                 text);
    cr_assert_eq(count_of(text, "trace: no report"), 2, "%s", text);
}
