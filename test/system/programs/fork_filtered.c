/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* fork() where rt_sigprocmask ends the process: the C library's own does not need it. */
int main(void)
{
    struct filter filter;
    int status = -1;
    pid_t child;

    filter_one(&filter, SYS_rt_sigprocmask, SECCOMP_RET_KILL_PROCESS);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter.program) != 0)
        return 2;
    child = fork();
    if (child == 0)
        _exit(3);
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
