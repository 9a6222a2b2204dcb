// SPDX-License-Identifier: GPL-2.0-only
/*
 * files COUNT: opens, touches and closes so many files of 2 MiB of secret memory, one after the
 * other, under a limit of 64K, which leaves each a page. Prints "HAD MS LEVEL2 LEVEL3 MISSING
 * LEFT": how many had their page, milliseconds, entries of the direct map split, KiB of free
 * memory gone, and the blocks and pages still in use (0 without the patches).
 */
#include "../tests/memory.h"

#include <time.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        tap_bail_out("usage: files COUNT");
    long count = atol(argv[1]), had = 0, before = settled_free_kib(),
         level2 = vmstat("direct_map_level2_splits"),
         level3 = vmstat("direct_map_level3_splits");
    struct timespec start, end;

    set_memlock(16 * PAGE);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < count; i++) {
        char *area = map_secret(BLOCK, 0);
        had += populate(area, 1);
        munmap(area, BLOCK);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    long left = counter("blocks") + counter("pages");
    printf("%ld %ld %ld %ld %ld %ld\n", had,
           (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000,
           vmstat("direct_map_level2_splits") - level2,
           vmstat("direct_map_level3_splits") - level3, before - settled_free_kib(),
           left < 0 ? 0 : left);
    return 0;
}
