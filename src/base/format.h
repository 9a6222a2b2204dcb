/* SPDX-License-Identifier: Apache-2.0 */
/* A printf that allocates nothing, takes no lock and uses no locale. */
#ifndef SM_BASE_FORMAT_H
#define SM_BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Writes at most size bytes, including the terminating NUL, and returns the length written.
 * Knows %s %d %zu %lx %p %%. A control character in a string becomes '?', so that a message
 * stays one line. Async-signal-safe.
 */
size_t sm_vformat(char *out, size_t size, const char *format, va_list args);
size_t sm_format(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
