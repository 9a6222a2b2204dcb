/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_copy.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, MAPS_MOST = 1 << 18 };

static char maps[MAPS_MOST];
static unsigned char page_copy[PAGE];
static sigjmp_buf skip;

static void on_fault(int number)
{
    (void)number;
    siglongjmp(skip, 1);
}

void memory_copy_init(void)
{
    struct sigaction action = {.sa_handler = on_fault};

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* Not by stdio, which would leave more in memory than there was. */
static void read_maps(void)
{
    int fd = open("/proc/self/maps", O_RDONLY);
    size_t have = 0;
    ssize_t got;

    while (fd >= 0 && (got = read(fd, maps + have, sizeof(maps) - 1 - have)) > 0)
        have += (size_t)got;
    maps[have] = '\0';
    close(fd);
}

static int is_empty(const unsigned char *page)
{
    return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

static void copy_page(int file, const unsigned char *page, struct memory_copied *count)
{
    if (sigsetjmp(skip, 1) != 0) {
        count->refused += PAGE;
        return;
    }
    memcpy(page_copy, page, PAGE);
    count->copied += PAGE;
    if (!is_empty(page_copy) && write(file, page_copy, PAGE) != PAGE)
        abort();
}

struct memory_copied memory_copy(const char *name)
{
    struct memory_copied count = {0, 0};
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    uintptr_t start, end;
    char access[8], *rest = NULL;

    if (file < 0)
        return count;
    read_maps();
    for (char *line = strtok_r(maps, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (sscanf(line, "%lx-%lx %7s", &start, &end, access) != 3 || access[0] != 'r' ||
            strstr(line, "[v"))
            continue;
        for (uintptr_t at = start; at < end; at += PAGE)
            copy_page(file, (const unsigned char *)at, &count);
    }
    close(file);
    return count;
}
