/* SPDX-License-Identifier: Apache-2.0 */
/* Another preload behind ours: counts the calls that come by, and passes them on. */
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/resource.h>

int other_calls;

int munmap(void *address, size_t length)
{
    int (*next)(void *, size_t) = (int (*)(void *, size_t))dlsym(RTLD_NEXT, "munmap");

    other_calls++;
    return next(address, length);
}

int mlock(const void *address, size_t length)
{
    int (*next)(const void *, size_t) =
        (int (*)(const void *, size_t))dlsym(RTLD_NEXT, "mlock");

    other_calls++;
    return next(address, length);
}

int mlock2(const void *address, size_t length, unsigned flags)
{
    int (*next)(const void *, size_t, unsigned) =
        (int (*)(const void *, size_t, unsigned))dlsym(RTLD_NEXT, "mlock2");

    other_calls++;
    return next(address, length, flags);
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    int (*next)(__rlimit_resource_t, const struct rlimit *) =
        (int (*)(__rlimit_resource_t, const struct rlimit *))dlsym(RTLD_NEXT, "setrlimit");

    other_calls++;
    return next(resource, limit);
}

int prlimit(__pid_t pid, __rlimit_resource_t resource, const struct rlimit *limit,
            struct rlimit *old)
{
    int (*next)(__pid_t, __rlimit_resource_t, const struct rlimit *, struct rlimit *) =
        (int (*)(__pid_t, __rlimit_resource_t, const struct rlimit *, struct rlimit *))dlsym(
            RTLD_NEXT, "prlimit");

    other_calls++;
    return next(pid, resource, limit, old);
}
