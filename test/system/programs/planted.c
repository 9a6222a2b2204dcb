/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody's library of the name that is loaded for a report. */
#include <unistd.h>

__attribute__((constructor)) static void say(void)
{
    if (write(STDOUT_FILENO, "planted\n", 8) != 8)
        _exit(1);
}
