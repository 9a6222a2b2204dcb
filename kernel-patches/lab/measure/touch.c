// SPDX-License-Identifier: GPL-2.0-only
/*
 * touch MIB [fragmented]: the first touch of so much anonymous, shmem and secret memory, page
 * by page; prints microseconds a page for each, then the CPUs, the blocks in use (-1 without
 * the patches), the free pieces of 2 MiB before and after, and how often somebody reclaimed or
 * compacted memory meanwhile (compact_stall and allocstall_*). With "fragmented" no 2 MiB of
 * free memory are left in one piece before, and it fails if anybody had to reclaim or compact.
 */
#include "../tests/secret.h"

#include <time.h>

static double touch_page_by_page(char *area, size_t size)
{
    struct timespec start, end;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t at = 0; at < size; at += PAGE)
        *(volatile char *)(area + at) = 1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e6 +
            (double)(end.tv_nsec - start.tv_nsec) / 1e3) /
           (double)(size / PAGE);
}

static char *map_anonymous(size_t size, int flags)
{
    char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

    if (area == MAP_FAILED)
        tap_bail_out("mmap: %s", strerror(errno));
    return area;
}

/* Free pieces of 2 MiB and more in all zones; with say, prints what is free. */
static long large_pieces(bool say)
{
    FILE *file = fopen("/proc/buddyinfo", "re");
    long orders[11], found = 0;
    char line[256], *at;
    int skip;

    if (!file)
        tap_bail_out("/proc/buddyinfo: %s", strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        if (say)
            fprintf(stderr, "touch: %s", line);
        if (sscanf(line, "Node %*d, zone %*s %n", &skip) < 0)
            tap_bail_out("/proc/buddyinfo: cannot be read: %s", line);
        at = line + skip;
        for (int order = 0; order < 11; order++)
            orders[order] = strtol(at, &at, 10);
        found += orders[9] + orders[10];
    }
    fclose(file);
    return found;
}

/* Takes pieces of 2 MiB, as huge pages, for as long as there are any. */
static void take_huge_pages(void)
{
    for (long before = -1, huge = 0; huge > before && large_pieces(false) > 0;) {
        char *area = map_anonymous(2 * BLOCK, MAP_PRIVATE);
        area = (char *)(((unsigned long)area + BLOCK - 1) & ~(BLOCK - 1));
        madvise(area, BLOCK, MADV_HUGEPAGE);
        *(volatile char *)area = 1;
        before = huge;
        huge = proc_value("/proc/meminfo", "AnonHugePages");
    }
}

/*
 * Takes free memory but for so many KiB in single pages, and gives every other one back. The
 * others are locked, which with the setting below is where they stay.
 */
static void take_every_other_page(long rest)
{
    long free = proc_value("/proc/meminfo", "MemFree") - rest;

    if (free <= 0)
        return;
    size_t size = (size_t)free * 1024 & ~(PAGE - 1);
    char *area = map_anonymous(size, MAP_PRIVATE);
    madvise(area, size, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < size; at += PAGE)
        *(volatile char *)(area + at) = 1;
    for (size_t at = 0; at < size; at += 2 * PAGE)
        madvise(area + at, PAGE, MADV_DONTNEED);
    if (syscall(SYS_mlock2, area, size, 1 /* MLOCK_ONFAULT */) != 0)
        tap_bail_out("mlock2: %s", strerror(errno));
}

/*
 * Until nothing of 2 MiB is free in any zone, and enough in single pages for what follows.
 * Nobody is to put pieces together again meanwhile, and no zone to be kept from this process.
 */
static void fragment(size_t needed)
{
    write_text("/sys/kernel/mm/transparent_hugepage/defrag", "never");
    write_text("/proc/sys/vm/compaction_proactiveness", "0");
    write_text("/proc/sys/vm/compact_unevictable_allowed", "0");
    write_text("/proc/sys/vm/lowmem_reserve_ratio", "0 0 0 0");
    write_text("/proc/sys/vm/drop_caches", "3");
    for (int round = 0; round < 20; round++) {
        take_every_other_page(24 * 1024);
        take_huge_pages();
        usleep(100000);
        if (large_pieces(false) == 0 &&
            proc_value("/proc/meminfo", "MemFree") * 1024L > (long)(2 * needed))
            return;
    }
    tap_bail_out("memory cannot be fragmented: %ld pieces of 2 MiB are left, %ld KiB free",
                 large_pieces(true), proc_value("/proc/meminfo", "MemFree"));
}

/* How often memory was reclaimed or compacted by who asked for it. */
static long direct_stalls(void)
{
    static const char *const names[] = {"compact_stall",      "allocstall_dma",
                                        "allocstall_dma32",   "allocstall_normal",
                                        "allocstall_movable", "allocstall_device"};
    long sum = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        long value = vmstat(names[i]);
        sum += value > 0 ? value : 0;
    }
    return sum;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        tap_bail_out("usage: touch MIB [fragmented]");
    size_t size = (size_t)atol(argv[1]) << 20;

    set_memlock(RLIM_INFINITY);
    if (argc > 2)
        fragment(size);
    long pieces = large_pieces(false), stalls = direct_stalls();
    /* Each is given back before the next: they are to find the same memory. */
    char *anonymous = map_anonymous(size, MAP_PRIVATE);
    double first = touch_page_by_page(anonymous, size);
    munmap(anonymous, size);
    char *shared = map_anonymous(size, MAP_SHARED);
    double second = touch_page_by_page(shared, size);
    munmap(shared, size);
    char *secret = map_secret(size, 0);
    double third = touch_page_by_page(secret, size);
    stalls = direct_stalls() - stalls;
    printf("%.2f %.2f %.2f %ld %ld %ld %ld %ld\n", first, second, third,
           sysconf(_SC_NPROCESSORS_ONLN), counter("blocks"), pieces, large_pieces(false),
           stalls);
    if (argc > 2 && stalls != 0)
        tap_bail_out("memory was reclaimed or compacted %ld times in the measurement", stalls);
    return 0;
}
