/* SPDX-License-Identifier: Apache-2.0 */
#include "os/process_age.h"
#include "base/format.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#define BEGAN_FIELD 22 /* of /proc/PID/stat */

uint64_t sm_since_boot(void)
{
    struct timespec now = {0};
    int error = errno;

    if (!getauxval(AT_SYSINFO_EHDR) || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        now = (struct timespec){0};
    errno = error;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads the beginning of /proc/PID/stat. Returns whether there was one. */
static bool read_stat(long pid, char *text, size_t size)
{
    char path[32];
    long fd, length;

    if (sm_seccomp_forbids(SM_CALL_OPENAT) || sm_seccomp_forbids(SM_CALL_CLOSE))
        return false;
    sm_format(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = sm_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (sm_failed(fd))
        return false;
    length = sm_sys(SYS_read, fd, text, size - 1);
    sm_sys(SYS_close, fd);
    if (length <= 0)
        return false;
    text[length] = '\0';
    return true;
}

bool sm_process_began_after(long pid, uint64_t milliseconds)
{
    uint64_t ticks = 0, tick = 1000 / sm_max(getauxval(AT_CLKTCK), 1UL);
    char text[512], *at;

    /* The second field is a name, which may contain anything. */
    if (!read_stat(pid, text, sizeof(text)) || !(at = strrchr(text, ')')))
        return false;
    for (unsigned field = 2; field < BEGAN_FIELD; field++) {
        at = strchr(at + 1, ' ');
        if (!at)
            return false;
    }
    for (at++; *at >= '0' && *at <= '9'; at++)
        ticks = ticks * 10 + (uint64_t)(*at - '0');
    return *at == ' ' && (ticks + 1) * tick > milliseconds;
}
