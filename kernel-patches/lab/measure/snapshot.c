// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot none|closed|before|after: makes a hibernation image as user space does, and searches
 * it. There is no secret memory, or some that is closed again, or some since before
 * /dev/snapshot is opened, or since after. Prints "CALL ERROR ORDINARY SECRET": the call that
 * failed, or "image"; its errno, or 0; and how many pages of the image have a pattern that was
 * in one page of ordinary memory, and one that was in a page and in a block of secret memory.
 *
 * After an image has been made, the guest's files and ports are gone, which come from the host
 * by drivers that do not survive it. So the line goes to the console then, and the machine is
 * powered off.
 */
#include "../tests/pattern.h"
#include "../tests/secret.h"

#include <linux/suspend_ioctls.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <termios.h>
#include <time.h>

#define CHUNK (1UL << 20)

static unsigned long seed;

static char *map_ordinary(size_t size)
{
    char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (area == MAP_FAILED)
        tap_bail_out("mmap: %s", strerror(errno));
    memset(area, 0, size);
    return area;
}

static void make_secrets(bool keep)
{
    char *block = map_secret(BLOCK, 0), *page = map_secret(PAGE, 0);

    fill(block, seed + 2);
    fill(page, seed + 2);
    if (!keep) {
        munmap(block, BLOCK);
        munmap(page, PAGE);
    }
}

/* The image comes page by page; the patterns are made anew, as they may not be in it. */
static void search(int snapshot, char *buffer, long *found)
{
    char ordinary[LENGTH], secret[LENGTH];
    ssize_t size;

    fill(ordinary, seed);
    fill(secret, seed + 2);
    while ((size = read(snapshot, buffer, CHUNK)) > 0)
        for (ssize_t at = 0; at + (ssize_t)PAGE <= size; at += (ssize_t)PAGE) {
            found[0] += memmem(buffer + at, PAGE, ordinary, LENGTH) != NULL;
            found[1] += memmem(buffer + at, PAGE, secret, LENGTH) != NULL;
        }
    if (size < 0)
        found[0] = found[1] = -errno;
}

static int refused(const char *call)
{
    printf("%s %d 0 0\n", call, errno);
    return 0;
}

int main(int argc, char **argv)
{
    const char *when = argc == 2 ? argv[1] : "";
    int snapshot, in_suspend = 0, console = open("/dev/ttyS0", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    long found[2] = {0, 0};

    if (strcmp(when, "none") != 0 && strcmp(when, "closed") != 0 &&
        strcmp(when, "before") != 0 && strcmp(when, "after") != 0)
        tap_bail_out("usage: snapshot none|closed|before|after");
    set_memlock(RLIM_INFINITY);
    seed = (unsigned long)time(NULL) << 20 | 1;
    char *buffer = map_ordinary(CHUNK), *ordinary = map_ordinary(PAGE);
    fill(ordinary, seed);
    if (mlockall(MCL_CURRENT) != 0)
        tap_bail_out("mlockall: %s", strerror(errno));
    if (strcmp(when, "none") != 0 && strcmp(when, "after") != 0)
        make_secrets(strcmp(when, "before") == 0);

    snapshot = open("/dev/snapshot", O_RDONLY | O_CLOEXEC);
    if (snapshot < 0)
        return refused("open");
    if (strcmp(when, "after") == 0)
        make_secrets(true);
    if (ioctl(snapshot, SNAPSHOT_FREEZE) != 0)
        return refused("freeze");
    if (ioctl(snapshot, SNAPSHOT_CREATE_IMAGE, &in_suspend) != 0) {
        int error = errno;
        ioctl(snapshot, SNAPSHOT_UNFREEZE);
        errno = error;
        return refused("image");
    }
    search(snapshot, buffer, found);
    /* While there is an image, nothing is thawed. */
    ioctl(snapshot, SNAPSHOT_FREE);
    ioctl(snapshot, SNAPSHOT_UNFREEZE);
    dprintf(console, "\nimage 0 %ld %ld\n", found[0], found[1]);
    tcdrain(console);
    reboot(RB_POWER_OFF);
    return 1;
}
