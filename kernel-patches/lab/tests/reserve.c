// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reservation at boot that is used up: what it has not on the node, the page allocator has,
 * as blocks and, where a limit refuses these, as pages; the counters say so. What comes back is
 * zero for the next, and the reservation is whole again. Without a reservation, nothing is
 * missed.
 */
#include "nodes.h"

#define MORE 3

static long total;

static bool is_zero(const char *area, size_t size)
{
    for (size_t at = 0; at < size; at++)
        if (area[at])
            return false;
    return true;
}

/*
 * Takes blocks one by one on a CPU: first all that are reserved on its node, then some more.
 * Marks them; false if one was not zero. The count moves on.
 */
static bool use_up(int cpu, char **areas, size_t *count)
{
    unsigned node = run_on_node_of(cpu);
    long local = 0, beyond = 0, left = counter("reserved_free");
    long misses = counter("reserved_misses"), blocks = counter("blocks");
    bool zero = true;

    while (beyond < MORE && local < total + 1) {
        char *area = map_secret(BLOCK, 0);
        areas[(*count)++] = area;
        if (populate(area, 1) != 1)
            tap_bail_out("a page of secret memory cannot be had");
        zero &= is_zero(area, BLOCK);
        memset(area, 0xa5, BLOCK);
        if (counter("reserved_free") < left)
            local++;
        else
            beyond++;
        left = counter("reserved_free");
    }
    tap_ok(beyond == MORE, "CPU %d, node %u: the %ld reserved there are used up", cpu, node,
           local);
    tap_ok(counter("reserved_misses") - misses == beyond,
           "each block after that was missed there (are: %ld of %ld)",
           counter("reserved_misses") - misses, beyond);
    tap_ok(counter("blocks") - blocks == local + beyond,
           "and had from the page allocator (are: %ld of %ld)", counter("blocks") - blocks,
           local + beyond);
    return zero;
}

/* Where the limit has no room for a block: its pages. */
static void test_pages(void)
{
    long pages = counter("pages"), blocks = counter("blocks"), left = counter("reserved_free");
    struct rlimit limit = {0, RLIM_INFINITY};

    limit.rlim_cur = (blocks + 1) * BLOCK;
    setrlimit(RLIMIT_MEMLOCK, &limit);
    char *area = map_secret(BLOCK, 0);
    size_t had = populate(area, 8);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_MEMLOCK, &limit);
    tap_ok(had == 8 && counter("pages") - pages == 8 && counter("blocks") == blocks,
           "with half of the limit used there are pages (are: %ld of 8)",
           counter("pages") - pages);
    tap_ok(counter("reserved_free") == left, "and the reservation is as it was");
    munmap(area, BLOCK);
}

/* Twice: the second time the blocks have been used. */
static void test_used_up(bool again)
{
    char **areas = calloc(2 * (total + MORE), sizeof(areas[0]));
    long fallbacks = counter("fallbacks");
    size_t count = 0;
    bool zero = true;

    if (!areas)
        tap_bail_out("calloc: %s", strerror(errno));
    for (int cpu = 0; cpu < 2; cpu++)
        zero &= use_up(cpu, areas, &count);
    if (!fake_nodes())
        tap_ok(counter("reserved_free") == 0, "nothing is left of %ld (is: %ld)", total,
               counter("reserved_free"));
    tap_ok(counter("fallbacks") == fallbacks, "a block that was missed there is no fallback");
    tap_ok(zero, "all of them were zero%s", again ? ", though they had been used" : "");
    if (!again)
        test_pages();
    while (count > 0)
        munmap(areas[--count], BLOCK);
    free(areas);
    tap_ok(counter("reserved_free") == total && counter("blocks") == 0 && counter("pages") == 0,
           "the reservation is whole again (%ld of %ld)", counter("reserved_free"), total);
}

static void test_none(void)
{
    char *area = map_blocks(4 * BLOCK, 0, "no reservation");

    tap_ok(counter("reserved_free") == total && counter("reserved_misses") == 0,
           "no reservation: nothing is missed");
    munmap(area, 4 * BLOCK);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    total = counter("reserved_total");
    if (total > 0) {
        usleep(1200000);
        test_used_up(false);
        test_used_up(true);
    } else if (patched) {
        test_none();
    } else {
        tap_ok(total == -1, "this kernel reserves nothing");
    }
    return tap_finish();
}
