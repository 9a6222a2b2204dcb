/* SPDX-License-Identifier: Apache-2.0 */
/* Where pages come from, and what happens when there is no secret memory (any more). */
#include "arena/backing.h"
#include "arena/page_runs.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "os/pages.h"
#include "os/seccomp.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[4096];

static void start(size_t arena_size)
{
    start_heap_of(arena_size);
    CHECK(sm_arena_init());
}

/* Takes single pages, writes to them, and counts them by kind. Returns how many there were. */
static unsigned take_pages(unsigned part, unsigned most, unsigned kinds[5])
{
    unsigned n = 0;

    memset(kinds, 0, 5 * sizeof(*kinds));
    for (; n < most; n++) {
        uint32_t page = sm_run_take_present(part, 1);
        if (!page)
            break;
        CHECK(sm_arena.pages[page].present);
        CHECK(all_bytes(sm_page_address(page), 0, SM_PAGE));
        memset(sm_page_address(page), 0x5a, SM_PAGE);
        kinds[sm_arena.pages[page].kind]++;
    }
    for (int kind = 0; kind < 5; kind++)
        CHECK(sm_stats.pages[kind] == kinds[kind]);
    return n;
}

static void secret(void *arg)
{
    unsigned kinds[5];

    (void)arg;
    start(8 * SM_MIB);
    for (unsigned p = 0; p < SM_PARTS; p++)
        CHECK(sm_backing_secret(p));
    CHECK(take_pages(SM_PART_KEY, 1000, kinds) == 1000);
    CHECK(kinds[SM_KIND_SECRET] == 1000);
    CHECK(sm_stats.degraded == 0);
    CHECK(sm_stats.part_pages[SM_PART_KEY] == 1000);
    CHECK(sm_stats.pages_peak == 1000);
    CHECK(sm_stats.mapped == sm_arena.mapped);
}

