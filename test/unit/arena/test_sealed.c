/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealed partition, on a machine with protection keys; on others, that nothing depends on
 * them. system.seal.* has the rest.
 */
#include "arena/sealed.h"
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "log/lapse.h"
#include "process/sealing.h"
#include "support.h"
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool begin(int seal)
{
    sm_settings.seal = seal;
    sm_heap_start();
    return sm_sealing_begin();
}

/* Whether the kernel can read a byte. */
static bool is_readable(const void *p)
{
    int fds[2];
    bool good = pipe(fds) == 0 && write(fds[1], p, 1) == 1;

    close(fds[0]);
    close(fds[1]);
    return good;
}

Test(sealed, off)
{
    char *p;

    cr_assert_not(begin(SM_SEALING_OFF));
    p = sm_malloc(100, SM_PART_BYTES);
    cr_assert(p);
    cr_assert_not(sm_in_sealed(p));
    cr_assert(is_readable(p));
    cr_assert_not(sm_pku_open(), "there is nothing to open");
    sm_free(p);
    cr_assert_eq(sm_stats.sealing, 0);
}

Test(sealed, prefer)
{
    bool sealed = begin(SM_SEALING_PREFER);
    bool opened = sm_pku_open();
    char *p = sm_malloc(100, SM_PART_BYTES), *large = sm_malloc(20000, SM_PART_BYTES);
    char *other = sm_malloc(100, SM_PART_KEY);

    cr_assert_eq(sm_stats.lapses[SM_LAPSE_UNSEALED], !sealed);
    cr_assert_eq(opened, sealed);
    memset(p, 1, 100);
    memset(large, 1, 20000);
    sm_pku_close(opened);
    cr_assert_eq(sm_in_sealed(p), sealed);
    cr_assert_eq(is_readable(p), !sealed);
    cr_assert_eq(is_readable(large), !sealed);
    cr_assert(is_readable(other), "other partitions are accessible");
    /* The allocator opens for itself. */
    large = sm_realloc(large, 60000);
    cr_assert(large);
    cr_assert_eq(is_readable(large), !sealed);
    opened = sm_pku_open();
    for (size_t i = 0; i < 20000; i++)
        cr_assert_eq(large[i], 1);
    sm_free(p);
    sm_pku_close(opened);
    sm_free(large);
    sm_free(other);
}

/* Without protection keys the process ends, with status 78. */
Test(sealed, require, .exit_code = 0)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(begin(SM_SEALING_REQUIRE) ? 1 : 2);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), sm_pku_take() < 0 ? 78 : 1);
}
