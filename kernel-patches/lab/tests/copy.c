// SPDX-License-Identifier: GPL-2.0-only
/*
 * SECRETMEM_COPY: a child of fork() has the memory as it was then, and the two see nothing of
 * each other's writes. On a kernel without the flag, it is refused with EINVAL; then the same
 * is done with memory that is shared, where each of these results must be another one.
 */
#include "copy.h"
#include "memory.h"

#include <pthread.h>
#include <signal.h>

static void both_ways(void)
{
    char *area = map_plain((PAGES + 2) * PAGE, flag);
    int found;
    pid_t pid;

    fill(area, PAGES, 1);
    board->stage = 0;
    pid = child();
    if (pid == 0) {
        found = is_filled(area, PAGES / 2, 1);
        wait_for(1);
        found |= is_filled(area, PAGES, 1) << 1 | (area[PAGES * PAGE] == 0) << 2;
        fill(area, PAGES, 90);
        area[(PAGES + 1) * PAGE] = 7;
        go_on(2);
        wait_for(3);
        _exit(found | is_filled(area, PAGES, 90) << 3);
    }
    usleep(20000);
    fill(area, PAGES, 40);
    area[PAGES * PAGE] = 5;
    go_on(1);
    wait_for(2);
    private_ok(is_filled(area, PAGES, 40), "a parent sees nothing of its child's writes");
    private_ok(area[(PAGES + 1) * PAGE] == 0, "nor of its child's new pages");
    fill(area, PAGES, 60);
    go_on(3);
    found = status_of(pid);
    tap_ok(found & 1, "a child sees what there was at the fork");
    private_ok(found & 2, "also after its parent's writes");
    private_ok(found & 4, "a child sees nothing of its parent's new pages");
    private_ok(found & 8, "a child's writes stay, whatever its parent writes");
    munmap(area, (PAGES + 2) * PAGE);
}

/* A page whose entry is dirty is made writable by mprotect() without a fault. */
static void protection(void)
{
    char *area = map_plain(PAGES * PAGE, flag);
    pid_t pid;

    fill(area, PAGES, 1);
    board->stage = 0;
    pid = reader(area, PAGES, 1);
    if (mprotect(area, PAGES * PAGE, PROT_READ) ||
        mprotect(area, PAGES * PAGE, PROT_READ | PROT_WRITE))
        tap_bail_out("mprotect: %s", strerror(errno));
    fill(area, PAGES, 2);
    go_on(1);
    private_ok(status_of(pid) == 1, "mprotect() of the parent does not uncover its writes");
    munmap(area, PAGES * PAGE);
}

static void mappings(void)
{
    size_t size = PAGES * PAGE;
    int fd = secret_file(size, flag), found;
    char *kept = map_aligned(fd, size), *one = map_aligned(fd, size),
         *two = map_aligned(fd, size);
    pid_t pid;

    fill(one, PAGES, 1);
    if (madvise(kept, size, MADV_DONTFORK) || munmap(two, size / 4))
        tap_bail_out("madvise or munmap: %s", strerror(errno));
    board->stage = 0;
    pid = child();
    if (pid == 0) {
        char *moved, *again = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        found = again == MAP_FAILED && errno == EACCES;
        wait_for(1);
        found |= is_filled(two + size / 4, PAGES * 3 / 4, 1 + (int)PAGES / 4) << 1;
        moved = mremap(one, size / 2, size / 2, MREMAP_MAYMOVE | MREMAP_FIXED, kept);
        munmap(one + size / 2, size / 4);
        fill(moved, PAGES / 2, 20);
        found |= is_filled(two + size / 4, PAGES / 4, 20 + (int)PAGES / 4) << 2;
        _exit(found | is_filled(one + size * 3 / 4, PAGES / 4, 1 + (int)PAGES * 3 / 4) << 3);
    }
    fill(kept, PAGES, 30);
    go_on(1);
    found = status_of(pid);
    private_ok(found & 1, "a child cannot map its parent's file (EACCES)");
    private_ok(found & 2,
               "what a parent writes through a mapping that its child has not got is unseen");
    private_ok(is_filled(kept, PAGES, 30),
               "a child's writes through a moved mapping are unseen");
    tap_ok(found & 4, "mappings of one file are of one file in a child too");
    if (patched)
        tap_ok(found & 8, "parts that remain of a mapping are a copy too");
    munmap(kept, size);
    munmap(one, size);
    munmap(two, size);
    close(fd);
}

