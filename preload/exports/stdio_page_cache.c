/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/stdio_page_cache.h"
#include "base/common.h"
#include "base/counters.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/page_cache.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SIZE_MOST SM_MIB /* key files are smaller */

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
    if (st.st_size > (off_t)SIZE_MOST) {
        sm_count(&sm_stats.files_cached, 1);
        sm_lapse(SM_LAPSE_FILE_LARGE,
                 "a key file of more than 1 MiB stays in the kernel's page cache: use smaller "
                 "key files");
        return;
    }
    pages = sm_page_cache_drop(fd, (size_t)st.st_size);
    if (pages != 0 && pages != SM_PAGE_CACHE_UNTOLD)
        stays(pages);
}
