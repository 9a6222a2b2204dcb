/* SPDX-License-Identifier: Apache-2.0 */
#include "process/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Opens a regular file. Tests the type first, because opening a device can have effects. inode:
 * the only inode to open; 0: any.
 */
static int open_regular(const char *path, uint64_t inode)
{
    struct stat before, after;

    if (stat(path, &before) != 0 || !S_ISREG(before.st_mode) ||
        (inode != 0 && before.st_ino != inode))
        return -1;

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd >= 0 && (fstat(fd, &after) != 0 || after.st_ino != before.st_ino ||
                    after.st_dev != before.st_dev)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int backing_open(pid_t pid, const struct mapping *mapping)
{
    char path[4200];

    if (mapping->anonymous)
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid,
             mapping->start, mapping->end);

    int fd = open_regular(path, 0);

    /*
     * map_files needs privileges. The name needs none, and serves while it still names this
     * file.
     */
    if (fd < 0 && mapping->name[0] == '/') {
        snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, mapping->name);
        fd = open_regular(path, mapping->inode);
    }
    return fd;
}

int backing_next(int fd, const struct mapping *mapping, uint64_t from, uint64_t end,
                 uint64_t *start, uint64_t *stop)
{
    struct stat status;
    uint64_t base = mapping->start - mapping->offset; /* address = base + file offset */

    if (fstat(fd, &status) != 0 || from - base >= (uint64_t)status.st_size)
        return 0;
    if (end - base > (uint64_t)status.st_size)
        end = base + (uint64_t)status.st_size;

    off_t data = lseek(fd, (off_t)(from - base), SEEK_DATA);

    if (data < 0) {
        /* ENXIO: only a hole follows. Anything else: the file system does not know holes. */
        if (errno == ENXIO)
            return 0;
        *start = from;
        *stop = end;
        return 1;
    }

    off_t hole = lseek(fd, data, SEEK_HOLE);

    *start = base + (uint64_t)data;
    *stop = hole > data ? base + (uint64_t)hole : end;
    if (*stop > end)
        *stop = end;
    return *start < *stop;
}
