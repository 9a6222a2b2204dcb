/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds a program at the moment it exits, when its memory is still mapped, so that a driver can
 * look at it in /proc.
 *
 *   exit-memory PROGRAM [ARGUMENT...]
 *   -> "held PID"; goes on at a line or the end of standard input; ends as the program does
 */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_program(char **command)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
        bench_die_errno("/dev/null");
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        bench_die_errno("ptrace (needed to look at a program as it exits)");
    execvp(command[0], command);
    bench_die_errno(command[0]);
}

static int wait_for(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            bench_die_errno("waitpid");
    }
    return status;
}

static void hold(pid_t child)
{
    printf("held %d\n", (int)child);
    fflush(stdout);
    (void)getchar();
}

int main(int argc, char **argv)
{
    pid_t child;
    int status;

    bench_program = "exit-memory";
    if (argc < 2)
        bench_die("usage: exit-memory PROGRAM [ARGUMENT...]");
    child = fork();
    if (child < 0)
        bench_die_errno("fork");
    if (child == 0)
        run_program(argv + 1);

    status = wait_for(child); /* stops as it execs */
    if (WIFSTOPPED(status) && ptrace(PTRACE_SETOPTIONS, child, NULL,
                                     (long)(PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL)) != 0)
        bench_die_errno("ptrace");
    while (WIFSTOPPED(status)) {
        int signal = WSTOPSIG(status);

        if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8)))
            hold(child);
        if (signal == SIGTRAP)
            signal = 0;
        if (ptrace(PTRACE_CONT, child, NULL, (long)signal) != 0)
            bench_die_errno("ptrace");
        status = wait_for(child);
    }
    if (WIFSIGNALED(status))
        bench_die("%s was ended by signal %d", argv[1], WTERMSIG(status));
    return WEXITSTATUS(status);
}
