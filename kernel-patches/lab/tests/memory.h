/* SPDX-License-Identifier: GPL-2.0-only */
/* How much memory is free, once all that can settle has settled. */
#ifndef LAB_MEMORY_H
#define LAB_MEMORY_H

#include "secret.h"

#include <glob.h>

/* What may be missing after a second run, in KiB. */
#define LEAK_KIB 1024

/* Free memory with what each CPU keeps for itself, in KiB. */
static long free_kib(void)
{
    long kib = proc_value("/proc/meminfo", "MemFree"), count;
    FILE *file = fopen("/proc/zoneinfo", "re");
    char line[256];

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, " count: %ld", &count) == 1)
            kib += count * (long)(PAGE / 1024);
    if (file)
        fclose(file);
    return kib;
}

/* Empty slabs are kept; with KASAN also objects that are free, tens of MiB of them. */
static void shrink_slabs(void)
{
    glob_t caches;

    if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches) != 0)
        return;
    for (size_t i = 0; i < caches.gl_pathc; i++)
        write_text(caches.gl_pathv[i], "1");
    globfree(&caches);
}

static __attribute__((unused)) long settled_free_kib(void)
{
    for (int i = 0; i < 3; i++) {
        write_text("/proc/sys/vm/drop_caches", "3");
        shrink_slabs();
        usleep(200000);
    }
    return free_kib();
}

#endif
