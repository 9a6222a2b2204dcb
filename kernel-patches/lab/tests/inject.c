// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failures where the kernel can be told to have them (run --debug): taking memory out of the
 * direct map, putting it back, adding it to the file, which is where a memcg charge fails.
 * Blocks fall back to pages, pages to an error, what is not put back is lost and says so, and
 * nothing else is: all else is counted exactly, no memory is gone after failures by the
 * thousand, and a limit is worth as many pages as before. With a reservation the faults fail
 * with its blocks, and again with those of the page allocator (the node is this one: run
 * --debug has one).
 */
#include "memory.h"

#include <sys/klog.h>

#define SYSLOG_ACTION_READ_ALL 3

#define FAIL "/sys/kernel/debug/fail_function/"

/*
 * The next so many calls of a function fail, anybody's: the probe is an exception of its own,
 * in which the kernel does not see whose process it is. Nobody else is at work.
 */
static void fail_next(const char *function, int times, int error)
{
    char path[128], text[32];

    write_text(FAIL "inject", function);
    snprintf(path, sizeof(path), FAIL "%s/retval", function);
    snprintf(text, sizeof(text), "%#lx", -(unsigned long)error);
    write_text(path, text);
    snprintf(text, sizeof(text), "%d", times);
    write_text(FAIL "probability", "100");
    write_text(FAIL "interval", "1");
    write_text(FAIL "verbose", "0");
    write_text(FAIL "task-filter", "N");
    write_text(FAIL "times", text);
}

static void fail_no_more(void)
{
    write_text(FAIL "inject", "");
}

/* Blocks that are held so that others come from the page allocator. */
static char *held[64];
static int held_count;

static void use_up_reservation(void)
{
    while (counter("reserved_free") > 0) {
        if (held_count == sizeof(held) / sizeof(held[0]))
            tap_bail_out("a reservation of %d blocks at most can be used up", held_count);
        held[held_count] = map_secret(BLOCK, 0);
        populate(held[held_count++], 1);
    }
}

static void give_back_reservation(void)
{
    while (held_count > 0)
        munmap(held[--held_count], BLOCK);
}

/* Beside what is held. */
static void expect_counts(long blocks, long pages, const char *what)
{
    blocks += held_count;
    tap_ok(counter("blocks") == blocks && counter("pages") == pages,
           "%s: %ld blocks, %ld pages (is: %ld, %ld)", what, blocks, pages, counter("blocks"),
           counter("pages"));
}

struct failure {
    int times, error;
    bool page; /* what the fault comes to */
    const char *what;
};

/* A fault in which a function fails. */
static void test_fault(const char *function, const struct failure *failure)
{
    char *area = map_secret(BLOCK, 0);

    /* Blocks are not tried for a second after a failure. */
    usleep(1200000);
    fail_next(function, failure->times, failure->error);
    size_t had = populate(area, 1);
    fail_no_more();
    tap_ok(had == failure->page, "%s fails %d times with error %d: %s", function,
           failure->times, failure->error, failure->what);
    expect_counts(0, failure->page, "then");
    tap_ok(populate(area, 1) == 1, "the next touch works");
    munmap(area, BLOCK);
    expect_counts(0, 0, "at the end");
}

static void test_faults(const char *function)
{
    static const struct failure failures[] = {
        {1, EIO, true, "a page has to do"},
        /* A system call may try twice. */
        {9, EIO, false, "no page"},
        {1, ENOMEM, true, "a page has to do"},
        {2, ENOMEM, true, "the kernel tries again"},
        /* As if another fault had always been first: that must come to an end. */
        {-1, EEXIST, false, "no page"},
    };

    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        test_fault(function, &failures[i]);
}

/* Where adding to the file can be made to fail: before the charge, if the kernel has a place.
 */
static const char *function_that_adds(void)
{
    static const char ours[] = "secretmem_filemap_add";
    FILE *file = fopen("/sys/kernel/debug/error_injection/list", "re");
    char line[256];
    bool found = false;

    if (!file)
        tap_bail_out("error_injection/list: %s", strerror(errno));
    while (!found && fgets(line, sizeof(line), file))
        found = strncmp(line, ours, sizeof(ours) - 1) == 0;
    fclose(file);
    return found ? ours : "__filemap_add_folio";
}

/* A limit of so many pages is worth so many: nothing is charged that is not there. */
static void expect_limit(const char *when)
{
    const size_t limit = 64;
    struct rlimit pages = {limit * PAGE, RLIM_INFINITY};
    char *area = map_secret(2 * limit * PAGE, 0);
    size_t had = 0;

    setrlimit(RLIMIT_MEMLOCK, &pages);
    for (size_t i = 0; i < 2 * limit; i++)
        had += populate(area + i * PAGE, 1);
    pages.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_MEMLOCK, &pages);
    munmap(area, 2 * limit * PAGE);
    tap_ok(had == limit, "%s: under a limit of %zu pages, %zu can be had", when, limit, had);
}

#define ROUNDS 20
#define FAULTS 128
/* Less than a page for each fault, 10 MiB, or a block for each attempt, as much. */
#define LOST_KIB (4 * 1024)

/* With what slabs have taken: KASAN keeps freed objects there, and kmemleak looks after them.
 */
static long settled_kib(void)
{
    return settled_free_kib() + proc_value("/proc/meminfo", "Slab");
}

