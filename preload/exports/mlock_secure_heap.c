/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/mlock_secure_heap.h"
#include "base/common.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A line of /proc/self/maps after the permissions: offset, device, inode, and no name */
#define ANONYMOUS " 00000000 00:00 0 "

struct mapping {
    uintptr_t from, to;
    bool heap, guard; /* anonymous, and rw-p or ---p */
};

struct lines {
    int fd;
    size_t at, had;
    char bytes[1024];
};

/* Returns the next character, or 0 at the end. */
static char next(struct lines *lines)
{
    long got;

    if (lines->at == lines->had) {
        got = sm_sys(SYS_read, lines->fd, lines->bytes, sizeof(lines->bytes));
        lines->at = 0;
        lines->had = got > 0 ? (size_t)got : 0;
    }
    return lines->at < lines->had ? lines->bytes[lines->at++] : '\0';
}

static uintptr_t hex(struct lines *lines, char *after)
{
    uintptr_t value = 0;

    for (;;) {
        char c = *after = next(lines);
        if (c >= '0' && c <= '9')
            value = value << 4 | (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uintptr_t)(c - 'a' + 10);
        else
            return value;
    }
}

static bool read_mapping(struct lines *lines, struct mapping *mapping)
{
    char c, rest[sizeof(" rw-p" ANONYMOUS)] = "";
    size_t length = 0;

    mapping->from = hex(lines, &c);
    if (c != '-')
        return false;
    mapping->to = hex(lines, &c);
    while ((c = next(lines)) != '\0' && c != '\n') {
        if (length < sizeof(rest) - 1)
            rest[length++] = c;
    }
    mapping->heap = strcmp(rest, "rw-p" ANONYMOUS) == 0;
    mapping->guard = strcmp(rest, "---p" ANONYMOUS) == 0;
    return true;
}

static int secure_heap_look(struct lines *lines, uintptr_t from, uintptr_t to)
{
    struct mapping mapping, before = {0};

    while (read_mapping(lines, &mapping)) {
        if (mapping.from == from && mapping.to == to && mapping.heap && before.guard &&
            before.to == from)
            return read_mapping(lines, &mapping) && mapping.guard && mapping.from == to
                       ? 0
                       : -EINVAL;
        before = mapping;
    }
    return -EINVAL;
}

/*
 * Returns true for the contents of a new heap, which OpenSSL locks as soon as it is made:
 * zeroes after the list node of its one free block. The node has no next block and a pointer to
 * the head of the list. A thread's stack between the guards of two other stacks has the
 * thread's own data at its end.
 */
static bool is_new_heap(const uintptr_t *words, size_t length)
{
    uintptr_t any = 0;

    for (size_t i = 2; i < length / sizeof(*words); i++)
        any |= words[i];
    return words[0] == 0 && words[1] != 0 && any == 0;
}

int guarded_heap(const void *address, size_t length)
{
    uintptr_t from = (uintptr_t)address;
    struct lines lines = {0};
    int answer;

    /* The size of OpenSSL's heap is a power of two; the least block has room for the node. */
    if (length < 2 * sizeof(uintptr_t) || (length & (length - 1)) != 0)
        return -EINVAL;
    if (sm_seccomp_forbids(SM_CALL_OPENAT) || sm_seccomp_forbids(SM_CALL_CLOSE))
        return -EPERM;
    lines.fd = (int)sm_sys(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (lines.fd < 0)
        return lines.fd;
    answer = secure_heap_look(&lines, from, from + sm_round_up(length, sm_os_page));
    sm_sys(SYS_close, lines.fd);
    return answer == 0 && !is_new_heap(address, length) ? -EINVAL : answer;
}