Test(backing, secret)
{
    cr_assert_eq(in_child_saying(secret, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

static unsigned take_all(unsigned part)
{
    unsigned n = 0;

    while (sm_run_take_present(part, 1))
        n++;
    return n;
}

static void fill_all(void *arg)
{
    unsigned n = 0;

    (void)arg;
    start(64 * SM_KIB);
    CHECK(sm_run_take_present(SM_PART_KEY, 17) == 0);
    for (unsigned p = 0; p < SM_PARTS; p++)
        n += sm_run_take_present(p, 1) != 0;
    CHECK(n == SM_PARTS); /* one does not eat what the others need */
    for (unsigned p = 0; p < SM_PARTS; p++)
        n += take_all(p);
    CHECK(n == 16);
    CHECK((sm_malloc(100, SM_PART_KEY) == NULL) == sm_settings.require);
    CHECK((sm_malloc(100, SM_PART_KEY) == NULL) == sm_settings.require);
    CHECK(sm_stats.shortages[SM_SHORT_CAP] == 2);
}

Test(backing, cap)
{
    sm_settings.require = 0;
    cr_assert_eq(in_child_saying(fill_all, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "the arena is full (SECRETSSL_ARENA_SIZE, 65536 bytes): "
                                "allocations fall back to the C library; raise "
                                "SECRETSSL_ARENA_SIZE\n"),
                 1, "%s", text);
    sm_settings.require = 1;
    cr_assert_eq(in_child_saying(fill_all, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "bytes): allocations fail; "), 1, "%s", text);
}

#define LIMIT (96 * SM_KIB)

static void over_limit(void *arg)
{
    unsigned kinds[5];

    (void)arg;
    become_nobody(LIMIT);
    start(8 * SM_MIB);
    CHECK(take_pages(SM_PART_KEY, 64, kinds) == 64);
    /* Chunks of 64K, then half of that: all that the limit allows. */
    CHECK(kinds[SM_KIND_SECRET] == LIMIT / SM_PAGE);
    CHECK(kinds[SM_KIND_LOCKED] + kinds[SM_KIND_PLAIN] == 64 - LIMIT / SM_PAGE);
    CHECK(sm_stats.degraded == 64 - LIMIT / SM_PAGE);
}

Test(backing, memlock)
{
    cr_assert_eq(in_child_saying(over_limit, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "the limit on secret memory is reached ("), 1, "%s", text);
    cr_assert_eq(count_of(text, "memory cannot be locked ("), 1, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 2, "%s", text);
}

static void over_limit_required(void *arg)
{
    unsigned kinds[5];

    (void)arg;
    sm_settings.require = 1;
    become_nobody(LIMIT);
    start(8 * SM_MIB);
    CHECK(take_pages(SM_PART_KEY, 64, kinds) == LIMIT / SM_PAGE);
    CHECK(kinds[SM_KIND_SECRET] == LIMIT / SM_PAGE);
    CHECK(sm_stats.degraded == 0);
}

Test(backing, memlock_required)
{
    cr_assert_eq(in_child_saying(over_limit_required, NULL, text, sizeof(text)), 0, "%s", text);
}

static void raise_soft(void *arg)
{
    struct rlimit limit = {0, 0};
    unsigned kinds[5];

    (void)arg;
    become_nobody(SM_MIB);
    limit.rlim_cur = 0;
    limit.rlim_max = SM_MIB;
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    start(8 * SM_MIB);
    CHECK(take_pages(SM_PART_KEY, 128, kinds) == 128);
    CHECK(kinds[SM_KIND_SECRET] == 128);
    CHECK(getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    CHECK(limit.rlim_cur == SM_MIB && limit.rlim_max == SM_MIB);
}

Test(backing, soft_limit_is_raised)
{
    cr_assert_eq(in_child_saying(raise_soft, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

struct blocked {
    uint32_t answer;
    size_t memlock;
    enum sm_kind kind;
};

static void degraded(void *arg)
{
    struct blocked *blocked = arg;
    unsigned kinds[5];
    uint32_t page;

    become_nobody(blocked->memlock);
    filter_call(SYS_memfd_secret, blocked->answer);
    start(8 * SM_MIB);
    CHECK(take_pages(SM_PART_KEY, 40, kinds) == 40);
    CHECK(kinds[blocked->kind] == 40);
    CHECK(sm_stats.degraded == 40);
    page = sm_run_take_present(SM_PART_KEY, 1);
    CHECK(mapping_has(sm_page_address(page), "dd")); /* not dumped */
    CHECK(mapping_has(sm_page_address(page), "dc")); /* not inherited */
    CHECK(mapping_has(sm_page_address(page), "lo") == (blocked->kind == SM_KIND_LOCKED));
}

static void check_degraded(int error, size_t memlock, enum sm_kind kind, const char *name)
{
    struct blocked blocked = {SECCOMP_RET_ERRNO | (uint32_t)error, memlock, kind};
    int outcome = in_child_saying(degraded, &blocked, text, sizeof(text));
    char wanted[64] = "no secret memory (memfd_secret: ";

    strcat(wanted, name);
    cr_assert_eq(outcome, 0, "%s", text);
    cr_assert_eq(count_of(text, wanted), 1, "%s", text);
    cr_assert_eq(count_of(text, "cannot be locked"), kind == SM_KIND_PLAIN, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1 + (kind == SM_KIND_PLAIN), "%s", text);
}

Test(backing, locked)
{
    check_degraded(ENOSYS, SM_MIB, SM_KIND_LOCKED, "ENOSYS");
    check_degraded(EPERM, SM_MIB, SM_KIND_LOCKED, "EPERM");
}

Test(backing, plain)
{
    check_degraded(ENOSYS, 0, SM_KIND_PLAIN, "ENOSYS");
    check_degraded(EPERM, 0, SM_KIND_PLAIN, "EPERM");
}

/* mlock() forbidden as well */
static void nothing_locks(void *arg)
{
    unsigned kinds[5];

    (void)arg;
    filter_call(SYS_memfd_secret, SECCOMP_RET_ERRNO | ENOSYS);
    filter_call(SYS_mlock, SECCOMP_RET_ERRNO | EPERM);
    start(8 * SM_MIB);
    CHECK(take_pages(SM_PART_KEY, 4, kinds) == 4);
    CHECK(kinds[SM_KIND_PLAIN] == 4);
}

Test(backing, lock_forbidden)
{
    cr_assert_eq(in_child_saying(nothing_locks, NULL, text, sizeof(text)), 0, "%s", text);
}

static void check_required(void *arg)
{
    uint32_t *answer = arg;

    sm_settings.require = 1;
    if (*answer)
        filter_call(SYS_memfd_secret, *answer);
    start_heap();
    sm_settings.uncached = SM_UNCACHED_OFF; /* would be refused before */
    sm_backing_check();
}

Test(backing, required)
{
    uint32_t answer = 0;

    cr_assert_eq(in_child_saying(check_required, &answer, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
    answer = SECCOMP_RET_ERRNO | ENOSYS;
    cr_assert_eq(in_child_saying(check_required, &answer, text, sizeof(text)), 78, "%s", text);
    cr_assert_eq(count_of(text, "SECRETSSL_REQUIRE=1: no secret memory (ENOSYS)"), 1, "%s",
                 text);
    cr_assert_eq(count_of(text, "\n"), 1);
    answer = SECCOMP_RET_ERRNO | EPERM;
    cr_assert_eq(in_child_saying(check_required, &answer, text, sizeof(text)), 78, "%s", text);
    cr_assert_eq(count_of(text, "SECRETSSL_REQUIRE=1: no secret memory (EPERM)"), 1, "%s",
                 text);
}

static void route_keys(void *arg)
{
    unsigned kinds[5];

    (void)arg;
    sm_settings.route = SM_ROUTE_KEYS;
    start(8 * SM_MIB);
    for (unsigned p = 0; p < SM_PARTS; p++) {
        enum sm_kind kind =
            p == SM_PART_BYTES || p == SM_PART_KEY ? SM_KIND_SECRET : SM_KIND_ORDINARY;
        uint32_t page = sm_run_take_present(p, 1);
        CHECK(page && sm_arena.pages[page].kind == kind);
        CHECK(sm_backing_secret(p) == (kind == SM_KIND_SECRET));
    }
    CHECK(sm_stats.degraded == 0);
    memset(&sm_stats.pages, 0, sizeof(sm_stats.pages));
    CHECK(take_pages(SM_PART_IO, 8, kinds) == 8 && kinds[SM_KIND_ORDINARY] == 8);
}

Test(backing, route)
{
    cr_assert_eq(in_child_saying(route_keys, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* Whether the entry of the page table that maps an address has PCD; -1: the kernel tells not.
 */
static int entry_uncached(const void *address)
{
    FILE *file = fopen("/sys/kernel/debug/page_tables/current_kernel", "re");
    unsigned long start, end, at = (unsigned long)address;
    char line[256];
    int answer = -1;

    while (file && answer < 0 && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "0x%lx-0x%lx", &start, &end) == 2 && at >= start && at < end &&
            strstr(line, "USR"))
            answer = strstr(line, " PCD ") != NULL;
    }
    if (file)
        fclose(file);
    CHECK(!file || answer >= 0);
    return answer;
}

static void uncached(void *arg)
{
    unsigned kinds[5];
    bool wanted;
    int found;

    start(8 * SM_MIB);
    sm_settings.uncached = *(int *)arg;
    sm_backing_check();
    CHECK(sm_backing_flags(SM_PART_KEY) == 0);
    CHECK(sm_backing_flags(SM_PART_IO) == 0);
    CHECK(take_pages(SM_PART_BYTES, 40, kinds) == 40);
    CHECK(kinds[SM_KIND_SECRET] == 40);
    CHECK(sm_stats.degraded == 0);
    wanted = sm_settings.uncached && sm_pages_probe(SM_SECRET_UNCACHED) == 0;
    CHECK(sm_backing_flags(SM_PART_BYTES) == (wanted ? SM_SECRET_UNCACHED : 0));
    CHECK(sm_stats.uncached_pages == (wanted ? 40 : 0));
    found = entry_uncached(sm_page_address(sm_arena.part[SM_PART_BYTES].first));
    CHECK(found < 0 || found == wanted);
    CHECK(sm_run_take_present(SM_PART_KEY, 1));
    CHECK(entry_uncached(sm_page_address(sm_arena.part[SM_PART_KEY].first)) <= 0);
    CHECK(sm_stats.uncached_pages == (wanted ? 40 : 0));
}

Test(backing, uncached)
{
    int mode = SM_UNCACHED_OFF;
    bool can = sm_pages_probe(SM_SECRET_UNCACHED) == 0;

    cr_assert_eq(in_child_saying(uncached, &mode, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
    mode = SM_UNCACHED_PREFER;
    cr_assert_eq(in_child_saying(uncached, &mode, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "the kernel refuses uncached memory (EINVAL)"), !can, "%s",
                 text);
    cr_assert_eq(count_of(text, "\n"), !can, "%s", text);
    mode = SM_UNCACHED_REQUIRE;
    cr_assert_eq(in_child_saying(uncached, &mode, text, sizeof(text)), can ? 0 : 78, "%s",
                 text);
    cr_assert_eq(count_of(text, "SECRETSSL_UNCACHED=require: "), !can, "%s", text);
}

/* From here on the kernel seems to refuse the flag, and nothing but that. */
static void refuse_uncached(int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_secret, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SM_SECRET_UNCACHED, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    filter_install((struct sock_fprog){sizeof(filter) / sizeof(filter[0]), filter});
}

static void prefer_refused(void *arg)
{
    unsigned kinds[5];

    start(8 * SM_MIB);
    sm_settings.uncached = SM_UNCACHED_PREFER;
    refuse_uncached(*(int *)arg);
    CHECK(take_pages(SM_PART_BYTES, 40, kinds) == 40);
    CHECK(kinds[SM_KIND_SECRET] == 40);
    CHECK(sm_stats.degraded == 0 && sm_stats.uncached_pages == 0);
    /* A privilege may come back. */
    CHECK(sm_backing_flags(SM_PART_BYTES) == (*(int *)arg == EPERM ? SM_SECRET_UNCACHED : 0));
}

Test(backing, uncached_refused)
{
    static const struct {
        int error;
        const char *name;
    } errors[] = {{EPERM, "(EPERM)"}, {EINVAL, "(EINVAL)"}, {EOPNOTSUPP, "(EOPNOTSUPP)"}};

    for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        int error = errors[i].error;
        cr_assert_eq(in_child_saying(prefer_refused, &error, text, sizeof(text)), 0, "%s",
                     text);
        cr_assert_eq(count_of(text, "key bytes are in cached secret memory\n"), 1, "%s", text);
        cr_assert_eq(count_of(text, errors[i].name), 1, "%s", text);
        cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
    }
}

/* A filter that knows no flags: locked memory as ever, and nothing is said of caches. */
static void prefer_forbidden(void *arg)
{
    unsigned kinds[5];

    (void)arg;
    start(8 * SM_MIB);
    sm_settings.uncached = SM_UNCACHED_PREFER;
    filter_call(SYS_memfd_secret, SECCOMP_RET_ERRNO | EPERM);
    CHECK(take_pages(SM_PART_BYTES, 40, kinds) == 40);
    CHECK(kinds[SM_KIND_SECRET] == 0 && sm_stats.uncached_pages == 0);
}

Test(backing, uncached_forbidden)
{
    cr_assert_eq(in_child_saying(prefer_forbidden, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "no secret memory (memfd_secret: EPERM)"), 1, "%s", text);
    cr_assert_eq(count_of(text, "SECRETSSL_UNCACHED"), 0, "%s", text);
}

/* Key bytes are nowhere then; the rest is as ever. */
static void require_refused(void *arg)
{
    (void)arg;
    start(8 * SM_MIB);
    sm_settings.uncached = SM_UNCACHED_REQUIRE;
    sm_settings.require = 0;
    refuse_uncached(EPERM);
    CHECK(!sm_malloc(100, SM_PART_BYTES));
    CHECK(!sm_malloc(100000, SM_PART_BYTES));
    CHECK(sm_stats.failed == 2 && sm_stats.spilled == 0);
    CHECK(sm_arena_owns(sm_malloc(100, SM_PART_KEY)));
    CHECK(sm_stats.degraded == 0 && sm_stats.part_pages[SM_PART_BYTES] == 0);
}

Test(backing, uncached_required_later)
{
    cr_assert_eq(in_child_saying(require_refused, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "SECRETSSL_UNCACHED=require: the kernel refuses more uncached "
                                "memory (EPERM): allocations of key bytes fail; "),
                 1, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
}

static int status_of_child(bool (*good)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(good() ? 0 : 1);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static unsigned char *held;

static bool has_cached_copy(void)
{
    return all_bytes(held, 7, 1000) && sm_stats.uncached_pages == 0 && sm_stats.degraded == 0 &&
           sm_stats.part_pages[SM_PART_BYTES] > 0;
}

static bool has_uncached_copy(void)
{
    return all_bytes(held, 7, 1000) &&
           sm_stats.uncached_pages == sm_stats.part_pages[SM_PART_BYTES];
}

#define FIRST (64 * SM_KIB) /* what is mapped first */

struct later {
    int mode;
    bool can; /* else all is cached from the start */
};

/* Root was given up: some is uncached, what comes is not, and none of a child's copy is. */
static void refused_later(void *arg)
{
    const struct later *later = arg;
    uint64_t before;

    start(8 * SM_MIB);
    sm_settings.uncached = later->mode;
    held = sm_malloc(1000, SM_PART_BYTES);
    CHECK(held);
    memset(held, 7, 1000);
    before = sm_stats.uncached_pages;
    CHECK(before == (later->can ? sm_stats.part_pages[SM_PART_BYTES] : 0));
    CHECK(status_of_child(later->can ? has_uncached_copy : has_cached_copy) == 0);
    refuse_uncached(EPERM);
    if (sm_settings.uncached == SM_UNCACHED_REQUIRE) {
        CHECK(status_of_child(has_uncached_copy) == 78);
        return;
    }
    CHECK(sm_malloc(SM_MIB, SM_PART_BYTES));
    /* It begins in the rest of the first chunk. */
    CHECK(sm_stats.uncached_pages <= (later->can ? FIRST / SM_PAGE : 0));
    CHECK(sm_stats.uncached_pages >= before && sm_stats.degraded == 0);
    CHECK(sm_stats.part_pages[SM_PART_BYTES] >= before + SM_MIB / SM_PAGE);
    CHECK(status_of_child(has_cached_copy) == 0);
}

Test(backing, uncached_gone)
{
    struct later later = {SM_UNCACHED_PREFER, sm_pages_probe(SM_SECRET_UNCACHED) == 0};

    cr_assert_eq(in_child_saying(refused_later, &later, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "): key bytes are in cached secret memory\n"), 1, "%s", text);
    cr_assert_eq(count_of(text, "(EPERM)"), later.can, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
    if (!later.can)
        return; /* it would not have started */
    later.mode = SM_UNCACHED_REQUIRE;
    cr_assert_eq(in_child_saying(refused_later, &later, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "refuses more uncached memory (EPERM): "), 1, "%s", text);
    cr_assert_eq(count_of(text, "no memory for a child's copy of the secrets"), 1, "%s", text);
}

static void sealed(void *arg)
{
    unsigned kinds[5];

    (void)arg;
    start(8 * SM_MIB);
    CHECK(take_pages(SM_PART_KEY, 1, kinds) == 1);
    sm_arena.fixed = true;
    sm_seccomp_fatal = SM_CALL_BIT(SM_CALL_SIGPROCMASK);
    CHECK(take_all(SM_PART_KEY) == 0); /* mapped, but not present */
    CHECK(take_all(SM_PART_IO) == 0);
}

Test(backing, sealed)
{
    cr_assert_eq(in_child_saying(sealed, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* Takes so many pages of a partition; what is mapped for them, in bytes. */
static size_t mapped_for(unsigned part, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        CHECK(sm_run_take(part, 1, 1));
    return (size_t)(sm_arena.part[part].mapped - sm_arena.part[part].first) << SM_PAGE_SHIFT;
}

static uintptr_t mapped_end(unsigned part)
{
    return (uintptr_t)sm_page_address(sm_arena.part[part].mapped);
}

/* A partition that grows to 8 MiB, page by page: chunks end where blocks do. */
static void grow_in_blocks(void *arg)
{
    unsigned ends = 0;

    (void)arg;
    start(128 * SM_MIB);
    sm_secretmem_huge_known = KERNEL_BLOCK;
    while (mapped_for(SM_PART_KEY, 1) < 8 * SM_MIB)
        ends += mapped_end(SM_PART_KEY) % KERNEL_BLOCK == 0;
    CHECK(ends > 1000 && mapped_end(SM_PART_KEY) % KERNEL_BLOCK == 0);
    /* A large block's worth at once: to the end of a block as well. */
    CHECK(sm_run_take(SM_PART_IO, 5 * SM_MIB / SM_PAGE, 1));
    CHECK(mapped_end(SM_PART_IO) % KERNEL_BLOCK == 0);
}

Test(backing, blocks)
{
    cr_assert_eq(in_child_saying(grow_in_blocks, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* What does not fill a block is mapped as if there were none. */
static void stay_small(void *arg)
{
    size_t *sizes = arg;

    start(128 * SM_MIB);
    sm_secretmem_huge_known = sizes[1];
    sizes[0] = mapped_for(SM_PART_KEY, SM_MIB / SM_PAGE);
    CHECK(sizes[0] <= KERNEL_BLOCK);
    CHECK(sm_secretmem_huge_known == sizes[1]);
    _exit((int)(sizes[0] / (64 * SM_KIB)));
}

Test(backing, small_without_blocks)
{
    size_t with[2] = {0, KERNEL_BLOCK}, without[2] = {0, 0},
           not_asked[2] = {0, SM_HUGE_NOT_ASKED};
    int chunks = in_child(stay_small, without);

    cr_assert(chunks >= 16 && chunks <= 32);
    cr_assert_eq(in_child(stay_small, with), chunks);
    cr_assert_eq(in_child(stay_small, not_asked), chunks);
}

/* On a patched kernel, what the kernel says; the first touch of a block takes one. */
static void ask_kernel(void *arg)
{
    struct rlimit limit = {64 * SM_MIB, 64 * SM_MIB};
    long size = kernel_counter("block_size"), before = kernel_counter("blocks");

    (void)arg;
    CHECK(sm_secretmem_huge_size() == (size_t)(size > 0 ? size : 0));
    CHECK(sm_secretmem_huge_size() == sm_secretmem_huge_known);
    if (size <= 0)
        return;
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    start(128 * SM_MIB);
    while (mapped_for(SM_PART_KEY, 1) < 8 * SM_MIB)
        ;
    CHECK(sm_backing_populate(sm_arena.part[SM_PART_KEY].mapped - 1, 1));
    CHECK(kernel_counter("blocks") > before);
}

Test(backing, blocks_of_this_kernel)
{
    cr_assert_eq(in_child_saying(ask_kernel, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

static void may_not_ask(void *arg)
{
    (void)arg;
    start_heap();
    sm_seccomp_fatal = SM_CALL_BIT(SM_CALL_OPENAT);
    CHECK(sm_secretmem_huge_size() == 0);
}

Test(backing, blocks_not_asked_for)
{
    cr_assert_eq(in_child(may_not_ask, NULL), 0);
}
