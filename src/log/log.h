/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that writes to the user: one line per message, no allocation, no lock except
 * the helper's.
 */
#ifndef SM_LOG_LOG_H
#define SM_LOG_LOG_H

#include "base/common.h"
#include <stdarg.h>

#define SM_EXIT_REFUSED 78 /* EX_CONFIG of sysexits.h */

/*
 * Records which file descriptor 2 is, and the name that messages carry. Called once, at start.
 */
void sm_log_init(const char *speaker);

/* Called before a seccomp filter is installed. Records data that cannot be asked for later. */
void sm_log_seal(void);

/* Writes one line to the destination in SECRETSSL_LOG. Keeps errno. Async-signal-safe. */
void sm_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

void sm_vlog(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* sm_log(), at most once for each flag. */
#define sm_log_once(flag, ...)                                                                 \
    do {                                                                                       \
        if (!__atomic_exchange_n((flag), true, __ATOMIC_RELAXED))                              \
            sm_log(__VA_ARGS__);                                                               \
    } while (0)

/*
 * The process cannot be protected and must not run unprotected: writes one line, exits with
 * status 78.
 */
_Noreturn void sm_exit_refused(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns an errno value's name ("EAGAIN"). Uses no locale. */
const char *sm_errno_name(long error);

#endif
