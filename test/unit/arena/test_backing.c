/* SPDX-License-Identifier: Apache-2.0 */
/* Where pages come from, and what happens when there is no secret memory (any more). */
#include "arena/backing.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "os/pages.h"
#include "os/seccomp.h"
#include "single_pages.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static char text[4096];

static void secret(void *arg)
{
    unsigned kinds[SM_KINDS];

    (void)arg;
    start(8 * SM_MIB);
    for (unsigned p = 0; p < SM_PARTS; p++)
        CHECK(sm_backing_secret(p));
    CHECK(take_pages(SM_PART_KEY, 1000, kinds) == 1000);
    CHECK(kinds[SM_KIND_SECRET] == 1000);
    CHECK(sm_stats.degraded == 0);
    CHECK(sm_stats.part_pages[SM_PART_KEY] == whole_pages(1000 * SM_PAGE));
    CHECK(sm_stats.pages_peak == whole_pages(1000 * SM_PAGE));
    CHECK(sm_stats.mapped == sm_arena.mapped);
}

Test(backing, secret)
{
    cr_assert_eq(in_child_saying(secret, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* Takes pages of the kernel while there are any. */
static unsigned take_all(unsigned part)
{
    unsigned n = 0;

    while (sm_run_take_present(part, whole_pages(1)))
        n++;
    return n;
}

static void fill_all(void *arg)
{
    unsigned n = 0;

    (void)arg;
    start(by_page(64 * SM_KIB));
    CHECK(sm_run_take_present(SM_PART_KEY, whole_pages(17 * os_page())) == 0);
    for (unsigned p = 0; p < SM_PARTS; p++)
        n += sm_run_take_present(p, whole_pages(1)) != 0;
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
    char wanted[256];

    snprintf(
        wanted, sizeof(wanted),
        "the arena is full (SECRETSSL_ARENA_SIZE, %zu bytes): allocations fall back to the "
        "C library; raise SECRETSSL_ARENA_SIZE\n",
        by_page(64 * SM_KIB));
    sm_settings.require = 0;
    cr_assert_eq(in_child_saying(fill_all, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, wanted), 1, "%s", text);
    sm_settings.require = 1;
    cr_assert_eq(in_child_saying(fill_all, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "bytes): allocations fail; "), 1, "%s", text);
}

#define LIMIT by_page(96 * SM_KIB)
#define PAST  whole_pages(64 * os_page()) /* pages, more than the limit allows */

static void over_limit(void *arg)
{
    unsigned kinds[SM_KINDS];

    (void)arg;
    become_nobody(LIMIT);
    start(8 * SM_MIB);
    CHECK(take_pages(SM_PART_KEY, PAST, kinds) == PAST);
    /* Chunks of 64K, then half of that: all that the limit allows. */
    CHECK(kinds[SM_KIND_SECRET] == LIMIT / SM_PAGE);
    CHECK(kinds[SM_KIND_LOCKED] + kinds[SM_KIND_PLAIN] == PAST - LIMIT / SM_PAGE);
    CHECK(sm_stats.degraded == PAST - LIMIT / SM_PAGE);
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
    unsigned kinds[SM_KINDS];

    (void)arg;
    sm_settings.require = 1;
    become_nobody(LIMIT);
    start(8 * SM_MIB);
    CHECK(take_pages(SM_PART_KEY, PAST, kinds) == LIMIT / SM_PAGE);
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
    unsigned kinds[SM_KINDS];

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
    unsigned kinds[SM_KINDS];
    uint32_t page;

    become_nobody(blocked->memlock);
    filter_call(SYS_memfd_secret, blocked->answer);
    start(8 * SM_MIB);
    CHECK(take_pages(SM_PART_KEY, 40, kinds) == 40);
    CHECK(kinds[blocked->kind] == 40);
    CHECK(sm_stats.degraded == whole_pages(40 * SM_PAGE));
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
    unsigned kinds[SM_KINDS];

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
    unsigned kinds[SM_KINDS];

    (void)arg;
    sm_settings.route = SM_ROUTE_KEYS;
    start(8 * SM_MIB);
    for (unsigned p = 0; p < SM_PARTS; p++) {
        enum sm_kind kind =
            p == SM_PART_BYTES || p == SM_PART_KEY ? SM_KIND_SECRET : SM_KIND_ORDINARY;
        uint32_t page = sm_run_take_present(p, whole_pages(1));
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

static void sealed(void *arg)
{
    unsigned kinds[SM_KINDS];

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
