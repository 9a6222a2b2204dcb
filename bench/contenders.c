/* SPDX-License-Identifier: Apache-2.0 */
#include "contenders.h"
#include "common.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))

/* The floor: a bump through the same few pages again and again, so without cache misses. */
static const size_t null_bytes = 32 << 10;
static __thread char *null_at, *null_end;
static size_t null_slack; /* the largest block may begin at the last byte */

static void null_map(void)
{
    char *p = mmap(NULL, null_bytes + null_slack, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (p == MAP_FAILED)
        bench_die_errno("mmap");
    null_at = p;
    null_end = p + null_bytes;
}

static void *null_malloc(size_t size, const char *file, int line)
{
    char *p = null_at;

    (void)file, (void)line;
    if (size == 0)
        return NULL;
    if (__builtin_expect(p >= null_end, 0)) {
        if (!p)
            null_map();
        else
            null_at = null_end - null_bytes;
        p = null_at;
    }
    null_at = p + ((size + 15) & ~(size_t)15);
    return p;
}

static void null_free(void *p, const char *file, int line)
{
    (void)p, (void)file, (void)line;
}

/* The old size is not known; what is copied beyond it is not used. */
static void *null_realloc(void *p, size_t size, const char *file, int line)
{
    char *to = null_malloc(size, file, line);

    if (p && to)
        memmove(to, p, size);
    return to;
}

/* As CRYPTO_malloc and the others do when nobody replaced them. */
static void *libc_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return size ? malloc(size) : NULL;
}

static void libc_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

static void *libc_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (!p)
        return size ? malloc(size) : NULL;
    if (size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, size);
}

/* The compiler may not leave out a memset before a free. */
static inline void clear(void *p, size_t size)
{
    memset(p, 0, size);
    __asm__ volatile("" : : "r"(p) : "memory");
}

/*
 * The same, clearing. A header with the size was measured to be cheaper than asking
 * malloc_usable_size, which takes longer and makes more to clear; so the others get that.
 */
struct header {
    size_t size, unused; /* blocks stay aligned to 16 bytes */
};

static void *clear_malloc(size_t size, const char *file, int line)
{
    struct header *header = size ? malloc(sizeof(*header) + size) : NULL;

    (void)file, (void)line;
    if (!header)
        return NULL;
    header->size = size;
    return header + 1;
}

static void clear_free(void *p, const char *file, int line)
{
    struct header *header = p;

    (void)file, (void)line;
    if (!header)
        return;
    header--;
    clear(p, header->size);
    free(header);
}

static void *clear_realloc(void *p, size_t size, const char *file, int line)
{
    struct header *header = p ? (struct header *)p - 1 : NULL;
    size_t had = header ? header->size : 0;
    void *to;

    if (header && size && size <= had && size >= had / 2) {
        clear((char *)p + size, had - size);
        header->size = size;
        return p;
    }
    to = clear_malloc(size, file, line);
    if (size && !to)
        return NULL;
    if (p && to)
        memcpy(to, p, had < size ? had : size);
    clear_free(p, file, line);
    return to;
}

/* OpenSSL's secure heap, which has no realloc. */
static void *(*secure_malloc)(size_t, const char *, int);
static void (*secure_free)(void *, const char *, int);
static size_t (*secure_size)(void *);

static void *secure_realloc(void *p, size_t size, const char *file, int line)
{
    void *to = size ? secure_malloc(size, file, line) : NULL;
    size_t had = p ? secure_size(p) : 0;

    if (size && !to)
        bench_die("the secure heap is full");
    if (p && to)
        memcpy(to, p, had < size ? had : size);
    if (p)
        secure_free(p, file, line);
    return to;
}

static void *secure_symbol(void *library, const char *name)
{
    void *symbol = library ? dlsym(library, name) : NULL;

    if (!symbol)
        bench_die("%s", dlerror());
    return symbol;
}

static void secure_start(const struct trace *trace, unsigned threads)
{
    void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
    int (*start)(size_t, size_t);
    size_t size = 1 << 20;

    *(void **)&start = secure_symbol(library, "CRYPTO_secure_malloc_init");
    *(void **)&secure_malloc = secure_symbol(library, "CRYPTO_secure_malloc");
    *(void **)&secure_free = secure_symbol(library, "CRYPTO_secure_free");
    *(void **)&secure_size = secure_symbol(library, "CRYPTO_secure_actual_size");
    /* Twice for rounding up to powers of two, twice for what that leaves in pieces */
    while (size < 4 * threads * trace->peak_bytes)
        size *= 2;
    /* 2: the memory could not be locked, which changes nothing for its speed */
    if (!start(size, 16))
        bench_die("CRYPTO_secure_malloc_init(%zu) failed", size);
}

static struct contender hooked = {.name = "hooked"};

EXPORT int CRYPTO_set_mem_functions(void *(*malloc)(size_t, const char *, int),
                                    void *(*realloc)(void *, size_t, const char *, int),
                                    void (*free)(void *, const char *, int))
{
    hooked.malloc = malloc;
    hooked.realloc = realloc;
    hooked.free = free;
    return 1;
}

EXPORT unsigned long OpenSSL_version_num(void)
{
    return 0x30000000UL;
}

struct contender contender_find(const char *name, const struct trace *trace, unsigned threads)
{
    static const struct contender plain[] = {
        {"null", null_malloc, null_realloc, null_free},
        {"libc", libc_malloc, libc_realloc, libc_free},
        {"clear", clear_malloc, clear_realloc, clear_free},
    };

    null_slack = trace->largest + 16;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (strcmp(plain[i].name, name) == 0)
            return plain[i];
    }
    if (strcmp(name, "secure") == 0) {
        secure_start(trace, threads);
        return (struct contender){name, secure_malloc, secure_realloc, secure_free};
    }
    if (strcmp(name, "hooked") != 0)
        bench_die("'%s' is no contender; there are null, libc, clear, secure and hooked", name);
    if (!hooked.malloc)
        bench_die("no preload object installed its functions");
    return hooked;
}
