/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of libsecretmem's functions share. They use nothing else of the library. */
#ifndef UNIT_API_API_H
#define UNIT_API_API_H

#include "secretmem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether the calling thread can read a byte: a system call says EFAULT otherwise. */
static inline bool readable(const void *p)
{
    int pipes[2];
    bool good;

    if (pipe(pipes) != 0)
        abort();
    good = write(pipes[1], p, 1) == 1;
    close(pipes[0]);
    close(pipes[1]);
    return good;
}

/* Runs fn(arg) in a child of fork(): its exit status, or 1000 + the signal that ended it. */
static inline int child_of(void (*fn)(void *), void *arg)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        fn(arg);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* In a child: ends it with this line's number. */
#define EXPECT(condition)                                                                      \
    do {                                                                                       \
        if (!(condition))                                                                      \
            _exit(__LINE__ % 200 + 1);                                                         \
    } while (0)

static inline struct secretmem_arena_stats state_of(const secretmem_arena *arena)
{
    struct secretmem_arena_stats now;

    memset(&now, 0xff, sizeof(now));
    if (secretmem_arena_get_stats(arena, &now, sizeof(now)) != 0)
        abort();
    return now;
}

/* An arena that a child does not get, and a block in it. */
struct withheld {
    secretmem_arena *arena;
    void *block;
};

/* In such a child: nothing of the arena is there. */
static inline void child_without_arena(void *arg)
{
    const struct withheld *withheld = arg;

    EXPECT(!readable(withheld->block));
    EXPECT(secretmem_contains(withheld->block) == 0);
    errno = 0;
    EXPECT(secretmem_arena_malloc(withheld->arena, 1) == NULL && errno == EACCES);
    EXPECT(state_of(withheld->arena).secret == 0);
    EXPECT(secretmem_usable_size(withheld->block) == 0);
    secretmem_free(withheld->block); /* forgets it */
    EXPECT(secretmem_arena_destroy(withheld->arena) == 0);
}

/* Makes this process one of a user without rights and without other processes, who may lock 64
 * KiB. */
static inline void become_limited(void)
{
    struct rlimit limit = {65536, 65536};

    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || setgid(64018) != 0 || setuid(64018) != 0)
        abort();
}

/* From now on the kernel refuses a system call with EPERM. */
static inline void refuse_call(int nr)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        abort();
}

/* What another process with all rights reads there: 1 byte, or nothing. */
static inline bool seen_from_outside(const void *p)
{
    int fd = open("/proc/self/mem", O_RDONLY);
    char byte;
    bool seen = pread(fd, &byte, 1, (off_t)(uintptr_t)p) == 1;

    close(fd);
    return seen;
}

#endif
