/* SPDX-License-Identifier: Apache-2.0 */
/* A preload: the kernel seems to run on the machine that FAKE_MACHINE names. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int uname(struct utsname *name)
{
    const char *machine = getenv("FAKE_MACHINE");
    int answer = (int)syscall(SYS_uname, name);

    if (answer == 0 && machine != NULL)
        snprintf(name->machine, sizeof(name->machine), "%s", machine);
    return answer;
}
