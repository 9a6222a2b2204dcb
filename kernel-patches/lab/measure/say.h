/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines "wipe: WHAT NUMBER" in the kernel's log, of programs whose guest hibernates. */
#ifndef LAB_SAY_H
#define LAB_SAY_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
    messages; /* a descriptor of /dev/kmsg, open before the files of the guest are lost */

static __attribute__((format(printf, 1, 2))) void say(const char *text, ...)
{
    /* As urgent as can be, so that the console has it. One write() is one line of the log. */
    char line[128] = "<0>wipe: ";
    int start = (int)strlen(line);
    va_list list;

    va_start(list, text);
    int length = start + vsnprintf(line + start, sizeof(line) - start, text, list);
    va_end(list);
    if (length >= (int)sizeof(line) || write(messages, line, (size_t)length) != length)
        _exit(1);
}

#endif
