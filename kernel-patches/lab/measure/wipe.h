/* SPDX-License-Identifier: GPL-2.0-only */
/* What wipe.c says and asks, and the memory that its children have a copy of. */
#ifndef LAB_WIPE_H
#define LAB_WIPE_H

#include "../tests/pattern.h"
#include "../tests/secret.h"
#include "say.h"

#include <setjmp.h>
#include <signal.h>

/* SECRETMEM_COPY: what the first child has, and what the second one. */
#define COPIED 4UL
#define RIGHT  100
#define WRONG  101
static char *copied;
static pid_t copiers[2];
static int copiers_go[2];

static unsigned long seed;
static sigjmp_buf back;

static void on_signal(int number)
{
    siglongjmp(back, number);
}

/* The signal that a read raises, or 0. */
static int signal_of(const char *at)
{
    int number = sigsetjmp(back, 1);

    if (number == 0)
        (void)*(const volatile char *)at;
    return number;
}

/* What the child has ended with; one that is still waiting was told nothing. */
static int end_of_child(pid_t child, bool told)
{
    int status = 0;

    if (!told)
        kill(child, SIGTERM);
    if (waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* RIGHT, WRONG, or the signal that a read of the memory that is copied raises. */
static int look_at_copy(void)
{
    char expected[LENGTH];

    fill(expected, seed + 2);
    for (size_t i = 0; i < COPIED; i++) {
        int number = signal_of(copied + i * PAGE);
        if (number != 0)
            return number;
        if (memcmp(copied + i * PAGE, expected, LENGTH) != 0)
            return WRONG;
    }
    return RIGHT;
}

/* Waits for the byte that a child writes once it is ready. */
static void await_child(const int ends[2], const char *otherwise)
{
    char ready;

    if (read(ends[0], &ready, 1) != 1)
        tap_bail_out("%s", otherwise);
    close(ends[0]);
    close(ends[1]);
}

/* A child that reads so many pages, and says later what it has. */
static pid_t start_copier(size_t pages)
{
    int ends[2];
    char ready = 0;
    pid_t child;

    if (pipe(ends) != 0 || (child = fork()) < 0)
        tap_bail_out("fork: %s", strerror(errno));
    if (child == 0) {
        close(copiers_go[1]);
        if (mlockall(MCL_CURRENT) != 0)
            _exit(WRONG);
        for (size_t i = 0; i < pages; i++)
            (void)*(volatile char *)(copied + i * PAGE);
        if (write(ends[1], "", 1) != 1 || read(copiers_go[0], &ready, 1) != 0)
            _exit(WRONG);
        _exit(look_at_copy());
    }
    await_child(ends, "a child with a copy did not start");
    return child;
}

/*
 * The first child has two pages, and gets one that its parent writes to. Then there is a second
 * child, which has one, and a snapshot, which gets the page that is written to after that.
 */
static void make_copies(void)
{
    long before;

    copied = map_plain(COPIED * PAGE, COPY);
    for (size_t i = 0; i < COPIED; i++)
        fill(copied + i * PAGE, seed + 2);
    if (pipe(copiers_go) != 0)
        tap_bail_out("pipe: %s", strerror(errno));
    before = counter("pages");
    copiers[0] = start_copier(2);
    copied[2 * PAGE + LENGTH] = 1;
    copiers[1] = start_copier(1);
    copied[3 * PAGE + LENGTH] = 1;
    say("copies %ld", counter("pages") - before);
}

/* Minus the signal, or whether all is right. */
static int result_of_copy(int found)
{
    return found == RIGHT || found == WRONG ? found == RIGHT : -found;
}

static void look_at_copies(void)
{
    pid_t later = fork();

    if (later == 0)
        _exit(look_at_copy());
    say("copy.later %d", result_of_copy(end_of_child(later, true)));
    say("copy.parent %d", result_of_copy(look_at_copy()));
    close(copiers_go[1]);
    for (int i = 0; i < 2; i++)
        say("copy.child%d %d", i + 1, result_of_copy(end_of_child(copiers[i], true)));
    munmap(copied, COPIED * PAGE);
}

#endif
