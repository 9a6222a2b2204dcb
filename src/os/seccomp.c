/* SPDX-License-Identifier: Apache-2.0 */
#include "os/seccomp.h"
#include "os/readable.h"
#include "os/seccomp_bpf.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>

/*
 * The arguments that this library uses, as far as filters check them. With these arguments, the
 * calls do nothing or fail harmlessly when they are tried.
 */
static const struct {
    int nr;
    uint64_t args[6];
} calls[SM_CALLS] = {
    [SM_CALL_MEMFD_SECRET] = {SYS_memfd_secret, {O_CLOEXEC}},
    [SM_CALL_FTRUNCATE] = {SYS_ftruncate, {(uint64_t)-1, 4096}},
    [SM_CALL_MMAP] = {SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, (uint64_t)-1, 0}},
    [SM_CALL_MUNMAP] = {SYS_munmap, {0, 0}},
    [SM_CALL_MREMAP] = {SYS_mremap, {0, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, 4096}},
    [SM_CALL_MPROTECT] = {SYS_mprotect, {0, 0, PROT_READ | PROT_WRITE}},
    [SM_CALL_MADVISE] = {SYS_madvise, {0, 0, MADV_DONTFORK}},
    [SM_CALL_MLOCK] = {SYS_mlock, {0, 0}},
    [SM_CALL_CLOSE] = {SYS_close, {(uint64_t)-1}},
    [SM_CALL_SIGPROCMASK] = {SYS_rt_sigprocmask, {0, 0, 0, 8}},
    [SM_CALL_MEMBARRIER] = {SYS_membarrier, {0}},
    [SM_CALL_PRLIMIT] = {SYS_prlimit64, {0, 8}},
    [SM_CALL_CLONE] = {SYS_clone, {CLONE_VM | CLONE_VFORK}},
    [SM_CALL_WAIT4] = {SYS_wait4, {(uint64_t)-1, 0, WNOHANG | __WALL}},
    [SM_CALL_FUTEX] = {SYS_futex, {0, FUTEX_WAKE, 1}},
    [SM_CALL_GET_ROBUST_LIST] = {SYS_get_robust_list, {0, 0, 0}},
    [SM_CALL_SET_ROBUST_LIST] = {SYS_set_robust_list, {0, 0}},
    [SM_CALL_MLOCK2] = {SYS_mlock2, {0, 0, MLOCK_ONFAULT}},
    [SM_CALL_GETRANDOM] = {SYS_getrandom, {0, 0, GRND_NONBLOCK}},
    [SM_CALL_GETTID] = {SYS_gettid, {0}},
    [SM_CALL_WAITID] = {SYS_waitid, {P_ALL, 0, 0, WEXITED | WNOHANG | WNOWAIT | __WALL}},
    [SM_CALL_FSTAT] = {SYS_newfstatat, {(uint64_t)-1, 0, 0, AT_EMPTY_PATH}},
    [SM_CALL_GETPID] = {SYS_getpid, {0}},
    [SM_CALL_OPENAT] = {SYS_openat, {(uint64_t)AT_FDCWD, 0, O_WRONLY | O_APPEND}},
    [SM_CALL_SOCKET] = {SYS_socket, {AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0}},
    [SM_CALL_SENDTO] = {SYS_sendto, {(uint64_t)-1}},
    [SM_CALL_FADVISE] = {SYS_fadvise64, {(uint64_t)-1, 0, 0, POSIX_FADV_DONTNEED}},
    [SM_CALL_FDATASYNC] = {SYS_fdatasync, {(uint64_t)-1}},
    [SM_CALL_MINCORE] = {SYS_mincore, {0, 0, 0}},
    [SM_CALL_MUNLOCK] = {SYS_munlock, {0, 0}},
    [SM_CALL_SHMGET] = {SYS_shmget, {IPC_PRIVATE, 0, 0600}},
    [SM_CALL_SHMAT] = {SYS_shmat, {(uint64_t)-1}},
    [SM_CALL_SHMCTL] = {SYS_shmctl, {(uint64_t)-1, IPC_STAT}},
    [SM_CALL_PKEY_ALLOC] = {SYS_pkey_alloc, {(uint64_t)-1, 0}},
    [SM_CALL_PKEY_MPROTECT] = {SYS_pkey_mprotect, {0, 0, PROT_READ | PROT_WRITE, 1}},
    [SM_CALL_USERFAULTFD] = {SYS_userfaultfd, {O_CLOEXEC | O_NONBLOCK}},
    [SM_CALL_IOCTL] = {SYS_ioctl, {(uint64_t)-1, UFFDIO_API}},
    [SM_CALL_SIGACTION] = {SYS_rt_sigaction, {SIGBUS, 0, 0, 8}},
};

