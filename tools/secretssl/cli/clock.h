/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECRETSSL_CLI_CLOCK_H
#define SECRETSSL_CLI_CLOCK_H

#include <time.h>

/* Returns seconds of a clock that nobody sets. */
static inline double clock_seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

#endif
