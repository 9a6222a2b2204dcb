/* SPDX-License-Identifier: Apache-2.0 */
#include "os/process_age.h"
#include "base/format.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>

#define BEGAN_FIELD 22 /* of /proc/PID/stat, in ticks since boot */

/* Reads the beginning of a file of /proc. Returns whether there was one. */
static bool read_text(const char *path, char *text, size_t size)
{
    long fd, length;

    if (sm_seccomp_forbids(SM_CALL_OPENAT) || sm_seccomp_forbids(SM_CALL_CLOSE))
        return false;
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

static const char *decimal(const char *at, uint64_t *value)
{
    for (*value = 0; *at >= '0' && *at <= '9'; at++)
        *value = *value * 10 + (uint64_t)(*at - '0');
    return at;
}

/* In milliseconds since boot. */
static bool read_began(long pid, uint64_t *began)
{
    char path[32], text[512];
    const char *at;

    sm_format(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (!read_text(path, text, sizeof(text)))
        return false;
    /* The second field is a name, which may contain anything. */
    at = strrchr(text, ')');
    for (unsigned field = 2; at && field < BEGAN_FIELD; field++)
        at = strchr(at + 1, ' ');
    if (!at || *decimal(at + 1, began) != ' ')
        return false;
    *began *= 1000 / sm_max(getauxval(AT_CLKTCK), 1UL);
    return true;
}

/* The time since boot, in milliseconds: "SECONDS.HUNDREDTHS ...". */
static bool read_uptime(uint64_t *uptime)
{
    uint64_t hundredths;
    char text[64];
    const char *at;

    if (!read_text("/proc/uptime", text, sizeof(text)))
        return false;
    at = decimal(text, uptime);
    if (*at != '.' || *decimal(at + 1, &hundredths) != ' ')
        return false;
    *uptime = *uptime * 1000 + hundredths * 10;
    return true;
}

uint64_t sm_process_age(long pid)
{
    uint64_t began, now;

    if (!read_began(pid, &began) || !read_uptime(&now))
        return SM_AGE_UNKNOWN;
    return now > began ? now - began : 0;
}
