/* SPDX-License-Identifier: Apache-2.0 */
/* Every reason for which there is no memory: named, counted, and said with what comes of it. */
#include "arena/arena.h"
#include "arena/shortage.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/fallback.h"
#include "heap/malloc.h"
#include "os/seccomp.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static char text[8192];

static void limit(int resource, rlim_t bytes)
{
    struct rlimit limit = {bytes, bytes};

    CHECK(setrlimit(resource, &limit) == 0);
}

static void full(void)
{
    start_heap_of(64 * SM_KIB);
    for (int i = 0; i < 40; i++)
        sm_malloc(4000, SM_PART_KEY);
}

static void one_block(void)
{
    start_heap_of(SM_MIB);
    sm_malloc(2 * SM_MIB, SM_PART_KEY);
    CHECK(sm_is_secret(sm_malloc(100, SM_PART_KEY)));
}

static void alignment(void)
{
    start_heap_of(SM_MIB);
    sm_aligned_malloc(SM_GIB, 64, SM_PART_KEY);
    /* What 32 bits of pages cannot say */
    CHECK(!sm_aligned_malloc((size_t)1 << 45, 64, SM_PART_KEY));
    CHECK(sm_is_secret(sm_malloc(100, SM_PART_KEY)));
}

static void fixed(void)
{
    start_heap_of(SM_MIB);
    sm_malloc(100, SM_PART_KEY);
    sm_arena.fixed = true;
    for (int i = 0; i < 200; i++)
        sm_malloc(1000, SM_PART_KEY);
}

static void fixed_before_use(void)
{
    start_heap_of(SM_MIB);
    sm_arena.fixed = true;
    sm_malloc(1000, SM_PART_KEY);
}

static void address_space(void)
{
    start_heap_of(SM_MIB);
    limit(RLIMIT_AS, 4 * SM_MIB);
    sm_malloc(1000, SM_PART_KEY);
}

/* The arena is there, and cannot get what it has reserved. */
static void data(void)
{
    start_heap_of(64 * SM_MIB);
    sm_malloc(1000, SM_PART_KEY);
    limit(RLIMIT_DATA, SM_PAGE);
    for (int i = 0; i < 100; i++)
        sm_malloc(100000, SM_PART_KEY);
}

