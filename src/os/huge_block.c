/* SPDX-License-Identifier: Apache-2.0 */
/* Huge blocks of a patched kernel: their size, read from sysfs, and how to ask for them. */
#include "os/fork_copies.h"
#include "os/kernel_file.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <sys/mman.h>

size_t sm_secretmem_huge_known = SM_HUGE_NOT_ASKED;

size_t sm_secretmem_huge_size(void)
{
    size_t size = __atomic_load_n(&sm_secretmem_huge_known, __ATOMIC_RELAXED);
    char text[24];
    long length = 0;

    if (size != SM_HUGE_NOT_ASKED)
        return size;
    size = 0;
    /* Memory that the kernel copies at fork has no blocks. */
    if (!sm_kernel_copies())
        length = sm_kernel_file("/sys/kernel/mm/secretmem/block_size", text, sizeof(text));
    for (long i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++)
        size = size * 10 + (size_t)(text[i] - '0');
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
