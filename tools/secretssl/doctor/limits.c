/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits other than RLIMIT_MEMLOCK. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "doctor/check.h"
#include "process/try_in_child.h"

/* The default arena, with its partitions and tables, and room for the program */
static const rlim_t wide = (rlim_t)4 << 30;

static void nothing(void *result)
{
    *(char *)result = 1;
}

void check_children(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "children");
    char done = 0;
    int signal = trial(nothing, &done, sizeof(done));

    diagnosis->facts.can_try = signal == 0 && done;
    if (diagnosis->facts.can_try) {
        check_say(check, VERDICT_OK, "a child process can be created for the tests");
        return;
    }
    check_say(check, VERDICT_FAILED,
              "no child process can be created, so nothing can be tested: %s",
              signal > 0 ? strsignal(signal) : strerror(errno));
    check_remedy(check, UNIT_FILE, "TasksMax=infinity");
    check_remedy(check, "docker run", "--pids-limit -1");
    check_remedy(check, "/etc/security/limits.d/secretssl.conf, for logins",
                 "* - nproc unlimited");
}

void check_limits(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "address-space");
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur >= wide) {
        check_say(check, VERDICT_OK, "no limit that matters");
        return;
    }
    check_say(check, VERDICT_WARNING,
              "limit %llu MiB: the arena may have to reserve less address space",
              (unsigned long long)limit.rlim_cur >> 20);
    check_remedy(check, UNIT_FILE, "LimitAS=infinity");
}
