/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload for QEMU: the memory of `-object memory-backend-memfd` is secret memory. Every
 * other memfd stays what it is. Where there is no secret memory, QEMU is told so and ends.
 *
 * QEMU keeps the descriptor open, and root could take it (pidfd_getfd) and map the memory. So
 * it becomes a descriptor of nothing as soon as the memory is mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#define GUEST_MEMORY "memory-backend-memfd" /* the name that QEMU gives it */

static int guest_memory =
    -1; /* its descriptor, until it is mapped. QEMU starts with one thread. */

void *mmap64(void *address, size_t length, int access, int flags, int fd, off64_t offset);

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
    if (flags & ~1U || guest_memory >= 0) {
        errno = EOPNOTSUPP;
        return -1;
    }
    guest_memory = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    return guest_memory;
}

static void forget_descriptor(void)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (nothing < 0 || dup3(nothing, guest_memory, O_CLOEXEC) < 0)
        abort();
    close(nothing);
    guest_memory = -1;
}

/* The system call itself: looking up the next mmap64() would allocate, and so map memory. */
void *mmap64(void *address, size_t length, int access, int flags, int fd, off64_t offset)
{
    long result = syscall(SYS_mmap, address, length, access, flags, fd, offset);

    if (result != -1 && fd >= 0 && fd == guest_memory)
        forget_descriptor();
    return (void *)result;
}

void *mmap(void *address, size_t length, int access, int flags, int fd, off_t offset)
{
    return mmap64(address, length, access, flags, fd, offset);
}
