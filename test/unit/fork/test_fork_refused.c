/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel refuses what a fork needs: the child ends in order, and the parent counts it. */
#include "arena/shortage.h"
#include "base/counters.h"
#include "heap/malloc.h"
#include "log/lapse.h"
#include "os/fork_copies.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFUSED 78

static char text[4096];

/* Forks; returns the child's exit status, or 1000 + the signal that ended it. */
static int outcome(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? ENDED_BY(WTERMSIG(status)) : WEXITSTATUS(status);
}

static void *secret(void)
{
    void *p;

    start_heap_of(16 * SM_MIB);
    p = sm_malloc(100, SM_PART_KEY);
    CHECK(p && sm_is_secret(p));
    memset(p, 1, 100);
    return p;
}

/* The parent cannot let the child have its pages for a moment. */
static void inherit(void *arg)
{
    void *p = secret();

    (void)arg;
    CHECK(outcome() == 0);
    CHECK(sm_stats.fork_failed == 0 && sm_stats.lapses[SM_LAPSE_CHILD] == 0);
    filter_argument(SYS_madvise, 2, MADV_DOFORK, SECCOMP_RET_ERRNO | ENOMEM);
    CHECK(outcome() == REFUSED);
    CHECK(sm_stats.fork_failed == 1 && sm_stats.lapses[SM_LAPSE_CHILD] == 1);
    CHECK(all_bytes(p, 1, 100) && mapping_has(p, "dc"));
}

Test(fork_refused, inherit)
{
    cr_assert_eq(in_child_saying(inherit, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert(strstr(text, "the secrets cannot be copied at fork"), "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
}

/* The child cannot move its copy to its place. */
static void place(void *arg)
{
    void *p = secret();

    (void)arg;
    CHECK(outcome() == 0);
    sm_kernel_copies_not(); /* The kernel moves nothing. */
    filter_argument(SYS_mremap, 3, MREMAP_MAYMOVE | MREMAP_FIXED, SECCOMP_RET_ERRNO | ENOMEM);
    CHECK(outcome() == REFUSED);
    CHECK(all_bytes(p, 1, 100));
}

Test(fork_refused, place)
{
    cr_assert_eq(in_child_saying(place, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert(strstr(text, "could not be put in place: this child ends"), "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
}

/* The child's copy cannot be locked again: each page of the kernel is tried, and counted, once.
 */
static void lock(void *arg)
{
    pid_t pid;
    void *p;
    int status;

    (void)arg;
    filter_call(SYS_memfd_secret, SECCOMP_RET_ERRNO | ENOSYS);
    start_heap_of(16 * SM_MIB);
    p = sm_malloc(100000, SM_PART_KEY);
    CHECK(p && sm_stats.pages[SM_KIND_LOCKED] != 0);
    filter_call(SYS_mlock, SECCOMP_RET_ERRNO | EPERM);
    filter_call(SYS_mlock2, SECCOMP_RET_ERRNO | EPERM);
    pid = fork();
    if (pid == 0) {
        CHECK(sm_stats.pages[SM_KIND_LOCKED] == 0);
        CHECK(sm_stats.pages[SM_KIND_PLAIN] == whole_pages(100000));
        CHECK(sm_stats.shortages[SM_SHORT_LOCK] == whole_bytes(100000) / os_page());
        _exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

Test(fork_refused, lock)
{
    cr_assert_eq(in_child_saying(lock, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "memory cannot be locked (EPERM)"), 1, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 2, "%s", text);
}
