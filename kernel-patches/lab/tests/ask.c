// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks are for who asks: nobody else reaches a limit a page earlier than on the base. They
 * follow the switches of huge pages, all of them, and have one of their own; and nobody
 * collapses secret pages into a huge one by reading them.
 */
#include "secret.h"

#include <sys/prctl.h>

#define THP  "/sys/kernel/mm/transparent_hugepage/enabled"
#define HUGE "/sys/module/secretmem/parameters/huge"
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct sparse {
    unsigned user;
    size_t limit, size, step, touches, wanted; /* pages, but for the size */
    const char *what;
};

/* Touches every so-manieth page until the limit is reached; as many as it has room for. */
static int test_sparse(void *argument)
{
    const struct sparse *sparse = argument;
    size_t had = 0, pages = sparse->size / PAGE;

    set_memlock(sparse->limit * PAGE);
    if (setresuid(sparse->user, sparse->user, sparse->user) != 0)
        tap_bail_out("setresuid: %s", strerror(errno));
    char *area = map_plain(sparse->size, 0);
    for (size_t i = 0; i < sparse->touches; i++)
        had += populate(area + i * sparse->step % pages * PAGE, 1);
    printf("# %s: %zu of %zu\n", sparse->what, had, sparse->wanted);
    fflush(stdout);
    return had != sparse->wanted;
}

static void test_all_sparse(void)
{
    static struct sparse cases[] = {
        {700001, 2048, 16UL << 20, 2, 2048, 2048, "every other page of 16 MiB, under 8 MiB"},
        {700002, 2048, 1UL << 30, 301, 2112, 2048, "2112 pages all over 1 GiB, under 8 MiB"},
        {700003, 64, 64UL << 20, 512, 32, 32,
         "a page in each of 32 times 2 MiB, under 256 KiB"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        tap_ok(status_of_child(test_sparse, &cases[i]) == 0,
               "not asked for: %s: all that a page each allows", cases[i].what);
}

/* Blocks that a page of a new mapping of 2 MiB takes, after an advice; 0 for none. */
static long blocks_after(int advice)
{
    long before = counter("blocks");
    char *area = map_plain(BLOCK, 0);

    if (advice && madvise(area, BLOCK, advice) != 0)
        tap_bail_out("madvise: %s", strerror(errno));
    /* Blocks are not tried for a second after a failure. */
    if (populate(area, 1) != 1)
        tap_bail_out("a page of secret memory cannot be had");
    long count = counter("blocks") - before;
    munmap(area, BLOCK);
    return count;
}

static int without_huge_pages(void *unused)
{
    (void)unused;
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0)
        tap_bail_out("PR_SET_THP_DISABLE: %s", strerror(errno));
    return blocks_after(MADV_HUGEPAGE) != 0;
}

static void test_switches(void)
{
    tap_ok(blocks_after(0) == 0, "who does not ask has no block");
    tap_ok(blocks_after(MADV_HUGEPAGE) == 1, "who asks has one");
    tap_ok(blocks_after(MADV_NOHUGEPAGE) == 0, "MADV_NOHUGEPAGE: none");
    tap_ok(status_of_child(without_huge_pages, NULL) == 0, "PR_SET_THP_DISABLE: none");
    write_text(THP, "never");
    tap_ok(blocks_after(MADV_HUGEPAGE) == 0, "transparent_hugepage=never: none");
    write_text(THP, "always");
    tap_ok(blocks_after(0) == 0, "transparent_hugepage=always asks for nobody");
    write_text(THP, "madvise");

    write_text(HUGE, "never");
    tap_ok(blocks_after(MADV_HUGEPAGE) == 0, "secretmem.huge=never: none");
    tap_ok(counter("block_size") == 0, "and the size of blocks is 0");
    write_text(HUGE, "always");
    tap_ok(blocks_after(0) == 1, "secretmem.huge=always: one, not asked for");
    tap_ok(blocks_after(MADV_NOHUGEPAGE) == 0, "and none with MADV_NOHUGEPAGE");
    write_text(HUGE, "advise");
    tap_ok(counter("block_size") == (long)BLOCK, "secretmem.huge=advise again");
}

/* Whether mmap chooses aligned places; a page in between moves the next one. */
static bool is_aligned(void)
{
    bool aligned = true;

    for (int i = 0; i < 4; i++) {
        int fd = secret_file(BLOCK, 0);
        void *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        void *area = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, 0);
        if (page == MAP_FAILED || area == MAP_FAILED)
            tap_bail_out("mmap: %s", strerror(errno));
        aligned &= ((unsigned long)area & (BLOCK - 1)) == 0;
        close(fd);
    }
    return aligned;
}

static void test_places(void)
{
    bool aligned = is_aligned();

    /* 6.12 aligns every file of a multiple of 2 MiB; later ones do not. */
    if (!patched) {
        printf("# mmap chooses %s\n", aligned ? "aligned places" : "places at random");
        return;
    }
    tap_ok(!aligned, "mmap chooses places at random, not aligned to 2 MiB");
    write_text(HUGE, "always");
    tap_ok(is_aligned(), "but with secretmem.huge=always");
    write_text(HUGE, "advise");
}

/* With the page allocator's help all of the area's single pages would be read into one huge
 * page. */
static void test_collapse(void)
{
    char *area = map_plain(BLOCK, 0);
    bool kept = true;

    for (size_t i = 0; i < BLOCK / PAGE; i++)
        area[i * PAGE] = (char)(i + 1);
    madvise(area, BLOCK, MADV_HUGEPAGE);
    tap_ok(madvise(area, BLOCK, MADV_COLLAPSE) != 0 && errno == EINVAL,
           "MADV_COLLAPSE is refused for secret memory");
    for (size_t i = 0; i < BLOCK / PAGE; i++)
        kept &= area[i * PAGE] == (char)(i + 1);
    tap_ok(kept, "which is as it was");
    munmap(area, BLOCK);
}

static int nobody_reads(void *unused)
{
    (void)unused;
    if (setresuid(NOBODY, NOBODY, NOBODY) != 0)
        tap_bail_out("setresuid: %s", strerror(errno));
    return counter("block_size") != (long)BLOCK || counter("blocks") != -1 ||
           counter("pages") != -1 || counter("fallbacks") != -1 || counter("lost") != -1 ||
           counter("reserved_free") != -1;
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    test_all_sparse();
    set_memlock(RLIM_INFINITY);
    if (patched) {
        usleep(1200000);
        test_switches();
        tap_ok(status_of_child(nobody_reads, NULL) == 0,
               "everybody may know the size of blocks, and only root the counters");
    }
    test_places();
    test_collapse();
    return tap_finish();
}