/* A grandchild reads through a child that has not touched, and is gone. */
static void grandchild(void)
{
    char *area = map_plain(PAGES * PAGE, flag);
    pid_t pid;

    fill(area, PAGES, 1);
    board->stage = board->found = 0;
    pid = child();
    if (pid == 0) {
        area[0] = 99;
        if (child() == 0) {
            wait_for(3);
            board->found = area[0] == 99 && is_filled(area + PAGE, PAGES - 1, 2);
            go_on(4);
            _exit(0);
        }
        area[0] = 77;
        area[PAGE] = 78;
        go_on(1);
        wait_for(2);
        _exit(area[0] == 77 && area[PAGE] == 78);
    }
    wait_for(1);
    fill(area, PAGES, 50);
    go_on(2);
    private_ok(status_of(pid) == 1, "a child that has children keeps its writes");
    fill(area, PAGES, 51);
    go_on(3);
    wait_for(4);
    private_ok(board->found, "a grandchild sees its parent's data after that is gone");
    munmap(area, PAGES * PAGE);
}

/* Each child has another version, and most of it through those of the children after it. */
static void many(int children, size_t pages, const char *what)
{
    pid_t *pids = calloc((size_t)children, sizeof(*pids));
    char *area = map_plain(pages * PAGE, flag);
    int right = 0;

    board->stage = 0;
    for (int i = 0; i < children; i++) {
        *(int *)(area + (size_t)i % pages * PAGE) = i + 1;
        pids[i] = child();
        if (pids[i] == 0) {
            bool held = true;
            /* Some end before the others look. */
            if (i % 3 == 0)
                _exit(*(int *)(area + (size_t)i % pages * PAGE) == i + 1);
            wait_for(1);
            for (int j = i; j >= 0 && j > i - (int)pages; j--)
                held = held && *(int *)(area + (size_t)j % pages * PAGE) == j + 1;
            *(int *)area = -1;
            _exit(held);
        }
    }
    go_on(1);
    for (int i = 0; i < children; i++)
        right += status_of(pids[i]) == 1;
    if (!patched)
        printf("# %d of %d\n", right, children);
    private_ok(right == children, what);
    munmap(area, pages * PAGE);
    free(pids);
}

/*
 * Where the snapshot of the newest child goes when that ends, an older one takes its place: no
 * child that follows may be put behind that, although nothing was written in between.
 */
static void after_one(void)
{
    char *area = map_plain(PAGE, flag);
    pid_t pids[4];
    int right = 0;

    board->stage = 0;
    for (int i = 0; i < 3; i++) {
        fill(area, 1, i + 1);
        pids[i] = reader(area, 1, i + 1);
    }
    kill(pids[2], SIGKILL);
    status_of(pids[2]);
    usleep(100000);
    pids[2] = reader(area, 1, 3);
    fill(area, 1, 4);
    pids[3] = reader(area, 1, 4);
    fill(area, 1, 5);
    go_on(1);
    for (int i = 0; i < 4; i++)
        right += status_of(pids[i]) == 1;
    private_ok(right == 4,
               "children have the present data after one that had a snapshot is gone");
    munmap(area, PAGE);
}

/* Each generation writes, has a child, and ends before it. */
static void chain(int depth, bool parents_wait)
{
    long before = counter("pages");
    char *area = map_plain(PAGES * PAGE, flag);
    pid_t pid;

    fill(area, PAGES, 1);
    board->stage = board->found = 0;
    pid = child();
    for (int i = 1; pid == 0 && i <= depth; i++) {
        size_t page = (size_t)i % PAGES;
        memset(area + page * PAGE, i, PAGE);
        if (i == depth) {
            bool held = true;
            usleep(50000);
            board->pages = counter("pages") - before;
            for (size_t p = 0; p < PAGES; p++) {
                int last = depth - (int)(((size_t)depth - p) % PAGES);
                held = held && area[p * PAGE + 9] == (char)(last > 0 ? last : 1);
            }
            board->found = held;
            go_on(1);
            _exit(0);
        }
        pid = child();
        if (pid != 0) {
            if (parents_wait)
                status_of(pid);
            _exit(0);
        }
    }
    status_of(pid);
    wait_for(1);
    tap_ok(board->found, "%d generations, %s", depth,
           parents_wait ? "all there" : "each gone before the next: the last sees all writes");
    if (!parents_wait)
        tap_ok(board->pages <= 2 * (long)PAGES, "only the first and the last have pages (%ld)",
               board->pages);
    munmap(area, PAGES * PAGE);
}

