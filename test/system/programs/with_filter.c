/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program below a filter that answers memfd_secret(2), or another call.
 *
 *   with_filter ENOSYS|EPERM|EAGAIN|KILL|ALLOW COMMAND...
 *   with_filter UNCACHED_EPERM|UNCACHED_EOPNOTSUPP COMMAND...    only calls with that flag
 *   with_filter MINCORE_EPERM|MINCORE_KILL COMMAND...            mincore(2)
 *   with_filter PKEY_EPERM|PKEY_KILL COMMAND...                  pkey_alloc(2),
 * pkey_mprotect(2) */
#include "filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#define UNCACHED 2 /* SECRETMEM_UNCACHED of patched kernels */

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint32_t action, bits; /* 0: whatever the flags are */
        int call;              /* 0: memfd_secret */
    } actions[] = {
        {"ENOSYS", SECCOMP_RET_ERRNO | ENOSYS, 0, 0},
        {"EPERM", SECCOMP_RET_ERRNO | EPERM, 0, 0},
        {"EAGAIN", SECCOMP_RET_ERRNO | EAGAIN, 0, 0},
        {"KILL", SECCOMP_RET_KILL_PROCESS, 0, 0},
        {"ALLOW", SECCOMP_RET_ALLOW, 0, 0},
        {"UNCACHED_EPERM", SECCOMP_RET_ERRNO | EPERM, UNCACHED, 0},
        {"UNCACHED_EOPNOTSUPP", SECCOMP_RET_ERRNO | EOPNOTSUPP, UNCACHED, 0},
        {"MINCORE_EPERM", SECCOMP_RET_ERRNO | EPERM, 0, SYS_mincore},
        {"USERFAULTFD_EPERM", SECCOMP_RET_ERRNO | EPERM, 0, SYS_userfaultfd},
        {"MINCORE_KILL", SECCOMP_RET_KILL_PROCESS, 0, SYS_mincore},
        {"PKEY_EPERM", SECCOMP_RET_ERRNO | EPERM, 0, SYS_pkey_alloc},
        {"PKEY_KILL", SECCOMP_RET_KILL_PROCESS, 0, SYS_pkey_mprotect},
    };
    struct filter filter;

    for (size_t i = 0; argc > 2 && i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(argv[1], actions[i].name) != 0)
            continue;
        if (actions[i].bits)
            filter_flagged(&filter, SYS_memfd_secret, actions[i].bits, actions[i].action);
        else
            filter_one(&filter, actions[i].call ? actions[i].call : SYS_memfd_secret,
                       actions[i].action);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter.program) != 0) {
            perror("prctl");
            return 2;
        }
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        return 127;
    }
    fprintf(stderr, "usage: %s [UNCACHED_]ANSWER COMMAND...\n", argv[0]);
    return 2;
}
