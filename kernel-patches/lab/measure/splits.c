// SPDX-License-Identifier: GPL-2.0-only
/*
 * splits FILES MIB: makes so many files of secret memory of that size, touches all of it, and
 * prints how often entries of the direct map were split, of 2 MiB and of 1 GiB, and how many
 * GiB of it were in entries of 1 GiB before: "LEVEL2 LEVEL3 GIB". With 0 files it does as much
 * with ordinary memory.
 */
#include "../tests/secret.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        tap_bail_out("usage: splits FILES MIB");
    long level2 = vmstat("direct_map_level2_splits"),
         level3 = vmstat("direct_map_level3_splits");
    long files = atol(argv[1]), huge = proc_value("/proc/meminfo", "DirectMap1G");
    size_t size = (size_t)atol(argv[2]) << 20;

    set_memlock(RLIM_INFINITY);
    for (long i = 0; i < files; i++)
        memset(map_secret(size, 0), 1, size);
    if (files == 0) {
        char *area =
            mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(area, 1, size);
        sleep(1);
    }
    printf("%ld %ld %ld\n", vmstat("direct_map_level2_splits") - level2,
           vmstat("direct_map_level3_splits") - level3, huge < 0 ? 0 : huge >> 20);
    return 0;
}