/* Faults that all fail; in some of the rounds a block is tried first, which takes a pause. */
static size_t fail_many(const char *function, int blocks)
{
    size_t had = 0;

    for (int round = 0; round < ROUNDS; round++) {
        char *area = map_secret(BLOCK, 0);
        if (round < blocks)
            usleep(1200000);
        fail_next(function, -1, EIO);
        for (size_t i = 0; i < FAULTS; i++)
            had += populate(area + i * PAGE, 1);
        fail_no_more();
        munmap(area, BLOCK);
    }
    return had;
}

static void test_leaks(const char *function)
{
    const int blocks = 5;

    fail_many(function, 0);
    long free = settled_kib(), fallbacks = counter("fallbacks");
    size_t had = fail_many(function, blocks);
    fallbacks = counter("fallbacks") - fallbacks;
    long missing = free - settled_kib();
    tap_ok(had == 0 && fallbacks >= ROUNDS * FAULTS, "%s fails in all of %d faults (had: %zu)",
           function, ROUNDS * FAULTS, had);
    tap_ok(missing <= LOST_KIB, "no memory is gone, of pages or blocks (%ld KiB)", missing);
    expect_counts(0, 0, "nor counted");
}

/* As long as there is the file: its end would settle what it owes. */
static void test_charge(const char *function)
{
    char *area = map_secret(BLOCK, 0);
    size_t had = 0;

    usleep(1200000);
    fail_next(function, -1, EIO);
    for (size_t i = 0; i < FAULTS; i++)
        had += populate(area + i * PAGE, 1);
    fail_no_more();
    tap_ok(had == 0, "%s fails in all faults of a file", function);
    expect_limit("while that file is there");
    munmap(area, BLOCK);
}

/* What nobody points to any more; an object is suspected when two scans miss it. */
static void test_kmemleak(void)
{
    static const char path[] = "/sys/kernel/debug/kmemleak";
    char text[512];

    sleep(6);
    write_text(path, "scan");
    write_text(path, "scan");
    read_text(path, text, sizeof(text));
    tap_ok(text[0] == '\0', "kmemleak suspects nothing");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        printf("# %s\n", line);
}

static void test_all_faults(void)
{
    test_faults("secretmem_unmap_folio");
    test_faults(function_that_adds());
}

/* What the kernel says of memory that is lost. */
static bool has_said(const char *what)
{
    static char log[1 << 18];
    int length = klogctl(SYSLOG_ACTION_READ_ALL, log, sizeof(log) - 1);

    return length > 0 && memmem(log, (size_t)length, what, strlen(what)) != NULL;
}

/* Last: what is lost stays lost. The block is the reservation's, or the page allocator's. */
static void test_restore(bool from_reserve)
{
    char *area = map_secret(BLOCK, 0), *small = map_secret(PAGE, 0);
    long reserved = counter("reserved_free"), lost = counter("lost") + (long)(BLOCK / PAGE) + 1;

    usleep(1200000);
    tap_ok(hibernation_on_offer() == false, "hibernation is not on offer with a descriptor");
    populate(area, 1);
    populate(small, 1);
    expect_counts(1, 1, "before");
    tap_ok(counter("reserved_free") == reserved - from_reserve, "the block is %s",
           from_reserve ? "the reservation's" : "the page allocator's");
    fail_next("secretmem_remap_folio", 2, ENOMEM);
    munmap(area, BLOCK);
    munmap(small, PAGE);
    fail_no_more();
    expect_counts(0, 0, "neither can be put back");
    tap_ok(counter("lost") == lost, "a block and a page are lost (is: %ld, to be %ld)",
           counter("lost"), lost);
    tap_ok(counter("reserved_free") == reserved - from_reserve,
           "a lost block is not in the reservation, and no other is missing");
    tap_ok(!hibernation_on_offer(), "hibernation is not on offer any more");
    tap_ok(has_said("are lost, and no hibernation image is made until the next boot"),
           "the kernel says so, and for how long");

    area = map_secret(BLOCK, 0);
    tap_ok(populate(area, 1) == 1, "another block can be had");
    munmap(area, BLOCK);
    expect_counts(0, 0, "at the end");
    tap_ok(counter("lost") == lost && counter("reserved_free") == reserved - from_reserve,
           "nothing more is lost");
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    if (!patched || access(FAIL "inject", F_OK) != 0) {
        tap_ok(true, "nothing to do: this kernel cannot be made to fail (run --debug can)");
        return tap_finish();
    }
    set_memlock(RLIM_INFINITY);
    long reserved = counter("reserved_free");
    expect_limit("before");
    test_all_faults();
    if (reserved > 0) {
        use_up_reservation();
        test_all_faults();
        give_back_reservation();
        tap_ok(counter("reserved_free") == reserved, "all reserved blocks are free again");
    }
    test_leaks("secretmem_unmap_folio");
    test_leaks(function_that_adds());
    test_charge("secretmem_unmap_folio");
    test_charge(function_that_adds());
    if (reserved > 0) {
        test_restore(true);
        use_up_reservation();
    }
    test_restore(false);
    give_back_reservation();
    expect_limit("with memory that is lost");
    test_kmemleak();
    tap_ok(read_number("/proc/sys/kernel/tainted") == 0, "the kernel has found nothing wrong");
    return tap_finish();
}
