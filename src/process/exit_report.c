/* SPDX-License-Identifier: Apache-2.0 */
#include "process/exit_report.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/fork_later.h"
#include "heap/thread_cache.h"
#include "log/log.h"
#include "process/leak_report.h"
#include <stdlib.h>

/*
 * The C library's function below atexit(3). object: the handler runs with the destructors of
 * this object; NULL: on its own.
 */
int __cxa_atexit(void (*handler)(void *), void *arg, void *object);

static const bool *anything;

void sm_stats_print(void)
{
    uint64_t allocations, frees;
    int64_t live;

    sm_thread_caches_sum(&allocations, &frees, &live);
    sm_log(
        "summary: %zu KiB secret, %zu KiB locked, %zu KiB plain, %zu KiB ordinary, peak "
        "%zu KiB; %zu allocations, %zu bytes live; %zu to the C library, %zu failed, "
        "%zu pages degraded; %zu forks copied, %zu failed; %zu libcrypto hooked; %zu messages "
        "lost",
        (size_t)sm_stats.pages[SM_KIND_SECRET] * 4, (size_t)sm_stats.pages[SM_KIND_LOCKED] * 4,
        (size_t)sm_stats.pages[SM_KIND_PLAIN] * 4, (size_t)sm_stats.pages[SM_KIND_ORDINARY] * 4,
        (size_t)sm_stats.pages_peak * 4, (size_t)allocations, (size_t)live,
        (size_t)sm_stats.spilled, (size_t)sm_stats.failed, (size_t)sm_stats.degraded,
        (size_t)sm_stats.forks, (size_t)sm_stats.fork_failed, (size_t)sm_stats.hooks,
        (size_t)sm_counted(&sm_stats.messages_lost));
    if (sm_stats.sealing)
        sm_log("sealed keys: opened %zu times, %zu of them for functions that are not listed; "
               "%zu accesses by others stopped",
               (size_t)sm_stats.windows + (size_t)sm_stats.unlisted, (size_t)sm_stats.unlisted,
               (size_t)sm_stats.sealed_reads);
}

static void summary_say(void *arg)
{
    (void)arg;
    /* A rawfork child has neither blocks nor locks of its own. */
    if (sm_is_rawfork_child())
        return;
    sm_fork_catch_up(); /* The figures are not the parent's. */
    if (sm_settings.stats)
        sm_stats_print();
    if (sm_settings.trace && sm_inside_now())
        sm_log("trace: no report: exit was called in a handler that interrupted malloc");
    else if (sm_settings.trace)
        sm_leaks_report();
}

/*
 * Prints no leak report, because after quick_exit() the program had no chance to free its
 * blocks.
 */
static void say_quickly(void)
{
    if (sm_settings.stats && *anything && !sm_is_rawfork_child()) {
        sm_fork_catch_up();
        sm_stats_print();
    }
}

void sm_exit_report_init(const bool *used)
{
    static bool done;

    anything = used;
    if (sm_settings.stats && !done)
        done = at_quick_exit(say_quickly) == 0;
}

void sm_exit_report_register(void)
{
    if (!sm_settings.stats && !sm_settings.trace)
        return;
    /*
     * Destructors run in a handler of exit(), so a handler that is added now runs after all
     * destructors.
     */
    if (__cxa_atexit(summary_say, NULL, NULL) != 0)
        summary_say(NULL);
}
