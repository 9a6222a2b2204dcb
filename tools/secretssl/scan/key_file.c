/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file without stdio, whose buffer would lie in ordinary memory. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/message.h"
#include "scan/key_parts.h"
#include "secretmem.h"

enum {
    FILE_MOST = 1024 * 1024,
    PIPE_PATIENCE = 5, /* seconds */
};

/*
 * Opens the file. Refuses a pipe without a writer, because reading it would never end. A pipe
 * that the shell made (`--passin <(...)`) has a writer and is read to its end.
 */
static int open_file(const char *file, const char *wanted)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0 || fcntl(fd, F_SETFL, 0) != 0) {
        say("scan: cannot open %s: %s; check the path and its permissions", file,
            strerror(errno));
    } else if (S_ISFIFO(status.st_mode) && poll(&ready, 1, PIPE_PATIENCE * 1000) == 0) {
        say("scan: nobody writes to the pipe %s; give a file that holds %s", file, wanted);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

uint8_t *key_file_read(const char *file, const char *wanted, size_t *size)
{
    size_t room = 32 * 1024;
    size_t used = 0;
    uint8_t *bytes = NULL;
    int fd = open_file(file, wanted);

    if (fd < 0)
        return NULL;
    bytes = secretmem_malloc(room);
    while (bytes != NULL) {
        ssize_t got = read(fd, bytes + used, room - used);

        if (got == 0) {
            bytes[used] = 0;
            *size = used;
            /* Drops the file from the page cache, so that the scanner leaves no copy there. */
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            close(fd);
            return bytes;
        }
        if (got < 0) {
            say("scan: cannot read %s: %s; give a file that holds %s", file, strerror(errno),
                wanted);
            break;
        }
        used += (size_t)got;
        if (used < room)
            continue;
        if (room >= FILE_MOST) {
            say("scan: %s is larger than 1M; give a file that holds %s", file, wanted);
            break;
        }

        uint8_t *larger = secretmem_realloc(bytes, room * 2);

        if (larger == NULL) {
            secretmem_free(bytes);
            bytes = NULL;
        } else {
            bytes = larger;
        }
        room *= 2;
    }
    if (bytes == NULL)
        say("scan: out of memory while reading %s", file);
    secretmem_free(bytes);
    close(fd);
    return NULL;
}
