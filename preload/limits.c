/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setrlimit() as the program sees it. A sandbox that may not write files any more (sshd's)
 * cannot size secret memory either, nor have a descriptor for it: what may still be needed is
 * made present before.
 */
#include "common.h"
#include "heap.h"
#include "seal.h"
#include "sys.h"
#include <errno.h>
#include <sys/resource.h>

#define FILE_LEAST       (4 * SM_MIB) /* the largest piece in which memory is had */
#define DESCRIPTOR_LEAST 8

/* With or without large files they are the same type here. */
int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit);

static int set(int resource, rlim64_t hard, const void *limit)
{
    long result;

    if (((resource == RLIMIT_FSIZE && hard < FILE_LEAST) ||
         (resource == RLIMIT_NOFILE && hard < DESCRIPTOR_LEAST)) &&
        sm_heap_started() && sm_arena.span)
        sm_seal_reserve();
    result = sm_sys(SYS_prlimit64, 0, resource, limit, NULL);
    if (result == 0)
        return 0;
    errno = (int)-result;
    return -1;
}

/* As setrlimit(2). */
SM_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return set((int)resource, limit->rlim_max, limit);
}

/* As setrlimit(2). */
SM_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    return set((int)resource, limit->rlim_max, limit);
}
