/* SPDX-License-Identifier: GPL-2.0-only */
/* What the scenarios of copy.c do with memory and children. */
#ifndef LAB_COPY_H
#define LAB_COPY_H

#include "secret.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/stat.h>

#define FLAG_FILE "/sys/kernel/mm/secretmem/copy_at_fork"
#define PAGES     64UL
/* Those that a thread writes: each that is copied interrupts the other CPU. */
#define LOG 16UL

static unsigned flag;
/* Shared with children: how far each side is, and what a child has found. */
static volatile struct {
    int stage, found;
    long pages;
} *board;

/* A result that holds with copies, and does not with shared memory. */
static void private_ok(bool held, const char *what)
{
    tap_ok(held == patched, "%s%s", patched ? "" : "shared memory, not so: ", what);
}

static void wait_for(int stage)
{
    int now;

    while ((now = board->stage) < stage)
        syscall(SYS_futex, &board->stage, FUTEX_WAIT, now, NULL, NULL, 0);
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

/* A child that looks, at stage 1, whether the area is filled as it was. */
static pid_t reader(const char *area, size_t pages, int value)
{
    pid_t pid = child();

    if (pid == 0) {
        wait_for(1);
        _exit(is_filled(area, pages, value));
    }
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

/* What tells a kernel with the flag from one in which the bit means something else. */
static void file_of_flag(void)
{
    char text[8] = "";
    int fd = open(FLAG_FILE, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text));
    struct stat file;

    if (!patched) {
        tap_ok(fd < 0 && errno == ENOENT, "there is no %s", FLAG_FILE);
        return;
    }
    tap_ok(fd >= 0 && fstat(fd, &file) == 0 && (file.st_mode & 07777) == 0444 && length == 2 &&
               memcmp(text, "1\n", 2) == 0,
           "everybody reads 1 in %s", FLAG_FILE);
    close(fd);
}

static char *log_area;
static volatile bool stop;

/* Goes round the pages and writes a growing number to both ends of each. */
static void *writer(void *unused)
{
    for (uint64_t i = 1; !stop; i++) {
        volatile uint64_t *page = (uint64_t *)(log_area + i % LOG * PAGE);
        page[0] = i;
        page[PAGE / 8 - 1] = i;
    }
    return unused;
}

/* Whether the pages are what one moment's are. */
static bool is_moment(uint64_t *newest)
{
    *newest = 0;
    for (size_t i = 0; i < LOG; i++) {
        uint64_t value = *(uint64_t *)(log_area + i * PAGE);
        *newest = value > *newest ? value : *newest;
    }
    for (uint64_t i = *newest; i > 0 && i + LOG > *newest; i--) {
        uint64_t *page = (uint64_t *)(log_area + i % LOG * PAGE);
        if (page[0] != i || (page[PAGE / 8 - 1] != i && i != *newest))
            return false;
    }
    return true;
}

#endif
