// SPDX-License-Identifier: GPL-2.0-only
/* flags: prints the errno, or 0, of memfd_secret() with no flag, 1, and UNCACHED. */
#include "../tests/secret.h"

static int error_of(unsigned flags)
{
    int fd = memfd_secret(flags);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

int main(void)
{
    int plain = error_of(0), first = error_of(1);

    printf("%d %d %d\n", plain, first, error_of(UNCACHED));
    return 0;
}
