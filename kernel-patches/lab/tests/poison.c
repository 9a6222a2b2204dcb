// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the hardware gives up while it is secret: pages that were only read, which the
 * kernel tries to evict, pages that were written, blocks of the page allocator, and those of
 * the reservation, in use and free; and pages that a child is to have a copy of. Nothing of it
 * is used again, it is counted, and with memory that is not in the direct map there is no
 * hibernation. What is lost here stays lost: one of the last.
 */
#include "children.h"
#include "cpu.h"

#include <signal.h>

#define KPF_BUDDY    10
#define KPF_HWPOISON 19
#define SPARE        16
#define COPIED       8UL
#define BAD          5UL /* of the pages that are copied */

static bool flag_of(unsigned long place, int bit)
{
    unsigned long flags = 0;
    int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);

    if (pread(fd, &flags, sizeof(flags), (off_t)(place / PAGE * 8)) != sizeof(flags))
        tap_bail_out("/proc/kpageflags: %s", strerror(errno));
    close(fd);
    return flags >> bit & 1;
}

/* A process that has the memory; it may be told by a signal, and is ended otherwise. */
static pid_t hold(size_t size, bool written, unsigned long *place)
{
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0 || (child = fork()) < 0)
        tap_bail_out("fork: %s", strerror(errno));
    if (child == 0) {
        char *area = map_secret(size, 0);
        volatile char *page = area + (size > PAGE ? 5 * PAGE : 0);
        if (written)
            *page = 1;
        else
            (void)*page;
        *place = physical_address((const void *)page);
        if (write(ends[1], place, sizeof(*place)) != sizeof(*place))
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    if (read(ends[0], place, sizeof(*place)) != sizeof(*place) || *place == 0)
        tap_bail_out("a child has no memory");
    close(ends[0]);
    return child;
}

static void end(pid_t child)
{
    int status;

    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

/* Whether any of a number of new files has the page. */
static bool is_had_again(size_t size, unsigned long place)
{
    char *areas[SPARE];
    bool had = false;

    for (int i = 0; i < SPARE; i++) {
        areas[i] = map_secret(size, 0);
        if (populate(areas[i], size / PAGE) != size / PAGE)
            tap_bail_out("no more secret memory");
        for (size_t at = 0; at < size; at += PAGE)
            had |= physical_address(areas[i] + at) == place;
    }
    for (int i = 0; i < SPARE; i++)
        munmap(areas[i], size);
    return had;
}

static void check_lost(unsigned long place, size_t size, long lost, const char *what)
{
    long pages = (long)(size / PAGE);

    tap_ok(counter("lost") == lost + pages, "%s: %ld pages more are lost (is: %ld, of %ld)",
           what, pages, counter("lost"), lost);
    tap_ok(counter("blocks") == 0 && counter("pages") == 0, "%s: none is in use", what);
    tap_ok(flag_of(place, KPF_HWPOISON) && !flag_of(place, KPF_BUDDY),
           "%s: the page is marked, and not free", what);
    tap_ok(!is_had_again(size, place), "%s: nobody gets it", what);
}

static void test_held(size_t size, bool written, const char *what)
{
    unsigned long place;
    long lost = counter("lost");
    pid_t child = hold(size, written, &place);

    poison(place);
    tap_ok(flag_of(place, KPF_HWPOISON), "%s: the hardware gives a page up", what);
    end(child);
    check_lost(place, size, lost, what);
    tap_ok(!hibernation_on_offer(), "%s: hibernation is not on offer any more", what);
}

/* Has this process run where the reservation has a block left: they belong to nodes. */
static bool go_to_reserve(void)
{
    for (int cpu = 0; cpu < 2; cpu++) {
        long before = counter("reserved_free");
        run_on(cpu);
        char *area = map_secret(BLOCK, 0);
        populate(area, 1);
        long after = counter("reserved_free");
        munmap(area, BLOCK);
        if (after < before)
            return true;
    }
    return false;
}

/* A block of the reservation, while a process has it. */
static void test_reserved(void)
{
    long before = counter("reserved_free"), total = counter("reserved_total");

    if (!tap_ok(go_to_reserve(), "the reservation has a block"))
        return;
    test_held(BLOCK, true, "a reserved block");
    tap_ok(counter("reserved_free") == before - 1 && counter("reserved_total") == total,
           "a reserved block: one less is free (is: %ld, of %ld)", counter("reserved_free"),
           before);
}

/* One that is free: the last that was given back is the next that is taken. */
static void test_reserved_free(void)
{
    static const char what[] = "a free reserved block";
    unsigned long place;
    long before = counter("reserved_free"), lost = counter("lost");

    if (!tap_ok(go_to_reserve(), "the reservation has another block"))
        return;
    end(hold(BLOCK, true, &place));
    tap_ok(counter("reserved_free") == before, "%s: it was given back", what);
    poison(place);
    tap_ok(flag_of(place, KPF_HWPOISON), "%s: the hardware gives a page up", what);
    tap_ok(!is_had_again(BLOCK, place), "%s: nobody gets it", what);
    check_lost(place, BLOCK, lost, what);
    tap_ok(counter("reserved_free") == before - 1, "%s: one less is free (is: %ld, of %ld)",
           what, counter("reserved_free"), before);
}

/* A block while others hold what the reservation has on the nodes of these CPUs. */
static void test_allocated(void)
{
    long reserved = counter("reserved_free");
    char *areas[2 * SPARE];
    int held = 0;

    for (int cpu = 0; cpu < 2; cpu++) {
        run_on(cpu);
        for (long before = -1; held < 2 * SPARE && before != counter("reserved_free"); held++) {
            before = counter("reserved_free");
            areas[held] = map_secret(BLOCK, 0);
            populate(areas[held], 1);
        }
    }
    unsigned long place;
    long lost = counter("lost"), left = counter("reserved_free");
    pid_t child = hold(BLOCK, true, &place);
    poison(place);
    tap_ok(counter("blocks") == held + 1 && counter("reserved_free") == left,
           "a block of the page allocator is used");
    end(child);
    while (held > 0)
        munmap(areas[--held], BLOCK);
    check_lost(place, BLOCK, lost, "a block");
    tap_ok(counter("reserved_free") == reserved, "a block: as many are reserved");
}

/* What a thread is told that touches a page which the hardware gave up */
static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    board->found = 100 + info->si_code;
    go_on(3);
    _exit(0);
}

