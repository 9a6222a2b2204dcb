/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel takes for the first touch of a page of secret memory, beside ordinary memory;
 * for the first touch and a copy, as a child of fork gets it; and how many large pages of the
 * kernel's own map it splits.
 *
 *   first-touch MIB
 *   -> one JSON object; times are nanoseconds for a page
 */
#include "common.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

enum { PAGE = 4096, MAX_MIB = 1024 };

static char *map_secret(size_t bytes)
{
    int fd = (int)syscall(SYS_memfd_secret, 0);
    char *p;

    if (fd < 0)
        bench_die_errno("memfd_secret");
    if (ftruncate(fd, (off_t)bytes) != 0)
        bench_die_errno("ftruncate");
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        bench_die_errno("mmap of secret memory (RLIMIT_MEMLOCK?)");
    close(fd);
    return p;
}

/* Small pages: what an arena of secret memory is compared to has no others. */
static char *map_anonymous(size_t bytes)
{
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        bench_die_errno("mmap");
    madvise(p, bytes, MADV_NOHUGEPAGE);
    return p;
}

static uint64_t time_touch(char *p, size_t bytes)
{
    uint64_t start = bench_now();

    for (size_t at = 0; at < bytes; at += PAGE)
        *(volatile char *)(p + at) = 1;
    return bench_now() - start;
}

static uint64_t time_copy(char *to, const char *from, size_t bytes)
{
    uint64_t start = bench_now();

    for (size_t at = 0; at < bytes; at += PAGE) {
        memcpy(to + at, from + at, PAGE);
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    return bench_now() - start;
}

/* 2 MiB pages of the direct map that were split since boot; -1: this kernel does not say */
static long splits(void)
{
    FILE *file = fopen("/proc/vmstat", "re");
    char line[256];
    long count = -1;

    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "direct_map_level2_splits %ld", &count) == 1)
            break;
    }
    if (file)
        fclose(file);
    return count;
}

int main(int argc, char **argv)
{
    size_t bytes, pages;
    uint64_t anonymous, secret, copy;
    char *first, *second;
    long before, between, after;

    bench_program = "first-touch";
    if (argc != 2)
        bench_die("usage: first-touch MIB");
    bytes = (size_t)bench_number("MIB", argv[1], 1, MAX_MIB) << 20;
    pages = bytes / PAGE;
    anonymous = time_touch(map_anonymous(bytes), bytes);
    first = map_secret(bytes);
    second = map_secret(bytes);
    before = splits();
    secret = time_touch(first, bytes);
    between = splits();
    copy = time_copy(second, first, bytes);
    after = splits();
    printf("{\"pages\": %zu, \"anonymous\": %.1f, \"secret\": %.1f, \"copy\": %.1f", pages,
           (double)anonymous / (double)pages, (double)secret / (double)pages,
           (double)copy / (double)pages);
    if (before >= 0)
        printf(", \"splits\": %ld, \"splits_again\": %ld", between - before, after - between);
    printf("}\n");
    return 0;
}
