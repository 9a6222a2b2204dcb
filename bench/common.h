/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdint.h>

/* Name used in front of messages; each program sets it first. */
extern const char *bench_program;

/* Prints "PROGRAM: TEXT" on stderr and exits with status 2. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with errno's text behind it. */
_Noreturn void bench_die_errno(const char *what);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t bench_now(void);

/* TEXT as a whole number from MIN to MAX; dies naming WHAT, the value and the range if it is
 * not. */
uint64_t bench_number(const char *what, const char *text, uint64_t min, uint64_t max);

#endif
