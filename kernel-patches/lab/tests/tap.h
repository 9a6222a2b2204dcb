/* SPDX-License-Identifier: GPL-2.0-only */
/* The Test Anything Protocol, as far as the lab's tests need it. */
#ifndef LAB_TAP_H
#define LAB_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_count, tap_failures;

/* One result; answers whether it held. */
static __attribute__((unused, format(printf, 2, 3))) bool tap_ok(bool held, const char *format,
                                                                 ...)
{
    va_list args;

    printf("%sok %d - ", held ? "" : "not ", ++tap_count);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    if (!held)
        tap_failures++;
    return held;
}

/* The plan, and the exit status to return from main. */
static __attribute__((unused)) int tap_finish(void)
{
    printf("1..%d\n", tap_count);
    fflush(stdout);
    return tap_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Ends a test that cannot go on. */
static __attribute__((noreturn, format(printf, 1, 2))) void tap_bail_out(const char *format,
                                                                         ...)
{
    va_list args;

    printf("Bail out! ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    exit(EXIT_FAILURE);
}

#endif
