/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a parent keeps for copies of its children, where the kernel or the program interferes.
 *
 *   fork_spares KIND migrates|unmovable|threads
 */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 8, SIZE = 1000, ALIVE = 60, ROUNDS = 60, REFUSED = 78 };

static unsigned char *blocks[BLOCKS];

static void make_blocks(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = filled_block(SIZE, i);
    check_kind(blocks[0], "blocks");
}

static bool has_pattern(uint64_t seed)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (!whole(blocks[i], SIZE, seed + i))
            return false;
    }
    return true;
}

/* A child that changes its memory and looks at it until it is killed, or finds other memory. */
static pid_t start_child(uint64_t seed)
{
    pid_t child = fork();

    if (child != 0)
        return child;
    for (size_t i = 0; i < BLOCKS; i++)
        fill(blocks[i], SIZE, seed + i);
    while (has_pattern(seed))
        usleep(10000);
    _exit(10);
}

static pid_t start_compaction(void)
{
    pid_t child = fork();
    int file;

    if (child != 0)
        return child;
    file = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);
    while (pwrite(file, "1", 1, 0) == 1)
        ;
    _exit(11);
}

/*
 * The kernel tries in vain to migrate the pages, and unmaps each from one process after the
 * other meanwhile.
 */
static void migrates(void)
{
    pid_t children[ALIVE], compaction[2];
    int wrong = 0;

    make_blocks();
    for (int i = 0; i < 2; i++)
        compaction[i] = start_compaction();
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < ALIVE; i++) {
            children[i] = start_child((round * ALIVE + i) << 20);
            usleep(300); /* the child shows itself */
        }
        usleep(20000);
        for (int i = 0; i < ALIVE; i++) {
            kill(children[i], SIGKILL);
            wrong += status_of(children[i]) != 1000 + SIGKILL;
        }
    }
    for (int i = 0; i < 2; i++) {
        kill(compaction[i], SIGKILL);
        check(status_of(compaction[i]) == 1000 + SIGKILL, "the kernel compacted memory");
    }
    check(wrong == 0, "%d of %d children that live at once saw other memory", wrong,
          ROUNDS * ALIVE);
}

static void some_forks(void)
{
    for (uint64_t i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        status_of(child);
    }
}

static void forbid_mremap(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        broken("seccomp");
}

/* With SECRETSSL_REQUIRE=1: secret pages cannot be put in place any more. */
static void unmovable(void)
{
    pid_t child;
    int status;

    make_blocks();
    some_forks();
    forbid_mremap();
    child = fork();
    if (child == 0)
        _exit(kind_of(blocks[0]) == expected ? 0 : 12);
    status = status_of(child);
    check(status == (expected == MEMORY_SECRET ? REFUSED : 0),
          "a child whose copy cannot be moved ends (status %d)", status);
}

static void *wait_for_ever(void *unused)
{
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

/* What ended children left is not kept where no child can get it. */
static void threads(void)
{
    size_t before, with, after;
    pthread_t thread;

    make_blocks();
    before = secret_bytes();
    some_forks();
    with = secret_bytes();
    if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
        broken("pthread_create");
    some_forks();
    after = secret_bytes();
    check(expected != MEMORY_SECRET || with > before, "pages are kept for children");
    check(after == before, "%zu KiB of secret memory with a thread, %zu before the first fork",
          after >> 10, before >> 10);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"migrates", migrates},
        {"unmovable", unmovable},
        {"threads", threads},
        {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
