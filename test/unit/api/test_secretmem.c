/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions, as a program sees them: nothing else of the library is used here. */
#include "secretmem.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool all_are(const void *p, unsigned char value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (((const unsigned char *)p)[i] != value)
            return false;
    }
    return true;
}

static struct secretmem_stats stats(void)
{
    struct secretmem_stats now;

    memset(&now, 0xff, sizeof(now));
    secretmem_get_stats(&now, sizeof(now));
    return now;
}

Test(secretmem, malloc)
{
    for (size_t n = 0; n < 100000; n = n * 2 + 1) {
        unsigned char *p = secretmem_malloc(n);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p % 16, 0);
        cr_assert_geq(secretmem_usable_size(p), n);
        cr_assert_eq(secretmem_contains(p), 1);
        cr_assert(all_are(p, 0, n));
        memset(p, 1, secretmem_usable_size(p));
        secretmem_free(p);
    }
}

Test(secretmem, malloc_fails)
{
    cr_assert_eq(secretmem_configure("REQUIRE", "1"), SECRETMEM_OK);
    cr_assert_eq(secretmem_configure("ARENA_SIZE", "1M"), SECRETMEM_OK);
    errno = 0;
    cr_assert_null(secretmem_malloc(2000000));
    cr_assert_eq(errno, ENOMEM);
    errno = 0;
    cr_assert_null(secretmem_malloc(SIZE_MAX));
    cr_assert_eq(errno, ENOMEM);
    errno = 0;
    cr_assert_null(secretmem_calloc(2, 1000000));
    cr_assert_eq(errno, ENOMEM);
    errno = 0;
    cr_assert_null(secretmem_aligned_alloc(64, 2000000));
    cr_assert_eq(errno, ENOMEM);
    cr_assert_eq(stats().failed, 4);
    cr_assert_eq(stats().spilled, 0);
}

Test(secretmem, calloc)
{
    unsigned char *p;

    for (int round = 0; round < 100; round++) {
        p = secretmem_calloc(33, 7);
        cr_assert(all_are(p, 0, 33 * 7));
        memset(p, 0xff, 33 * 7);
        secretmem_free(p);
    }
    cr_assert_not_null(secretmem_calloc(0, 10));
    cr_assert_not_null(secretmem_calloc(10, 0));
    errno = 0;
    cr_assert_null(secretmem_calloc(SIZE_MAX / 2, 3));
    cr_assert_eq(errno, ENOMEM);
    errno = 0;
    cr_assert_null(secretmem_calloc(3, SIZE_MAX / 2));
    cr_assert_eq(errno, ENOMEM);
}

Test(secretmem, calloc_without_zero)
{
    cr_assert_eq(secretmem_configure("ZERO", "0"), SECRETMEM_OK);
    for (int round = 0; round < 100; round++) {
        unsigned char *p = secretmem_calloc(10, 10);
        cr_assert(all_are(p, 0, 100));
        memset(p, 0xff, 100);
        secretmem_free(p);
    }
}

Test(secretmem, calloc_at_the_c_library)
{
    unsigned char *p[100];

    cr_assert_eq(secretmem_configure("ARENA_SIZE", "64K"), SECRETMEM_OK);
    cr_assert_eq(secretmem_configure("LOG", "none"), SECRETMEM_OK);
    for (int i = 0; i < 100; i++) {
        free(memset(malloc(3000), 0xff, 3000));
        p[i] = secretmem_calloc(3, 1000);
        cr_assert(all_are(p[i], 0, 3000));
    }
    cr_assert_eq(secretmem_contains(p[99]), 0);
    cr_assert_gt(stats().spilled, 50);
    cr_assert_eq(stats().spilled_bytes, stats().spilled * 3000);
    for (int i = 0; i < 100; i++)
        secretmem_free(p[i]);
}

Test(secretmem, realloc)
{
    unsigned char *p = secretmem_realloc(NULL, 10);

    cr_assert_not_null(p);
    memset(p, 1, 10);
    p = secretmem_realloc(p, 100000);
    cr_assert(all_are(p, 1, 10));
    p = secretmem_realloc(p, 5);
    cr_assert(all_are(p, 1, 5));
    cr_assert_null(secretmem_realloc(p, 0));
    cr_assert_eq(stats().live_bytes, 0);
    cr_assert_not_null(secretmem_realloc(NULL, 0));
}

