// SPDX-License-Identifier: GPL-2.0-only
/*
 * hold SEED: fills 2 blocks of secret memory and a file of a page with a pattern that the host
 * can make too, says "held", closes them a while later, says "closed", and stays. The host
 * looks at all of the machine's memory from outside after each.
 */
#include "../tests/pattern.h"
#include "../tests/secret.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        tap_bail_out("usage: hold SEED");
    unsigned long seed = strtoul(argv[1], NULL, 10);
    long had;

    set_memlock(RLIM_INFINITY);
    setvbuf(stdout, NULL, _IOLBF, 0);
    patched = counter("blocks") >= 0;
    char *blocks = try_blocks(2 * BLOCK, 0, &had), *page = map_secret(PAGE, 0);
    if (patched && had != 2)
        tap_bail_out("%ld of 2 blocks can be had", had);
    for (size_t at = 0; at < 2 * BLOCK; at += PAGE)
        fill(blocks + at + 64, seed);
    fill(page + 64, seed);
    printf("held\n");
    sleep(4);
    munmap(blocks, 2 * BLOCK);
    munmap(page, PAGE);
    printf("closed\n");
    sleep(4);
    return 0;
}
