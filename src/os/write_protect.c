/* SPDX-License-Identifier: Apache-2.0 */
#include "os/write_protect.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define CALLS (SM_CALL_BIT(SM_CALL_USERFAULTFD) | SM_CALL_BIT(SM_CALL_IOCTL))

/* Without privileges only faults of programs can be watched, not those in system calls. */
static int open_watch(void)
{
    long fd = sm_sys(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    if (fd == -EPERM)
        fd = sm_sys(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    return (int)fd;
}

static long set_protection(int fd, struct uffdio_range range, uint64_t mode)
{
    struct uffdio_writeprotect protection = {.range = range, .mode = mode};

    return sm_sys(SYS_ioctl, fd, UFFDIO_WRITEPROTECT, &protection);
}

int sm_write_protect(void *address, size_t length)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register watch = {.range = {(uintptr_t)address, length},
                                    .mode = UFFDIO_REGISTER_MODE_WP};
    long error;
    int fd;

    if (sm_seccomp_forbids_any(CALLS))
        return -EPERM;
    fd = open_watch();
    if (fd < 0)
        return fd;
    error = sm_sys(SYS_ioctl, fd, UFFDIO_API, &api);
    if (error == 0)
        error = sm_sys(SYS_ioctl, fd, UFFDIO_REGISTER, &watch);
    if (error == 0)
        error = set_protection(fd, watch.range, UFFDIO_WRITEPROTECT_MODE_WP);
    if (error == 0)
        return fd;
    sm_sys(SYS_close, fd);
    return (int)error;
}

void sm_write_release(int fd, void *address, size_t length, bool kept)
{
    struct uffdio_range range = {(uintptr_t)address, length};

    if (kept) {
        set_protection(fd, range, 0);
        sm_sys(SYS_ioctl, fd, UFFDIO_UNREGISTER, &range);
    }
    sm_sys(SYS_close, fd); /* wakes who waits */
}
