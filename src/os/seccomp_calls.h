/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that the libraries make, and which of these calls would end the process
 * (seccomp.h).
 */
#ifndef SM_OS_SECCOMP_CALLS_H
#define SM_OS_SECCOMP_CALLS_H

#include "base/common.h"

enum sm_call {
    SM_CALL_PRLIMIT, /* first: later attempts leave no core dumps */
    SM_CALL_MEMFD_SECRET,
    SM_CALL_FTRUNCATE,
    SM_CALL_MMAP,
    SM_CALL_MUNMAP,
    SM_CALL_MREMAP,
    SM_CALL_MPROTECT,
    SM_CALL_MADVISE,
    SM_CALL_MLOCK,
    SM_CALL_CLOSE,
    SM_CALL_SIGPROCMASK,
    SM_CALL_MEMBARRIER,
    SM_CALL_CLONE,
    SM_CALL_WAIT4,
    SM_CALL_FUTEX,
    SM_CALL_GET_ROBUST_LIST,
    SM_CALL_SET_ROBUST_LIST,
    SM_CALL_MLOCK2,
    SM_CALL_GETRANDOM,
    SM_CALL_GETTID,
    SM_CALL_WAITID,
    SM_CALL_FSTAT,
    SM_CALL_GETPID,
    SM_CALL_OPENAT,
    SM_CALL_SOCKET,
    SM_CALL_SENDTO,
    SM_CALL_FADVISE,
    SM_CALL_FDATASYNC,
    SM_CALL_MINCORE,
    SM_CALL_MUNLOCK,
    SM_CALL_SHMGET,
    SM_CALL_SHMAT,
    SM_CALL_SHMCTL,
    SM_CALL_PKEY_ALLOC,
    SM_CALL_PKEY_MPROTECT,
    SM_CALL_USERFAULTFD,
    SM_CALL_IOCTL,
    SM_CALL_SIGACTION,
    SM_CALLS
};

#define SM_CALL_BIT(call) (1ULL << (call))

/* The calls that map secret memory and make it resident: pages.c asks, sandbox.c plans. */
#define SM_CALLS_TO_MAP                                                                        \
    (SM_CALL_BIT(SM_CALL_MEMFD_SECRET) | SM_CALL_BIT(SM_CALL_FTRUNCATE) |                      \
     SM_CALL_BIT(SM_CALL_MMAP) | SM_CALL_BIT(SM_CALL_CLOSE) | SM_CALL_BIT(SM_CALL_MADVISE) |   \
     SM_CALL_BIT(SM_CALL_SIGPROCMASK))

extern SM_LOCAL uint64_t sm_seccomp_fatal; /* one bit for each enum sm_call */

/* Whether this process installed a filter, whatever the filter allows. */
extern SM_LOCAL bool sm_seccomp_installed;

static inline bool sm_seccomp_forbids(enum sm_call call)
{
    return sm_unlikely(sm_seccomp_fatal >> call & 1);
}

/* Whether any of several calls, SM_CALL_BIT of each, is forbidden. */
static inline bool sm_seccomp_forbids_any(uint64_t calls)
{
    return sm_unlikely((sm_seccomp_fatal & calls) != 0);
}

#endif
