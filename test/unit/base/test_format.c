/* SPDX-License-Identifier: Apache-2.0 */
#include "base/format.h"
#include <criterion/criterion.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static char out[64];

Test(format, conversions)
{
    cr_assert_eq(sm_format(out, sizeof(out), "%s|%d|%zu|%lx|%%", "text", -7, (size_t)9, 0xabUL),
                 14);
    cr_assert_str_eq(out, "text|-7|9|ab|%");
    sm_format(out, sizeof(out), "%d %d %d", INT_MIN, INT_MAX, 0);
    cr_assert_str_eq(out, "-2147483648 2147483647 0");
    sm_format(out, sizeof(out), "%zu", SIZE_MAX);
    cr_assert_str_eq(out, "18446744073709551615");
    sm_format(out, sizeof(out), "%lx %lx", 0UL, ULONG_MAX);
    cr_assert_str_eq(out, "0 ffffffffffffffff");
    sm_format(out, sizeof(out), "%p", (void *)0x1230);
    cr_assert_str_eq(out, "0x1230");
    cr_assert_eq(sm_format(out, sizeof(out), "plain"), 5);
    cr_assert_str_eq(out, "plain");
}

Test(format, strings_stay_one_line)
{
    const char *volatile none = NULL;

    sm_format(out, sizeof(out), "%s", "a\nb\rc\td\x1b\x7f\x01z");
    cr_assert_str_eq(out, "a?b?c?d???z");
    sm_format(out, sizeof(out), "%s", "\xc3\xa9");
    cr_assert_str_eq(out, "\xc3\xa9", "what is not ASCII stays");
    sm_format(out, sizeof(out), "%s", none);
    cr_assert_str_eq(out, "(null)");
    /* The format is ours: it may hold a line end. */
    sm_format(out, sizeof(out), "a\n");
    cr_assert_str_eq(out, "a\n");
}

Test(format, never_writes_too_much)
{
    char wanted[16];

    for (size_t size = 0; size < sizeof(wanted); size++) {
        size_t length;
        memset(out, '#', sizeof(out));
        length = sm_format(out, size, "%s%d", "abcdef", 123456);
        snprintf(wanted, sizeof(wanted), "%.*s", size ? (int)size - 1 : 0, "abcdef123456");
        cr_assert_eq(length, strlen(wanted), "size %zu", size);
        if (size)
            cr_assert_str_eq(out, wanted);
        for (size_t i = size; i < sizeof(out); i++)
            cr_assert_eq(out[i], '#', "size %zu, byte %zu", size, i);
    }
}
