// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is shown of secret memory: what a descriptor has, and its user's account, in
 * /proc/PID/fdinfo; what a process's own mappings have, in smaps and smaps_rollup; and to whom.
 * Without the patch nothing of it is there.
 */
#include "secret.h"

#define KB(size) ((long)((size) >> 10))

static long of_descriptor(pid_t process, int fd, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", process, fd);
    return proc_value(path, name);
}

static long of_process(pid_t process)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", process);
    return proc_value(path, "Secret");
}

/* The sum of all mappings. */
static long of_mappings(void)
{
    char line[256];
    long value, sum = 0, seen = 0;
    FILE *file = fopen("/proc/self/smaps", "re");

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "Secret: %ld", &value) == 1) {
            sum += value;
            seen++;
        }
    if (file)
        fclose(file);
    return seen ? sum : -1;
}

static void check_mappings(long expected, const char *when)
{
    long rollup = of_process(getpid()), sum = of_mappings();

    tap_ok(rollup == expected && sum == expected,
           "%s: smaps_rollup and all of smaps have %ld KiB (have: %ld, %ld)", when, expected,
           rollup, sum);
}

static void check_descriptor(int fd, long kib, long blocks, long uncached, const char *when)
{
    pid_t self = getpid();
    long had[] = {of_descriptor(self, fd, "secret"), of_descriptor(self, fd, "secret-blocks"),
                  of_descriptor(self, fd, "secret-uncached"),
                  of_descriptor(self, fd, "secret-wiped")};

    tap_ok(
        had[0] == kib && had[1] == blocks && had[2] == uncached && had[3] == 0,
        "%s: the descriptor has %ld KiB, %ld blocks, uncached %ld (has: %ld, %ld, %ld, wiped "
        "%ld)",
        when, kib, blocks, uncached, had[0], had[1], had[2], had[3]);
}

static long locked(int fd)
{
    return of_descriptor(getpid(), fd, "secret-user-locked");
}

static void test_life(void)
{
    int page_fd = secret_file(4 * PAGE, 0), block_fd = secret_file(2 * BLOCK, 0);
    long before = locked(page_fd);
    char *plain = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check_descriptor(page_fd, 0, 0, 0, "nothing is touched");
    memset(plain, 1, BLOCK);
    mlock(plain, BLOCK);
    check_mappings(0, "other memory, though it is locked");

    char *pages = map_aligned(page_fd, 4 * PAGE), *blocks = map_aligned(block_fd, 2 * BLOCK);
    ask_for_blocks(blocks, BLOCK);
    pages[PAGE] = 1;
    check_descriptor(page_fd, KB(PAGE), 0, 0, "a page is touched");
    check_mappings(KB(PAGE), "a page is touched");
    blocks[0] = 1;
    populate(blocks + BLOCK, 3);
    check_descriptor(block_fd, KB(BLOCK + 3 * PAGE), 1, 0, "a block, and pages behind it");
    check_mappings(KB(BLOCK + 4 * PAGE), "a block, and pages behind it");
    tap_ok(locked(page_fd) - before == KB(BLOCK + 4 * PAGE),
           "the user's account has both files (has: %ld more)", locked(page_fd) - before);

    munmap(blocks, 2 * BLOCK);
    check_mappings(KB(PAGE), "the block is not mapped any more");
    check_descriptor(block_fd, KB(BLOCK + 3 * PAGE), 1, 0, "it is not mapped any more");
    close(block_fd);
    tap_ok(locked(page_fd) - before == KB(PAGE), "closed, it is not in the account (%ld more)",
           locked(page_fd) - before);
    munmap(pages, 4 * PAGE);
    munmap(plain, BLOCK);
    close(page_fd);
    check_mappings(0, "all is closed");
}

static void test_uncached(void)
{
    int fd = secret_file(PAGE, UNCACHED);
    char *page = map_aligned(fd, PAGE);

    page[0] = 1;
    check_descriptor(fd, KB(PAGE), 0, 1, "an uncached page");
    munmap(page, PAGE);
    close(fd);
}

/* A process that has inherited mappings has what it touches. */
static int look_as_child(void *argument)
{
    char *page = argument;
    long before = of_process(getpid());

    (void)*(volatile char *)page;
    return before == 0 && of_process(getpid()) == KB(PAGE) ? 0 : 1;
}

static int fd_of_root;

/* Somebody else who was given the descriptor. */
static int look_as_nobody(void *argument)
{
    pid_t parent = getppid();

    (void)argument;
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        return 1;
    if (of_process(parent) != -1 || of_descriptor(parent, fd_of_root, "secret") != -1)
        return 2;
    /* Changing users has made this process's own files root's: a new program's are its own. */
    const char *script = "info=/proc/self/fdinfo/0; grep -q '^secret:\t4 kB$' $info && "
                         "grep -q '^secret-user:\t0$' $info && ! grep -q locked $info";
    if (dup2(fd_of_root, 0) != 0)
        return 3;
    execl("/bin/sh", "sh", "-c", script, NULL);
    return 4;
}

static void test_others(void)
{
    fd_of_root = secret_file(PAGE, 0);
    char *page = map_aligned(fd_of_root, PAGE);

    page[0] = 1;
    tap_ok(status_of_child(look_as_child, page) == 0, "a child has what it touches");
    int status = status_of_child(look_as_nobody, NULL);
    tap_ok(status == 0,
           "who is given a descriptor sees what it has, and not its user's account, "
           "nor another user's process (status %d)",
           status);
    munmap(page, PAGE);
    close(fd_of_root);
}

static void test_nothing(void)
{
    int fd = secret_file(PAGE, 0);
    char *page = map_aligned(fd, PAGE);

    page[0] = 1;
    tap_ok(of_process(getpid()) == -1 && of_mappings() == -1, "smaps has nothing of it");
    tap_ok(of_descriptor(getpid(), fd, "secret") == -1 && locked(fd) == -1,
           "fdinfo has nothing of it");
    munmap(page, PAGE);
    close(fd);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    if (patched) {
        test_life();
        test_uncached();
        test_others();
    } else {
        test_nothing();
    }
    return tap_finish();
}
