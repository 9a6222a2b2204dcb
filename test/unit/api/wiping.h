/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret memory that the kernel wiped. No kernel that these tests know does that without a
 * hibernation: a file of length 0 is mapped in its place, where a touch is the same SIGBUS, and
 * a system call the same EFAULT.
 */
#ifndef UNIT_API_WIPING_H
#define UNIT_API_WIPING_H

#include "arena/wiped.h"
#include "log/log.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <secretmem.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE                                                                                   \
    "the machine hibernated and wiped secret memory (secretmem.hibernate=wipe): this process " \
    "has lost its secrets and ends (SIGBUS); start it again\n"

/* Whether the kernel can wipe, for those that run in a child: see arena/wiped.h. */
static uint32_t known = SM_WIPE_OFFERED;

static inline void *map_empty_file(void *address, size_t length)
{
    int fd = memfd_create("wiped", MFD_CLOEXEC);
    void *p = mmap(address, length, PROT_READ | PROT_WRITE,
                   MAP_SHARED | (address ? MAP_FIXED : 0), fd, 0);

    CHECK(fd >= 0 && p != MAP_FAILED);
    close(fd);
    return p;
}

/* The kernel's page of an address, or so many bytes from it on. */
static inline void wipe_bytes(void *p, size_t length)
{
    uintptr_t from = (uintptr_t)p & ~(uintptr_t)(os_page() - 1);

    map_empty_file((void *)from, length ? length : os_page());
}

static inline void wipe(void *p)
{
    wipe_bytes(p, 0);
}

static inline void touch(const void *p)
{
    (void)*(const volatile char *)p;
}

static inline void *secret(size_t size)
{
    char *p = secretmem_malloc(size);

    CHECK(p && secretmem_contains(p));
    memset(p, 1, size);
    return p;
}

/* Runs it in a child, where the kernel can wipe or not, and counts the lines. */
static inline int ends(void (*fn)(void *), uint32_t offered, unsigned *lines)
{
    char text[4096];
    int result;

    signal(SIGBUS, SIG_DFL);
    known = offered;
    result = in_child_saying(fn, NULL, text, sizeof(text));
    *lines = count_of(text, LINE);
    return result;
}

/* Messages are only written to what descriptor 2 was at the start. */
static inline void begin(void)
{
    sm_log_init("unit");
    sm_wipe_known = known;
    CHECK(secretmem_wiped() == 0);
}

static inline void expect_end(void (*fn)(void *), uint32_t offered, int end, unsigned wanted)
{
    unsigned lines;

    cr_assert_eq(ends(fn, offered, &lines), end);
    cr_assert_eq(lines, wanted);
}

#endif
