/* SPDX-License-Identifier: Apache-2.0 */
#include "os/page_cache.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#define WINDOW     256 /* pages that are looked at together */
#define TRIES      8
#define FAR_BEHIND SM_GIB

/* systemd's @system-service has fadvise64, and not mincore. */
static bool may_look(void)
{
    return !sm_seccomp_forbids_any(SM_CALL_BIT(SM_CALL_MINCORE) | SM_CALL_BIT(SM_CALL_MMAP) |
                                   SM_CALL_BIT(SM_CALL_MUNMAP));
}

/* Returns how many pages of a window are cached, or a negative errno value. */
static long window_cached(int fd, size_t from, size_t length)
{
    unsigned char there[WINDOW] = {0};
    long pages = 0, error;
    /*
     * PROT_NONE, because under mlockall a readable mapping is filled at once, and would bring
     * back the dropped pages.
     */
    long at = sm_sys(SYS_mmap, NULL, length, PROT_NONE, MAP_SHARED, fd, from);

    if (sm_failed(at)) /* A file system that cannot map files has no pages of them. */
        return at == -ENODEV ? 0 : at;
    error = sm_sys(SYS_mincore, at, length, there);
    for (size_t i = 0; error == 0 && i * 4096 < length; i++)
        pages += there[i] & 1;
    /* A key file that stays mapped can be read in this process, and stays cached. */
    if (sm_sys(SYS_munmap, at, length) != 0)
        sm_pages_discard((void *)at, length);
    return error ? error : pages;
}

/*
 * Returns how many pages of the file the kernel has cached, or a value as sm_page_cache_drop().
 * For a file that the process neither owns nor may write the kernel reports all pages as
 * cached, even a page past the end.
 */
static long file_cached(int fd, size_t size)
{
    size_t window = WINDOW * (size_t)4096;
    long pages = 0, found, behind;

    if (!may_look())
        return -EPERM;
    for (size_t from = 0; from < size; from += window) {
        found = window_cached(fd, from, sm_min(size - from, window));
        if (found < 0)
            return found;
        pages += found;
    }
    if (pages == 0)
        return 0;
    behind = window_cached(fd, sm_round_up(size, SM_MIB) + FAR_BEHIND, 1);
    return behind > 0 ? SM_PAGE_CACHE_UNTOLD : behind < 0 ? behind : pages;
}

static void cache_advise(int fd)
{
    sm_sys(SYS_fadvise64, fd, 0, 0, POSIX_FADV_DONTNEED);
}

long sm_page_cache_drop(int fd, size_t size)
{
    long pages;

    if (sm_seccomp_forbids(SM_CALL_FADVISE))
        return -EPERM;
    cache_advise(fd);
    pages = file_cached(fd, size);
    if (pages == 0 || pages == SM_PAGE_CACHE_UNTOLD)
        return pages;
    /* The file may have just been written: pages not on the disk yet are not dropped. */
    if (!sm_seccomp_forbids(SM_CALL_FDATASYNC))
        sm_sys(SYS_fdatasync, fd);
    /*
     * Repeated, because siblings that start at the same time may read the file between two
     * calls.
     */
    for (int i = 0; i < TRIES && pages != 0; i++) {
        cache_advise(fd);
        pages = file_cached(fd, size);
    }
    return pages;
}
