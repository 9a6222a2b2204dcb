// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults against each other and against everything that ends them: two threads on one page, a
 * kill, ftruncate, close, partial munmap; 10,000 files under a low limit. Each
 * runs twice, and the second time no memory may be gone. What the kernel's own checks think of
 * it is in its log, which must stay clean.
 */
#include "memory.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#define PAGES_PER_BLOCK (BLOCK / PAGE)

static unsigned long seed = 12345;

static unsigned random_below(unsigned limit)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(seed >> 33) % limit;
}

struct toucher {
    pthread_t thread;
    pthread_barrier_t *barrier;
    char *at;
    size_t pages;
    size_t done;
};

static void *touch_after_barrier(void *argument)
{
    struct toucher *toucher = argument;

    pthread_barrier_wait(toucher->barrier);
    toucher->done = populate(toucher->at, toucher->pages);
    return NULL;
}

/* Two threads touch the first pages of a new file at once; true if both had them and agree. */
static bool touch_at_once(size_t size, unsigned flags)
{
    pthread_barrier_t barrier;
    char *area = map_secret(size, flags);
    struct toucher touchers[2] = {{.barrier = &barrier, .at = area, .pages = 4},
                                  {.barrier = &barrier, .at = area, .pages = 4}};

    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&touchers[i].thread, NULL, touch_after_barrier, &touchers[i]) != 0)
            tap_bail_out("pthread_create failed");
    for (int i = 0; i < 2; i++)
        pthread_join(touchers[i].thread, NULL);
    pthread_barrier_destroy(&barrier);
    munmap(area, size);
    return touchers[0].done == 4 && touchers[1].done == 4;
}

static void race_faulters(void)
{
    bool good = true;

    for (int i = 0; i < 100; i++)
        good &= touch_at_once(i % 2 ? 8 * PAGE : BLOCK, patched && i % 3 == 0 ? UNCACHED : 0);
    tap_ok(good, "two threads fault on one page");
}

/* What a process that is to be killed does, for its parent to see. */
struct progress {
    volatile unsigned long begun, done; /* touches */
};

#define KILLED_PAGES (4 * PAGES_PER_BLOCK + 8)

static void touch_for_ever(struct progress *progress)
{
    for (;;) {
        char *area = map_secret(KILLED_PAGES * PAGE, 0);
        progress->begun = progress->done = 0;
        for (size_t i = 0; i < KILLED_PAGES; i++) {
            progress->begun++;
            populate(area + i * PAGE, 1);
            progress->done++;
        }
        munmap(area, KILLED_PAGES * PAGE);
    }
}

static void race_kill(void)
{
    struct progress *progress =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned partly = 0, inside = 0, killed = 0;
    int status;

    for (int i = 0; i < 100; i++) {
        progress->begun = progress->done = 0;
        pid_t child = fork();
        if (child < 0)
            tap_bail_out("fork: %s", strerror(errno));
        if (child == 0)
            touch_for_ever(progress);
        /* From when it is at work: a new process takes its time to get there. */
        for (int wait = 0; wait < 10000 && !progress->begun; wait++)
            usleep(100);
        usleep(random_below(20000));
        kill(child, SIGKILL);
        if (waitpid(child, &status, 0) != child)
            tap_bail_out("waitpid: %s", strerror(errno));
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        partly += progress->done > 0 && progress->done < KILLED_PAGES;
        inside += progress->begun == progress->done + 1;
    }
    munmap(progress, PAGE);
    tap_ok(killed == 100, "processes are killed while they fault (are: %u of 100)", killed);
    tap_ok(partly > 0, "with part of the pages there (%u)", partly);
    tap_ok(inside > 0, "in the middle of a fault (%u)", inside);
}

static void *touch_until_there(void *argument)
{
    struct toucher *toucher = argument;

    pthread_barrier_wait(toucher->barrier);
    for (int i = 0; i < 100000 && populate(toucher->at, toucher->pages) < toucher->pages; i++)
        ;
    toucher->done = populate(toucher->at, toucher->pages);
    return NULL;
}