/* As many as the kernel grants, each of its own kind */
static void mappings(void)
{
    char *m;

    start_heap_of(64 * SM_MIB);
    sm_malloc(1000, SM_PART_KEY);
    do
        m = mmap(NULL, 2 * sm_os_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    while (m != MAP_FAILED && mprotect(m, sm_os_page, PROT_READ) == 0);
    for (int i = 0; i < 100; i++)
        sm_malloc(100000, SM_PART_KEY);
}

static void memlock(void)
{
    become_nobody(96 * SM_KIB);
    start_heap_of(8 * SM_MIB);
    for (int i = 0; i < 60; i++)
        sm_malloc(4000, SM_PART_KEY);
}

static void answered(int error)
{
    filter_call(SYS_memfd_secret, SECCOMP_RET_ERRNO | (unsigned)error);
    start_heap_of(SM_MIB);
    sm_malloc(1000, SM_PART_KEY);
}

static void forbidden(void)
{
    answered(EPERM);
}

static void not_there(void)
{
    answered(ENOSYS);
}

static void no_descriptors(void)
{
    answered(ENFILE);
}

static void no_memory(void)
{
    answered(ENOMEM);
}

#define FILLS "allocations fall back to the C library"
#define FAILS "allocations fail"
#define LOCKS "secrets are in locked, undumpable memory"

static const struct way {
    void (*fn)(void);
    enum sm_shortage why;
    const char *said, *remedy;
    const char *effect; /* of SECRETSSL_REQUIRE=0 */
} ways[] = {
    {full, SM_SHORT_CAP, "the arena is full (SECRETSSL_ARENA_SIZE, 65536 bytes): ",
     "raise SECRETSSL_ARENA_SIZE", FILLS},
    {one_block, SM_SHORT_BLOCK,
     "one block is larger than the whole arena (SECRETSSL_ARENA_SIZE, ",
     "raise SECRETSSL_ARENA_SIZE", FILLS},
    {alignment, SM_SHORT_ALIGNMENT, "the arena has no room for so large an alignment (", "",
     FILLS},
    {fixed, SM_SHORT_FIXED, "the memory that was reserved before a seccomp filter is used up: ",
     "SECRETSSL_PREFAULT", FILLS},
    {fixed_before_use, SM_SHORT_FIXED,
     "the memory that was reserved before a seccomp filter is used up: ", "SECRETSSL_PREFAULT",
     FILLS},
    {address_space, SM_SHORT_SPACE, "no address space for the arena: ", "RLIMIT_AS", FILLS},
    {data, SM_SHORT_DATA, "the limit on data is reached: ", "RLIMIT_DATA", FILLS},
    {mappings, SM_SHORT_MAPPINGS,
     "the process has the maximum number of mappings: ", "vm.max_map_count", FILLS},
    {memlock, SM_SHORT_MEMLOCK, "the limit on secret memory is reached (", "RLIMIT_MEMLOCK",
     "more secrets are in locked, undumpable memory"},
    {forbidden, SM_SHORT_FORBIDDEN,
     "no secret memory (memfd_secret: EPERM): ", "SystemCallFilter=memfd_secret", LOCKS},
    {not_there, SM_SHORT_KERNEL,
     "no secret memory (memfd_secret: ENOSYS): ", "secretmem.enable=1", LOCKS},
    {no_descriptors, SM_SHORT_DESCRIPTORS,
     "no file descriptor is left for secret memory (ENFILE): ", "RLIMIT_NOFILE", LOCKS},
    {no_memory, SM_SHORT_MEMORY, "the kernel has no memory (ENOMEM): ", "cgroup", LOCKS},
};

static void run(void *arg)
{
    const struct way *way = arg;

    way->fn();
    CHECK(sm_stats.shortages[way->why] > 0);
    CHECK(sm_stats.shortages[SM_SHORT_UNKNOWN] == 0);
    if (sm_settings.require)
        CHECK(sm_stats.failed > 0 && sm_stats.spilled == 0 && sm_stats.degraded == 0);
    else
        CHECK(sm_stats.spilled > 0 || sm_stats.degraded > 0);
}

static void check_line(const struct way *way, const char *effect)
{
    char wanted[256];
    const char *line = strstr(text, way->said);

    cr_assert(line, "%s in: %s", way->said, text);
    snprintf(wanted, sizeof(wanted), ": %s; ", effect);
    cr_assert(strstr(line, wanted), "%s in: %s", wanted, text);
    cr_assert(strstr(strstr(line, wanted), way->remedy), "%s in: %s", way->remedy, text);
    cr_assert_eq(count_of(text, wanted), 1, "said once: %s", text);
}

/* AddressSanitizer reserves address space and answers limits in its own way. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

Test(shortage, degrades, .disabled = SANITIZED)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        cr_assert_eq(in_child_saying(run, (void *)&ways[i], text, sizeof(text)), 0, "%s: %s",
                     ways[i].said, text);
        check_line(&ways[i], ways[i].effect);
    }
}

Test(shortage, refuses, .disabled = SANITIZED)
{
    sm_settings.require = 1;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        cr_assert_eq(in_child_saying(run, (void *)&ways[i], text, sizeof(text)), 0, "%s: %s",
                     ways[i].said, text);
        check_line(&ways[i], FAILS);
        cr_assert_eq(count_of(text, "C library"), 0, "%s", text);
    }
}

/* Nothing is said and counted where there is enough. */
static void enough(void *arg)
{
    (void)arg;
    start_heap_of(SM_MIB);
    for (int i = 0; i < 100; i++)
        sm_malloc(1000, SM_PART_KEY);
    sm_free(sm_aligned_malloc(4096, 64, SM_PART_KEY));
    for (int i = 0; i < SM_STATS_SHORTAGES; i++)
        CHECK(sm_stats.shortages[i] == 0);
}

Test(shortage, enough)
{
    sm_settings.require = 1;
    cr_assert_eq(in_child_saying(enough, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* What OpenSSL needs to say that memory ran out: public, and had even where all else fails. */
static void needed(void *arg)
{
    void *p;

    (void)arg;
    sm_settings.require = 1;
    full();
    CHECK(!sm_malloc(5000, SM_PART_PUBLIC));
    p = sm_malloc_by(&sm_own_library, 5000, SM_PART_PUBLIC, true);
    CHECK(p && !sm_arena_owns(p) && all_bytes(p, 0, 5000));
    sm_free(p);
    CHECK(sm_stats.spilled_public == 1 && sm_stats.spilled == 1);
}

Test(shortage, needed)
{
    cr_assert_eq(in_child_saying(needed, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
}

static void needed_alone(void *arg)
{
    (void)arg;
    sm_settings.require = 1;
    start_heap_of(64 * SM_KIB);
    for (int i = 0; i < 2; i++)
        sm_free(sm_malloc_by(&sm_own_library, 128 * SM_KIB, SM_PART_PUBLIC, true));
    CHECK(sm_stats.spilled == 2 && sm_stats.failed == 0);
}

Test(shortage, needed_alone)
{
    cr_assert_eq(in_child_saying(needed_alone, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, ": what OpenSSL needs to report errors falls back"), 1);
}
