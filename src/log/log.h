/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that writes to the user: one line a message, no allocation, no lock. */
#ifndef SM_LOG_LOG_H
#define SM_LOG_LOG_H

#include "base/common.h"
#include <stdarg.h>

#define SM_EXIT_REFUSED 78 /* EX_CONFIG of sysexits.h */

/* Notes which file descriptor 2 is, and who speaks. Call once, at start. */
void sm_log_init(const char *speaker);

/* A seccomp filter is about to be installed: what may not be asked later is noted. */
void sm_log_seal(void);

/* One line to where SECRETSSL_LOG says. Keeps errno. Async-signal-safe. */
void sm_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

void sm_vlog(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* The same, at most once for each flag. */
#define sm_log_once(flag, ...)                                                                 \
    do {                                                                                       \
        if (!__atomic_exchange_n((flag), true, __ATOMIC_RELAXED))                              \
            sm_log(__VA_ARGS__);                                                               \
    } while (0)

/* The process cannot be protected and must not run unprotected: one line, status 78. */
_Noreturn void sm_exit_refused(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The text of an errno value as a short word ("EAGAIN"); no locale. */
const char *sm_errno_name(long error);

#endif