/* A child that looks, at stage 2, at what it has of its parent's memory. */
static int look(char *area)
{
    const struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    char *bad = area + BAD * PAGE, *after = bad + PAGE;
    size_t rest = COPIED - BAD - 1;

    sigaction(SIGBUS, &action, NULL);
    wait_for(2);
    if (populate(area, BAD) != BAD || populate(after, rest) != rest)
        return 1;
    if (!is_filled(area, BAD, 1) || !is_filled(after, rest, 2 + (int)BAD))
        return 2;
    if (populate(bad, 1) != 0)
        return 3;
    return bad[9] ? 4 : 5;
}

/* A parent of such a child, which stays until that has looked, or ends before. */
static int parent_of(bool stays)
{
    char *area = map_plain(COPIED * PAGE, flag);

    fill(area, COPIED, 1);
    board->pages = (long)(physical_address(area + BAD * PAGE) / PAGE);
    if (child() == 0) {
        board->found = look(area);
        go_on(3);
        _exit(0);
    }
    poison((unsigned long)board->pages * PAGE);
    go_on(1);
    if (!stays)
        return 0;
    wait_for(3);
    return !is_filled(area, BAD, 1) || populate(area + BAD * PAGE, 1) != 0;
}

/* A child that gives up a page of its own copy. */
static int parent_of_poisoner(bool unused)
{
    char *area = map_plain(COPIED * PAGE, flag);
    pid_t pid;

    (void)unused;
    fill(area, COPIED, 1);
    pid = child();
    if (pid == 0) {
        populate(area, COPIED);
        board->pages = (long)(physical_address(area + BAD * PAGE) / PAGE);
        poison((unsigned long)board->pages * PAGE);
        _exit(populate(area + BAD * PAGE, 1) != 0);
    }
    return status_of(pid) != 0 || !is_filled(area, COPIED, 1) ||
           physical_address(area + BAD * PAGE) / PAGE == (unsigned long)board->pages;
}

static pid_t start(int (*function)(bool), bool argument)
{
    pid_t pid;

    board->stage = board->found = 0;
    pid = child();
    if (pid == 0)
        _exit(function(argument));
    return pid;
}

static void check_copy_lost(long lost, const char *what)
{
    for (int tries = 50; tries > 0 && counter("pages") != 0; tries--)
        usleep(100000);
    check_lost((unsigned long)board->pages * PAGE, PAGE, lost, what);
}

/* What a child lacks and is gone is not empty memory. */
static void test_source(bool stays, const char *what)
{
    long lost = counter("lost");
    pid_t parent = start(parent_of, stays);
    int status = 0;

    wait_for(1);
    if (!stays)
        status = status_of(parent);
    go_on(2);
    wait_for(3);
    if (stays)
        status = status_of(parent);
    tap_ok(status == 0 && board->found == 100 + BUS_MCEERR_AR,
           "%s: its child has all other pages, and SIGBUS for that one (%d, %d)", what, status,
           board->found);
    check_copy_lost(lost, what);
}

static void test_copies(void)
{
    static const char own[] = "a page of a copy";
    long lost;

    board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    flag = COPY;
    test_source(true, "a page that is to be copied");
    test_source(false, "a page that is to be copied, after its process has ended");
    lost = counter("lost");
    tap_ok(status_of(start(parent_of_poisoner, true)) == 0, "%s: its parent has its own", own);
    check_copy_lost(lost, own);
}

static void test_ordinary(void)
{
    char *area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    area[0] = 1;
    unsigned long place = physical_address(area);
    tap_ok(place && !flag_of(place, KPF_HWPOISON), "an ordinary page is not marked");
    poison(place);
    tap_ok(flag_of(place, KPF_HWPOISON), "it is once the hardware gives it up");
}

/* Memory errors taint no kernel. */
static void check_kernel(void)
{
    long tainted = read_number("/proc/sys/kernel/tainted");

    tap_ok(tainted == 0, "the kernel has found nothing wrong (tainted: %ld)", tainted);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    test_ordinary();
    if (patched) {
        tap_ok(counter("lost") > 0 || hibernation_on_offer(), "hibernation is on offer before");
        test_held(PAGE, false, "a page only read");
        test_held(PAGE, true, "a page written");
        test_allocated();
        test_copies();
        if (counter("reserved_total") > 0) {
            test_reserved();
            test_reserved_free();
        }
    }
    check_kernel();
    return tap_finish();
}
