/* SPDX-License-Identifier: Apache-2.0 */
/* What is done before a seccomp filter takes effect, and that it is enough. */
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "os/seccomp.h"
#include "os/syscall.h"
#include "process/sandbox.h"
#include "support.h"
#include <criterion/criterion.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[4096];

#define FORBID(nr)                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

/* Kills for asking for secret memory. */
static struct sock_filter no_secrets[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    FORBID(SYS_memfd_secret),
    FORBID(SYS_ftruncate),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

/* Kills for everything that the allocator might do about memory. */
static struct sock_filter no_memory_calls[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    FORBID(SYS_memfd_secret),
    FORBID(SYS_ftruncate),
    FORBID(SYS_mmap),
    FORBID(SYS_mremap),
    FORBID(SYS_mprotect),
    FORBID(SYS_madvise),
    FORBID(SYS_mlock),
    FORBID(SYS_close),
    FORBID(SYS_membarrier),
    FORBID(SYS_prlimit64),
    FORBID(SYS_rt_sigprocmask),
    FORBID(SYS_newfstatat),
    FORBID(SYS_getpid),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

/* Kills for none of ours. */
static struct sock_filter no_ptrace[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    FORBID(SYS_ptrace),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

#define PROGRAM(filter) ((struct sock_fprog){sizeof(filter) / sizeof((filter)[0]), (filter)})

static void install(struct sock_fprog program)
{
    struct sm_seal seal;

    sm_sandbox_prepare(&seal, &program);
    filter_install(program);
    sm_sandbox_confirm(&seal, true);
}

static void use_all(size_t size)
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        for (int i = 0; i < 100; i++) {
            void *block = sm_malloc(size, p);
            CHECK(sm_is_secret(block));
            memset(block, 1, size);
            sm_free(block);
        }
    }
}

static void after_filter(void *arg)
{
    struct sock_fprog *program = arg;
    void *before;
    uint64_t mapped;
    unsigned n = 0;

    start_heap_of(16 * SM_MIB);
    before = sm_malloc(1000, SM_PART_KEY);
    install(*program);
    CHECK(sm_arena.fixed);
    mapped = sm_arena.mapped;
    /* The first TLS connection after the filter: nothing that is forbidden is done. */
    use_all(40);
    use_all(30000);
    sm_free(sm_realloc(before, 50000));
    while (sm_is_secret(sm_malloc(1000, SM_PART_KEY)) && n < 300)
        n++;
    CHECK(n == 300);
    CHECK(sm_arena.mapped == mapped);
}

Test(seal, killing_filters)
{
    struct sock_fprog program = PROGRAM(no_secrets);

    cr_assert_eq(in_child_saying(after_filter, &program, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
    program = PROGRAM(no_memory_calls);
    cr_assert_eq(in_child_saying(after_filter, &program, text, sizeof(text)), 0, "%s", text);
    /* Among them the one that sets guard pages. */
    cr_assert_eq(count_of(text, "no guard page behind some large blocks (mprotect: EPERM)"), 1,
                 "%s", text);
    /* And the one by which children of _Fork are kept from secrets. */
    cr_assert_eq(count_of(text, "kills for madvise: children inherit secret memory"), 1, "%s",
                 text);
    cr_assert_eq(count_of(text, "\n"), 2, "%s", text);
}

/* Whatever the kernel's page: a record buffer takes one page at least, and one as its guard. */
static void record_buffers(void *arg)
{
    (void)arg;
    start_heap_of(16 * SM_MIB);
    CHECK(sm_malloc(1000, SM_PART_IO));
    install(PROGRAM(no_secrets));
    for (int i = 0; i < 10; i++) {
        void *block = sm_malloc(16704, SM_PART_IO);
        CHECK(sm_is_secret(block) && sm_part_of(block) == SM_PART_IO);
    }
}

Test(seal, record_buffers)
{
    cr_assert_eq(in_child_saying(record_buffers, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* The control: unannounced, the same filter ends the process. */
static void unannounced(void *arg)
{
    (void)arg;
    start_heap_of(16 * SM_MIB);
    filter_install(PROGRAM(no_secrets));
    sm_malloc(1000, SM_PART_KEY);
}

Test(seal, control)
{
    cr_assert_eq(in_child(unannounced, NULL), ENDED_BY(SIGSYS));
}

/* When what was reserved is used up: any partition, then the C library. */
static void use_up(void *arg)
{
    /* With larger pages, more for ten record buffers and their guards */
    size_t records = 10 * (whole_bytes(17 * SM_KIB) + os_page()) + os_page();
    unsigned more = (unsigned)(sm_max(records, 256 * SM_KIB) / SM_KIB - 256);
    unsigned secret = 0, blocks = 1500 + more, all;

    (void)arg;
    start_heap_of(16 * SM_MIB);
    install(PROGRAM(no_secrets));
    for (unsigned i = 0; i < blocks; i++) {
        void *p = sm_malloc(1000, SM_PART_IO);
        CHECK(p != NULL);
        memset(p, 1, 1000);
        secret += sm_is_secret(p);
    }
    /*
     * 256K for records, but 1M in all, and the rest of each last chunk; 128K are for key bytes,
     * and not lent if uncached.
     */
    all = more + (sm_settings.uncached == SM_UNCACHED_OFF ? 1000 : 875);
    CHECK(secret > all * 9 / 10 && secret < all * 14 / 10);
    CHECK(sm_stats.spilled == blocks - secret);
}

Test(seal, used_up)
{
    cr_assert_eq(in_child_saying(use_up, NULL, text, sizeof(text)), 0, "%s", text);
}

/* Of 100,000 bytes: half of what a user may lock by default, where that is counted by the page.
 */
enum { BLOCKS = 40 };

static void unharmed(void *arg)
{
    (void)arg;
    start_heap_of(16 * SM_MIB);
    install(PROGRAM(no_ptrace));
    CHECK(!sm_arena.fixed);
    CHECK(sm_arena.mapped == 0);
    CHECK(sm_seccomp_fatal == 0);
    for (int i = 0; i < BLOCKS; i++)
        CHECK(sm_is_secret(sm_malloc(100000, SM_PART_KEY)));
}

Test(seal, harmless_filter)
{
    cr_assert_eq(in_child_saying(unharmed, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

static void refused(void *arg)
{
    struct sock_fprog program = PROGRAM(no_memory_calls);
    struct sm_seal seal;
    void *p;

    (void)arg;
    start_heap_of(16 * SM_MIB);
    p = sm_malloc(100, SM_PART_KEY);
    sm_sandbox_prepare(&seal, &program);
    CHECK(sm_arena.fixed);
    sm_sandbox_confirm(&seal, false); /* the kernel did not take it */
    CHECK(!sm_arena.fixed && sm_seccomp_fatal == 0);
    CHECK(mapping_has(p, "dc"));
    for (int i = 0; i < BLOCKS; i++)
        CHECK(sm_is_secret(sm_malloc(100000, SM_PART_KEY)));
}

Test(seal, refused_filter)
{
    cr_assert_eq(in_child_saying(refused, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

static void one_after_the_other(void *arg)
{
    (void)arg;
    start_heap_of(16 * SM_MIB);
    install(PROGRAM(no_ptrace));
    install(PROGRAM(no_secrets));
    install(PROGRAM(no_ptrace));
    CHECK(sm_arena.fixed);
    CHECK(sm_seccomp_forbids(SM_CALL_MEMFD_SECRET) && sm_seccomp_forbids(SM_CALL_FTRUNCATE));
    CHECK(!sm_seccomp_forbids(SM_CALL_MMAP));
    use_all(1000);
}

Test(seal, several_filters)
{
    cr_assert_eq(in_child_saying(one_after_the_other, NULL, text, sizeof(text)), 0, "%s", text);
}

/* fork() under a filter that forbids secret memory: the copy is elsewhere, nobody dies. */
static void fork_sealed(void *arg)
{
    struct sock_fprog *program = arg;
    unsigned char *p;
    int status;
    pid_t pid;

    start_heap_of(16 * SM_MIB);
    p = memset(sm_malloc(20000, SM_PART_KEY), 5, 20000);
    install(*program);
    pid = fork();
    if (pid == 0) {
        CHECK(all_bytes(p, 5, 20000));
        memset(p, 6, 20000);
        sm_free(p);
        CHECK(sm_malloc(100, SM_PART_KEY) != NULL);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(all_bytes(p, 5, 20000));
}

Test(seal, fork)
{
    struct sock_fprog program = PROGRAM(no_secrets);

    cr_assert_eq(in_child_saying(fork_sealed, &program, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "secrets are in locked, undumpable memory"), 1, "%s", text);
}

static void before_start(void *arg)
{
    struct sock_fprog program = PROGRAM(no_secrets);
    struct sm_seal seal;

    (void)arg;
    sm_sandbox_prepare(&seal, &program);
    sm_sandbox_confirm(&seal, true);
    CHECK(!sm_arena.fixed && sm_seccomp_fatal == 0 && sm_arena.span == 0);
}

/* A program that never uses OpenSSL is left as it was. */
Test(seal, not_started)
{
    cr_assert_eq(in_child(before_start, NULL), 0);
}