/* At the limit the child fails, and not the one that writes. */
static int at_limit(void *unused)
{
    char *area;
    pid_t pid;
    size_t more;
    int status;

    (void)unused;
    set_memlock(40 * PAGE);
    if (setresuid(54321, 54321, 54321) != 0)
        tap_bail_out("setresuid: %s", strerror(errno));
    area = map_plain(PAGES * PAGE, flag);
    fill(area, 32, 1);
    pid = child();
    if (pid == 0) {
        more = populate(area, 32);
        _exit(more == 8 && is_filled(area, 8, 1) ? (area[8 * PAGE] ? 1 : 2) : 3);
    }
    status = status_of(pid);
    if (status != 128 + SIGBUS)
        return status;
    board->stage = 0;
    pid = child();
    if (pid == 0) {
        wait_for(1);
        more = populate(area, 32);
        _exit(more < 32 && is_filled(area, more, 1) ? 20 + (int)more : 1);
    }
    fill(area, 32, 3);
    go_on(1);
    more = (size_t)status_of(pid);
    if (more != 28 || !is_filled(area, 32, 3))
        return 2;
    /* What the children had is given back, and a child that fits has everything. */
    set_memlock(40 * PAGE);
    munmap(area, PAGES * PAGE);
    area = map_plain(16 * PAGE, flag);
    fill(area, 16, 1);
    pid = child();
    if (pid == 0)
        _exit(populate(area, 16) == 16 && is_filled(area, 16, 1));
    return status_of(pid) == 1 ? 0 : 3;
}

static void threads(int rounds)
{
    pthread_t thread;
    int right = 0;

    log_area = map_plain(LOG * PAGE, flag);
    if (pthread_create(&thread, NULL, writer, NULL) != 0)
        tap_bail_out("pthread_create failed");
    for (int i = 0; i < rounds; i++) {
        pid_t pid = child();
        if (pid == 0) {
            uint64_t first, second;
            bool held;
            if (i % 2)
                usleep(2000);
            held = is_moment(&first);
            usleep(5000);
            _exit(held && is_moment(&second) && first == second);
        }
        right += status_of(pid) == 1;
    }
    stop = true;
    pthread_join(thread, NULL);
    printf("# %d of %d\n", right, rounds);
    private_ok(right == rounds, "children have one moment of what a thread writes");
    munmap(log_area, LOG * PAGE);
}

static void other_flags(void)
{
    long blocks = counter("blocks");
    char *area = map_plain(2 * BLOCK, flag);
    pid_t pid;

    ask_for_blocks(area, 2 * BLOCK);
    tap_ok(populate(area, 1024) == 1024 && counter("blocks") == blocks,
           "memory that is copied has no blocks");
    munmap(area, 2 * BLOCK);

    area = map_plain(PAGES * PAGE, flag | UNCACHED);
    fill(area, PAGES, 1);
    board->stage = 0;
    pid = reader(area, PAGES, 1);
    fill(area, PAGES, 2);
    go_on(1);
    tap_ok(status_of(pid) == 1 && is_filled(area, PAGES, 2), "uncached memory is copied too");
    munmap(area, PAGES * PAGE);
}

int main(int argc, char **argv)
{
    long pages, now = 0, free_before;

    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    flag = patched ? COPY : 0;
    if (!patched)
        tap_ok(memfd_secret(COPY) < 0 && errno == EINVAL, "the flag is refused with EINVAL");
    file_of_flag();
    tap_ok(memfd_secret(flag | 0x1) < 0 && errno == EINVAL,
           "flags that are unknown are refused");
    pages = counter("pages");

    both_ways();
    protection();
    mappings();
    grandchild();
    many(20, 8, "each of 20 children has its own version");
    after_one();
    threads(20);
    if (patched) {
        int status = status_of_child(at_limit, NULL);
        tap_ok(status == 0,
               "at the limit a child has SIGBUS or EFAULT, and its parent has not (%d)",
               status);
        chain(100, false);
        chain(100, true);
        other_flags();
        free_before = settled_free_kib();
        many(1000, 16, "each of 1,000 children at once has its own version");
        many(300, 16, "and again, of 300");
        for (int tries = 50; tries > 0 && (now = counter("pages")) != pages; tries--)
            usleep(100000);
        tap_ok(now == pages && pages >= 0, "all pages are given back (%ld of %ld are left)",
               now, pages);
        printf("# free memory, KiB: %ld before, %ld after\n", free_before, settled_free_kib());
    }
    return tap_finish();
}
