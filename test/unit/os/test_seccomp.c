/* SPDX-License-Identifier: Apache-2.0 */
#include "os/seccomp.h"
#include "support.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ALL_CALLS (~0ULL >> (64 - SM_CALLS))

static const struct {
    enum sm_call call;
    int nr;
} numbers[] = {
    {SM_CALL_MEMFD_SECRET, SYS_memfd_secret},
    {SM_CALL_FTRUNCATE, SYS_ftruncate},
    {SM_CALL_MMAP, SYS_mmap},
    {SM_CALL_MUNMAP, SYS_munmap},
    {SM_CALL_MREMAP, SYS_mremap},
    {SM_CALL_MPROTECT, SYS_mprotect},
    {SM_CALL_MADVISE, SYS_madvise},
    {SM_CALL_MLOCK, SYS_mlock},
    {SM_CALL_MLOCK2, SYS_mlock2},
    {SM_CALL_CLOSE, SYS_close},
    {SM_CALL_SIGPROCMASK, SYS_rt_sigprocmask},
    {SM_CALL_MEMBARRIER, SYS_membarrier},
    {SM_CALL_PRLIMIT, SYS_prlimit64},
    {SM_CALL_CLONE, SYS_clone},
    {SM_CALL_WAIT4, SYS_wait4},
    {SM_CALL_WAITID, SYS_waitid},
    {SM_CALL_FUTEX, SYS_futex},
    {SM_CALL_GET_ROBUST_LIST, SYS_get_robust_list},
    {SM_CALL_SET_ROBUST_LIST, SYS_set_robust_list},
    {SM_CALL_FSTAT, SYS_newfstatat},
    {SM_CALL_GETPID, SYS_getpid},
    {SM_CALL_GETTID, SYS_gettid},
    {SM_CALL_GETRANDOM, SYS_getrandom},
    {SM_CALL_OPENAT, SYS_openat},
    {SM_CALL_SOCKET, SYS_socket},
    {SM_CALL_SENDTO, SYS_sendto},
    {SM_CALL_FADVISE, SYS_fadvise64},
    {SM_CALL_FDATASYNC, SYS_fdatasync},
    {SM_CALL_MINCORE, SYS_mincore},
    {SM_CALL_MUNLOCK, SYS_munlock},
    {SM_CALL_SHMGET, SYS_shmget},
    {SM_CALL_SHMAT, SYS_shmat},
    {SM_CALL_SHMCTL, SYS_shmctl},
    {SM_CALL_PKEY_ALLOC, SYS_pkey_alloc},
    {SM_CALL_PKEY_MPROTECT, SYS_pkey_mprotect},
    {SM_CALL_USERFAULTFD, SYS_userfaultfd},
    {SM_CALL_IOCTL, SYS_ioctl},
    {SM_CALL_SIGACTION, SYS_rt_sigaction},
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* This call gets that answer, all others the other one. */
static uint64_t learn(int nr, uint32_t answer, uint32_t others)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, others),
    };

    return sm_seccomp_evaluate(&(struct sock_fprog){4, filter});
}

Test(seccomp, learn_one)
{
    cr_assert_eq(NUMBERS, SM_CALLS, "a call is missing here");
    for (size_t i = 0; i < NUMBERS; i++) {
        int nr = numbers[i].nr;
        uint64_t bit = SM_CALL_BIT(numbers[i].call);
        cr_assert_eq(learn(nr, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW), bit, "%d", nr);
        cr_assert_eq(learn(nr, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO | 1), bit, "%d", nr);
        cr_assert_eq(learn(nr, SECCOMP_RET_ERRNO | 38, SECCOMP_RET_ALLOW), 0, "%d", nr);
        cr_assert_eq(learn(nr, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS), ALL_CALLS & ~bit,
                     "%d", nr);
    }
}

Test(seccomp, learn_strict)
{
    cr_assert_eq(sm_seccomp_evaluate(NULL) & ALL_CALLS, ALL_CALLS);
}

/* A filter begins by looking at the architecture. */
Test(seccomp, learn_architecture)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SM_AUDIT_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    cr_assert_eq(sm_seccomp_evaluate(&(struct sock_fprog){4, filter}), 0);
}

