/* SPDX-License-Identifier: Apache-2.0 */
#include "process/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The kernel's PAGEMAP_SCAN interface, defined here because older headers lack it. */
struct scan_region {
    uint64_t start, end, categories;
};

struct scan_request {
    uint64_t size, flags, start, end, walk_end, regions, region_count, max_pages;
    uint64_t category_inverted, category_mask, category_any_of, category_return;
};

#define PAGEMAP_SCAN_REQUEST _IOWR('f', 16, struct scan_request)

enum {
    SCAN_PRESENT = 1 << 3,
    SCAN_SWAPPED = 1 << 4,
    REGIONS = 512,
    ENTRIES = 64 * 1024,
};

static const uint64_t entry_exists = UINT64_C(3) << 62; /* bit 63 present, bit 62 swapped */

struct presence {
    int fd;
    bool no_scan;
    uint64_t page;
    /* The last request, [from, to), and the runs found there. */
    uint64_t from, to;
    size_t count;
    struct scan_region regions[REGIONS];
    uint64_t *entries;
};

struct presence *presence_open(pid_t pid)
{
    char path[64];
    struct presence *presence = calloc(1, sizeof(*presence));

    if (presence == NULL)
        return NULL;
    snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
    presence->page = (uint64_t)sysconf(_SC_PAGESIZE);
    presence->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (presence->fd < 0) {
        free(presence);
        return NULL;
    }
    return presence;
}

void presence_close(struct presence *presence)
{
    if (presence == NULL)
        return;
    close(presence->fd);
    free(presence->entries);
    free(presence);
}

void presence_read_only(struct presence *presence)
{
    presence->no_scan = true;
}

static int ask_scan(struct presence *presence, uint64_t from, uint64_t end)
{
    struct scan_request request = {
        .size = sizeof(request),
        .start = from,
        .end = end,
        .regions = (uintptr_t)presence->regions,
        .region_count = REGIONS,
        .category_any_of = SCAN_PRESENT | SCAN_SWAPPED,
        .category_return = SCAN_PRESENT | SCAN_SWAPPED,
    };
    int count = ioctl(presence->fd, PAGEMAP_SCAN_REQUEST, &request);

    if (count < 0)
        return -1;
    presence->count = (size_t)count;
    presence->from = from;
    presence->to = request.walk_end;
    return 0;
}

static void add_page(struct presence *presence, uint64_t address)
{
    uint64_t end = address + presence->page;

    if (presence->count > 0 && presence->regions[presence->count - 1].end == address)
        presence->regions[presence->count - 1].end = end;
    else
        presence->regions[presence->count++] =
            (struct scan_region){.start = address, .end = end};
}

static int ask_read(struct presence *presence, uint64_t from, uint64_t end)
{
    uint64_t page = presence->page;
    uint64_t wanted = (end - from) / page;

    if (presence->entries == NULL)
        presence->entries = calloc(ENTRIES, sizeof(uint64_t));
    if (presence->entries == NULL)
        return -1;
    if (wanted > ENTRIES)
        wanted = ENTRIES;

    ssize_t got = pread(presence->fd, presence->entries, wanted * sizeof(uint64_t),
                        (off_t)(from / page * sizeof(uint64_t)));

    if (got < 0)
        return -1;
    if (got == 0) {
        errno = ESRCH;
        return -1;
    }

    uint64_t pages = (uint64_t)got / sizeof(uint64_t);
    uint64_t i = 0;

    presence->count = 0;
    for (; i < pages && presence->count < REGIONS; i++) {
        if (presence->entries[i] & entry_exists)
            add_page(presence, from + i * page);
    }
    presence->from = from;
    presence->to = from + i * page;
    return 0;
}

static int ask(struct presence *presence, uint64_t from, uint64_t end)
{
    if (!presence->no_scan) {
        if (ask_scan(presence, from, end) == 0)
            return 0;
        if (errno != ENOTTY && errno != EINVAL)
            return -1;
        presence->no_scan = true;
    }
    return ask_read(presence, from, end);
}

int presence_next(struct presence *presence, uint64_t from, uint64_t end, uint64_t *start,
                  uint64_t *stop)
{
    while (from < end) {
        if (from < presence->from || from >= presence->to) {
            if (ask(presence, from, end) != 0)
                return -1;
            /* The process has ended, or has unmapped this part. */
            if (presence->to <= from)
                return 0;
        }
        for (size_t i = 0; i < presence->count; i++) {
            const struct scan_region *region = &presence->regions[i];

            if (region->end <= from || region->start >= end)
                continue;
            *start = region->start > from ? region->start : from;
            *stop = region->end < end ? region->end : end;
            return 1;
        }
        from = presence->to;
    }
    return 0;
}
