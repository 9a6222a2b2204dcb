/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/clean.h"
#include "cli/message.h"
#include "process/mapped_file.h"
#include "process/pagemap.h"

/* The most bytes that are read of a mapping's untouched file pages. */
static const uint64_t untouched_most = UINT64_C(1) << 30;

static const char why_kernel[] = "memory of the kernel or of a device";
static const char why_secret[] = "secret memory";
static const char why_refused[] = "refused by the kernel: guard pages, or unmapped since";
static const char why_no_access[] = "no access, and this kernel does not override that";
static const char why_untouched[] =
    "pages that the process has not touched, of a file that may not be opened here";
static const char why_large[] = "pages that the process has not touched, of a large file";

static const char why_empty[] =
    "it has no memory to search: it is a kernel thread or has ended";

struct scan {
    pid_t pid, thread; /* thread: gives access to the memory */
    int mem;
    uint64_t page;
    struct presence *presence;
    struct searcher *searcher;
    const volatile int *stop;
    struct process_result *result;
    uint64_t untouched; /* bytes of the current mapping read from its file */
};

static bool process_fail(struct scan *scan, const char *text)
{
    snprintf(scan->result->failure, sizeof(scan->result->failure), "%s", text);
    return false;
}

static bool fail_errno(struct scan *scan, const char *what)
{
    snprintf(scan->result->failure, sizeof(scan->result->failure), "%s: %s", what,
             strerror(errno));
    return false;
}

static bool ended(struct scan *scan)
{
    return process_fail(scan,
                        "it ended while it was being searched; what was found so far is shown");
}

/*
 * Returns true for an ended process whose parent has not waited for it. Kernels refuse access
 * to a zombie in different ways.
 */
static bool is_zombie(pid_t pid)
{
    char path[64];
    char line[128] = "";

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);

    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;

    ssize_t length = read(fd, line, sizeof(line) - 1);

    close(fd);
    line[length > 0 ? length : 0] = '\0';

    /* The line is "PID (name) state", and the name may contain any characters. */
    const char *end = strrchr(line, ')');

    return end != NULL && (strncmp(end, ") Z", 3) == 0 || strncmp(end, ") X", 3) == 0);
}

static bool open_failed(struct scan *scan, const char *what)
{
    int error = errno;

    if (is_zombie(scan->pid))
        return process_fail(scan, why_empty);
    /*
     * Newer kernels return ENOENT or ESRCH for a kernel thread, although its process ID exists.
     */
    if ((error == ENOENT || error == ESRCH) && (kill(scan->pid, 0) == 0 || errno == EPERM))
        return process_fail(scan, why_empty);
    if (error == ENOENT || error == ESRCH)
        return process_fail(scan, "there is no such process; check the number");
    if (error == EACCES || error == EPERM) {
        snprintf(scan->result->failure, sizeof(scan->result->failure),
                 "not permitted to read its memory; %s", privilege_hint());
        return false;
    }
    errno = error;
    return fail_errno(scan, what);
}

static bool process_note(struct scan *scan, const struct mapping *mapping, uint64_t size,
                         const char *reason)
{
    if (!process_result_note(scan->result, mapping, size, reason))
        return process_fail(scan, "out of memory");
    scan->result->blind_spots[scan->result->blind_spot_count - 1].secret = reason == why_secret;
    return true;
}

static void process_found(void *context, const struct copy *copy)
{
    struct scan *scan = context;

    if (!process_result_add(scan->result, copy))
        process_fail(scan, "out of memory");
}

/* Reads resident pages from the process's memory. */
static bool read_pages(struct scan *scan, const struct mapping *mapping, uint64_t from,
                       uint64_t end)
{
    while (from < end) {
        size_t room;
        uint8_t *to = searcher_room(scan->searcher, from, end, &room);

        if (*scan->stop)
            return process_fail(scan, "interrupted");

        ssize_t got = pread(scan->mem, to, room, (off_t)from);

        if (got > 0) {
            searcher_take(scan->searcher, (size_t)got);
            scan->result->searched += (uint64_t)got;
            from += (uint64_t)got;
        } else if (got == 0) {
            return ended(scan);
        } else if (errno == EIO || errno == EFAULT) {
            uint64_t next = (from / scan->page + 1) * scan->page;

            if (!process_note(scan, mapping, next - from,
                              mapping->no_access ? why_no_access : why_refused))
                return false;
            from = next;
        } else if (errno != EINTR) {
            return fail_errno(scan, "cannot read its memory");
        }
    }
    return true;
}

/* Reads a run of data from the mapping's file. */
static bool process_read_file(struct scan *scan, const struct mapping *mapping, int fd,
                              uint64_t from, uint64_t end)
{
    while (from < end) {
        size_t room;
        uint8_t *to = searcher_room(scan->searcher, from, end, &room);

        if (*scan->stop)
            return process_fail(scan, "interrupted");

        ssize_t got = pread(fd, to, room, (off_t)(from - mapping->start + mapping->offset));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return process_note(scan, mapping, end - from, why_refused);
        searcher_take(scan->searcher, (size_t)got);
        scan->result->searched += (uint64_t)got;
        scan->untouched += (uint64_t)got;
        from += (uint64_t)got;
    }
    return true;
}

