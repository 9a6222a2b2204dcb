// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is charged: RLIMIT_MEMLOCK and memcg bound what is pinned, a block is charged whole, and
 * half of RLIMIT_MEMLOCK is left for single pages. Who asks for no blocks meets a limit where
 * the base has it. Clean page cache of the memcg does not stand in the way of blocks. With a
 * reservation at boot the same holds for its blocks.
 */
#include "secret.h"

#include <sys/stat.h>

#define CGROUP "/sys/fs/cgroup/lab-limits"
#define CHILD  CGROUP "/below"

/* What the kernel holds for secret memory, in pages; only the patches say. */
static long pinned(void)
{
    return counter("blocks") * (long)(BLOCK / PAGE) + counter("pages");
}

/* Touches one page in each of so many files; answers how many it got. */
static size_t touch_files(size_t files, size_t size, bool asked)
{
    size_t count = 0;

    for (size_t i = 0; i < files; i++)
        count += populate(asked ? map_secret(size, 0) : map_plain(size, 0), 1) == 1;
    return count;
}

static int test_small_files(const void *unused)
{
    const size_t limit = 64;

    (void)unused;
    set_memlock(limit * PAGE);
    size_t count = touch_files(limit + 16, PAGE, true);
    tap_ok(count == limit, "%zu files of a page, a limit of %zu pages: %zu get theirs",
           limit + 16, limit, count);
    if (patched)
        tap_ok(pinned() == (long)limit && counter("blocks") == 0,
               "as many pages are pinned, in no block");
    return tap_failures;
}

static int test_large_files(const void *unused)
{
    const size_t limit = 2560, files = limit + 64;

    (void)unused;
    set_memlock(limit * PAGE);
    size_t count = touch_files(files, BLOCK, true);
    if (!patched) {
        tap_ok(count == limit, "files of 2 MiB, a limit of %zu pages: a page for %zu of them",
               limit, count);
        return tap_failures;
    }
    tap_ok(counter("blocks") == 2, "files of 2 MiB, a limit of %zu pages: two blocks (is: %ld)",
           limit, counter("blocks"));
    tap_ok(count >= limit / 2, "half of the limit at least for a page each (is: %zu)", count);
    tap_ok(pinned() == (long)limit, "pinned is what is charged (is: %ld)", pinned());
    return tap_failures;
}

/* Who is limited: the cgroup itself, in one of two ways, the one above it, or nobody. */
struct cgroup_limit {
    const char *file, *value, *what;
    bool asked; /* for blocks */
};

static void enter_cgroup(const struct cgroup_limit *limit)
{
    set_memlock(RLIM_INFINITY);
    write_text(limit->file, limit->value);
    write_text(CHILD "/cgroup.procs", "0");
    /* Whatever has failed before, blocks are tried again. */
    usleep(1200000);
}

static long event(const char *name)
{
    return proc_value(CGROUP "/memory.events", name);
}

/* 40 files of 2 MiB, a page of each, under 64 MiB: as blocks they do not fit. */
static int test_cgroup(const void *argument)
{
    const struct cgroup_limit *limit = argument;
    bool limited = strcmp(limit->value, "max") != 0;

    enter_cgroup(limit);
    long before = read_number(CHILD "/memory.current");
    size_t count = touch_files(40, BLOCK, limit->asked);
    long charged = read_number(CHILD "/memory.current") - before, blocks = counter("blocks");
    tap_ok(count == 40 && event("oom_kill") == 0,
           "%s: 40 files of 2 MiB all have a page, nothing was killed", limit->what);
    if (!limit->asked || !patched)
        tap_ok(event("max") == 0 && event("high") == 0, "and no limit was reached");
    if (!patched)
        return tap_failures;
    if (!limit->asked)
        tap_ok(blocks == 0, "not asked for: no blocks (is: %ld)", blocks);
    else
        tap_ok(limited ? blocks >= 16 && blocks < 32 : blocks > 32,
               "as many in blocks as the limit allows (is: %ld)", blocks);
    tap_ok(charged >= pinned() * (long)PAGE, "pinned is charged (%ld KiB of %ld)", pinned() * 4,
           charged >> 10);
    return tap_failures;
}

