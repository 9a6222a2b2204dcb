/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/stdio_page_cache.h"
#include "base/common.h"
#include "base/counters.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LOOKED_AT  256 /* pages: key files are smaller */
#define TRIES      8
#define FAR_BEHIND SM_GIB

/* systemd's @system-service has fadvise64, and not mincore. */
static bool may_look(void)
{
    return !sm_seccomp_forbids_any(SM_CALL_BIT(SM_CALL_MINCORE) | SM_CALL_BIT(SM_CALL_MMAP) |
                                   SM_CALL_BIT(SM_CALL_MUNMAP));
}

/* Returns how many pages of a range are cached, or a negative errno value. */
static long pages_of(int fd, size_t from, size_t length)
{
    unsigned char there[LOOKED_AT] = {0};
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
 * Returns how many pages of the file the kernel has cached, or 0 if the kernel does not tell,
 * or a negative errno value. For a file that the process neither owns nor may write the kernel
 * reports all pages as cached, even a page past the end.
 */
static long cached(int fd, size_t size)
{
    long pages = may_look() ? pages_of(fd, 0, size) : -EPERM;
    long behind = pages > 0 ? pages_of(fd, FAR_BEHIND, 1) : 0;

    return behind > 0 ? 0 : behind < 0 ? behind : pages;
}

/* Reports a file that was not dropped. Where a filter hides that, nothing is claimed. */
static void stays(long pages)
{
    if (pages == -EPERM || pages == -ENOSYS)
        return;
    sm_count(&sm_stats.files_cached, 1);
    if (pages < 0)
        sm_lapse(SM_LAPSE_FILE_CACHED,
                 "a key file may stay in the kernel's page cache, because the kernel does not "
                 "tell (mincore: %s): use a key file with a passphrase",
                 sm_errno_name(pages));
    else
        sm_lapse(
            SM_LAPSE_FILE_CACHED,
            "a key file stays in the kernel's page cache: the file lies in memory (tmpfs), "
            "or another process has it mapped; use a key file on a disk, or one with a "
            "passphrase");
}

void page_cache_drop(int fd)
{
    struct stat st = {0};
    long pages;

    if (sm_seccomp_forbids(SM_CALL_FADVISE) || sm_seccomp_forbids(SM_CALL_FSTAT) ||
        sm_sys(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size == 0)
        return;
    /*
     * Dropping a large file that other processes read all the time would cost more than it is
     * worth.
     */
    if (st.st_size > LOOKED_AT * 4096L) {
        sm_count(&sm_stats.files_cached, 1);
        sm_lapse(SM_LAPSE_FILE_LARGE,
                 "a key file of more than 1 MiB stays in the kernel's page cache: use smaller "
                 "key files");
        return;
    }
    sm_sys(SYS_fadvise64, fd, 0, 0, POSIX_FADV_DONTNEED);
    if (cached(fd, (size_t)st.st_size) == 0)
        return;
    /* The file may have just been written: pages not on the disk yet are not dropped. */
    if (!sm_seccomp_forbids(SM_CALL_FDATASYNC))
        sm_sys(SYS_fdatasync, fd);
    /*
     * Repeated, because siblings that start at the same time may read the file between two
     * calls.
     */
    for (int i = 0; i < TRIES; i++) {
        sm_sys(SYS_fadvise64, fd, 0, 0, POSIX_FADV_DONTNEED);
        pages = cached(fd, (size_t)st.st_size);
        if (pages == 0)
            return;
    }
    stays(pages);
}
