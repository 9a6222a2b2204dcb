/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    flockfile(stderr);
    fputs("secretssl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(args);
}

static int output_error;

bool output_written(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (output_error == 0)
        output_error = errno;
    return false;
}

void output_check(void)
{
    if (output_written())
        return;
    say("cannot write to standard output: %s", strerror(output_error));
    _exit(2);
}

const char *privilege_hint(void)
{
    if (geteuid() != 0)
        return "run as root, with CAP_SYS_PTRACE";
    return "root has no CAP_SYS_PTRACE over it here: look from the host, or from outside the "
           "container or sandbox";
}
