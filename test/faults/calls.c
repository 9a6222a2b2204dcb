/* SPDX-License-Identifier: Apache-2.0 */
#include "calls.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define CALL(name, ...)                                                                        \
    {                                                                                          \
        SYS_##name, #name,                                                                     \
        {                                                                                      \
            __VA_ARGS__                                                                        \
        }                                                                                      \
    }

/*
 * EPERM and ENOSYS stand for what filters answer, too. close is missing, because it closes the
 * descriptor whatever it returns; so are calls that cannot fail.
 */
static const struct call calls[] = {
    CALL(memfd_secret, ENOSYS, EPERM, EMFILE, ENFILE, ENOMEM),
    CALL(ftruncate, ENOMEM, EPERM, EFBIG),
    CALL(mmap, ENOMEM, EAGAIN, EPERM, ENFILE),
    CALL(munmap, ENOMEM),
    CALL(mremap, ENOMEM, EAGAIN, EPERM),
    CALL(mprotect, ENOMEM, EACCES, EPERM),
    CALL(madvise, ENOMEM, EAGAIN, EINVAL, EPERM),
    CALL(mlock, ENOMEM, EAGAIN, EPERM),
    CALL(mlock2, ENOMEM, ENOSYS, EPERM),
    CALL(munlock, ENOMEM, EPERM),
    CALL(rt_sigprocmask, EFAULT),
    CALL(membarrier, EPERM, ENOSYS, EINVAL),
    CALL(prlimit64, EPERM, ENOSYS),
    CALL(clone, EAGAIN, ENOMEM, EPERM),
    CALL(wait4, EINTR, ECHILD),
    CALL(futex, EAGAIN, EINTR, ENOSYS),
    CALL(get_robust_list, EPERM, ENOSYS),
    CALL(set_robust_list, EINVAL, ENOSYS),
    CALL(getrandom, EAGAIN, EINTR, ENOSYS),
    CALL(waitid, EINTR, ECHILD),
    CALL(newfstatat, ENOMEM, EACCES, ENOENT),
    CALL(openat, EMFILE, ENFILE, ENOENT, EACCES, ENOMEM),
    CALL(read, EINTR, EIO, ENOMEM),
    CALL(write, EAGAIN, EINTR, EIO, ENOSPC),
    CALL(socket, EMFILE, ENOMEM, EACCES),
    CALL(connect, ECONNREFUSED, EAGAIN, EACCES),
    CALL(sendto, EAGAIN, ECONNREFUSED, ENOBUFS),
    CALL(fadvise64, EINVAL, EPERM),
    CALL(fdatasync, EIO, ENOSPC, EINTR),
    CALL(mincore, EAGAIN, ENOMEM),
    CALL(shmget, ENOSPC, ENOMEM, EPERM),
    CALL(shmat, ENOMEM, EACCES, EINVAL),
    CALL(shmctl, EACCES, EIDRM),
    CALL(prctl, EINVAL, EPERM),
};

const struct call *calls_all(size_t *count)
{
    *count = sizeof(calls) / sizeof(calls[0]);
    return calls;
}

const struct call *call_of(int number)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].number == number)
            return &calls[i];
    }
    return NULL;
}

size_t call_errors(const struct call *call)
{
    size_t count = 0;

    while (count < CALL_ERRORS && call->errors[count])
        count++;
    return count;
}

bool call_can_fail(const struct seccomp_data *data)
{
    /* Of a signal mask only the write to a page that cannot be had. */
    if (data->nr == SYS_rt_sigprocmask)
        return data->args[1] == 0;
    /* Waiters would sleep for ever. */
    if (data->nr == SYS_futex)
        return (data->args[1] & FUTEX_CMD_MASK) != FUTEX_WAKE;
    return true;
}

bool call_is_helper(const struct seccomp_data *data)
{
    return data->nr == SYS_clone && data->args[0] == (CLONE_VM | CLONE_VFORK);
}
