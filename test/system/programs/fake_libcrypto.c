/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of a libcrypto as decides whether its allocations can be caught, built in several
 * ways (CMakeLists.txt): FAKE_VERSION is what it says it is, FAKE_EARLY allocates in the
 * constructor, FAKE_BORING has BoringSSL's names and no CRYPTO_set_mem_functions. Without a
 * version it is what a program has of libcrypto.a if it asks for none; FAKE_ZALLOC: of 1.1.0
 * on.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

typedef void *malloc_fn(size_t, const char *, int);
typedef void *realloc_fn(void *, size_t, const char *, int);
typedef void free_fn(void *, const char *, int);

void *fake_take(size_t size);
void fake_give(void *p);
int fake_lock(void *p, size_t size, int by_syscall);

/* As OpenSSL does it for its secure heap. The answer is kept: no tail call. */
int fake_lock(void *p, size_t size, int by_syscall)
{
    volatile int answer =
        by_syscall ? (int)syscall(SYS_mlock2, p, size, MLOCK_ONFAULT) : mlock(p, size);

    return answer;
}

int fake_option(int fd, int level, int name, const void *value, unsigned size);

/* As OpenSSL does it for kernel TLS. No tail call either. */
int fake_option(int fd, int level, int name, const void *value, unsigned size)
{
    volatile int answer = setsockopt(fd, level, name, value, size);

    return answer;
}

#ifdef FAKE_BORING

void *OPENSSL_malloc(size_t size);
void CRYPTO_library_init(void);
unsigned long OpenSSL_version_num(void);

/* What BoringSSL calls if the process has it; a build may be without. */
#ifdef FAKE_WEAK
__attribute__((weak)) void *OPENSSL_memory_alloc(size_t size);
__attribute__((weak)) void OPENSSL_memory_free(void *p);
#else
static void *(*const OPENSSL_memory_alloc)(size_t);
static void (*const OPENSSL_memory_free)(void *);
#endif

void *OPENSSL_malloc(size_t size)
{
    return OPENSSL_memory_alloc ? OPENSSL_memory_alloc(size) : malloc(size);
}

void CRYPTO_library_init(void)
{
}

unsigned long OpenSSL_version_num(void)
{
    return 0x1010107fUL;
}

void *fake_take(size_t size)
{
    return OPENSSL_malloc(size);
}

void fake_give(void *p)
{
    if (OPENSSL_memory_free)
        OPENSSL_memory_free(p);
    else
        free(p);
}

#else

void *CRYPTO_malloc(size_t size, const char *file, int line);
void *CRYPTO_realloc(void *p, size_t size, const char *file, int line);
void CRYPTO_free(void *p, const char *file, int line);
int CRYPTO_set_mem_functions(malloc_fn *m, realloc_fn *r, free_fn *f);
void CRYPTO_get_mem_functions(malloc_fn **m, realloc_fn **r, free_fn **f);

static malloc_fn *malloc_impl = CRYPTO_malloc;
static realloc_fn *realloc_impl = CRYPTO_realloc;
static free_fn *free_impl = CRYPTO_free;
static int fixed;

void *CRYPTO_malloc(size_t size, const char *file, int line)
{
    if (malloc_impl != CRYPTO_malloc)
        return malloc_impl(size, file, line);
    fixed = 1;
    return malloc(size);
}

void *CRYPTO_realloc(void *p, size_t size, const char *file, int line)
{
    if (realloc_impl != CRYPTO_realloc)
        return realloc_impl(p, size, file, line);
    fixed = 1;
    return realloc(p, size);
}

void CRYPTO_free(void *p, const char *file, int line)
{
    if (free_impl != CRYPTO_free)
        free_impl(p, file, line);
    else
        free(p);
}

int CRYPTO_set_mem_functions(malloc_fn *m, realloc_fn *r, free_fn *f)
{
    if (fixed)
        return 0;
    malloc_impl = m;
    realloc_impl = r;
    free_impl = f;
    return 1;
}

void CRYPTO_get_mem_functions(malloc_fn **m, realloc_fn **r, free_fn **f)
{
    if (m)
        *m = malloc_impl;
    if (r)
        *r = realloc_impl;
    if (f)
        *f = free_impl;
}

#ifdef FAKE_VERSION
unsigned long OpenSSL_version_num(void);

unsigned long OpenSSL_version_num(void)
{
    return FAKE_VERSION;
}
#endif

#ifdef FAKE_ZALLOC
void *CRYPTO_zalloc(size_t size, const char *file, int line);

void *CRYPTO_zalloc(size_t size, const char *file, int line)
{
    void *p = CRYPTO_malloc(size, file, line);

    return p ? memset(p, 0, size) : NULL;
}
#endif

void *fake_take(size_t size)
{
    return CRYPTO_malloc(size, __FILE__, __LINE__);
}

void fake_give(void *p)
{
    CRYPTO_free(p, __FILE__, __LINE__);
}

int fake_job(void (*function)(void));

/* As OpenSSL starts an ASYNC job, when it names no files. Returns when the function does. */
int fake_job(void (*function)(void))
{
    enum { STACK = 32768 };
    ucontext_t here, job;

    if (getcontext(&job) != 0)
        return 0;
    job.uc_stack.ss_sp = CRYPTO_malloc(STACK, "", 0);
    if (!job.uc_stack.ss_sp)
        return 0;
    job.uc_stack.ss_size = STACK;
    job.uc_link = &here;
    makecontext(&job, function, 0);
    if (swapcontext(&here, &job) != 0)
        return 0;
    CRYPTO_free(job.uc_stack.ss_sp, "", 0);
    return 1;
}

#endif

#ifdef FAKE_EARLY
__attribute__((constructor)) static void allocate(void)
{
    void *p = fake_take(100);

    if (p)
        memset(p, 1, 100);
    fake_give(p);
}
#endif
