// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hibernation and secret memory: it is on offer without, reservation or not; it is not while a
 * descriptor is open; and an image is refused when the descriptor was made after /dev/snapshot
 * had been opened. Calls in a wrong order are refused with the same error; that this is the
 * right one, and makes an image where there is no secret memory, and what the unpatched kernel
 * has in its image, is for measure/snapshot.c to show: no guest goes on after that.
 */
#include "secret.h"

#include <linux/suspend_ioctls.h>
#include <sys/ioctl.h>

static int open_snapshot(void)
{
    return open("/dev/snapshot", O_RDONLY | O_CLOEXEC);
}

/* An image with user space frozen: an errno, or 0 if there is one. */
static int error_of_image(int snapshot)
{
    int in_suspend = 0, error = 0;

    if (ioctl(snapshot, SNAPSHOT_FREEZE) != 0)
        tap_bail_out("SNAPSHOT_FREEZE: %s", strerror(errno));
    if (ioctl(snapshot, SNAPSHOT_CREATE_IMAGE, &in_suspend) != 0)
        error = errno;
    ioctl(snapshot, SNAPSHOT_UNFREEZE);
    return error;
}

static void test_secret(size_t size, const char *what)
{
    tap_ok(hibernation_on_offer(), "%s: before, hibernation is on offer", what);
    int snapshot = open_snapshot();
    if (snapshot < 0)
        tap_bail_out("/dev/snapshot: %s", strerror(errno));

    /* After the check at opening. */
    char *area = map_secret(size, 0);
    area[0] = 1;
    if (patched) {
        int error = error_of_image(snapshot);
        tap_ok(error == EPERM, "%s: made after /dev/snapshot was opened: no image (error: %d)",
               what, error);
    }
    close(snapshot);

    tap_ok(!hibernation_on_offer(), "%s: hibernation is not on offer", what);
    tap_ok(open_snapshot() < 0 && errno == EPERM, "%s: /dev/snapshot cannot be opened", what);
    munmap(area, size);
    tap_ok(hibernation_on_offer(), "%s: it is on offer again once that is closed", what);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    test_secret(PAGE, "a page");
    test_secret(BLOCK, "2 MiB");
    return tap_finish();
}
