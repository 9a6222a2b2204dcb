/* SPDX-License-Identifier: Apache-2.0 */
#include "os/page_key.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <sys/mman.h>

int sm_page_key_alloc(void)
{
    long key;

    if (sm_seccomp_forbids_any(SM_CALL_BIT(SM_CALL_PKEY_ALLOC) |
                               SM_CALL_BIT(SM_CALL_PKEY_MPROTECT)))
        return -EPERM;
    key = sm_sys(SYS_pkey_alloc, 0, PKEY_DISABLE_ACCESS);
    if (key <= 0)
        return key == 0 ? -ENOSYS : (int)key;
    /* A C library that does not know the processor's register cannot give access again. */
    if (pkey_set((int)key, PKEY_DISABLE_ACCESS) == 0)
        return (int)key;
    sm_page_key_free((int)key);
    return -ENOSYS;
}

void sm_page_key_free(int key)
{
    /* A filter that was installed since may kill for a call that this process can do without.
     */
    if (!sm_seccomp_installed)
        sm_sys(SYS_pkey_free, key);
}

int sm_page_key_assign(void *address, size_t length, int key)
{
    if (sm_seccomp_forbids(SM_CALL_PKEY_MPROTECT))
        return -EPERM;
    return (int)sm_sys(SYS_pkey_mprotect, address, length, PROT_READ | PROT_WRITE, key);
}

void sm_page_key_allow(int key, bool access)
{
    /* The register's only, so that errno is left alone: the key is known to be valid. */
    pkey_set(key, access ? 0 : PKEY_DISABLE_ACCESS);
}
