/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocators that a trace is replayed against, all called as OpenSSL calls them. jemalloc
 * and mimalloc are "libc" and "clear" with LD_PRELOAD; "hooked" is whatever a preload object
 * installs, as libsecretssl.so does: this program looks like one with an OpenSSL of its own.
 */
#ifndef BENCH_CONTENDERS_H
#define BENCH_CONTENDERS_H

#include "trace.h"

struct contender {
    const char *name;
    void *(*malloc)(size_t size, const char *file, int line);
    void *(*realloc)(void *p, size_t size, const char *file, int line);
    void (*free)(void *p, const char *file, int line);
};

/* Ready for so many threads that replay the trace at once; dies if there is no such name. */
struct contender contender_find(const char *name, const struct trace *trace, unsigned threads);

/* By which the preload object knows what it has to do with: 3.0.0. */
unsigned long OpenSSL_version_num(void);

/*
 * What OpenSSL offers to whoever wants to replace its allocator; called by the preload object
 * before main. 1: installed.
 */
int CRYPTO_set_mem_functions(void *(*malloc)(size_t, const char *, int),
                             void *(*realloc)(void *, size_t, const char *, int),
                             void (*free)(void *, const char *, int));

#endif