/* Reads pages that the process has mapped but not touched. */
static bool read_untouched(struct scan *scan, const struct mapping *mapping, int fd,
                           uint64_t from, uint64_t end)
{
    if (mapping->anonymous)
        return true;
    if (fd < 0)
        return process_note(scan, mapping, end - from, why_untouched);

    uint64_t start, stop;

    while (backing_next(fd, mapping, from, end, &start, &stop)) {
        if (scan->untouched >= untouched_most)
            return process_note(scan, mapping, end - start, why_large);
        if (stop - start > untouched_most)
            stop = start + untouched_most;
        if (!process_read_file(scan, mapping, fd, start, stop))
            return false;
        from = stop;
        if (from >= end)
            break;
    }
    return true;
}

static bool scan_mapping(struct scan *scan, const struct mapping *mapping)
{
    int fd = backing_open(scan->thread, mapping);
    uint64_t at = mapping->start;
    bool good = true;

    scan->untouched = 0;
    while (good && at < mapping->end) {
        uint64_t start = mapping->end, stop = mapping->end;
        int some = presence_next(scan->presence, at, mapping->end, &start, &stop);

        if (some < 0) {
            good = errno == ESRCH ? ended(scan) : fail_errno(scan, "cannot find its pages");
            break;
        }
        if (start > at)
            good = read_untouched(scan, mapping, fd, at, start);
        if (good && some)
            good = read_pages(scan, mapping, start, stop);
        at = stop;
    }
    if (fd >= 0)
        close(fd);
    return good;
}

/*
 * Tests the name and a read, because any user can give the name to a file. Only the kernel's
 * refusal to read proves secret memory.
 */
static bool process_is_secret(const struct scan *scan, const struct mapping *mapping)
{
    char byte;

    return strcmp(mapping->name, "/secretmem (deleted)") == 0 &&
           pread(scan->mem, &byte, 1, (off_t)mapping->start) < 0 && errno == EIO;
}

static bool scan_mappings(struct scan *scan)
{
    const struct process_map *map = &scan->result->map;

    for (size_t i = 0; i < map->count; i++) {
        const struct mapping *mapping = &map->list[i];
        uint64_t size = mapping->end - mapping->start;

        if (mapping->kernel) {
            if (!process_note(scan, mapping, size, why_kernel))
                return false;
        } else if (process_is_secret(scan, mapping)) {
            scan->result->secret += size;
            if (!process_note(scan, mapping, size, why_secret))
                return false;
        } else if (mapping->anonymous && mapping->resident == 0) {
            continue;
        } else if (!scan_mapping(scan, mapping)) {
            return false;
        }
    }
    return true;
}

/*
 * Returns false if the process has no address space any more: reads then return 0 bytes, not an
 * error.
 */
static bool still_there(const struct scan *scan)
{
    char byte;
    ssize_t got = pread(scan->mem, &byte, 1, (off_t)scan->result->map.list[0].start);

    explicit_bzero(&byte, 1);
    return got != 0;
}

static void process_read_name(struct process_result *result)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)result->pid);

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, result->name, sizeof(result->name) - 1);

    if (fd >= 0)
        close(fd);
    result->name[length > 0 ? length : 0] = '\0';
    if (length > 0 && result->name[length - 1] == '\n')
        result->name[length - 1] = '\0';
    clean_text(result->name);
}

static bool process_look(struct scan *scan)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)scan->thread);
    scan->mem = open(path, O_RDONLY | O_CLOEXEC);
    if (scan->mem < 0)
        return open_failed(scan, "cannot open its memory");
    if (!process_map_read(scan->thread, &scan->result->map))
        return open_failed(scan, "cannot read its mappings");
    if (scan->result->map.count == 0)
        return process_fail(scan, why_empty);
    scan->presence = presence_open(scan->thread);
    if (scan->presence == NULL)
        return open_failed(scan, "cannot find its pages");

    if (!unreached_find(scan->thread, &scan->result->map, 0, &scan->result->unreached))
        return process_fail(scan, "out of memory");
    searcher_begin(scan->searcher, process_found, scan);

    bool good = scan_mappings(scan);

    searcher_end(scan->searcher);
    if (good && !still_there(scan))
        return ended(scan);
    return good && scan->result->failure[0] == '\0';
}

bool process_scan(pid_t pid, struct searcher *searcher, const volatile int *stop,
                  struct process_result *result)
{
    struct scan scan = {
        .pid = pid,
        .thread = process_thread(pid),
        .mem = -1,
        .page = (uint64_t)sysconf(_SC_PAGESIZE),
        .searcher = searcher,
        .stop = stop,
        .result = result,
    };

    *result = (struct process_result){.pid = pid};
    process_read_name(result);

    bool good = process_look(&scan);

    presence_close(scan.presence);
    if (scan.mem >= 0)
        close(scan.mem);
    return good;
}
