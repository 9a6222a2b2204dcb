/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload in front of libsecretssl in which one allocation of OpenSSL fails: number
 * FAILING_NTH of the process, or one for each connection that a server accepts: number
 * FAILING_FROM for the first connection, and FAILING_STEP more for each further one. Before the
 * first connection none fails. Each connection writes a line about the last: which allocation
 * was to fail, and how many there were.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

typedef void *allocate(size_t size, const char *file, int line);
typedef void *resize(void *block, size_t size, const char *file, int line);
typedef int accepts(int fd, struct sockaddr *address, socklen_t *length);

allocate CRYPTO_malloc, CRYPTO_zalloc;
resize CRYPTO_realloc;

static unsigned long counted, target;

static unsigned long setting(const char *name)
{
    const char *value = getenv(name);

    return value ? strtoul(value, NULL, 10) : 0;
}

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found) {
        fprintf(stderr, "failing: %s\n", dlerror());
        abort();
    }
    return found;
}

static bool is_next(void)
{
    static bool begun;

    if (!begun)
        target = setting("FAILING_NTH");
    begun = true;
    return target && ++counted == target;
}

void *CRYPTO_malloc(size_t size, const char *file, int line)
{
    return is_next() ? NULL : ((allocate *)real("CRYPTO_malloc"))(size, file, line);
}

void *CRYPTO_zalloc(size_t size, const char *file, int line)
{
    return is_next() ? NULL : ((allocate *)real("CRYPTO_zalloc"))(size, file, line);
}

void *CRYPTO_realloc(void *block, size_t size, const char *file, int line)
{
    return is_next() ? NULL : ((resize *)real("CRYPTO_realloc"))(block, size, file, line);
}

int accept(int fd, struct sockaddr *address, socklen_t *length)
{
    int got = ((accepts *)real("accept"))(fd, address, length);

    if (target)
        fprintf(stderr, "failed %lu of %lu\n", target, counted);
    target = target ? target + setting("FAILING_STEP") : setting("FAILING_FROM");
    counted = 0;
    return got;
}
