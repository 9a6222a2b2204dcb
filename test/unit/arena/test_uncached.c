/* SPDX-License-Identifier: Apache-2.0 */
/* Key bytes in no cache of the processor, and what happens where the kernel refuses that. */
#include "arena/backing.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "os/pages.h"
#include "single_pages.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[4096];

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
    unsigned kinds[SM_KINDS];
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
    CHECK(sm_stats.uncached_pages == (wanted ? whole_pages(40 * SM_PAGE) : 0));
    found = entry_uncached(sm_page_address(sm_arena.part[SM_PART_BYTES].first));
    CHECK(found < 0 || found == wanted);
    CHECK(sm_run_take_present(SM_PART_KEY, 1));
    CHECK(entry_uncached(sm_page_address(sm_arena.part[SM_PART_KEY].first)) <= 0);
    CHECK(sm_stats.uncached_pages == (wanted ? whole_pages(40 * SM_PAGE) : 0));
}

Test(uncached, modes)
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
    unsigned kinds[SM_KINDS];

    start(8 * SM_MIB);
    sm_settings.uncached = SM_UNCACHED_PREFER;
    refuse_uncached(*(int *)arg);
    CHECK(take_pages(SM_PART_BYTES, 40, kinds) == 40);
    CHECK(kinds[SM_KIND_SECRET] == 40);
    CHECK(sm_stats.degraded == 0 && sm_stats.uncached_pages == 0);
    /* A privilege may come back. */
    CHECK(sm_backing_flags(SM_PART_BYTES) == (*(int *)arg == EPERM ? SM_SECRET_UNCACHED : 0));
}

Test(uncached, refused)
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
    unsigned kinds[SM_KINDS];

    (void)arg;
    start(8 * SM_MIB);
    sm_settings.uncached = SM_UNCACHED_PREFER;
    filter_call(SYS_memfd_secret, SECCOMP_RET_ERRNO | EPERM);
    CHECK(take_pages(SM_PART_BYTES, 40, kinds) == 40);
    CHECK(kinds[SM_KIND_SECRET] == 0 && sm_stats.uncached_pages == 0);
}

Test(uncached, forbidden)
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

Test(uncached, required_later)
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

Test(uncached, gone)
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
