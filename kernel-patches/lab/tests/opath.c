// SPDX-License-Identifier: GPL-2.0-only
/*
 * A descriptor that only names a file (O_PATH) keeps its pages, after the last mapping and the
 * last other descriptor have gone: they must stay charged to the user. The base forgets them
 * then, and a user pins as much memory as the machine has.
 */
#include "secret.h"

#include <sys/prctl.h>

#define LIMIT 256 /* pages */
#define FILES 16
#define USER  700003

/* Fills files of LIMIT pages and keeps them by their names only: how many pages are pinned. */
static size_t pin(int *names, int *count)
{
    size_t pinned = 0, had = LIMIT;
    char path[64];

    for (*count = 0; *count < FILES && had == LIMIT; ++*count) {
        int fd = secret_file(LIMIT * PAGE, 0);
        char *area = mmap(NULL, LIMIT * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (area == MAP_FAILED)
            tap_bail_out("mmap: %s", strerror(errno));
        had = populate(area, LIMIT);
        pinned += had;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        names[*count] = open(path, O_PATH | O_CLOEXEC);
        if (names[*count] < 0)
            tap_bail_out("%s: %s", path, strerror(errno));
        munmap(area, LIMIT * PAGE);
        close(fd);
    }
    return pinned;
}

int main(int argc, char **argv)
{
    int names[FILES], count;

    secret_start(argc, argv);
    set_memlock(LIMIT * PAGE);
    if (setresuid(USER, USER, USER) != 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
        tap_bail_out("setresuid: %s", strerror(errno));
    size_t pinned = pin(names, &count);
    tap_ok(patched ? pinned == LIMIT : pinned == FILES * LIMIT,
           "a limit of %d pages: %zu are pinned by %d names", LIMIT, pinned, count);
    while (count > 0)
        close(names[--count]);
    pinned = pin(names, &count);
    tap_ok(pinned >= LIMIT, "with the names closed the whole limit is there again (%zu)",
           pinned);
    return tap_finish();
}
