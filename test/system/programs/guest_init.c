/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first and only process of a guest: holds copies of a secret, which it has in a masked
 * form (harness/guest.py). A byte at a time, so that no register of the emulated processor,
 * which is ordinary memory of QEMU, holds more than that.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MASK = 0x5a, COPIES = 500, SIZE = 32 };

int main(void)
{
    unsigned char masked[SIZE];
    int fd = open("/masked", O_RDONLY);
    volatile unsigned char *secret = aligned_alloc(4096, (COPIES * SIZE + 4095) / 4096 * 4096);

    if (fd < 0 || !secret || read(fd, masked, SIZE) != SIZE)
        return 1;
    for (int i = 0; i < COPIES * SIZE; i++)
        secret[i] = masked[i % SIZE] ^ MASK;
    if (write(1, "planted\n", 8) != 8)
        return 1;
    for (;;)
        pause();
}
