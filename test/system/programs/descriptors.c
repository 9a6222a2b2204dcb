/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: none left, all closed, and another file where stderr was.
 *
 *   descriptors KIND used_up|limit|closed_all|stderr_replaced|stderr_kept */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { COUNT = 64, SIZE = 50000, MANY = 1024 };

static void *blocks[COUNT];

static bool all_whole(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (!whole(blocks[i], SIZE, i))
            return false;
    }
    return true;
}

static int exhausted_child(void)
{
    if (!all_whole())
        return 1;
    void *more = filled_block(SIZE, 9);
    return whole(more, SIZE, 9) ? 0 : 2;
}

/* Allocates and forks; then raises the limit again to see what memory it was. */
static void allocate_and_fork(const struct rlimit *before)
{
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = filled_block(SIZE, i);
    pid_t child = fork();
    if (child == 0) {
        int status = exhausted_child();
        setrlimit(RLIMIT_NOFILE, before);
        _exit(status ? status : kind_of(blocks[0]) == expected ? 0 : 3);
    }
    int status = status_within(child, 30);
    check(status == 0, "a child made without a free descriptor (status %d)", status);
    check(open("/dev/null", O_RDONLY) == -1 && errno == EMFILE, "there is none to the end");
    if (setrlimit(RLIMIT_NOFILE, before) != 0)
        broken("setrlimit");
    check_kind(blocks[0], "the first block");
    check_kind(blocks[COUNT - 1], "the last block");
    check(all_whole(), "all blocks are whole");
}

static void used_up(void)
{
    struct rlimit before, low;

    if (getrlimit(RLIMIT_NOFILE, &before) != 0)
        broken("getrlimit");
    low = before;
    low.rlim_cur = 40;
    if (setrlimit(RLIMIT_NOFILE, &low) != 0)
        broken("setrlimit");
    while (open("/dev/null", O_RDONLY) >= 0)
        ;
    allocate_and_fork(&before);
}

static void limit(void)
{
    struct rlimit before, low;

    if (getrlimit(RLIMIT_NOFILE, &before) != 0)
        broken("getrlimit");
    low = before;
    low.rlim_cur = 0;
    if (setrlimit(RLIMIT_NOFILE, &low) != 0)
        broken("setrlimit");
    allocate_and_fork(&before);
}

/* Nothing can be printed here: the exit status says which step went wrong, 0 for none. */
static void closed_all(void)
{
    char name[] = "closed-XXXXXX";
    struct stat state;

    void *early = filled_block(SIZE, 70);
    for (int fd = 0; fd < MANY; fd++)
        close(fd);
    int first = mkstemp(name);
    if (first != 0)
        _exit(10);
    for (int fd = 1; fd < 20; fd++) {
        if (open(name, O_RDWR | O_APPEND) != fd)
            _exit(11);
    }
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = filled_block(SIZE, i);
    for (int turn = 0; turn < 3; turn++) {
        pid_t child = fork();
        if (child == 0)
            _exit(exhausted_child());
        if (status_within(child, 30) != 0)
            _exit(12);
    }
    if (!all_whole() || !whole(early, SIZE, 70))
        _exit(13);
    if (kind_of(blocks[COUNT - 1]) != expected || kind_of(early) != expected)
        _exit(14);
    for (int fd = 0; fd < 20; fd++) {
        if (fstat(fd, &state) != 0 || state.st_size != 0)
            _exit(15);
    }
    _exit(0);
}

/* More than a small arena holds, so that there is something to be told. */
static void overfill(void)
{
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = filled_block(SIZE, i);
    check(all_whole(), "all blocks are whole");
}

static void stderr_replaced(void)
{
    char name[] = "data-XXXXXX";
    struct stat state;

    close(STDERR_FILENO);
    if (mkstemp(name) != STDERR_FILENO)
        broken("mkstemp");
    overfill();
    if (fstat(STDERR_FILENO, &state) != 0)
        broken("fstat");
    check(state.st_size == 0, "the file that has the number 2 now has %lld bytes, not ours",
          (long long)state.st_size);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"used_up", used_up},       {"limit", limit},
        {"closed_all", closed_all}, {"stderr_replaced", stderr_replaced},
        {"stderr_kept", overfill},  {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