Test(secretmem, realloc_fails)
{
    unsigned char *p;

    cr_assert_eq(secretmem_configure("SECRETSSL_REQUIRE", "1"), SECRETMEM_OK);
    p = secretmem_malloc(100);
    memset(p, 1, 100);
    errno = 0;
    cr_assert_null(secretmem_realloc(p, SIZE_MAX));
    cr_assert_eq(errno, ENOMEM);
    cr_assert(all_are(p, 1, 100));
    secretmem_free(p);
}

Test(secretmem, aligned_alloc)
{
    for (size_t align = 1; align <= 1 << 20; align *= 2) {
        for (size_t n = 0; n < 10000; n = n * 5 + 1) {
            unsigned char *p = secretmem_aligned_alloc(align, n);
            cr_assert_not_null(p);
            cr_assert_eq((uintptr_t)p % align, 0);
            cr_assert_geq(secretmem_usable_size(p), n);
            cr_assert(all_are(p, 0, n));
            secretmem_free(p);
        }
    }
    for (size_t align = 0; align < 100; align++) {
        if (align && !(align & (align - 1)))
            continue;
        errno = 0;
        cr_assert_null(secretmem_aligned_alloc(align, 10));
        cr_assert_eq(errno, EINVAL);
    }
}

/* Alignment is kept when the arena is full. */
Test(secretmem, aligned_alloc_at_the_c_library)
{
    cr_assert_eq(secretmem_configure("ARENA_SIZE", "64K"), SECRETMEM_OK);
    cr_assert_eq(secretmem_configure("LOG", "none"), SECRETMEM_OK);
    for (int i = 0; i < 200; i++) {
        size_t align = (size_t)16 << i % 9;
        void *p = secretmem_aligned_alloc(align, 2000);
        cr_assert_not_null(p);
        cr_assert_eq((uintptr_t)p % align, 0, "%zu", align);
    }
    cr_assert_gt(stats().spilled, 100);
}

Test(secretmem, free)
{
    errno = EDOM;
    secretmem_free(NULL);
    secretmem_free(secretmem_malloc(100));
    secretmem_free(secretmem_malloc(1000000));
    cr_assert_eq(errno, EDOM);
}

Test(secretmem, free_twice, .signal = SIGABRT)
{
    void *p = secretmem_malloc(100);

    secretmem_free(p);
    secretmem_free(p);
}

Test(secretmem, free_inside, .signal = SIGABRT)
{
    secretmem_free((char *)secretmem_malloc(100) + 16);
}

Test(secretmem, usable_size)
{
    void *p = secretmem_malloc(100);

    cr_assert_eq(secretmem_usable_size(NULL), 0);
    cr_assert_geq(secretmem_usable_size(p), 100);
    p = secretmem_realloc(p, 20000);
    cr_assert_geq(secretmem_usable_size(p), 20000);
}

Test(secretmem, contains)
{
    int local;
    char *p, *foreign = malloc(100);

    cr_assert_eq(secretmem_contains(NULL), 0);
    cr_assert_eq(secretmem_contains(&local), 0);
    cr_assert_eq(secretmem_contains((void *)UINTPTR_MAX), 0);
    p = secretmem_malloc(10000);
    cr_assert_eq(secretmem_contains(p), 1);
    cr_assert_eq(secretmem_contains(p + 9999), 1, "inside of a block");
    cr_assert_eq(secretmem_contains(&local), 0);
    cr_assert_eq(secretmem_contains(foreign), 0);
    free(foreign);
}

Test(secretmem, configure)
{
    cr_assert_eq(secretmem_configure("ARENA_SIZE", "2M"), SECRETMEM_OK);
    cr_assert_eq(stats().limit_bytes, 2 << 20);
    cr_assert_eq(secretmem_configure("SECRETSSL_ARENA_SIZE", "3M"), SECRETMEM_OK);
    cr_assert_eq(stats().limit_bytes, 3 << 20);
    cr_assert_eq(secretmem_configure("ARENA_SIZE", "1K"), SECRETMEM_E_VALUE);
    cr_assert_eq(secretmem_configure("ARENA_SIZE", ""), SECRETMEM_E_VALUE);
    cr_assert_eq(secretmem_configure("COLOUR", "red"), SECRETMEM_E_NAME);
    cr_assert_eq(secretmem_configure("", "1"), SECRETMEM_E_NAME);
    cr_assert_eq(stats().limit_bytes, 3 << 20);
    errno = EDOM;
    cr_assert_eq(secretmem_configure("ROUTE", "x"), SECRETMEM_E_VALUE);
    cr_assert_eq(errno, EDOM);
    secretmem_free(NULL);
    cr_assert_eq(secretmem_configure("ZERO", "1"), SECRETMEM_OK, "nothing was allocated yet");
    secretmem_free(secretmem_malloc(1));
    cr_assert_eq(secretmem_configure("ZERO", "0"), SECRETMEM_E_LATE);
    cr_assert_eq(secretmem_configure("COLOUR", "red"), SECRETMEM_E_LATE);
}

