/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that writes to the user: one line a message, no allocation, no lock. */
#ifndef SM_REPORT_H
#define SM_REPORT_H

#include "base/common.h"
#include <stdarg.h>

#define SM_EXIT_REFUSED 78 /* EX_CONFIG of sysexits.h */

/* Notes which file descriptor 2 is, and who speaks. Call once, at start. */
void sm_report_init(const char *speaker);

/* A seccomp filter is about to be installed: what may not be asked later is noted. */
void sm_report_seal(void);

/* One line to where SECRETSSL_LOG says. Keeps errno. Async-signal-safe. */
void sm_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

void sm_vreport(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* The same, at most once for each flag. */
#define sm_report_once(flag, ...)                                                              \
    do {                                                                                       \
        if (!__atomic_exchange_n((flag), true, __ATOMIC_RELAXED))                              \
            sm_report(__VA_ARGS__);                                                            \
    } while (0)

/* The process cannot be protected and must not run unprotected: one line, status 78. */
_Noreturn void sm_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The heap was misused, or a promise cannot be kept any more: one line, SIGABRT. With an
 * address, that of a misused block, the call stack behind the line.
 */
_Noreturn void sm_fatal(const char *kind, const void *address);

/* The text of an errno value as a short word ("EAGAIN"); no locale. */
const char *sm_errno_name(long error);

#endif
