/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"

#include <stdarg.h>
#include <stdio.h>
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

const char *privilege_hint(void)
{
    if (geteuid() != 0)
        return "run as root, with CAP_SYS_PTRACE";
    return "root has no CAP_SYS_PTRACE over it here: look from the host, or from outside the "
           "container or sandbox";
}
