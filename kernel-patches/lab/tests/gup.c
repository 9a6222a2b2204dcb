// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody gets hold of secret pages by address: vmsplice and O_DIRECT, which go through
 * GUP-fast, are refused for blocks mapped by one entry and by 512 as for pages; ordinary memory
 * of both kinds is not.
 */
#include "secret.h"

#include <sys/uio.h>

static bool can_vmsplice(char *memory)
{
    struct iovec piece = {memory, PAGE};
    int ends[2];

    if (pipe(ends) != 0)
        tap_bail_out("pipe: %s", strerror(errno));
    ssize_t count = vmsplice(ends[1], &piece, 1, 0);
    close(ends[0]);
    close(ends[1]);
    return count > 0;
}

/* Both ways: the disk's contents into memory, and memory onto the disk. */
static bool can_direct(char *memory)
{
    int fd = open("/dev/ram0", O_RDWR | O_DIRECT | O_CLOEXEC);

    if (fd < 0)
        tap_bail_out("/dev/ram0: %s", strerror(errno));
    bool written = pwrite(fd, memory, PAGE, 0) == (ssize_t)PAGE;
    bool read = pread(fd, memory, PAGE, 0) == (ssize_t)PAGE;
    close(fd);
    return written || read;
}

static void expect(char *memory, bool wanted, const char *what)
{
    const char *verb = wanted ? "works" : "is refused";

    tap_ok(can_vmsplice(memory) == wanted, "%s: vmsplice %s", what, verb);
    tap_ok(can_direct(memory) == wanted, "%s: O_DIRECT %s", what, verb);
}

static void test_ordinary(void)
{
    char *area =
        mmap(NULL, 4 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *huge = (char *)(((unsigned long)area + BLOCK - 1) & ~(BLOCK - 1));

    madvise(huge, 2 * BLOCK, MADV_HUGEPAGE);
    memset(huge, 1, 2 * BLOCK);
    expect(huge, true, "a huge anonymous page");
    mprotect(huge, PAGE, PROT_READ);
    huge[PAGE] = 2;
    expect(huge + PAGE, true, "a part of it");
    munmap(area, 4 * BLOCK);
}

static void test_secret(unsigned flags, const char *name)
{
    char what[64];

    snprintf(what, sizeof(what), "%s block", name);
    char *area = map_blocks(2 * BLOCK, flags, what);
    memset(area, 1, 2 * BLOCK);
    expect(area + PAGE, false, what);
    mprotect(area, PAGE, PROT_READ);
    area[PAGE] = 2;
    snprintf(what, sizeof(what), "%s block in parts", name);
    expect(area + PAGE, false, what);
    munmap(area, 2 * BLOCK);

    area = map_secret(PAGE, flags);
    area[0] = 1;
    snprintf(what, sizeof(what), "%s page", name);
    expect(area, false, what);
    munmap(area, PAGE);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    test_ordinary();
    test_secret(0, "secret");
    if (patched)
        test_secret(UNCACHED, "uncached secret");
    return tap_finish();
}