Test(secretmem, strerror)
{
    cr_assert_str_eq(secretmem_strerror(SECRETMEM_OK), "success");
    cr_assert_str_eq(secretmem_strerror(SECRETMEM_E_NAME), "there is no such setting");
    cr_assert_str_eq(secretmem_strerror(SECRETMEM_E_VALUE),
                     "the setting does not take this value");
    cr_assert_str_eq(secretmem_strerror(SECRETMEM_E_LATE),
                     "too late: memory was allocated already");
    cr_assert_str_eq(secretmem_strerror(1), "unknown error");
    cr_assert_str_eq(secretmem_strerror(-100), "unknown error");
}

Test(secretmem, stats)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct secretmem_stats now = stats();
    void *p, *q;

    cr_assert_eq(now.size, sizeof(now));
    cr_assert_eq(now.limit_bytes, 256 << 20);
    cr_assert(now.secret_bytes == 0 && now.mapped_bytes == 0 && now.allocations == 0);
    p = secretmem_malloc(100);
    q = secretmem_malloc(100000);
    now = stats();
    cr_assert_eq(now.allocations, 2);
    cr_assert_eq(now.frees, 0);
    cr_assert_eq(now.live_bytes, 100100);
    cr_assert_eq(now.secret_bytes, page + (100000 + page - 1) / page * page);
    cr_assert_eq(now.peak_bytes, now.secret_bytes);
    cr_assert_geq(now.mapped_bytes, now.secret_bytes);
    cr_assert(now.locked_bytes == 0 && now.plain_bytes == 0 && now.degraded_pages == 0);
    secretmem_free(p);
    secretmem_free(q);
    now = stats();
    cr_assert_eq(now.frees, 2);
    cr_assert_eq(now.live_bytes, 0);
}

/* A program built with an older, shorter struct; and with a longer one. */
Test(secretmem, stats_of_other_sizes)
{
    struct {
        struct secretmem_stats known;
        unsigned char more[64];
    } longer;
    unsigned char shorter[sizeof(struct secretmem_stats)];

    memset(&longer, 0xaa, sizeof(longer));
    secretmem_get_stats(&longer.known, sizeof(longer));
    cr_assert_eq(longer.known.size, sizeof(longer.known));
    cr_assert(all_are(longer.more, 0xaa, sizeof(longer.more)));
    memset(shorter, 0xaa, sizeof(shorter));
    secretmem_get_stats((struct secretmem_stats *)shorter, 24);
    cr_assert(all_are(shorter + 24, 0xaa, sizeof(shorter) - 24));
    secretmem_get_stats((struct secretmem_stats *)shorter, 0);
}

Test(secretmem, fork)
{
    unsigned char *p = secretmem_malloc(5000);
    int status;
    pid_t pid;

    memset(p, 1, 5000);
    pid = fork();
    if (pid == 0) {
        if (!all_are(p, 1, 5000) || !secretmem_contains(p))
            _exit(1);
        memset(p, 2, 5000);
        secretmem_free(p);
        _exit(stats().live_bytes != 0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert(all_are(p, 1, 5000));
    cr_assert_eq(stats().forks, 1);
    cr_assert_eq(stats().forks_failed, 0);
}

static void *use(void *arg)
{
    for (int i = 0; i < 10000; i++)
        secretmem_free(memset(secretmem_malloc((size_t)i % 3000 + 1), 1, (size_t)i % 3000 + 1));
    return arg;
}

Test(secretmem, threads)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, use, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(stats().allocations, 40000);
    cr_assert_eq(stats().live_bytes, 0);
}
