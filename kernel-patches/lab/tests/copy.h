/* SPDX-License-Identifier: GPL-2.0-only */
/* What the scenarios of copy.c have besides: the flag's file, and a thread that writes. */
#ifndef LAB_COPY_H
#define LAB_COPY_H

#include "children.h"

#include <stdint.h>
#include <sys/stat.h>

#define FLAG_FILE "/sys/kernel/mm/secretmem/copy_at_fork"
#define PAGES     64UL
/* Those that a thread writes: each that is copied interrupts the other CPU. */
#define LOG 16UL

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
