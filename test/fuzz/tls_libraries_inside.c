/* SPDX-License-Identifier: Apache-2.0 */
/* The file with its memory of other processes, which each input has to forget. */
#include "process/tls_libraries.c"

void tls_libraries_forget(void);
void tls_libraries_forget(void)
{
    known_count = 0;
    user_count = 0;
}
