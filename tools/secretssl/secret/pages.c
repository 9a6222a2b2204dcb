/* SPDX-License-Identifier: Apache-2.0 */
#include "secret/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/message.h"

enum protection { SECRET, LOCKED, ORDINARY };

struct area {
    struct area *next;
    void *start;
    size_t size;
};

static struct area *areas;
static enum protection weakest = SECRET;

/*
 * Makes every page resident by a system call that writes there. Under a limit on locked memory
 * a touch can end in SIGBUS, while the system call returns EFAULT. The signal mask that the
 * call writes is cleared again.
 */
static int secret_make_present(char *start, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (size_t at = 0; at < size; at += page) {
        if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, start + at, sizeof(uint64_t)) != 0)
            return -1;
        memset(start + at, 0, sizeof(uint64_t));
    }
    return 0;
}

static int put_secret(char *start, size_t size)
{
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    int result = -1;

    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) == 0 &&
        mmap(start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED)
        result = secret_make_present(start, size);

    int error = errno;

    close(fd);
    errno = error;
    return result;
}

static int put_anonymous(char *start, size_t size)
{
    if (mmap(start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == MAP_FAILED)
        return -1;
    madvise(start, size, MADV_DONTDUMP);
    return 0;
}

static void weakened(enum protection now, int why)
{
    static const char *const what[] = {
        [LOCKED] = "locked memory, which root can read",
        [ORDINARY] = "ordinary memory, which root can read and which may be swapped out",
    };

    if (now <= weakest)
        return;
    weakest = now;
    say("the keys searched for are held in %s: memfd_secret: %s%s", what[now], strerror(why),
        why == ENOSYS ? " (boot with secretmem.enable=1)" : " (raise the limit: ulimit -l)");
}

void *secret_pages_map(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct area *area = malloc(sizeof(*area));

    if (area == NULL || size > SIZE_MAX - 3 * page)
        goto none;
    size = (size + page - 1) / page * page;

    char *reserved = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (reserved == MAP_FAILED)
        goto none;

    char *start = reserved + page;

    if (put_secret(start, size) != 0) {
        int why = errno;

        if (put_anonymous(start, size) != 0) {
            munmap(reserved, size + 2 * page);
            goto none;
        }
        weakened(mlock(start, size) == 0 ? LOCKED : ORDINARY, why);
    }
    *area = (struct area){.next = areas, .start = start, .size = size};
    areas = area;
    return start;
none:
    free(area);
    return NULL;
}

const char *secret_pages_protection(void)
{
    static const char *const names[] = {"secret", "locked", "ordinary"};

    return names[weakest];
}

void secret_pages_clear(void)
{
    for (const struct area *area = areas; area != NULL; area = area->next)
        explicit_bzero(area->start, area->size);
}
