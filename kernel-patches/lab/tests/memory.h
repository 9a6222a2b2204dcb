/* SPDX-License-Identifier: GPL-2.0-only */
/* How much memory is free, once all that can settle has settled. */
#ifndef LAB_MEMORY_H
#define LAB_MEMORY_H

#include "secret.h"

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

static __attribute__((unused)) long settled_free_kib(void)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

    for (int i = 0; i < 3; i++) {
        if (write(fd, "3", 1) != 1)
            tap_bail_out("drop_caches: %s", strerror(errno));
        usleep(200000);
    }
    close(fd);
    return free_kib();
}

#endif
