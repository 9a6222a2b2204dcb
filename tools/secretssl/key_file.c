/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file without stdio, whose buffer would lie in ordinary memory. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "key_parts.h"
#include "message.h"
#include "secret_heap.h"

enum { FILE_MOST = 1024 * 1024 };

uint8_t *key_file_read(const char *file, size_t *size)
{
    size_t room = 32 * 1024;
    size_t used = 0;
    uint8_t *bytes = NULL;
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        say("scan: cannot open %s: %s; check the path and its permissions", file,
            strerror(errno));
        return NULL;
    }
    bytes = secret_alloc(room);
    while (bytes != NULL) {
        ssize_t got = read(fd, bytes + used, room - used);

        if (got == 0) {
            bytes[used] = 0;
            *size = used;
            /* Nor in the kernel's copy of the file: the scanner must not be the leak. */
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            close(fd);
            return bytes;
        }
        if (got < 0) {
            say("scan: cannot read %s: %s; give a file that holds a private key", file,
                strerror(errno));
            break;
        }
        used += (size_t)got;
        if (used < room)
            continue;
        if (room >= FILE_MOST) {
            say("scan: %s is larger than 1M; give a file that holds a private key", file);
            break;
        }

        uint8_t *larger = secret_alloc(room * 2);

        if (larger != NULL)
            memcpy(larger, bytes, used);
        secret_free(bytes);
        bytes = larger;
        room *= 2;
    }
    if (bytes == NULL)
        say("scan: out of memory while reading %s", file);
    secret_free(bytes);
    close(fd);
    return NULL;
}
