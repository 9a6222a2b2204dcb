/* SPDX-License-Identifier: Apache-2.0 */
#include "os/secret_file.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#ifndef SECRETMEM_MAGIC
#define SECRETMEM_MAGIC 0x5345434d /* of the file system that memfd_secret's files are in */
#endif

int sm_secret_file_open(size_t length)
{
    struct rlimit limit = {0};
    long fd, error;

    if (sm_seccomp_forbids_any(SM_CALL_BIT(SM_CALL_MEMFD_SECRET) |
                               SM_CALL_BIT(SM_CALL_FTRUNCATE)))
        return -EPERM;
    /* ftruncate beyond the limit raises SIGXFSZ. */
    if (!sm_seccomp_forbids(SM_CALL_PRLIMIT) &&
        sm_sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 && limit.rlim_cur < length)
        return -EFBIG;
    fd = sm_sys(SYS_memfd_secret, O_CLOEXEC);
    if (fd < 0)
        return (int)fd;
    error = sm_sys(SYS_ftruncate, fd, length);
    if (error == 0)
        return (int)fd;
    sm_sys(SYS_close, fd);
    return (int)error;
}

int64_t sm_secret_file_size(int fd)
{
    struct statfs in = {0};
    struct stat st = {0};
    long error = sm_sys(SYS_fstatfs, fd, &in);

    if (error == 0)
        error = sm_sys(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH);
    if (error != 0)
        return error;
    return in.f_type == SECRETMEM_MAGIC ? st.st_size : -EINVAL;
}

int sm_secret_file_map(int fd, void *place, size_t length)
{
    long result;

    if (sm_seccomp_forbids_any(SM_CALL_BIT(SM_CALL_MMAP) | SM_CALL_BIT(SM_CALL_MADVISE) |
                               SM_CALL_BIT(SM_CALL_FUTEX)))
        return -EPERM;
    sm_pages_raise_limit(length);
    result =
        sm_sys(SYS_mmap, place, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    if (sm_failed(result))
        return (int)result;
    result = sm_pages_inherit(place, length, false);
    for (size_t at = 0; result == 0 && at < length; at += sm_os_page)
        result = sm_pages_fault_in((char *)place + at);
    if (result != 0)
        sm_pages_discard(place, length);
    return (int)result;
}
