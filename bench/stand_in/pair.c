/* SPDX-License-Identifier: Apache-2.0 */
/* Prints how many nanoseconds it takes to open and to close by what stands in for PKRU. */
#include "os/protection_key.h"
#include <stdio.h>
#include <time.h>

#define PAIRS 1000000
#define KEY   3U

SM_FROM_ASM SM_LOCAL uint32_t sm_pku_stand_in;

int main(void)
{
    struct timespec from, to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < PAIRS; i++) {
        sm_pku_write(sm_pku_read() & ~KEY);
        sm_pku_write(sm_pku_read() | KEY);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.1f\n",
           ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
               PAIRS);
    return 0;
}
