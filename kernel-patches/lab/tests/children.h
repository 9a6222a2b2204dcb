/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of SECRETMEM_COPY that is filled and looked at, and children that take turns. */
#ifndef LAB_CHILDREN_H
#define LAB_CHILDREN_H

#include "secret.h"

#include <limits.h>
#include <linux/futex.h>
#include <time.h>

static unsigned flag;
/* Shared with children: how far each side is, and what a child has found. */
static volatile struct {
    int stage, found;
    long pages, of_parent;
} *board;

/* A result that holds with copies, and does not with shared memory. */
static __attribute__((unused)) void private_ok(bool held, const char *what)
{
    tap_ok(held == patched, "%s%s", patched ? "" : "shared memory, not so: ", what);
}

/* A process that has ended before its turn is not waited for. */
static void wait_for(int stage)
{
    const struct timespec most = {300, 0};
    int now;

    while ((now = board->stage) < stage)
        if (syscall(SYS_futex, &board->stage, FUTEX_WAIT, now, &most, NULL, 0) != 0 &&
            errno == ETIMEDOUT)
            tap_bail_out("nobody has come to stage %d", stage);
}

static void go_on(int stage)
{
    board->stage = stage;
    syscall(SYS_futex, &board->stage, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void fill(char *area, size_t pages, int value)
{
    for (size_t i = 0; i < pages; i++)
        memset(area + i * PAGE, value + (int)i, PAGE);
}

/* Without the first bytes, which populate() writes. */
static bool is_filled(const char *area, size_t pages, int value)
{
    for (size_t i = 0; i < pages; i++)
        for (size_t at = 8; at < PAGE; at += 8)
            if (area[i * PAGE + at] != (char)(value + (int)i))
                return false;
    return true;
}

static pid_t child(void)
{
    pid_t pid = fork();

    if (pid < 0)
        tap_bail_out("fork: %s", strerror(errno));
    return pid;
}

/* The exit status, or 128 and the signal. */
static int status_of(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid)
        tap_bail_out("waitpid: %s", strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