/* Filters that look at arguments: what we never ask for is not ours to fear. */
static uint64_t learn_argument(int nr, unsigned arg, uint16_t jump, uint32_t value)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 (uint32_t)(offsetof(struct seccomp_data, args) + arg * 8)),
        BPF_JUMP(BPF_JMP | jump | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    return sm_seccomp_evaluate(&(struct sock_fprog){6, filter});
}

Test(seccomp, learn_arguments)
{
    const uint64_t map = SM_CALL_BIT(SM_CALL_MMAP), protect = SM_CALL_BIT(SM_CALL_MPROTECT);

    cr_assert_eq(learn_argument(SYS_mmap, 2, BPF_JSET, PROT_EXEC), 0);
    cr_assert_eq(learn_argument(SYS_mmap, 2, BPF_JSET, PROT_WRITE), map);
    cr_assert_eq(learn_argument(SYS_mprotect, 2, BPF_JSET, PROT_EXEC), 0);
    cr_assert_eq(learn_argument(SYS_mprotect, 2, BPF_JSET, PROT_WRITE), protect);
    cr_assert_eq(learn_argument(SYS_socket, 0, BPF_JEQ, 2), 0, "not for the internet");
    cr_assert_eq(learn_argument(SYS_socket, 0, BPF_JEQ, 1), 1ULL << SM_CALL_SOCKET);
    cr_assert_eq(learn_argument(SYS_openat, 2, BPF_JSET, O_WRONLY), 1ULL << SM_CALL_OPENAT);
}

static void probe_unfiltered(void *arg)
{
    (void)arg;
    sm_seccomp_probe();
    CHECK(sm_seccomp_fatal == 0);
}

Test(seccomp, probe_without_filter)
{
    cr_assert_eq(in_child(probe_unfiltered, NULL), 0);
}

struct filtered {
    int nr;
    uint32_t answer;
    uint64_t killing;
};

static void probe(void *arg)
{
    struct filtered *filtered = arg;

    filter_call(filtered->nr, filtered->answer);
    sm_seccomp_probe();
    CHECK(sm_seccomp_fatal == filtered->killing);
}

/* Filters that were there at exec: what kills is found by children that die of it. */
Test(seccomp, probe_killing)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        struct filtered kill = {numbers[i].nr, SECCOMP_RET_KILL_PROCESS,
                                SM_CALL_BIT(numbers[i].call)};
        struct filtered refuse = {numbers[i].nr, SECCOMP_RET_ERRNO | 1, 0};
        enum sm_call call = numbers[i].call;
        /* These the probe itself needs, see below, or the dynamic linker before it. */
        if (call == SM_CALL_OPENAT || call == SM_CALL_CLOSE || call == SM_CALL_CLONE ||
            call == SM_CALL_MMAP || call == SM_CALL_WAIT4 || call == SM_CALL_MUNMAP)
            continue;
        cr_assert_eq(in_child(probe, &kill), 0, "%d", kill.nr);
        cr_assert_eq(in_child(probe, &refuse), 0, "%d", kill.nr);
    }
}

/* Where nothing can be tried, all is taken for forbidden. */
Test(seccomp, probe_without_children)
{
    struct filtered no_clone = {SYS_clone, SECCOMP_RET_ERRNO | 11, ~0ULL};
    struct filtered no_map = {SYS_mmap, SECCOMP_RET_ERRNO | 12, ~0ULL};

    cr_assert_eq(in_child(probe, &no_clone), 0);
    cr_assert_eq(in_child(probe, &no_map), 0);
}

static void forbid(void *arg)
{
    (void)arg;
    sm_seccomp_fatal = 1ULL << SM_CALL_MLOCK;
    CHECK(sm_seccomp_forbids(SM_CALL_MLOCK));
    CHECK(!sm_seccomp_forbids(SM_CALL_MMAP));
}

Test(seccomp, forbids)
{
    cr_assert(!sm_seccomp_forbids(SM_CALL_MLOCK));
    cr_assert_eq(in_child(forbid, NULL), 0);
}
