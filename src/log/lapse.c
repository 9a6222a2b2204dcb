/* SPDX-License-Identifier: Apache-2.0 */
#include "log/lapse.h"
#include "base/counters.h"
#include "base/probe.h"
#include "log/log.h"
#include <stdarg.h>

_Static_assert(SM_LAPSES <= SM_STATS_LAPSES, "a counter for each");

void sm_lapse_count(enum sm_lapse which)
{
    sm_count(&sm_stats.lapses[which], 1);
    sm_probe(lapse, (unsigned)which); /* The header casts -1 to the type. */
}

void sm_lapse(enum sm_lapse which, const char *format, ...)
{
    static sm_flag said[SM_LAPSES];
    va_list args;

    sm_lapse_count(which);
    if (__atomic_exchange_n(&said[which], true, __ATOMIC_RELAXED))
        return;
    va_start(args, format);
    sm_vlog(format, args);
    va_end(args);
}

void sm_lapse_each(enum sm_lapse which, const char *format, ...)
{
    va_list args;

    sm_lapse_count(which);
    va_start(args, format);
    sm_vlog(format, args);
    va_end(args);
}
