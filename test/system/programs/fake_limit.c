/* SPDX-License-Identifier: Apache-2.0 */
/* A preload: RLIMIT_MEMLOCK seems to be unlimited. Who asks, and would not lock memory below a
 * limit that root may not raise everywhere (OpenVPN), locks it with CAP_IPC_LOCK. */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
    if (resource == RLIMIT_MEMLOCK) {
        limit->rlim_cur = limit->rlim_max = RLIM_INFINITY;
        return 0;
    }
    return (int)syscall(SYS_prlimit64, 0, resource, NULL, limit);
}