/* A limit of 1 byte prevents dumps, also where dumps go to a program. */
static void no_core(void)
{
    struct rlimit limit = {1, 1};

    if (!sm_seccomp_forbids(SM_CALL_PRLIMIT))
        sm_sys(SYS_prlimit64, 0, RLIMIT_CORE, &limit, NULL);
}

static void try_calls(volatile uint32_t *at)
{
    if (*at > SM_CALL_PRLIMIT)
        no_core();
    for (; *at < SM_CALLS; (*at)++) {
        if (*at == SM_CALL_PRLIMIT + 1)
            no_core();
        if (*at == SM_CALL_CLONE)
            continue; /* This process itself proves that clone is allowed. */
        sm_sys6(calls[*at].nr, (long)calls[*at].args[0], (long)calls[*at].args[1],
                (long)calls[*at].args[2], (long)calls[*at].args[3], (long)calls[*at].args[4],
                (long)calls[*at].args[5]);
    }
    for (;;)
        sm_sys(SYS_exit_group, 0);
}

/*
 * Returns 1 if a file contains a text, 0 if not, or a negative errno value. The file is read in
 * pieces, because the list of a process's groups alone, which precedes the line about seccomp,
 * can be longer than any buffer.
 */
static long file_has(long fd, const char *text)
{
    char piece[1024];
    size_t keep = strlen(text) - 1, have = 0;
    long got;

    while ((got = sm_sys(SYS_read, fd, piece + have, sizeof(piece) - have)) > 0) {
        have += (size_t)got;
        if (memmem(piece, have, text, keep + 1))
            return 1;
        /* The possible beginning of the text is checked again with the next piece. */
        if (have > keep) {
            memmove(piece, piece + have - keep, keep);
            have = keep;
        }
    }
    return got;
}

/*
 * Reads /proc, with system calls that the dynamic linker has just made, because the filter may
 * kill for prctl.
 */
static bool under_filter(void)
{
    long fd = sm_sys(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
    long has = fd;

    if (fd >= 0) {
        has = file_has(fd, "\nSeccomp:\t2\n");
        sm_sys(SYS_close, fd);
    }
    if (has < 0) /* no /proc, as in a chroot, or no memory to read it */
        return sm_sys(SYS_prctl, PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
    return has != 0;
}

/* A signal handler of the program may interrupt the wait. */
static void probe_wait(long pid)
{
    while (sm_sys(SYS_wait4, pid, NULL, __WALL, NULL) == -EINTR)
        ;
}

void sm_seccomp_probe(void)
{
    volatile uint32_t *at;

    if (!under_filter())
        return;
    at = (void *)sm_sys(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if ((uintptr_t)at > (uintptr_t)-4096) {
        sm_seccomp_fatal = ~0ULL;
        return;
    }
    for (; *at < SM_CALLS; (*at)++) {
        long pid = sm_sys(SYS_clone, 0, NULL, NULL, NULL, NULL);
        if (pid == 0)
            try_calls(at);
        if (pid < 0) {
            /* Nothing can be tried, so every call counts as fatal. */
            sm_seccomp_fatal = ~0ULL;
            break;
        }
        probe_wait(pid);
        if (*at < SM_CALLS)
            sm_seccomp_fatal |= SM_CALL_BIT(*at);
    }
    sm_sys(SYS_munmap, at, 4096);
}

bool sm_seccomp_readable(const struct sock_fprog *program)
{
    return sm_pages_readable(program, sizeof(*program)) &&
           sm_pages_readable(program->filter, program->len * sizeof(*program->filter));
}

uint64_t sm_seccomp_evaluate(const struct sock_fprog *program)
{
    uint64_t killing = 0;

    for (int i = 0; i < SM_CALLS; i++) {
        struct seccomp_data data = {.nr = calls[i].nr, .arch = SM_AUDIT_ARCH};
        for (int a = 0; a < 6; a++)
            data.args[a] = calls[i].args[a];
        if (!program || sm_bpf_kills(program, &data))
            killing |= SM_CALL_BIT(i);
    }
    return killing;
}
