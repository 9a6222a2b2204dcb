/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload for QEMU: the memory of `-object memory-backend-memfd` is secret memory. Every
 * other memfd stays what it is. Where there is no secret memory, QEMU is told so and ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#define GUEST_MEMORY "memory-backend-memfd" /* the name that QEMU gives it */

/* Programs that QEMU starts (network helpers) are none of this. */
__attribute__((constructor)) static void leave_children_alone(void)
{
    unsetenv("LD_PRELOAD");
}

int memfd_create(const char *name, unsigned flags)
{
    if (strcmp(name, GUEST_MEMORY) != 0)
        return (int)syscall(SYS_memfd_create, name, flags);
    /* Huge pages (hugetlb=on) or file seals (seal=on) cannot be had. */
    if (flags & ~1U) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_memfd_secret, O_CLOEXEC);
}
