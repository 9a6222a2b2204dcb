/* SPDX-License-Identifier: Apache-2.0 */
/* secretmem_read_file(): from a file to secret memory, with no copy on the way. */
#include "api/own_malloc.h"
#include "os/page_cache.h"
#include "os/syscall.h"
#include "secretmem.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a regular file of at most so many bytes. Returns the descriptor, or a negative errno.
 */
static int open_at_most(const char *path, size_t most, size_t *size)
{
    /* A FIFO is opened, to be refused, and not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    int error = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0)
        error = -errno;
    else if (!S_ISREG(st.st_mode))
        error = -EINVAL;
    else if ((uintmax_t)st.st_size > most)
        error = -EFBIG;
    if (error) {
        close(fd);
        return error;
    }
    *size = (size_t)st.st_size;
    return fd;
}

/*
 * Reads into secret memory. The kernel copies from its page cache: direct I/O, which would have
 * no such copy, needs to pin the pages, and the kernel does not pin secret ones.
 */
static ssize_t read_whole(int fd, char *to, size_t size)
{
    size_t had = 0;
    long got;

    while (had < size) {
        got = sm_sys(SYS_pread64, fd, to + had, size - had, had);
        if (got == -EINTR)
            continue;
        if (got < 0)
            return got;
        if (got == 0)
            break; /* The file is shorter by now. */
        had += (size_t)got;
    }
    return (ssize_t)had;
}

static ssize_t read_sealed(secretmem_arena *arena, int fd, char *to, size_t size)
{
    bool sealed = arena && arena->seal != SM_OWN_NOT_SEALED;
    ssize_t got;

    if (sealed && secretmem_begin(arena) != 0)
        return -errno;
    got = read_whole(fd, to, size);
    if (sealed && secretmem_end(arena) != 0)
        return -errno;
    return got;
}

static int result_for(long cached)
{
    return cached == 0  ? SECRETMEM_FILE_DROPPED
           : cached > 0 ? SECRETMEM_FILE_CACHED
                        : SECRETMEM_FILE_UNKNOWN;
}

SM_EXPORT int secretmem_read_file(secretmem_arena *arena, const char *path, size_t most,
                                  void **block, size_t *size)
{
    size_t length = 0;
    ssize_t got = -ENOMEM;
    char *to = NULL;
    int fd, result = -1;

    if (arena && !sm_own_arena_valid(arena)) {
        errno = EINVAL;
        return -1;
    }
    fd = open_at_most(path, most, &length);
    if (fd < 0) {
        errno = -fd;
        return -1;
    }
    to = arena ? secretmem_arena_malloc(arena, length + 1) : secretmem_calloc(1, length + 1);
    got = to ? read_sealed(arena, fd, to, length) : -errno;
    /* Also after a failure: some of the file may have been read into the page cache. */
    result = result_for(sm_page_cache_drop(fd, length));
    close(fd);
    if (got < 0) {
        secretmem_free(to);
        errno = (int)-got;
        return -1;
    }
    *block = to;
    *size = (size_t)got;
    return result;
}
