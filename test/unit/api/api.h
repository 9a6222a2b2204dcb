/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of libsecretmem's functions share. They use nothing else of the library. */
#ifndef UNIT_API_API_H
#define UNIT_API_API_H

#include "secretmem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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
