/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings of memfd_secret(2). */
#include "os/fork_copies.h"
#include "os/helper_process.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

static long open_secret(unsigned flags)
{
    long fd;

    do {
        fd = sm_sys(SYS_memfd_secret, flags | O_CLOEXEC);
    } while (fd == -EMFILE && sm_helper_free_a_slot());
    return fd;
}

static bool file_size_limited(size_t length)
{
    struct rlimit limit = {0};

    return !sm_seccomp_forbids(SM_CALL_PRLIMIT) &&
           sm_sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 && limit.rlim_cur < length;
}

/* ftruncate beyond the limit raises SIGXFSZ. A helper has signals blocked and its own limit. */
static void raise_file_size(void)
{
    struct rlimit limit = {0};

    if (sm_sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        sm_sys(SYS_prlimit64, 0, RLIMIT_FSIZE, &limit, NULL);
    }
}

static void map_secret(void *arg)
{
    struct sm_secret_map *map = arg;
    int fixed = map->address ? MAP_FIXED : 0;
    long result, fd = open_secret(map->flags | (map->copy ? SM_SECRET_COPY : 0));

    if (fd < 0) {
        map->error = (int)fd;
        return;
    }
    if (sm_helper_here() && file_size_limited(map->length))
        raise_file_size();
    result = sm_sys(SYS_ftruncate, fd, map->length);
    if (result == 0)
        result = sm_sys(SYS_mmap, map->address, map->length, PROT_READ | PROT_WRITE,
                        MAP_SHARED | fixed, fd, 0);
    map->error = sm_failed(result) ? (int)result : 0;
    if (!sm_failed(result))
        map->address = (void *)result;
    sm_sys(SYS_close, fd);
}

static void map_where_descriptors_are(struct sm_secret_map *map)
{
    map->error = -EFBIG;
    if (file_size_limited(map->length))
        sm_helper_force(map_secret, map);
    else
        sm_helper_run(map_secret, map);
    if (map->error == -EMFILE)
        sm_helper_force(map_secret, map);
}

void sm_pages_map_secret(struct sm_secret_map *map)
{
    bool anywhere = !map->address;

    if (sm_seccomp_forbids_any(SM_CALLS_TO_MAP) ||
        (map->to_move && sm_pages_move_is_refused())) {
        map->error = -EPERM;
        return;
    }
    map->copy = sm_kernel_copies();
    map_where_descriptors_are(map);
    if (map->copy && (map->error == -EINVAL || map->error == -EOPNOTSUPP)) {
        map->copy = false;
        map_where_descriptors_are(map);
        if (map->error == 0)
            sm_kernel_copies_not();
    }
    /* mmap over a range that was not inheritable creates an inheritable mapping. */
    if (map->error == 0) {
        map->error = sm_pages_inherit(map->address, map->length, false);
        if (map->error && anywhere)
            sm_pages_unmap(map->address, map->length);
        else if (map->error)
            sm_pages_discard(map->address, map->length);
    }
}

/*
 * Where pages are charged at the fault, a load could raise SIGBUS. This system call reads a
 * word, keeps no copy of it, and fails with EFAULT.
 */
int sm_pages_fault_in(const void *page)
{
    const struct timespec now = {0};
    long result;

    if (sm_seccomp_forbids(SM_CALL_FUTEX))
        return -EPERM;
    result = sm_sys(SYS_futex, page, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, &now);
    return result == -EFAULT ? -EFAULT : 0;
}

bool sm_pages_can_map(unsigned flags)
{
    struct sm_secret_map map = {.length = sm_os_page, .flags = flags};

    sm_pages_map_secret(&map);
    if (map.error == 0)
        sm_pages_unmap(map.address, map.length);
    return map.error == 0;
}

int sm_pages_probe(unsigned flags)
{
    struct sm_secret_map map = {.length = sm_os_page, .flags = flags};

    sm_pages_map_secret(&map);
    if (map.error)
        return map.error;
    map.error = sm_pages_populate(map.address);
    sm_pages_unmap(map.address, map.length);
    return map.error;
}
