/* SPDX-License-Identifier: Apache-2.0 */
/* Huge blocks of a patched kernel: their size, read from sysfs, and how to ask for them. */
#include "os/helper_process.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

size_t sm_secretmem_huge_known = SM_HUGE_NOT_ASKED;

struct block_text {
    char text[24];
    long length; /* or a negative errno value */
};

static void read_block(void *arg)
{
    static const char path[] = "/sys/kernel/mm/secretmem/block_size";
    struct block_text *read = arg;
    long fd;

    do {
        fd = sm_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    } while (fd == -EMFILE && sm_helper_free_a_slot());
    read->length = fd;
    if (sm_failed(fd))
        return;
    read->length = sm_sys(SYS_read, fd, read->text, sizeof(read->text));
    sm_sys(SYS_close, fd);
}

size_t sm_secretmem_huge_size(void)
{
    size_t size = __atomic_load_n(&sm_secretmem_huge_known, __ATOMIC_RELAXED);
    struct block_text read = {.length = -EPERM};

    if (size != SM_HUGE_NOT_ASKED)
        return size;
    size = 0;
    if (!sm_seccomp_forbids(SM_CALL_OPENAT) && !sm_seccomp_forbids(SM_CALL_CLOSE)) {
        sm_helper_run(read_block, &read);
        if (read.length == -EMFILE)
            sm_helper_force(read_block, &read);
    }
    for (long i = 0; i < read.length && read.text[i] >= '0' && read.text[i] <= '9'; i++)
        size = size * 10 + (size_t)(read.text[i] - '0');
    /* Alignment needs a power of two. */
    if (size < sm_os_page || (size & (size - 1)) != 0)
        size = 0;
    __atomic_store_n(&sm_secretmem_huge_known, size, __ATOMIC_RELAXED);
    return size;
}

void sm_secretmem_ask_huge(void *address, size_t length)
{
    size_t size = __atomic_load_n(&sm_secretmem_huge_known, __ATOMIC_RELAXED);

    if (size == 0 || size == SM_HUGE_NOT_ASKED || length < size ||
        (uintptr_t)address % size != 0 || sm_seccomp_forbids(SM_CALL_MADVISE))
        return;
    /* A kernel that refuses gives single pages, which serve as well. */
    sm_sys(SYS_madvise, address, length, MADV_HUGEPAGE);
}
