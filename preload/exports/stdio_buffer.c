/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/stdio_buffer.h"
#include "arena/arena.h"
#include "base/common.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* By the same calls as the C library, which a filter knows. */
int stdio_buffer_mode(FILE *file)
{
    int error = errno, fd = fileno(file);
    struct stat st = {0};
    bool terminal = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && isatty(fd);

    errno = error;
    return terminal ? _IOLBF : _IOFBF;
}

void stdio_buffer_clear(char *buffer, size_t size)
{
    memset(buffer, 0, size);
    sm_barrier();
}

/*
 * Returns false if the buffer cannot be written: with mode "m" it is the file itself, mapped
 * read-only. The kernel is asked to write a signal mask, of sizeof(uint64_t) bytes.
 */
static bool writable(void *buffer, size_t size)
{
    return size < sizeof(uint64_t) || sm_seccomp_forbids(SM_CALL_SIGPROCMASK) ||
           sm_sys(SYS_rt_sigprocmask, SIG_BLOCK, NULL, buffer, sizeof(uint64_t)) != -EFAULT;
}

void stdio_buffer_clear_own(FILE *file)
{
    char *from = file->_IO_buf_base;

    if (!from || !writable(from, (size_t)(file->_IO_buf_end - from)))
        return;
    if (file->_IO_write_ptr > file->_IO_write_base) {
        if (file->_IO_write_base > from)
            stdio_buffer_clear(from, (size_t)(file->_IO_write_base - from));
        from = file->_IO_write_ptr;
    }
    stdio_buffer_clear(from, (size_t)(file->_IO_buf_end - from));
}

static bool has_no_way_back(FILE *file)
{
    int error = errno;
    struct stat st = {0};
    bool answer = fstat(fileno(file), &st) == 0 &&
                  (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode));

    errno = error;
    return answer;
}

/* What ungetc() finds in the place of the last byte is another one, so it takes another place.
 */
void stdio_buffer_clear_read(FILE *file)
{
    if (sm_arena_owns(file->_IO_buf_base) || !has_no_way_back(file))
        return;
    flockfile(file);
    if (!file->_IO_save_base && file->_IO_read_base == file->_IO_buf_base &&
        file->_IO_read_ptr > file->_IO_read_base)
        stdio_buffer_clear(file->_IO_read_base,
                           (size_t)(file->_IO_read_ptr - file->_IO_read_base));
    funlockfile(file);
}
