/* SPDX-License-Identifier: Apache-2.0 */
#include "os/coarse_clock.h"
#include <errno.h>
#include <sys/auxv.h>
#include <time.h>

uint64_t sm_coarse_clock(void)
{
    static int has_clock; /* 0: not asked yet; threads may ask at once, and learn the same */
    struct timespec now = {0};
    int error = errno, has = __atomic_load_n(&has_clock, __ATOMIC_RELAXED);

    if (has == 0) {
        has = getauxval(AT_SYSINFO_EHDR) ? 1 : -1;
        __atomic_store_n(&has_clock, has, __ATOMIC_RELAXED);
    }
    if (has < 0 || clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0)
        now = (struct timespec){0};
    errno = error;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
