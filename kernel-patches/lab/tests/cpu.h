/* SPDX-License-Identifier: GPL-2.0-only */
/* On which CPU a test runs. */
#ifndef LAB_CPU_H
#define LAB_CPU_H

#include "tap.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

/* Goes to a CPU for good. */
static __attribute__((unused)) void run_on(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        tap_bail_out("sched_setaffinity to CPU %d: %s", cpu, strerror(errno));
}

#endif
