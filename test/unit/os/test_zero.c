/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at and clearing memory, in each width that this processor has. The widths are the
 * file's own business, so the file is part of this program. */
#include "../../../src/os/zero.c" /* NOLINT(bugprone-suspicious-include) */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST 1056 /* more than four of the widest vectors four times */

struct width {
    const char *name;
    bool (*look)(const char *p, size_t size);
    void (*clear)(char *p, size_t size);
};

static struct width widths[4];
static unsigned count;

static bool look_chosen(const char *p, size_t size)
{
    return sm_is_zero(p, size);
}

static void clear_chosen(char *p, size_t size)
{
    sm_zero_dirty(p, size);
}

static void init(void)
{
    widths[count++] = (struct width){"16", look_16, clear_16};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2"))
        widths[count++] = (struct width){"32", look_32, clear_32};
    if (__builtin_cpu_supports("avx512f"))
        widths[count++] = (struct width){"64", look_64, clear_64};
#endif
    /* The one that the library takes here is the widest. */
    sm_zero_init();
#if defined(__x86_64__)
    cr_assert_eq((unsigned)width, count - 1);
#endif
    widths[count++] = (struct width){"chosen", look_chosen, clear_chosen};
}

TestSuite(sweep, .init = init);

/* So many bytes that end at a page without access, and begin at a multiple of 16 only */
static char *before_guard(size_t size)
{
    static char *pages;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (!pages) {
        pages =
            mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq(pages, MAP_FAILED);
        cr_assert_eq(mprotect(pages + page, page, PROT_NONE), 0);
    }
    return pages + page - size;
}

static bool all(const char *p, char value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != value)
            return false;
    }
    return true;
}

/* Any single byte is seen; none outside is read (behind is no memory) or counts (in front). */
Test(sweep, look)
{
    for (unsigned w = 0; w < count; w++) {
        for (size_t size = 0; size <= MOST; size += 16) {
            char *p = before_guard(size);
            memset(p - 64, 0x55, 64);
            memset(p, 0, size);
            cr_assert(widths[w].look(p, size), "%s: %zu", widths[w].name, size);
            for (size_t at = 0; at < size; at++) {
                p[at] = (char)(1 << at % 8);
                cr_assert(!widths[w].look(p, size), "%s: %zu, byte %zu", widths[w].name, size,
                          at);
                p[at] = 0;
            }
        }
    }
}

/* A byte behind the end does not count. */
Test(sweep, look_no_further)
{
    for (unsigned w = 0; w < count; w++) {
        for (size_t size = 0; size <= MOST; size += 16) {
            char *p = before_guard(size + 64);
            memset(p, 0, size);
            memset(p + size, 0x55, 64);
            cr_assert(widths[w].look(p, size), "%s: %zu", widths[w].name, size);
        }
    }
}

Test(sweep, clear)
{
    for (unsigned w = 0; w < count; w++) {
        for (size_t size = 0; size <= MOST; size += 16) {
            char *p = before_guard(size + 64);
            memset(p - 64, 0x55, size + 128);
            widths[w].clear(p, size);
            cr_assert(all(p, 0, size), "%s: %zu", widths[w].name, size);
            cr_assert(all(p - 64, 0x55, 64), "%s: %zu: in front", widths[w].name, size);
            cr_assert(all(p + size, 0x55, 64), "%s: %zu: behind", widths[w].name, size);
        }
    }
}

/* One byte anywhere in what is clear otherwise goes too, up to the end of memory. */
Test(sweep, clear_one_byte)
{
    for (unsigned w = 0; w < count; w++) {
        for (size_t size = 16; size <= MOST; size += 16) {
            char *p = before_guard(size);
            memset(p, 0, size);
            for (size_t at = 0; at < size; at += size > 256 ? 13 : 1) {
                p[at] = 0x55;
                widths[w].clear(p, size);
                cr_assert_eq(p[at], 0, "%s: %zu, byte %zu", widths[w].name, size, at);
            }
            cr_assert(all(p, 0, size));
        }
    }
}

/* What was never used stays so: a page that is clear is not written. */
Test(sweep, clear_leaves_clean_pages)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (unsigned w = 0; w < count; w++) {
        char *p = mmap(NULL, 4 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq(p, MAP_FAILED);
        /* Read-only: a write would end the test. */
        widths[w].clear(p, 4 * page);
        cr_assert(widths[w].look(p, 4 * page));
        munmap(p, 4 * page);
    }
}

Test(sweep, as_the_library_calls_it)
{
    char *p = before_guard(4096);

    memset(p, 0x55, 4096);
    cr_assert(!sm_is_zero(p, 4096));
    sm_zero_dirty(p + 16, 4096 - 16);
    cr_assert(!sm_is_zero(p, 16));
    cr_assert(sm_is_zero(p + 16, 4096 - 16));
}