#define DISK      "/dev/ram0"
#define DISK_SIZE (16UL << 20)

/*
 * Has the page cache of the cgroup full of what it could drop at once. The disk stays open, as
 * its last close would drop all of it.
 */
static void fill_cache(void)
{
    static char buffer[1 << 16];
    int fd = open(DISK, O_RDONLY | O_CLOEXEC);
    ssize_t length;
    size_t sum = 0;

    if (fd < 0)
        tap_bail_out(DISK ": %s", strerror(errno));
    while ((length = read(fd, buffer, sizeof(buffer))) > 0)
        sum += (size_t)length;
    if (sum != DISK_SIZE)
        tap_bail_out(DISK " has %zu KiB", sum >> 10);
}

/* Under 24 MiB, with 16 MiB of page cache: 8 MiB of blocks are there for who drops some of it.
 */
static int test_cache(const void *argument)
{
    const struct cgroup_limit *limit = argument;
    long had;

    write_text("/proc/sys/vm/drop_caches", "3");
    enter_cgroup(limit);
    fill_cache();
    long cache = proc_value(CHILD "/memory.stat", "inactive_file") +
                 proc_value(CHILD "/memory.stat", "active_file");
    tap_ok(cache > (long)DISK_SIZE / 2, "%s: it has page cache (%ld KiB)", limit->what,
           cache >> 10);
    char *area = try_blocks(4 * BLOCK, 0, &had);
    if (patched)
        tap_ok(had == 4, "8 MiB are in blocks all the same (are: %ld of 4)", had);
    tap_ok(event("oom_kill") == 0, "and nothing was killed");
    munmap(area, 4 * BLOCK);
    return tap_failures;
}

static void in_cgroup(int (*test)(const void *), const struct cgroup_limit *limit)
{
    if (mkdir(CGROUP, 0755) != 0)
        tap_bail_out("mkdir %s: %s", CGROUP, strerror(errno));
    write_text(CGROUP "/cgroup.subtree_control", "+memory");
    if (mkdir(CHILD, 0755) != 0)
        tap_bail_out("mkdir %s: %s", CHILD, strerror(errno));
    run_in_child(test, limit);
    tap_ok(rmdir(CHILD) == 0 && rmdir(CGROUP) == 0, "the cgroup is empty");
}

static void test_cgroups(void)
{
    static const struct cgroup_limit limits[] = {
        {CHILD "/memory.max", "64M", "a cgroup with memory.max of 64M", false},
        {CHILD "/memory.high", "64M", "a cgroup with memory.high of 64M", false},
        {CGROUP "/memory.max", "64M", "a cgroup below one with memory.max of 64M", false},
        {CHILD "/memory.max", "64M", "a cgroup with memory.max of 64M, blocks", true},
        {CGROUP "/memory.max", "64M", "a cgroup below one with memory.max of 64M, blocks",
         true},
        {CHILD "/memory.max", "max", "a cgroup without a limit, blocks", true},
    };
    static const struct cgroup_limit cache = {CHILD "/memory.max", "24M",
                                              "a cgroup with memory.max of 24M", true};

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        in_cgroup(test_cgroup, &limits[i]);
    in_cgroup(test_cache, &cache);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    long total = counter("reserved_total");
    run_in_child(test_small_files, NULL);
    run_in_child(test_large_files, NULL);
    test_cgroups();
    if (patched) {
        tap_ok(pinned() == 0, "nothing is left in use");
        tap_ok(counter("lost") == 0, "nothing is lost");
        tap_ok(counter("reserved_free") == total, "the %ld reserved blocks are free", total);
    }
    return tap_finish();
}
