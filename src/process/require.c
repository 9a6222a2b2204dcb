/* SPDX-License-Identifier: Apache-2.0 */
/* The requirements of a process that must be protected, checked before it continues. */
#include "arena/backing.h"
#include "base/settings.h"
#include "log/log.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <sys/resource.h>

static size_t locked_limit(void)
{
    struct rlimit limit = {0};

    if (sm_seccomp_forbids(SM_CALL_PRLIMIT) ||
        sm_sys(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, &limit) != 0)
        return 0;
    return limit.rlim_cur;
}

/*
 * Whether the kernel grants the memory that even a small program needs. Maps it in one mapping,
 * because the kernel may count lengths. Where the limit is low enough to matter, also touches
 * it, because the kernel may count pages.
 */
static int first_memory(void)
{
    struct sm_secret_map map = {.length =
                                    sm_min(SM_PARTS * SM_CHUNK_LEAST, sm_settings.arena_size)};
    size_t touched = locked_limit() < 4 * map.length ? map.length : sm_os_page;

    map.length = sm_round_up(map.length, sm_os_page);
    sm_pages_map_secret(&map);
    if (map.error)
        return map.error;
    for (size_t at = 0; at < touched && !map.error; at += sm_os_page)
        map.error = sm_pages_populate((char *)map.address + at);
    sm_pages_unmap(map.address, map.length);
    return map.error;
}

void sm_backing_check(void)
{
    int error;

    if (sm_settings.uncached == SM_UNCACHED_REQUIRE) {
        error = sm_pages_probe(SM_SECRET_UNCACHED);
        if (error)
            sm_exit_refused(
                "SECRETSSL_UNCACHED=require: the kernel refuses uncached memory (%s)",
                sm_errno_name(error));
    }
    if (sm_settings.require) {
        sm_backing_raise_limit();
        error = first_memory();
        if (error)
            sm_exit_refused("SECRETSSL_REQUIRE=1: no secret memory (%s): %s",
                            sm_errno_name(error), sm_short_remedy(error));
    }
}