/* The size is set while another thread faults; it does not end at a page. */
static bool size_while_touched(size_t size)
{
    pthread_barrier_t barrier;
    int fd = memfd_secret(0);
    size_t pages = (size + PAGE - 1) / PAGE;
    char *area = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ask_for_blocks(area, size);
    struct toucher toucher = {.barrier = &barrier, .at = area, .pages = pages};

    pthread_barrier_init(&barrier, NULL, 2);
    if (pthread_create(&toucher.thread, NULL, touch_until_there, &toucher) != 0)
        tap_bail_out("pthread_create failed");
    pthread_barrier_wait(&barrier);
    for (unsigned i = random_below(3000); i > 0; i--)
        __asm__ volatile("" ::: "memory");
    bool good = ftruncate(fd, (off_t)size) == 0;
    good &= ftruncate(fd, (off_t)(size / 2)) == -1 && errno == EINVAL;
    pthread_join(toucher.thread, NULL);
    pthread_barrier_destroy(&barrier);
    munmap(area, pages * PAGE);
    close(fd);
    return good && toucher.done == pages;
}

static void race_truncate(void)
{
    bool good = true;

    for (int i = 0; i < 60; i++)
        good &= size_while_touched(i % 2 ? BLOCK + 100 : 5 * PAGE + 100);
    tap_ok(good, "the size is set against faults, once");
}

static void closed_and_partly_unmapped(void)
{
    int fd = secret_file(2 * BLOCK, 0);
    char *area = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bool kept = true;

    ask_for_blocks(area, 2 * BLOCK);
    close(fd);
    for (size_t i = 0; i < 2 * PAGES_PER_BLOCK; i++)
        memset(area + i * PAGE, (int)i + 1, PAGE);
    for (size_t i = 1; i < 2 * PAGES_PER_BLOCK; i += 2)
        munmap(area + i * PAGE, PAGE);
    for (size_t i = 0; i < 2 * PAGES_PER_BLOCK; i += 2)
        for (size_t byte = 0; byte < PAGE; byte += 512)
            kept &= area[i * PAGE + byte] == (char)(i + 1);
    tap_ok(kept, "after close, every other page unmapped: the others keep their contents");
    for (size_t i = 0; i < 2 * PAGES_PER_BLOCK; i += 2)
        munmap(area + i * PAGE, PAGE);
}

/* In a child: the limit is a process's. check has the time and the splits, of a fresh boot. */
static int many_files(void *unused)
{
    size_t had = 0;

    (void)unused;
    set_memlock(16 * PAGE);
    for (int i = 0; i < 10000; i++) {
        char *area = map_secret(BLOCK, 0);
        had += populate(area, 1);
        munmap(area, BLOCK);
    }
    return had != 10000;
}

static void run_all(void)
{
    race_faulters();
    race_kill();
    race_truncate();
    closed_and_partly_unmapped();
}

static void check_leak(void)
{
    long before = settled_free_kib();
    char *kept =
        mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(kept, 1, 2 * BLOCK);
    tap_ok(before - settled_free_kib() > LEAK_KIB, "memory that is kept would be noticed");
    munmap(kept, 2 * BLOCK);

    before = settled_free_kib();
    run_all();
    tap_ok(status_of_child(many_files, NULL) == 0,
           "10,000 files opened, touched and closed under a limit of 64K");
    long missing = before - settled_free_kib();
    tap_ok(missing <= LEAK_KIB, "no memory is gone after a second run (%ld KiB)", missing);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(1UL << 30);
    run_all();
    check_leak();
    if (patched)
        tap_ok(counter("blocks") == 0 && counter("pages") == 0 && counter("lost") == 0 &&
                   counter("reserved_free") == counter("reserved_total"),
               "no block or page is in use or lost, and all reserved ones are free");

    tap_ok(read_number("/proc/sys/kernel/tainted") == 0, "the kernel has found nothing wrong");
    return tap_finish();
}
