/* SPDX-License-Identifier: Apache-2.0 */
#include "process/exit_report.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/thread_cache.h"
#include "log/log.h"
#include "process/leak_report.h"
#include <stdlib.h>

/* The C library's, below atexit(3). object: with whose destructors it runs; NULL: on its own */
int __cxa_atexit(void (*handler)(void *), void *arg, void *object);

static const bool *anything;

static void say(void *arg)
{
    (void)arg;
    /* A child of _Fork or a raw fork has neither blocks nor locks of its own. */
    if (sm_unannounced())
        return;
    if (sm_config.stats)
        sm_stats_print();
    if (sm_config.trace && sm_inside_now())
        sm_report("trace: no report: exit was called in a handler that interrupted malloc");
    else if (sm_config.trace)
        sm_leaks_report();
}

/* Nobody had a chance to free anything: what is live is no news. */
static void say_quickly(void)
{
    if (sm_config.stats && *anything && !sm_unannounced())
        sm_stats_print();
}

void sm_ending_init(const bool *used)
{
    static bool done;

    anything = used;
    if (sm_config.stats && !done)
        done = at_quick_exit(say_quickly) == 0;
}

void sm_ending_last(void)
{
    if (!sm_config.stats && !sm_config.trace)
        return;
    /* Destructors run in a handler of exit(): one that is added now comes after them all. */
    if (__cxa_atexit(say, NULL, NULL) != 0)
        say(NULL);
}
