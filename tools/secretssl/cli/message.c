/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/clean.h"

void say(const char *format, ...)
{
    char text[8192];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    clean_text(text); /* It may name what others have named. */
    fprintf(stderr, "secretssl: %s\n", text);
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
